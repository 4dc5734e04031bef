"""Forked and spawned processes, and threads: no hang, no lost update, one winner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

import programs
from backends import FORKING_BESIDE_THREADS, IN_PROCESS, KEEPING, Backend

# A child that hangs is ended by its alarm; one that fails says where.
FORKING = """
import faulthandler, os, select, signal, sys, threading, traceback, warnings
# Python warns of forks beside threads; whether they work is the question here.
warnings.filterwarnings("ignore", category=DeprecationWarning)

faulthandler.register(signal.SIGALRM, chain=True)

# Beside threads, an interpreter may hang in the child of a fork before it comes to any code of ours: CPython
# 3.11 does, now and then. Such a child never says that it began, and another one is forked. What is called
# here comes before all that the caches register, for they are not imported yet.
saying = []

def say_that_it_began():
    if saying:
        signal.alarm(20)
        os.write(saying.pop(), b"!")

os.register_at_fork(after_in_child=say_that_it_began)

def forked(work):
    for trial in range(3):
        heard, said = os.pipe()
        saying.append(said)
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        saying.clear()
        os.close(said)
        began, _, _ = select.select([heard], [], [], 10)
        os.close(heard)
        if began:
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    raise AssertionError("none of three children began")

def in_child(work):
    _, status = os.waitpid(forked(work), 0)
    assert status == 0, f"the child ended with {status}"

def use(cache, name):
    cache.set(name, {"a": [1]}, 60)
    assert cache.get(name) == {"a": [1]}
    assert cache.add(name, 2) is False and cache.touch(name, 60)
    cache.set_many({name + "1": 1, name + "2": 2})
    assert cache.get_many([name + "1", name + "2"]) == {name + "1": 1, name + "2": 2}
    assert cache.incr(name + "1", 5) == 6
    assert cache.delete(name) and not cache.has_key(name)
"""

each_in_process = pytest.mark.parametrize("backend", IN_PROCESS, ids=lambda backend: backend.name)
ADDING = tuple(backend for backend in KEEPING if backend.adds == "anything")


def check(backend: Backend, program: str) -> None:
    aliases: dict[str, object] = {"default": backend.settings(), "other": backend.settings()}
    assert programs.run(FORKING + program, aliases, limit=120).strip() == "done"


@each_in_process
def test_a_forked_child_has_a_copy_of_its_own(backend: Any) -> None:
    check(
        backend,
        """
def work():
    for alias in ("default", "other"):
        assert caches[alias].get("parent") == [alias]
        use(caches[alias], "child")
        caches[alias].set("parent", "changed")
for alias in ("default", "other"):
    use(caches[alias], "before")
    caches[alias].set("parent", [alias])
in_child(work)
in_child(lambda: in_child(work))
for alias in ("default", "other"):
    assert caches[alias].get("parent") == [alias]
    assert caches[alias].get("child2") is None
    use(caches[alias], "after")
print("done")
""",
    )


@pytest.mark.parametrize("backend", FORKING_BESIDE_THREADS, ids=lambda backend: backend.name)
def test_children_forked_beside_busy_threads_work(backend: Any) -> None:
    check(
        backend,
        """
sys.setswitchinterval(1e-4)
stop = threading.Event()
# Opened before the fork: finding a class, or a router, and asgiref's Local take locks of their own.
default, other = caches["default"], caches["other"]
default.get("k")
def hammer(name):
    while not stop.is_set():
        default.set(name, {"a": [1]}, 60)
        default.get_many(["t0", "t1", "t2", "t3"])
        default.get_or_set("shared", lambda: [name])
        other.set_many({name: [name], "x": 1})
        other.incr("x")
        default.delete("shared")
def work():
    for opened in (default, other):
        use(opened, "child")
        opened.clear()
        use(opened, "child")
threads = [threading.Thread(target=hammer, args=(f"t{n}",)) for n in range(4)]
for thread in threads: thread.start()
try:
    for _ in range(30):
        in_child(work)
finally:
    stop.set()
for thread in threads: thread.join(10)
assert not any(thread.is_alive() for thread in threads)
use(default, "after")
print("done")
""",
    )


@each_in_process
def test_spawned_processes_start_empty(backend: Any) -> None:
    check(
        backend,
        """
import multiprocessing
# They import `children`, which sets Django up as a worker's main module would.
import children
cache.set("parent", 1)
with multiprocessing.get_context("spawn").Pool(2) as pool:
    answers = pool.map(children.work, [site] * 2)
    pool.close()
    pool.join()
assert answers[0] is None, answers
assert cache.get("parent") == 1 and cache.get("child") is None
print("done")
""",
    )


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(number)`` in so many threads at once; their answers."""
    answers: list[Any] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait(10)
        try:
            answers.append(work(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == count, "a thread failed or hangs"
    return answers


@pytest.fixture(autouse=True)
def busy_switching(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Threads take turns as often as the interpreter can."""
    import sys

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("first", [0, 2**62])
def test_no_increment_is_lost_between_threads(plain: Any, first: int) -> None:
    count_in_threads(plain, first)


@pytest.mark.parametrize("kind", ADDING, ids=lambda backend: backend.name, indirect=True)
@pytest.mark.parametrize("first", [0.0, 2**63 - 1000, 2**70], ids=str)
def test_no_increment_of_another_kind_is_lost_either(plain: Any, first: Any) -> None:
    count_in_threads(plain, first)


def count_in_threads(plain: Any, first: Any) -> None:
    plain.set("total", first)

    def work(number: int) -> list[Any]:
        return [
            plain.incr("total") if number % 2 else -plain.decr("total", -1) for _ in range(1000)
        ]

    seen = in_threads(4, work)
    assert plain.get("total") == first + 4000
    assert len({abs(sum_) for sums in seen for sum_ in sums}) == 4000


def test_add_has_one_winner_among_threads(plain: Any) -> None:
    for number in range(100):
        answers = in_threads(4, lambda own, key=str(number): (plain.add(key, own), own))
        (winner,) = [own for added, own in answers if added]
        assert plain.get(str(number)) == winner


def test_get_or_set_gives_all_threads_the_same_value(plain: Any) -> None:
    for number in range(100):
        answers = in_threads(4, lambda own, key=str(number): plain.get_or_set(key, lambda: [own]))
        assert all(answer == answers[0] for answer in answers)
        assert plain.get(str(number)) == answers[0]


def test_threads_that_do_everything_at_once_see_whole_values(plain: Any, kind: Backend) -> None:
    def work(own: int) -> None:
        for turn in range(400):
            key = f"k{turn % 5}"
            plain.set(key, {"own": own, "rest": [own] * 20})
            seen = plain.get(key)
            assert seen is None or seen["rest"] == [seen["own"]] * 20
            plain.set_many({"m": [own], "n": [own]})
            plain.touch(key, 60)
            plain.get_many(["m", "n", key])
            if turn % 50 == 0:
                plain.delete_many(["m", key])
                plain.clear()

    in_threads(4, work)
    if kind.in_process:
        assert plain.stats()["entries"] <= 7
