"""System checks of caches that share a place on a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_checks import files, found, lite

__all__ = ["found"]


def test_aliases_of_one_file_or_directory_are_told_whichever_way_it_is_written(
    found: Any, tmp_path: Path
) -> None:
    (tmp_path / "same").symlink_to(tmp_path)
    for make, end, kind in ((lite, "cache.db", "file"), (files, "entries", "directory")):
        place, other = tmp_path / end, f"{tmp_path}/same/{end}"
        ((name, message, hint),) = found(
            a=make(LOCATION=place, KEY_PREFIX="a"), b=make(LOCATION=other, KEY_PREFIX="b")
        )
        assert name == "hotclub.W006"
        assert "clear() of CACHES['a'], CACHES['b'] takes the entries of" in message
        assert str(place) in message
        assert hint == f"Give each a {kind} of its own."
        assert found(a=make(LOCATION=place), same=make(LOCATION=other, TIMEOUT=5)) == []
        assert found(a=make(LOCATION=place), b=make(LOCATION=f"{place}2", KEY_PREFIX="b")) == []
