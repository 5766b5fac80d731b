"""The office from the command line, against a service in this process."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.state import LiveState
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import parse_instant
from skylift.cli.main import app
from skylift.cli.office import KINDS
from skylift.client.http import Client, kept_token, token_file
from skylift.service.rooms import ROOMS
from skylift.twin.office.table import TABLE

PASSWORD = "correct horse battery"
CELLS = "851e5227fffffff,851e5237fffffff"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service on a free port, its setup code "code"; tokens are kept in a folder of the test's own."""
    clock, leap = SimulatedClock(int(parse_instant("2022-02-26T12:00:00Z"))).leaping()
    store = open_store(sqlite_url(tmp_path), ROOMS)
    desk = Desk(store, clock, leap)
    desk.setup_code = "code"
    config = uvicorn.Config(
        create_app(LiveState(clock), desk), port=0, log_config=None, lifespan="off", ws="none"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setenv("SKYLIFT_SERVER", url)
    monkeypatch.setenv("SKYLIFT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("SKYLIFT_TOKEN", raising=False)
    yield url
    running.should_exit = True
    thread.join(10)
    desk.close()


def run(*words: str, fails: type[Exception] | None = None) -> Any:
    result = CliRunner().invoke(app, list(words))
    if fails is not None:
        assert isinstance(result.exception, fails), result.output
        return result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout) if "--json" in words else result.stdout


def test_the_commands_are_the_kinds_of_the_table() -> None:
    assert set(KINDS) == {room.kind for room in TABLE.rooms()}


def test_a_region_from_the_command_line(server: str) -> None:
    assert "log in" in str(run("region", "list", fails=Refused))
    person = ("--email", "a@example.org", "--password", "correct horse battery")
    said = CliRunner().invoke(app, ["setup", f"{server}/setup?code=code", *person])
    assert "skylift authority create" in said.stderr
    entry = ("authority", "create", "code=ua-mdt", "title=A ministry", "kind=ministry", "countries=UA")
    assert (
        run(*entry, "vouches_for=askers,terminals", "source=thedigital.gov.ua", "--json")["code"] == "UA-MDT"
    )
    listed = run("authority", "list")
    assert "UA-MDT" in listed
    assert "title" in listed
    assert stat.S_IMODE(token_file(server).stat().st_mode) == 0o600
    region = run("region", "create", "country=UA", "title=Ukraine", f"cells={CELLS}", "--json")
    assert sorted(region["cells"]) == CELLS.split(",")
    assert run("region", "list", "--json")["items"][0]["id"] == region["id"]
    assert region["id"] in run("region", "list")
    assert run("region", "request", region["id"], "--version", "1", "--json")["status"] == "requested"
    assert "version 2, not 1" in str(run("region", "request", region["id"], "--version", "1", fails=Refused))
    plan = ("service-plan", "create", "title=Hospital", "service_class=1", "down_bps=5e7", "up_bps=10000000")
    assert run(*plan, "--key", "k", "--json") == run(*plan, "--key", "k", "--json")
    call = run(
        "request", "create", "channel=phone", "site_kind=hospital", "people=40", "words=CANARY", "--json"
    )
    assert call["people"] == 40
    assert "2022-02-26T12:00" in run("request", "show", call["id"])
    assert "needs" in run("terminal", "verbs")
    told = {one["field"]: one for one in run("request", "verbs", "create", "--json")}
    assert told["channel"]["is"] == "form | api | email | public-post | csv | phone"
    assert (told["channel"]["needed"], told["asked_at"]["is"]) == (True, "instant")
    lacking = run("request", "create", "channel=phone", fails=Refused)
    assert "site_kind" in lacking.rule
    assert "skylift request verbs create" in lacking.way_out
    assert "it knows list, show" in str(run("region", "fly", fails=Refused))
    assert "there is none" in str(run("region", "show", "rgn_absent", fails=Refused))
    run("logout")
    assert not token_file(server).exists()
    run("login", *person)
    assert run("region", "show", region["id"], "--json")["title"] == "Ukraine"


def test_no_service_is_the_worlds_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYLIFT_STATE_DIR", str(tmp_path))
    error = run("region", "list", "--server", "http://127.0.0.1:9", fails=Unavailable)
    assert "skylift run" in str(error)


def test_a_table_of_terminals_from_the_command_line(server: str, tmp_path: Path) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )
    file = tmp_path / "terminals.csv"
    file.write_text("serial;hardware\nSN-0001;STD-V2\nSN-0002;STD-V2\n")
    shown = run("terminal", "import", str(file))
    assert "2 rows: 2 would be new, 0 changed, 0 the same, 0 bad" in shown
    assert run("terminal", "list", "--json")["items"] == []
    plan = run("terminal", "import", str(file), "--json")
    assert run("terminal", "import", str(file), "--apply", "--plan", plan["hash"], "--json")["applied"]
    assert {one["serial"] for one in run("terminal", "list", "--json")["items"]} == {"SN-0001", "SN-0002"}
    again = run("terminal", "import", str(file), "--apply")
    assert "2 the same" in again
    assert "nothing was written" in again
    out = tmp_path / "out.csv"
    out.write_text(run("terminal", "list", "--csv"))
    assert "2 the same" in run("terminal", "import", str(out))
    file.write_text("serial;hardware\nSN-0001;STD-V9\nSN-0003;STD-V2\n")
    assert "1 of its 2 rows cannot be taken" in str(run("terminal", "import", str(file), fails=Refused))
    assert len(run("terminal", "list", "--json")["items"]) == 2
    assert "one file" in str(run("terminal", "import", fails=Refused))
    assert "cannot be read" in str(run("terminal", "import", str(tmp_path / "absent.csv"), fails=Refused))


def test_what_is_read_of_one_thing(server: str) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )
    terminal = run("terminal", "create", "hardware=STD-V2", "serial=KIT-0001", "origin=gift", "--json")["id"]
    report = {"sequence": 1, "at": "2022-02-26T12:00:00Z", "down_bytes": 7, "up_bytes": 1}
    Client(server, kept_token(server)).ask("POST", f"terminals/{terminal}/usage", {"reports": [report]})
    assert run("terminal", "usage", terminal, "--json")["down_bytes"] == 7
    assert "2022-02-26" in run("terminal", "usage", terminal)
    assert run("terminal", "usage", terminal, "from=2022-03-01", "--json")["days"] == []
    account = run("account", "create", "holder=company", "country=UA", "--json")["id"]
    assert run("account", "usage", account, "--json")["used_bytes"] == 0
    hook = run(
        "webhook", "create", "url=https://example.org/hook", "kinds=region,terminal.verified", "--json"
    )
    assert hook["secret"].startswith("whsec_")
    assert run("webhook", "deliveries", hook["id"], "--json")["status"] == "active"
    assert "whsec_" in run("webhook", "rotate", hook["id"])
    assert "whsec_" not in run("webhook", "show", hook["id"])


def test_the_milestones(server: str) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )
    call = run("request", "create", "channel=phone", "site_kind=hospital", "--json")["id"]
    run("request", "acknowledge", call)
    found = run("milestones", "--json")
    assert [one["request"] for one in found["items"]] == [call]
    shown = run("milestones")
    assert "benchmark" in shown
    assert call in shown
    assert run("milestones", "--requests", "0", "--json")["items"] == []
    assert call not in run("milestones", "--requests", "0")


def test_stock_lists_and_scans_from_the_command_line(server: str, tmp_path: Path) -> None:
    person = ("--email", "a@example.org", "--password", "correct horse battery")
    run("setup", f"{server}/setup?code=code", *person)
    me = run("person", "list", "--json")["items"][0]["id"]
    run("person", "grant", me, "role=logistics")
    owner = run("account", "create", "holder=company", "country=UA", "--json")["id"]
    file = tmp_path / "shipments.csv"
    head = "reference,origin,destination,recipient,serial,product\n"
    file.write_text(f"{head}TRK-001,WAW-1,KYV-1,{owner},SN-0001,STD-V2\n")
    run("shipment", "import", str(file), "--apply")
    id = run("shipment", "list", "--json")["items"][0]["id"]
    codes = tmp_path / "codes.txt"
    codes.write_text("SN-0001\nSN-0002\n")
    scanned = run("shipment", "check-scans", id, f"codes=@{codes}", "product=STD-V2", "--json")
    assert [one["listed"] for one in scanned["pieces"]] == [True, False]
    assert "on the list" in run("shipment", "check-scans", id, f"codes=@{codes}", "product=STD-V2")
    places = ("origin=WAW-1", "destination=KYV-1", f"recipient={owner}")
    other = run("shipment", "create", "reference=TRK-002", *places, "--json")["id"]
    for told in ("codes=SN-0101,SN-0102", f"codes=@{codes}"):
        listed = run("shipment", "scan-lines", other, "product=STD-V2", told, "--json")
    assert sorted(listed["goods"]["serials"]) == ["SN-0001", "SN-0002", "SN-0101", "SN-0102"]
    run("shipment", "plan-leg", id, "from_place=WAW-1", "to_place=KYV-1", "carrier=UPS-1")
    run("shipment", "pack", id)
    [row] = run("stock", "--serials", "--json")["items"]
    assert (row["place"], row["sound"], row["serials"]) == (id, 1, ["SN-0001"])
    assert "STD-V2" in run("stock")
    assert run("stock", "--at", "2022-02-25T00:00:00Z", "--depot", "KYV-1", "--json")["items"] == []
    region = run("region", "create", "country=UA", "title=Ukraine", f"cells={CELLS}", "--json")["id"]
    run(
        "authority", "create", "code=UA-MDT", "title=A ministry", "kind=ministry", "countries=UA",
        "vouches_for=terminals", "source=thedigital.gov.ua",
    )  # fmt: skip
    listed = tmp_path / "list.csv"
    listed.write_text("serial,owner_kind,shown,reference\nSN-0001,company,yes,7/26\n")
    words = ("allow-list", "import", str(listed), "rules=ua-2026", f"region={region}", "document=list 1/26")
    assert run(*words, "--json")["unmatched"] == [2]
    assert "taken: alw_" in run(*words, "--apply")
    list_id = run("allow-list", "list", "--json")["items"][0]["id"]
    assert run("allow-list", "look", list_id, "--json")["cut_off"] == []


def test_detected_outages_are_recorded_once_and_told_in_words(server: str, tmp_path: Path) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )
    event = {
        "id": "out_0123456789abcdef",
        "entity": "AS64500",
        "opened_at": "2022-02-26T03:10:00Z",
        "confirmed_at": "2022-02-26T03:20:00Z",
        "closed_at": None,
        "min_fraction": 0.18,
        "low": 0.15,
        "high": 0.21,
    }
    file = tmp_path / "events.json"
    file.write_text(json.dumps({"events": [event]}))
    words = ("outages", "send", str(file), "--kind", "as", "--country", "UA", "--synthetic", "--json")
    (first,) = run(*words)["sent"]
    assert (first["new"], first["state"]) == (True, "open")
    (again,) = run(*words)["sent"]
    assert (again["id"], again["new"]) == (first["id"], False)
    (shown,) = run("outages", "events", "--json")["outages"]
    assert shown["text"] == (
        "Connectivity of AS64500 fell to 18 % (15-21) of ordinary levels at 03:10 UTC on 2022-02-26 and was "
        "still down when last measured, at 03:20 UTC on 2022-02-26. (Synthetic data.)"
    )
    assert not shown["confirmed"]
    run("outage", "confirm", first["id"], "--json")
    file.write_text(json.dumps({"events": [event | {"closed_at": "2022-02-26T05:00:00Z"}]}))
    (closed,) = run(*words)["sent"]
    assert (closed["id"], closed["state"]) == (first["id"], "closed")
    (over,) = run("outages", "events", "--state", "closed", "--language", "uk", "--json")["outages"]
    assert over["confirmed"]
    assert "відновилася о 05:00 UTC" in over["text"]
    file.write_text(json.dumps({"events": [{"id": 1}]}))
    run(*words, fails=Refused)


def test_who_one_is_and_by_which_secrets(server: str) -> None:
    run("setup", f"{server}/setup?code=code", "--email", "a@example.org", "--password", PASSWORD)
    assert run("me", "--json")["roles"] == [{"role": "operator", "regions": [], "authority": ""}]
    made = run("token", "issue", "sync", "--scope", "terminal.read", "--days", "7", "--json")
    only = ("--token", made["token"], "--json")
    assert run("terminal", "list", *only)["items"] == []
    assert "not for it" in str(
        run("region", "create", "country=UA", "title=U", f"cells={CELLS}", *only, fails=Refused)
    )
    assert [one["scopes"] for one in run("token", "list", "--json")["items"]] == [["terminal.read"]]
    assert made["token"] not in run("token", "list")
    assert len(run("session", "list", "--json")["items"]) == 1
    run("token", "revoke", made["id"])
    assert "log in" in str(run("terminal", "list", *only, fails=Refused))
    assert run("totp", "enrol", "--password", PASSWORD, "--json")["secret"]
    assert "does not fit" in str(run("totp", "confirm", "000000", fails=Refused))
    assert "none are asked for" in str(
        run("totp", "disable", "000000", "--password", PASSWORD, fails=Refused)
    )


def test_what_is_personal_is_shown_and_erased_after_a_question(server: str) -> None:
    run("setup", f"{server}/setup?code=code", "--email", "a@example.org", "--password", PASSWORD)
    call = run("request", "create", "channel=phone", "site_kind=hospital", "words=CANARY", "--json")["id"]
    assert "CANARY" in run("request", "personal", call)
    refused = CliRunner().invoke(app, ["request", "erase", call], input="n\n")
    assert refused.exit_code != 0
    assert run("request", "personal", call, "--json") == {"words": "CANARY"}
    assert run("request", "erase", call, "ground=danger", "--yes", "--json") == {"done": True}
    assert run("request", "personal", call, "--json") == {}
    names = [json.loads(line)["name"] for line in run("events", "--after", "0", "--count", "3").splitlines()]
    assert "request.received/1" in names


def test_may_it_be_served_and_what_time_it_is(server: str) -> None:
    run("setup", f"{server}/setup?code=code", "--email", "a@example.org", "--password", PASSWORD)
    terminal = run("terminal", "create", "hardware=STD-V2", "serial=KIT-0001", "origin=gift", "--json")["id"]
    cell = CELLS.split(",")[0]
    assert run("may-serve", terminal, cell).startswith("no")
    later = run("may-serve", terminal, cell, "--at", "2022-03-01", "--json")
    assert later["at"] == parse_instant("2022-03-01")
    assert {"code", "authority", "would_change"} == set(later["reasons"][0])
    before = run("clock", "--json")["now_us"]
    assert run("clock", "--advance", "3600", "--json")["now_us"] >= before + 3_600_000_000
    assert json.loads(run("ask", "webhook-kinds"))


def test_an_invitation_and_a_lock(server: str) -> None:
    run("setup", f"{server}/setup?code=code", "--email", "a@example.org", "--password", PASSWORD)
    person = run("person", "create", "name=CANARY", "--json")["id"]
    code = run("person", "invite", person, "lasts_s=3600", "--json")["code"]
    theirs = Client(server).ask(
        "POST", "setup", {"code": code, "email": "b@example.org", "password": PASSWORD}
    )
    run("person", "lock", person, "reason=left the building")
    assert "log in" in str(run("me", "--token", theirs["token"], fails=Refused))
