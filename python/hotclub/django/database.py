"""A database table in place of Django's: on Django's own connection, with fewer statements.

SQL runs here and not in Rust: routers, transactions, ``TestCase`` and ``createcachetable`` work as ever.
"""

from __future__ import annotations

import binascii
import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache as DjangosDatabaseCache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, router

from hotclub import tracing
from hotclub.django.moments import end_at, now_in
from hotclub.django.options import database_options
from hotclub.django.shared import Shared, in_a_thread
from hotclub.django.statements import add_row, put_rows
from hotclub.django.tables import (
    Count,
    count_of,
    in_parts,
    is_conflict,
    is_gone,
    is_inside,
    names_in,
    own,
    read_of_one,
    rows_at_once,
    step,
    told,
)
from hotclub.django.upkeep import cull, made_room, make_room, sweep_later
from hotclub.errors import CacheDecodeError

#: Backends whose upsert is known; on others Django's own statements are used.
UPSERTS = ("sqlite", "postgresql", "mysql")
#: Somebody who writes the same key again and again is not waited for longer.
TRIALS = 100


class DatabaseCache(Shared, DjangosDatabaseCache, house=True):
    """A table, in place of ``django.core.cache.backends.db.DatabaseCache``, side by side with it.

    ``LOCATION`` is the table, made by ``createcachetable``. OPTIONS: ``MAX_ENTRIES`` (300) and
    ``CULL_FREQUENCY`` (3) as Django has them; ``PRECISION``: deadlines in whole ``"seconds"``, or
    ``"milliseconds"``.
    """

    _replaces = DjangosDatabaseCache
    _made_of: ClassVar[dict[str, tuple[str, ...]]] = {
        "get_many": ("get",),
        "get": ("incr",),
        "set": ("set_many", "incr"),
    }

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
        """The deadline of a timeout, as the column has it."""
        return end_at(connection, self.get_backend_timeout(timeout), self._precision)

    def _dumps(self, value: Any) -> str:
        pickled = pickle.dumps(value, self.pickle_protocol)
        return binascii.b2a_base64(pickled, newline=False).decode("ascii")

    def _loads(self, connection: Any, stored: Any) -> Any:
        text = connection.ops.process_clob(stored)
        try:
            return pickle.loads(binascii.a2b_base64(text, strict_mode=True))
        except pickle.UnpicklingError as error:
            raise CacheDecodeError(
                f"database: get failed ({self._table}): undecodable entry: {error}: "
                "Rust services write for Django with codec=django"
            ) from error

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
        with connection.cursor() as cursor:
            cursor.execute(read_of_one(connection, self._table), [now_in(connection), full])
            row = cursor.fetchone()
        count = self._count(connection)
        # Databases that compare as languages do find other keys too.
        if row is None or row[1] or row[2] != full:
            count.misses += 1
            if row is not None and row[1]:
                self._remove([full], over=True)
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
        now = now_in(connection)
        found: dict[Any, Any] = {}
        over: list[str] = []
        full = list(by_full)
        at_once = rows_at_once(connection, len(full), 1)
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
                    elif full_key in by_full:
                        found[by_full[full_key]] = self._loads(connection, stored)
        self._remove(over, over=True)
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
                    f"SELECT {name} FROM {table} WHERE {name} = %s AND {expires} >= %s",
                    [full, now_in(connection)],
                )
                return bool(cursor.fetchone() == (full,))

        there: bool = told(self, "has_key", key, "output", verb)
        return there

    # --- writing

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        """Store a value, in one statement."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> str:
            if self._put({full: value}, timeout):
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
            failed = self._put({full: value for full, (_, value) in items.items()}, timeout)
            return [items[full][0] for full in failed]

        failed: list[Any] = told(self, "set_many", data, "stored_many", verb)
        return failed

    def _put(self, values: Mapping[str, Any], timeout: Any) -> list[str]:
        """Write values by their full keys; those that could not be written."""
        if not values:
            return []
        connection = self._writing()
        if connection.vendor not in UPSERTS:
            put = super()._base_set
            return [full for full in values if not put("set", full, values[full], timeout)]
        # In one order for all who write, or two of them could wait for each other's rows.
        rows = sorted((full, self._dumps(value)) for full, value in values.items())
        end, count = self._end(connection, timeout), self._count(connection)
        error = make_room(self, connection, count)
        failed: list[str] = []
        parts = iter([rows]) if len(rows) == 1 else in_parts(connection, rows)
        for part in parts:
            trouble = self._put_rows(connection, part, end)
            if isinstance(trouble, (DataError, IntegrityError)):
                # Of one of them; the others are written as Django does it, alone.
                alone = part if len(part) > 1 else []
                failed += [row[0] for row in alone if self._put_rows(connection, [row], end)]
                failed += [] if alone else [part[0][0]]
            elif trouble is not None:
                failed += [row[0] for rest in (part, *parts) for row in rest]
        made_room(self, connection, count, len(rows) - len(failed), error)
        return failed

    def _put_rows(
        self, connection: Any, rows: Sequence[tuple[str, str]], end: Any
    ) -> DatabaseError | None:
        try:
            put_rows(connection, self._table, rows, end)
        except DatabaseError as error:
            return self._forgiven(connection, error)
        return None

    def _forgiven(self, connection: Any, error: DatabaseError) -> DatabaseError:
        """As Django: a write may fail silently, but not for want of a table, a server or a transaction."""
        if is_gone(connection, error):
            raise error
        if "ON CONFLICT" in str(error) and "constraint" in str(error):
            raise DatabaseError(
                f"hotclub: {type(self).__name__}: {self._table!r} needs cache_key as its primary key, "
                f"as createcachetable makes it: {error}"
            ) from error
        table = names_in(connection, self._table)[0]
        try:
            with step(connection) as cursor:
                cursor.execute(f"SELECT 1 FROM {table} WHERE 1 = 0")
        except Exception:
            # What came of asking says less.
            raise error from error.__cause__
        return error

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
        count = self._count(connection)
        trouble = make_room(self, connection, count)
        try:
            added = add_row(connection, self._table, row)
        except DatabaseError as error:
            self._forgiven(connection, error)
            added = False
        made_room(self, connection, count, int(added), trouble)
        return added

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Give a live entry a new deadline; whether there was one. What is over stays so."""
        full = self.make_and_validate_key(key, version=version)

        def verb() -> bool:
            connection = self._writing()
            table, name, _, expires = names_in(connection, self._table)
            end = self._end(connection, timeout)
            # MySQL's collations take keys for each other.
            of_key = f"CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(%s AS BINARY)"
            same = f" AND {of_key}" if connection.vendor == "mysql" else ""
            try:
                with step(connection) as cursor:
                    cursor.execute(
                        f"UPDATE {table} SET {expires} = %s WHERE {name} = %s AND {expires} >= %s{same}",
                        [end, full, now_in(connection), *([full] if same else [])],
                    )
                    return bool(cursor.rowcount > 0)
            except DatabaseError as error:
                self._forgiven(connection, error)
                return False

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
        inside = is_inside(connection)
        for _ in range(TRIALS):
            # Where rows can be locked, the first trial holds, unless transactions may see nothing new.
            try:
                with step(connection, atomic=locks) as cursor:
                    done, total = self._try_incr(connection, cursor, full, key, delta, locks)
            except OperationalError as error:
                if inside or not is_conflict(error):
                    raise
                continue
            if done:
                return total
        raise DatabaseError(
            f"hotclub: {type(self).__name__} ({self._table}): incr of {key!r}: "
            f"others changed it {TRIALS} times meanwhile"
        )

    def _try_incr(
        self, connection: Any, cursor: Any, full: str, key: Any, delta: Any, locks: bool
    ) -> tuple[bool, Any]:
        table, name, value, _ = names_in(connection, self._table)
        read = read_of_one(connection, self._table) + (" FOR UPDATE" if locks else "")
        cursor.execute(read, [now_in(connection), full])
        row = cursor.fetchone()
        if row is None or row[1] or row[2] != full:
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

    def _remove(self, full: Sequence[str], over: bool = False) -> int:
        """Remove rows; of what was found ``over`` only what still is: others may have written it anew."""
        if not full:
            return 0
        connection = self._writing()
        table, key, _, expires = names_in(connection, self._table)
        only = f" AND {expires} < %s" if over else ""
        now = [now_in(connection)] if over else []
        at_once = rows_at_once(connection, len(full), 1)
        removed = 0
        with connection.cursor() as cursor:
            for start in range(0, len(full), at_once):
                part = list(full[start : start + at_once])
                marks = ", ".join(["%s"] * len(part))
                cursor.execute(
                    f"DELETE FROM {table} WHERE {key} IN ({marks}){only}",
                    [*part, *now],
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

    def _cull(self, db: Any, cursor: Any, now: Any, num: int) -> None:
        """As Django removes rows when there are too many; see `hotclub.django.upkeep`."""
        connection = own(db)
        if self._cull_frequency == 0 or connection.vendor not in UPSERTS:
            super()._cull(db, cursor, now, num)
        else:
            cull(self, connection, cursor, num)

    def close(self, **keywords: Any) -> None:
        """Keep everything, but sweep where all writes of a request were in a transaction."""
        count = count_of(router.db_for_write(self.cache_model_class), self._table)
        if count.is_to_be_swept:
            sweep_later(self._table, self._writing(), count)

    # --- what is seen

    def stats(self) -> dict[str, int]:
        """Hits and misses of this process, and how many rows it believes there are."""
        count, rows = self._count(self._reading()), self._count(self._writing()).rows
        return {"hits": count.hits, "misses": count.misses, "entries": rows or 0}

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
    aclose = in_a_thread("close")
