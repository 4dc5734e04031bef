"""The statements that write rows of a table, where the database has an upsert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import OperationalError

from hotclub.django.moments import now_in
from hotclub.django.tables import is_conflict, is_inside, names_in, step

#: So often a statement is tried that the database gives up for the sake of others.
TRIALS = 5
#: What MySQL's answer to `add_row` says where there is a live entry.
LIVE = 2

T = TypeVar("T")


def _stepping(connection: Any, work: Callable[[Any], T]) -> T:
    """Do this with a cursor. Within a transaction that was given up there is nothing to try again."""
    if is_inside(connection):
        with step(connection) as cursor:
            return work(cursor)
    for _ in range(1, TRIALS):
        try:
            with connection.cursor() as cursor:
                return work(cursor)
        except OperationalError as error:
            if not is_conflict(error):
                raise
    with connection.cursor() as cursor:
        return work(cursor)


_upserts: dict[tuple[str, str], str] = {}


def _upsert(connection: Any, name: str, rows: int) -> str:
    table, key, value, expires = names_in(connection, name)
    if connection.vendor == "mysql":
        # The key too: what looks alike to the index takes the other's place, and not only its value.
        there = "ON DUPLICATE KEY UPDATE " + ", ".join(
            f"{column} = VALUES({column})" for column in (value, key, expires)
        )
    else:
        there = (
            f"ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}, "
            f"{expires} = excluded.{expires}"
        )
    marks = ", ".join(["(%s, %s, %s)"] * rows)
    return f"INSERT INTO {table} ({key}, {value}, {expires}) VALUES {marks} {there}"


def put_rows(connection: Any, name: str, rows: Sequence[tuple[str, str]], end: Any) -> None:
    """Write keys and values with this end, whatever was there, in one statement."""
    if len(rows) == 1:
        upsert = _upserts.get((connection.vendor, name))
        if upsert is None:
            upsert = _upserts[connection.vendor, name] = _upsert(connection, name, 1)
    else:
        upsert = _upsert(connection, name, len(rows))
    fields = [field for full, stored in rows for field in (full, stored, end)]
    _stepping(connection, lambda cursor: cursor.execute(upsert, fields))


def add_row(connection: Any, name: str, row: Sequence[Any]) -> bool:
    """Write a key, a value and its end where there is no live entry; whether it was."""
    return _stepping(connection, lambda cursor: _try_add(connection, cursor, name, row))


def _try_add(connection: Any, cursor: Any, name: str, row: Sequence[Any]) -> bool:
    table, key, value, expires = names_in(connection, name)
    insert = f"INSERT INTO {table} ({key}, {value}, {expires}) VALUES (%s, %s, %s) "
    now = now_in(connection)
    if is_inside(connection):
        # An upsert locks a row that it leaves as it is, too, to the end of the transaction.
        cursor.execute(f"SELECT 1 FROM {table} WHERE {key} = %s AND {expires} >= %s", [row[0], now])
        if cursor.fetchone() is not None:
            return False
    if connection.vendor != "mysql":
        cursor.execute(
            f"{insert} ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}, "
            f"{expires} = excluded.{expires} WHERE {table}.{expires} < %s",
            [*row, now],
        )
        return bool(cursor.rowcount > 0)
    # One statement, whose lock is a writer's from the first: one that is raised later makes two who add the
    # same key wait for each other. Columns are set from left to right; the answer's id says what was.
    over = "IF({0} < %s, VALUES({1}), {1})"
    cursor.execute(
        f"{insert} ON DUPLICATE KEY UPDATE {value} = {over.format(expires, value)}, "
        f"{key} = {over.format(expires, key)}, {expires} = IF({expires} < %s, "
        f"IF(LAST_INSERT_ID(1), VALUES({expires}), NULL), IF(LAST_INSERT_ID({LIVE}), {expires}, NULL))",
        [*row, now, now, now],
    )
    return bool(cursor.lastrowid != LIVE)
