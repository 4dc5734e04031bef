"""Settings of a Redis cache, read for tests."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub.django.redis_options import RedisOptions, redis_options

URL = "redis://cache.example:6380/1"
SENTINEL = "django_redis.client.SentinelClient"
DEFAULT = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
SECRET = "s3cr3t"


def read(location: Any = URL, /, **options: Any) -> RedisOptions:
    """Read LOCATION and OPTIONS."""
    return redis_options(location, {"OPTIONS": options})


def refused(location: Any = URL, /, **options: Any) -> str:
    """What is said of settings that cannot be."""
    with pytest.raises(ImproperlyConfigured) as caught:
        read(location, **options)
    message = str(caught.value)
    assert message.startswith("hotclub: RedisCache")
    assert SECRET not in message
    return message
