"""Event loops and what is on a disk: a few threads of our own, many loops, and no loop that is blocked."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hotclub import errors

import programs
from backends import FILES, SQLITE
from callers import ask_and_cancel, ask_impatiently
from sqlite_outside import holding
from test_forks import FORKING_ASYNC
from test_loops import ASYNC_VERBS, LOOPS, work

#: What works for loops: four, one that sees to it that they are not all held up, and a few more where a disk
#: holds them up. Far fewer than there are tasks.
THREADS = 13


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the entries are."""
    return tmp_path / "cache"


@dataclass(frozen=True)
class Kind:
    """One of the two kinds of caches on a disk."""

    backend: str
    #: Behind the folder's name.
    end: str
    #: As if another process held all locks.
    all_locked: Callable[[Path], AbstractContextManager[Any]]

    def settings(self, folder: Path, **options: Any) -> dict[str, Any]:
        """A cache in this folder."""
        options = {"MAX_ENTRIES": 10**6, **options}
        return {"BACKEND": self.backend, "LOCATION": f"{folder}{self.end}", "OPTIONS": options}


@contextmanager
def lock_file_taken(folder: Path) -> Iterator[None]:
    """The locks of files are ranges of one."""
    with open(folder / ".hotclub.lock", "r+b") as locks:
        fcntl.lockf(locks, fcntl.LOCK_EX)
        yield


KINDS = {
    "file": Kind(FILES, "", lock_file_taken),
    "sqlite": Kind(
        SQLITE, "/cache.db", lambda folder: holding(folder / "cache.db", "BEGIN IMMEDIATE")
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of them."""
    return KINDS[request.param]


@pytest.fixture
def make(configure: Any, folder: Path, kind: Kind) -> Callable[..., Any]:
    """``make(LOCK_LIMIT=1)``: a cache in it."""

    def made(**options: Any) -> Any:
        return configure(default=kind.settings(folder, **options))["default"]

    return made


@pytest.fixture
def cache(make: Any) -> Any:
    """A cache of default settings."""
    return make()


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine on a loop of each kind."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


def own_threads() -> int:
    """How many threads of this process are ours."""
    names = []
    for thread in Path("/proc/self/task").iterdir():
        try:
            names.append((thread / "comm").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return names.count("hotclub-disk\n")


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_hundred_tasks_share_a_few_threads(run: Any, cache: Any) -> None:
    async def main() -> None:
        await asyncio.gather(*(work(cache, own, turns=3) for own in range(100)))

    run(main())
    assert 0 < own_threads() <= THREADS


def test_loops_one_after_another_leave_nothing_open(cache: Any) -> None:
    cache.set("k", 1)
    asyncio.run(work(cache, 0, turns=1))
    before = descriptors()
    for number in range(30):
        asyncio.run(work(cache, number, turns=1))
    gc.collect()
    # That of the last loop may wait for the next one.
    assert descriptors() <= before + 2


def test_loops_in_several_threads_at_once(cache: Any) -> None:
    failures: list[BaseException] = []

    async def main(number: int) -> None:
        await asyncio.gather(*(work(cache, number * 100 + own, turns=3) for own in range(20)))

    def thread(number: int) -> None:
        try:
            for _ in range(3):
                asyncio.run(main(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        # Blocking verbs beside them.
        cache.set("blocking", {"a": [1]})
        assert cache.get("blocking") == {"a": [1]}
    assert failures == []
    assert own_threads() <= THREADS


def test_a_loop_may_be_closed_with_work_in_flight(cache: Any) -> None:
    cache.set_many({str(number): number for number in range(100)})
    for pause in (0, 0, 0.001, 0.003, 0.01):
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(cache.aget(str(number))) for number in range(100)]
        tasks += [loop.create_task(cache.aset(f"n{number}", number)) for number in range(100)]
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(asyncio.sleep(pause))
        loop.close()
        assert asyncio.run(cache.aget_many(["1", "2"])) == {"1": 1, "2": 2}
        assert cache.get("3") == 3
        del loop, tasks, task
        gc.collect()


def test_a_loop_that_stops_and_goes_on_finds_its_answers(cache: Any) -> None:
    cache.set("k", "value")
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(cache.aget("k"))
        loop.run_until_complete(asyncio.sleep(0))
        time.sleep(0.05)
        assert loop.run_until_complete(task) == "value"
    finally:
        loop.close()


def test_a_loop_is_collected_once_it_is_over(cache: Any) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work(cache, 1))
    gone = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()
    assert gone() is None


def test_each_answer_is_for_its_asker_though_many_are_cancelled(run: Any, cache: Any) -> None:
    values = {f"k{number}": [number, "x" * (number % 50)] for number in range(200)}
    cache.set_many(values)
    chance = random.Random(3)

    async def main() -> None:
        cancelled = 0
        while cancelled < 1000:
            cancelled += await ask_and_cancel(cache.aget, values, chance)
        assert await cache.aget_many(values) == values

    run(main())


def test_a_request_that_times_out_for_its_caller_costs_nobody_else(cache: Any) -> None:
    asyncio.run(ask_impatiently(cache))


def test_a_cancelled_write_leaves_a_whole_value(cache: Any) -> None:
    """It may have been done or not."""

    async def main() -> None:
        for number in range(200):
            task = asyncio.ensure_future(cache.aset("k", [number] * 1000))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            found = await cache.aget("k")
            assert found is None or found == found[:1] * 1000

    asyncio.run(main())


async def ticks_until(stop: asyncio.Event) -> tuple[int, float]:
    """How often the loop did something else, and for how long it did not, at most."""
    count, slowest = 0, 0.0
    while not stop.is_set():
        began = time.monotonic()
        await asyncio.sleep(0.005)
        count, slowest = count + 1, max(slowest, time.monotonic() - began)
    return count, slowest


WRITES: dict[str, Callable[[Any], Any]] = {
    "aset": lambda cache: cache.aset("k", 2),
    "aadd": lambda cache: cache.aadd("k", 2),
    "aset_many": lambda cache: cache.aset_many({"k": 2}),
    "atouch": lambda cache: cache.atouch("k", 60),
    "aincr": lambda cache: cache.aincr("k"),
    "adelete": lambda cache: cache.adelete("k"),
    "adelete_many": lambda cache: cache.adelete_many(["k"]),
}


@pytest.mark.parametrize("verb", WRITES)
def test_a_loop_goes_on_while_a_verb_waits_for_another_process(
    make: Any, kind: Kind, folder: Path, verb: str
) -> None:
    cache = make(LOCK_LIMIT=5)
    cache.set("k", 1)

    async def main() -> None:
        stop = asyncio.Event()
        ticking = asyncio.create_task(ticks_until(stop))
        with kind.all_locked(folder):
            waiting = asyncio.ensure_future(WRITES[verb](cache))
            await asyncio.sleep(0.3)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 10)
        stop.set()
        count, slowest = await ticking
        # A verb that held it up would do so for as long as it may wait.
        assert count > 2
        assert slowest < 2.5

    asyncio.run(main())


def test_a_lock_that_is_never_given_back_is_an_error_that_says_so(
    make: Any, kind: Kind, folder: Path
) -> None:
    cache = make(LOCK_LIMIT=0.2)
    cache.set("k", 1)
    with kind.all_locked(folder):
        for _ in range(2):
            with pytest.raises(
                errors.CacheTimeoutError, match=r"(another process|somebody else) holds"
            ):
                asyncio.run(cache.aset("k", 2))
        with pytest.raises(errors.CacheTimeoutError, match=r"for more than 0.2 s") as raised:
            cache.set("k", 2)
        assert isinstance(raised.value, OSError)
        assert cache.get("k") == 1, "readers need no lock"
        assert asyncio.run(cache.aget("k")) == 1
    cache.set("k", 2)
    assert cache.get("k") == 2


def test_a_loop_goes_on_while_large_files_are_written(cache: Any) -> None:
    large = [os.urandom(2 << 20) for _ in range(20)]

    async def main() -> None:
        stop = asyncio.Event()
        ticking = asyncio.create_task(ticks_until(stop))
        await asyncio.gather(
            *(cache.aset(f"large{number}", value) for number, value in enumerate(large))
        )
        stop.set()
        count, _ = await ticking
        assert count > 2, "it was held up until all were written"
        assert await cache.aget("large7") == large[7]

    asyncio.run(main())


@pytest.mark.parametrize("verb", ASYNC_VERBS)
def test_an_async_verb_outside_of_a_loop_says_so(cache: Any, verb: str) -> None:
    waiting = getattr(cache, verb)(*ASYNC_VERBS[verb])
    with pytest.raises(RuntimeError, match=r"outside of an event loop|no running event loop"):
        waiting.send(None)


def test_a_loop_that_is_never_run_again_costs_nobody_anything(cache: Any) -> None:
    async def leave() -> None:
        leaving.extend(asyncio.ensure_future(cache.aget(str(number))) for number in range(100))
        await asyncio.sleep(0)

    leaving: list[Any] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    assert asyncio.run(cache.aget("missing", "default")) == "default"
    loop.run_until_complete(asyncio.gather(*leaving))
    loop.close()


def test_nothing_is_left_unclosed_or_said_at_the_end(kind: Kind, folder: Path) -> None:
    said = programs.run(
        """
        import asyncio, gc, logging
        # Slow machines are no news, and below errors.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        async def use(number):
            await cache.aset("k", number)
            assert await cache.aget("k") == number
            for one in asyncio.as_completed([cache.aget("k") for _ in range(10)]):
                assert await one == number
        for number in range(3):
            asyncio.run(use(number), debug=True)
        cache.get("k")
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use(4))
        loop.close()
        gc.collect()
        print("done")
        """,
        {"default": kind.settings(folder)},
        silent=True,
    )
    assert said == "done\n"


def forked(kind: Kind, folder: Path, program: str) -> None:
    """Run it with two aliases."""
    aliases = {name: kind.settings(folder / name) for name in ("default", "other")}
    assert programs.run(FORKING_ASYNC + program, aliases, limit=120).strip() == "done"


def test_a_loop_that_is_open_at_the_fork_goes_on_in_the_parent(kind: Kind, folder: Path) -> None:
    forked(
        kind,
        folder,
        """
loop = asyncio.new_event_loop()
hammer("before", 10, loop.run_until_complete)
def child():
    hammer("child", 20)
    gc.collect()
beside(child, lambda: hammer("parent", 20, loop.run_until_complete))
hammer("after", 10, loop.run_until_complete)
loop.close()
print("done")
""",
    )


def test_children_work_that_are_forked_beside_threads_with_nothing_to_do(
    kind: Kind, folder: Path
) -> None:
    """Whose places in memory the threads of the child may take."""
    forked(
        kind,
        folder,
        """
hammer("before", 5)
for turn in range(20):
    in_child(lambda: [hammer("child", 3) for _ in range(3)])
hammer("after", 5)
print("done")
""",
    )
