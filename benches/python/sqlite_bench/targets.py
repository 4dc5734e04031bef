"""What hotclub must reach: how many times its time diskcache's DjangoCache takes, at least.

Judged twice: median with median, and best with best; both must hold.
"""

from __future__ import annotations

from kit.measure import Targets
from kit.verbs import GET, SET
from sqlite_bench.contestants import DISKCACHE, DISKCACHE_NORMAL

#: CPU, with the same durability and nobody evicted.
VERBS: dict[str, Targets] = {GET: {DISKCACHE: 1.3}, SET: {DISKCACHE: 1.5}}
#: hotclub's waits for nothing, diskcache's by default for the disk when the log is written back.
HASTY: dict[str, Targets] = {SET: {DISKCACHE_NORMAL: 3}}
