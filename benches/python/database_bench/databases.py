"""SQLite in a file, and the servers that the tests start too, on loopback."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import places
from kit.programs import Placement, placed

#: Where the servers are started and ended.
_TESTS = Path(__file__).parents[3] / "python/tests"
JOURNAL, WAL = "SQLite", "SQLite in WAL mode"
_SERVERS = {"PostgreSQL": "PostgresServer", "MariaDB": "MariaServer"}


@dataclass(frozen=True, slots=True)
class Database:
    name: str
    #: An entry of Django's DATABASES.
    settings: dict[str, Any]
    #: The server's process, if there is one.
    pids: tuple[int, ...] = ()

    def placed(self) -> AbstractContextManager[None]:
        """On one core with the client, where the way to the server and back costs least."""
        return placed(Placement.SAME_CORE if self.pids else Placement.FREE, self.pids)


def files(folder: Path) -> Iterator[Database]:
    """SQLite as Django opens it, and as its documentation makes it faster for more than one process."""
    engine = {"ENGINE": "django.db.backends.sqlite3"}
    yield Database(JOURNAL, engine | {"NAME": folder / "journal.sqlite3"})
    begin = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"
    options = {"init_command": begin, "transaction_mode": "IMMEDIATE"}
    yield Database(WAL, engine | {"NAME": folder / "wal.sqlite3", "OPTIONS": options})


@contextmanager
def servers() -> Iterator[tuple[list[Database], dict[str, str]]]:
    """Those that run, and why the others do not; all are ended with the block."""
    with ExitStack() as stack:
        running, absent = [], {}
        for name, kind in _SERVERS.items():
            try:
                server = stack.enter_context(_kind(kind)())
            except _reasons() as reason:
                absent[name] = str(reason)
            else:
                running.append(Database(name, server.settings(), (server.pid,)))
        yield running, absent


def _kind(name: str) -> Any:
    if str(_TESTS) not in sys.path:
        # Behind the benches' own.
        sys.path.append(str(_TESTS))
    import database_servers

    return getattr(database_servers, name)


def _reasons() -> tuple[type[BaseException], ...]:
    """What says that a server cannot be started here."""
    try:
        from _pytest.outcomes import OutcomeException
    except ImportError:
        return (ImportError,)
    return (ImportError, AssertionError, OutcomeException)


def about(folder: Path, running: Sequence[Database]) -> str:
    """What a figure belongs to."""
    where = f"SQLite {sqlite3.sqlite_version} in files on {places.described(folder)}"
    modes = "with its rollback journal, synchronous FULL; in WAL mode, synchronous NORMAL"
    names = " and ".join(one.name for one in running)
    servers = f"; {names} on loopback and on the client's core, without fsync" if names else ""
    return f"{where}, {modes}{servers}"
