"""What a process knows of the tables it caches in, and where blocking SQL of a loop's thread is done."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


class Count:
    """How many rows a table has, as far as this process knows. An estimate, so without a lock."""

    def __init__(self) -> None:
        self.rows: int | None = None
        self.since = 0.0
        self.swept = time.monotonic()
        self.hits = 0
        self.misses = 0


_counts: dict[tuple[str, str], Count] = {}


def count_of(database: str, table: str) -> Count:
    """That of all caches in this table, in this process."""
    found = _counts.get((database, table))
    # One step of the dict: no lock that a fork could copy while it is held.
    return found or _counts.setdefault((database, table), Count())


def beside(work: Callable[[], Any]) -> Any:
    """Do this in a thread that has no loop, with a connection of its own, and wait for it."""
    context = contextvars.copy_context()

    def run() -> Any:
        try:
            return context.run(work)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="hotclub-database") as thread:
        return thread.submit(run).result()
