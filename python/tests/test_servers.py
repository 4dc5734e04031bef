"""The test kit tested: servers start, answer, stand still, die and come back; the proxy spoils."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path

import pytest

import programs
from certificates import certificates
from fault_proxy import CutAfter, Delay, FaultProxy, Garbage, Passing, Refuse, Swallow
from memcached_servers import MemcachedFleet, MemcachedOptions, MemcachedServer
from servers import RedisOptions, RedisServer, ReplyError, need, need_redis, wait_until
from topologies import RedisCluster, RedisSentinels


def ping(port: int, request: bytes = b"PING\r\n") -> bytes:
    """What a server says, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(request)
        return plain.recv(1000)


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def is_alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def says_nothing(connection: socket.socket) -> None:
    connection.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(10)


def test_a_server_answers_on_tcp_and_on_its_socket(redis_server: RedisServer) -> None:
    assert ping(redis_server.port) == b"+PONG\r\n"
    assert redis_server.ask("SET", "key", b"\x00\r\n") == "OK"
    assert redis_server.ask("GET", "key") == b"\x00\r\n"
    assert redis_server.command("GET", "nothing") == "(nil)"
    assert redis_server.ask_all(("SELECT", 1), ("EXISTS", "key")) == ["OK", 0]
    assert redis_server.url_db(1) == f"redis://127.0.0.1:{redis_server.port}/1"
    assert int(redis_server.info("connected_clients") or 0) >= 1
    with pytest.raises(ReplyError, match="ERR unknown"):
        redis_server.ask("NONSENSE")


@pytest.mark.parametrize("what", ["fill", "pause", "kill"])
def test_a_shared_server_is_as_new(what: str, redis_server: RedisServer) -> None:
    assert redis_server.ask("DBSIZE") == 0
    redis_server.ask("SET", "key", "value")
    if what == "pause":
        redis_server.pause()
    if what == "kill":
        redis_server.kill()


def test_options_are_the_servers() -> None:
    options = RedisOptions(
        password='s e"cret',
        users={"bob": "builder"},
        databases=2,
        max_memory="2mb",
        arguments=("--timeout", "77"),
    )
    with RedisServer(options) as server:
        assert ping(server.port).startswith(b"-NOAUTH")
        assert ping(server.port, b"AUTH bob builder\r\n") == b"+OK\r\n"
        assert ping(server.port, b"AUTH bob wrong\r\n").startswith(b"-WRONGPASS")
        assert server.command("CONFIG", "GET", "timeout") == "timeout\n77"
        with pytest.raises(ReplyError, match="out of range"):
            server.ask("SELECT", 2)
        with pytest.raises(ReplyError, match=r"^OOM"):
            server.ask_all(*(("SET", number, bytes(1 << 20)) for number in range(4)))


def test_a_closed_server_is_gone_even_when_it_was_paused() -> None:
    with RedisServer() as server:
        pid, folder = server.pid, server.unix_path.parent
        assert is_alive(pid)
        server.pause()
    assert not is_alive(pid)
    assert refuses(server.port)
    assert not folder.exists()


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(AssertionError, match="Bad directive"):
        RedisServer(RedisOptions(arguments=("--no-such-option", "1")))


def test_a_restarted_server_is_on_its_port_and_empty() -> None:
    with RedisServer(RedisOptions(password="secret")) as server:
        server.ask("SET", "key", "value")
        pid, port = server.pid, server.port
        server.kill()
        assert server.pid is None
        assert not is_alive(pid)
        assert refuses(port)
        server.restart()
        assert (server.port, server.ask("GET", "key")) == (port, None)
        assert ping(port, b"AUTH secret\r\n") == b"+OK\r\n"


def test_a_paused_server_says_nothing_until_it_goes_on(redis_server: RedisServer) -> None:
    with socket.create_connection(("127.0.0.1", redis_server.port), timeout=10) as connection:
        for _ in range(2):
            redis_server.pause()
            connection.sendall(b"PING\r\n")
            says_nothing(connection)
            redis_server.resume()
            assert connection.recv(100) == b"+PONG\r\n"


def test_a_replica_follows() -> None:
    with (
        RedisServer(RedisOptions(password="secret")) as primary,
        RedisServer(RedisOptions(replica_of=primary)) as replica,
    ):
        primary.ask("SET", "key", "value")
        wait_until("the replica has it", lambda: replica.ask("GET", "key") == b"value")


def test_servers_end_with_a_process_that_forgot_them() -> None:
    need_redis()
    program = f"""
        import sys
        sys.path.insert(0, {str(programs.TESTS)!r})
        from servers import RedisServer
        server = RedisServer()
        server.pause()
        print(server.port, server.unix_path.parent)
    """
    port, folder = programs.run(program).split()
    assert refuses(int(port))
    assert not Path(folder).exists()


def over_tls(port: int, authority: Path, *, client: bool) -> bytes:
    context = ssl.create_default_context(cafile=str(authority))
    if client:
        files = certificates()
        context.load_cert_chain(files.client_certificate, files.client_key)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"PING\r\n")
        return connection.recv(100)


def test_tls_wants_the_certificates_that_it_was_told_to(redis_tls: RedisServer) -> None:
    files = certificates()
    assert redis_tls.url.startswith("rediss://")
    assert over_tls(redis_tls.port, files.authority, client=True) == b"+PONG\r\n"
    # Its reason, unless the connection is gone before we have read it.
    with pytest.raises(OSError, match=r"(?i)certificate required|reset|broken pipe|eof"):
        over_tls(redis_tls.port, files.authority, client=False)
    with RedisServer(RedisOptions(tls="no client certificate")) as server:
        assert over_tls(server.port, files.authority, client=False) == b"+PONG\r\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            over_tls(server.port, files.other_authority, client=False)


def test_a_slot_wanders_through_a_cluster(redis_cluster: RedisCluster) -> None:
    slot = redis_cluster.slot_of("{a}")
    source_number = redis_cluster.owner(slot)
    target_number = (source_number + 1) % 3
    source, target = redis_cluster.nodes[source_number], redis_cluster.nodes[target_number]
    for number in range(250):
        source.ask("SET", f"{{a}}{number}", "value")
    with pytest.raises(ReplyError, match=r"^MOVED"):
        target.ask("GET", "{a}0")

    migration = redis_cluster.migrate(slot, target_number)
    migration.move_key("{a}0")
    with pytest.raises(ReplyError, match=r"^ASK"):
        source.ask("GET", "{a}0")
    assert source.ask("GET", "{a}1") == b"value"
    migration.move_keys()
    migration.finish()
    assert redis_cluster.owner(slot) == target_number
    assert target.ask("GET", "{a}249") == b"value"
    with pytest.raises(ReplyError, match=r"^MOVED"):
        source.ask("GET", "{a}0")
    source.kill()


def test_a_cluster_survives_the_test_before(redis_cluster: RedisCluster) -> None:
    assert [node.ask("DBSIZE") for node in redis_cluster.nodes] == [0, 0, 0]
    assert len(redis_cluster.urls) == 3


@pytest.mark.parametrize("password", [None, "secret"])
def test_sentinels_give_a_dead_primary_up(
    password: str | None, request: pytest.FixtureRequest
) -> None:
    if password is None:
        shared = request.getfixturevalue("redis_sentinels")
        # Not asked for by name, so nobody has done it before.
        shared.renew()
        fails_over(shared)
    else:
        with RedisSentinels(RedisOptions(password=password)) as sentinels:
            fails_over(sentinels)


def fails_over(sentinels: RedisSentinels) -> None:
    old = sentinels.kill_primary()
    new = sentinels.wait_for_failover(old)
    assert new is sentinels.primary
    assert new.ask("SET", "key", "value") == "OK"
    sentinels.restore()
    assert sentinels.replica is old
    wait_until("the old primary follows", lambda: old.ask("GET", "key") == b"value")
    sentinels.sentinels[0].kill()
    assert sentinels.wait_for_failover(sentinels.kill_primary()) is old


def test_the_proxy_does_what_it_is_told(redis_server: RedisServer, fault_proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", fault_proxy.port), timeout=10) as connection:

        def answer() -> bytes:
            connection.sendall(b"PING\r\n")
            return connection.recv(100)

        assert answer() == b"+PONG\r\n"
        assert (fault_proxy.accepted, fault_proxy.open) == (1, 1)
        fault_proxy.set(Delay(0.2))
        began = time.monotonic()
        assert answer() == b"+PONG\r\n"
        assert time.monotonic() - began >= 0.19
        fault_proxy.set(Garbage(b"!nonsense"))
        assert answer() == b"!nonsense"
        fault_proxy.set(Swallow())
        connection.sendall(b"SET key value\r\n")
        says_nothing(connection)
        assert redis_server.ask("GET", "key") == b"value", "requests reach the server"
        fault_proxy.set(CutAfter(10))
        assert answer() == b"+PONG\r\n"
        assert answer() == b"+PO"
        assert connection.recv(1) == b""
    fault_proxy.set(Passing())
    assert ping(fault_proxy.port) == b"+PONG\r\n"


def test_the_proxy_refuses_and_cuts_and_ends(redis_server: RedisServer) -> None:
    with FaultProxy(redis_server.port) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
            wait_until("it is accepted", lambda: proxy.open == 1)
            proxy.set(Refuse())
            assert refuses(proxy.port)
            assert has_ended(connection)
        proxy.set(Passing())
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100) == b"+PONG\r\n"
            proxy.cut()
            assert has_ended(connection)
        redis_server.kill()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
            assert has_ended(connection)
        redis_server.restart()
        # A reply that nobody waits for keeps nobody.
        proxy.set(Delay(60))
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        connection.sendall(b"PING\r\n")
    assert refuses(proxy.port)
    connection.close()


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_memcached_answers_and_a_reply_is_whole(memcached_server: MemcachedServer) -> None:
    assert ping(memcached_server.port, b"version\r\n").startswith(b"VERSION ")
    assert memcached_server.url == f"memcached://127.0.0.1:{memcached_server.port}"
    assert memcached_server.command("set key 7 0 5\r\nvalue") == "STORED"
    assert memcached_server.command("get key nothing") == "VALUE key 7 5\nvalue\nEND"
    assert memcached_server.command("nonsense") == "ERROR"
    assert memcached_server.ask(b"ms key 10\r\n\xff\r\nMN\r\n\0\r\n") == b"HD\r\n"
    assert memcached_server.ask(b"mg key v") == b"VA 10\r\n\xff\r\nMN\r\n\0\r\n\r\n"


@pytest.mark.parametrize("what", ["fill", "pause", "kill"])
def test_a_shared_memcached_is_as_new(
    what: str, memcached_server: MemcachedServer, memcached_fleet: MemcachedFleet
) -> None:
    for server in (memcached_server, *memcached_fleet.servers):
        assert server.command("get key") == "END"
        assert server.command("set key 0 0 5\r\nvalue") == "STORED"
    for server in (memcached_server, memcached_fleet.servers[1]):
        if what == "pause":
            server.pause()
        if what == "kill":
            server.kill()


def test_options_of_memcached_are_the_servers() -> None:
    options = MemcachedOptions(
        memory=8,
        max_item_size="512k",
        threads=1,
        login=("bob", "builder"),
        arguments=("-c", "77"),
    )
    with MemcachedServer(options) as server:
        assert server.stat("limit_maxbytes") == str(8 << 20)
        assert (server.stat("threads"), server.stat("max_connections")) == ("1", "77")
        too_large = server.ask(b"set key 0 0 600000\r\n" + bytes(600_000))
        assert too_large == b"SERVER_ERROR object too large for cache\r\n"
        assert ping(server.port, b"get key\r\n") == b"CLIENT_ERROR unauthenticated\r\n"
        login = b"set login 0 0 11\r\nbob builder\r\n"
        assert ping(server.port, login) == b"STORED\r\n"
        assert server.url.startswith("memcached://bob:builder@")


def test_memcached_on_a_unix_socket_has_no_port() -> None:
    with MemcachedServer(MemcachedOptions(unix_socket=True)) as server:
        assert refuses(server.port)
        server.restart()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.unix_path))
            connection.sendall(b"mn\r\n")
            assert connection.recv(100) == b"MN\r\n"


def test_the_proxy_stands_before_memcached_too(memcached_server: MemcachedServer) -> None:
    with FaultProxy(memcached_server.port) as proxy:
        assert ping(proxy.port, b"mn\r\n") == b"MN\r\n"
        proxy.set(Garbage(b"!nonsense"))
        assert ping(proxy.port, b"set key 0 0 5\r\nvalue\r\n") == b"!nonsense"
        proxy.set(CutAfter(10))
        assert ping(proxy.port, b"get key\r\n") == b"VALUE key "


def test_a_missing_program_skips_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "0")
    with pytest.raises(pytest.skip.Exception, match="apt install no-such-program"):
        need("no-such-program")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="with CI set nothing is skipped"):
        need("no-such-program")
