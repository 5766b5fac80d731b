"""What every command that reads a catalogue says of its bad records, and how it prints strange names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.cli.main import app

# SGP4 verification set (AIAA 2006-6753).
FIRST = """\
1 06251U 62025E   06176.82412014  .00008885  00000-0  12808-3 0  3985
2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774
"""
SECOND = """\
1 28057U 03049A   06177.78615833  .00000060  00000-0  35940-4 0  1836
2 28057  98.4283 247.6961 0000884  88.1964 271.9322 14.35478080140550
"""
AT, PLACE = "2006-06-26T03:00:00Z", ["--lat", "50.45", "--lon", "30.52"]
BAD_COUNT = 30


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """One good object, and many whose checksum is wrong."""
    path = tmp_path / "broken.tle"
    path.write_text(SECOND + FIRST.replace("3985\n", "3986\n") * BAD_COUNT)
    return str(path)


@pytest.mark.parametrize(
    "command",
    [
        ["sky", "FILE", "--at", AT, *PLACE],
        ["passes", "FILE", "--start", AT, "--hours", "1", *PLACE],
        ["route", "--catalogue", "FILE", "--start", AT, "--from", "50,30", "--to", "51,30"],
        ["ephemeris", "FILE", "--at", AT, "-o", "OUT"],
        ["catalogue", "info", "FILE"],
        ["catalogue", "convert", "FILE", "--format", "omm-json", "-o", "OUT"],
    ],
    ids=lambda command: " ".join(command[:2]) if command[0] == "catalogue" else command[0],
)
def test_lenient_says_how_many_and_which(command: list[str], broken: str, tmp_path: Path) -> None:
    named = {"FILE": broken, "OUT": str(tmp_path / "out")}
    arguments = [named.get(word, word) for word in command]
    result = CliRunner().invoke(app, [*arguments, "--lenient", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    json.loads(result.stdout)
    assert f"{BAD_COUNT} bad records were skipped" in result.stderr
    for line in range(3, 3 + 2 * BAD_COUNT, 2):
        assert f"  line {line} (06251): its digits add up to checksum 5" in result.stderr
    assert "Skipped(" not in result.stderr


def test_info_lists_the_skipped_records_for_programs(broken: str) -> None:
    result = CliRunner().invoke(
        app, ["catalogue", "info", broken, "--lenient", "--json"], catch_exceptions=False
    )
    document = json.loads(result.stdout)
    assert document["skipped"] == len(document["skipped_records"]) == BAD_COUNT
    assert document["skipped_records"][1]["line"] == 5
    assert document["skipped_records"][1]["object"] == "06251"


@pytest.mark.parametrize("name", ["SAT [/dtc]", "[red]SAT[/red]", "SAT [DTC]"])
@pytest.mark.parametrize("command", ["sky", "passes"])
def test_a_name_is_printed_as_it_is(command: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "named.tle"
    path.write_text(f"{name}\n{SECOND}")
    more = ["--lat", "90", "--lon", "0", "--at", "2006-06-26", "--min-elevation", "0"]
    if command == "sky":
        passes = CliRunner().invoke(app, ["passes", str(path), *more, "--json"], catch_exceptions=False)
        more[5] = json.loads(passes.stdout)[1]["culmination"]
    result = CliRunner().invoke(app, [command, str(path), *more], catch_exceptions=False)
    assert name in result.stdout


def test_a_narrow_screen_cuts_names_and_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "named.tle"
    path.write_text(f"A VERY LONG NAME OF ONE\n{SECOND}")
    result = CliRunner().invoke(
        app,
        ["passes", str(path), "--lat", "50", "--lon", "30", "--at", "2006-06-26"],
        env={"COLUMNS": "80"},
        catch_exceptions=False,
    )
    rows = [line.split() for line in result.stdout.splitlines() if "28057" in line]
    assert rows
    for row in rows:
        day, *times, degrees = row[-5:]
        assert day.startswith("2006-06-2")
        assert len(day) == 10
        assert all(len(time) == 8 for time in times)
        assert 25.0 <= float(degrees) <= 90.0
