"""A lock that processes and machines share: a key with a token that only its holder knows."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Generator
from types import SimpleNamespace, TracebackType
from typing import Any

from hotclub import errors
from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import Argument, Ask, Steps, Wait, ask, twin, verb

logger = logging.getLogger("hotclub.redis")

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
# ARGV: the token, milliseconds, and '1' to count them from now instead of adding them to what is left.
EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then return 0 end
if ARGV[3] == '1' then left = 0 end
return redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left + ARGV[2]))
"""


class Lock:
    """A lock by name, as redis-py's. ``cache.lock(...)`` makes one; it is not held yet.

    ::

        with cache.lock("report", timeout=60) as lock:
            ...
            lock.extend(60)

    Without ``timeout`` it is held until it is released, whatever becomes of the holder. With one, who takes
    longer loses it, and ``release`` raises ``LockNotOwnedError``. Each method has an async twin, and
    ``async with`` works too. The token belongs to the thread that got the lock, unless ``thread_local`` is
    False; tasks of one thread need a lock object each.
    """

    def __init__(
        self,
        cache: Extra,
        name: str,
        timeout: float | None = None,
        sleep: float = 0.1,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        thread_local: bool = True,
        raise_on_release_error: bool = True,
    ) -> None:
        self.name, self.timeout, self.sleep = name, timeout, sleep
        self.blocking, self.blocking_timeout = blocking, blocking_timeout
        self.thread_local = bool(thread_local)
        self.raise_on_release_error = raise_on_release_error
        self.local: Any = threading.local() if self.thread_local else SimpleNamespace()
        self._execute, self._aexecute = cache._execute, cache._aexecute

    def _is_ignored(self, error: Exception) -> bool:
        return False  # a lock that seems to be held and is not is worse than an error

    @property
    def token(self) -> bytes | None:
        """What proves that we hold it. None: we do not."""
        return getattr(self.local, "token", None)

    @verb
    def acquire(
        self,
        sleep: float | None = None,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: str | bytes | None = None,
    ) -> Steps[bool]:
        """Get it; False if somebody else has it and we do not wait, or no longer.

        Tries every ``sleep`` seconds for at most ``blocking_timeout`` (None: for ever). What is not given is
        what the lock was made with. ``token`` must be nobody else's.
        """
        sleep = self.sleep if sleep is None else sleep
        blocking = self.blocking if blocking is None else blocking
        limit = self.blocking_timeout if blocking_timeout is None else blocking_timeout
        until = None if limit is None else time.monotonic() + limit
        secret = token.encode() if isinstance(token, str) else token
        secret = secret or secrets.token_hex(16).encode()
        command: tuple[Argument, ...] = ("SET", self.name, secret, "NX")
        if self.timeout:
            command += ("PX", int(self.timeout * 1000))
        while True:
            if (yield Ask(command)) is not None:
                self.local.token = secret
                return True
            if not blocking or (until is not None and time.monotonic() + sleep > until):
                return False
            yield Wait(sleep)

    @verb
    def release(self) -> Steps[None]:
        """Give it back. ``LockError`` if we never had it, ``LockNotOwnedError`` if it ran out meanwhile."""
        token = self._held("release")
        self.local.token = None
        yield from self._script(RELEASE, "release", token)

    @verb
    def extend(self, additional_time: float, replace_ttl: bool = False) -> Steps[bool]:
        """Hold it so many seconds longer, or from now on if ``replace_ttl``. Errors as ``release``."""
        milliseconds = int(additional_time * 1000)
        yield from self._renew("extend", milliseconds, replace_ttl)
        return True

    @verb
    def reacquire(self) -> Steps[bool]:
        """Hold it for its whole ``timeout`` again. Errors as ``release``."""
        yield from self._renew("reacquire", int((self.timeout or 0) * 1000), True)
        return True

    @verb
    def locked(self) -> Steps[bool]:
        """Whether anybody holds it."""
        return (yield ask("GET", self.name)) is not None

    @verb
    def owned(self) -> Steps[bool]:
        """Whether we hold it."""
        token = self.token
        return token is not None and (yield ask("GET", self.name)) == token

    aacquire = twin(acquire)
    arelease = twin(release)
    aextend = twin(extend)
    areacquire = twin(reacquire)
    alocked = twin(locked)
    aowned = twin(owned)

    def __enter__(self) -> Lock:
        if not self.acquire():
            raise self._error(
                "lock", "somebody else held the lock all the time that we waited for it"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.release()
        except errors.LockError as failure:
            self._lost(failure)

    async def __aenter__(self) -> Lock:
        if not await self.aacquire():
            raise self._error(
                "lock", "somebody else held the lock all the time that we waited for it"
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.arelease()
        except errors.LockError as failure:
            self._lost(failure)

    def __await__(self) -> Generator[Any, None, Lock]:
        """``await cache.alock(...)`` gives the lock, which is still to be acquired."""
        return _itself(self).__await__()

    def _lost(self, failure: errors.LockError) -> None:
        if self.raise_on_release_error:
            raise failure
        logger.warning("%s", failure)

    def _held(self, action: str) -> bytes:
        if (token := self.token) is None:
            raise self._error("lock", f"cannot {action} a lock that is not held")
        return token

    def _renew(self, action: str, milliseconds: int, replace: bool) -> Steps[None]:
        token = self._held(action)
        if self.timeout is None:
            raise self._error("lock", f"cannot {action} a lock that has no timeout")
        yield from self._script(EXTEND, action, token, milliseconds, int(replace))

    def _script(self, script: str, action: str, *arguments: Argument) -> Steps[None]:
        done = yield Ask(("EVAL", script, 1, self.name, *arguments), key_at=3)
        if not done:
            raise self._error("lock_not_owned", f"cannot {action} a lock that is no longer ours")

    def _error(self, kind: str, what: str) -> Exception:
        error = errors.make(kind, f"redis: {what} ({self.name!r})", "redis")
        error.lock_name = self.name  # type: ignore[attr-defined]
        return error


async def _itself(lock: Lock) -> Lock:
    return lock


class Locks(Extra):
    """``lock``, of django-redis."""

    def lock(
        self,
        key: Any,
        version: Any = None,
        timeout: float | None = None,
        sleep: float = 0.1,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        thread_local: bool = True,
    ) -> Lock:
        """A lock under this key, not held yet: see ``Lock``. IGNORE_EXCEPTIONS does not apply to it."""
        name = self._key(key, version)
        return Lock(self, name, timeout, sleep, blocking, blocking_timeout, thread_local)

    def alock(self, *arguments: Any, **keywords: Any) -> Lock:
        """See ``lock``: the same, since nothing is asked of the server yet. May be awaited."""
        return self.lock(*arguments, **keywords)
