"""The pages, each with the kind of caching that suits it."""

from __future__ import annotations

from functools import partial

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_GET

from .forms import CityForm
from .models import City, Country
from .observation import note
from .records import (
    city_record,
    found_cities,
    load_continents,
    load_countries,
    load_country,
    load_largest,
    load_namesakes,
)

PAGE_TIMEOUT = 60
PAGE_LENGTH = 100


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Two template fragments. The loaders run only where the template finds no fragment."""
    return render(
        request,
        "cities/home.html",
        {"largest": load_largest, "continents": load_continents},
    )


@require_GET
@cache_page(PAGE_TIMEOUT)
def countries(request: HttpRequest) -> HttpResponse:
    """Per-view caching: the whole page is one entry."""
    context = {"countries": load_countries(), "timeout": PAGE_TIMEOUT}
    return render(request, "cities/countries.html", context)


@require_GET
@cache_page(PAGE_TIMEOUT)
def country(request: HttpRequest, code: str) -> HttpResponse:
    """Per-view caching: one entry for each address, so for each page of a long list too."""
    found = get_object_or_404(Country, code=code.upper())
    pages = Paginator(load_country(found), PAGE_LENGTH)
    context = {
        "country": found,
        "page": pages.get_page(request.GET.get("page")),
        "timeout": PAGE_TIMEOUT,
    }
    return render(request, "cities/country.html", context)


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Low-level caching of the answer; the page around it is made each time."""
    query = request.GET.get("q", "").strip()[:100]
    found = found_cities(query) if query else None
    return render(request, "cities/search.html", {"query": query, "found": found})


@require_GET
def city_json(request: HttpRequest, city_id: int) -> HttpResponse:
    """The low-level way alone: get, ``is None``, load, set, return."""
    return JsonResponse(city_record(city_id))


@require_GET
def city(request: HttpRequest, city_id: int) -> HttpResponse:
    """The low-level way for the city, a template fragment for its namesakes."""
    record = city_record(city_id)
    namesakes = partial(load_namesakes, city_id, record["name"])
    return render(request, "cities/city.html", {"city": record, "namesakes": namesakes})


def edit(request: HttpRequest, city_id: int) -> HttpResponse:
    """Saves a city; its ``save`` deletes the entries that show it."""
    found = get_object_or_404(City, id=city_id)
    form = CityForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        note("city.save()", output=f"{form.instance.name}, {form.instance.population:,}")
        form.save()
        return redirect("city", city_id=city_id)
    return render(request, "cities/edit.html", {"form": form, "city_id": city_id})
