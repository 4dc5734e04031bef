"""The pages about the cache itself: live state, and a form to try single calls."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from .counters import counters
from .forms import TryForm
from .observation import find, recent

SHOWN = 12
NUMBERS = ("hits", "misses", "sets", "expired", "evicted", "culled", "deleted", "errors", "entries")
TRY_PREFIX = "try_"  # so that a tried key never meets one of the site's own


@require_GET
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Counters and the execution tables of the last cache calls; a script keeps them current."""
    return render(request, "cities/cache.html", _state())


@require_GET
@never_cache
def state(request: HttpRequest) -> HttpResponse:
    """The changing part of the live page."""
    return render(request, "cities/_state.html", _state())


@require_GET
@never_cache
def stats_json(request: HttpRequest) -> HttpResponse:
    return JsonResponse(counters())


@require_GET
@never_cache
def request_json(request: HttpRequest, number: int) -> HttpResponse:
    """What the request of this number did; only the last ones are kept."""
    seen = find(number)
    if seen is None:
        raise Http404(f"request {number} is not among the last ones")
    return JsonResponse(seen.as_dict())


@never_cache
def try_it(request: HttpRequest) -> HttpResponse:
    """Does one cache call and shows what came back."""
    form = TryForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        context |= {"done": True, "result": _call(form.cleaned_data)}
    return render(request, "cities/try.html", context)


def _call(wanted: dict[str, Any]) -> Any:
    key = TRY_PREFIX + wanted["key"]
    match wanted["operation"]:
        case "get":
            return cache.get(key, wanted["default"] or None)
        case "delete":
            return cache.delete(key)
        case "clear":
            return cache.clear()
    if wanted["timeout"] is None:
        return cache.set(key, wanted["value"])
    return cache.set(key, wanted["value"], timeout=wanted["timeout"])


def _state() -> dict[str, Any]:
    stats = counters()
    seen = [request.as_dict() for request in recent()]
    return {
        "backend": settings.CACHES["default"]["BACKEND"],
        "stats": stats,
        "numbers": [(name, stats[name]) for name in NUMBERS if name in stats],
        "percent": stats["hit_ratio"] * 100,
        "requests": [_shown(one) for one in seen if one["rows"]][:SHOWN],
    }


def _shown(seen: dict[str, Any]) -> dict[str, Any]:
    """Times in milliseconds, as people read them here."""
    rows = [{**row, "milliseconds": row["time"] * 1000} for row in seen["rows"]]
    return {**seen, "milliseconds": seen["seconds"] * 1000, "rows": rows}
