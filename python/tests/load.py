"""A cache in use without pause, while a test breaks what is behind it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from hotclub import errors

from clocks import until
from servers import Server

#: Nothing takes longer: a request and its repetition, with room for a busy machine.
GENEROUS = 10.0


class Load:
    """Threads and loops that use a cache without pause, and what came of it."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.stopping = threading.Event()
        self.done = self.failed = 0
        self.slowest = 0.0
        self.wrong: list[Any] = []
        self._threads = [
            threading.Thread(target=self._blocking, args=(number,)) for number in range(3)
        ]
        self._threads += [threading.Thread(target=lambda: asyncio.run(self._loop()))]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self._threads), "it hangs"
        assert self.wrong == []
        assert self.slowest < GENEROUS

    def _took(self, began: float, worked: bool) -> None:
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.done, self.failed = self.done + worked, self.failed + (not worked)

    def _check(self, key: str, value: Any, found: Any) -> None:
        # The server may have been emptied meanwhile.
        if found is not None and found[:2] != [key, value[1]]:
            self.wrong.append((key, value, found))

    def _failure(self, error: BaseException) -> None:
        if not isinstance(error, errors.CacheConnectionError):
            self.wrong.append(error)

    def _blocking(self, number: int) -> None:
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            began, key, value = time.monotonic(), f"t{number}", [f"t{number}", turn, "x" * 100]
            try:
                self.cache.set(key, value)
                self._check(key, value, self.cache.get(key))
            except BaseException as error:
                self._failure(error)
                self._took(began, False)
                time.sleep(0.002)
            else:
                self._took(began, True)

    async def _loop(self) -> None:
        await asyncio.gather(*(self._task(number) for number in range(20)))

    async def _task(self, number: int) -> None:
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            began, key, value = time.monotonic(), f"a{number}", [f"a{number}", turn, "x" * 100]
            try:
                await self.cache.aset(key, value)
                self._check(key, value, await self.cache.aget(key))
            except BaseException as error:
                self._failure(error)
                self._took(began, False)
                await asyncio.sleep(0.002)
            else:
                self._took(began, True)

    def works(self) -> None:
        """Waits until it works, and for a while without a failure."""
        until(lambda: self._undisturbed())

    def fails(self) -> None:
        """Waits until it has failed for all to see."""
        failed = self.failed
        until(lambda: self.failed > failed + 5)

    def _undisturbed(self) -> bool:
        done, failed = self.done, self.failed
        time.sleep(0.2)
        return self.done > done + 20 and self.failed == failed


def survives_restarts(cache: Any, server: Server) -> None:
    """The server dies under load and comes back, twice; each time the cache finds it again."""
    with Load(cache) as load:
        load.works()
        for _ in range(2):
            server.kill()
            load.fails()
            server.restart()
            load.works()
