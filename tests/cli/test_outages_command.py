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
