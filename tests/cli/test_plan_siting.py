"""skylift plan gateways and plan terminals, as they are called."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.cli.main import app

CANDIDATES = """name,latitude,longitude,status
Bucharest,44.4,26.1,planned
Riga,56.9,24.1,operational
"Wola Krobowska, Poland",51.87,20.9,operational
"""
SITES = """id,latitude,longitude,kind,people,name
h1,47.01,28.86,hospital,200,Saint Trinity
s1,47.8,27.9,school,30,x
"""


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def candidates(tmp_path: Path) -> str:
    (tmp_path / "candidates.csv").write_text(CANDIDATES)
    return str(tmp_path / "candidates.csv")


@pytest.fixture
def sites(tmp_path: Path) -> str:
    (tmp_path / "sites.csv").write_text(SITES)
    return str(tmp_path / "sites.csv")


MOLDOVA = (
    "plan",
    "gateways",
    "--region",
    "MD",
    "--resolution",
    "4",
    "--hours",
    "1",
    "--gateway",
    "wola-krobowska",
)


def test_gateways_as_one_document(candidates: str, tmp_path: Path) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "map.png"
    done = run(*MOLDOVA, "--candidates", candidates, "--json", "-o", str(out), "--plot", str(plot))
    said = json.loads(done.stdout)
    assert json.loads(out.read_text()) == said
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert (said["region"], said["method"], said["by"]) == ("Moldova", "exact", "capacity")
    # The planned one may be chosen; the one that exists already may not, and a note says so.
    assert said["chosen"][0]["gateway"] in {"bucharest", "riga"}
    assert any("already" in note for note in said["notes"])
    valued, sets = said["bound"]["valued"], said["bound"]["sets"]
    assert f"({valued} of {sets} sets scheduled" in said["bound"]["text"]
    assert ("no other is higher" in said["bound"]["text"]) == (valued < sets)
    assert said["after"]["served_bps"] >= said["before"]["served_bps"] > 0
    assert said["bound"]["value"] >= said["after"]["served_bps"] * (1 - 1e-9)
    assert {one["gateway"] for one in said["lost_one"]} == {"wola-krobowska", said["chosen"][0]["gateway"]}
    for figures in (said["before"], said["after"]):
        assert set(figures) == {
            "availability", "least_availability", "served_bps", "least_served_bps", "robustness",
        }  # fmt: skip
    assert "44.4" not in done.stdout


def test_gateways_as_a_table(candidates: str) -> None:
    done = run(*MOLDOVA, "--candidates", candidates, "--by", "availability")
    assert "with those chosen" in done.stdout
    assert "as they are" in done.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--by", "beauty"), "robustness"),
        (("--add", "9"), "between 1 and 2"),
        (("--candidate", "bucarest"), "bucharest"),
        (("--gateway", "kawnas"), "kaunas"),
        (("--plot", "map.gif"), "picture"),
        (("--candidates", "nowhere.csv"), "cannot be read"),
        (("--demand", "d.csv", "--demand-mbps-per-km2", "3"), "--demand says already"),
    ],
)
def test_gateways_refused(candidates: str, more: tuple[str, ...], words: str) -> None:
    with pytest.raises(Refused, match=words):
        run(*MOLDOVA, "--candidates", candidates, *more)


def test_candidates_that_all_exist_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("name,latitude,longitude\nWola Krobowska,51.87,20.9\n")
    with pytest.raises(Refused, match="every one of them"):
        run(*MOLDOVA, "--candidates", str(tmp_path / "c.csv"))


def test_terminals_as_one_document_for_its_owner_alone(sites: str, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    out.write_text("old")
    out.chmod(0o644)
    done = run("plan", "terminals", "--sites", sites, "--hours", "2", "--json", "-o", str(out))
    said = json.loads(done.stdout)
    assert json.loads(out.read_text()) == said
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    hospital, school = said["sites"]
    assert (hospital["id"], hospital["class"], hospital["terminals"]) == ("h1", "life_and_rescue", 2)
    assert (school["id"], school["class"], school["terminals"]) == ("s1", "everybody", 1)
    assert hospital["gets_bps"]["least"] == pytest.approx(100e6)
    assert hospital["why"] is None
    assert said["totals"]["terminals"] == 3
    assert said["totals"]["terminals_with_spares"] == 4
    assert said["totals"]["power_w"]["least"] == 3 * 65
    for hidden in ("47.0", "28.8", "Trinity"):
        assert hidden not in done.stdout


def test_a_new_file_of_terminals_is_private_too(sites: str, tmp_path: Path) -> None:
    out = tmp_path / "new.json"
    done = run("plan", "terminals", "--sites", sites, "--hours", "1", "-o", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "3 terminals" in done.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--background-mbps-per-km2", "1"), "--region"),
        (("--background-mbps-per-km2", "nan"), "0 to 1e6"),
        (("--resolution", "7"), "0 to 6"),
        (("--resolution", "-1"), "0 to 6"),
        (("--terminal-mbps", "0"), "Mbit/s"),
        (("--spare", "-1"), "--spare"),
        (("--terminal-mbps", "nan"), "--terminal-mbps"),
        (("--people-per-terminal", "0"), "--people-per-terminal"),
        (("--region", "Ukrane", "--background-mbps-per-km2", "1"), "Ukraine"),
        (("--gateway", "kawnas"), "kaunas"),
        (("--sites", "nowhere.csv"), "cannot be read"),
    ],
)
def test_terminals_refused(sites: str, more: tuple[str, ...], words: str) -> None:
    with pytest.raises(Refused, match=words):
        run("plan", "terminals", "--sites", sites, "--hours", "1", *more)


def test_why_is_readable_at_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = "h1,47.01,28.86,hospital,200,100000,yes\nlong-id-of-a-site,47.8,27.9,school,30,,no\n"
    sites = tmp_path / "sites.csv"
    sites.write_text("id,latitude,longitude,kind,people,wanted_down_mbps,allowed\n" + rows)
    said = run("plan", "terminals", "--sites", str(sites), "--hours", "1").stdout
    assert "why" in said
    assert "not allowed" in said
    assert "\N{HORIZONTAL ELLIPSIS}" not in said


def test_a_hospital_held_down_by_everybodys_floor_says_so_and_how_not_to_be(sites: str) -> None:
    crowded = (
        "plan", "terminals", "--sites", sites, "--hours", "1", "--region", "MD", "--resolution", "4",
        "--gateway", "wola-krobowska", "--background-mbps-per-km2", "500", "--json",
    )  # fmt: skip
    held, first = (json.loads(run(*crowded, *more).stdout) for more in ((), ("--set", "floor_fraction=0")))
    assert held["sites"][0]["gets_bps"]["least"] < 50e6
    assert any("--set floor_fraction=0 " in note for note in held["notes"])
    assert first["sites"][0]["gets_bps"]["least"] == pytest.approx(100e6)
    assert not any("floor_fraction" in note for note in first["notes"])


def test_no_power_is_told_where_no_terminal_is_placed(tmp_path: Path) -> None:
    sites = tmp_path / "sites.csv"
    sites.write_text("id,latitude,longitude,kind,allowed\nh1,47.01,28.86,hospital,no\n")
    said = run("plan", "terminals", "--sites", str(sites), "--hours", "1").stdout
    assert "0 terminals and 0 spares for 1 site" in said
    assert "Power" not in said


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("terminals", "--sites", "."), "--sites"),
        (("compare", ".", "b.json"), "before"),
        (("capacity", "--region", "LU", "--catalogue", "."), "--catalogue"),
        (("capacity", "--region", "LU", "--gateways", "."), "--gateways"),
        (("capacity", "--region", "LU", "--demand", "."), "--demand"),
        (("capacity", "--region", "LU", "--rain", "."), "--rain"),
        (("capacity", "--region", "LU", "--jam", "."), "--jam"),
        (("gateways", "--region", "LU", "--candidates", "."), "--candidates"),
    ],
)
def test_a_folder_is_refused_by_the_name_of_its_option(command: tuple[str, ...], option: str) -> None:
    refused = run("plan", *command)
    assert refused.exit_code == 2
    assert option in refused.output
    assert "is a directory" in refused.output


def test_a_list_without_a_region_names_no_country(sites: str) -> None:
    notes = json.loads(run("plan", "terminals", "--sites", sites, "--hours", "1", "--json").stdout)["notes"]
    assert any("nobody but the sites of this list is served" in note for note in notes)
    assert not any("Luxembourg" in note for note in notes)


def test_a_misspelt_candidate_is_looked_for_in_its_file(candidates: str) -> None:
    with pytest.raises(Refused, match=r"candidates\.csv") as refused:
        run("plan", "gateways", "--region", "MD", "--candidates", candidates, "--candidate", "Bukarest")
    assert "bucharest" in refused.value.way_out


def test_rates_of_the_document_are_whole(candidates: str) -> None:
    said = json.loads(run(*MOLDOVA, "--candidates", candidates, "--json").stdout)
    rates = [*said["before"].items(), *said["after"].items(), *said["chosen"][0].items(), *said.items()]
    found = [value for key, value in rates if key.endswith("_bps")]
    assert len(found) == 7
    assert all(isinstance(value, int) for value in found)
