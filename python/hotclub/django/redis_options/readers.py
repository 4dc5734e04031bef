"""What the value of an option must be: one function a kind, ValueError says what it wanted."""

from __future__ import annotations

import math
import pickle
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.module_loading import import_string

from hotclub.django.safe_pickle import why_not

DIALECTS = ("django", "django-redis", "vcache")
#: Of keys that sign: a shorter one can be guessed, and more than these are no rotation.
FEWEST_BYTES, MOST_KEYS = 16, 8


class Text(str):
    """A value from a URL's query: a number or a yes is still to be read from it."""

    __slots__ = ()


Reader = Callable[[Any], Any]


def number(at_least: float = 0.0, above: bool = True) -> Reader:
    """Seconds: ``number()`` is above 0, as a float."""
    must = f"a number {'above' if above else 'of at least'} {at_least:g}"

    def read(value: Any) -> float:
        if isinstance(value, Text):
            value = _from_text(float, value, must)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise ValueError(must)
        if value < at_least or (above and value == at_least):
            raise ValueError(must)
        return float(value)

    return read


def limit(value: Any) -> float | None:
    """Seconds of redis-py and django-redis, where 0 is the same as nothing."""
    read: float = number(above=False)(value)
    return read or None


def whole(at_least: int) -> Reader:
    """A whole number."""
    must = f"a whole number of at least {at_least}"

    def read(value: Any) -> int:
        if isinstance(value, Text):
            value = _from_text(int, value, must)
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise ValueError(must)
        return value

    return read


def database(value: Any) -> int:
    """A database number; redis-py takes it as text too."""
    read: int = whole(0)(Text(value) if isinstance(value, str) else value)
    return read


def yes(value: Any) -> bool:
    """True or False. Text such as ``"False"`` is refused, since Python takes it for true."""
    if isinstance(value, Text):
        value = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}.get(value.lower(), value)
    if value not in (True, False):
        raise ValueError("True or False")
    return bool(value)


def one_of(*choices: Any) -> Reader:
    """One of a few words or numbers."""
    must = "one of " + ", ".join(map(repr, choices))

    def read(value: Any) -> Any:
        for choice in choices:
            if value == choice and not isinstance(value, bool):
                return choice
            if isinstance(value, Text) and value == str(choice):
                return choice
        raise ValueError(must)

    return read


def text(value: Any) -> str | None:
    """Text; empty text is as if left out."""
    if not isinstance(value, str):
        raise ValueError("text")
    return str(value) or None


def name(value: Any) -> str | None:
    """Text that a server takes as a name."""
    read = text(value)
    if read is not None and (not read.isprintable() or " " in read):
        raise ValueError("text without blanks")
    return read


def path(value: Any) -> str | None:
    """A path of a file or folder."""
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    return text(value)


def function(value: Any) -> Any:
    """A function, or the dotted path of one."""
    found = imported(value)
    if not callable(found):
        raise ValueError("a function or the dotted path of one")
    return found


def provider(value: Any) -> Any:
    """redis-py's credential provider: an object with ``get_credentials``."""
    found = imported(value)
    if not callable(getattr(found, "get_credentials", None)):
        raise ValueError("an object with the method get_credentials")
    return found.get_credentials


def imported(value: Any) -> Any:
    """What a dotted path names; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ValueError(f"a dotted path that can be imported: {error}") from None


def dialects(value: Any) -> tuple[str, ...]:
    """A dialect or a list of them, each once."""
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values or set(values) - set(DIALECTS):
        raise ValueError("a list of " + ", ".join(map(repr, DIALECTS)))
    return tuple(dict.fromkeys(values))


def certificates(value: Any) -> bool:
    """``ssl_cert_reqs``: whether the server's certificate is checked."""
    words = {"none": False, "optional": True, "required": True}
    numbers = {ssl.CERT_NONE: False, ssl.CERT_OPTIONAL: True, ssl.CERT_REQUIRED: True}
    if value is None:
        return False
    found = words.get(value) if isinstance(value, str) else numbers.get(value)
    if found is None or isinstance(value, bool):
        raise ValueError("one of 'none', 'optional', 'required'")
    return found


def tls_version(value: Any) -> str:
    """``ssl_min_version``: 1.2 and 1.3 are spoken, and nothing older."""
    if isinstance(value, Text):
        value = _from_text(int, value, "a number")
    if isinstance(value, bool) or not isinstance(value, int) or value > ssl.TLSVersion.TLSv1_2:
        raise ValueError("no higher than ssl.TLSVersion.TLSv1_2: both 1.2 and 1.3 are offered")
    return "1.2"


def keys(value: Any) -> tuple[bytes, ...]:
    """Keys that sign: the first writes, all read."""
    values = (value,) if isinstance(value, (str, bytes)) else value
    if (
        isinstance(value, Text)
        or not isinstance(values, (list, tuple))
        or not 0 < len(values) <= MOST_KEYS
        or not all(isinstance(key, (str, bytes)) for key in values)
    ):
        raise ValueError(f"a list of up to {MOST_KEYS} keys, as text or bytes")
    read = tuple(key.encode() if isinstance(key, str) else key for key in values)
    shortest = min(map(len, read))
    if shortest < FEWEST_BYTES:
        raise ValueError(f"keys of at least {FEWEST_BYTES} bytes: one has {shortest}")
    return tuple(dict.fromkeys(read))


def safe_pickle(value: Any) -> bool | tuple[str, ...]:
    """True, False, or what may be read beside harmless classes: an empty list is True."""
    if isinstance(value, (list, tuple)) and all(isinstance(path, str) for path in value):
        for path in value:
            if reason := why_not(path):
                raise ValueError(f"a list of other paths than {path!r}: {reason}")
        return tuple(value) or True
    if value not in (True, False):
        raise ValueError("True, False or a list of dotted paths")
    return bool(value)


def plain_yes(value: Any) -> bool:
    """True or False, which a URL does not say: caches of one URL share a codec."""
    if isinstance(value, Text):
        raise ValueError("in OPTIONS and not in a URL")
    return yes(value)


def pickle_version(value: Any) -> int:
    """A protocol of pickle, -1 for the highest, as django-redis reads it."""
    try:
        read = int(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number") from None
    if read > pickle.HIGHEST_PROTOCOL:
        raise ValueError(f"no higher than pickle.HIGHEST_PROTOCOL: {pickle.HIGHEST_PROTOCOL}")
    return pickle.HIGHEST_PROTOCOL if read < 0 else read


def mapping(value: Any) -> Mapping[str, Any]:
    """A dict."""
    if not isinstance(value, Mapping):
        raise ValueError("a dict")
    return value


def only(*allowed: Any, why: str) -> Reader:
    """A name whose other values would change what this class does in its own way."""

    def read(value: Any) -> None:
        if not any(value is choice or value == choice for choice in allowed):
            raise ValueError(f"left out: {why}")

    return read


def client_class(value: Any) -> str | None:
    """django-redis' CLIENT_CLASS; the topology that it means."""
    last = _last(value)
    if last in ("ShardClient", "HerdClient"):
        raise ValueError(f"another class than {last}: {_REASONS[last]}")
    if last not in ("DefaultClient", "SentinelClient"):
        raise ValueError(
            "DefaultClient or SentinelClient of django_redis.client: a client is not run here"
        )
    return "sentinel" if last == "SentinelClient" else None


def factory(value: Any) -> str | None:
    """django-redis' CONNECTION_FACTORY; the topology that it means."""
    if value not in (
        "django_redis.pool.ConnectionFactory",
        "django_redis.pool.SentinelConnectionFactory",
    ):
        raise ValueError("one of django_redis.pool: connections are made in Rust")
    return "sentinel" if "Sentinel" in value else None


def of_redis_py(value: Any) -> str:
    """A class of redis-py (or valkey-py) itself, by name: one of somebody's own is not run here."""
    module = (
        value.rpartition(".")[0] if isinstance(value, str) else getattr(value, "__module__", "")
    )
    if module.partition(".")[0] not in ("redis", "valkey"):
        raise ValueError(
            "a class of redis-py itself: connections are made in Rust, so it would not run"
        )
    return _last(value)


def _last(value: Any) -> str:
    return value.rpartition(".")[2] if isinstance(value, str) else getattr(value, "__name__", "")


def _from_text(kind: Callable[[str], Any], value: str, must: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(must) from None


_REASONS = {
    "ShardClient": "it spreads keys over servers by a ring of its own; use Redis Cluster",
    "HerdClient": "it stores values in a wrapper of its own; get_or_set loads each key once without it",
}
