"""A cache that takes part, what its server has of it, and how Django is told of all of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import django
from django.conf import settings

from kit.programs import HOST

TCP, UNIX = "TCP", "unix socket"
#: Longer than the longest row takes.
TIMEOUT = 3600
#: What Django puts before a key by default.
PREFIX = ":1:"
#: What all rows of one key ask for.
KEY = "user:481516"
#: No client at all: a request made beforehand, one write and one read. What a get cannot cost less than.
FLOOR = "the two system calls alone"


class Store(Protocol):
    """What the server has of one contestant, asked past the cache; nothing it does is timed."""

    def full_key(self, key: str) -> str: ...

    def forget(self, keys: Iterable[str]) -> None: ...

    def stored(self, key: str) -> bytes | None: ...

    def seconds_left(self, key: str) -> int: ...

    def hits(self) -> int:
        """How many keys reads have found since the start of the server, whoever asked."""

    def misses(self) -> int:
        """And not found."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A cache ready to be used, and how it wants keys and values."""

    name: str
    cache: Any
    store: Store

    def key(self, key: str) -> str:
        return key

    def value(self, value: Any) -> Any:
        return value

    def many(self, data: dict[str, Any]) -> dict[str, Any]:
        return {self.key(key): self.value(value) for key, value in data.items()}

    def found(self, _keys: Iterable[str], got: Any) -> Any:
        """What a read of many keys gave, by key."""
        return got

    def verify(self, got: Any, expected: Any) -> None:
        right = type(got) is type(expected) and got == expected
        assert right, f"{self.name} gave {got!r:.500}, not {expected!r:.500}"

    def verify_timeouts(self, keys: Iterable[str]) -> None:
        """Every key is in this contestant's store, and has the timeout that all were given."""
        for key in keys:
            left = self.store.seconds_left(key)
            assert TIMEOUT - 600 < left <= TIMEOUT, f"{self.name}: {key} has {left} s left"

    @contextmanager
    def asking(self, keys: Iterable[str], times: int = 1, found: bool = True) -> Iterator[None]:
        """Nobody answers from a memory of its own: the server sees every key of every question."""
        seen = self.store.hits if found else self.store.misses
        before = seen()
        yield
        asked, expected = seen() - before, len(list(keys)) * times
        assert asked == expected, f"{self.name} asked the server for {asked} of {expected} keys"


class Hiding(Protocol):
    """A store that counts no questions, but hides entries while a block runs."""

    def hidden(self, key: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Serverless(Contestant):
    """One whose store is files: no server counts questions."""

    @contextmanager
    def asking(self, keys: Iterable[str], _times: int = 1, found: bool = True) -> Iterator[None]:
        """Nobody answers from a memory of its own: what went away behind its back is a miss."""
        yield
        for key in keys if found else ():
            with self.store.hidden(key):
                got = self.cache.get(self.key(key))
            assert got is None, f"{self.name} gave {got!r:.500}, which was not there any more"


@dataclass(frozen=True, slots=True)
class Floor(Contestant):
    """:class:`Bare` among the contestants."""

    #: A value as the server sends it.
    framed: Callable[[bytes], bytes]

    def value(self, value: Any) -> Any:
        return value.encode()

    def verify(self, got: Any, expected: Any) -> None:
        Contestant.verify(self, got, self.framed(expected))


class Bare:
    """A socket that asks for one key; what it reads is looked at when it is verified only."""

    def __init__(
        self, connection: socket.socket, request: bytes, put: Callable[[str, bytes], object]
    ) -> None:
        self._send, self._receive = connection.send, connection.recv
        self._request = request
        self.set = put

    def get(self, _key: str) -> bytes:
        self._send(self._request)
        return self._receive(4096)


def connected(where: int | Path) -> socket.socket:
    """To a port of loopback or to a unix socket."""
    if isinstance(where, Path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(where))
    else:
        connection = socket.create_connection((HOST, where))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def alias(name: str, transport: str) -> str:
    return f"{name}; {transport}"


def configure(aliases: dict[str, dict[str, Any]], **others: Any) -> None:
    """Tells Django of all caches, and of other settings; each cache gets the same timeout."""
    default = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    timed = {name: {**cache, "TIMEOUT": TIMEOUT} for name, cache in aliases.items()}
    settings.configure(CACHES={"default": default, **timed}, **others)
    django.setup()
