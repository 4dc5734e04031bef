"""The site's server: a thread for each request, loopback only, from Django's own parts."""

from __future__ import annotations

import errno
import socketserver
import threading
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

HOST = "127.0.0.1"
DEFAULT_PORT = 8000
STOP_LIMIT = 5.0


class PortBusy(Exception):
    """The port that was asked for is taken."""


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each request: the execution table says more."""

    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        pass


class LoopbackServer(ThreadedWSGIServer):
    """Binds without asking the name service for this machine's name, which can take seconds."""

    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]
        self.setup_environ()


class SiteServer:
    """Serves the site from a background thread until ``close``."""

    def __init__(self, port: int | None) -> None:
        """Binds ``port`` (0 is any free one); ``None`` is the default port, or a free one."""
        self.notice = ""
        try:
            self._server = _bind(DEFAULT_PORT if port is None else port)
        except PortBusy:
            if port is not None:
                raise
            self._server = _bind(0)
            self.notice = f"port {DEFAULT_PORT} is busy; took the free port {self.port} instead"
        self._server.set_app(get_wsgi_application())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/"

    def wait(self) -> None:
        """Returns only when the server has ended by itself; Ctrl-C interrupts the wait."""
        while self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=STOP_LIMIT)


def _bind(port: int) -> LoopbackServer:
    try:
        return LoopbackServer((HOST, port), QuietHandler)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            reason = "is in use" if error.errno == errno.EADDRINUSE else "is not allowed"
            raise PortBusy(f"port {port} on {HOST} {reason}; give another with --port") from error
        raise


def check_port(port: int | None) -> None:
    """Raises ``PortBusy`` early, before minutes of work, when ``port`` is taken."""
    if port:
        _bind(port).server_close()
