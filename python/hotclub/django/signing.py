"""Signatures of stored values, for those who do not trust the server with code.

A signed value is two bytes that nothing else starts with, the first 16 bytes of an HMAC-SHA256, and what the
codec wrote. The HMAC also covers the name of the format, so that bytes which are harmless as JSON cannot be
passed off as a pickle. It does not cover the cache key, which codecs are not told.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

__all__ = ["FEWEST_BYTES", "MOST_KEYS", "Signer", "looks_signed"]

#: A shorter key can be guessed; more keys than these are no rotation.
FEWEST_BYTES, MOST_KEYS = 16, 8

#: Starts no UTF-8, no pickle, nothing of a compressor's, and nothing that a Rust service writes (c1, f5 to f7);
#: in MessagePack it is a whole number (-8) that ends there.
MARK = b"\xf8"
VERSION = b"\x01"
_HEADER = MARK + VERSION
#: Half of the digest, as RFC 2104 allows: who guesses needs 2**128 tries, each of which is a read by us, so
#: the other half would be memory of the server and nothing else.
_LENGTH = 16
_PAYLOAD = len(_HEADER) + _LENGTH
_DOMAIN = b"hotclub signed value\0"


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
        if len(data) < _PAYLOAD or data[:2] != _HEADER:
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
