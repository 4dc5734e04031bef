"""Signatures of stored values, for those who do not trust the server with code.

A signed value is two bytes that nothing else starts with, the first 16 bytes of an HMAC-SHA256, and what the
codec wrote. The HMAC also covers the name of the format, so that bytes which are harmless as JSON cannot be
passed off as a pickle. It does not cover the cache key, which codecs are not told.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from hotclub.django.codecs import Codec, DjangoRedis, integer, one_of
from hotclub.django.compressors import CompressorError
from hotclub.errors import CacheDecodeError

__all__ = ["Signed", "Signer", "Signing", "looks_signed"]

#: Starts no UTF-8, no pickle, nothing of a compressor's, and nothing that a Rust service writes (c1, f5 to
#: f7); in MessagePack it is a whole number (-8) that ends there.
MARK = b"\xf8"
VERSION = b"\x01"
_HEADER = MARK + VERSION
#: Half of the digest, as RFC 2104 allows: who guesses needs 2**128 tries, each of which is a read by us, so
#: the other half would be memory of the server and nothing else.
_LENGTH = 16
_PAYLOAD = len(_HEADER) + _LENGTH
_DOMAIN = b"hotclub signed value\0"

FORGED = (
    "redis: cannot decode a value: none of SIGNING_KEYS signed it, or it was changed since, "
    "or another serializer wrote it"
)
UNSIGNED = (
    "redis: cannot decode a value: it is not signed, and there are SIGNING_KEYS "
    "(SIGNING_READ_UNSIGNED accepts such values while servers change over)"
)


class Signer:
    """Signs what one format wrote, and tells who signed."""

    __slots__ = ("_started",)

    def __init__(self, keys: Sequence[bytes], form: str) -> None:
        domain = _DOMAIN + _HEADER + form.encode() + b"\0"
        # The blocks of the key and of the domain are hashed once and not for each value.
        self._started = tuple(hmac.new(key, domain, sha256) for key in keys)

    def signed(self, payload: bytes) -> bytes:
        """The bytes to store: by the first key."""
        return _HEADER + _signature(self._started[0], payload) + payload

    def opened(self, data: bytes) -> bytes | None:
        """What was signed, by any of the keys; ``None`` if it was by none of them, or changed since."""
        if data[:2] != _HEADER:
            return None
        signature, payload = data[2:_PAYLOAD], data[_PAYLOAD:]
        for started in self._started:
            if hmac.compare_digest(_signature(started, payload), signature):
                return payload
        return None


def looks_signed(data: bytes) -> bool:
    """Whether it starts as signed values do."""
    return data[:1] == MARK


def _signature(started: hmac.HMAC, payload: bytes) -> bytes:
    ended = started.copy()
    ended.update(payload)
    return ended.digest()[:_LENGTH]


class Signing:
    """As a compressor: the bytes with a signature in front, and without it."""

    def __init__(self, signer: Signer) -> None:
        self.compress = signer.signed
        self._opened = signer.opened

    def decompress(self, value: bytes) -> bytes:
        """What was signed."""
        if (payload := self._opened(value)) is None:
            raise CompressorError(FORGED)
        return payload


class Signed(DjangoRedis):
    """Whatever another codec writes, signed; whole numbers are bare, so that the server can count.

    It is django-redis' codec whose serializer is that other codec and whose compressor signs: so members of
    sorted sets are signed too, integers included, and nobody looks for patterns in them.
    """

    def __init__(
        self, writer: Codec, readers: Sequence[Codec], keys: Sequence[bytes], unsigned: bool
    ) -> None:
        forms: dict[str, list[Codec]] = {}
        for reader in (writer, *readers):
            if reader not in (found := forms.setdefault(reader.form, [])):
                found.append(reader)
        signers = {form: Signer(keys, form) for form in forms}
        super().__init__(writer, Signing(signers[writer.form]))
        self.form = writer.form
        self._readers = [(signers[form], one_of(writer, codecs)) for form, codecs in forms.items()]
        #: Reads what nobody signed.
        self._unsigned = one_of(writer, readers) if unsigned else None

    def dumps(self, value: Any) -> bytes:
        """See ``Codec``."""
        data: bytes = self.serializer.dumps(value)
        if isinstance(value, int) and not isinstance(value, bool) and data == b"%d" % value:
            return data
        return self.compressor.compress(data)

    def loads(self, data: bytes) -> Any:
        """See ``Codec``. Nothing is made of bytes before somebody of ours is known to have written them."""
        if looks_signed(data):
            for signer, reader in self._readers:
                if (payload := signer.opened(data)) is not None:
                    return reader.loads(payload)
            raise CacheDecodeError(FORGED)
        if self._unsigned is not None:
            return self._unsigned.loads(data)
        number = integer(data)
        if number is None:
            raise CacheDecodeError(UNSIGNED)
        return number
