"""skylift plan capacity and plan compare: keys, tables, files, refusals; and halves on real catalogues."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.packaged import packaged_text
from skylift.base.errors import Refused
from skylift.cli.main import main
from skylift.cli.plan_compare import _gain, _table
from skylift.cli.plan_rules import rules_of
from skylift.cli.plan_warnings import _cost
from skylift.cli.plan_words import LIFTED, verdict
from skylift.study.bearing import asked_slots

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["skylift", "plan", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


# One gateway: with many, sets of them are tried as well, which takes ten times as long.
SMALL = ("capacity", "--region", "LU", "--gateway", "Wola Krobowska, Poland")
QUICK = (*SMALL, "--hours", 1, "--limits-every", 0)


def answer(run: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = run
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_json_is_one_document_with_the_promised_keys(plan: Run) -> None:
    found = answer(plan(*SMALL, "--hours", 2, "--limits-every", 2, "--json"))
    wanted = {
        "at",
        "cells",
        "demand_bps",
        "served_bps",
        "mbps_per_km2",
        "terminals_at",
        "limited_by",
        "hours",
    }
    assert wanted <= set(found)
    assert set(found["limited_by"]) == set(LIFTED)
    assert len(found["hours"]) == 2
    assert found["limited_by_hours"] == [0]
    assert all(isinstance(n, int) for n in found["terminals_at"].values())
    assert list(found["terminals_at"].values()) == sorted(found["terminals_at"].values(), reverse=True)
    assert 0 < found["served_bps"] < found["demand_bps"]


def test_people_get_tables_and_a_sentence(plan: Run) -> None:
    code, out, _ = plan(*SMALL, "--hours", 1)
    assert code == 0
    assert "means of the slots" not in out, "it was all of them"
    for text in (
        "Luxembourg",
        "served, mean, Gbit/s",
        "terminals at 5 Mbit/s each",
        "What limits most",
        "note:",
    ):
        assert text in out


def test_two_runs_side_by_side(plan: Run, tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    answer(plan(*QUICK, "--beams", 1, "-o", before, "--json"))
    answer(plan(*QUICK, "-o", after, "--json"))
    code, out, _ = plan("compare", before, after, "--plot", tmp_path / "both.png")
    assert code == 0
    assert "difference" in out
    assert "Gbit/s more" in out
    assert (tmp_path / "both.png").stat().st_size > 20_000
    both = answer(plan("compare", before, after, "--json"))
    assert both["difference"]["served_bps"] == both["after"]["served_bps"] - both["before"]["served_bps"] > 0
    assert both["difference"]["cells_better"] + both["difference"]["cells_worse"] <= both["before"]["cells"]


def summary_of(served_bps: float, density: float = 100.0, **more: Any) -> dict[str, Any]:
    return {
        "region": "Nowhere", "demand_bps": 200e9, "barred_bps": 0, "served_bps": served_bps,
        "least_served_bps": served_bps, "mbps_per_km2": 1.0, "classes": {}, "demand_mbps_per_km2": density,
        "terminals_at": {"5": 10}, **more,
    }  # fmt: skip


def compared(one: dict[str, Any], two: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The rows of a comparison, by their names."""
    columns = [list(column.cells) for column in _table(one, two, ("before", "after")).columns]
    return {name: tuple(rest) for name, *rest in zip(*columns, strict=True)}


def test_differences_are_of_the_true_figures_and_not_of_the_printed() -> None:
    rows = compared(summary_of(21.449e9), summary_of(21.551e9))
    # Of the printed figures the difference would be 0.2.
    assert rows["served, mean, Gbit/s"] == ("21.4", "21.6", "+0.102")
    assert rows["served of what is allowed"] == ("10.7%", "10.8%", "+0.1 points")
    assert rows["terminals at 5 Mbit/s each"] == ("10", "10", "0")
    assert compared(summary_of(0.000273e9), summary_of(150e9))["served, mean, Gbit/s"] == (
        "0.000273",
        "150",
        "+150",
    )
    assert compared(summary_of(150e9), summary_of(149.6e9))["served, mean, Gbit/s"] == (
        "150",
        "150",
        "-0.400",
    )


def test_two_demands_stand_in_one_row() -> None:
    rows = compared(summary_of(1e9), summary_of(1e9, density=10.0, demand_bps=20e9, barred_bps=5e9))
    assert rows["wanted, Gbit/s"] == ("200", "20.0", "-180")
    assert rows["of that barred or outside, Gbit/s"] == ("-", "5.00", "")


@pytest.mark.parametrize(
    ("before_bps", "after_bps", "says"),
    [
        (2e9, 3e9, "Served: 1.00 Gbit/s more (50.0%)."),
        (2e9, 1e9, "Served: 1.00 Gbit/s less (50.0%)."),
        (2e9, 2e9, "Served: as much as before."),
        (0.0, 1e9, "Served: 1.00 Gbit/s more, where nothing was."),
        (1e6, 2e9, "Served: 2.00 Gbit/s more, 2,000 times as much."),
    ],
)
def test_what_is_gained_is_told_in_a_sentence(before_bps: float, after_bps: float, says: str) -> None:
    assert _gain(before_bps, after_bps) == says


def test_results_of_other_cells_are_not_compared(plan: Run, tmp_path: Path) -> None:
    plan(*QUICK, "-o", tmp_path / "one.json")
    plan(*QUICK, "--resolution", 4, "-o", tmp_path / "two.json")
    code, _, err = plan("compare", tmp_path / "one.json", tmp_path / "two.json")
    assert code == 2
    assert "other regions or resolutions" in err


def test_cells_and_a_map_are_written(plan: Run, tmp_path: Path) -> None:
    code, _, err = plan(*QUICK, "-o", tmp_path / "cells.geojson", "--plot", tmp_path / "map.png")
    assert code == 0, err
    assert json.loads((tmp_path / "cells.geojson").read_text())["features"]
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--region", "XQ"), "near ones"),
        (("--region", "LU", "--gateway", "Wola Krobovska"), "wola-krobowska"),
        (("--region", "LU", "--system", "starlink2022"), "starlink-2022"),
        (("--region", "LU", "--hours", "0"), "--hours"),
        (("--region", "LU", "--hours", "169"), "--hours"),
        (("--region", "LU", "--limits-every", "-1"), "--limits-every"),
        (("--region", "LU", "--demand-mbps-per-km2", "nan"), "--demand-mbps-per-km2"),
        (("--region", "LU", "--demand-mbps-per-km2", "-3"), "--demand-mbps-per-km2"),
        (("--region", "LU", "--demand", "d.csv", "--demand-mbps-per-km2", "3"), "--demand says already"),
        (("--region", "LU", "--nco", "0"), '"--nco"'),
        (("--region", "LU", "--separation-deg", "nan"), "separation"),
        (("--region", "LU", "--ka-fraction", "inf"), "--ka-fraction"),
        (("--region", "LU", "--at", "yesterday"), "--at"),
        (("--region", "LU", "--catalogue", "gone.tle"), "gone.tle"),
        (("--region", "LU", "--gateways", "gone.json"), "gone.json"),
        (("--region", "LU", "--rain", "gone.toml"), "gone.toml"),
        (("--region", "LU", "--jam", "gone.toml"), "gone.toml"),
        (("--region", "LU", "-o", "result.xlsx"), ".geojson"),
        (("--region", "LU", "--plot", "map.gif"), ".png"),
        ((), "--region"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(plan: Run, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = plan("capacity", *arguments, "--json")
    assert code == 2
    assert out == ""
    assert says in json.loads(err)["error"]["thing"] + " " + json.dumps(json.loads(err), ensure_ascii=False)


# --- the sentence --------------------------------------------------------------------------------------


def told(**changes: Any) -> str:
    summary = {
        "demand_bps": 100.0,
        "barred_bps": 0.0,
        "demand_mbps_per_km2": 100.0,
        "served_bps": 50.0,
        "limited_by": {},
        "limited_by_hours": [0],
        "rules": {"beams_per_polarisation": [8, 8], "ka_fraction": 1.0},
        "gateways": {"known": 1, "antennas": 8},
        "hours": [{"satellites_in_reach": 0, "served_bps": changes.get("served_bps", 50.0)}],
    }
    return verdict(summary | changes)


def test_the_sentence_fits_the_case() -> None:
    gains = {"beams": 1e9, "antennas": 20.0, "ka": 0.0, "gso": 0.0, "nco": 0.0}
    assert "twice the antennas" in told(limited_by=gains | {"beams": 1.0})
    assert "+40%" in told(limited_by=gains | {"beams": 1.0})
    assert "No resource alone" in told(limited_by=dict.fromkeys(gains, 0.1))
    assert "not asked" in told()
    served = told(served_bps=80.0, barred_bps=20.0)
    assert served.startswith("All that is wanted is served")
    assert served.endswith("or a higher --demand-mbps-per-km2.")
    assert told(served_bps=100.0, demand_mbps_per_km2=None).endswith("or more in --demand.")
    assert "no satellite is in reach" in told(served_bps=0.0)
    assert "there is no gateway" in told(served_bps=0.0, gateways={"known": 0, "antennas": 0})
    assert "no link closes" in told(served_bps=0.0, hours=[{"satellites_in_reach": 3}])
    assert "Nothing is wanted" in told(barred_bps=100.0)


def test_gains_are_of_the_slots_that_were_asked_and_these_are_named(plan: Run) -> None:
    """Of one slot in two: the other serves something else, and a share of both would be of neither."""
    gains = {"beams": 20.0, "antennas": 0.0}
    hours = [{"served_bps": 80.0}, {"served_bps": 20.0}]
    assert "+100%" in told(limited_by=gains, limited_by_hours=[1], hours=hours)
    code, out, _ = plan(*SMALL, "--hours", 2, "--limits-every", 2)
    assert code == 0
    assert "means of the slots at 11:59; of more of them" in " ".join(out.split())


@pytest.mark.parametrize(
    ("cells", "hours", "asked"),
    [(12, 24, 24), (625, 24, 24), (626, 24, 12), (2_467, 24, 6), (37_160, 24, 6), (37_160, 1, 1)],
)
def test_small_regions_are_asked_in_every_hour_what_limits(cells: int, hours: int, asked: int) -> None:
    assert len(asked_slots(cells, hours)) == asked
    assert list(asked_slots(cells, hours, 12)) == list(range(0, hours, 12))
    assert not asked_slots(cells, hours, 0)


# --- real catalogues -----------------------------------------------------------------------------------


THREE = ("Wola Krobowska, Poland", "Kaunas, Lithuania", "Muallim, Turkey")


def ukraine(shared_file: Callable[[str], Path], *gateways: str) -> tuple[object, ...]:
    """One slot of February 2022, without asking what limits."""
    return (
        "capacity", "--region", "UA", "--hours", 1, "--limits-every", 0, "--at", "2022-02-26", "--json",
        "--catalogue", shared_file("catalogues/starlink_2022-02_reconstructed.tle"),
        "--gateways", shared_file("gateways/ground-stations_2026-04.json"),
        *(word for name in gateways for word in ("--gateway", name)),
    )  # fmt: skip


@pytest.mark.parametrize("density", [100.0, 0.1])
def test_halves_never_serve_more_of_ukraine(
    plan: Run, shared_file: Callable[[str], Path], density: float
) -> None:
    """At 0.1 Mbit/s/km2 nearly all is served: there greedy alone errs."""
    common = (*ukraine(shared_file, *THREE), "--demand-mbps-per-km2", density)
    whole = answer(plan(*common))
    for half in (("--beams", 4), ("--antennas-per-gateway", 4), ("--ka-fraction", 0.5)):
        assert answer(plan(*common, *half))["served_bps"] <= whole["served_bps"] + 1


def test_poland_alone_against_three_gateways(plan: Run, shared_file: Callable[[str], Path]) -> None:
    """The tutorial's story in megabits: a gateway lost takes capacity before it takes coverage."""
    one = answer(plan(*ukraine(shared_file, THREE[0])))
    three = answer(plan(*ukraine(shared_file, *THREE)))
    # Eight antennas of 16 beams, 0.675 Gbit/s each at any elevation: both polarisations share the flux.
    assert 8 * 16 * 0.60e9 < one["served_bps"] < 8 * 16 * 0.676e9
    assert one["hours"][0]["satellites_tracked"] == 8
    assert three["served_bps"] > 1.5 * one["served_bps"]
    assert three["hours"][0]["satellites_tracked"] <= 24


def test_later_satellites_have_the_arrays_of_their_generation(
    plan: Run, shared_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """V2 mini serve more than with the beams of 2021, and it is said how many there are."""
    text = packaged_text("radio/systems/starlink-2026.toml")
    (tmp_path / "before.toml").write_text(text.replace("arrays = 3 ", "arrays = 1 "))
    common = (
        "capacity", "--region", "UA", "--resolution", 4, "--hours", 1, "--limits-every", 0, "--json",
        "--catalogue", shared_file("catalogues/starlink_2026-05-30.tle"),
        "--gateways", shared_file("gateways/ground-stations_2026-04.json"), "--gateway", THREE[0],
    )  # fmt: skip
    now, before = answer(plan(*common)), answer(plan(*common, "--system", tmp_path / "before.toml"))
    assert now["rules"]["arrays"] == {"V2 mini": 3}
    assert 1.2 * before["served_bps"] < now["served_bps"] <= 8 * 3 * 16 * 0.81e9
    assert any("7,072 of 10,395 satellites are V2 mini" in note for note in now["notes"])


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--beams", 0), "satellites have no beams"),
        (("--antennas-per-gateway", 0), "gateways have no antennas"),
        (("--ka-fraction", 0), "carry nothing over Ka"),
        (("--gateway", "Akita"), "no satellite is in reach"),
    ],
)
def test_nothing_is_served_for_the_reason_that_is_given(
    plan: Run, flags: tuple[object, ...], why: str
) -> None:
    code, out, err = plan("capacity", "--region", "LU", "--hours", 1, "--limits-every", 0, *flags)
    assert code == 0, err
    said = " ".join(out.split())
    assert "Nothing is served: " in said
    assert why in said


def test_no_heading_is_cut_short_at_80_columns(plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = plan(*QUICK)
    assert code == 0
    assert "\N{HORIZONTAL ELLIPSIS}" not in out
    assert "tracked" in out
    assert "the slot of 2022-12-01" in " ".join(out.split())


@pytest.mark.parametrize("degrees", ["nan", "200", "-1"])
def test_an_impossible_separation_names_its_option_in_degrees(plan: Run, degrees: str) -> None:
    code, _, err = plan(*QUICK, "--separation-deg", degrees)
    assert code == 2
    assert "--separation-deg: it is 0 to 20 degrees" in err


def test_doubts_come_before_the_work(plan: Run) -> None:
    code, out, err = plan(*QUICK, "--system", "kuiper", "--json")
    assert code == 0
    assert "warning: the packaged satellites are Starlink's" in err
    assert any("packaged satellites" in note for note in json.loads(out)["notes"])


def test_long_work_is_told_in_minutes_and_memory() -> None:
    assert _cost(2_500, 54, 253.0) == ""
    assert _cost(1, 1, 4e6, 10**10).startswith("1 cell in 1 schedule: by a rule of thumb this takes about ")
    assert "minutes" in _cost(40_000, 54, 253.0)
    assert "1.3 GB" in _cost(40_000, 54, 253.0)
    # Luxembourg at resolution 8: few cells, but a beam covers most of them.
    assert "minutes" in _cost(3_509, 2, 0.737)
    # One hour of it is short, but not small.
    assert "about 2 minutes and 5.5 GB" in _cost(4_116, 1, 0.638)
    # Ukraine at resolution 6 for a day: a fleet of eight times as many arrays takes eight times as long.
    assert "about 8 minutes" in _cost(17_168, 54, 36.0)
    assert "about 60 minutes" in _cost(17_168, 54, 36.0, 24_300)


def test_an_interrupt_within_a_kernel_is_no_crash(plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call into compiled code that Ctrl-C meets ends in SystemError, caused by the interrupt."""

    def interrupted(*_: object, **__: object) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr("skylift.adapters.plan_sources.load_plan", interrupted)
    assert plan(*QUICK) == (130, "", "")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), (0.02, (1, 2, 3, 4), None)),
        (("floor_fraction=0.05", "class_tiers=1,1,2,3"), (0.05, (1, 1, 2, 3), None)),
        (("class_weights=[8, 4, 2, 1]",), (0.02, (1, 1, 1, 1), (8, 4, 2, 1))),
    ],
)
def test_how_classes_share_is_set(settings: tuple[str, ...], expected: tuple[object, ...]) -> None:
    rules = rules_of(settings)
    assert (rules.floor_fraction, rules.tiers(), rules.class_weights) == expected


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("floor=0.1", "did you mean floor_fraction"),
        ("money", "choose one"),
        ("floor_fraction=2", "between 0 and 1"),
        ("floor_fraction=nan", "for example"),
        ("floor_fraction=much", "for example"),
        ("class_tiers=2,1,1,1", "begin at 1"),
        ("class_tiers=1,1,2", "all four"),
        ("class_tiers=1,1.5,2,3", "for example"),
        ("class_weights=0,1,1,1", "between 0.001 and 1000"),
        ("class_weights=", "all four"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(setting: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint) as refusal:
        rules_of((setting,))
    assert refusal.value.thing.startswith("--set ")
