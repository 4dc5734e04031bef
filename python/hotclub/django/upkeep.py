"""Room in a table: culling as Django does, and sweeping; neither at the expense of a write."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, InterfaceError, transaction
from django.utils.timezone import now as tz_now

from hotclub.django.moments import now_in
from hotclub.django.tables import Count, is_gone, is_inside, names_in, step

#: A count of rows is believed for so long, in seconds.
COUNTED_ANEW = 30.0
#: Where the limit seems to be reached, one in so many entries may be written before rows are counted again:
#: what was written may have been there before.
SHARE = 100
#: So often a write removes rows whose time is over, in seconds, and so many at a time.
SWEPT = 60.0
SWEEP = 100

logger = logging.getLogger("hotclub.database")


def make_room(cache: Any, connection: Any, count: Count) -> DatabaseError | None:
    """Before a write: cull as Django does, but count the rows only when the limit may be reached.

    What goes wrong with that is not the write's fault: it is handed out, for `made_room`. A connection that
    is lost is told at once.
    """
    most = cache._max_entries
    is_due = count.rows is None or time.monotonic() - count.since > COUNTED_ANEW
    if not is_due and not (count.rows > most and count.written > most // SHARE):
        return None
    try:
        _count_and_cull(cache, connection, count)
    except DatabaseError as error:
        if is_gone(connection, error) or not connection.is_usable():
            raise
        return error
    return None


def _count_and_cull(cache: Any, connection: Any, count: Count) -> None:
    table = connection.ops.quote_name(cache._table)
    with step(connection) as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        rows = cursor.fetchone()[0]
        if rows > cache._max_entries:
            cache._cull(connection.alias, cursor, tz_now().replace(microsecond=0), rows)
            # How many are left is found out when it matters.
            count.rows = None
            return
    count.rows, count.since, count.written = rows, time.monotonic(), 0


def cull(cache: Any, connection: Any, cursor: Any, rows: int) -> None:
    """Remove what is over, and of the rest the first in the order of keys, as many as Django does.

    Several may find the limit reached at once. Where the part ends, and whether there is still too much, is
    asked in one statement: whoever comes second finds the same end, or nothing to do.
    """
    table, key, _, expires = names_in(connection, cache._table)
    cursor.execute(f"DELETE FROM {table} WHERE {expires} < %s", [now_in(connection)])
    left = rows - max(0, cursor.rowcount)
    if left <= cache._max_entries:
        return
    end = connection.ops.cache_key_culling_sql() % table
    cursor.execute(
        f"SELECT (SELECT COUNT(*) FROM {table}), ({end})", [left // cache._cull_frequency]
    )
    left, first_kept = cursor.fetchone()
    if left > cache._max_entries and first_kept is not None:
        cursor.execute(f"DELETE FROM {table} WHERE {key} < %s", [first_kept])


def made_room(
    cache: Any, connection: Any, count: Count, rows: int, error: DatabaseError | None
) -> None:
    """After a write of so many rows. Those that were there count too: an estimate that is corrected."""
    now = time.monotonic()
    if count.rows is not None:
        count.rows += rows
        count.written += rows
    if error is not None and now - count.complained > SWEPT:
        count.complained = now
        logger.warning("the table %s was not culled: %s", cache._table, error)
    if now - count.swept <= SWEPT:
        return
    count.swept = now
    # Within a transaction its rows would be locked to the end of it.
    if is_inside(connection):
        count.is_to_be_swept = True
    else:
        sweep(cache._table, connection)


def sweep(name: str, connection: Any) -> None:
    """Remove some rows whose time is over, and that nobody has locked: outside of transactions."""
    table, key, _, expires = names_in(connection, name)
    long_over = now_in(connection, ago=1)
    some = f"SELECT {key} FROM {table} WHERE {expires} < %s LIMIT {SWEEP}"
    passing = " FOR UPDATE SKIP LOCKED"
    # The deadline once more: who waits for a row finds it written anew.
    still = f"DELETE FROM {table} WHERE {expires} < %s AND {key} IN "
    try:
        if connection.vendor == "sqlite":
            passing = ""
        if connection.vendor != "mysql":
            with connection.cursor() as cursor:
                cursor.execute(f"{still}({some}{passing})", [long_over, long_over])
        elif connection.features.has_select_for_update_skip_locked:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(some + passing, [long_over])
                keys = [row[0] for row in cursor.fetchall()]
                if keys:
                    marks = ", ".join(["%s"] * len(keys))
                    cursor.execute(f"{still}({marks})", [long_over, *keys])
    except (DatabaseError, InterfaceError) as error:
        # The next one will do it.
        logger.debug("the table %s was not swept: %s", name, error)


def sweep_later(name: str, connection: Any, count: Count) -> None:
    """At the end of a request whose writes were all in a transaction."""
    was_open = connection.connection is not None
    try:
        if is_inside(connection):
            return
        count.is_to_be_swept = False
        sweep(name, connection)
    except SynchronousOnlyOperation:
        # In the thread of a loop, which is not held up for this.
        count.is_to_be_swept = True
    finally:
        if not was_open and connection.connection is not None:
            connection.close()
