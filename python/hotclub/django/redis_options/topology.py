"""Which servers an alias has and how they belong together, from its URLs and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hotclub.django.redis_options.location import Place, wrong
from hotclub.django.redis_options.names import read_options


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files, and what of the server's certificate is checked."""

    #: Certificates to trust instead of the system's.
    ca: str | None = None
    #: Ours, and its key if that is in another file.
    certificate: str | None = None
    key: str | None = None
    #: "full", "chain" (all but the host's name) or "nothing".
    verify: str = "full"


def topology(found: Mapping[str, Any], where: list[Place]) -> dict[str, Any]:
    """The fields of RedisOptions that say where the servers are and how to enter."""
    kind = _kind(found, where)
    where = [_over_tls(place, found) for place in where]
    _check_number(kind, where)
    if len({place.tls for place in where}) > 1:
        raise wrong("reaches some of its servers over TLS and some not: all or none")
    if len({_db(place, found) for place in where}) > 1:
        raise wrong("uses another database on each server: all must have one number")
    if kind == "sentinel":
        fields = _sentinel(found, where)
    elif kind == "cluster":
        fields = _cluster(found, where)
    else:
        fields = {
            "servers": tuple(place.url(_db(place, found)) for place in where),
            "addresses": tuple(address for place in where for address in place.addresses),
        }
    first = where[:1] if kind in ("sentinel", "cluster") else where
    usernames = tuple(place.username or found.get("username") for place in first)
    passwords = tuple(place.password or found.get("password") for place in first)
    if "credentials" in found and any(usernames + passwords):
        raise wrong("has both a password and what gives one: leave out one of them")
    return fields | {
        "topology": kind,
        "usernames": usernames,
        "passwords": passwords,
        "db": _db(where[0], found),
        "tls": _tls(found, any(place.tls for place in where)),
        "read_from": found.get("read_from") or _read_from(kind, found, where),
    }


def _kind(found: Mapping[str, Any], where: list[Place]) -> str:
    kinds = {place.kind for place in where}
    meant = set()
    if "sentinel" in kinds or _is_sentinel(found):
        meant.add("sentinel")
    if (
        "cluster" in kinds
        or found.get("cluster_mode")
        or found.get("redis_class") == "RedisCluster"
    ):
        meant.add("cluster")
    meant = meant or {found.get("topology") or ("replicas" if len(where) > 1 else "standalone")}
    asked = found.get("topology", *meant) if len(meant) == 1 else ""
    if meant != {asked}:
        both = " and ".join(sorted({*meant, str(asked)} - {""}))
        raise wrong(
            f"means {both} at once: LOCATION, TOPOLOGY and the classes in OPTIONS must agree"
        )
    return str(asked)


def _is_sentinel(found: Mapping[str, Any]) -> bool:
    classes = (found.get("client_class"), found.get("factory"))
    return (
        "sentinel" in classes or "sentinels" in found or "Sentinel" in found.get("pool_class", "")
    )


def _check_number(kind: str, where: list[Place]) -> None:
    if kind == "standalone" and len(where) > 1:
        raise wrong(f"is standalone and LOCATION names {len(where)} servers")
    if kind == "replicas" and len(where) < 2:
        raise wrong("has replicas and LOCATION names one server: the first writes, the others read")


def _over_tls(place: Place, found: Mapping[str, Any]) -> Place:
    asked = found.get("ssl") or found.get("connection_class") == "SSLConnection"
    if not asked or place.tls:
        return place
    if place.kind == "unix":
        raise wrong("has ssl and a unix socket, which knows no TLS")
    return replace(place, tls=True)


def _db(place: Place, found: Mapping[str, Any]) -> int:
    return found.get("db", 0) if place.db is None else place.db


def _sentinel(found: Mapping[str, Any], where: list[Place]) -> dict[str, Any]:
    """One URL that holds the sentinels, or django-redis': SENTINELS, and the service as the host."""
    first = where[0]
    asked = read_options(found.get("sentinel_kwargs", {}), "OPTIONS['SENTINEL_KWARGS']['{}']")
    if first.kind == "sentinel":
        if len(where) > 1:
            raise wrong("names several services of Sentinel: one alias has one")
        hosts, service, over_tls = first.hosts, first.service, first.tls
    elif "sentinels" not in found:
        raise wrong(
            "needs OPTIONS['SENTINELS'], a list of (host, port), or a redis+sentinel:// URL"
        )
    else:
        services = {place.hosts[0][0] if place.hosts else "" for place in where}
        if len(services) > 1 or "" in services:
            raise wrong("names the service of Sentinel as the host of each URL: redis://service/0")
        hosts, service, over_tls = found["sentinels"], services.pop(), False
    whole = replace(first, kind="sentinel", hosts=hosts, service=service)
    return _one(whole, _db(first, found)) | {
        "service": service,
        "sentinel_username": asked.get("username") or found.get("sentinel_username"),
        "sentinel_password": asked.get("password") or found.get("sentinel_password"),
        "sentinel_tls": asked.get("ssl", over_tls),
    }


def _cluster(found: Mapping[str, Any], where: list[Place]) -> dict[str, Any]:
    """All URLs as one: any node tells the others."""
    if any(place.kind == "unix" for place in where):
        raise wrong("is a cluster, whose nodes cannot be reached by a unix socket")
    if _db(where[0], found):
        raise wrong("is a cluster, which has database 0 alone")
    hosts = tuple(host for place in where for host in place.hosts)
    return _one(replace(where[0], kind="cluster", hosts=hosts), 0)


def _one(place: Place, db: int) -> dict[str, Any]:
    return {"servers": (place.url(db),), "addresses": place.addresses}


def _tls(found: Mapping[str, Any], wanted: bool) -> Tls | None:
    names = ("ca", "certificate", "key", "verify", "check_hostname", "tls_version")
    if not wanted:
        if found.get("ssl") is not False and any(name in found for name in names):
            raise wrong("has ssl_ options and no TLS: begin the URLs of LOCATION with rediss://")
        return None
    if "key" in found and "certificate" not in found:
        raise wrong("has ssl_keyfile and no ssl_certfile")
    verify = "full" if found.get("check_hostname", True) else "chain"
    files = {name: found[name] for name in names[:3] if name in found}
    return Tls(**files, verify=verify if found.get("verify", True) else "nothing")


def _read_from(kind: str, found: Mapping[str, Any], where: list[Place]) -> str:
    replicas = found.get("client_class") == "sentinel" or not all(
        place.is_primary for place in where
    )
    return "replicas" if kind == "replicas" or (kind == "sentinel" and replicas) else "primary"
