"""skylift route, as a person or a program calls it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
KUIPER = str(ROOT / "examples" / "constellations" / "kuiper-630-as-in-hypatia.toml")
STARLINK = str(ROOT / "examples" / "constellations" / "starlink-550-as-in-hypatia.toml")
MANILA, DALIAN = "14.6042,120.9822", "38.913811,121.602322"


def run(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["route", *arguments], catch_exceptions=False, standalone_mode=False)
    return result.stdout, result.stderr


def test_hypatias_routes_from_the_example_file() -> None:
    """satgenpy's published trace of Manila to Dalian at 17 to 28 s, in its own satellite numbers."""
    start = "2000-01-01T00:00:17Z"
    text, said = run(
        *("--constellation", KUIPER, "--from", MANILA, "--to", DALIAN, "--start", start),
        *("--duration", "11", "--step", "0.1", "--format", "csv"),
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["at_us", "delay_us", "hops", "path", "path_changed"]
    assert [row["path"] for row in rows if row["path_changed"] == "true"] == ["218-217", "648-649-650-616"]
    assert rows[0]["path"] == "184-183-217"
    assert rows[0]["hops"] == "4"
    # RTT published for 17.0 s: 28,986,700.459 ns.
    assert float(rows[0]["delay_us"]) == pytest.approx(28_986_700.459 / 2e3, abs=0.3)
    assert said == "110 steps, 2 changes of path, 0 without a route\n"


def test_formats_agree(tmp_path: Path) -> None:
    places = ("--constellation", STARLINK, "--from", "50.45,30.52", "--to", "-33.87,151.21")
    document = json.loads(run(*places, "--json")[0])
    assert json.loads(run(*places, "--format", "json")[0]) == document
    (row,) = document
    assert list(row) == ["at_us", "delay_us", "hops", "path", "path_changed"]
    assert row["at_us"] == 946_684_800_000_000
    assert row["hops"] == len(row["path"]) + 1
    (line,) = csv.DictReader(io.StringIO(run(*places, "--format", "csv")[0]))
    assert line["path"] == "-".join(map(str, row["path"]))
    assert float(line["delay_us"]) == row["delay_us"]
    table, picture = tmp_path / "route.txt", tmp_path / "route.png"
    printed, _ = run(*places, "-o", str(table), "--plot", str(picture))
    assert printed == ""
    assert f"{row['delay_us'] / 1e3:.3f}" in table.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    (total,) = json.loads(run(*places, "--total", "--json")[0])
    assert total["delay_us"] == pytest.approx(row["delay_us"] + 12_000.0, abs=1e-3)


def test_without_a_route_the_exit_is_0_and_the_columns_are_empty() -> None:
    places = ("--constellation", STARLINK, "--from", "89.9,0", "--to", "0,0")
    (row,) = json.loads(run(*places, "--json")[0])
    assert (row["delay_us"], row["hops"], row["path"], row["path_changed"]) == (None, 0, [], False)
    text, said = run(*places, "--format", "csv")
    assert text.splitlines()[1] == "946684800000000,,0,,false"
    assert "1 without a route" in said
    assert "no route" in run(*places)[0]


def test_a_real_catalogue_over_one_satellite_and_a_gateway(shared_file) -> None:
    catalogue = shared_file("catalogues/starlink_2026-05-30.tle")
    gateways = shared_file("gateways/ground-stations_2026-04.json")
    (row,) = json.loads(
        run(
            *("--catalogue", str(catalogue), "--gateways", str(gateways), "--no-lasers", "--json"),
            *("--from", "50.45,30.52", "--to", "52.23,21.01", "--start", "2026-05-30T12:00:00Z"),
        )[0]
    )
    assert row["hops"] == 2
    assert row["path"][0] > 40_000, "a NORAD number"
    assert isinstance(row["gateway"], str)
    assert 3_000 < row["delay_us"] < 12_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--from", "150.53,50.41"), "place.latitude"),
        (("--from", "50.41,30,53"), "place.unreadable"),
        (("--from", "fifty,thirty"), "place.unreadable"),
        (("--from", "nan,30.53"), "place.latitude"),
        (("--from", "1,2", "--catalogue", "x"), "route.sky"),
        (("--from", "1,2", "--step", "0"), "route.step"),
        (("--from", "1,2", "--step", "nan"), "route.time"),
        (("--from", "1,2", "--duration", "-5"), "route.duration"),
        (("--from", "1,2", "--min-elevation", "95"), "ground.elevation"),
        (("--from", "1,2", "--plot", "route.gif"), "picture.format"),
    ],
)
def test_bad_input_names_the_rule_and_never_the_place(arguments, code) -> None:
    with pytest.raises(Refused) as caught:
        run("--constellation", STARLINK, "--to", "1,2", *arguments)
    assert caught.value.code == code
    for number in ("150", "50.41", "30.53", "fifty"):
        assert number not in str(caught.value)
    if code in ("place.latitude", "place.unreadable") and "nan" not in arguments[1]:
        assert "swapped" in str(caught.value)


def test_without_a_start_a_catalogue_is_refused(shared_file) -> None:
    with pytest.raises(Refused, match="--start"):
        run(
            "--catalogue",
            str(shared_file("catalogues/oneweb_2026-05-30.tle")),
            "--from",
            "1,2",
            "--to",
            "3,4",
        )
