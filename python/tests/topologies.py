"""Several servers that belong together: a cluster of three, and a primary under sentinels."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from servers import RedisOptions, RedisServer, ReplyError, as_text, field_of, wait_until

NODES = 3
SLOTS = 16384
#: Redis lets no node say that all is well in its first two seconds.
CLUSTER_LIMIT = 20.0
SENTINEL_LIMIT = 30.0
#: How many keys wander in one command.
BATCH = 100


class _Group:
    """Servers that are closed together, also when the last of them did not start."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def _start(self, options: RedisOptions) -> RedisServer:
        return self._stack.enter_context(RedisServer(options))

    def close(self) -> None:
        self._stack.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _or_close(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


class RedisCluster(_Group):
    """Three primaries without replicas, a third of the slots each. Starting takes two seconds."""

    def __init__(self, options: RedisOptions | None = None) -> None:
        super().__init__()
        options = dataclasses.replace(options or RedisOptions(), cluster=True)
        with self._or_close():
            self.nodes = [self._start(options) for _ in range(NODES)]
            self._introduce()
            self.wait_until_ok()

    def __enter__(self) -> RedisCluster:
        return self

    def _introduce(self) -> None:
        first = self.nodes[0]
        for index, node in enumerate(self.nodes):
            start, end = index * SLOTS // NODES, (index + 1) * SLOTS // NODES - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", start, end)
            # Different ones from the start, else the nodes would first have to agree who is younger.
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if node is not first:
                node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus_port)

    def wait_until_ok(self) -> None:
        """Waits until every node knows all and says ``cluster_state:ok``: after a restart, say."""
        wait_until("the nodes agree", lambda: all(map(_is_ok, self.nodes)), CLUSTER_LIMIT)

    @property
    def urls(self) -> list[str]:
        """The URL of each node."""
        return [node.url for node in self.nodes]

    def slot_of(self, key: str) -> int:
        """The slot of a key, as the server counts it."""
        return int(self.nodes[0].ask("CLUSTER", "KEYSLOT", key))

    def owner(self, slot: int) -> int:
        """Which node has a slot, by its index in ``nodes``."""
        owners = (n for n, node in enumerate(self.nodes) if _has_slot(node, slot))
        return next(owners)

    def migrate(self, slot: int, to: int) -> SlotMigration:
        """Begins to move a slot: its owner answers ASK for keys that it does not have."""
        return SlotMigration(self.nodes, slot, self.nodes[self.owner(slot)], self.nodes[to])

    def move_slot(self, slot: int, to: int) -> None:
        """Moves a slot with all its keys in one go."""
        migration = self.migrate(slot, to)
        migration.move_keys()
        migration.finish()

    def flush(self) -> None:
        """Empties every node."""
        for node in self.nodes:
            node.flush()

    def renew(self) -> None:
        """Every node runs and is empty; slots stay where they are."""
        for node in self.nodes:
            node.renew()
        self.wait_until_ok()


class SlotMigration:
    """A slot on its way, step by step: keys can be on either side until ``finish()``."""

    def __init__(
        self, nodes: Sequence[RedisServer], slot: int, source: RedisServer, target: RedisServer
    ) -> None:
        assert source is not target, "the slot is there already"
        self._nodes, self.slot, self.source, self.target = nodes, slot, source, target
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))

    def move_key(self, key: str | bytes) -> None:
        """Moves one key; the others of the slot stay where they are."""
        self._move(key)

    def move_keys(self) -> None:
        """Moves every key of the slot that there is now."""
        while keys := self.source.ask("CLUSTER", "GETKEYSINSLOT", self.slot, BATCH):
            self._move(*keys)

    def _move(self, *keys: str | bytes) -> None:
        password = self.target.options.password
        login = [] if password is None else ["AUTH", password]
        where = ("127.0.0.1", self.target.port, "", 0, 5000, "REPLACE")
        self.source.ask("MIGRATE", *where, *login, "KEYS", *keys)

    def finish(self) -> None:
        """Gives the slot to its new owner and tells every node: the old one answers MOVED."""
        owner = self.target.ask("CLUSTER", "MYID")
        rest = [node for node in self._nodes if node not in (self.source, self.target)]
        # Both ends first: the new owner has to know before the old one forgets.
        for node in (self.target, self.source, *rest):
            node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", owner)


def _is_ok(node: RedisServer) -> bool:
    info = node.command("CLUSTER", "INFO")
    known = field_of(info, "cluster_known_nodes") == str(NODES)
    lines = node.command("CLUSTER", "NODES").splitlines()
    # A node that was restarted is known to the others before they are connected to it again.
    linked = all("fail" not in line and line.split(" ")[7] == "connected" for line in lines)
    return field_of(info, "cluster_state") == "ok" and known and linked


def _has_slot(node: RedisServer, slot: int) -> bool:
    """By the words behind the eighth in the node's own line, ``0-5460`` or ``7``."""
    lines = node.command("CLUSTER", "NODES").splitlines()
    own = next(line for line in lines if "myself" in line)
    # In brackets: a slot that comes or goes.
    ranges = [word.split("-") for word in own.split(" ")[8:] if not word.startswith("[")]
    return any(int(ends[0]) <= slot <= int(ends[-1]) for ends in ranges)


#: Sentinels look at each other and at their servers in seconds, and here in tenths of them: Redis 7
#: lets them. A replica counts as fit for election when it was heard within five pings, and while a
#: primary is down it is asked once a second, whatever is said here: pings may not be much faster.
QUICKLY = ("INFO-PERIOD", 200, "PING-PERIOD", 400, "ASK-PERIOD", 100, "PUBLISH-PERIOD", 100)


class RedisSentinels(_Group):
    """A primary and a replica under the name ``SERVICE``, watched by three sentinels.

    A primary that is silent for a second and a half is given up; a second or two later the replica has
    its place. Sentinels have neither passwords nor TLS.
    """

    SERVICE = "hotclub"

    def __init__(self, options: RedisOptions | None = None) -> None:
        super().__init__()
        options = options or RedisOptions()
        with self._or_close():
            first = self._start(options)
            self.servers = [first, self._start(dataclasses.replace(options, replica_of=first))]
            watching = RedisOptions(sentinel=self._configuration(first))
            self.sentinels = [self._start(watching) for _ in range(NODES)]
            for sentinel in self.sentinels:
                sentinel.ask("SENTINEL", "DEBUG", *QUICKLY)
            self._wait_until_ok()

    def __enter__(self) -> RedisSentinels:
        return self

    def _configuration(self, primary: RedisServer) -> str:
        password = primary.options.password
        lines = [
            f"monitor {self.SERVICE} 127.0.0.1 {primary.port} 2",
            f"down-after-milliseconds {self.SERVICE} 1500",
            f"failover-timeout {self.SERVICE} 2000",
            *([] if password is None else [f"auth-pass {self.SERVICE} {password}"]),
        ]
        return "".join(f"sentinel {line}\n" for line in lines)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The sentinels, as clients want them."""
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    @property
    def primary(self) -> RedisServer:
        """Whom the sentinels call so; while they change their mind, what the first of them says."""
        port = next(filter(None, map(self._named_by, self._living())))
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self) -> RedisServer:
        """The other one."""
        primary = self.primary
        return next(server for server in self.servers if server is not primary)

    def kill_primary(self) -> RedisServer:
        """Kills the primary and tells which server that was."""
        primary = self.primary
        primary.kill()
        return primary

    def wait_for_failover(self, old: RedisServer) -> RedisServer:
        """Waits until all sentinels that run name another primary, and that one says so itself."""

        def elected() -> RedisServer | None:
            port = self._agreed()
            found = next((one for one in self.servers if one.port == port and one is not old), None)
            return found if found is not None and _role(found) == "master" else None

        return wait_until("the sentinels elect the replica", elected, SENTINEL_LIMIT)

    def restore(self) -> None:
        """Starts again what was killed, and waits until all is well; who came late is the replica."""
        for server in itertools.chain(self.servers, self.sentinels):
            if server.pid is None:
                server.restart()
        self._wait_until_ok()

    def renew(self) -> None:
        """All run, and the primary is empty."""
        for server in itertools.chain(self.servers, self.sentinels):
            if server.pid is not None:
                server.resume()
        self.restore()
        self.primary.flush()

    def _wait_until_ok(self) -> None:
        wait_until("the sentinels agree", self._is_ok, SENTINEL_LIMIT)

    def _is_ok(self) -> bool:
        try:
            return self._agree()
        except OSError:
            # Sentinels end the connections of a server whose role they change.
            return False

    def _agree(self) -> bool:
        known = {"num-slaves": "1", "num-other-sentinels": "2", "flags": "master"}
        fit = {"flags": "slave", "master-link-status": "ok"}
        if self._agreed() is None or not all(self._says("MASTER", known)):
            return False
        primary, replica = self.primary, self.replica
        follows = replica.info("master_link_status") == "up"
        whom = replica.info("master_port") == str(primary.port)
        return _role(primary) == "master" and follows and whom and all(self._says("REPLICAS", fit))

    def _says(self, what: str, expected: dict[str, str]) -> Iterator[bool]:
        """For each sentinel, whether these names and values stand in what it says."""
        for sentinel in self._living():
            text = as_text(sentinel.ask("SENTINEL", what, self.SERVICE)).splitlines()
            pairs = dict(zip(text[::2], text[1::2], strict=False))
            yield expected.items() <= pairs.items()

    def _agreed(self) -> int | None:
        """The port of the primary that every sentinel names."""
        named = {self._named_by(sentinel) for sentinel in self._living()}
        return named.pop() if len(named) == 1 else None

    def _named_by(self, sentinel: RedisServer) -> int | None:
        address = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.SERVICE)
        return None if address is None else int(address[1])

    def _living(self) -> list[RedisServer]:
        return [sentinel for sentinel in self.sentinels if sentinel.pid is not None]


def _role(server: RedisServer) -> str:
    try:
        return as_text(server.ask("ROLE")[0])
    except (OSError, ReplyError):
        return ""
