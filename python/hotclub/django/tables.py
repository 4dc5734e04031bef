"""What a process knows of the tables it caches in, whose connections it uses, and where blocking SQL of a
loop's thread is done.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from asgiref.local import Local
from asgiref.sync import AsyncToSync, SyncToAsync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, connections, transaction

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


class _Verbs:
    """Which verbs are under way: SQLite has locks that a child would find taken for ever."""

    #: A fork waits so long for those of other threads, and they for it, in seconds.
    LIMIT = 5.0

    def __init__(self) -> None:
        #: By thread. Each step is one of the dict: verbs take no lock.
        self.running: dict[int, bool] = {}
        self.forking = 0
        self.changed = threading.Condition(threading.Lock())

    def held_up(self, own: int) -> None:
        """Of a thread that has said that it begins a verb, while another one forks."""
        with self.changed:
            del self.running[own]
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.forking, self.LIMIT)
            self.running[own] = True

    def ended(self) -> None:
        """A verb has come to its end while another thread forks."""
        with self.changed:
            self.changed.notify_all()

    def before_fork(self) -> None:
        own = threading.get_ident()
        with self.changed:
            self.forking += 1
            self.changed.wait_for(lambda: not self.running.keys() - {own}, self.LIMIT)

    def after_fork(self) -> None:
        with self.changed:
            self.forking -= 1
            self.changed.notify_all()

    def in_child(self) -> None:
        own = threading.get_ident()
        self.running = {own: True} if own in self.running else {}
        self.forking = 0
        self.changed = threading.Condition(threading.Lock())


_verbs = _Verbs()


def _in_child() -> None:
    """After a fork: who answers on a connection is the parent's, and the thread of async verbs is gone.

    Django leaves both to sites. Its async verbs would wait for that thread for ever.
    """
    _verbs.in_child()
    SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)
    # It has a lock, which a thread that is not here may hold.
    AsyncToSync.executors = Local()
    if "settings" not in vars(connections):  # nobody has asked for one yet
        return
    for connection in connections.all(initialized_only=True):
        in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
        if connection.connection is not None and not in_memory:
            _inherited.append(connection.connection)


os.register_at_fork(
    before=_verbs.before_fork, after_in_parent=_verbs.after_fork, after_in_child=_in_child
)


_names: dict[tuple[str, str], tuple[str, str, str, str]] = {}
_reads: dict[tuple[str, str], str] = {}


def names_in(connection: Any, table: str) -> tuple[str, str, str, str]:
    """The table and its columns, quoted as this sort of database wants it."""
    found = _names.get((connection.vendor, table))
    if found is None:
        quote = connection.ops.quote_name
        found = quote(table), quote("cache_key"), quote("value"), quote("expires")
        _names[connection.vendor, table] = found
    return found


def read_of_one(connection: Any, table: str) -> str:
    """What asks for a key's value, whether it is over at a time (given first), and the key as it stands."""
    found = _reads.get((connection.vendor, table))
    if found is None:
        quoted, key, value, expires = names_in(connection, table)
        found = (
            f"SELECT {value}, CASE WHEN {expires} < %s THEN 1 ELSE 0 END, {key} "
            f"FROM {quoted} WHERE {key} = %s"
        )
        _reads[connection.vendor, table] = found
    return found


def is_inside(connection: Any) -> bool:
    """Whether the caller has a transaction open, or each of its statements belongs to one."""
    return bool(connection.in_atomic_block or not connection.get_autocommit())


@contextmanager
def step(connection: Any, atomic: bool = False) -> Iterator[Any]:
    """A cursor whose failure leaves the caller's transaction usable; with one of its own if asked."""
    own = atomic or is_inside(connection)
    scope: Any = transaction.atomic(using=connection.alias) if own else nullcontext()
    with scope, connection.cursor() as cursor:
        yield cursor


def is_conflict(error: Exception) -> bool:
    """Whether the database gave up a transaction for the sake of another: it may be tried again."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    # A deadlock, and a row that changed since MariaDB's snapshot.
    return state in ("40001", "40P01") or getattr(cause, "args", ())[:1] in ((1213,), (1020,))


def is_gone(connection: Any, error: Exception) -> bool:
    """Whether the caller's transaction ended with this: MySQL rolls back all of it, not to a savepoint."""
    gave_up = connection.vendor == "mysql" and is_conflict(error)
    return connection.needs_rollback or (gave_up and is_inside(connection))


#: Rows of one statement, for databases that say nothing of their limit, and letters of their values.
MOST_ROWS = 300
MOST_LETTERS = 1 << 20
#: Every database takes so many parameters.
FEW_PARAMETERS = 300


def rows_at_once(connection: Any, rows: int, parameters: int) -> int:
    """How many of these rows one statement takes, with so many parameters each."""
    if rows * parameters < FEW_PARAMETERS:
        return rows
    most = connection.features.max_query_params
    return max(1, min(MOST_ROWS, (most or MOST_ROWS * parameters) // parameters))


def in_parts(connection: Any, rows: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Keys and values for one statement each: not too many for the database, nor too large together."""
    most = rows_at_once(connection, len(rows), 3)
    part: list[tuple[str, str]] = []
    letters = 0
    for row in rows:
        if part and (len(part) == most or letters + len(row[1]) > MOST_LETTERS):
            yield part
            part, letters = [], 0
        part.append(row)
        letters += len(row[1])
    yield part


class Count:
    """How many rows a table has, as far as this process knows. An estimate, so without a lock."""

    def __init__(self) -> None:
        self.rows: int | None = None
        self.since = 0.0
        #: Rows written since they were counted.
        self.written = 0
        self.swept = time.monotonic()
        self.is_to_be_swept = False
        self.complained = float("-inf")
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
        own, verbs = threading.get_ident(), _verbs
        if own in verbs.running:
            return asked()
        # Said before asked: a fork that begins now sees it, or is seen.
        verbs.running[own] = True
        if verbs.forking:
            verbs.held_up(own)
        try:
            return asked()
        finally:
            del verbs.running[own]
            if verbs.forking:
                verbs.ended()

    def asked() -> Any:
        try:
            return work()
        except SynchronousOnlyOperation:
            return beside(work)

    if tracing.current.get() is None:
        return done()
    action = f"{verb}({'' if key is None and verb == 'clear' else tracing.shown(key)})"
    return tracing.told(type(cache).__name__, action, kind, done)


#: The thread that waits for a loop is asked for so long, in seconds.
ANSWERED = 30.0


def beside(work: Callable[[], Any]) -> Any:
    """Do this in a thread that has no loop, and wait for it.

    Where the loop was made by ``async_to_sync``, that is the thread that waits for the loop: its connection
    may be in a transaction, which the verb belongs to. Elsewhere it is one with a connection of its own.
    """
    context = contextvars.copy_context()
    caller = AsyncToSync.loop_thread_executors.get(asyncio.get_running_loop())
    asked: Any = None
    if caller is not None:
        # It may be over, or this very thread.
        with suppress(RuntimeError):
            asked = caller.submit(context.run, work)
    if asked is not None:
        wait([asked], ANSWERED)
        # What has begun comes to its end, within the limits of the database.
        if not asked.cancel():
            return asked.result()
        raise DatabaseError(
            f"hotclub: the thread that waits for this loop was busy for {ANSWERED:g} s: "
            "use the async verb here"
        )

    def run() -> Any:
        try:
            return context.run(work)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="hotclub-database") as thread:
        return thread.submit(run).result()
