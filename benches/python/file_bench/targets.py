"""What hotclub must reach on a disk: how many times its time Django's class takes, at least.

Judged twice: median with median, and best with best; both must hold.
"""

from __future__ import annotations

from file_bench.contestants import DJANGO, HOTCLUB, SOME, at
from kit.measure import Targets
from kit.verbs import GET, SET

#: CPU, with SOME entries. Of a set over an entry that is there most is the file system's own.
VERBS: dict[str, Targets] = {SET: {DJANGO: 10}, GET: {DJANGO: 2}}
#: A set among MANY entries takes at most 1.3 times what it takes among SOME.
FLAT: Targets = {at(HOTCLUB, SOME): round(1 / 1.3, 2)}
