"""A model as a site has them: its ``save()`` deletes what the cache knows of it."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.db import models


class Person(models.Model):
    """Somebody with a page."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "people"

    def __str__(self) -> str:
        return self.name

    def save(self, *arguments: Any, **keywords: Any) -> None:
        """Store the row, then drop the cached name."""
        super().save(*arguments, **keywords)
        cache.delete(f"user_{self.id}")
