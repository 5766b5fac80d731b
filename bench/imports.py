"""Tables over HTTP, from the file to the answer that all of it is on the disk; server and client on one core.

No peer: none of the usual ones looks first at what an import would do, and keeps a hash-chained journal.
"""

from __future__ import annotations

import io
import json
import random
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import msgspec

from bench.harness import Case, Result
from bench.office import Server, server, servers_s

ROWS = 20_000
# Of a consignment.
LINES = 10
LEAST_ROWS_PER_S = 5_000
CELL = "851e5227fffffff"


def _spent_s() -> float:
    """CPU seconds of this process and of the server; the clock's, where not told."""
    server_s = servers_s()
    return time.process_time() + server_s if server_s else time.perf_counter()


def _ask(running: Server, path: str, data: bytes, **query: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{running.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {running.token}"})
    with urllib.request.urlopen(request) as response:
        found: dict[str, Any] = msgspec.json.decode(response.read())
        return found


def _made(running: Server, path: str, **body: str) -> dict[str, Any]:
    return _ask(running, path, json.dumps(body).encode())


def _logistics(running: Server) -> Server:
    """The same server, as somebody who sends consignments."""
    id = _made(running, "persons")["id"]
    _made(running, f"persons/{id}/grant", role="logistics")
    code = _made(running, f"persons/{id}/invite")["code"]
    login = _made(running, "setup", code=code, email="b@example.org", password="correct horse battery")
    return Server(running.port, login["token"])


class Sides:
    """Tables that no round has seen before; looked at before the clock starts where writing is measured."""

    def __init__(self, seed: int, kind: str, xlsx: bool = False) -> None:
        self.draw = random.Random(seed)
        self.kind, self.xlsx = kind, xlsx
        self.recipient = ""
        self.running: Server | None = None
        self.waiting: list[tuple[bytes, str]] = []
        self.answers: list[dict[str, Any]] = []
        self.spent_s: list[float] = []

    @property
    def server(self) -> Server:
        """As whoever may import this kind."""
        return self.running or server(0)

    def prepare(self, tables: int) -> None:
        server(0)
        for _ in range(tables):
            self.waiting.append((self.table(), ""))

    def looked_at(self, tables: int) -> None:
        self.prepare(tables)
        path = f"{self.kind}s/imports"
        self.waiting = [(data, _ask(self.server, path, data)["hash"]) for data, _ in self.waiting]

    def table(self) -> bytes:
        of_kind = {"terminal": self.terminals, "request": self.requests, "shipment": self.shipments}
        rows = of_kind[self.kind]()
        if self.xlsx:
            return _xlsx(rows)
        return "".join(f"{','.join(row)}\r\n" for row in rows).encode()

    def terminals(self) -> list[list[str]]:
        start = self.draw.randrange(10**9) * 10
        rows = [["serial", "kit", "dish_id", "hardware", "network", "origin"]]
        for n in range(start, start + ROWS):
            dish_id = f"ut01000000-{n // 10**8:08d}-{n % 10**8:08d}"
            rows.append([f"SN{n:012d}", f"KIT{n:011d}", dish_id, "STD-V2", "ours", "gift"])
        return rows

    def requests(self) -> list[list[str]]:
        kinds = ("hospital", "school", "household", "rescue")
        rows = [["site_kind", "people", "terminals_wanted", "cell", "asker", "contact", "words"]]
        for n in range(ROWS):
            asker = f"Asker {self.draw.random()}"
            rows.append([self.draw.choice(kinds), str(n % 300), "1", CELL, asker, f"+380 {n}", "no power"])
        return rows

    def shipments(self) -> list[list[str]]:
        """Ten pieces by their serials in each, all to one account."""
        if not self.recipient:
            # Who keeps accounts sends no consignments.
            self.recipient = _made(server(0), "accounts", holder="company", country="UA")["id"]
            self.running = _logistics(server(0))
        start = self.draw.randrange(10**9) * 10
        rows = [["reference", "origin", "destination", "recipient", "serial", "product"]]
        for n in range(start, start + ROWS):
            route = [f"TRK-{n // LINES:010d}", "WAW-1", "LVIV-1", self.recipient]
            rows.append([*route, f"KIT{n:011d}", "STD-V2"])
        return rows

    def look(self) -> dict[str, Any]:
        """A plan, and nothing written."""
        data, _ = self.waiting.pop()
        return self._timed(data, {})

    def apply(self) -> dict[str, Any]:
        """All of a table that was looked at before, written."""
        data, plan = self.waiting.pop()
        return self._timed(data, {"apply": plan})

    def _timed(self, data: bytes, query: dict[str, str]) -> dict[str, Any]:
        began_s = _spent_s()
        self.answers.append(_ask(self.server, f"{self.kind}s/imports", data, **query))
        self.spent_s.append(_spent_s() - began_s)
        return self.answers[-1]

    def good(self, applied: bool) -> bool:
        return all((one["new"], one["bad"], one["applied"]) == (ROWS, [], applied) for one in self.answers)

    def rows_per_s(self) -> float:
        """Of the three that are timed. By CPU time: other work on the machine is not ours."""
        return ROWS / statistics.median(self.spent_s[-3:])


def _xlsx(rows: list[list[str]]) -> bytes:
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("One")
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def cases(seed: int) -> list[Case]:
    def case(
        id: str, sides: Sides, call: Callable[[], object], prepare: Callable[[], None], applied: bool
    ) -> Case:
        def ok(result: Result) -> bool:
            print(f"{id}: {sides.rows_per_s():,.0f} rows per CPU second of server and client", flush=True)
            return sides.good(applied) and sides.rows_per_s() >= LEAST_ROWS_PER_S

        return Case(
            id=id, ours=call, peer=None, peer_name="", peer_version="", compare=None,
            limit=f"{ROWS:,} rows over HTTP, server and client on one core: >= {LEAST_ROWS_PER_S:,} rows/s",
            ok=ok, seed=seed, rounds=3, prepare=prepare,
        )  # fmt: skip

    # Three calls warm up, three are timed.
    look, terminals, requests, xlsx, shipments = (
        Sides(seed, "terminal"), Sides(seed + 1, "terminal"), Sides(seed + 2, "request"),
        Sides(seed + 3, "terminal", xlsx=True), Sides(seed + 4, "shipment"),
    )  # fmt: skip
    return [
        case("imports-look", look, look.look, lambda: look.prepare(6), False),
        case("imports-terminals", terminals, terminals.apply, lambda: terminals.looked_at(6), True),
        case("imports-requests", requests, requests.apply, lambda: requests.looked_at(6), True),
        case("imports-consignments", shipments, shipments.apply, lambda: shipments.looked_at(6), True),
        case("imports-xlsx", xlsx, xlsx.apply, lambda: xlsx.looked_at(6), True),
    ]
