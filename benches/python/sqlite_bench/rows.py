"""The verbs where nobody is evicted, then where the use of an entry counts; sets in haste; async verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from kit import tasks, verbs
from kit.measure import LONG, Entry, Row, Targets
from kit.tasks import Crowd
from sqlite_bench import targets
from sqlite_bench.contestants import DISKCACHE, EQUAL, HASTY, HOTCLUB, Arena, Policy

VERBS = (*verbs.COMMON, verbs.SET_NEW)
#: Tasks: questions that each of them asks in a unit of work.
QUESTIONS = {1: 200, 100: 20}


#: What a row's name says behind the verb: its verbs, who takes part, who would be evicted, what is judged.
_Kind = tuple[Iterable[str], tuple[str, ...], Policy, dict[str, Targets]]
KINDS: dict[str, _Kind] = {
    "no eviction": (VERBS, EQUAL, Policy.NONE, targets.VERBS),
    "oldest out first": ([verbs.SET], HASTY, Policy.AGE, targets.HASTY),
    "least recently used out first": ([verbs.GET, verbs.SET], EQUAL, Policy.USE, {}),
}


def all_rows(arena: Arena) -> Iterable[Row]:
    for kind, (asked, names, policy, judged) in KINDS.items():
        for verb in asked:
            prepare = partial(_prepare, arena, verb, names, policy)
            yield Row(f"{verb}; {kind}", prepare, judged.get(verb, {}), wall_targets={})
    loop = asyncio.new_event_loop()
    for many, questions in QUESTIONS.items():
        yield Row(
            tasks.named("aget", many, "no eviction"),
            partial(_prepare_async, arena, Crowd(loop, many, questions)),
            wall_targets={},
            efforts=LONG,
        )


def _prepare(arena: Arena, verb: str, names: Iterable[str], policy: Policy) -> dict[str, Entry]:
    return verbs.entries(verb, arena.open(names, policy))


def _prepare_async(arena: Arena, crowd: Crowd) -> dict[str, Entry]:
    both = arena.open((HOTCLUB, DISKCACHE), Policy.NONE)
    return {one.name: tasks.aget(one, crowd) for one in both}
