"""The two recorded outages by the command, with the figures that they are known for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skylift.cli.main import app

LAURA = "--time-column time_e_utc --time-zone UTC --entity-columns name_1,name_2 --scale-max 10"
VENEZUELA = "--time-column time_e --time-zone America/Caracas --entity-columns name_1 --scale-max 100"


def detected(file: Path, declared: str, *more: str) -> Any:
    arguments = ["outages", "detect", str(file), *declared.split(), "--value-column", "connectivity", *more]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_hurricane_laura(shared_file: Callable[[str], Path]) -> None:
    file = shared_file("outages/hurricane-laura_2020-08.csv")
    found = detected(file, LAURA, "--baseline", "pinned:2020-08-24/2020-08-27")
    opened = {event["entity"] for event in found["events"]}
    closed = {event["entity"] for event in found["events"] if event["closed_at"]}
    assert (found["series"], len(opened), len(closed)) == (216, 86, 64)
    (calcasieu,) = [event for event in found["events"] if event["entity"] == "Louisiana/Calcasieu"]
    assert (calcasieu["opened_at"], calcasieu["closed_at"]) == ("2020-08-27T03:00:00Z", None)
    assert calcasieu["band"] == "critical"
    assert found["rejected"] == []


def test_the_venezuelan_blackout(shared_file: Callable[[str], Path]) -> None:
    file = shared_file("outages/venezuela_2019-07.csv")
    found = detected(file, VENEZUELA, "--baseline", "pinned:2019-07-20/2019-07-22")
    # The window is in UTC, as every instant without offset; by local midnight it is the same.
    local = detected(file, VENEZUELA, "--baseline", "pinned:2019-07-20T04:00:00Z/2019-07-22T04:00:00Z")
    assert [e["opened_at"] for e in local["events"]] == [e["opened_at"] for e in found["events"]]
    opened = {event["entity"] for event in found["events"]}
    assert len(opened) == 12
    assert "Bolívar" not in opened
    (capital,) = [event for event in found["events"] if event["entity"] == "Distrito Capital"]
    assert (capital["opened_at"], capital["closed_at"]) == ("2019-07-22T19:00:00Z", "2019-07-24T03:00:00Z")
    assert [one["reason"] for one in found["rejected"]] == ["the value -1 is negative"]


@pytest.mark.parametrize(
    ("name", "declared"), [("hurricane-laura_2020-08", LAURA), ("venezuela_2019-07", VENEZUELA)]
)
def test_under_a_week_is_not_enough(shared_file: Callable[[str], Path], name: str, declared: str) -> None:
    found = detected(shared_file(f"outages/{name}.csv"), declared, "--baseline", "tod:7d")
    assert found["events"] == []
    assert len(found["insufficient"]) == found["series"]


def test_iodas_rules_open_at_once_and_know_no_night(tmp_path: Path) -> None:
    """Nine quiet nights of ten-minute bins: ours says nothing, a moving median takes each for an outage."""
    rows = [
        f"{1_600_000_200 + 600 * k},A,{0.5 if k % 144 < 40 else 1.0}" for k in range(9 * 144)
    ]  # fmt: skip
    (tmp_path / "r.csv").write_text("\n".join(["t,e,v", *rows]))
    declared = "--time-column t --time-zone UTC --value-column v --entity-columns e --scale-max 1 --json"
    words = ["outages", "detect", str(tmp_path / "r.csv"), *declared.split(), "--baseline"]
    found = {
        baseline: json.loads(CliRunner().invoke(app, [*words, baseline], catch_exceptions=False).stdout)
        for baseline in ("tod:7d", "ioda:ping-slash24")
    }
    assert found["tod:7d"]["events"] == []
    nights = found["ioda:ping-slash24"]["events"]
    assert len(nights) >= 7
    # One bin opens and one closes: it begins and is sure at once.
    assert all(one["opened_at"] == one["confirmed_at"] for one in nights)
