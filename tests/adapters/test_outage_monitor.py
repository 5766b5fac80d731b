"""The monitor and its store: restarts, crashes, late and repeated samples, a store that is lost."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from skylift.adapters.outage_monitor import Monitor
from skylift.adapters.outage_sources import read_sources
from skylift.adapters.outage_store import OutageStore
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.cli.main import app
from skylift.ports.probes import Gathered, Measured, Sample, Signal

HOUR_US = 3_600_000_000
START_US = 1_600_000_000_000_000 // HOUR_US * HOUR_US
DAYS = 11
SIGNAL = Signal("ping", "test", HOUR_US, 1.0)
BASELINE = "tod:7d"
PLACES = [Measured("region", name, country) for name, country in (("A", "UA"), ("B", "UA"), ("C", "PL"))]
END_US = START_US + DAYS * 24 * HOUR_US


def level(series: int, bin: int) -> float:
    """A falls for five hours on the ninth day, B for good on the tenth, C never."""
    ordinary = 0.8 + 0.1 * np.sin(bin / 24 * 2 * np.pi + series)
    down = (series == 0 and 200 <= bin < 205) or (series == 1 and bin >= 225)
    return round(float(ordinary * (0.1 if down else 1.0)), 6)


def samples(first: int = 0, last: int = DAYS * 24) -> list[Sample]:
    return [
        Sample(START_US + bin * HOUR_US, place, level(series, bin), row=bin)
        for bin in range(first, last)
        for series, place in enumerate(PLACES)
    ]


@dataclass
class Fixed:
    """Probes that give what they are told to."""

    rows: Sequence[Sample]
    complete_us: int
    signal: Signal = SIGNAL

    def gather(self, since_us: int, until_us: int) -> Gathered:
        return Gathered(self.rows, self.complete_us)


def fed(path: Path, rows: Sequence[Sample], complete_us: int = END_US) -> list[dict[str, object]]:
    store = OutageStore(path)
    try:
        monitor = Monitor(store, BASELINE)
        monitor.gather(Fixed(rows, complete_us), END_US)
        monitor.judge()
        return monitor.events()
    finally:
        store.close()


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    return fed(tmp_path_factory.mktemp("whole") / "s.sqlite", samples())


def test_what_fell_is_found(wanted: list[dict[str, object]]) -> None:
    found = {(one["entity"], one["opened_at"], one["closed_at"], one["band"]) for one in wanted}
    at = [f"2020-09-{21 + (12 + bin) // 24 - 8:02d}T{(12 + bin) % 24:02d}:00:00Z" for bin in (200, 205, 225)]
    assert found == {("A", at[0], at[1], "critical"), ("B", at[2], None, "critical")}
    # Open ones say how it is now, closed ones do not.
    assert [one["now"] is None for one in wanted] == [one["closed_at"] is not None for one in wanted]


class Falling(OutageStore):
    """Its disk is full from time to time, in the midst of a transaction or as it is committed."""

    dice = random.Random(4)

    def keep(self, *args: Any) -> None:
        if self.dice.random() < 0.3:
            raise sqlite3.OperationalError("database or disk is full")
        super().keep(*args)
        if self.dice.random() < 0.3:
            raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("seed", range(3))
def test_crashes_and_full_disks_neither_invent_nor_lose(
    tmp_path: Path, wanted: list[dict[str, object]], seed: int
) -> None:
    dice = random.Random(seed)
    rows = samples()
    path = tmp_path / "s.sqlite"
    store = Falling(path)
    monitor = Monitor(store, BASELINE)
    bin = crashes = 0
    while bin < DAYS * 24:
        until = min(bin + dice.choice([1, 2, 7, 40]), DAYS * 24)
        piece = rows[3 * bin : 3 * until]
        # Some come twice, and all out of order.
        piece = dice.sample([*piece, *piece[::3]], k=len(piece) + len(piece[::3]))
        complete_us = START_US + until * HOUR_US
        monitor.gather(Fixed(piece, complete_us), END_US)
        try:
            monitor.judge()
        except Unavailable:
            crashes += 1
        if dice.random() < 0.3:
            # As if killed: nothing that is in memory is left.
            store.close()
            store = Falling(path)
            monitor = Monitor(store, BASELINE)
        bin = until
    store.close()
    last = OutageStore(path)
    monitor = Monitor(last, BASELINE)
    monitor.judge()
    assert monitor.events() == wanted
    assert crashes > 3
    last.close()


def test_a_store_that_is_lost_comes_to_the_same_events(
    tmp_path: Path, wanted: list[dict[str, object]]
) -> None:
    # Deleted, and fed again from the recordings: the same ids, so the service knows each of them already.
    assert fed(tmp_path / "new.sqlite", samples()) == wanted
    # And without the history before the outage: nothing can be judged, and nothing is made up.
    assert fed(tmp_path / "short.sqlite", samples(first=215)) == []


def test_a_store_lost_in_the_midst_of_outages_goes_on_from_what_can_still_be_asked(
    tmp_path: Path, wanted: list[dict[str, object]]
) -> None:
    """Lost while A is down, and fed again with its source's history: the same outages, with the same ids."""
    whole, since = samples(), 3 * 202
    before, path = tmp_path / "lost.sqlite", tmp_path / "new.sqlite"
    [open_one] = fed(before, whole[:since], START_US + 202 * HOUR_US)
    assert (open_one["entity"], open_one["closed_at"]) == ("A", None)
    before.unlink()
    again = fed(path, whole)
    assert [one | {"now": None} for one in again] == [one | {"now": None} for one in wanted]
    assert open_one["id"] in {one["id"] for one in again}


def test_late_repeated_and_other_samples_are_named_and_change_nothing(
    tmp_path: Path, wanted: list[dict[str, object]]
) -> None:
    path = tmp_path / "s.sqlite"
    missing = Sample(START_US + 203 * HOUR_US, PLACES[2], 0.0, row=7)
    rows = [one for one in samples() if (one.at_us, one.of) != (missing.at_us, missing.of)]
    assert fed(path, rows) == wanted
    store = OutageStore(path)
    again = [rows[0], Sample(rows[0].at_us, rows[0].of, 0.123, row=8), missing]
    ahead = Sample(END_US + HOUR_US, PLACES[0], 0.5, row=9)
    wrong = [Sample(END_US - 1, PLACES[0], value, row=10) for value in (-1.0, float("nan"), 1.5)]
    put = store.put(SIGNAL, Gathered([*again, ahead, *wrong], END_US), END_US)
    assert (put.new, put.repeated) == (0, 1)
    assert [(one.row, one.reason) for one in put.left] == [
        (8, "too late: its bin has been judged"),
        (7, "too late: its bin has been judged"),
        (9, "it is of the future"),
        (10, "the value is negative or no number"),
        (10, "the value is negative or no number"),
        (10, "the value is above the scale's 1"),
    ]
    monitor = Monitor(store, BASELINE)
    assert [one.bins for one in monitor.judge()] == [0]
    assert monitor.events() == wanted
    store.close()


def test_another_scale_step_or_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    fed(path, samples(0, 30), START_US + 30 * HOUR_US)
    store = OutageStore(path)
    for other in (Signal("ping", "test", HOUR_US, 100.0), Signal("ping", "test", HOUR_US // 2, 1.0)):
        with pytest.raises(Refused, match="declare it the same"):
            store.put(other, Gathered([], END_US), END_US)
    for more in ([], samples(30, 60)):
        # Even where there is nothing to judge: who asks would take it for his baseline's word.
        store.put(SIGNAL, Gathered(more, START_US + (30 + len(more)) * HOUR_US), END_US)
        with pytest.raises(Refused, match="judged by tod:7d"):
            Monitor(store, "tow:4w").judge()
    store.close()
    (tmp_path / "no.sqlite").write_text("this is no database at all, but a text that is long enough" * 20)
    with pytest.raises(SkyliftError) as failure:
        OutageStore(tmp_path / "no.sqlite")
    assert failure.value.code == "outages.store"


def test_two_monitors_on_one_store_do_not_undo_one_another(
    tmp_path: Path, wanted: list[dict[str, object]]
) -> None:
    path = tmp_path / "s.sqlite"
    fed(path, samples(0, 100), START_US + 100 * HOUR_US)
    first, second = OutageStore(path), OutageStore(path)
    slow = Monitor(second, BASELINE)
    slow.judge()
    first.put(SIGNAL, Gathered(samples(100), END_US), END_US)
    known = slow._store.signals()[0]  # what the slow one read before the other went on
    Monitor(first, BASELINE).judge()
    with pytest.raises(Unavailable, match="another monitor"):
        slow._judge(known, None, None)
    slow.judge()
    assert slow.events() == wanted
    first.close()
    second.close()


def test_signals_of_one_entity_agree_or_not(tmp_path: Path) -> None:
    store = OutageStore(tmp_path / "s.sqlite")
    monitor = Monitor(store, BASELINE)
    monitor.gather(Fixed(samples(), END_US), END_US)
    calm = [Sample(one.at_us, one.of, 0.9) for one in samples()]
    monitor.gather(Fixed(calm, END_US, Signal("bgp", "test", HOUR_US)), END_US)
    monitor.judge()
    assert {(one["entity"], one["signals_open"], one["signals_judged"]) for one in monitor.events()} == {
        ("A", 1, 2), ("B", 1, 2),
    }  # fmt: skip
    # A third signal sees A fall an hour later, and ends earlier than B's outage: it never judged that.
    late = [replace(one, at_us=one.at_us + HOUR_US) for one in samples(last=220)]
    monitor.gather(Fixed(late, START_US + 221 * HOUR_US, Signal("crowd", "test", HOUR_US)), END_US)
    monitor.judge()
    assert {(one["entity"], one["signals_open"], one["signals_judged"]) for one in monitor.events()} == {
        ("A", 2, 3), ("B", 1, 2),
    }  # fmt: skip
    store.close()


TOML = """
[[source]]
name = "ours"
kind = "recorded"
file = "r.csv"
time_column = "time"
time_zone = "UTC"
value_column = "level"
entity_columns = ["place"]
scale_max = 1
step_s = 3600
signal = "ping"
country = "UA"
"""


def test_import_and_monitor_by_command(tmp_path: Path) -> None:
    lines = [f"{one.at_us // 1_000_000},{one.of.code},{one.value}" for one in samples()]
    (tmp_path / "r.csv").write_text("\n".join(["time,place,level", *lines, f"{END_US // 1_000_000},A,-1"]))
    declared = "--signal ping --time-column time --time-zone UTC --value-column level --entity-columns place"
    store = ["--store", str(tmp_path / "s.sqlite")]

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, ["outages", *words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0
        return json.loads(done.stdout)

    words = ["import", str(tmp_path / "r.csv"), *store, *declared.split(), "--scale-max", "1"]
    first = run(*words)
    assert (first["new"], first["repeated"]) == (len(lines), 0)
    assert first["rejected"] == [{"row": len(lines) + 2, "reason": "the value -1 is negative"}]
    assert run(*words)["repeated"] == len(lines)
    said = run("monitor", *store)
    assert [one["bins"] for one in said["judged"]] == [DAYS * 24]
    assert sorted(one["entity"] for one in said["events"]) == ["A", "B"]
    again = run("monitor", *store)
    assert [one["bins"] for one in again["judged"]] == [0]
    assert again["events"] == said["events"]
    # The same by a file of sources: it is another prober, with a name of its own.
    (tmp_path / "sources.toml").write_text(TOML)
    other = run("monitor", "--store", str(tmp_path / "o.sqlite"), "--sources", str(tmp_path / "sources.toml"),
                "--once")  # fmt: skip
    assert other["gathered"][0]["new"] == len(lines)
    assert [(one["entity"], one["opened_at"], one["prober"]) for one in other["events"]] == [
        (one["entity"], one["opened_at"], "ours") for one in said["events"]
    ]
    # People are told what was left out as well.
    words = ["outages", "monitor", "--store", str(tmp_path / "p.sqlite"), "--once"]
    told = CliRunner().invoke(app, [*words, "--sources", str(tmp_path / "sources.toml")])
    assert f"ping of ours: left out: row {len(lines) + 2}: the value -1 is negative\n" in told.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("kind = \"recorded\"", "kind = \"crystal-ball\""), "its kind is one of"),
        (("scale_max = 1\n", ""), "scale_max is missing"),
        (("scale_max = 1\n", "scale_max = true\n"), "scale_max is missing"),
        (("country", "contry"), "it has no key contry"),
        (("step_s = 3600", "step_s = 0"), "step_s is above zero"),
        (("[[source]]", "[[sauce]]"), "holds no"),
        (("kind =", "kind"), "no readable TOML"),
    ],
)  # fmt: skip
def test_a_file_of_sources_says_what_is_wrong(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(TOML.replace(*change))
    with pytest.raises(Refused, match=says):
        read_sources(path)


def test_a_source_that_does_not_answer_is_told_and_asked_again(tmp_path: Path) -> None:
    text = '[[source]]\nkind = "bgp"\nnetworks = { AS64500 = "UA" }\nupdates = ["none*"]\n'
    (tmp_path / "sources.toml").write_text(text)
    words = ["outages", "monitor", "--store", str(tmp_path / "s.sqlite"), "--once", "--json", "--sources"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "sources.toml")])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["gathered"][0]["error"]["code"] == "outages.bgp"
    # Beside one that answers it stops nothing.
    lines = [f"{one.at_us // 1_000_000},{one.of.code},{one.value}" for one in samples(0, 30)]
    (tmp_path / "r.csv").write_text("\n".join(["time,place,level", *lines]))
    (tmp_path / "sources.toml").write_text(text + TOML)
    done = CliRunner().invoke(app, [*words, str(tmp_path / "sources.toml")])
    assert done.exit_code == 0
    assert [one["bins"] for one in json.loads(done.stdout)["judged"]] == [30]
