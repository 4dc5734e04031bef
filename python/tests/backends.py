"""The backends that every topic runs over. A later backend joins with one entry."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.cache.backends.base import memcache_key_warnings
from django.core.management import call_command

import database_servers
import databases
from memcached_servers import MemcachedServer
from servers import RedisOptions, RedisServer

_numbers = itertools.count(1)


def a_location() -> str:
    """A name that no test had before."""
    return f"tests-{next(_numbers)}"


#: So many tests that run at the same time may have a database of their own.
DATABASES = 64


@functools.cache
def redis_of_the_topics() -> RedisServer:
    """The server of the backends in this table: started by the first test that needs it."""
    return RedisServer(RedisOptions(databases=DATABASES))


def a_database() -> str:
    """The URL of an empty database. Without redis-server the test is skipped, where CI is set it fails."""
    server, number = redis_of_the_topics(), next(_numbers) % DATABASES
    server.ask_all(("SELECT", number), ("FLUSHDB",))
    return server.url_db(number)


#: So many locations a test may have. Memcached has no databases: each is a server.
NODES = 4


@functools.cache
def memcached_of_the_topics(number: int) -> MemcachedServer:
    """One of the servers of the backends in this table: started by the first test that needs it."""
    return MemcachedServer()


def a_node() -> str:
    """The address of an empty server. Without memcached the test is skipped, or fails in CI."""
    server = memcached_of_the_topics(next(_nodes))
    server.flush()
    return server.address


def node_at(address: str) -> MemcachedServer:
    """Who is there."""
    nodes = map(memcached_of_the_topics, range(NODES))
    return next(node for node in nodes if node.address == address)


_nodes = itertools.cycle(range(NODES))


@functools.cache
def folder_of_the_topics() -> tempfile.TemporaryDirectory[str]:
    """Where the files of the backends in this table are: made by the first test that needs it."""
    return tempfile.TemporaryDirectory(prefix="hotclub-tests-")


def a_folder() -> str:
    """The path of a directory that is not there yet."""
    return f"{folder_of_the_topics().name}/{next(_numbers)}"


def a_file() -> str:
    """The path of a file that is not there yet."""
    return f"{folder_of_the_topics().name}/{next(_numbers)}.db"


def a_table(database: str = "sqlite") -> str:
    """The name of an empty table. Without the database's server the test is skipped, or fails in CI."""
    if database != "sqlite":
        _started(database)
    table = f"cache_{next(_numbers)}_in_{database}"
    call_command("createcachetable", table, database=database, verbosity=0)
    return table


@functools.cache
def _started(database: str) -> None:
    servers = {"postgres": database_servers.postgres, "maria": database_servers.maria}
    databases.add(database, servers[database]().settings())


@dataclass(frozen=True)
class Backend:
    """One way to fill in ``CACHES``, and what the tests may expect of it."""

    #: Begins with the name of the room, so that ``-k memory`` finds its tests.
    name: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    #: Stores what it is given.
    keeps: bool = True
    #: Its entries are in this process: other processes have others, immutable values are the same objects.
    in_process: bool = True
    #: A server has its entries, and who is connected to it can be asked.
    served: bool = False
    #: Async verbs answer in the loop's own thread, and not in the one that owns Django's connection.
    in_loop: bool = True
    #: Has Django's exact culling and the order of least recent use.
    culls: bool = True
    #: What ``incr`` adds: "anything" that can be added, "numbers", or whole ones of "64 bits", of which
    #: none may be negative where it says "not below 0".
    adds: str = "anything"
    #: Numbers of classes derived from int are stored as numbers, and come back as plain ones.
    counts_all_ints: bool = False
    #: Verbs take some arguments of a client library behind Django's.
    has_more_arguments: bool = False
    #: Warns of keys that memcached would refuse.
    warns: bool = True
    #: Refuses them, and what is no Unicode text.
    refuses: bool = False
    #: Keys are any Unicode text, and nothing else.
    texts: bool = False
    #: Timeouts are kept to the fraction of a second with these options.
    fractions: dict[str, Any] = field(default_factory=dict)
    #: Its clock ticks in steps of so many seconds, and now and then skips one.
    tick: float = 0
    #: ``set_many`` collects what it is given before anything is pickled: meanwhile the dict may change.
    collects: bool = False
    #: An entry that moves to another version keeps the time that it has.
    moves_with_its_time: bool = False
    #: What its ``get_backend_timeout`` says for "never".
    never: int | None = None
    #: What verbs answer that have nothing to say.
    says: dict[str, Any] = field(default_factory=dict)
    #: Where the test's own entries go.
    location: Callable[[], str] = a_location
    #: Django's own class, in whose place it stands.
    replaces: str = "django.core.cache.backends.locmem.LocMemCache"
    #: Where the entries of that class go; None: where ours might go.
    their_location: Callable[[], str] | None = None
    #: The options of that class.
    their_options: dict[str, Any] = field(default_factory=dict)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings of an alias, with a LOCATION of its own if none is given."""
        options = {**self.options, **more.pop("OPTIONS", {})}
        location = more.pop("LOCATION", None) or self.location()
        return {"BACKEND": self.path, "LOCATION": location, "OPTIONS": options, **more}

    def their_settings(self, **more: Any) -> dict[str, Any]:
        """The same for the class in whose place it stands."""
        options = {**self.their_options, **more.pop("OPTIONS", {})}
        location = more.pop("LOCATION", None) or (self.their_location or self.location)()
        return {"BACKEND": self.replaces, "LOCATION": location, "OPTIONS": options, **more}

    def takes(self, full_key: str) -> bool:
        """Whether it has entries under such a key."""
        if not self.refuses and not self.texts:
            return True
        try:
            encoded = full_key.encode()
        except UnicodeEncodeError:
            return False
        return self.texts or (len(encoded) <= 250 and not list(memcache_key_warnings(full_key)))

    @property
    def early(self) -> float:
        """By so many seconds an entry may end before its time."""
        return 2 * self.tick

    def soon(self, seconds: float) -> float:
        """A timeout that ends soon, on a clock that ticks perhaps at once."""
        return max(seconds, self.tick)

    def a_while(self, seconds: float) -> float:
        """One that ends soon, but not before a few more calls."""
        return max(seconds, 3 * self.tick)

    def said(self, verb: str) -> Any:
        """What such a verb answers."""
        return {"set": None, "set_many": [], "delete_many": None, "clear": None, **self.says}[verb]


LOCMEM = "hotclub.django.LocMemCache"
REDIS = "hotclub.django.RedisCache"
FILES = "hotclub.django.FileBasedCache"
SQLITE = "hotclub.django.SQLiteCache"
BACKENDS = (
    Backend("memory-lru", LOCMEM),
    Backend("memory-s3fifo", LOCMEM, {"POLICY": "s3-fifo", "MAX_BYTES": "16MiB"}, culls=False),
    Backend(
        "redis-django",
        REDIS,
        in_process=False,
        served=True,
        culls=False,
        adds="64 bits",
        has_more_arguments=True,
        fractions={"PRECISION": "milliseconds"},
        says={"clear": True},
        location=a_database,
        replaces="replaced.RepairedRedisCache",
    ),
    Backend(
        "redis-django-redis",
        REDIS,
        {"DIALECT": "django-redis"},
        in_process=False,
        served=True,
        culls=False,
        adds="numbers",
        counts_all_ints=True,
        has_more_arguments=True,
        warns=False,
        moves_with_its_time=True,
        says={"set": True, "set_many": None, "delete_many": 1},
        location=a_database,
        replaces="replaced.RepairedDjangoRedisCache",
    ),
    Backend(
        "memcached-pymemcache",
        "hotclub.django.PyMemcacheCache",
        in_process=False,
        served=True,
        culls=False,
        adds="not below 0",
        warns=False,
        refuses=True,
        tick=1,
        never=0,
        collects=True,
        location=a_node,
        replaces="replaced.RepairedPyMemcacheCache",
    ),
    Backend(
        "file",
        FILES,
        in_process=False,
        culls=False,
        texts=True,
        collects=True,
        location=a_folder,
        replaces="replaced.RepairedFileBasedCache",
    ),
    Backend(
        "sqlite",
        SQLITE,
        in_process=False,
        # Uses of the last second are one: who was used last is known to that.
        culls=False,
        texts=True,
        collects=True,
        location=a_file,
        # Nothing of Django's is like it; this one has entries that outlive the process too.
        replaces="replaced.RepairedFileBasedCache",
        their_location=a_folder,
    ),
    Backend(
        "database-sqlite",
        "hotclub.django.DatabaseCache",
        in_process=False,
        in_loop=False,
        culls=False,
        texts=True,
        fractions={"PRECISION": "milliseconds"},
        tick=1,
        collects=True,
        location=a_table,
        replaces="replaced.RepairedDatabaseCache",
    ),
    Backend(
        "dummy",
        "hotclub.django.DummyCache",
        keeps=False,
        culls=False,
        replaces="django.core.cache.backends.dummy.DummyCache",
    ),
)
#: In place of Django's class for pylibmc, which machines may lack: no topic compares it with that.
PYLIBMC = replace(
    next(backend for backend in BACKENDS if backend.path == "hotclub.django.PyMemcacheCache"),
    name="memcached-pylibmc",
    path="hotclub.django.PyLibMCCache",
)
#: Tables of the other databases, in topics about processes: what else they show, SQLite shows too.
TABLES = tuple(
    replace(
        next(backend for backend in BACKENDS if backend.name == "database-sqlite"),
        name=f"database-{database}",
        location=functools.partial(a_table, database),
    )
    for database in ("postgres", "maria")
)
KEEPING = tuple(backend for backend in BACKENDS if backend.keeps)
CULLING = tuple(backend for backend in BACKENDS if backend.culls)
IN_TABLES = (*(backend for backend in KEEPING if not backend.in_loop), *TABLES)
IN_PROCESS = tuple(backend for backend in KEEPING if backend.in_process)
SHARED = (*(backend for backend in KEEPING if not backend.in_process), *TABLES)
FORKING_BESIDE_THREADS = (*KEEPING, *TABLES)
#: Those whose server can be asked who is connected, and for how long it keeps an entry.
SERVED = tuple(backend for backend in SHARED if backend.served)
