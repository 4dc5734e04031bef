"""Python's own SQLite on a file of ours, in processes of its own: two in one break each other's locks."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print([connection.execute(statement).fetchall() for statement in sys.argv[2:]], flush=True)
if sys.stdin.read() == "end":
    connection.close()
"""


def _process(path: Path, *statements: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ASKING, str(path), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(path: Path, *statements: str) -> Any:
    """What each statement gives; then the connection is closed as others close theirs."""
    process = _process(path, *statements)
    answer, _ = process.communicate("end", timeout=20)
    assert process.returncode == 0
    return ast.literal_eval(answer)


@contextmanager
def holding(path: Path, *statements: str) -> Iterator[None]:
    """Meanwhile somebody else is within a transaction."""
    with _process(path, *statements) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("[[]")
        yield
        process.communicate("", timeout=20)


COLLEAGUE = """
import django, sys
from django.conf import settings
settings.configure()
django.setup()
from hotclub.django import SQLiteCache
cache = SQLiteCache(sys.argv[1], {})
for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


@contextmanager
def colleague(path: Path) -> Iterator[Callable[[str], str]]:
    """``ask("cache.get('k')")``: what another process with a cache of ours in this file says."""
    with subprocess.Popen(
        [sys.executable, "-c", COLLEAGUE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(expression: str) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(expression + "\n")
            process.stdin.flush()
            return process.stdout.readline().rstrip("\n")

        yield ask
        process.communicate(timeout=20)
