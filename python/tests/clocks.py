"""Waiting for something to happen, but never for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


def until(happened: Callable[[], object], limit: float = 20) -> float:
    """Ask every few milliseconds; the seconds it took. Fails after ``limit``."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < limit, f"it did not happen within {limit} s"
        time.sleep(0.005)
    return time.monotonic() - began


async def auntil(happened: Callable[[], Awaitable[object]], limit: float = 20) -> None:
    """The same in a loop."""
    began = time.monotonic()
    while not await happened():
        assert time.monotonic() - began < limit, f"it did not happen within {limit} s"
        await asyncio.sleep(0.005)
