"""What hotclub must reach: how many times its time each of Django's classes takes, at least.

Judged twice: median with median, and best with best; both must hold.
"""

from __future__ import annotations

from kit.contestants import TCP, UNIX
from kit.measure import Targets
from kit.verbs import GET, GET_MANY, SET_MANY
from memcached_bench.contestants import DJANGO_PYLIBMC, DJANGO_PYMEMCACHE

_VERBS: dict[str, Targets] = {
    # pylibmc is C around the same two system calls.
    GET: {DJANGO_PYMEMCACHE: 3, DJANGO_PYLIBMC: 1.1},
    GET_MANY: {DJANGO_PYMEMCACHE: 50, DJANGO_PYLIBMC: 10},
    SET_MANY: {DJANGO_PYMEMCACHE: 50, DJANGO_PYLIBMC: 25},
}
#: (verb, transport), with the server on the same core; CPU.
BLOCKING = {
    (verb, transport): targets for verb, targets in _VERBS.items() for transport in (TCP, UNIX)
}
#: (verb, tasks); CPU. Django's verbs are the blocking ones in a thread.
ASYNC: dict[tuple[str, int], Targets] = {
    ("aget", 100): {DJANGO_PYMEMCACHE: 20, DJANGO_PYLIBMC: 20},
}
