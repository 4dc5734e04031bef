"""Values as bytes, for a Redis cache whose settings ask for more than plain pickle.

A dialect says which integers are written as text, and what happens to the rest. An alias writes one
dialect and may read several, so that a fleet can change over.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from importlib import import_module
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from hotclub.django import compressors, serializers
from hotclub.django.compressors import CompressorError, needed, zstd
from hotclub.django.redis_options import RedisOptions
from hotclub.django.safe_pickle import SafePickle

Factory = Callable[..., Any]

#: django-redis' paths and ours: that package need not be installed.
PATHS: dict[str, Factory] = {
    "django_redis.serializers.pickle.PickleSerializer": serializers.PickleSerializer,
    "django_redis.serializers.json.JSONSerializer": serializers.JSONSerializer,
    "django_redis.serializers.msgpack.MSGPackSerializer": serializers.MSGPackSerializer,
    "django_redis.compressors.identity.IdentityCompressor": compressors.IdentityCompressor,
    "django_redis.compressors.zlib.ZlibCompressor": compressors.ZlibCompressor,
    "django_redis.compressors.gzip.GzipCompressor": compressors.GzipCompressor,
    "django_redis.compressors.lz4.Lz4Compressor": compressors.Lz4Compressor,
    "django_redis.compressors.zstd.ZStdCompressor": compressors.ZStdCompressor,
    "django_redis.compressors.lzma.LzmaCompressor": compressors.LzmaCompressor,
}
PICKLE, IDENTITY = serializers.PickleSerializer, compressors.IdentityCompressor
#: Serializers of ours, by the name under which their values are signed: this must never change.
FORMATS: dict[type, str] = {
    serializers.PickleSerializer: "pickle",
    serializers.JSONSerializer: "json",
    serializers.MSGPackSerializer: "msgpack",
}


class NotDecodable(Exception):
    """Bytes of another dialect, which this one takes for a miss."""


class Serializer(Protocol):
    """What SERIALIZER names."""

    def dumps(self, value: Any) -> Any: ...
    def loads(self, value: bytes) -> Any: ...


class Compressor(Protocol):
    """What COMPRESSOR names."""

    def compress(self, value: bytes) -> bytes: ...
    def decompress(self, value: bytes) -> bytes: ...


class Codec(Protocol):
    """A value and its bytes."""

    #: What signatures call its bytes. Of the compressor it says nothing, so that one can be added or dropped.
    form: str

    def dumps(self, value: Any) -> bytes:
        """The bytes of a value. What pickling raises comes out as it is."""

    def loads(self, data: bytes) -> Any:
        """The value of bytes. ``NotDecodable``: take it for a miss; other errors: damaged, or foreign."""


class Plain:
    """Django's own: exact integers as text, the rest as pickle."""

    form = "pickle"

    def __init__(
        self,
        protocol: int = pickle.HIGHEST_PROTOCOL,
        unpickle: Callable[[bytes], Any] = pickle.loads,
    ) -> None:
        self.protocol, self._unpickle = protocol, unpickle

    def dumps(self, value: Any) -> bytes:
        """See ``Codec``."""
        if type(value) is int:
            return b"%d" % value
        return pickle.dumps(value, self.protocol)

    def loads(self, data: bytes) -> Any:
        """See ``Codec``."""
        number = integer(data)
        return self._unpickle(data) if number is None else number


class Custom:
    """Django's ``serializer`` option: everything goes through it, integers too."""

    def __init__(self, serializer: Serializer) -> None:
        self.serializer, self.form = serializer, _form(serializer)

    def dumps(self, value: Any) -> bytes:
        """See ``Codec``. What the serializer gives may be text or a number, as redis-py sends them."""
        given = self.serializer.dumps(value)
        if isinstance(given, (bytes, bytearray, memoryview)):
            return bytes(given)
        if isinstance(given, str):
            return given.encode()
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return repr(given).encode()
        name = type(self.serializer).__name__
        raise TypeError(
            f"{name}.dumps must return bytes, text or a number, not {type(given).__name__}"
        )

    def loads(self, data: bytes) -> Any:
        """See ``Codec``."""
        return self.serializer.loads(data)


class DjangoRedis:
    """django-redis': integers as text, the rest through a serializer and a compressor."""

    def __init__(
        self,
        serializer: Serializer,
        compressor: Compressor,
        foreign: tuple[type[Exception], ...] = (CompressorError,),
    ) -> None:
        self.serializer, self.compressor = serializer, compressor
        self.form = _form(serializer)
        #: What a compressor raises at bytes that are not its own.
        self.foreign = foreign

    def dumps(self, value: Any) -> bytes:
        """See ``Codec``."""
        if isinstance(value, int) and not isinstance(value, (bool, Enum)):
            return b"%d" % value
        return self.compressed(value)

    def compressed(self, value: Any) -> bytes:
        """As ``dumps``, and integers through the serializer too: members of sorted sets are written so."""
        return self.compressor.compress(self.serializer.dumps(value))

    def loads(self, data: bytes) -> Any:
        """See ``Codec``."""
        number = integer(data)
        if number is not None:
            return number
        with suppress(*self.foreign):  # too short to be compressed, or written without
            data = self.compressor.decompress(data)
        return self.serializer.loads(data)


class Vcache:
    """django-vcache's: a letter says how the rest is written, and what cannot be read is a miss."""

    form = "vcache"

    def __init__(
        self,
        writes: str,
        reads: Sequence[str],
        compress_from: int,
        unpickle: Callable[[bytes], Any] = pickle.loads,
    ) -> None:
        self._compress, self._decompress, _ = zstd("DIALECT vcache")
        self._compress_from = compress_from
        msgpack = (
            needed("DIALECT vcache", "pip install ormsgpack", "ormsgpack") if "m" in reads else None
        )
        loads = {"m": getattr(msgpack, "unpackb", None), "p": unpickle}
        dumps = {"m": getattr(msgpack, "packb", None), "p": pickle.dumps}
        self._letter, self._dumps = writes.encode(), dumps[writes]
        self._loads: dict[int, Any] = {ord(letter): loads[letter] for letter in reads}

    def dumps(self, value: Any) -> bytes:
        """See ``Codec``. TypeError for what MessagePack does not know."""
        if isinstance(value, int) and not isinstance(value, bool):
            return b"%d" % value
        data: bytes = self._dumps(value)  # type: ignore[misc]
        if self._compress_from and len(data) >= self._compress_from:
            return self._letter.upper() + self._compress(data)
        return self._letter + data

    def loads(self, data: bytes) -> Any:
        """See ``Codec``."""
        letter = data[0] if data else 0
        try:
            if loads := self._loads.get(letter):
                return loads(data[1:])
            if loads := self._loads.get(letter | 32):
                return loads(self._decompress(data[1:]))
        except Exception as error:
            raise NotDecodable from error
        number = integer(data)
        if number is None:
            raise NotDecodable
        return number


class Several:
    """Writes one dialect and reads several, in their order: the first that can."""

    def __init__(self, writer: Codec, readers: Sequence[Codec]) -> None:
        self.writer, self.dumps, self.form = writer, writer.dumps, writer.form
        self.readers = tuple(readers)

    def loads(self, data: bytes) -> Any:
        """See ``Codec``. If nobody can read it, the first error that is not just a miss."""
        failure: Exception | None = None
        for reader in self.readers:
            try:
                return reader.loads(data)
            except NotDecodable:
                continue
            except Exception as error:
                failure = failure or error
        raise failure or NotDecodable


def integer(data: bytes) -> int | None:
    """What Python's ``int()`` makes of bytes, which takes blanks, signs and underscores."""
    if data[:1] == b"\x80":  # pickle, and never a number
        return None
    try:
        return int(data)
    except ValueError:
        return None


def make_codec(options: RedisOptions) -> Codec | None:
    """The codec of an alias. ``None``: integers as text and pickle, which Rust does by itself."""
    if _is_plain(options):
        return None
    unpickle = _unpickle(options)
    codecs = {dialect: _codec(dialect, options, unpickle) for dialect in options.read}
    writer, readers = codecs[options.dialect], tuple(codecs.values())
    if not options.signing_keys:
        return one_of(writer, readers)
    from hotclub.django.signing import Signed  # which is made of these codecs

    signed = Signed(writer, readers, options.signing_keys, options.signing_read_unsigned)
    return Several(writer, (signed,)) if options.signing_write_unsigned else signed


def one_of(writer: Codec, readers: Sequence[Codec]) -> Codec:
    """What writes like one and reads like all of them."""
    return readers[0] if len(readers) == 1 else Several(writer, readers)


def _unpickle(options: RedisOptions) -> Callable[[bytes], Any]:
    if not options.safe_pickle:
        return pickle.loads
    more = options.safe_pickle
    return SafePickle(more if isinstance(more, tuple) else ()).loads


def _is_plain(options: RedisOptions) -> bool:
    if options.signing_keys or options.safe_pickle:
        return False
    if options.serializer is not None or "vcache" in options.read:
        return False
    if "django-redis" not in options.read:
        return True
    return (
        _class(options.serializer_path, PICKLE) is PICKLE
        and _class(options.compressor_path, IDENTITY) is IDENTITY
    )


def _codec(dialect: str, options: RedisOptions, unpickle: Callable[[bytes], Any]) -> Codec:
    if dialect == "vcache":
        return _vcache(options, unpickle)
    if dialect == "django":
        return _django(options, unpickle)
    serializer = _made("SERIALIZER", options.serializer_path, PICKLE, options)
    if options.safe_pickle:
        serializer = _safe(serializer, options, unpickle)
    compressor = _made("COMPRESSOR", options.compressor_path, IDENTITY, options)
    return DjangoRedis(serializer, compressor, _foreign(compressor))


class SafePickleSerializer(serializers.PickleSerializer):
    """What SAFE_PICKLE makes of django-redis' serializer."""

    def __init__(self, options: Any, unpickle: Callable[[bytes], Any]) -> None:
        super().__init__(options)
        self._unpickle = unpickle

    def loads(self, value: bytes) -> Any:
        """The value of bytes."""
        return self._unpickle(value)


FORMATS[SafePickleSerializer] = FORMATS[serializers.PickleSerializer]


def _safe(serializer: Any, options: RedisOptions, unpickle: Callable[[bytes], Any]) -> Any:
    if type(serializer) is serializers.PickleSerializer:
        return SafePickleSerializer(options.given, unpickle)
    if type(serializer) not in FORMATS:
        raise _wrong(NOT_SAFE)
    return serializer


NOT_SAFE = (
    "SAFE_PICKLE has no say in a serializer of your own: leave out SAFE_PICKLE, and if that serializer "
    "unpickles, let it do so with hotclub.django.safe_pickle.SafePickle().loads"
)


def _django(options: RedisOptions, unpickle: Callable[[bytes], Any]) -> Codec:
    if options.serializer is None:
        return Plain(options.pickle_protocol, unpickle)
    if options.safe_pickle:
        raise _wrong(NOT_SAFE)
    given = options.serializer
    try:
        made = import_string(given) if isinstance(given, str) else given
        made = made() if callable(made) else made
    except ImportError as error:
        raise _wrong(
            f"OPTIONS['serializer'] is {given!r}, which cannot be imported: {error}"
        ) from error
    if not (callable(getattr(made, "dumps", None)) and callable(getattr(made, "loads", None))):
        raise _wrong("OPTIONS['serializer'] must have the methods dumps and loads")
    return Custom(made)


def _vcache(options: RedisOptions, unpickle: Callable[[bytes], Any]) -> Codec:
    """An alias that writes this dialect reads its own serializer alone, as django-vcache does."""
    if options.dialect != "vcache":
        return Vcache("m", "mp", options.compress_min_len, unpickle)
    letters = {"msgpack": "m", "pickle": "p"}
    letter = letters.get(options.serializer_path or "msgpack")
    if letter is None or options.compressor_path or options.serializer is not None:
        raise _wrong("DIALECT vcache has SERIALIZER 'msgpack' or 'pickle', and no other codec")
    return Vcache(letter, letter, options.compress_min_len, unpickle)


def _form(serializer: Any) -> str:
    """The name of what a serializer writes. One of somebody's own: of its class."""
    made = type(serializer)
    return FORMATS.get(made) or f"{made.__module__}.{made.__qualname__}"


def _class(path: str | None, default: Factory) -> Factory | None:
    return default if path is None else PATHS.get(path)


def _made(name: str, path: str | None, default: Factory, options: RedisOptions) -> Any:
    """An object of the class that an option names, made as django-redis makes it."""
    try:
        known = _class(path, default)
        found = import_string(path) if known is None else known
        return found(options=dict(options.given))
    except ImportError as error:
        raise _wrong(f"OPTIONS[{name!r}] is {path!r}, which cannot be imported: {error}") from error


def _foreign(compressor: Compressor) -> tuple[type[Exception], ...]:
    """What a compressor raises at bytes that are not its own; one made for django-redis has its error."""
    if type(compressor).__module__ != compressors.__name__:
        with suppress(ImportError):
            return CompressorError, import_module("django_redis.exceptions").CompressorError
    return (CompressorError,)


def _wrong(what: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"hotclub: RedisCache: {what}")
