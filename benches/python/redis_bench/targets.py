"""What hotclub must reach: how many times its time each peer takes, at least.

Judged twice: median with median, and best with best; both must hold. Bytes are Django's: simple values
are pickled. A peer without a number here is shown and not judged.
"""

from __future__ import annotations

from kit.contestants import TCP, UNIX
from kit.measure import Targets
from kit.verbs import GET, GET_DICT, GET_MANY, SET, SET_MANY
from redis_bench.contestants import (
    DELAYED,
    DJANGO,
    DJANGO_REDIS,
    VALKEY,
    VALKEY_ASYNC,
    VCACHE,
)

_SMALL: Targets = {DJANGO: 10, DJANGO_REDIS: 4, VALKEY: 2.5, VCACHE: 2}
_MANY: Targets = {DJANGO: 20, DJANGO_REDIS: 12, VALKEY: 20, VCACHE: 5}

#: (verb, transport), with the server on the same core; CPU. With one on another core the two system calls of
#: a get wake that core and then this one, which alone takes what all of hotclub's call may: not judged.
BLOCKING: dict[tuple[str, str], Targets] = {
    (GET, TCP): _SMALL,
    (GET, UNIX): _SMALL,
    (SET, TCP): _SMALL,
    (SET, UNIX): _SMALL,
    # Was measured over TCP only.
    (GET_DICT, TCP): {DJANGO: 8, DJANGO_REDIS: 3, VALKEY: 2.5, VCACHE: 2},
    (GET_MANY, TCP): _MANY,
    (GET_MANY, UNIX): _MANY,
    # The others' numbers are for hotclub's own codec, not for Django's format.
    (SET_MANY, TCP): {DJANGO: 15},
    (SET_MANY, UNIX): {DJANGO: 15},
}
_ASYNC_CPU: Targets = {DJANGO: 100, VALKEY_ASYNC: 12, VCACHE: 4}
#: (tasks, transport); CPU.
ASYNC_CPU: dict[tuple[int, str], Targets] = {
    (100, TCP): _ASYNC_CPU,
    (300, TCP): _ASYNC_CPU,
    (100, DELAYED): _ASYNC_CPU,
    (300, DELAYED): _ASYNC_CPU,
}

_ASYNC_WALL: Targets = {DJANGO: 60, VALKEY_ASYNC: 8, VCACHE: 2}
#: Questions answered in a second of wall time; with the delay, waiting is what is measured.
ASYNC_WALL: dict[tuple[int, str], Targets] = {(100, TCP): _ASYNC_WALL, (300, TCP): _ASYNC_WALL}
