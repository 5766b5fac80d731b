"""`skylift ephemeris` as a person and as a program meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sgp4.api import Satrec

from skylift.cli.main import main

# A near-Earth object and a deep-space one, of the verification file of AIAA 2006-6753.
TLE = """\
1 06251U 62025E   06176.82412014  .00008885  00000-0  12808-3 0  3985
2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774
1 22674U 93035D   06176.55909107  .00002121  00000-0  29868-3 0  6569
2 22674  63.5035 354.4452 7541712 253.3264  18.7754  1.96679808 93877
"""
NEAR = "2006-06-25T20:00:00Z"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "two.tle"
    path.write_text(TLE)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["skylift", "ephemeris", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_columns_and_values(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.parquet"
    code = run(
        monkeypatch, catalogue, "--at", NEAR, "--at", "2006-06-25T21:00", "--frame", "teme", "-o", output
    )
    assert code == 0
    table = pq.read_table(output)
    assert table.column_names == ["norad", "at_us", "x_m", "y_m", "z_m", "error"]
    assert table["norad"].to_pylist() == [6251, 22674, 6251, 22674]
    assert table["error"].to_pylist() == [0, 0, 0, 0]
    lines = TLE.splitlines()
    for row in table.to_pylist():
        record = Satrec.twoline2rv(*lines[:2] if row["norad"] == 6251 else lines[2:])
        days, rest_us = divmod(row["at_us"], 86_400_000_000)
        _, position_km, _ = record.sgp4(days + 2_440_587.5, rest_us / 86_400_000_000)
        got = np.array([row["x_m"], row["y_m"], row["z_m"]])
        np.testing.assert_allclose(got, np.array(position_km) * 1e3, atol=1e-3, rtol=0)
    assert capsys.readouterr().out == ""


def test_json_is_one_document_and_warnings_go_to_stderr(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, catalogue, "--at", "2006-09-01", "-o", tmp_path / "o.parquet", "--json")
    captured = capsys.readouterr()
    assert code == 0
    answer: dict[str, Any] = json.loads(captured.out)
    assert (answer["rows"], answer["objects"], answer["frame"]) == (2, 2, "itrs")
    assert "2 of 2 objects" in answer["warnings"][0]
    assert "older than 2006-09-01" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--at", "2006-09-01", "--strict-epoch"],
        ["--at", "yesterday"],
        ["--at", NEAR, "--earth-orientation", "no-such-file"],
    ],
)
def test_a_refusal_leaves_nothing_behind(
    arguments: list[str], catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(tmp_path.iterdir())
    assert run(monkeypatch, catalogue, *arguments, "-o", tmp_path / "o.parquet") == 2
    assert sorted(tmp_path.iterdir()) == before


def test_an_old_result_stays_when_the_new_one_fails(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "o.parquet"
    output.write_text("precious")
    table = tmp_path / "eop.csv"
    # The table ends before the second instant, which is found out only when that block is reached.
    table.write_text("DATE,MJD,X,Y,UT1-UTC\n2006-06-25,53911,0,0,0.2\n2006-06-26,53912,0,0,0.2\n")
    monkeypatch.setattr("skylift.cli.ephemeris.POSITIONS_PER_BLOCK", 1)
    late = ["--at", NEAR, "--at", "2006-06-27"]
    assert run(monkeypatch, catalogue, *late, "--earth-orientation", table, "-o", output) == 2
    assert output.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"two.tle", "eop.csv", "o.parquet"}


def test_earth_orientation_moves_the_result(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "eop.csv"
    table.write_text("DATE,MJD,X,Y,UT1-UTC\n2006-06-25,53911,0,0,0.5\n2006-06-26,53912,0,0,0.5\n")
    plain, turned = tmp_path / "a.parquet", tmp_path / "b.parquet"
    assert run(monkeypatch, catalogue, "--at", NEAR, "-o", plain) == 0
    assert run(monkeypatch, catalogue, "--at", NEAR, "--earth-orientation", table, "-o", turned) == 0
    a, b = (pq.read_table(path).to_pylist()[0] for path in (plain, turned))
    flat_m = (a["x_m"] ** 2 + a["y_m"] ** 2) ** 0.5
    moved_m = ((a["x_m"] - b["x_m"]) ** 2 + (a["y_m"] - b["y_m"]) ** 2) ** 0.5
    assert moved_m == pytest.approx(0.5 * 7.292115e-5 * flat_m, rel=1e-4)
    assert a["z_m"] == b["z_m"]


def test_an_output_folder_that_is_not_there(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, catalogue, "--at", NEAR, "-o", tmp_path / "nowhere" / "o.parquet") == 2
    assert "folder" in capsys.readouterr().err
