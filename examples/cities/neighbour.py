"""A second server process of the site, on the same database and the same cache settings.

Run by ``neighbour()`` with the environment that ``stage.py`` has set up; it serves until its
standard input ends, so that it never outlives the process that started it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

STOP_LIMIT = 10.0  # seconds


class NoNeighbour(Exception):
    """The second process did not start; it has said why itself."""


@contextmanager
def neighbour() -> Iterator[int]:
    """Starts the second process and yields its port."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise NoNeighbour("the second server process did not start")
        yield int(json.loads(line)["port"])
    finally:
        try:
            process.communicate(timeout=STOP_LIMIT)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def main() -> None:
    import django

    from server import SiteServer

    django.setup()
    with closing(SiteServer(0)) as server:
        print(json.dumps({"port": server.port}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C reaches both processes
        main()
