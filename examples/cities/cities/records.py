"""The expensive questions. Each ``loader`` asks the database; around it stands the cache."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.core.cache import cache
from django.db.models import Avg, Count, F, FloatField, OuterRef, Q, Subquery, Sum, Window
from django.db.models.functions import Cast, Rank
from django.shortcuts import get_object_or_404

from .geography import kilometres_from
from .models import City, Country
from .observation import loader, note

Record = dict[str, Any]

NEAREST = 10
FOUND_LIMIT = 50
NAMESAKES_LIMIT = 12


def city_record(city_id: int) -> Record:
    """The low-level way: get, ``is None``, load, ``set`` with a timeout, return."""
    city = cache.get(f"city_{city_id}")
    note("check: city is None", output=str(city is None))
    if city is None:
        city = load_city(city_id)
        cache.set(f"city_{city_id}", city, timeout=60)
    note("return the city", output=f"{city['name']}, {city['population']:,}")
    return city


def found_cities(query: str) -> Record:
    """The same for a search. What people type is no fit key for every backend, its digest is."""
    key = f"search_{sha256(query.casefold().encode()).hexdigest()[:32]}"
    found = cache.get(key)
    note("check: found is None", output=str(found is None))
    if found is None:
        found = load_search(query)
        cache.set(key, found, timeout=60)
    note("return the cities", output=f"{found['count']:,} found")
    return found


@loader("the city")
def load_city(city_id: int) -> Record:
    """A city, its ranks, the nearest others and the farthest: three passes over every row."""
    city = get_object_or_404(City.objects.select_related("country"), id=city_id)
    larger = City.objects.filter(population__gt=city.population)
    others = City.objects.exclude(id=city.id).annotate(
        kilometres=kilometres_from(city.latitude, city.longitude)
    )
    fields = ("id", "name", "population", "kilometres", "country__name")
    return {
        "id": city.id,
        "name": city.name,
        "country": {"code": city.country.code, "name": city.country.name},
        "population": city.population,
        "latitude": city.latitude,
        "longitude": city.longitude,
        "timezone": city.timezone,
        "rank_in_world": larger.count() + 1,
        "rank_in_country": larger.filter(country=city.country).count() + 1,
        "nearest": list(others.order_by("kilometres").values(*fields)[:NEAREST]),
        "farthest": others.order_by("-kilometres").values(*fields).first(),
    }


@loader("the namesakes")
def load_namesakes(city_id: int, name: str) -> list[Record]:
    """Cities elsewhere that bear, or somewhere bore, the same name."""
    same = Q(name__iexact=name) | Q(alternate_names__icontains=f"|{name}|")
    others = City.objects.filter(same).exclude(id=city_id).order_by("-population")
    return list(
        others.values("id", "name", "population", "country__name", "country__code")[
            :NAMESAKES_LIMIT
        ]
    )


@loader("the cities found")
def load_search(query: str) -> Record:
    """Looks through every name and every other name, in all scripts."""
    words = Q(name__icontains=query) | Q(alternate_names__icontains=query)
    found = City.objects.filter(words)
    fields = ("id", "name", "population", "country__name", "country__code")
    return {
        "count": found.count(),
        "cities": list(found.order_by("-population").values(*fields)[:FOUND_LIMIT]),
    }


@loader("the largest cities")
def load_largest() -> list[Record]:
    ranked = City.objects.annotate(rank=Window(Rank(), order_by=F("population").desc()))
    return list(
        ranked.order_by("rank").values(
            "rank", "id", "name", "population", "country__name", "country__code"
        )[:10]
    )


@loader("the continents")
def load_continents() -> list[Record]:
    totals = Country.objects.values("continent").annotate(
        cities_count=Count("cities"),
        countries_count=Count("code", distinct=True),
        people=Sum("cities__population"),
        mean=Avg("cities__population"),
    )
    return list(totals.filter(cities_count__gt=0).order_by("-people"))


@loader("the countries")
def load_countries() -> list[Record]:
    """Every country with its totals and its largest city, largest total first."""
    largest = City.objects.filter(country=OuterRef("code")).order_by("-population")
    totals = Country.objects.annotate(
        cities_count=Count("cities"),
        people=Sum("cities__population"),
        mean=Avg("cities__population"),
        largest_id=Subquery(largest.values("id")[:1]),
        largest_name=Subquery(largest.values("name")[:1]),
    )
    return list(totals.filter(cities_count__gt=0).order_by("-people").values())


@loader("the country")
def load_country(country: Country) -> list[Record]:
    """A country's cities: rank, share of all, and the way to the largest of them."""
    cities = City.objects.filter(country=country)
    largest = cities.order_by("-population").first()
    if largest is None:
        return []
    people = cities.aggregate(people=Sum("population"))["people"] or 1
    ranked = cities.annotate(
        rank=Window(Rank(), order_by=F("population").desc()),
        share=Cast("population", FloatField()) * 100.0 / people,
        kilometres=kilometres_from(largest.latitude, largest.longitude),
    )
    return list(
        ranked.order_by("rank", "name").values(
            "rank", "id", "name", "population", "share", "kilometres"
        )
    )
