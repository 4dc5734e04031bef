"""The other table: tests of packages that live on Django's cache.

A row names the source distribution that ships the tests, how pytest is called, what is left out and why,
what must pass. Every number is what the package's own class does in this same runner; Django's RedisCache for
packages that have none. Those packages are in `requirements-suites.txt` and `requirements-applications.txt`.
"""

from __future__ import annotations

from upstream.kinds import Exclusion, Expected, per_class
from upstream.suite import Suite

REDIS = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"

PUBLIC_SET = Suite(
    name="django-redis",
    package="django_redis",
    version="7.0.0",
    proof="tests/conftest.py",
    # Not test_client, test_connection_factory, test_connection_params, test_hashring and
    # test_serializers: they build that package's classes, not a cache.
    labels=tuple(
        f"tests/test_{name}.py"
        for name in ("backend", "backend_sorted_sets", "session", "cache_options")
    ),
    settings="settings.{group}",
    replaced=DJANGO_REDIS,
    replaces=(DJANGO_REDIS,),
    store="redis and socket",
    keeps_locations=True,
    # Its tests bring their own way of choosing settings.
    options=("-p", "no:django"),
    # All but the first only with `--all-settings`: compressors, serializers, a unix socket.
    expected={
        "sqlite": Expected(152),
        "sqlite_gzip": Expected(150, 2),
        "sqlite_json": Expected(152),
        "sqlite_lz4": Expected(150, 2),
        # MessagePack gives an IntEnum back as a number; that package's own class fails the test.
        "sqlite_msgpack": Expected(151, may_fail=1),
        "sqlite_usock": Expected(152),
        "sqlite_zlib": Expected(150, 2),
        "sqlite_zstd": Expected(150, 2),
    },
    exclusions_of_all=(
        *per_class(
            ("TestDjangoRedisCache",),
            "patches or builds that package's own class",
            "test_delete_pattern_with_custom_count",
            "test_delete_pattern_with_settings_default_scan_count",
            "test_close_uninitialized_client",
            "test_close_with_signal_parameter",
        ),
        *per_class(
            ("TestDjangoRedisCache",),
            "takes redis-py's objects from inside the client, or puts some there",
            "test_set_call_empty_pipeline",
            "test_primary_replica_switching",
            "test_primary_replica_switching_with_index",
        ),
        *per_class(
            ("TestDjangoRedisCache",),
            "asks `cache.client` for `close` or `get_client`",
            "test_close_client",
            "test_hash_key_structure_in_redis",
            optional=True,
        ),
        Exclusion(
            "test_cache_options.test_custom_key_function",
            "asks `cache.client` for `get_client`",
            optional=True,
        ),
        *per_class(
            ("test_cache_options",),
            "reads `_ignore_exceptions`",
            "test_get_django_omit_exceptions",
            "test_get_django_omit_exceptions_many_returns_default_arg",
            "test_get_django_omit_exceptions_priority_1",
            "test_get_django_omit_exceptions_priority_2",
            optional=True,
        ),
    ),
)

APPLICATIONS = (
    Suite(
        name="rest-framework",
        package="djangorestframework",
        version="3.18.3",
        proof="tests/conftest.py",
        labels=("tests/test_throttling.py",),
        settings="",
        replaced=REDIS,
        options=("--no-migrations",),
        expected={"tests": Expected(29)},
    ),
    Suite(
        name="axes",
        package="django_axes",
        version="8.3.1",
        proof="tests/settings.py",
        labels=("tests",),
        settings="tests.settings",
        replaced=REDIS,
        expected={"tests": Expected(349)},
        exclusions_of_all=per_class(
            ("CacheLoginTestCase",),
            "counts the private dict of LocMemCache",
            "test_reset_on_success_*",
        ),
    ),
    Suite(
        name="debug-toolbar",
        package="django_debug_toolbar",
        version="8.0.0",
        proof="tests/settings.py",
        labels=("tests/panels/test_cache.py", "tests/test_store.py"),
        settings="tests.settings",
        replaced=REDIS,
        # One test looks for the text "LocMemCache" on the page.
        expected={"tests": Expected(72, may_fail=1)},
    ),
    Suite(
        name="ratelimit",
        package="django_ratelimit",
        version="4.1.0",
        # The tests are in the wheel too, and name themselves as part of the package.
        proof="PKG-INFO",
        keep=("PKG-INFO",),
        labels=("--pyargs", "django_ratelimit.tests"),
        options=("-o", "python_files=tests.py"),
        settings="upstream.settings_ratelimit",
        replaced=REDIS,
        expected={"tests": Expected(52)},
    ),
    Suite(
        name="constance",
        package="django_constance",
        version="4.4.0",
        proof="tests/settings.py",
        labels=("tests",),
        settings="tests.settings",
        replaced=REDIS,
        replaces=("tests.cache_mockup.Cache",),
        expected={"tests": Expected(161, 1)},
    ),
    Suite(
        name="cachalot",
        package="django_cachalot",
        version="2.9.1",
        # With the package itself: the wheel lacks some of its tests' files.
        proof="settings.py",
        keep=("cachalot/", "settings.py", "runtests_urls.py"),
        # Their `__init__` imports the tests of all modules beside it.
        labels=("--pyargs", "cachalot.tests", "cachalot.admin_tests"),
        options=("-o", "python_files=__init__.py test_admin.py"),
        settings="settings",
        variables={"CACHE_BACKEND": "builtin_redis"},
        replaced=REDIS,
        replaces=(REDIS,),
        few_servers=True,
        # Two want a second database server.
        expected={"tests": Expected(167, 30, may_fail=2)},
    ),
)

SUITES = {suite.name: suite for suite in (PUBLIC_SET, *APPLICATIONS)}
