"""How our class gets into the tests of other packages: their settings are rewritten as they are read."""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.conf import LazySettings, Settings, global_settings

from upstream.plan import Plan
from upstream.substitute import Substitution
from upstream.suite import Suite

# The addresses in the settings files of django-redis.
SERVER, SOCKET = "redis://127.0.0.1:6379", f"unix://{PurePosixPath('/', 'tmp', 'redis.sock')}"


class InSuites(Substitution):
    """One settings module of one suite."""

    def __init__(self, plan: Plan, suite: Suite) -> None:
        super().__init__(plan)
        self.suite = suite
        self.database = str(Path(plan.scratch) / "test.sqlite3")
        self.notes: list[str] = []

    def install(self) -> None:
        """Wraps what makes settings: of a module, and of a call of `configure`."""
        self._wrap_settings()
        self._wrap_configure()
        # A test that sets CACHES to a class of Django's means that class.
        self.watch(set(self.suite.replaces) if self.suite.keeps_locations else set())
        if self.suite.keeps_locations and _is_djangos(self.backend):
            self.target.client = _Client()
            self.notes.append("OPTIONS left out, and a `client` that only says what it is not")

    def rewrite(self, caches: dict[str, Any]) -> dict[str, Any]:
        """Of caches on servers that are not there, two remain that are."""
        if self.suite.few_servers:
            default = caches["default"]
            caches = {"default": default, "other": {**default, "LOCATION": "other"}}
        return super().rewrite(caches)

    def rewrite_one(self, params: dict[str, Any]) -> None:
        """BACKEND always; LOCATION as the suite has it."""
        if params.get("BACKEND") not in self.suite.replaces:
            return
        params["BACKEND"] = self.backend
        if not self.suite.keeps_locations:
            params["LOCATION"] = self.place(str(params.get("LOCATION", "")))
            return
        params["LOCATION"] = self._moved(params["LOCATION"])
        if _is_djangos(self.backend):
            # It hands every name on to redis-py, which knows none of django-redis'.
            params.pop("OPTIONS", None)

    def _moved(self, location: Any) -> Any:
        """The same URLs with the address of our server; a port where nobody should listen stays."""
        if not isinstance(location, str):
            return [self._moved(each) for each in location]
        server = f"redis://{urlsplit(self.locations[0]).netloc}"
        return location.replace(SERVER, server).replace(SOCKET, self.locations[-1])

    def _wrap_settings(self) -> None:
        original = Settings.__init__

        def init(settings: Any, *args: Any, **kwargs: Any) -> None:
            original(settings, *args, **kwargs)
            settings.CACHES = self.rewrite(settings.CACHES)
            if self.suite.few_servers:
                database = {**settings.DATABASES["default"], "TEST": {"NAME": self.database}}
                settings.DATABASES = {"default": database}

        Settings.__init__ = init

    def _wrap_configure(self) -> None:
        original = LazySettings.configure

        def configure(settings: Any, *args: Any, **options: Any) -> None:
            caches = options.get("CACHES", global_settings.CACHES)
            original(settings, *args, **{**options, "CACHES": self.rewrite(caches)})

        LazySettings.configure = configure


class _Client:
    """For Django's own class, which has no `client`: the tests only ask it whether to skip themselves."""

    _serializer = None

    def _has_compression_enabled(self) -> bool:
        return False


def _is_djangos(backend: str) -> bool:
    return backend.startswith("django.core.")
