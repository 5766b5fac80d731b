"""skylift cells and skylift gateways, as a person or a program calls them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.adapters.outlines import read_outline
from skylift.base.errors import Refused
from skylift.cli.main import app

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False, standalone_mode=False)
    return result.stdout


def test_ukraine_as_the_contract_has_it() -> None:
    document = json.loads(run("cells", "--country", "UA", "--resolution", "5", "--json"))
    assert document["area_km2"] == pytest.approx(603_628, rel=0.01)
    assert len(document["cells"]) == document["count"] == len(set(document["cells"]))
    assert document["cells"] == sorted(document["cells"])


def test_one_document_on_stdout_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skylift", "cells", "--country", "MD", "--json"],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["area"] == "Moldova"


def test_files_and_picture(tmp_path: Path) -> None:
    text, table, shapes, picture = (tmp_path / f"fiji.{e}" for e in ("txt", "csv", "geojson", "png"))
    said = run("cells", "--country", "Fiji", "-o", str(text), "--plot", str(picture))
    assert "Fiji" in said
    run("cells", "--country", "FJ", "-o", str(table))
    run("cells", "--country", "FJ", "-o", str(shapes))
    cells = text.read_text().split()
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["cell"] for row in rows] == cells
    features = json.loads(shapes.read_text())["features"]
    assert [f["id"] for f in features] == cells
    # One lies on the antimeridian, and what we write is GeoJSON that we read.
    assert "MultiPolygon" in {f["geometry"]["type"] for f in features}
    assert len(read_outline(shapes).polygons) > len(cells)
    assert picture.read_bytes().startswith(PNG)


def test_own_area(tmp_path: Path) -> None:
    square = [[30, 50], [31, 50], [31, 51], [30, 51], [30, 50]]
    area = tmp_path / "mine.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [square]}))
    document = json.loads(run("cells", "--geojson", str(area), "--resolution", "6", "--json"))
    # 111.3 km by 71 km in the middle.
    assert document["area_km2"] == pytest.approx(111.27 * 70.96, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ((), "exactly one"),
        (("--country", "UA", "--geojson", "x.geojson"), "exactly one"),
        (("--country", "Ukrane"), "UA"),
        (("--country", "UA", "--resolution", "16"), "0 to 15"),
        (("--country", "UA", "--resolution", "12"), "coarser"),
        (("--country", "VA"), "touching"),
        (("--country", "MD", "-o", "out.xls"), "csv"),
        (("--country", "MD", "--plot", "out.jpg"), "png"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        run("cells", *arguments)


def test_gateways_of_february_2022() -> None:
    document = json.loads(run("gateways", "--at", "2022-02-26", "--json"))
    gateways = {g["id"]: g for g in document["gateways"]}
    assert gateways["wola-krobowska"]["accuracy_m"] == 2_000
    assert gateways["muallim"]["in_doubt"]
    assert "fawley" not in gateways
    assert {"frankfurt"} <= {p["id"] for p in document["pops"]}
    assert "wola-krobowska" in run("gateways", "--at", "2022-02-26")


def test_gateways_of_a_list(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,lat,lon,status\nHere [1],1,2,operational\nThere,3,4,planned\n")
    said = run("gateways", "--gateways", str(file))
    assert "here-1" in said
    assert "left out: 1 planned" in said
    assert "no PoPs" in said
