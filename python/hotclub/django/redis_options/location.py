"""LOCATION of a Redis cache as data: URLs as redis-py reads them, and ours for Sentinel and Cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Scheme -> (kind, over TLS).
SCHEMES = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "valkey": ("server", False),
    "valkeys": ("server", True),
    "unix": ("unix", False),
    "redis+unix": ("unix", False),
    "sentinel": ("sentinel", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
PORT, SENTINEL_PORT = 6379, 26379
#: Part of a URL's query, but of one server and not of the alias.
OF_ONE_SERVER = ("db", "username", "password", "is_master")

_USERINFO = re.compile(r"//.*@")
_SECRET = re.compile(r"(password=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """What one URL says."""

    kind: str
    tls: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    #: Of a socket.
    path: str = ""
    #: Of a primary that Sentinel watches.
    service: str = ""
    db: int | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    is_primary: bool = True
    #: What is left of the query: options, as text.
    query: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        """``host:port`` of each host, or the path of the socket."""
        return tuple(hostport(*host) for host in self.hosts) or (self.path,)

    def url(self, db: int) -> str:
        """Normalised, without credentials and query."""
        scheme = "rediss" if self.tls else "redis"
        if self.kind == "unix":
            return f"redis+unix://{quote(self.path)}" + (f"?db={db}" if db else "")
        where = ",".join(hostport(*host) for host in self.hosts)
        if self.kind == "sentinel":
            return f"{scheme}+sentinel://{where}/{quote(self.service, safe='')}/{db}"
        return (
            f"{scheme}+cluster://{where}" if self.kind == "cluster" else f"{scheme}://{where}/{db}"
        )


def hostport(host: str, port: int) -> str:
    """``host:port`` as URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def without_secrets(url: str) -> str:
    """A URL as messages may show it."""
    return _SECRET.sub(r"\1***", _USERINFO.sub("//***@", url))


def places(location: Any, separators: str) -> list[Place]:
    """Read LOCATION: one URL, several in one text between ``separators``, or a list of them."""
    if isinstance(location, str):
        texts: Iterable[Any] = _split(location, separators)
    elif isinstance(location, (list, tuple, set)):
        texts = location
    else:
        raise _unreadable(f"it must be a URL or a list of URLs, not {type(location).__name__}")
    found = [_place(text) for text in texts]
    if not found:
        raise _unreadable("it is empty; name a server, such as 'redis://127.0.0.1:6379/1'")
    return found


def _split(text: str, separators: str) -> list[str]:
    """Split, but leave a URL of several hosts in one piece: what has no scheme goes on the URL before it."""
    pieces: list[str] = []
    for piece in filter(None, map(str.strip, re.split(f"[{separators}]", text))):
        if pieces and "://" not in piece and _scheme(pieces[-1])[0] in ("sentinel", "cluster"):
            pieces[-1] += "," + piece
        else:
            pieces.append(piece)
    return pieces


def _scheme(url: str) -> tuple[str, bool]:
    return SCHEMES.get(url.partition("://")[0].lower(), ("", False))


def _place(url: Any) -> Place:
    if not isinstance(url, str):
        raise _unreadable(f"it holds a {type(url).__name__}, and a URL is text")
    kind, tls = _scheme(url)
    if not kind:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise _unreadable(f"{without_secrets(url)!r} begins with none of {known}")
    try:
        return _read(url, kind, tls)
    except ValueError as error:
        raise _unreadable(f"{without_secrets(url)!r}: {error}") from None


def _read(url: str, kind: str, tls: bool) -> Place:
    parts = urlsplit(url)
    user, _, netloc = parts.netloc.rpartition("@")
    name, _, secret = user.partition(":")
    query = dict(reversed(parse_qsl(parts.query)))  # of several equal names the first counts
    own = {key: query.pop(key) for key in OF_ONE_SERVER if key in query}
    path, service = parts.path, ""
    if kind == "unix":
        if netloc not in ("", "localhost") or not path.startswith("/"):
            raise ValueError(
                "a socket is named by its whole path, as in 'unix:///run/redis.sock?db=1'"
            )
        hosts: tuple[tuple[str, int], ...] = ()
        numbered = ""
    else:
        default = SENTINEL_PORT if kind == "sentinel" else PORT
        hosts = tuple(_host(host, default) for host in netloc.split(","))
        numbered = path.strip("/")
    if kind == "sentinel":
        service, _, numbered = numbered.partition("/")
        if not service:
            raise ValueError(
                "the path names the service, as in 'redis+sentinel://host:26379/mymaster/0'"
            )
    elif len(hosts) > 1 and kind != "cluster":
        raise ValueError("one URL names one server")
    return Place(
        kind=kind,
        tls=tls,
        hosts=hosts,
        path=unquote(path) if kind == "unix" else "",
        service=unquote(service),
        db=_db(own.get("db"), unquote(numbered)),
        username=unquote(name) or own.get("username"),
        password=unquote(secret) or own.get("password"),
        is_primary=own.get("is_master", "1").lower() not in ("0", "f", "false", "n", "no"),
        query=query,
    )


def _host(text: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port must be a number from 0 to 65535") from None
    return unquote(parts.hostname or "localhost"), port or default


def _db(asked: str | None, path: str) -> int | None:
    text = path if asked is None else asked
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"the database must be a number, not {text!r}")
    return int(text)


def sentinel_hosts(value: Any) -> tuple[tuple[str, int], ...]:
    """Read django-redis' SENTINELS: pairs of host and port. ValueError if they are not."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError("a list of (host, port)")
    hosts = []
    for pair in value:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError("a list of (host, port)")
        try:
            hosts.append((pair[0], int(pair[1])))
        except (TypeError, ValueError):
            raise ValueError("a list of (host, port)") from None
    return tuple(hosts)


def _unreadable(why: str) -> ImproperlyConfigured:
    return wrong(f"cannot read LOCATION: {why}")


def wrong(what: str) -> ImproperlyConfigured:
    """The exception for settings that do not fit together."""
    return ImproperlyConfigured(f"hotclub: RedisCache {what}")
