"""Drives the site over HTTP and compares what it sees with what a cache promises.

The numbers in brackets are the rows of the founding table of behaviours: what each check shows.
"""

from __future__ import annotations

import re
import time
from urllib.parse import quote

from client import Answer, Client, DriveError, Visit
from report import Report, Timing

WORDS = ("get", "check", "generate", "set", "delete", "return")
SEARCHED = "Lutetia"  # what Paris was called when it was young
EDITED = " (edited)"
MEASURED = 8
EXPIRY_LIMIT = 6.0
NAMESAKES = re.compile(r'<section class="card" id="namesakes">.*?</section>', re.DOTALL)
HEADING = re.compile(r"<h1>(.*?)</h1>")
CITY_LINK = re.compile(r'href="/city/(\d+)/"')


def drive(port: int, other_port: int, room: str, shared: bool) -> Report:
    """Goes through everything and returns the report; it never raises for what the site does.

    ``other_port``: a second server process. ``shared``: it sees the same entries.
    """
    report = Report(room, shared)
    client = Client(port)
    try:
        Drive(client, Client(other_port), report).go()
        stats = client.stats()
        report.hit_ratio = stats["hit_ratio"]
        report.lookups = stats["hits"] + stats["misses"]
        expected = stats["hits"] / report.lookups
        report.check(
            "the hit ratio is hits / (hits + misses)",
            abs(report.hit_ratio - expected) < 0.001,
            f"{report.hit_ratio:.3f}, {stats['hits']} / {report.lookups}",
        )
    except (DriveError, KeyError, ValueError, ArithmeticError) as error:
        report.check("the drive goes through", False, f"{type(error).__name__}: {error}")
    return report


class Drive:
    """The steps, in order; each leaves the site as the next one needs it."""

    def __init__(self, client: Client, other: Client, report: Report) -> None:
        self.client = client
        self.other = other
        self.report = report
        self.client.call("clear")  # a shared cache may still know an earlier drive
        self.city_id = self.find_city()
        record = client.get(self.record_path).json()
        self.client.call("clear")  # so that the flow begins with a miss
        self.name = str(record["name"]).removesuffix(EDITED)
        self.population = int(record["population"])

    @property
    def record_path(self) -> str:
        return f"/city/{self.city_id}.json"

    def go(self) -> None:
        try:
            self.main_flow()
            self.two_processes()
            self.single_calls()
            self.expiry()
            self.clearing()
            self.whole_page()
            self.searching()
            self.fragment()
        finally:
            self.client.save(self.city_id, self.name, self.population)
        self.measure()
        self.client.call("clear")  # who opens the site now finds nothing of what was edited here

    def find_city(self) -> int:
        link = CITY_LINK.search(self.client.get(f"/search/?q={quote(SEARCHED)}").text)
        if link is None:
            raise DriveError(f"the search for {SEARCHED} finds no city")
        return int(link[1])

    def main_flow(self) -> None:
        """miss, generate, store; hit; edit, delete; miss, fresh; hit. (1, 2, 3, 7, 8)"""
        check, show = self.report.check, self.report.show
        first = self.client.visit(self.record_path)
        show(f"GET {self.record_path}, for the first time", first)
        steps = first.actions(*WORDS)
        check("the first request misses (2)", (first.hits, first.misses) == (0, 1), counted(first))
        check(
            "it generates once and stores (3)",
            first.loads == 1 and steps == ["get", "check", "generate", "set", "return"],
            f"{loaded(first)}: {' > '.join(steps)}",
        )

        second = self.client.visit(self.record_path)
        show(f"GET {self.record_path}, again", second)
        steps = second.actions(*WORDS)
        hit = (second.hits, second.misses) == (1, 0)
        check("the second request hits (1)", hit, counted(second))
        check(
            "it generates nothing (3)",
            second.loads == 0 and second.queries == 0 and steps == ["get", "check", "return"],
            f"{loaded(second)}: {' > '.join(steps)}",
        )
        same = first.answer.json() == second.answer.json()
        check("it returns an equal value (9)", same, f"{len(second.answer.body)} bytes of JSON")

        name, population = self.name + EDITED, self.population + 1
        edit = self.client.save(self.city_id, name, population)
        show("POST the edit form", edit)
        deleted = [row["action"] for row in edit.rows if "delete" in row["action"].lower()]
        check(
            "save() deletes the city's entry (7)",
            any(f"city_{self.city_id}" in action for action in deleted),
            f"{len(deleted)} deletes",
        )

        third = self.client.visit(self.record_path)
        show(f"GET {self.record_path}, after the edit", third)
        fresh = (third.answer.json()["name"], third.answer.json()["population"])
        check("the next read misses and generates (7)", third.loads == 1, loaded(third))
        check(
            "it is fresh long before the timeout (8)",
            fresh == (name, population),
            f"{fresh[0]}, {fresh[1]:,}",
        )

        fourth = self.client.visit(self.record_path)
        show(f"GET {self.record_path}, once more", fourth)
        kept = fourth.answer.json() == third.answer.json() != first.answer.json()
        check("the fresh value is then a hit (3)", fourth.loads == 0 and kept, counted(fourth))

    def two_processes(self) -> None:
        """A second server process: it shares a shared cache, and memory it does not. (10, 11)"""
        check, show, shared = self.report.check, self.report.show, self.report.shared
        here = self.client.visit(self.record_path)
        there = self.other.visit(self.record_path)
        show(f"GET {self.record_path}, from another server process", there)
        seen = there.loads == 0 and there.answer.json() == here.answer.json()
        check(
            f"another process {'sees' if shared else 'does not see'} the entry {row(shared)}",
            here.loads == 0 and seen == shared,
            f"here {loaded(here)}; there {loaded(there)}",
        )

        old = here.answer.json()["name"]
        show("POST the edit form, there", self.other.save(self.city_id, self.name, self.population))
        after = self.client.visit(self.record_path)
        show(f"GET {self.record_path}, here, after the edit there", after)
        name = after.answer.json()["name"]
        check(
            f"an edit there {'deletes it here too' if shared else 'leaves it stale here'} {row(shared)}",
            (after.loads, name) == ((1, self.name) if shared else (0, old)),
            f"{loaded(after)}, {name}",
        )
        self.client.save(self.city_id, self.name + EDITED, self.population + 1)

    def single_calls(self) -> None:
        """What single calls promise. (2, 4, 5, 6, 14)"""
        check = self.report.check
        deletes = [self.client.call("delete", "never-set") for _ in range(2)]
        check(
            "deleting a missing key twice is safe (5)", deletes == ["False"] * 2, ", ".join(deletes)
        )

        self.client.call("set", "one", value="first")
        self.client.call("set", "two", value="second")
        there = self.client.call("get", "one")
        check("set, get returns the value (1)", there == "first", there)
        deleted = self.client.call("delete", "one")
        gone, other = self.client.call("get", "one"), self.client.call("get", "two")
        check("set, delete, get is “Not Found” (6)", gone == "Not Found", f"{deleted}, {gone}")
        check("delete leaves other entries alone (4)", other == "second", other)

        self.client.call("set", "zero", value="never there", timeout=0)
        zero = self.client.call("get", "zero")
        check("a timeout of 0 stores nothing (14)", zero == "Not Found", zero)

    def expiry(self) -> None:
        """An entry is there before its time has ended and not after. (1, 8)"""
        self.client.call("set", "short", value="soon gone", timeout=2)
        start = time.monotonic()
        at_first = self.client.call("get", "short")
        after = at_first
        while after != "Not Found" and time.monotonic() - start < EXPIRY_LIMIT:
            time.sleep(0.05)
            after = self.client.call("get", "short")
        seconds = time.monotonic() - start
        self.report.check(
            "a timeout of 2 seconds ends (1)",
            at_first == "soon gone" and after == "Not Found" and 0.9 < seconds < 4,
            f"{at_first}, after {seconds:.1f} s {after}",
        )

    def clearing(self) -> None:
        """``clear`` takes everything, the site's own entries too. (4)"""
        self.client.get(self.record_path)
        warm = self.client.visit(self.record_path)
        self.client.call("set", "three", value="third")
        self.client.call("clear")
        gone = self.client.call("get", "three")
        cold = self.client.visit(self.record_path)
        self.report.check(
            "clear removes all (4)",
            gone == "Not Found" and (warm.loads, cold.loads) == (0, 1),
            f"{gone}; the city: loads {warm.loads} before, {cold.loads} after",
        )

    def whole_page(self) -> None:
        """Per-view caching: the second answer is the first one, byte for byte."""
        path = "/country/FR/"
        first, second = self.client.visit(path), self.client.visit(path)
        self.report.check(
            "a cached page is generated once",
            (first.loads, second.loads, second.queries) == (1, 0, 0),
            f"{loaded(first)}, then {loaded(second)}",
        )
        self.report.check(
            "its second answer has identical bytes",
            first.answer.body == second.answer.body,
            f"{len(first.answer.body)} and {len(second.answer.body)} bytes",
        )
        self.time("a whole page (cache_page)", [first.answer], path)

    def searching(self) -> None:
        """A search in a script that no cache key could carry as it is."""
        path = f"/search/?q={quote('京')}"
        first, second = self.client.visit(path), self.client.visit(path)
        self.report.check(
            "a search in any script is asked once",
            (first.loads, second.loads) == (1, 0) and first.answer.body == second.answer.body,
            f"{loaded(first)}, then {loaded(second)}",
        )
        self.time("a search (get, set)", [first.answer], path)

    def fragment(self) -> None:
        """A template fragment: made once, and again after the edit that deletes it. (7)"""
        path = f"/city/{self.city_id}/"
        self.client.get(self.record_path)  # so that only the fragment is left to generate
        first, second = self.client.visit(path), self.client.visit(path)
        self.client.save(self.city_id, self.name, self.population)
        third = self.client.visit(path)
        parts = [NAMESAKES.search(visit.answer.text) for visit in (first, second, third)]
        texts = [part[0] if part else "" for part in parts]
        headings = [heading(visit) for visit in (first, second, third)]
        edited = [self.name + EDITED] * 2  # what the main flow left
        self.report.check(
            "a template fragment is generated once",
            (first.loads, second.loads) == (1, 0) and texts[0] == texts[1] != "",
            f"{loaded(first)}, then {loaded(second)}; {len(texts[0])} equal letters",
        )
        self.report.check(
            "save() deletes it too: page and fragment are fresh (7)",
            third.loads == 2 and headings == [*edited, self.name] and texts[2] != texts[1],
            f"{loaded(third)}, {headings[1]} became {headings[2]}",
        )
        self.time("a page with a fragment", [third.answer], path)

    def measure(self) -> None:
        """The low-level view on other cities: one miss and three hits each."""
        links = CITY_LINK.findall(self.client.get("/country/FR/").text)
        others = [link for link in dict.fromkeys(links) if int(link) != self.city_id]
        paths = [f"/city/{link}.json" for link in others[:MEASURED]]
        misses = [self.client.get(path).seconds for path in paths]
        hits = [self.client.get(path).seconds for path in paths * 3]
        timing = Timing(f"a value (get, set), {len(paths)} cities", misses, hits)
        self.report.timings.insert(0, timing)
        self.report.check(
            "a hit is at least twice as fast as a miss",
            timing.speedup >= 2,
            f"{timing.speedup:.0f} times",
        )

    def time(self, what: str, misses: list[Answer], path: str) -> None:
        hits = [self.client.get(path).seconds for _ in range(5)]
        self.report.timings.append(Timing(what, [miss.seconds for miss in misses], hits))


def row(shared: bool) -> str:
    """The row of the founding table about several processes."""
    return "(11)" if shared else "(10)"


def heading(visit: Visit) -> str:
    found = HEADING.search(visit.answer.text)
    return found[1] if found else ""


def counted(visit: Visit) -> str:
    return f"hits {visit.hits}, misses {visit.misses}"


def loaded(visit: Visit) -> str:
    return f"loads {visit.loads}, queries {visit.queries}"
