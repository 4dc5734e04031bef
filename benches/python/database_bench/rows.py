"""The verbs on each database. The async ones are the same in a thread, in both classes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from database_bench import targets
from database_bench.contestants import Arena
from database_bench.databases import Database
from kit import verbs
from kit.measure import Effort, Efforts, Entry, Row

VERBS = (
    verbs.GET,
    verbs.GET_DICT,
    verbs.GET_MISS,
    verbs.SET,
    verbs.SET_NEW,
    verbs.ADD,
    verbs.TOUCH,
    verbs.INCR,
    verbs.GET_MANY,
    verbs.SET_MANY,
    verbs.DELETE_MANY,
)
#: A hundred transactions that reach a disk take a second.
EFFORTS = Efforts(Effort(21, 0.02), Effort(5, 0.01))


def all_rows(arena: Arena, databases: Iterable[Database]) -> Iterable[Row]:
    for database in databases:
        for verb in VERBS:
            yield Row(
                f"{verb}; {database.name}",
                partial(_prepare, arena, verb, database.name),
                targets.VERBS.get((verb, database.name), {}),
                wall_targets={},
                placed=database.placed,
                efforts=EFFORTS,
            )


def _prepare(arena: Arena, verb: str, database: str) -> dict[str, Entry]:
    return verbs.entries(verb, arena.open(database))
