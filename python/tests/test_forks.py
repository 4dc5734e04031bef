"""Caches that processes share, used before a fork: right values on both sides, no shared connection."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import databases
import programs
from backends import FORKING_BESIDE_THREADS, SERVED, SHARED, Backend
from clocks import until
from packages import need_package
from test_processes import FORKING

FORKING_ASYNC = (
    FORKING
    + """
import asyncio, gc, time
default, other = caches["default"], caches["other"]
both = (default, other)

def connected():
    from peers import peers
    return set().union(*(peers(alias["LOCATION"]) for alias in settings.CACHES.values()))

async def four(others):
    # The connections of this process: one of each cache and door, and no more.
    from clocks import until
    for cache in both:
        assert await cache.aget("missing") is cache.get("missing") is None
    until(lambda: len(connected() - others) == 4)
    return connected() - others

async def ahammer(name, turns):
    async def one(cache, key):
        for number in range(turns):
            await cache.aset(key, [key, number])
            assert await cache.aget(key) == [key, number], key
            await cache.aincr(key + "n")
    await asyncio.gather(*(one(cache, f"{name}-{task}") for cache in both for task in range(4)))

TURNS = 100

def hammer(name, turns=None, run=asyncio.run):
    turns = turns or TURNS
    for cache in both:
        cache.set_many({f"{name}-{task}n": 0 for task in range(4)})
        cache.set(name, 0)
    for number in range(turns):
        for cache in both:
            cache.set(name + "k", {name: number})
            assert cache.get(name + "k") == {name: number}
            assert cache.incr(name) == number + 1
    run(ahammer(name, turns))
    for cache in both:
        assert cache.get_many([f"{name}-{task}n" for task in range(4)]) == {
            f"{name}-{task}n": turns for task in range(4)
        }

def beside(child_work, parent_work):
    # Both at the same time.
    child = forked(child_work)
    signal.alarm(30)
    parent_work()
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    assert status == 0, f"the child ended with {status}"
"""
)

#: One of each kind of server, where the others would show nothing else.
ONE_OF_A_KIND = tuple(backend for backend in SHARED if backend.name != "redis-django-redis")
each_backend = pytest.mark.parametrize("backend", SHARED, ids=lambda backend: backend.name)
each_beside_threads = pytest.mark.parametrize(
    "backend",
    [backend for backend in SHARED if backend in FORKING_BESIDE_THREADS],
    ids=lambda backend: backend.name,
)
each_served = pytest.mark.parametrize("backend", SERVED, ids=lambda backend: backend.name)


def check(backend: Backend, program: str) -> None:
    aliases = {"default": backend.settings(), "other": backend.settings()}
    # Where async verbs are statements, one after the other, fewer take as long.
    turns = "" if backend.in_loop else "TURNS = 20\n"
    assert programs.run(FORKING_ASYNC + turns + program, aliases, limit=120).strip() == "done"


@each_backend
def test_parent_and_child_use_what_was_used_before_the_fork(backend: Any) -> None:
    check(
        backend,
        """
hammer("before", 10)
for turn in range(3):
    beside(lambda: hammer("child"), lambda: hammer("parent"))
in_child(lambda: beside(lambda: hammer("grandchild"), lambda: hammer("child")))
hammer("after", 10)
print("done")
""",
    )


@each_served
def test_no_connection_is_used_on_both_sides(backend: Any) -> None:
    check(
        backend,
        """
from clocks import until
others = connected()
parents = asyncio.run(four(others))
# The child needs four of its own.
in_child(lambda: asyncio.run(four(others | parents)))
hammer("after", 1)
# The parent's blocking connections are as they were: the child did not end them.
until(lambda: len(connected() - others) == 2)
assert connected() - others < parents
print("done")
""",
    )


@each_served
def test_a_loop_that_is_open_at_the_fork_goes_on_in_the_parent(backend: Any) -> None:
    check(
        backend,
        """
loop = asyncio.new_event_loop()
others = connected()
hammer("before", 10, loop.run_until_complete)
parents = loop.run_until_complete(four(others))
def child():
    hammer("child")
    gc.collect()
beside(child, lambda: hammer("parent", run=loop.run_until_complete))
assert loop.run_until_complete(four(others)) == parents
loop.close()
print("done")
""",
    )


@each_beside_threads
def test_a_fork_in_a_running_loop_with_requests_in_flight(backend: Any) -> None:
    check(
        backend,
        """
async def main():
    keys = [str(number) for number in range(200)]
    await default.aset_many({key: [key] for key in keys})
    for pause in (0, 0, 0.001):
        asked = [asyncio.ensure_future(default.aget(key)) for key in keys]
        await asyncio.sleep(pause)
        in_child(lambda: hammer("child", 20))
        assert await asyncio.gather(*asked) == [[key] for key in keys]
    await ahammer("after", 10)
for cache in both:
    cache.set_many({f"after-{task}n": 0 for task in range(4)})
asyncio.run(main())
print("done")
""",
    )


@each_beside_threads
def test_children_forked_beside_busy_loops_work(backend: Any) -> None:
    check(
        backend,
        """
sys.setswitchinterval(1e-4)
stop, failed = threading.Event(), []
async def busy(name):
    while not stop.is_set():
        await ahammer(name, 5)
def thread(name):
    try:
        asyncio.run(busy(name))
    except BaseException as error:
        failed.append(error)
for name in ("t0", "t1"):
    for cache in both:
        cache.set_many({f"{name}-{task}n": 0 for task in range(4)})
# The first loop makes asyncio's policy, under a lock of asyncio's own that a fork may copy.
asyncio.run(asyncio.sleep(0))
threads = [threading.Thread(target=thread, args=(name,)) for name in ("t0", "t1")]
for one in threads: one.start()
try:
    for turn in range(15):
        in_child(lambda: hammer(f"child{turn}", 5))
finally:
    stop.set()
for one in threads: one.join(10)
assert not failed and not any(one.is_alive() for one in threads), failed
hammer("after", 10)
print("done")
""",
    )


@pytest.mark.parametrize(
    "backend",
    [backend for backend in ONE_OF_A_KIND if backend in FORKING_BESIDE_THREADS],
    ids=lambda backend: backend.name,
)
@pytest.mark.parametrize("wait", [0, 0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015])
def test_a_fork_beside_the_very_first_use(backend: Any, wait: float) -> None:
    """What is imported or made at the first use, in a thread that the child does not have."""
    check(
        backend,
        f"""
# Opened before: finding a class, a router or a database takes locks of Python and Django.
from django.db import connections, router
connections.all(), router.routers
started = threading.Barrier(2)
def first():
    started.wait()
    hammer("first", 1)
thread = threading.Thread(target=first)
thread.start()
started.wait()
time.sleep({wait})
in_child(lambda: hammer("child", 1))
thread.join(10)
assert not thread.is_alive()
print("done")
""",
    )


@each_backend
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_share_the_entries(backend: Any, method: str) -> None:
    check(
        backend,
        f"""
import multiprocessing
import children
cache.set("parent", 1)
hammer("before", 5)
with multiprocessing.get_context({method!r}).Pool(2) as pool:
    answers = pool.map(children.work, [site] * 6)
    pool.close()
    pool.join()
assert answers == [1] * 6, answers
assert cache.get("child") == 1
hammer("after", 5)
print("done")
""",
    )


def test_a_child_has_what_its_parent_had_in_a_database_in_memory() -> None:
    """Nobody is at its other end: the child has a copy, as of everything in memory."""
    table = {"BACKEND": "hotclub.django.DatabaseCache", "LOCATION": "cached"}
    said = programs.run(
        FORKING
        + """
from django.core.management import call_command
call_command("createcachetable", verbosity=0)
def work():
    assert cache.get("k") == "the parent's"
    cache.set("k", "the child's")
    use(cache, "child")
cache.set("k", "the parent's")
in_child(work)
in_child(lambda: in_child(work))
print(cache.get("k"))
""",
        {"default": table},
        limit=120,
    )
    assert said == "the parent's\n"


@contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[Any]:
    """A server of processes, ended with all of them; what it said is in a file."""
    log = folder / "log"
    with open(log, "wb") as said:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": str(programs.TESTS)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    except BaseException as error:
        error.add_note(log.read_text(errors="replace")[-5000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def asked(path: Path) -> Any:
    """One request on a connection of its own; None while nobody answers."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200, response.status
        return json.loads(response.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    finally:
        connection.close()


@pytest.mark.parametrize("backend", ONE_OF_A_KIND, ids=lambda backend: backend.name)
def test_gunicorn_with_preload_and_two_workers(
    backend: Any, configure: Any, tmp_path: Path
) -> None:
    need_package("gunicorn")
    aliases = {"default": backend.settings(), "other": backend.settings()}
    cache = configure(**aliases)["default"]
    cache.set("requests", 0, None)
    path = tmp_path / "socket"
    command = [
        "-m",
        "gunicorn",
        "--preload",
        "--workers",
        "2",
        "--bind",
        f"unix:{path}",
        "--timeout",
        "20",
    ]
    with running(
        [*command, "forked_site"], tmp_path, {"FORKED_SITE": json.dumps(databases.site(aliases))}
    ):
        until(lambda: asked(path), limit=20)
        answers: list[Any] = []
        workers: set[int] = set()

        def both_answered() -> bool:
            # At the same time: one after the other, the kernel may give all of them to one worker.
            with ThreadPoolExecutor(8) as threads:
                answers.extend(threads.map(asked, [path] * 150))
            workers.update(pid for pid, _ in answers)
            return len(workers) == 2

        until(both_answered, limit=20)
        assert len(workers) == 2
        assert sorted(count for _, count in answers) == list(range(2, 2 + len(answers)))
        assert all(cache.get(f"default-request-{pid}") for pid in workers)
        assert cache.get("requests") == 1 + len(answers)


@pytest.mark.parametrize("backend", ONE_OF_A_KIND, ids=lambda backend: backend.name)
def test_celery_with_its_prefork_pool(backend: Any, configure: Any, tmp_path: Path) -> None:
    need_package("celery")
    aliases = {"default": backend.settings(), "other": backend.settings()}
    cache = configure(**aliases)["default"]
    cache.set("tasks", 0, None)
    broker = tmp_path / "broker"
    (broker / "control").mkdir(parents=True)
    environment = {
        "FORKED_SITE": json.dumps(databases.site(aliases)),
        "FORKED_SITE_BROKER": str(broker),
    }
    command = [
        "-m",
        "celery",
        "-A",
        "forked_site",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "2",
    ]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    send = "import forked_site; [forked_site.app.send_task('count', (n,)) for n in range(40)]"
    done = [f"done-{number}" for number in range(40)]
    subprocess.run(
        [sys.executable, "-c", send],
        check=True,
        timeout=60,
        env={**os.environ, **environment, "PYTHONPATH": str(programs.TESTS)},
    )
    with running([*command, *quiet], tmp_path, environment):
        until(lambda: cache.get("tasks") == 40, limit=90)
        assert len(set(cache.get_many(done).values())) == 2
