"""Sets the site up in a room, lets the driver play, compares rooms and serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import django

from driver import drive
from neighbour import NoNeighbour, neighbour
from report import print_table
from rooms import ROOMS, RoomUnavailable
from server import PortBusy, SiteServer, check_port

__all__ = ["NoNeighbour", "PortBusy", "play"]

DATABASE = "cities-1.sqlite3"  # another number whenever the models change
KEPT, FAILED, CANNOT_RUN = 0, 1, 2
ROOM_LIMIT = 600.0  # seconds for one of several rooms

Summary = dict[str, Any]


def play(options: Namespace) -> int:
    """Does what the command line says and returns the exit code."""
    check_port(options.port)
    return one_room(options) if len(options.on) == 1 else several_rooms(options)


def one_room(options: Namespace) -> int:
    """Drives one room in this process and serves it."""
    [name] = options.on
    try:
        with site(name, options) as server:
            with neighbour() as other:
                report = drive(server.port, other, name, ROOMS[name].shared)
            report.print()
            if options.report:
                options.report.write_text(json.dumps(report.summary()), encoding="utf-8")
            print(f"\n{name}: {'all as it must be' if report.kept else 'a check FAILED'}")
            if not options.once:
                serve(server)
            return KEPT if report.kept else FAILED
    except RoomUnavailable as error:
        if options.report:
            options.report.write_text(json.dumps({"skipped": str(error)}), encoding="utf-8")
        raise


def several_rooms(options: Namespace) -> int:
    """Drives each room in a process of its own, compares them, and serves the first driven."""
    summaries = {name: drive_apart(name, options) for name in options.on}
    driven = {name: seen for name, seen in summaries.items() if "skipped" not in seen}
    compare(driven)
    for name in summaries.keys() - driven.keys():
        print(f"  {name}: skipped: {summaries[name]['skipped']}")
    if not driven:
        return CANNOT_RUN
    if not options.once:
        with site(next(iter(driven)), options) as server:
            serve(server)
    is_ci = os.environ.get("CI", "") not in ("", "0", "false")
    complete = len(driven) == len(summaries) or not is_ci
    return KEPT if complete and all(seen["kept"] for seen in driven.values()) else FAILED


def drive_apart(name: str, options: Namespace) -> Summary:
    """One room in its own process, since Django's settings are per process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        demo = Path(__file__).with_name("demo.py")
        command = [sys.executable, str(demo), "--once", "--port", "0", "--on", name]
        command += ["--data", str(options.data), "--report", str(report)]
        try:
            subprocess.run(command, timeout=ROOM_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            print(f"{name}: not done after {ROOM_LIMIT:.0f} seconds; stopped", file=sys.stderr)
        if report.exists():
            return dict(json.loads(report.read_text(encoding="utf-8")))
    return {"kept": False, "checks": "FAILED"}


def compare(summaries: dict[str, Summary]) -> None:
    print("\nThe backends compared: a value by get and set, medians over HTTP\n")
    columns = (
        "Backend", "Checks", "Miss", "Hit", "A hit is faster by", "Hit ratio", "Shared by processes"
    )  # fmt: skip
    keys = ("checks", "miss", "hit", "speedup", "hit_ratio", "shared")
    rows = [(name, *(seen.get(key, "") for key in keys)) for name, seen in summaries.items()]
    print_table(columns, rows, right=(1, 2, 3, 4, 5))


@contextmanager
def site(name: str, options: Namespace) -> Iterator[SiteServer]:
    """The running site, on the backend of room ``name``."""
    folder = options.data / "rooms" / name
    folder.mkdir(parents=True, exist_ok=True)
    with ROOMS[name].open(folder) as cache_settings:
        os.environ["CITIES_DATABASE"] = str(options.data / DATABASE)
        os.environ["CITIES_CACHE"] = json.dumps(cache_settings)
        os.environ["CITIES_CACHE_DATABASE"] = str(folder / "cache.sqlite3")
        os.environ["DJANGO_SETTINGS_MODULE"] = "cities.settings"
        django.setup()
        prepare()
        with closing(SiteServer(options.port)) as server:
            if server.notice:
                print(server.notice)
            yield server


def prepare() -> None:
    from cities.data import prepare as fill  # its models need the settings

    start = time.perf_counter()
    count = fill()
    print(f"{count:,} cities in SQLite, ready in {time.perf_counter() - start:.1f} s")


def serve(server: SiteServer) -> None:
    print(f"\nhotclub cities is served at {server.address} (Ctrl-C ends it)")
    try:
        server.wait()
    except KeyboardInterrupt:
        print("\nstopped")
