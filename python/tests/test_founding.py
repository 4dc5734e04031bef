"""What the founding pages promise, one test for each behaviour, over every backend and both doors."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection

import clocks
import programs
from backends import BACKENDS, IN_PROCESS, SHARED
from people import Person


class Loader:
    """Data that is slow to make, and how often it was made."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        return f"data {self.calls}"


def view(cache: Any, load: Loader, timeout: float = 60) -> str:
    """A request, as the pages write it."""
    data = cache.get("data")
    if data is None:
        data = load()
        cache.set("data", data, timeout=timeout)
    return data


def test_1_a_value_is_kept_for_its_timeout(make: Any) -> None:
    cache = make()
    cache.set("key", "value", timeout=300)
    cache.set("brief", "value", timeout=make.backend.soon(0.05))
    cache.set("for ever".replace(" ", "-"), "value", timeout=None)
    clocks.until(lambda: cache.get("brief") is None)
    assert cache.get("key") == cache.get("for-ever") == "value"


def test_2_a_missing_key_is_none_or_the_default(cache: Any) -> None:
    assert cache.get("missing") is None
    assert cache.get("missing", "default") == "default"
    assert cache.get("missing", default=0) == 0


def test_3_the_second_request_does_not_load(cache: Any) -> None:
    load = Loader()
    assert [view(cache, load), view(cache, load)] == ["data 1", "data 1"]
    assert load.calls == 1


def test_4_delete_removes_one_entry_and_clear_removes_all(cache: Any) -> None:
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.delete("a") is True
    assert cache.get_many(["a", "b", "c"]) == {"b": 2, "c": 3}
    cache.clear()
    assert cache.get_many(["a", "b", "c"]) == {}


def test_5_deleting_what_is_not_there_is_no_error(cache: Any) -> None:
    cache.set("key", 1)
    assert [cache.delete("key"), cache.delete("key"), cache.delete("never")] == [True, False, False]


def test_6_a_deleted_key_gives_the_default(cache: Any) -> None:
    cache.set("key", "value")
    cache.delete("key")
    assert cache.get("key", "Not Found") == "Not Found"


def read_name(cache: Any, pk: int) -> str:
    name = cache.get(f"user_{pk}")
    if name is None:
        name = Person.objects.get(pk=pk).name
        cache.set(f"user_{pk}", name, timeout=60)
    return name


def test_7_a_save_that_deletes_makes_the_next_read_fresh(make: Any, database: Any) -> None:
    cache = make()
    person = Person.objects.create(name="Django")
    assert [read_name(cache, person.id), read_name(cache, person.id)] == ["Django"] * 2
    Person.objects.filter(pk=person.id).update(name="unseen")
    assert read_name(cache, person.id) == "Django"
    person.name = "Stéphane"
    person.save()
    assert read_name(cache, person.id) == "Stéphane"


def test_8_fresh_after_an_update_and_never_older_than_the_timeout(make: Any) -> None:
    cache, load, brief = make(), Loader(), make.backend.soon(0.05)
    assert view(cache, load) == "data 1"
    cache.delete("data")
    assert view(cache, load, timeout=brief) == "data 2"
    clocks.until(lambda: view(cache, load, timeout=brief) == "data 3")


def test_9_a_dict_comes_back_as_an_equal_one(cache: Any) -> None:
    person = {"name": "Django", "hands": 2, "songs": ["Nuages", ("Minor", "Swing")]}
    cache.set("person", person)
    assert cache.get("person") == person
    assert cache.get("person") is not person


PROGRAM = "print(cache.get('shared')); cache.set('shared', 1); print(cache.get('shared'))"


@pytest.mark.parametrize("backend", IN_PROCESS, ids=lambda backend: backend.name)
def test_10_two_processes_do_not_see_each_others_entries(backend: Any) -> None:
    settings = {"default": backend.settings()}
    assert [programs.run(PROGRAM, settings) for _ in range(2)] == ["None\n1\n"] * 2


@pytest.mark.parametrize("backend", SHARED, ids=lambda backend: backend.name)
def test_11_what_is_not_in_memory_is_shared(backend: Any) -> None:
    settings = {"default": backend.settings()}
    assert [programs.run(PROGRAM, settings) for _ in range(2)] == ["None\n1\n", "1\n1\n"]


def test_12_the_settings_of_the_pages_work_with_another_backend_only(configure: Any) -> None:
    cache = configure(default={"BACKEND": "hotclub.django.LocMemCache"})["default"]
    cache.set("key", "value", timeout=300)
    assert cache.get("key") == "value"
    cache.clear()


@pytest.mark.parametrize(
    "options",
    [{}, {"CLIENT_CLASS": "django_redis.client.DefaultClient"}],
    ids=["as django reads it", "as django-redis reads it"],
)
def test_12_the_redis_settings_of_the_pages_work(
    configure: Any, redis_server: Any, options: dict[str, Any]
) -> None:
    location = redis_server.url_db(1)
    settings = {"BACKEND": "hotclub.django.RedisCache", "LOCATION": location, "OPTIONS": options}
    cache = configure(default=settings)["default"]
    cache.set("key", "value", timeout=300)
    assert cache.get("key") == "value"
    assert redis_server.ask_all(("SELECT", 1), ("TTL", ":1:key"))[1] in range(290, 301)


def test_12_the_memcached_settings_of_the_pages_work(configure: Any, memcached_server: Any) -> None:
    path, location = "hotclub.django.PyMemcacheCache", memcached_server.address
    cache = configure(default={"BACKEND": path, "LOCATION": location})["default"]
    cache.set("key", {"of": "the pages"}, timeout=300)
    assert cache.get("key") == {"of": "the pages"}
    told, left = memcached_server.command("mg :1:key t").split(" t")
    assert told == "HD"
    assert int(left) in range(290, 301)


def test_12_the_table_of_the_pages_works(configure: Any) -> None:
    settings = {"BACKEND": "hotclub.django.DatabaseCache", "LOCATION": "my_cache_table"}
    cache = configure(default=settings)["default"]
    call_command("createcachetable", verbosity=0)
    try:
        cache.set("key", "value", timeout=300)
        assert cache.get("key") == "value"
        with connection.cursor() as cursor:
            cursor.execute("SELECT cache_key FROM my_cache_table")
            assert cursor.fetchall() == [(":1:key",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE my_cache_table")


def test_14_a_timeout_of_zero_stores_nothing_and_is_no_error(cache: Any) -> None:
    cache.set("key", "value", timeout=0)
    assert cache.get("key") is None
    cache.set("key", "value")
    cache.set("key", "again", timeout=0)
    assert cache.get("key", "gone") == "gone"


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_the_flow_is_get_none_load_set_return(configure: Any, backend: Any) -> None:
    """A wrong backend changes how often data is loaded, never what a request answers."""
    cache = configure(default=backend.settings())["default"]
    load = mock.Mock(return_value="page")
    assert [view(cache, load) for _ in range(3)] == ["page"] * 3
    assert load.call_count == (1 if backend.keeps else 3)
