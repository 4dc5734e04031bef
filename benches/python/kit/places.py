"""Where files of a bench are, and what kind of file system that is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Memory, on Linux; the file systems of disks cost what they cost whoever writes.
MEMORY = Path("/dev/shm")
#: The clone's own: on a disk, where a temporary directory may be memory.
DISK = Path(__file__).parents[3] / "target"


@contextmanager
def folder(where: Path) -> Iterator[Path]:
    """A new one in an old one, removed with all that is in it when the block ends."""
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hotclub-bench-", dir=where) as made:
        yield Path(made)


def described(folder: Path) -> str:
    """``ext4 with a journal``, ``tmpfs``."""
    kind, device = _mounted(folder.resolve())
    if kind != "ext4":
        return kind
    # Without one each creation of a file looks at those that were deleted in the last minutes.
    journal = any(Path("/proc/fs/jbd2").glob(f"{device}-*"))
    return f"{kind} {'with' if journal else 'without'} a journal"


def _mounted(folder: Path) -> tuple[str, str]:
    """The kind of the file system that a folder is in, and the name of its device."""
    found = (0, "unknown", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, where, kind, *_ = line.split()
        if folder.is_relative_to(where) and len(where) >= found[0]:
            found = (len(where), kind, Path(device).resolve().name)
    return found[1:]
