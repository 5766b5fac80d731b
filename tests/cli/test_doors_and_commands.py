"""Everything that the service answers has a command: the described doors are walked, and none is forgotten.

A door that is made later fails here until it has a command, or stands below with why it has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.state import LiveState
from skylift.base.labels import plural
from skylift.cli.main import app
from skylift.cli.office import IMPORTED, KINDS, NAMES
from skylift.cli.office_things import ERASABLE, PERSONAL
from skylift.service.rooms import ROOMS
from skylift.twin.office.table import TABLE

V1 = "/api/v1/"
Doors = Mapping[tuple[str, str], list[str]]

# Told by `skylift ask PATH` alone: what the sky and the public hear, which programs read and maps show.
ASKED = frozenset(
    f"{V1}{path}"
    for path in (
        "links", "satellites", "gateways", "map", "about", "sky/terminals", "ioda/v2/outages/events",
        "ioda/v2/outages/alerts", "terminals/state", "fleet/online",
    )
)  # fmt: skip
# Why a door has no command.
NONE: Mapping[str, str] = {
    "/healthz": "of whoever watches the process",
    "/readyz": "of whoever watches the process",
    f"{V1}live": "the sky as slots begin, for the map; `skylift ask links` is one look",
    f"{V1}appstats/uses": "the app's own; a person's use is nobody else's to report",
    f"{V1}terminals/{{id}}/usage": "POST: a program's report, by its number; reading has a command",
    f"{V1}sky/emulated-dishes": "of `skylift dish`, which tells it what it plays",
    f"{V1}agent/enrol": "of `skylift agent enrol`, which has a key of its own and no login",
    f"{V1}agent/shared": "of `skylift agent`, by the owner's word at the dish (`skylift agent share`)",
    f"{V1}terminals/{{id}}/sharing": "of `skylift terminal show`, which says it in a line",
    f"{V1}telemetry": "of `skylift agent`: what a dish reports, signed by its key",
    f"{V1}telemetry/managed": "of the agent of a management API, which has a scope of its own",
}


def _commands() -> Doors:
    """What a command line asks, by the door that it is to reach."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind in KINDS:
        name, base = NAMES.get(kind, kind), f"{V1}{plural(kind)}"
        found["GET", base] = [name, "list"]
        found["GET", f"{base}/{{id}}"] = [name, "show", "x_1"]
        for verb in TABLE.of_kind(kind):
            at = base if verb.creates else f"{base}/{{id}}/{verb.action}"
            found["POST", at] = [name, verb.action, *([] if verb.creates else ["x_1"])]
        if kind in PERSONAL:
            found["GET", f"{base}/{{id}}/personal"] = [name, "personal", "x_1"]
        if kind in ERASABLE:
            found["DELETE", f"{base}/{{id}}/personal"] = [name, "erase", "x_1", "--yes"]
        if kind in IMPORTED:
            found["POST", f"{base}/imports"] = [name, "import", "table.csv"]
    others = {
        "POST setup": ["setup", "code", "--email", "a@example.org", "--password", "p"],
        "POST login": ["login", "--email", "a@example.org", "--password", "p"],
        "POST logout": ["logout"],
        "GET me": ["me"],
        "POST totp": ["totp", "enrol", "--password", "p"],
        "DELETE totp": ["totp", "disable", "123456", "--password", "p"],
        "POST totp/confirm": ["totp", "confirm", "123456"],
        "GET tokens": ["session", "list"],
        "POST tokens": ["token", "issue", "sync", "--scope", "terminal.read", "--days", "7"],
        "DELETE tokens/{id}": ["token", "revoke", "tok_1"],
        "POST persons/{id}/invite": ["person", "invite", "per_1"],
        "POST may-serve": ["may-serve", "trm_1", "851e6387fffffff", "--at", "2022-02-27"],
        "GET clock": ["clock"],
        "POST clock": ["clock", "--advance", "60"],
        "GET events": ["events", "--after", "0", "--count", "1"],
        "GET stock": ["stock"],
        "POST shipments/{id}/check-scans": ["shipment", "check-scans", "shp_1", "codes=A"],
        "GET allow-lists/{id}/look": ["allow-list", "look", "alw_1"],
        "GET webhooks/{id}/deliveries": ["webhook", "deliveries", "whk_1"],
        "GET webhook-kinds": ["webhook", "kinds"],
        "GET terminals/{id}/usage": ["terminal", "usage", "trm_1"],
        "GET accounts/{id}/usage": ["account", "usage", "acc_1"],
        "GET milestones": ["milestones"],
        "GET triage": ["request", "triage"],
        "GET requests/{id}/score": ["request", "score", "req_1"],
        "GET requests/{id}/duplicates": ["request", "duplicates", "req_1"],
        "GET terminals/{id}/state": ["terminal", "watch", "trm_1", "count=1"],
        "GET terminals/{id}/history": ["terminal", "history", "trm_1"],
        "GET terminals/{id}/quarantine": ["terminal", "quarantine", "trm_1"],
        "GET terminals/{id}/place": ["terminal", "place", "trm_1"],
        "POST terminals/{id}/enrolment-codes": ["terminal", "code", "trm_1"],
        "GET terminals/{id}/keys": ["terminal", "keys", "trm_1"],
        "DELETE terminals/{id}/keys/{key}": ["terminal", "revoke", "trm_1", "key=agk_1"],
        "GET fleet/health": ["fleet", "health"],
        "GET appstats": ["appstats", "days"],
        "GET appstats/summary": ["appstats", "summary"],
    }
    for door, argv in others.items():
        method, path = door.split(" ")
        found[method, f"{V1}{path}"] = argv
    for path in ASKED:
        found["GET", path] = ["ask", path.removeprefix(V1)]
    return found


COMMANDS = _commands()


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[tuple[str, str]]]:
    clock, leap = SimulatedClock(1_000_000).leaping()
    desk = Desk(open_store(sqlite_url(tmp_path_factory.mktemp("doors")), ROOMS), clock, leap)
    paths = create_app(LiveState(clock), desk).openapi()["paths"]
    yield {(method.upper(), path) for path, methods in paths.items() for method in methods}
    desk.close()


def test_every_door_has_a_command_or_a_reason(described: set[tuple[str, str]]) -> None:
    without = {
        (method, path)
        for method, path in described - set(COMMANDS)
        if path not in NONE and not path.startswith("/feeds/")
    }
    assert without == set(), "give each a command, or a reason in NONE"
    assert set(COMMANDS) <= described, set(COMMANDS) - described
    assert {path for path in NONE if not any(path == at for _, at in described)} == set()


class Asked(Exception):
    """What would have been asked."""


def test_each_command_reaches_its_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def request(method: str, url: str, **sent: Any) -> httpx.Response:
        raise Asked(method, httpx.URL(url).path)

    monkeypatch.setattr(httpx, "request", request)
    monkeypatch.setattr(httpx, "stream", request)
    monkeypatch.setenv("SKYLIFT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("SKYLIFT_SERVER", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("serial\nKIT-0001\n")
    command = get_command(app)
    for (method, path), argv in COMMANDS.items():
        more = ["rules=ua-2026", "region=rgn_1"] if argv[:2] == ["allow-list", "import"] else []
        with pytest.raises(Asked) as asked:
            command.main([*argv, *more], standalone_mode=False)
        wanted = re.compile(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(path)) + "$")
        assert asked.value.args[0] == method, argv
        assert wanted.match(asked.value.args[1]), argv
