"""Serializers with the bytes of django-redis, under classes of ours.

One of your own is a class that takes OPTIONS and has ``dumps`` and ``loads``.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder

from hotclub.django.compressors import needed
from hotclub.django.redis_options.readers import pickle_version

__all__ = ["JSONSerializer", "MSGPackSerializer", "PickleSerializer"]


class PickleSerializer:
    """pickle: the default protocol, or PICKLE_VERSION."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        version = options.get("PICKLE_VERSION")
        self.protocol = pickle.DEFAULT_PROTOCOL if version is None else pickle_version(version)

    def dumps(self, value: Any) -> bytes:
        """The bytes of a value."""
        return pickle.dumps(value, self.protocol)

    def loads(self, value: bytes) -> Any:
        """The value of bytes."""
        return pickle.loads(value)


class JSONSerializer:
    """JSON with Django's encoder: dates, Decimal and UUID come back as text, tuples as lists."""

    encoder_class: ClassVar[type[json.JSONEncoder]] = DjangoJSONEncoder

    def __init__(self, options: Mapping[str, Any]) -> None:
        pass

    def dumps(self, value: Any) -> bytes:
        """The bytes of a value."""
        return json.dumps(value, cls=self.encoder_class).encode()

    def loads(self, value: bytes) -> Any:
        """The value of bytes."""
        return json.loads(value.decode())


class MSGPackSerializer:
    """MessagePack, by the package msgpack."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._msgpack = needed("SERIALIZER msgpack", "pip install msgpack", "msgpack")

    def dumps(self, value: Any) -> bytes:
        """The bytes of a value."""
        return bytes(self._msgpack.packb(value))

    def loads(self, value: bytes) -> Any:
        """The value of bytes."""
        return self._msgpack.unpackb(value, raw=False)
