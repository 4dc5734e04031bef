"""Writes the golden entries of Memcached: what Django's own classes store for each value, flags and bytes.

Run once for a release, ``python conformance/wire/make_memcached.py``, with that release, pymemcache, pylibmc
and a memcached installed; the files are kept as they are and never edited by hand.
``python/tests/test_memcached_golden.py`` reads them. pylibmc 1.6.3 complains on Python 3.13 about behaviors
that nobody gave: its own business.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from make import COMMON, PICKLED, release, value_of, write

#: What is stored in a way of its own here, or is large.
TEXTS = (*COMMON, *PICKLED, "-1", "10**30", "b'a' * 500", "'swing ' * 500")
#: Django's class for each client, and how that client is told of a socket.
CLASSES = {"pymemcache": ("PyMemcacheCache", "unix:"), "pylibmc": ("PyLibMCCache", "")}
START_LIMIT = 10.0


@contextmanager
def memcached() -> Iterator[str]:
    """A memcached on a socket of its own; yields its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        # Root has to name a user; for others it means nothing.
        server = subprocess.Popen(["memcached", "-u", "root", "-s", path])
        try:
            deadline = time.monotonic() + START_LIMIT
            while not os.path.exists(path):
                assert server.poll() is None, "memcached ended"
                assert time.monotonic() < deadline, "memcached did not start"
                time.sleep(0.01)
            yield path
        finally:
            server.kill()
            server.wait()


def stored(path: str, key: str) -> tuple[int, bytes]:
    """Flags and bytes as the server has them, through no client library."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with connection.makefile("rwb") as stream:
            stream.write(b"mg %b v f\r\n" % key.encode())
            stream.flush()
            word, length, flags = stream.readline().split()
            assert (word, flags[:1]) == (b"VA", b"f")
            return int(flags[1:]), stream.read(int(length))


def same(one: Any, other: Any) -> bool:
    """Equal, and of one type."""
    return type(one) is type(other) and bool(one == other)


def entry_of(text: str, cache: Any, path: str) -> dict[str, Any]:
    """A value as text, and what is stored for it; ``read`` where another one comes back."""
    value = value_of(text)
    cache.set("key", value)
    flags, data = stored(path, cache.make_key("key"))
    read = cache.get("key")
    changed = {} if same(read, value) else {"read": repr(read)}
    return {"value": text, **changed, "flags": flags, "stored": data.hex()}


def main() -> None:
    """Writes them all."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    settings.configure()
    for client, (name, scheme) in CLASSES.items():
        with memcached() as path:
            made = import_string(f"django.core.cache.backends.memcached.{name}")
            cache = made(scheme + path, {})
            content = [entry_of(text, cache, path) for text in TEXTS]
        write(f"{release('Django')}/{client}/plain.json", ("Django", client), content)


if __name__ == "__main__":
    sys.exit(main())
