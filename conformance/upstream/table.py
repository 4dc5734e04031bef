"""The table: which of Django's tests judge which kind of cache, what is left out and why, what must pass.

Adding a kind is adding a row at the end. Every number is what Django's own class of that kind does under
Django 6.1.3 in this same runner; `Kind.expect` turns it into the figures of an older series.
"""

from __future__ import annotations

from upstream.kinds import CLOSEABLE, FAILING, LIBERAL, LOCMEM, Exclusion, Expected, Kind, per_class

ALL_GENERIC = per_class(
    ("DefaultNonExpiringCacheKeyTests",),
    "reads the dict `_expire_info` of LocMemCache",
    "test_caches_with_unset_timeout_set_expiring_key",
    "test_caches_set_with_timeout_as_none_set_non_expiring_key",
    optional=True,
)
MEMCACHED_GENERIC = (
    *ALL_GENERIC,
    *per_class(
        ("DefaultNonExpiringCacheKeyTests",),
        "memcached writes 'never' as 0; Django's own class fails it too",
        "test_caches_set_with_timeout_as_none_has_correct_default_timeout",
    ),
)
FILE = ("FileBasedCacheTests", "FileBasedCachePathLibTests")
DATABASE = ("DBCacheTests", "DBCacheWithTimeZoneTests")
ISINSTANCE = "a check that asks for the class FileBasedCache"
MOCKED_CLIENT = "mocks or inspects the client library"


def memcached_exclusions(own: str, *methods: str) -> tuple[Exclusion, ...]:
    """Both memcached kinds share three exclusions and add those of their own client."""
    servers = per_class((own,), "reads `_servers`", "test_location_multiple_servers", optional=True)
    mocked = ("test_close", "test_set_many_returns_failing_keys", *methods)
    return (*per_class((own,), MOCKED_CLIENT, *mocked), *servers)


def memcached_figures() -> dict[str, Expected]:
    """The same for both clients; three cull tests skip themselves."""
    return {
        "own": Expected(61, 3),
        "generic": Expected(81),
        "apps": Expected(410),
        "async": Expected(53, 3),
    }


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="locmem",
            replaced=LOCMEM,
            own=("cache.tests.LocMemCacheTests",),
            store="memory",
            expected={
                "own": Expected(66),
                "generic": Expected(82),
                "apps": Expected(410),
                "async": Expected(58),
            },
            own_exclusions=(
                Exclusion(
                    "LocMemCacheTests.test_locking_on_pickle",
                    "asks `_lock.locked()`",
                    optional=True,
                ),
                Exclusion(
                    "LocMemCacheTests.test_incr_decr_timeout",
                    "reads the dict `_expire_info`",
                    optional=True,
                ),
            ),
            generic_exclusions=ALL_GENERIC,
        ),
        Kind(
            name="dummy",
            replaced="django.core.cache.backends.dummy.DummyCache",
            own=("cache.tests.DummyCacheTests", "cache.tests_async.AsyncDummyCacheTests"),
            store="memory",
            expected={"own": Expected(46)},
            base_classes=0,
            groups=("own",),
        ),
        Kind(
            name="file",
            replaced="django.core.cache.backends.filebased.FileBasedCache",
            own=tuple(f"cache.tests.{name}" for name in FILE),
            store="folder",
            expected={
                "own": Expected(132),
                "generic": Expected(82),
                "apps": Expected(410),
                "async": Expected(116),
            },
            own_exclusions=(
                *per_class(
                    FILE,
                    "mocks `builtins.open`",
                    "test_get_does_not_ignore_non_filenotfound_exceptions",
                    "test_has_key_race_handling",
                ),
                *per_class(
                    FILE,
                    "calls `_key_to_file` or `_is_expired`",
                    "test_get_ignores_enoent",
                    "test_empty_cache_file_considered_expired",
                    optional=True,
                ),
            ),
            generic_exclusions=ALL_GENERIC,
            base_classes=2,
        ),
        Kind(
            # No class of Django's: a file of its own is judged as a directory of files is.
            name="sqlite",
            replaced="django.core.cache.backends.filebased.FileBasedCache",
            own=tuple(f"cache.tests.{name}" for name in FILE),
            store="database file",
            expected={
                "own": Expected(126),
                "generic": Expected(82),
                "apps": Expected(402),
                "async": Expected(110),
            },
            own_exclusions=(
                *per_class(
                    FILE,
                    "mocks `builtins.open`",
                    "test_get_does_not_ignore_non_filenotfound_exceptions",
                    "test_has_key_race_handling",
                ),
                *per_class(
                    FILE,
                    "is about a directory of entries",
                    "test_get_ignores_enoent",
                    "test_empty_cache_file_considered_expired",
                    "test_ignores_non_cache_files",
                    "test_creates_cache_dir_if_nonexistent",
                    "test_cache_dir_permissions",
                ),
            ),
            generic_exclusions=ALL_GENERIC,
            apps_exclusions=(
                Exclusion("CheckCacheLocationTest.*", ISINSTANCE),
                Exclusion("CheckCacheAbsolutePath.*", ISINSTANCE),
            ),
            base_classes=2,
        ),
        Kind(
            name="database",
            replaced="django.core.cache.backends.db.DatabaseCache",
            own=tuple(
                f"cache.tests.{name}" for name in (*DATABASE, "CreateCacheTableForDBCacheTests")
            ),
            store="table",
            # Django's own class fails some: async sessions that call the sync ORM, a query count, and one
            # or two tests with timeouts of a second (it keeps whole seconds). Over it the failing cache
            # would fail two more, so that helper keeps LocMemCache here and the figures stay comparable.
            expected={
                "own": Expected(131),
                "generic": Expected(80, may_fail=2),
                "apps": Expected(389, may_fail=21),
                "async": Expected(115),
            },
            own_exclusions=per_class(
                DATABASE,
                "counts or mocks the SQL on Django's connection",
                "test_get_many_num_queries",
                "test_delete_many_num_queries",
                "test_cull_queries",
                "test_has_key_query_columns_quoted",
                "test_delete_cursor_rowcount",
                optional=True,
            ),
            generic_exclusions=ALL_GENERIC,
            derived=(LIBERAL, CLOSEABLE),
            base_classes=2,
        ),
        Kind(
            name="redis",
            replaced="django.core.cache.backends.redis.RedisCache",
            own=("cache.tests.RedisCacheTests",),
            store="redis",
            expected={
                "own": Expected(60, 3),
                "generic": Expected(82),
                "apps": Expected(410),
                "async": Expected(52, 3),
            },
            own_exclusions=(
                *per_class(
                    ("RedisCacheTests",),
                    "takes redis-py's objects from inside the cache",
                    "test_incr_write_connection",
                    "test_cache_client_class",
                    "test_get_connection_pool_index",
                    "test_get_connection_pool",
                    "test_get_client",
                    "test_redis_pool_options",
                ),
                Exclusion(
                    "RedisCacheTests.test_client_driver_info",
                    "takes redis-py's objects from inside the cache",
                    since=(6, 1),
                ),
                Exclusion(
                    "RedisCacheTests.test_serializer_dumps",
                    "calls `_cache._serializer`",
                    optional=True,
                ),
            ),
            generic_exclusions=ALL_GENERIC,
            client="redis",
        ),
        Kind(
            name="pymemcache",
            replaced="django.core.cache.backends.memcached.PyMemcacheCache",
            own=("cache.tests.PyMemcacheCacheTests",),
            store="memcached",
            expected=memcached_figures(),
            own_exclusions=memcached_exclusions(
                "PyMemcacheCacheTests",
                "test_pymemcache_highest_pickle_version",
                "test_pymemcache_options",
            ),
            generic_exclusions=MEMCACHED_GENERIC,
            derived=(CLOSEABLE, FAILING),
            client="pymemcache",
        ),
        Kind(
            name="pylibmc",
            replaced="django.core.cache.backends.memcached.PyLibMCCache",
            own=("cache.tests.PyLibMCCacheTests",),
            store="memcached",
            expected=memcached_figures(),
            own_exclusions=(
                *memcached_exclusions("PyLibMCCacheTests", "test_pylibmc_options"),
                *per_class(
                    ("PyLibMCCacheTests",),
                    "reads `client_servers`",
                    "test_pylibmc_client_servers",
                    optional=True,
                ),
            ),
            generic_exclusions=MEMCACHED_GENERIC,
            derived=(CLOSEABLE, FAILING),
            client="pylibmc",
        ),
    )
}
