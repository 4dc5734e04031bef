"""Hashes: entries of named fields. The key gets prefix and version, the fields do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotclub.django.redis_extras.base import Extra, text
from hotclub.django.redis_extras.steps import Argument, Steps, ask, ask_to_read, twin, verb


class Hashes(Extra):
    """The hash methods of django-redis. Values are written as ``set`` writes them."""

    @verb
    def hset(
        self,
        key: Any,
        field: Argument | None = None,
        value: Any = None,
        mapping: Mapping[Argument, Any] | None = None,
        version: Any = None,
    ) -> Steps[int]:
        """Set a field, or all of ``mapping``; how many are new. Without any it is an error."""
        pairs = {} if field is None else {field: value}
        pairs.update(mapping or {})
        arguments: list[Argument] = []
        for name, given in pairs.items():
            arguments += (name, self._dumps(given))
        return int((yield ask("HSET", self._key(key, version), *arguments)))

    @verb
    def hdel(self, key: Any, field: Argument, version: Any = None) -> Steps[int]:
        """Delete a field; how many were there."""
        return int((yield ask("HDEL", self._key(key, version), field)))

    @verb
    def hlen(self, key: Any, version: Any = None) -> Steps[int]:
        """The number of fields; 0 for a missing key."""
        return int((yield ask_to_read("HLEN", self._key(key, version))))

    @verb
    def hkeys(self, key: Any, version: Any = None) -> Steps[list[str]]:
        """The names of the fields."""
        return [text(name) for name in (yield ask_to_read("HKEYS", self._key(key, version)))]

    @verb
    def hexists(self, key: Any, field: Argument, version: Any = None) -> Steps[bool]:
        """Whether there is such a field."""
        return bool((yield ask_to_read("HEXISTS", self._key(key, version), field)))

    ahset = twin(hset)
    ahdel = twin(hdel)
    ahlen = twin(hlen)
    ahkeys = twin(hkeys)
    ahexists = twin(hexists)
