"""Cache backends for Django's ``CACHES``: change ``BACKEND``, nothing else.

::

    CACHES = {"default": {"BACKEND": "hotclub.django.LocMemCache"}}

Put ``hotclub.django`` into ``INSTALLED_APPS`` to have Django's system checks look at the settings.
"""

from hotclub import _hotclub
from hotclub.django.backends import DummyCache, LocMemCache
from hotclub.django.database import DatabaseCache
from hotclub.django.files import FileBasedCache
from hotclub.django.memcached import MemcachedCache, PyLibMCCache, PyMemcacheCache
from hotclub.django.redis import RedisCache
from hotclub.django.redis_extras import get_redis_connection
from hotclub.django.sqlite import SQLiteCache

# A first verb that imported something could leave the child of a fork waiting for an import lock for ever.
_hotclub.warm()

__all__ = [
    "DatabaseCache",
    "DummyCache",
    "FileBasedCache",
    "LocMemCache",
    "MemcachedCache",
    "PyLibMCCache",
    "PyMemcacheCache",
    "RedisCache",
    "SQLiteCache",
    "get_redis_connection",
]
