"""Two tables, and the hook that keeps the cache honest."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.core.cache.utils import make_template_fragment_key
from django.db import models


class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=100)
    continent = models.CharField(max_length=30)
    capital = models.CharField(max_length=100, blank=True)
    area = models.FloatField(help_text="square kilometres")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class City(models.Model):
    """A city of about 15,000 people and more, or a capital.

    ``population`` has no index: sorting by it costs, as it is meant to here.
    """

    id = models.PositiveIntegerField(primary_key=True)
    name = models.CharField(max_length=200)
    country = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="cities")
    population = models.PositiveIntegerField()
    latitude = models.FloatField()
    longitude = models.FloatField()
    timezone = models.CharField(max_length=50)
    alternate_names = models.TextField(help_text="every other name, as |one|two|three|")

    class Meta:
        verbose_name_plural = "cities"

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves, then deletes what the cache knows of this city: the next read is fresh.

        Two parts of templates show the city too and go with it. What merely mentions it (a
        neighbour's page, a search, a whole country's page) is left to its timeout.
        """
        super().save(*args, **kwargs)
        cache.delete(f"city_{self.id}")
        cache.delete(make_template_fragment_key("namesakes", [self.id]))
        cache.delete(make_template_fragment_key("largest"))
