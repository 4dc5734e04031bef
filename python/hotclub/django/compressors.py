"""Compressors with the bytes and thresholds of django-redis, under classes of ours.

A compressed entry carries no mark: what cannot be decompressed is taken as it is. A compressor of your own
is a class that takes OPTIONS and has ``compress`` and ``decompress``; the latter raises ``CompressorError``.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

__all__ = [
    "CompressorError",
    "GzipCompressor",
    "IdentityCompressor",
    "Lz4Compressor",
    "LzmaCompressor",
    "ZStdCompressor",
    "ZlibCompressor",
]


class CompressorError(Exception):
    """These bytes are not of this compressor."""


class IdentityCompressor:
    """Leaves everything as it is."""

    #: Payloads up to this length are not compressed.
    min_length: ClassVar[int] = 15

    def __init__(self, options: Mapping[str, Any]) -> None:
        pass

    def compress(self, value: bytes) -> bytes:
        """The bytes to store."""
        return value

    def decompress(self, value: bytes) -> bytes:
        """The bytes that were given to ``compress``."""
        return value


class ZlibCompressor(IdentityCompressor):
    """zlib, level 6."""

    preset: ClassVar[int] = 6

    def compress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        return zlib.compress(value, self.preset) if len(value) > self.min_length else value

    def decompress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        try:
            return zlib.decompress(value)
        except zlib.error as error:
            raise CompressorError from error


class GzipCompressor(IdentityCompressor):
    """gzip, the highest level. Holds the time, so that equal values give other bytes."""

    def compress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        return gzip.compress(value) if len(value) > self.min_length else value

    def decompress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        try:
            return gzip.decompress(value)
        except gzip.BadGzipFile as error:
            raise CompressorError from error


class LzmaCompressor(IdentityCompressor):
    """xz, preset 4."""

    min_length = 100
    preset: ClassVar[int] = 4

    def compress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        return lzma.compress(value, preset=self.preset) if len(value) > self.min_length else value

    def decompress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        try:
            return lzma.decompress(value)
        except lzma.LZMAError as error:
            raise CompressorError from error


class Lz4Compressor(IdentityCompressor):
    """lz4 frames, by the package lz4."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._lz4 = needed("COMPRESSOR lz4", "pip install lz4", "lz4.frame")

    def compress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        return bytes(self._lz4.compress(value)) if len(value) > self.min_length else value

    def decompress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        try:
            return bytes(self._lz4.decompress(value))
        except Exception as error:  # it raises RuntimeError, and others
            raise CompressorError from error


class ZStdCompressor(IdentityCompressor):
    """zstd frames, level 3, by Python 3.14 itself or the package backports.zstd or pyzstd."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._compress, self._decompress, self._error = zstd("COMPRESSOR zstd")

    def compress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        return self._compress(value) if len(value) > self.min_length else value

    def decompress(self, value: bytes) -> bytes:
        """See ``IdentityCompressor``."""
        try:
            return self._decompress(value)
        except self._error as error:
            raise CompressorError from error


Zstd = tuple[Callable[[bytes], bytes], Callable[[Any], bytes], type[Exception]]


def zstd(who: str) -> Zstd:
    """``compress``, ``decompress`` and their error, of the first package that there is."""
    packages = ("compression.zstd", "backports.zstd", "pyzstd")
    module = needed(who, "pip install backports.zstd", *packages)
    return module.compress, module.decompress, module.ZstdError


def needed(who: str, install: str, *modules: str) -> Any:
    """The first of ``modules`` that can be imported. ImproperlyConfigured says how to get one."""
    for module in modules:
        try:
            return import_module(module)
        except ImportError:
            continue
    raise ImproperlyConfigured(f"hotclub: RedisCache: {who} needs a package: {install}")
