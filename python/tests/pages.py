"""The views of a small site, each of which counts how often it was asked."""

from __future__ import annotations

import collections

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers

calls: collections.Counter[str] = collections.Counter()
FRAGMENT = Template("{% load cache %}{% cache 60 side name %}{{ name }} {{ count }}{% endcache %}")


@cache_page(60)
@vary_on_headers("X-Region")
def page(request: HttpRequest) -> HttpResponse:
    """A whole page, kept by ``cache_page``."""
    calls["page"] += 1
    return HttpResponse(f"page {calls['page']}", headers={"X-Own": "kept"})


def fragment(request: HttpRequest) -> HttpResponse:
    """A part of a template, kept by its tag."""
    calls["fragment"] += 1
    return HttpResponse(
        FRAGMENT.render(Context({"name": request.GET["name"], "count": calls["fragment"]}))
    )


def visits(request: HttpRequest) -> HttpResponse:
    """A counter in the session."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def proxied(request: HttpRequest) -> HttpResponse:
    """The ``cache`` proxy within a request."""
    return HttpResponse(str(cache.get_or_set("proxied", lambda: calls["page"])))


async def asynchronous(request: HttpRequest) -> HttpResponse:
    """An async view."""
    await cache.aset("asynchronous", 1)
    return HttpResponse(str(await cache.aincr("asynchronous")))


urlpatterns = [
    path("page", page),
    path("fragment", fragment),
    path("visits", visits),
    path("proxied", proxied),
    path("asynchronous", asynchronous),
]
