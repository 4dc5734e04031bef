# Run by `cargo xtask test`: a cache named in settings, set and read back.
import django
from django.conf import settings

settings.configure(CACHES={"default": {"BACKEND": "hotclub.django.LocMemCache"}})
from django.core.cache import cache  # noqa: E402  (settings come first)

assert type(cache._connections[cache._alias]).__module__.startswith("hotclub")
cache.set("greeting", {"words": ["good", "morning"]}, 30)
assert cache.get("greeting") == {"words": ["good", "morning"]}
assert cache.get("farewell") is None
print(f"installed; set and get work through Django {django.get_version()}")
