"""What a process knows of the tables it caches in, whose connections it uses, and where blocking SQL of a
loop's thread is done.
"""

from __future__ import annotations

import contextvars
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.local import Local
from asgiref.sync import AsyncToSync, SyncToAsync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from hotclub import tracing

#: What a parent process had opened: not used here, and not closed, which its other end would be told.
_inherited: list[Any] = []


def own(database: str) -> Any:
    """Django's connection of this thread to a database, without what a parent process opened with it."""
    connection = connections[database]
    if _inherited and any(connection.connection is one for one in _inherited):
        # Django connects again, and begins with no transaction.
        connection.connection = None
    return connection


def _in_child() -> None:
    """After a fork: who answers on a connection is the parent's, and the thread of async verbs is gone.

    Django leaves both to sites. Its async verbs would wait for that thread for ever.
    """
    SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)
    # It has a lock, which a thread that is not here may hold.
    AsyncToSync.executors = Local()
    if "settings" not in vars(connections):  # nobody has asked for one yet
        return
    for connection in connections.all(initialized_only=True):
        in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
        if connection.connection is not None and not in_memory:
            _inherited.append(connection.connection)


os.register_at_fork(after_in_child=_in_child)


_names: dict[tuple[str, str], tuple[str, str, str, str]] = {}


def names_in(connection: Any, table: str) -> tuple[str, str, str, str]:
    """The table and its columns, quoted as this sort of database wants it."""
    found = _names.get((connection.vendor, table))
    if found is None:
        quote = connection.ops.quote_name
        found = quote(table), quote("cache_key"), quote("value"), quote("expires")
        _names[connection.vendor, table] = found
    return found


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


def told(cache: Any, verb: str, key: Any, kind: str, work: Callable[[], Any]) -> Any:
    """Do a verb, and write its row if an execution table is being recorded.

    A blocking verb in the thread of a loop, where Django refuses SQL, blocks it as with other caches.
    """

    def done() -> Any:
        try:
            return work()
        except SynchronousOnlyOperation:
            return beside(work)

    if tracing.current.get() is None:
        return done()
    action = f"{verb}({'' if key is None and verb == 'clear' else tracing.shown(key)})"
    return tracing.told(type(cache).__name__, action, kind, done)


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
