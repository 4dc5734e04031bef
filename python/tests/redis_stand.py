"""A Redis cache of the extra verbs and little else, over redis-py's connections.

Stands in for ``hotclub.django.RedisCache`` where that class cannot go yet: see ``redis_pairs``.
"""

from __future__ import annotations

import asyncio
import importlib
import pickle
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from hotclub import errors
from hotclub.django.codecs import integer, make_codec
from hotclub.django.redis_extras import RedisExtras
from hotclub.django.redis_extras.client import _connect
from hotclub.django.redis_extras.keys import slot
from hotclub.django.redis_options import redis_options


class RedisStand(RedisExtras, BaseCache):
    """The extra verbs, and of Django's ``get``, ``set``, ``delete`` and ``has_key``."""

    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._options = redis_options(location, params)
        self._codec = make_codec(self._options)
        self._redis = _connect(self._options, 0, False)
        self._primaries: list[tuple[int, int, Any]] = []
        if self._options.topology == "cluster":
            self._primaries = sorted(
                (first, last, self._redis.get_redis_connection(node["primary"]))
                for first, last, node in self._slots()
            )

    def _slots(self) -> list[tuple[int, int, Any]]:
        manager = self._redis.nodes_manager
        found: dict[str, list[Any]] = {}
        for number, nodes in manager.slots_cache.items():
            found.setdefault(nodes[0].name, [number, number, {"primary": nodes[0]}])[1] = number
        return [(first, last, node) for first, last, node in found.values()]

    def _dumps(self, value: Any) -> bytes:
        if self._codec is not None:
            return self._codec.dumps(value)
        raw = isinstance(value, int) and not isinstance(value, bool)
        return b"%d" % value if raw else pickle.dumps(value, self._options.pickle_protocol)

    def _loads(self, data: bytes) -> Any:
        if self._codec is not None:
            return self._codec.loads(data)
        number = integer(data)
        return pickle.loads(data) if number is None else number

    def _node_count(self) -> int:
        return max(len(self._primaries), 1)

    def _client(self, arguments: Any, key_at: int, node: int | None) -> Any:
        if not self._primaries:
            return self._redis
        if node is not None:
            return self._primaries[node][2]
        key = arguments[key_at]
        number = slot(key if isinstance(key, bytes) else str(key).encode())
        return next(client for first, last, client in self._primaries if first <= number <= last)

    def _execute(
        self,
        arguments: Any,
        *,
        write: bool = True,
        key_at: int = 1,
        node: int | None = None,
    ) -> Any:
        exceptions = importlib.import_module("redis.exceptions")
        pool = self._client(arguments, key_at, node).connection_pool
        try:
            connection = pool.get_connection()
            try:
                connection.send_command(*arguments)
                reply = connection.read_response()
            finally:
                pool.release(connection)
        except exceptions.ResponseError as error:
            raise errors.make("refused", f"redis: {error}", "redis") from None
        except exceptions.ConnectionError as error:
            raise errors.make("unavailable", f"redis: {error}", "redis") from None
        return sorted(reply) if isinstance(reply, set) else reply

    async def _aexecute(self, arguments: Any, **keywords: Any) -> Any:
        return await asyncio.to_thread(self._execute, arguments, **keywords)

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        command: list[Any] = ["SET", self.make_key(key, version), self._dumps(value)]
        timeout = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        self._execute(command + ([] if timeout is None else ["PX", int(timeout * 1000)]))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        data = self._execute(["GET", self.make_key(key, version)])
        return default if data is None else self._loads(data)

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._execute(["DEL", self.make_key(key, version)]))

    def has_key(self, key: Any, version: Any = None) -> bool:
        return bool(self._execute(["EXISTS", self.make_key(key, version)]))
