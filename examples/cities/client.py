"""A small browser for the driver: cookies, the CSRF token, and what the server says it did."""

from __future__ import annotations

import http.client
import json
import re
import time
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from server import HOST

REPLY_LIMIT = 60.0  # seconds; the slowest page takes well under one
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
RESULT = re.compile(r'<output id="result">(.*?)</output>', re.DOTALL)


class DriveError(Exception):
    """The site did not answer as a page must, so the drive cannot go on."""


@dataclass(frozen=True)
class Answer:
    """One answer, how long it took over HTTP, and what the server did for it."""

    path: str
    status: int
    body: bytes
    seconds: float
    number: int

    @property
    def text(self) -> str:
        return unescape(self.body.decode())

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Visit:
    """An answer with the server's own account of it: rows, loads and queries."""

    answer: Answer
    rows: list[dict[str, Any]]
    loads: int
    queries: int
    hits: int
    misses: int

    def actions(self, *words: str) -> list[str]:
        """The first of ``words`` that each action contains: ``["get", "check", "set"]``."""
        found = []
        for row in self.rows:
            action = row["action"].lower()
            found += [word for word in words if word in action][:1]
        return found


class Client:
    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        answer = self._ask("GET", path)
        if answer.status != 200:
            raise DriveError(f"GET {path}: status {answer.status} instead of 200")
        return answer

    def post(self, path: str, fields: dict[str, Any]) -> Answer:
        """Fetches the form at ``path`` for its token, then sends it."""
        token = TOKEN.search(self.get(path).body.decode())
        if token is None:
            raise DriveError(f"GET {path}: there is no form with a CSRF token")
        answer = self._ask("POST", path, urlencode(fields | {"csrfmiddlewaretoken": token[1]}))
        if answer.status not in (200, 302):
            raise DriveError(f"POST {path}: status {answer.status} instead of 200 or 302")
        return answer

    def stats(self) -> dict[str, Any]:
        return dict(self.get("/cache/stats.json").json())

    def visit(self, path: str) -> Visit:
        """``get``, with what the server did and how the cache's counters moved."""
        before = self.stats()
        return self._account(self.get(path), before)

    def submit(self, path: str, fields: dict[str, Any]) -> Visit:
        """``post``, with what the server did and how the cache's counters moved."""
        before = self.stats()
        return self._account(self.post(path, fields), before)

    def call(self, operation: str, key: str = "", **fields: Any) -> str:
        """One cache call through the form of the site; returns what the call returned."""
        fields = {"operation": operation, "key": key, "default": "Not Found"} | fields
        found = RESULT.search(self.post("/try/", fields).text)
        if found is None:
            raise DriveError(f"/try/ shows no result for {operation} {key}")
        return found[1]

    def save(self, city_id: int, name: str, population: int) -> Visit:
        """Edits a city through its form."""
        path = f"/city/{city_id}/edit/"
        visit = self.submit(path, {"name": name, "population": population})
        if visit.answer.status != 302:
            raise DriveError(f"POST {path}: the form was not accepted")
        return visit

    def _account(self, answer: Answer, before: dict[str, Any]) -> Visit:
        seen = self.get(f"/cache/requests/{answer.number}.json").json()
        after = self.stats()
        return Visit(
            answer=answer,
            rows=seen["rows"],
            loads=seen["loads"],
            queries=seen["queries"],
            hits=after["hits"] - before["hits"],
            misses=after["misses"] - before["misses"],
        )

    def _ask(self, method: str, path: str, form: str | None = None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(HOST, self._port, timeout=REPLY_LIMIT)
        start = time.perf_counter()
        try:
            connection.request(method, path, form, headers)
            reply = connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise DriveError(f"{method} {path}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        seconds = time.perf_counter() - start
        for line in reply.headers.get_all("Set-Cookie", []):
            cookies = SimpleCookie(line)
            self._cookies |= {name: morsel.value for name, morsel in cookies.items()}
        number = int(reply.headers.get("X-Request-Number", 0))
        return Answer(path, reply.status, body, seconds, number)
