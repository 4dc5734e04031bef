"""What each request did: its execution table, its queries, its loads. The last ones are kept."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import hotclub
from django.db import connection
from django.http import HttpRequest, HttpResponse

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

KEPT = 30
UNOBSERVED = "/cache/"  # the pages that look at the cache would only see themselves


@dataclass
class Observation:
    """One request, as the live page and the driver see it."""

    number: int
    method: str
    path: str
    table: Any
    status: int = 0
    seconds: float = 0.0
    queries: int = 0
    loads: int = 0

    def count_query(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Counts a query of the site's own tables; a cache in a table asks for itself."""
        if '"cities_' in sql:
            self.queries += 1
        return execute(sql, params, many, context)

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "seconds": self.seconds,
            "queries": self.queries,
            "loads": self.loads,
            "rows": self.table.rows,
        }


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)
_numbers = itertools.count(1)
_recent: deque[Observation] = deque(maxlen=KEPT)
_recent_guard = threading.Lock()  # held for an append or a copy of at most KEPT references


def recent() -> list[Observation]:
    """The last requests, newest first."""
    with _recent_guard:
        return list(reversed(_recent))


def find(number: int) -> Observation | None:
    return next((seen for seen in recent() if seen.number == number), None)


def note(action: str, output: str = "") -> None:
    """Adds a step that is not a cache call to the execution table of this request."""
    observation = _current.get()
    if observation is not None:
        observation.table.step(action, output=output)


def loader(what: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Marks a function that makes a value on a miss: each call is counted, timed and shown."""

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @wraps(function)
        def load(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            observation = _current.get()
            if observation is None:
                return function(*args, **kwargs)
            observation.loads += 1
            with observation.table.timed(f"generate {what}"):
                return function(*args, **kwargs)

        return load

    return decorate


class ObservationMiddleware:
    """Traces the cache calls of each request and keeps what it saw."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(UNOBSERVED):
            return self.get_response(request)
        start = time.perf_counter()
        with hotclub.trace() as table:
            seen = Observation(next(_numbers), str(request.method), request.get_full_path(), table)
            token = _current.set(seen)
            try:
                with connection.execute_wrapper(seen.count_query):
                    response = self.get_response(request)
            finally:
                _current.reset(token)
        seen.status = response.status_code
        seen.seconds = time.perf_counter() - start
        with _recent_guard:
            _recent.append(seen)
        return _with_headers(response, seen)


def _with_headers(response: HttpResponse, seen: Observation) -> HttpResponse:
    response["X-Request-Number"] = str(seen.number)
    response["Server-Timing"] = (
        f'total;dur={seen.seconds * 1000:.3f}, request;desc="{seen.number}", '
        f'queries;desc="{seen.queries}", loads;desc="{seen.loads}", '
        f'steps;desc="{len(seen.table.rows)}"'
    )
    # cache_page also tells browsers to keep the page. Then a second visit would never reach
    # the server, and this site is here to show what the server's cache does.
    response["Cache-Control"] = "no-cache"
    response.headers.pop("Expires", None)
    return response
