"""Real databases on loopback, as ``servers`` has them for Redis: PostgreSQL and MariaDB.

``with PostgresServer() as server: server.settings("name")`` is an entry of Django's DATABASES.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from packages import need_package
from servers import REPLY_LIMIT, Server, need

#: Making an empty database takes a while on a busy machine, in seconds.
PREPARE_LIMIT = 60.0
#: Who a server runs as if the tests run as root, which PostgreSQL refuses.
POSTGRES_USER = "postgres"
#: Where Debian has PostgreSQL's programs: not in PATH.
POSTGRES_PROGRAMS = "usr/lib/postgresql/*/bin"


def _postgres(name: str) -> str:
    """The newest program of that name."""
    found = sorted(Path("/").glob(f"{POSTGRES_PROGRAMS}/{name}"))
    if found:
        return str(found[-1])
    need(name)
    return name


class DatabaseServer(Server):
    """A running database on 127.0.0.1 with an empty database of the name ``hotclub``."""

    engine: str
    user: str
    options: ClassVar[dict[str, Any]] = {}

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, timeout=PREPARE_LIMIT
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    def settings(self) -> dict[str, Any]:
        """What Django's DATABASES says of it."""
        where = {"HOST": "127.0.0.1", "PORT": str(self.port), "USER": self.user, "PASSWORD": ""}
        return {"ENGINE": self.engine, "NAME": "hotclub", "OPTIONS": dict(self.options), **where}

    def flush(self) -> None:
        """Nothing: each test drops its table."""

    def kill(self) -> None:
        """Ends it at once, with the processes that it made."""
        process = self._process
        if process is not None and os.getpid() == self._owner:
            process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(REPLY_LIMIT)
        super().kill()


class PostgresServer(DatabaseServer):
    """A running PostgreSQL; as Debian's own user for it if the tests run as root."""

    engine = "django.db.backends.postgresql"
    user = "hotclub"

    def __init__(self) -> None:
        need_package("psycopg")
        self._initdb, self._program = _postgres("initdb"), _postgres("postgres")
        super().__init__()

    def _as_user(self) -> list[str]:
        if os.getuid() != 0:
            return []
        groups = ["--reuid", POSTGRES_USER, "--regid", POSTGRES_USER, "--clear-groups"]
        return ["setpriv", *groups]

    def _prepare(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self._folder, POSTGRES_USER, POSTGRES_USER)
        line = [self._initdb, "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        self._run(*self._as_user(), *line, f"--username={self.user}", "data")
        # One session without a server makes the database.
        subprocess.run(
            [*self._as_user(), self._program, "--single", "-D", "data", "postgres"],
            input="CREATE DATABASE hotclub;\n",
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=PREPARE_LIMIT,
            check=True,
        )

    def _command_line(self) -> list[str]:
        line = [self._program, "-D", "data", "-p", str(self.port), "-c", "fsync=off"]
        line += [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self._folder}",
        ]
        return [*self._as_user(), *line]

    def _answers(self) -> bool:
        told = self._folder / "data" / "postmaster.pid"
        if not told.exists():
            return False
        lines = told.read_text().split()
        return bool(lines) and lines[0] == str(self.pid) and lines[-1] == "ready"


class MariaServer(DatabaseServer):
    """A running MariaDB, whose driver is PyMySQL: it needs no compiler."""

    engine = "maria_engine"
    user = "root"
    #: PyMySQL makes what TLS needs before it asks whether there is any, under locks of OpenSSL's.
    options: ClassVar[dict[str, Any]] = {"ssl_disabled": True}

    def __init__(self) -> None:
        need_package("pymysql")
        need("mariadbd", "mariadb-install-db")
        super().__init__()

    def _prepare(self) -> None:
        line = ["mariadb-install-db", "--no-defaults", "--skip-test-db"]
        line += ["--auth-root-authentication-method=normal", *self._as_user()]
        self._run(*line, f"--datadir={self._folder / 'data'}")
        (self._folder / "begin.sql").write_text("CREATE DATABASE IF NOT EXISTS hotclub;\n")

    def _as_user(self) -> list[str]:
        return ["--user=root"] if os.getuid() == 0 else []

    def _command_line(self) -> list[str]:
        line = ["mariadbd", "--no-defaults", f"--datadir={self._folder / 'data'}"]
        line += [f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        line += [f"--socket={self.unix_path}", f"--pid-file={self._folder / 'pid'}"]
        line += [f"--init-file={self._folder / 'begin.sql'}"]
        return [*line, *self._as_user(), "--innodb-flush-log-at-trx-commit=0"]

    def _answers(self) -> bool:
        told = self._folder / "pid"
        if not told.exists() or told.read_text().strip() != str(self.pid):
            return False
        try:
            socket.create_connection(("127.0.0.1", self.port), REPLY_LIMIT).close()
        except OSError:
            return False
        return True


@functools.cache
def postgres() -> PostgresServer:
    """One server for the whole run."""
    return PostgresServer()


@functools.cache
def maria() -> MariaServer:
    """One server for the whole run."""
    return MariaServer()
