"""A database table in place of Django's: on Django's own connection, with fewer statements.

SQL runs here and not in Rust: routers, transactions, ``TestCase`` and ``createcachetable`` work as ever.
"""

from __future__ import annotations

import binascii
import pickle
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache as DjangosDatabaseCache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, router, transaction

from hotclub import tracing
from hotclub.django.options import database_options
from hotclub.django.shared import Shared, in_a_thread
from hotclub.django.tables import Count, count_of, names_in, own, told

#: Backends whose upsert is known; on others Django's own statements are used.
UPSERTS = ("sqlite", "postgresql", "mysql")
#: A count of rows is believed for so long, in seconds.
COUNTED_ANEW = 30.0
#: So often a write removes rows whose time is over, in seconds, and so many at a time.
SWEPT = 60.0
SWEEP = 100
#: Rows of one statement, for databases that say nothing of their limit.
MOST_ROWS = 300
#: Every database takes so many parameters.
FEW_PARAMETERS = 300
#: A deadline that is later, in seconds since 1970, is none: the year 9999 is over in some place of the world.
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
#: Somebody who writes the same key again and again is not waited for longer.
TRIALS = 100


class DatabaseCache(Shared, DjangosDatabaseCache, house=True):
    """A table, in place of ``django.core.cache.backends.db.DatabaseCache``, side by side with it.

    ``LOCATION`` is the table, made by ``createcachetable``. OPTIONS: ``MAX_ENTRIES`` (300) and
    ``CULL_FREQUENCY`` (3) as Django has them; ``PRECISION``: deadlines in whole ``"seconds"``, or
    ``"milliseconds"``.
    """

    def __init__(self, table: str, params: dict[str, Any]) -> None:
        if not table:
            raise ImproperlyConfigured(
                "hotclub: DatabaseCache needs a LOCATION, the name of its table"
            )
        super().__init__(table, params)
        self._precision = database_options(params)

    def _share(self, other: DatabaseCache) -> None:
        """Nothing: what copies share is the table."""

    # --- words of the tables

    def _reading(self) -> Any:
        return own(router.db_for_read(self.cache_model_class))

    def _writing(self) -> Any:
        return own(router.db_for_write(self.cache_model_class))

    def _end(self, connection: Any, timeout: Any) -> Any:
        """The deadline of a timeout, as the column has it. What is beyond all dates is never, or over."""
        end = self.get_backend_timeout(timeout)
        # Not "end > LAST": that is False of what is no number.
        if end is None or not end < LAST:
            moment = datetime.max
        else:
            moment = datetime.fromtimestamp(max(end, 0), tz=UTC if settings.USE_TZ else None)
        if self._precision == "seconds" or moment == datetime.max:
            moment = moment.replace(microsecond=0)
        return connection.ops.adapt_datetimefield_value(moment)

    def _now(self, connection: Any, ago: float = 0) -> Any:
        """This moment, or an earlier one, as the column has deadlines, and by their clock."""
        now = datetime.fromtimestamp(time.time() - ago, tz=UTC if settings.USE_TZ else None)
        return connection.ops.adapt_datetimefield_value(now)

    def _dumps(self, value: Any) -> str:
        pickled = pickle.dumps(value, self.pickle_protocol)
        return binascii.b2a_base64(pickled, newline=False).decode("ascii")

    def _loads(self, connection: Any, stored: Any) -> Any:
        text = connection.ops.process_clob(stored)
        return pickle.loads(binascii.a2b_base64(text, strict_mode=True))

    def _rows_at_once(self, connection: Any, rows: int, parameters: int) -> int:
        if rows * parameters < FEW_PARAMETERS:
            return rows
        most = connection.features.max_query_params
        return max(1, min(MOST_ROWS, (most or MOST_ROWS * parameters) // parameters))

    @contextmanager
    def _step(self, connection: Any, atomic: bool = False) -> Iterator[Any]:
        """A cursor whose failure leaves the caller's transaction usable; with one of its own if asked."""
        inside = atomic or connection.in_atomic_block
        step: Any = transaction.atomic(using=connection.alias) if inside else nullcontext()
        with step, connection.cursor() as cursor:
            yield cursor

    def _count(self, connection: Any) -> Count:
        return count_of(connection.alias, self._table)

    # --- reading

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """Read a value, or ``default``."""
        full = self.make_and_validate_key(key, version=version)
        found = told(self, "get", key, "found", lambda: self._read_one(full))
        return default if found is None else found[0]

    def _read_one(self, full: str) -> tuple[Any] | None:
        """The value as the only one of a tuple."""
        connection = self._reading()
        table, name, value, expires = names_in(connection, self._table)
        now = self._now(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {value}, CASE WHEN {expires} < %s THEN 1 ELSE 0 END "
                f"FROM {table} WHERE {name} = %s",
                [now, full],
            )
            row = cursor.fetchone()
        count = self._count(connection)
        if row is None or row[1]:
            count.misses += 1
            if row is not None:
                # Only if it still is: somebody may have written it anew meanwhile.
                self._remove([full], over_at=now)
            return None
        count.hits += 1
        return (self._loads(connection, row[0]),)

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        """Read many values in one statement: those that are there, by the caller's keys."""
        typed = list(keys or ())
        found: dict[Any, Any] = told(
            self, "get_many", typed, "got", lambda: self._read(typed, version)
        )
        return found

    def _read(self, typed: Sequence[Any], version: Any) -> dict[Any, Any]:
        by_full = {self.make_and_validate_key(key, version=version): key for key in typed}
        if not by_full:
            return {}
        connection = self._reading()
        table, key, value, expires = names_in(connection, self._table)
        now = self._now(connection)
        found: dict[Any, Any] = {}
        over: list[str] = []
        full = list(by_full)
        at_once = self._rows_at_once(connection, len(full), 1)
        with connection.cursor() as cursor:
            for start in range(0, len(full), at_once):
                part = full[start : start + at_once]
                marks = ", ".join(["%s"] * len(part))
                # The database compares: nothing needs to be converted here.
                cursor.execute(
                    f"SELECT {key}, {value}, CASE WHEN {expires} < %s THEN 1 ELSE 0 END "
                    f"FROM {table} WHERE {key} IN ({marks})",
                    [now, *part],
                )
                for full_key, stored, is_over in cursor.fetchall():
                    if is_over:
                        over.append(full_key)
                    else:
                        found[by_full.get(full_key, full_key)] = self._loads(connection, stored)
        if over:
            # Only if it still is: somebody may have written it anew meanwhile.
            self._remove(over, over_at=now)
        count = self._count(connection)
        count.hits += len(found)
        count.misses += len(by_full) - len(found)
        return found

    def has_key(self, key: Any, version: Any = None) -> bool:
        """Whether there is a live entry."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> bool:
            connection = self._reading()
            table, name, _, expires = names_in(connection, self._table)
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT 1 FROM {table} WHERE {name} = %s AND {expires} >= %s",
                    [full, self._now(connection)],
                )
                return cursor.fetchone() is not None

        there: bool = told(self, "has_key", key, "output", verb)
        return there

    # --- writing

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        """Store a value, in one statement."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> str:
            if not self._put({full: value}, timeout):
                return "not stored"
            return tracing.stored(self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout)

        told(self, "set", key, "words", verb)

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        """Store many values, some hundred in one statement; the keys that could not be stored."""
        items = {
            self.make_and_validate_key(key, version=version): (key, value)
            for key, value in data.items()
        }

        def verb() -> list[Any]:
            stored = self._put({full: value for full, (_, value) in items.items()}, timeout)
            return [] if stored else [key for key, _ in items.values()]

        failed: list[Any] = told(self, "set_many", data, "stored_many", verb)
        return failed

    def _put(self, values: Mapping[str, Any], timeout: Any) -> bool:
        if not values:
            return True
        connection = self._writing()
        # In one order for all who write, or two of them could wait for each other's rows.
        rows = sorted((full, self._dumps(value)) for full, value in values.items())
        end = self._end(connection, timeout)
        if connection.vendor not in UPSERTS:
            return all(
                super(DatabaseCache, self)._base_set("set", full, value, timeout)
                for full, value in values.items()
            )
        table, key, value, expires = names_in(connection, self._table)
        if connection.vendor == "mysql":
            there = (
                f"ON DUPLICATE KEY UPDATE {value} = VALUES({value}), {expires} = VALUES({expires})"
            )
        else:
            there = (
                f"ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}, "
                f"{expires} = excluded.{expires}"
            )
        at_once = self._rows_at_once(connection, len(rows), 3)
        try:
            self._make_room(connection, len(rows))
            with self._step(connection) as cursor:
                for start in range(0, len(rows), at_once):
                    part = rows[start : start + at_once]
                    marks = ", ".join(["(%s, %s, %s)"] * len(part))
                    cursor.execute(
                        f"INSERT INTO {table} ({key}, {value}, {expires}) VALUES {marks} {there}",
                        [field for full, stored in part for field in (full, stored, end)],
                    )
        except DatabaseError:
            return self._failed(connection)
        return True

    def _failed(self, connection: Any) -> bool:
        """As Django: a write may fail silently, but not for want of a table."""
        if self._table not in connection.introspection.table_names():
            raise
        return False

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        """Store a value if there is no live one; whether it was. One statement, and one step."""
        full = self.make_and_validate_key(key, version=version)
        added: bool = told(self, "add", key, "written", lambda: self._add(full, value, timeout))
        return added

    def _add(self, full: str, value: Any, timeout: Any) -> bool:
        connection = self._writing()
        if connection.vendor not in UPSERTS:
            return bool(super()._base_set("add", full, value, timeout))
        row = [full, self._dumps(value), self._end(connection, timeout)]
        table, key, stored, expires = names_in(connection, self._table)
        now = self._now(connection)
        insert = f"INTO {table} ({key}, {stored}, {expires}) VALUES (%s, %s, %s)"
        try:
            self._make_room(connection, 1)
            if connection.vendor == "mysql":
                # Not INSERT IGNORE, which would cut a key that is too long.
                with suppress(IntegrityError), self._step(connection) as cursor:
                    cursor.execute(f"INSERT {insert}", row)
                    return True
            with self._step(connection) as cursor:
                if connection.vendor == "mysql":
                    cursor.execute(
                        f"UPDATE {table} SET {stored} = %s, {expires} = %s "
                        f"WHERE {key} = %s AND {expires} < %s",
                        [row[1], row[2], full, now],
                    )
                else:
                    cursor.execute(
                        f"INSERT {insert} ON CONFLICT ({key}) DO UPDATE SET "
                        f"{stored} = excluded.{stored}, {expires} = excluded.{expires} "
                        f"WHERE {table}.{expires} < %s",
                        [*row, now],
                    )
                return bool(cursor.rowcount > 0)
        except DatabaseError:
            return self._failed(connection)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Give a live entry a new deadline; whether there was one. What is over stays so."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> bool:
            connection = self._writing()
            table, name, _, expires = names_in(connection, self._table)
            end, now = self._end(connection, timeout), self._now(connection)
            with self._step(connection) as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {expires} = %s WHERE {name} = %s AND {expires} >= %s",
                    [end, full, now],
                )
                return bool(cursor.rowcount > 0)

        touched: bool = told(self, "touch", key, "output", verb)
        return touched

    def incr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """Add ``delta`` and return the sum; ValueError if there is none. One step; keeps the deadline."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> Any:
            if self._writing().vendor not in UPSERTS:
                return super(DatabaseCache, self).incr(key, delta, version=version)
            return self._incr(full, key, delta)

        return told(self, "incr", key, "output", verb)

    def decr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """Subtract ``delta``; see ``incr``."""
        return self.incr(key, -delta, version=version)

    def _incr(self, full: str, key: Any, delta: Any) -> Any:
        connection = self._writing()
        locks = connection.features.has_select_for_update
        for _ in range(TRIALS):
            # Where rows can be locked, the first trial holds.
            with self._step(connection, atomic=locks) as cursor:
                done, total = self._try_incr(connection, cursor, full, key, delta, locks)
            if done:
                return total
        raise DatabaseError(f"hotclub: incr of {key!r}: others changed it {TRIALS} times meanwhile")

    def _try_incr(
        self, connection: Any, cursor: Any, full: str, key: Any, delta: Any, locks: bool
    ) -> tuple[bool, Any]:
        table, name, value, expires = names_in(connection, self._table)
        cursor.execute(
            f"SELECT {value}, CASE WHEN {expires} < %s THEN 1 ELSE 0 END FROM {table} "
            f"WHERE {name} = %s" + (" FOR UPDATE" if locks else ""),
            [self._now(connection), full],
        )
        row = cursor.fetchone()
        if row is None or row[1]:
            raise ValueError("Key '%s' not found" % key)  # noqa: UP031  as Django, for a tuple too
        stored = connection.ops.process_clob(row[0])
        total = self._loads(connection, stored) + delta
        # MySQL's collations take letters of base64 for each other.
        same = f"BINARY {value} = %s" if connection.vendor == "mysql" else f"{value} = %s"
        cursor.execute(
            f"UPDATE {table} SET {value} = %s WHERE {name} = %s AND {same}",
            [self._dumps(total), full, stored],
        )
        # An equal value: nothing was to be changed.
        return cursor.rowcount > 0 or self._dumps(total) == stored, total

    # --- removing

    def delete(self, key: Any, version: Any = None) -> bool:
        """Remove an entry; whether there was a row."""
        was: bool = told(
            self, "delete", key, "deleted", lambda: super(DatabaseCache, self).delete(key, version)
        )
        return was

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        """Remove many entries in one statement."""
        typed = list(keys)

        def verb() -> int:
            full = [self.make_and_validate_key(key, version=version) for key in typed]
            return self._remove(full)

        told(self, "delete_many", typed, "deleted_many", verb)

    def _base_delete_many(self, keys: Sequence[str]) -> bool:
        return self._remove(keys) > 0

    def _remove(self, full: Sequence[str], over_at: Any = None) -> int:
        if not full:
            return 0
        connection = self._writing()
        table, key, _, expires = names_in(connection, self._table)
        only = "" if over_at is None else f" AND {expires} < %s"
        at_once = self._rows_at_once(connection, len(full), 1)
        removed = 0
        with connection.cursor() as cursor:
            for start in range(0, len(full), at_once):
                part = list(full[start : start + at_once])
                marks = ", ".join(["%s"] * len(part))
                cursor.execute(
                    f"DELETE FROM {table} WHERE {key} IN ({marks}){only}",
                    part if over_at is None else [*part, over_at],
                )
                removed += max(0, cursor.rowcount)
        count = self._count(connection)
        if count.rows is not None:
            count.rows = max(0, count.rows - removed)
        return removed

    def clear(self) -> None:
        """Remove every row of the table, whatever its prefix."""

        def verb() -> None:
            count = self._count(self._writing())
            super(DatabaseCache, self).clear()
            count.rows = None

        told(self, "clear", None, "cleared", verb)

    # --- room

    def _make_room(self, connection: Any, rows: int) -> None:
        """Cull as Django does, but count the rows only when the limit may be reached."""
        count, now = self._count(connection), time.monotonic()
        if count.rows is None or now - count.since > COUNTED_ANEW or count.rows > self._max_entries:
            self._recount(connection, count)
        if count.rows is not None:
            # Rows that are there already count too: an estimate that is too high is counted anew.
            count.rows += rows
        if now - count.swept > SWEPT:
            count.swept = now
            self._sweep(connection)

    def _recount(self, connection: Any, count: Count) -> None:
        table = connection.ops.quote_name(self._table)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            rows = cursor.fetchone()[0]
            if rows > self._max_entries:
                now = datetime.now(tz=UTC if settings.USE_TZ else None).replace(microsecond=0)
                self._cull(connection.alias, cursor, now, rows)
                # How many are left is found out when it matters.
                count.rows = None
                return
        count.rows, count.since = rows, time.monotonic()

    def _sweep(self, connection: Any) -> None:
        """Remove some rows whose time is over."""
        table, key, _, expires = names_in(connection, self._table)
        long_over = self._now(connection, ago=1)
        some = f"SELECT {key} FROM {table} WHERE {expires} < %s LIMIT {SWEEP}"
        with self._step(connection) as cursor:
            if connection.vendor == "mysql":
                cursor.execute(
                    f"DELETE FROM {table} WHERE {expires} < %s LIMIT {SWEEP}", [long_over]
                )
            elif connection.vendor in UPSERTS:
                cursor.execute(f"DELETE FROM {table} WHERE {key} IN ({some})", [long_over])

    # --- what is seen

    def stats(self) -> dict[str, int]:
        """Hits and misses of this process, and how many rows it believes there are."""
        count = self._count(self._reading())
        return {"hits": count.hits, "misses": count.misses, "entries": count.rows or 0}

    # The connection belongs to the thread that made it: Django's own, where it has one.
    aget = in_a_thread("get")
    aset = in_a_thread("set")
    aadd = in_a_thread("add")
    atouch = in_a_thread("touch")
    adelete = in_a_thread("delete")
    aget_many = in_a_thread("get_many")
    aset_many = in_a_thread("set_many")
    adelete_many = in_a_thread("delete_many")
    ahas_key = in_a_thread("has_key")
    aincr = in_a_thread("incr")
    adecr = in_a_thread("decr")
    aincr_version = in_a_thread("incr_version")
    adecr_version = in_a_thread("decr_version")
    aclear = in_a_thread("clear")
