"""The app that brings the system checks: ``hotclub.django`` in ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from hotclub.django.checks import check_caches


class HotclubConfig(AppConfig):
    """No models, no templates: checks only."""

    name = "hotclub.django"
    label = "hotclub"
    verbose_name = "hotclub"

    def ready(self) -> None:
        """Put the checks among Django's own of ``CACHES``."""
        register(check_caches, Tags.caches)
