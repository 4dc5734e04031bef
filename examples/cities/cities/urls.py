"""The pages. Everything under ``cache/`` only looks at the cache and is not observed itself."""

from django.urls import path

from . import cache_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("countries/", views.countries, name="countries"),
    path("country/<str:code>/", views.country, name="country"),
    path("search/", views.search, name="search"),
    path("city/<int:city_id>/", views.city, name="city"),
    path("city/<int:city_id>.json", views.city_json, name="city-json"),
    path("city/<int:city_id>/edit/", views.edit, name="edit"),
    path("try/", cache_views.try_it, name="try"),
    path("cache/", cache_views.live, name="cache"),
    path("cache/state/", cache_views.state, name="cache-state"),
    path("cache/stats.json", cache_views.stats_json, name="cache-stats"),
    path("cache/requests/<int:number>.json", cache_views.request_json, name="cache-request"),
]
