"""Telemetry of the operator's management API in the store: marked, once, and never beside an agent's own."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.cli import management
from skylift.client.http import Client
from skylift.wire.telemetry.management import ManagedReading, by_dish, row_of, table_of
from tests.api.office.conftest import START_US, Person, Town

S = 1_000_000
UT = "ut12345678-a12b3456-123456c1"


def reading(number: int, dish_id: str = UT, **other: Any) -> ManagedReading:
    usual: dict[str, Any] = {
        "down_bps": 12.5e6, "up_bps": None, "latency_ms": 31.0, "drop": 0.01, "obstruction": 2.5,
        "signal": 0.9, "uptime_s": 100.0, "software": "=2026.06", "alerts": ("pop_change",),
    }  # fmt: skip
    return ManagedReading(dish_id, START_US - 3_600 * S + number * 15 * S, **(usual | other))


def table(readings: list[ManagedReading]) -> str:
    """As `skylift management telemetry` writes it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("dish_id", "at", "down_bps", "up_bps", "latency_ms", "drop", "obstruction", "signal", "uptime_s")
    writer.writerow((*names, "software", "alerts"))
    for one in readings:
        values = [getattr(one, name) for name in names if name != "at"]
        values[1:1] = [format_instant(one.at_us)]
        writer.writerow(
            ["" if v is None else management._safe(v) for v in (*values, one.software, ";".join(one.alerts))]
        )
    return out.getvalue()


@pytest.fixture
def told(town: Town, staff: dict[str, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """skylift management import TABLE, as the operator, at the town's doors."""
    operator = staff["operator"]
    app = typer.Typer()
    management.register(app)
    app.command("other")(lambda: None)

    def ask(self: Client, method: str, path: str, body: Any = None, **_: Any) -> dict[str, Any]:
        answered = operator.ask(method, path, body)
        if answered.status_code >= 400:
            raise Refused(*(answered.json()["error"][part] for part in ("code", "thing", "rule", "way_out")))
        return dict(answered.json())

    monkeypatch.setattr(Client, "ask", ask)

    def run(readings: list[ManagedReading], *options: str) -> Result:
        file = tmp_path / "rows.csv"
        file.write_text(table(readings))
        return CliRunner().invoke(app, ["management", "import", str(file), *options])

    return run


def test_what_the_table_says_is_kept_once_and_marked(town: Town, staff: dict[str, Person], told: Any) -> None:
    operator = staff["operator"]
    made = {"hardware": "STD-V2", "serial": "KIT0000001", "dish_id": UT, "origin": "gift"}
    terminal = operator.made("terminals", **made)["id"]
    readings = [reading(n) for n in range(120)]
    readings += [reading(120, latency_ms=-5.0), reading(121, alerts=("disabled_cell_is_disabled",))]
    dry = told([*readings, reading(0, dish_id="utnobody")], "--dry-run")
    assert dry.stdout.splitlines() == [
        "2 dishes: 121 rows would be taken, 1 put aside",
        "left out: utnobody (not ours)",
    ]
    assert "121 of them new" in told(readings).stdout
    assert "0 of them new" in told(readings).stdout
    history = operator.get(f"terminals/{terminal}/history?level=15s").json()["columns"]
    assert len(history["at_us"]) == 121
    assert history["ping_latency_ms"][0] == 31.0
    assert history["obstructed_fraction"][0] == 0.025
    assert history["down_bps"][0] == 12.5e6
    assert history["alerts"][0] == ["by_operators_api", "pop_change"]
    assert history["software"][0] == "=2026.06"
    assert (history["state"][0], history["state"][-1]) == ("connected", "disabled")
    (aside,) = operator.get(f"terminals/{terminal}/quarantine").json()["rows"]
    assert aside["code"].startswith("row.")


def test_who_was_heard_of_long_ago_is_silent_however_lately_it_was_imported(
    town: Town, staff: dict[str, Person], told: Any
) -> None:
    operator = staff["operator"]
    operator.made("terminals", hardware="STD-V2", dish_id=UT, origin="gift")
    told([reading(0), reading(1)])
    (one,) = operator.get("fleet/health").json()["down"]
    assert (one["why"], one["silent"], one["since"]) == ("power", True, format_instant(reading(1).at_us))
    told([reading(240 - 1)])
    assert operator.get("fleet/health").json()["down"] == []


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, "connected"),
        ({"drop": 1.0}, "unknown"),
        ({"drop": None}, "connected"),
        ({"drop": None, "latency_ms": None}, "unknown"),
    ],
)
def test_who_gets_answers_to_its_pings_is_connected(said: dict[str, Any], state: str) -> None:
    assert row_of(reading(0, **said)).state == state


def test_an_agents_own_word_is_not_mixed_with_the_operators(
    town: Town, staff: dict[str, Person], told: Any
) -> None:
    from skylift.adapters.keys import KeyPair, text_of
    from skylift.wire.telemetry import signing

    operator = staff["operator"]
    made = {"hardware": "STD-V2", "serial": "KIT0000001", "dish_id": UT, "origin": "gift"}
    terminal = operator.made("terminals", **made)["id"]
    code, keys = operator.made(f"terminals/{terminal}/enrolment-codes")["code"], KeyPair.made()
    body = msgspec.json.encode({"code": code, "public_key": text_of(keys.public)})
    request = ("POST", "/api/v1/agent/enrol", "application/json")
    headers = signing.signed_headers(request, body, "new", START_US // S, keys.sign)
    assert town.client.post(request[1], content=body, headers=headers).status_code == 201
    assert "an agent reports for it" in told([reading(0)]).stdout


def test_who_may_not_report_may_not_report_so(town: Town, staff: dict[str, Person]) -> None:
    body = {"dish_id": UT, "rows": [{"sequence": 1, "at_us": START_US}]}
    assert staff["approver"].ask("POST", "telemetry/managed", body).status_code == 403


def test_a_table_that_is_another_is_refused_by_its_line() -> None:
    text = table([reading(0), reading(1)])
    assert list(table_of(text)) == [reading(0), reading(1)]
    for wrong in (text.replace("31.0", "fast"), text.replace("latency_ms", "latency"), "a,b\n1,2\n"):
        with pytest.raises(Refused, match="line 2"):
            list(table_of(wrong))


def test_rows_go_dish_by_dish_and_each_once() -> None:
    readings = [reading(n, dish_id=id) for n in (3, 1, 1, 2) for id in ("ut2", UT)]
    assert [(id, [row.sequence % 240 for row in rows]) for id, rows in by_dish(readings, most=2)] == [
        (id, part) for id in ("ut2", UT) for part in parts(readings)
    ]


def parts(readings: list[ManagedReading]) -> list[list[int]]:
    numbers = sorted({one.at_us // (15 * S) % 240 for one in readings})
    return [numbers[:2], numbers[2:]]


def test_a_dish_whose_line_ended_is_down_by_that(town: Town, staff: dict[str, Person]) -> None:
    """Beside those that are silent, or say that they are disabled, on lines that are served."""
    operator = staff["operator"]
    usual = {"number": "AST-1", "standing": "active"}
    lines: dict[str, dict[str, Any] | None] = {
        "well": usual | {"standing": "inactive"},
        "unknown": None,
        "active": usual,
        "disabled": usual,
        "off": usual | {"standing": "inactive"},
        "ended": usual | {"ended_at": "2022-02-20T00:00:00Z"},
        "ends": usual | {"ended_at": "2022-02-26T12:30:00Z"},
        "none": {},
    }
    ids = {}
    for number, (name, line) in enumerate(lines.items(), 1):
        made = {"hardware": "STD-V2", "dish_id": f"ut0{number}00", "origin": "gift", "network": "operator"}
        ids[name] = operator.made("terminals", **made)["id"]
        if line is not None:
            verb = "record-line" if line else "record-no-line"
            operator.made(f"terminals/{ids[name]}/{verb}", **line)

    def report(name: str, **more: Any) -> None:
        dish_id = operator.get(f"terminals/{ids[name]}").json()["dish_id"]
        row = {"sequence": town.desk.clock.now() // (15 * S), "at_us": town.desk.clock.now() - S, **more}
        operator.made("telemetry/managed", dish_id=dish_id, rows=[{"state": "connected", **row}])

    def down() -> dict[str, tuple[str, str]]:
        names = {id: name for name, id in ids.items()}
        found = operator.get("fleet/health").json()["down"]
        return {names[one["terminal"]]: (one["why"], one["says"]) for one in found}

    for name in ("disabled", "off"):
        report(name, state="disabled")
    for number, name in enumerate(("unknown", "active", "ended", "ends", "none")):
        report(name)
        # Not all at once: that would be our own ear.
        operator.made("clock", advance_s=60 * (number + 2))
    before = down()
    assert (before["off"][0], before["disabled"][0]) == ("no-account", "no-account")
    assert "inactive" in before["off"][1]
    assert "line is" not in before["disabled"][1]
    assert before["ends"][0] == "power"
    operator.made("clock", advance_s=3600)
    report("well")
    found = down()
    assert {name: why for name, (why, _) in found.items()} == {
        "unknown": "power", "active": "power", "disabled": "no-account", "off": "no-account",
        "ended": "no-account", "ends": "no-account", "none": "no-account",
    }  # fmt: skip
    assert all("has ended" in found[name][1] for name in ("ended", "ends"))
    assert "no service line" in found["none"][1]
    # Renewed, and told of it: what silences it is something else.
    operator.made(f"terminals/{ids['ended']}/record-line", **usual)
    assert down()["ended"][0] == "power"
