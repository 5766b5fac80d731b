"""`skylift sky` and `skylift passes`, as somebody who types them meets them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.cli.main import app

# SGP4 verification set (AIAA 2006-6753).
ELEMENTS = """\
0 DELTA 1 DEB
1 06251U 62025E   06176.82412014  .00008885  00000-0  12808-3 0  3985
2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774
1 28057U 03049A   06177.78615833  .00000060  00000-0  35940-4 0  1836
2 28057  98.4283 247.6961 0000884  88.1964 271.9322 14.35478080140550
"""
WHERE = ["--lat", "50.45", "--lon", "30.52"]
AT = "2006-06-26T03:00:00Z"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "two.tle"
    path.write_text(ELEMENTS)
    return str(path)


def answer(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def refused(*arguments: str) -> Refused:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, Refused), result.output
    assert result.stdout == ""
    return result.exception


def train(count: int) -> str:
    """The second object again and again, one behind the other by 3 degrees, with numbers of their own."""

    def summed(line: str) -> str:
        return f"{line}{sum(int(c) if c.isdigit() else c == '-' for c in line) % 10}"

    first, second = ELEMENTS.splitlines()[3:5]
    lines = []
    for i in range(count):
        lines.append(summed(f"{first[:2]}{70_000 + i}{first[7:68]}"))
        lines.append(summed(f"{second[:2]}{70_000 + i}{second[7:43]}{(3.0 * i) % 360:8.4f}{second[51:68]}"))
    return "\n".join(lines) + "\n"


def test_sky_gives_the_four_keys_highest_first(tmp_path: Path) -> None:
    path = tmp_path / "train.tle"
    path.write_text(train(120))
    at = "2006-06-26T08:00:00Z"
    rows = answer("sky", str(path), "--at", at, *WHERE, "--min-elevation", "-5")
    high = answer("sky", str(path), "--at", at, *WHERE)
    assert len(rows) > 5
    elevations = [row["elevation_deg"] for row in rows]
    assert elevations == sorted(elevations, reverse=True)
    for row in rows:
        assert list(row) == ["norad", "elevation_deg", "azimuth_deg", "range_km"]
        assert row["elevation_deg"] >= -5
        assert 0 <= row["azimuth_deg"] < 360
    assert 0 < len(high) < len(rows)
    assert high == [row for row in rows if row["elevation_deg"] >= 25]


def test_sky_is_that_of_skyfield(file: str) -> None:
    from skyfield.api import EarthSatellite, load, wgs84

    lines = ELEMENTS.splitlines()
    timescale = load.timescale(builtin=True)
    satellite = EarthSatellite(lines[3], lines[4], "28057", timescale)
    ground = wgs84.latlon(50.45, 30.52, elevation_m=180.0)
    options = [*WHERE, "--altitude-m", "180", "--min-elevation", "5"]
    passing = answer("passes", file, *options, "--start", AT, "--hours", "24", "--norad", "28057")
    assert len(passing) > 2
    for one in passing:
        for instant in (one["rise"], one["culmination"], one["set"]):
            at = f"{instant[:19]}Z"
            rows = [row for row in answer("sky", file, "--at", at, *options) if row["norad"] == 28057]
            year, month, day, hour, minute, second = (int(t) for t in re.findall(r"\d+", at))
            time = timescale.utc(year, month, day, hour, minute, second)
            altitude, azimuth, distance = (satellite - ground).at(time).altaz()
            # At a whole second about rise or set it may still, or already, be below.
            assert bool(rows) or altitude.degrees < 5.1
            for row in rows:
                # UT1 - UTC was 0.2 s: 93 m of the Earth's turn.
                assert row["elevation_deg"] == pytest.approx(altitude.degrees, abs=0.01)
                away = (row["azimuth_deg"] - azimuth.degrees + 180) % 360 - 180
                assert abs(away) * math.cos(altitude.radians) < 0.01
                assert row["range_km"] == pytest.approx(distance.km, abs=0.1)


def test_sky_with_an_antenna_says_what_it_can_use(file: str) -> None:
    keys = set()
    for hour in range(24):
        at = f"2006-06-26T{hour:02d}:10:00Z"
        for row in answer(
            "sky", file, "--at", at, *WHERE, "--antenna", "starlink-mini", "--min-elevation", "0"
        ):
            keys |= set(row)
            assert row["usable"] is (row["in_field_of_view"] and row["arc_separation_deg"] >= 18.0)
    assert {"usable", "in_field_of_view", "arc_separation_deg"} <= keys


def test_passes_have_rise_culmination_and_set_in_order(file: str) -> None:
    rows = answer("passes", file, *WHERE, "--start", AT, "--hours", "12", "--min-elevation", "10")
    assert {row["norad"] for row in rows} == {6251, 28057}
    whole = [row for row in rows if row["rise"] and row["set"]]
    assert len(whole) > 3
    for row in whole:
        assert row["rise"] < row["culmination"] < row["set"]
        assert 10 <= row["culmination_elevation_deg"] <= 90
    assert whole == sorted(whole, key=lambda row: row["culmination"])
    alone = answer(
        "passes",
        file,
        *WHERE,
        "--start",
        AT,
        "--duration",
        "43200",
        "--norad",
        "28057",
        "--min-elevation",
        "10",
    )
    assert alone == [row for row in rows if row["norad"] == 28057]
    assert any(row["name"] == "DELTA 1 DEB" for row in rows)


@pytest.mark.parametrize("command", ["sky", "passes"])
@pytest.mark.parametrize("form", ["png", "svg"])
def test_both_draw_a_picture(file: str, tmp_path: Path, command: str, form: str) -> None:
    picture = tmp_path / f"sky.{form}"
    when = ["--at", AT] if command == "sky" else ["--start", AT, "--hours", "6", "--min-elevation", "5"]
    more = ["--antenna", "starlink-round-2021"] if command == "sky" else []
    answer(command, file, *when, *WHERE, *more, "--plot", str(picture))
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG" if form == "png" else b"<?xml")
    if form == "svg":
        # A place in a picture is a place in a chat: neither coordinate may be written on it.
        assert b"50.45" not in content
        return
    from matplotlib.image import imread

    pixels = imread(picture)
    assert min(pixels.shape[:2]) > 800
    # Not an empty sheet.
    assert np.ptp(pixels[..., :3], axis=(0, 1)).min() > 0.5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sky", "--at", AT, "--lat", "95.5", "--lon", "30.5"], "place.latitude"),
        (["sky", "--at", AT, "--lat", "50.5", "--lon", "230.5"], "place.longitude"),
        (["sky", "--at", AT, "--lat", "nan", "--lon", "30.5"], "place.latitude"),
        (["sky", "--at", "yesterday", *WHERE], "instant.unreadable"),
        (["sky", "--at", AT, *WHERE, "--min-elevation", "91"], "sky.min_elevation"),
        (["sky", "--at", AT, *WHERE, "--min-elevation", "nan"], "sky.min_elevation"),
        (["sky", "--at", AT, *WHERE, "--antenna", "dishy"], "antenna.unknown"),
        (["sky", "--at", AT, *WHERE, "--plot", "sky.txt"], "picture.format"),
        (["sky", "--at", AT, *WHERE, "--plot", "no/such/folder/sky.png"], "picture.folder"),
        (["sky", "--at", "2016-06-26T03:00:00Z", *WHERE, "--strict-epoch"], "catalogue.stale"),
        (["passes", "--start", AT, *WHERE, "--hours", "0"], "passes.window"),
        (["passes", "--start", AT, *WHERE, "--hours", "nan"], "passes.window"),
        (["passes", "--start", AT, *WHERE, "--duration", "60", "--hours", "1"], "passes.window"),
        (["passes", "--start", AT, *WHERE, "--norad", "99999"], "passes.norad"),
    ],
)
def test_bad_input_is_refused_and_never_says_where(file: str, arguments: list[str], code: str) -> None:
    error = refused(arguments[0], file, *arguments[1:])
    assert error.code == code
    assert error.exit_code == 2
    for number in ("50.4", "50.5", "30.5", "95.5", "230.5"):
        assert number not in str(error)


def test_old_elements_are_warned_of_on_stderr(file: str) -> None:
    result = CliRunner().invoke(app, ["sky", file, "--at", "2006-09-26T03:00:00Z", *WHERE, "--json"])
    assert result.exit_code == 0
    assert "30 days" in result.stderr
    json.loads(result.stdout)
