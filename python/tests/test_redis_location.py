"""LOCATION of a Redis cache: servers, replicas, Sentinel, Cluster and TLS, as redis-py reads them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from redis_settings import DEFAULT, SECRET, SENTINEL, URL, read, refused


@pytest.mark.parametrize(
    ("location", "server", "address"),
    [
        ("redis://h", "redis://h:6379/0", "h:6379"),
        ("redis://", "redis://localhost:6379/0", "localhost:6379"),
        ("redis://:7000", "redis://localhost:7000/0", "localhost:7000"),
        ("redis://h:7000/", "redis://h:7000/0", "h:7000"),
        ("redis://h/3", "redis://h:6379/3", "h:6379"),
        ("redis://h?db=4", "redis://h:6379/4", "h:6379"),
        ("redis://h/3?db=4", "redis://h:6379/4", "h:6379"),
        ("redis://[::1]:7000/2", "redis://[::1]:7000/2", "[::1]:7000"),
        ("REDIS://h", "redis://h:6379/0", "h:6379"),
        ("valkey://h", "redis://h:6379/0", "h:6379"),
        ("rediss://h:6390/1", "rediss://h:6390/1", "h:6390"),
        ("unix:///run/redis.sock", "redis+unix:///run/redis.sock", "/run/redis.sock"),
        ("unix:///run/a%20b.sock?db=2", "redis+unix:///run/a%20b.sock?db=2", "/run/a b.sock"),
        ("redis+unix:///r.sock", "redis+unix:///r.sock", "/r.sock"),
        (" redis://h ", "redis://h:6379/0", "h:6379"),
        (["redis://h"], "redis://h:6379/0", "h:6379"),
    ],
)
def test_urls_are_read_as_redis_py_reads_them(location: Any, server: str, address: str) -> None:
    options = read(location)
    assert (options.topology, options.servers) == ("standalone", (server,))
    assert options.addresses == (address,)


@pytest.mark.parametrize(
    "location", ["redis://a;redis://b,redis://c", ["redis://a", "redis://b", "redis://c"]]
)
def test_several_servers_are_a_primary_and_its_replicas(location: Any) -> None:
    options = read(location)
    assert options.topology == "replicas"
    assert options.servers == ("redis://a:6379/0", "redis://b:6379/0", "redis://c:6379/0")
    assert options.read_from == "replicas"


def test_django_redis_splits_at_commas_alone() -> None:
    assert len(read("redis://a,redis://b", **DEFAULT).servers) == 2
    assert "port" in refused("redis://a:1;redis://b:2", **DEFAULT)


@pytest.mark.parametrize(
    ("location", "username", "password"),
    [
        ("redis://h", None, None),
        ("redis://:pass@h", None, "pass"),
        ("redis://user:p%40%2F%3Ass@h", "user", "p@/:ss"),
        ("redis://user@h", "user", None),
        ("redis://h?username=user&password=p%2520", "user", "p%20"),
        ("unix:///r.sock?password=pass", None, "pass"),
        ("unix://user:pass@/r.sock", "user", "pass"),
    ],
)
def test_who_we_are_is_in_the_url(
    location: str, username: str | None, password: str | None
) -> None:
    options = read(location)
    assert (options.username, options.password) == (username, password)
    assert all("pass" not in server for server in options.servers)


def test_the_url_wins_over_the_pool_arguments_and_those_over_options() -> None:
    pool = {"password": "pool", "db": 5, "socket_timeout": 3.0}
    options = read(
        "redis://h?socket_timeout=1.5", CONNECTION_POOL_KWARGS=pool, PASSWORD="top", db=6
    )
    assert (options.password, options.db, options.reply_limit) == ("pool", 5, 1.5)
    assert read("redis://:url@h/2", PASSWORD="top", db=6).password == "url"
    assert read("redis://:url@h/2", db=6).db == 2
    assert read("redis://h", db="6", username="u", password="p").servers == ("redis://h:6379/6",)


def test_each_replica_may_have_a_password_of_its_own() -> None:
    options = read("redis://:one@a,redis://b", password="all")
    assert options.passwords == ("one", "all")


def test_arguments_in_the_query_are_options() -> None:
    query = "socket_connect_timeout=0.5&max_connections=7&client_name=web&protocol=3&timeout=2"
    options = read(f"{URL}?{query}")
    assert (options.connect_limit, options.pool_size, options.client_name) == (0.5, 7, "web")
    assert (options.protocol, options.pool_limit) == (3, 2.0)
    assert read("rediss://h?ssl_check_hostname=False&ssl_cert_reqs=required").tls.verify == "chain"
    assert "'max_connections' in LOCATION is 'x'" in refused(f"{URL}?max_connections=x")
    assert "no option" in refused(f"{URL}?nonsense=1")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("", "empty"),
        ([], "empty"),
        (None, "not NoneType"),
        ([b"redis://h"], "bytes"),
        ("h:6379", "begins with none of redis://"),
        (f"http://:{SECRET}@h", "begins with none"),
        (f"redis://user:{SECRET}@h:port", "port must be a number"),
        (f"redis://user:{SECRET}@h:70000", "port must be a number"),
        (f"redis://h/name?password={SECRET}", "database must be a number, not 'name'"),
        ("redis://h?db=-1", "database"),
        ("redis://a:1,b:2", "begins with none"),
        (["redis://a,b"], "one URL names one server"),
        ("unix://run/redis.sock", "whole path"),
        ("redis+sentinel://h:26379", "names the service"),
        ("redis://a/1,redis://b/2", "another database on each"),
        ("redis://a,rediss://b", "over TLS"),
        (f"redis://:{SECRET}@a?protocol=2,redis://b?protocol=3", "disagree about 'protocol'"),
    ],
)
def test_a_location_that_cannot_be_read_says_why(location: Any, words: str) -> None:
    assert words in refused(location)


def test_sentinels_are_one_url_with_the_service_as_its_path() -> None:
    options = read(f"redis+sentinel://u:{SECRET}@a:1,b,[::1]:3/main/4?sentinel_password=x")
    assert options.servers == ("redis+sentinel://a:1,b:26379,[::1]:3/main/4",)
    assert options.addresses == ("a:1", "b:26379", "[::1]:3")
    assert (options.topology, options.service, options.db) == ("sentinel", "main", 4)
    assert (options.username, options.password) == ("u", SECRET)
    assert (options.sentinel_username, options.sentinel_password) == (None, "x")
    assert (options.tls, options.sentinel_tls, options.read_from) == (None, False, "primary")
    assert read("rediss+sentinel://a/main").sentinel_tls is True


@pytest.mark.parametrize(
    "how",
    [
        {"CLIENT_CLASS": SENTINEL},
        {"CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory", **DEFAULT},
        {"CONNECTION_POOL_CLASS": "redis.sentinel.SentinelConnectionPool", **DEFAULT},
    ],
)
def test_django_redis_names_the_service_as_the_host(how: dict[str, Any]) -> None:
    more = {"SENTINELS": [("a", 1), ("b", "2")], "SENTINEL_KWARGS": {"password": "x", "ssl": True}}
    options = read("redis://main?db=8", **how, **more)
    assert options.servers == ("redis+sentinel://a:1,b:2/main/8",)
    assert (options.service, options.db, options.sentinel_password) == ("main", 8, "x")
    assert options.sentinel_tls is True
    assert options.read_from == ("replicas" if how.get("CLIENT_CLASS") == SENTINEL else "primary")
    assert "SENTINELS" in refused("redis://main", **how)


def test_a_factory_for_all_projects_is_a_setting() -> None:
    with override_settings(
        DJANGO_REDIS_CONNECTION_FACTORY="django_redis.pool.SentinelConnectionFactory"
    ):
        assert read("redis://main", SENTINELS=[("a", 1)], **DEFAULT).topology == "sentinel"


def test_is_master_in_the_query_means_that_replicas_read() -> None:
    both = ["redis://main?is_master=1", "redis://main?is_master=0"]
    assert read(both, SENTINELS=[("a", 1)], **DEFAULT).read_from == "replicas"


@pytest.mark.parametrize("value", ["a:1", [], ["a:1"], [("a",)], [("a", "x")], [(1, 1)]])
def test_sentinels_are_pairs(value: Any) -> None:
    assert "a list of (host, port)" in refused("redis://main", SENTINELS=value)


@pytest.mark.parametrize(
    ("location", "options"),
    [
        ("redis+cluster://a:1,b:2", {}),
        ("redis://a:1,redis://b:2", {"TOPOLOGY": "cluster"}),
        (["redis://a:1", "redis://b:2/0"], {"CLUSTER_MODE": True}),
        ("redis://a:1,redis://b:2", {"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"}),
    ],
)
def test_a_cluster_is_its_nodes(location: Any, options: dict[str, Any]) -> None:
    found = read(location, **options)
    assert (found.topology, found.servers) == ("cluster", ("redis+cluster://a:1,b:2",))
    assert found.addresses == ("a:1", "b:2")
    assert found.read_from == "primary"


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("redis+cluster://a/1", {}, "database 0 alone"),
        ("redis://a/1", {"TOPOLOGY": "cluster"}, "database 0 alone"),
        ("unix:///r.sock", {"TOPOLOGY": "cluster"}, "unix socket"),
        ("redis+cluster://a", {"TOPOLOGY": "standalone"}, "cluster and standalone"),
        ("redis+sentinel://a/m", {"TOPOLOGY": "cluster"}, "cluster and sentinel"),
        ("redis+cluster://a,redis+sentinel://b/m", {}, "at once"),
        ("redis://a,redis://b", {"TOPOLOGY": "standalone"}, "names 2 servers"),
        ("redis://a", {"TOPOLOGY": "replicas"}, "names one server"),
        ("redis://a", {"TOPOLOGY": "sentinel"}, "SENTINELS"),
        (["redis+sentinel://a/m", "redis+sentinel://b/n"], {}, "one alias has one"),
        (["redis://m", "redis://n"], {"SENTINELS": [("a", 1)]}, "names the service"),
    ],
)
def test_topologies_that_do_not_fit_are_refused(
    location: Any, options: dict[str, Any], words: str
) -> None:
    assert words in refused(location, **options)


def test_tls_has_the_names_of_redis_py(tmp_path: Path) -> None:
    options = read(
        "rediss://h",
        ssl_ca_certs=tmp_path / "ca.pem",
        ssl_certfile="c.pem",
        ssl_keyfile="k.pem",
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
    )
    assert options.as_rust()["tls"] == {
        "ca": str(tmp_path / "ca.pem"),
        "certificate": "c.pem",
        "key": "k.pem",
        "verify": "full",
    }


@pytest.mark.parametrize(
    ("options", "verify"),
    [
        ({}, "full"),
        ({"ssl_check_hostname": False}, "chain"),
        ({"ssl_cert_reqs": "required"}, "full"),
        ({"ssl_cert_reqs": "optional"}, "full"),
        ({"ssl_cert_reqs": ssl.CERT_REQUIRED}, "full"),
        ({"ssl_cert_reqs": "none"}, "nothing"),
        ({"ssl_cert_reqs": None}, "nothing"),
        ({"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": True}, "nothing"),
    ],
)
def test_what_is_checked_of_a_certificate(options: dict[str, Any], verify: str) -> None:
    assert read("rediss://h", **options).tls.verify == verify
    assert read("redis://h", ssl=True, **options).tls.verify == verify


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("redis://h", {"ssl_ca_certs": "ca.pem"}, "rediss://"),
        ("redis://h", {"ssl_cert_reqs": None}, "rediss://"),
        ("unix:///r.sock", {"ssl": True}, "knows no TLS"),
        ("rediss://h", {"ssl_keyfile": "k"}, "no ssl_certfile"),
        ("rediss://h", {"ssl_cert_reqs": "maybe"}, "'none', 'optional', 'required'"),
        ("rediss://h", {"ssl_cert_reqs": True}, "'none', 'optional', 'required'"),
        ("rediss://h", {"ssl_min_version": ssl.TLSVersion.TLSv1_3}, "TLSv1_2"),
        ("rediss://h", {"ssl_validate_ocsp": True}, "OCSP"),
        ("rediss://h", {"ssl_ocsp_context": object()}, "OCSP"),
        ("rediss://h", {"ssl_password": SECRET}, "not be encrypted"),
        ("rediss://h", {"ssl_ca_data": "PEM"}, "ssl_ca_certs"),
    ],
)
def test_what_would_not_protect_as_it_says_is_refused(
    location: str, options: dict[str, Any], words: str
) -> None:
    assert words in refused(location, **options)
