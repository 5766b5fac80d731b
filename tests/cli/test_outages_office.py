"""From a series to the service's record: the made-up night, draft requests, and a monitor that tells."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.cli.main import app
from skylift.cli.outages_draft import words as draft_words
from skylift.study.need import Cut, NeedRules, NeedSite, need
from tests.cli.test_office_commands import run
from tests.cli.test_office_commands import server as server


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder that the command wrote, and what it said."""
    folder = tmp_path_factory.mktemp("night")
    return folder, run("outages", "scenario", "-o", str(folder), "--json")


def set_up(server: str) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )


def test_the_made_up_night_by_hand(night: tuple[Path, Any]) -> None:
    folder, done = night
    [event] = done["events"]
    assert (event["entity"], event["opened_at"], event["closed_at"]) == (
        "AS44600", "2022-02-26T02:40:00Z", "2022-02-26T06:20:00Z",
    )  # fmt: skip
    assert event["min_fraction"] < 0.2
    assert event["band"] == "critical"
    assert event["targets"] == min(
        float(row["targets"]) for row in csv.DictReader((folder / "recording.csv").open())
        if row["entity"] == "as/AS44600"
    )  # fmt: skip
    country = next(one for one in done["levels"] if one["entity"] == "UA")
    assert round(country["fraction"], 2) == 0.87
    assert all("(Synthetic data.)" in text for text in done["sentences"]["en"])
    assert all("(Вигадані дані.)" in text for text in done["sentences"]["uk"])
    # Of its users nobody knows the number: the scenario assumes one, and says so beside the figure.
    assert [one["id"] for one in done["need"]["sites"]] == ["hospital-demo-1", "waterworks-demo-1"]
    people = done["need"]["people_cut_off"]
    # 37.7 million of the packaged list, 80 % online, 45 of 38,516 blocks, and what is left of them.
    left = next(one["fraction"] for one in done["levels"] if one["entity"] == "AS44600")
    assert people["about"] == pytest.approx(37.7e6 * 0.8 * 45 / 38_516 * (1 - left), rel=0.02)
    assert people["least"] < people["about"] < people["most"]
    [assumed] = [one for one in done["need"]["assumptions"] if "carries" in one]
    assert assumed.startswith("as/AS44600 carries 0.12% of the users where it is: its own part")
    assert any("last measured, 2022-02-26T06:10" in one for one in done["need"]["assumptions"])
    # With a stated share there are people, and the share stands among the assumptions.
    shared = run("outages", "scenario", "--share", "as/AS44600=0.1", "--json")["need"]
    assert 2_000_000 < shared["people_cut_off"]["about"] < 3_100_000
    assert "as/AS44600 carries 10% of the users where it is" in shared["assumptions"]
    # The same by the plain commands, from the file that it wrote.
    declared = "--time-column time --time-zone UTC --value-column level --entity-columns entity --scale-max 1"
    again = run("outages", "detect", str(folder / "recording.csv"), *declared.split(),
                "--targets-column", "targets", "--json")  # fmt: skip
    assert [(one["opened_at"], one["closed_at"], one["min_fraction"]) for one in again["events"]] == [
        (event["opened_at"], event["closed_at"], event["min_fraction"])
    ]
    # And from the events: their country is theirs, and they cover the night and the day after.
    for at, expected in (("2022-02-26T06:15Z", 37.7e6 * 0.8 * 0.05 * (1 - left)), ("2022-02-26T12:00Z", 0)):
        words = ("need", str(folder / "events.json"), "--at", at, "--share", "AS44600=0.05", "--json")
        cut_off = run("outages", *words)["people_cut_off"]["about"]
        assert cut_off == pytest.approx(expected, rel=0.02)
    assert {row["synthetic"] for row in csv.DictReader((folder / "recording.csv").open())} == {"yes"}


def test_a_share_of_nobody_in_the_scenario_is_refused() -> None:
    for share in (["AS64999=0.1"], ["AS44600=0.1", "as/AS44600=0.2"]):
        words = [word for one in share for word in ("--share", one)]
        result = CliRunner().invoke(app, ["outages", "scenario", *words])
        assert isinstance(result.exception, Refused)
        assert result.exception.code == "need.share"


def test_a_need_becomes_draft_requests_once(server: str) -> None:
    set_up(server)
    first = run("outages", "scenario", "--draft", "--json")
    assert [one["new"] for one in first["recorded"]] == [True]
    [recorded] = run("outage", "list", "--json")["items"]
    assert recorded["worst"]["targets"] == first["events"][0]["targets"] > 0
    assert [one["site"] for one in first["drafts"]] == ["hospital-demo-1", "waterworks-demo-1"]
    again = run("outages", "scenario", "--draft", "--at", "2022-02-26T06:00:00Z", "--json")
    assert [one["new"] for one in again["recorded"]] == [False]
    assert [one["id"] for one in again["drafts"]] == [one["id"] for one in first["drafts"]]
    # Again with what makes it another request: told by what is wrong, and not by a key that nobody gave.
    for words, code in (
        (["--region", "rgn_nowhere"], "region.unknown"),
        (["--share", "AS44600=0.1"], "need.drafted"),
    ):
        refused = CliRunner().invoke(app, ["outages", "scenario", "--draft", *words]).exception
        assert isinstance(refused, Refused)
        assert refused.code == code
    requests = run("request", "list", "--json")["items"]
    found = {(one["site_kind"], one["terminals_wanted"], one["status"], one["channel"]) for one in requests}
    assert found == {("hospital", 3, "draft", "api"), ("utility", 1, "draft", "api")}
    # Nobody waits for an answer to it, and no time runs, until a person says that somebody needs it.
    assert json.loads(run("ask", "triage"))["items"] == []
    hospital = next(one["id"] for one in requests if one["site_kind"] == "hospital")
    assert run("request", "confirm", hospital, "--json")["status"] == "received"
    assert [one["request"] for one in json.loads(run("ask", "triage"))["items"]] == [hospital]
    [outage] = run("outages", "events", "--json")["outages"]
    assert outage["state"] == "closed"
    assert "Synthetic" in outage["text"]


def test_a_draft_says_what_it_is_and_what_it_rests_on() -> None:
    site = NeedSite("hospital-1", "851e6387fffffff", "hospital", 300, 100e6, 0, "AS44600")
    began_us, at_us = (parse_instant(f"2022-02-26T0{hour}:40:00Z") for hour in (2, 6))
    cut = Cut("as/AS44600", frozenset(), 0.05, 0.02, 0.1, began_us)
    report = need([cut], {}, [site], NeedRules(), at_us)
    text = draft_words(report, report.sites[0], True)
    assert text.startswith("Reckoned from an outage; nobody has asked. SYNTHETIC DATA: made up.")
    assert "80% of people use the internet" in text
    assert "since 2022-02-26T02:40:00Z" in text
    # The same whenever it is made: or the service would take it for another.
    later = need([cut], {}, [site], NeedRules(), at_us + 3_600_000_000)
    assert draft_words(later, later.sites[0], True) == text


def test_a_monitor_tells_the_service_once_even_with_a_new_store(
    server: str, tmp_path: Path, night: tuple[Path, Any]
) -> None:
    set_up(server)
    lines = (night[0] / "recording.csv").read_text().splitlines()
    # The week before the outage, and the outage: of the network alone.
    short = [line for line in lines if "AS44600" in line and "2022-02-19" <= line < "2022-02-26T08"]
    (tmp_path / "recording.csv").write_text("\n".join([lines[0], *short]))
    declared = "--signal ping --time-column time --time-zone UTC --value-column level --entity-columns entity"
    declared += " --scale-max 1 --targets-column targets --kind as --country UA --synthetic"

    def followed(name: str, times: int) -> Any:
        store = ("--store", str(tmp_path / name))
        run("outages", "import", str(tmp_path / "recording.csv"), *store, *declared.split(), "--json")
        return [run("outages", "monitor", *store, "--once", "--send", "--json")["sent"] for _ in range(times)]

    assert followed("one.sqlite", 2) == [1, 0]
    [outage] = run("outages", "events", "--json")["outages"]
    assert outage["state"] == "closed"
    # The store is lost, and fed again: it tells the same, and the service knows it already.
    assert followed("two.sqlite", 1) == [1]
    assert run("outages", "events", "--json")["outages"] == [outage]


def test_detections_whose_names_begin_alike_are_two(server: str, tmp_path: Path) -> None:
    set_up(server)
    times = {"opened_at": "2022-02-26T05:00:00Z", "confirmed_at": "2022-02-26T05:10:00Z", "closed_at": None}
    level = {"min_fraction": 0.18, "low": 0.15, "high": 0.21, "band": "critical"}
    # The longer one first: it is what a search for the shorter one finds.
    events = [
        {"id": id, "entity": code, **times, **level} for id, code in (("out_12", "PL"), ("out_1", "UA"))
    ]
    (tmp_path / "e.json").write_text(json.dumps({"events": events}))
    done = run("outages", "send", str(tmp_path / "e.json"), "--kind", "country", "--json")
    assert [one["new"] for one in done["sent"]] == [True, True]


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"closed_at": "2026-01-01T00:00:00Z"}, "as", "outages.event"),
        ({"confirmed_at": "2026-01-01T00:00:00Z"}, "as", "outages.event"),
        ({"min_fraction": float("nan")}, "as", "outages.event"),
        ({"low": -0.1}, "as", "outages.event"),
        ({"entity": "Some Net"}, "as", "outages.entity"),
        ({"entity": "Ukraine"}, "country", "outages.entity"),
    ],
)
def test_events_that_contradict_themselves_are_refused_before_any_is_sent(
    tmp_path: Path, change: dict[str, Any], kind: str, code: str
) -> None:
    times = {"opened_at": "2026-01-01T10:00:00Z", "confirmed_at": "2026-01-01T11:00:00Z", "closed_at": None}
    good = {"id": "out_1", "entity": "AS64500", **times, "min_fraction": 0.1, "low": 0.0, "high": 0.2}
    if kind == "country":
        good["entity"] = "UA"
    (tmp_path / "e.json").write_text(json.dumps({"events": [good, good | {"id": "out_2"} | change]}))
    # Nobody listens there: who asked the service at all would say so.
    words = ["outages", "send", str(tmp_path / "e.json"), "--kind", kind, "--server", "http://127.0.0.1:9"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, Refused)
    assert result.exception.code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nowhere"], "scenario.unknown"),
        (["nothing.toml"], "outages.no-series"),
        (["absent.toml"], "scenario.unreadable"),
        (["ukraine-2022", "--at", "1999-01-01"], "outages.instant"),
        (["ukraine-2022", "--share", "as/AS44600=7"], "need.share"),
    ],
)
def test_bad_words_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    dish = 'start = 2022-02-26\n[[terminal]]\nid = "x"\nlatitude_deg = 1\nlongitude_deg = 1\n'
    (tmp_path / "nothing.toml").write_text(dish)
    result = CliRunner().invoke(app, ["outages", "scenario", *words])
    assert isinstance(result.exception, Refused)
    assert result.exception.code == code


def test_nothing_is_drafted_where_nothing_is_cut_off(tmp_path: Path) -> None:
    covers = {"from": "2022-02-25T00:00:00Z", "to": "2022-02-27T00:00:00Z"}
    (tmp_path / "e.json").write_text(json.dumps({"events": []} | covers))
    words = ["outages", "need", str(tmp_path / "e.json"), "--at", "2022-02-26", "--country", "LT", "--draft"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, Refused)
    assert result.exception.code == "need.nothing"
