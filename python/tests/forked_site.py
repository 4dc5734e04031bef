"""A site that used its caches before its server forked: for gunicorn (``application``) and celery (``app``).

``FORKED_SITE`` in the environment is the JSON of its settings.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

settings.configure(**json.loads(os.environ["FORKED_SITE"]))
django.setup()

from django.core.cache import caches  # noqa: E402

ALIASES = ("default", "other")


async def _use(name: str) -> None:
    for alias in ALIASES:
        for number in range(5):
            await caches[alias].aset(f"{alias}-{name}", [name, number])
            assert await caches[alias].aget(f"{alias}-{name}") == [name, number]


def use(name: str) -> None:
    """Both aliases, through both doors."""
    for alias in ALIASES:
        for number in range(5):
            caches[alias].set(f"{alias}-{name}", {"of": [name, number]})
            assert caches[alias].get(f"{alias}-{name}") == {"of": [name, number]}
    asyncio.run(_use(name))


use("before")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Count the request, and say who answered it."""
    use(f"request-{os.getpid()}")
    count = caches["default"].incr("requests")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), count]).encode()]


def celery_app() -> Any:
    """A worker whose broker is a folder."""
    from celery import Celery

    folder = os.environ["FORKED_SITE_BROKER"]
    app = Celery("forked_site", broker="filesystem://")
    options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}/control",
    }
    app.conf.update(broker_transport_options=options, worker_hijack_root_logger=False)

    @app.task(name="count")
    def count(number: int) -> None:
        use(f"task-{os.getpid()}")
        # Or the first process may have done all of them before the second one is there.
        time.sleep(0.05)
        caches["default"].set(f"done-{number}", os.getpid())
        caches["default"].incr("tasks")

    return app


if "FORKED_SITE_BROKER" in os.environ:
    app = celery_app()
