"""What hotclub must reach on SQLite: how many times its time Django's class takes, at least.

Judged twice: median with median, and best with best; both must hold.
"""

from __future__ import annotations

from database_bench.contestants import DJANGO
from database_bench.databases import JOURNAL, WAL
from kit.measure import Targets
from kit.verbs import GET, SET, SET_MANY

_READS: Targets = {DJANGO: 1.3}
#: (verb, database); CPU.
VERBS: dict[tuple[str, str], Targets] = {
    (GET, JOURNAL): _READS,
    (GET, WAL): _READS,
    # Flushing the journal to the disk takes most of a set there, whoever asks for it: not judged.
    (SET, WAL): {DJANGO: 2},
    (SET_MANY, JOURNAL): {DJANGO: 10},
    (SET_MANY, WAL): {DJANGO: 10},
}
