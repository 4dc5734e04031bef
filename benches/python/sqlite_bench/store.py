"""What hotclub's file has, looked at by SQLite in a process of its own.

Two copies of SQLite in one process break each other's locks: Python's would do so to hotclub's. As a
program this file answers statements: a line of JSON each, and a line of rows in return.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class File:
    """The entries of one file; nothing that this does is timed."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, __file__, str(path)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            # As a stranger: the file's totals are hotclub's own matter.
            self._run("DELETE FROM entry WHERE key = ?", _full(key))

    def stored(self, key: str) -> bytes | None:
        rows = self._run("SELECT hex(value) FROM entry WHERE key = ?", _full(key))
        return bytes.fromhex(rows[0][0]) if rows else None

    def seconds_left(self, key: str) -> float:
        [(deadline,)] = self._run("SELECT deadline FROM entry WHERE key = ?", _full(key))
        return deadline / 1000 - time.time()

    @contextmanager
    def hidden(self, key: str) -> Iterator[None]:
        rename = "UPDATE entry SET key = ? WHERE key = ?"
        self._run(rename, "away", _full(key))
        yield
        self._run(rename, _full(key), "away")

    def _run(self, statement: str, *parameters: str) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([statement, parameters]), file=self._process.stdin, flush=True)
        return list(json.loads(self._process.stdout.readline()))


def _full(key: str) -> str:
    return f":1:{key}"


def answer(path: str) -> None:
    """Until the input ends."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    for line in sys.stdin:
        print(json.dumps(connection.execute(*json.loads(line)).fetchall()), flush=True)


if __name__ == "__main__":
    answer(sys.argv[1])
