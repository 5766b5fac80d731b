"""Results on disk: what is written is read again, cells go to CSV and GeoJSON, pictures are drawn."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pytest

from skylift.adapters import pictures_capacity
from skylift.adapters.capacity_files import read_report, rows_of, write_report
from skylift.adapters.capacity_report import CapacityReport, report_of
from skylift.adapters.pictures_capacity import draw_capacity, draw_comparison
from skylift.adapters.plan_sources import PlanSources, hourly, load_plan
from skylift.base.errors import Refused
from skylift.base.link import WhyDown
from skylift.study.bearing import CapacityResult, bearing

SLOTS = 2
# Two gateways: with many, sets of them are tried as well, which takes ten times as long.
SOURCES = PlanSources("LU", only=("Wola Krobowska, Poland", "Kaunas, Lithuania"))


@pytest.fixture(scope="module")
def result() -> CapacityResult:
    """Luxembourg, with one cell in which service is not allowed."""
    inputs = load_plan(SOURCES)
    barred = inputs.case.demand.barred.copy()
    barred[0] = WhyDown.REGION_NOT_ACTIVE
    case = replace(inputs.case, demand=replace(inputs.case.demand, barred=barred))
    return bearing(case, hourly(inputs.start_us, SLOTS), every=2)


@pytest.fixture(scope="module")
def report(result: CapacityResult) -> CapacityReport:
    inputs = load_plan(SOURCES)
    return report_of(replace(inputs, case=result.case), result)


def test_the_summary_holds_what_the_study_found(report: CapacityReport, result: CapacityResult) -> None:
    summary = report.summary
    fixed = {"at", "cells", "demand_bps", "served_bps", "mbps_per_km2", "terminals_at", "limited_by", "hours"}
    assert fixed <= set(summary)
    assert set(summary["limited_by"]) == {"beams", "antennas", "ka", "gso", "nco"}
    assert summary["served_bps"] == pytest.approx(np.mean([h["served_bps"] for h in summary["hours"]]), abs=1)
    assert summary["least_served_bps"] == min(h["served_bps"] for h in summary["hours"])
    assert summary["served_bps"] == pytest.approx(
        sum(g["served_bps"] for g in summary["gateways"]["serving"]), rel=1e-6
    )
    assert summary["served_bps"] == pytest.approx(sum(report.detail["cells"]["served_bps"]), rel=1e-6)
    assert summary["mbps_per_km2"] == pytest.approx(
        summary["served_bps"] / 1e6 / summary["allowed_area_km2"], rel=1e-4
    )
    assert summary["terminals_at"]["5"] == result.terminals_at(5)
    assert json.loads(json.dumps(summary)) == summary


def test_a_result_comes_back_as_it_was(report: CapacityReport, tmp_path: Path) -> None:
    write_report(tmp_path / "one.json", report)
    assert read_report(tmp_path / "one.json") == report


def test_cells_as_csv_and_geojson_say_the_same(report: CapacityReport, tmp_path: Path) -> None:
    write_report(tmp_path / "cells.csv", report)
    write_report(tmp_path / "cells.geojson", report)
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    features = json.loads((tmp_path / "cells.geojson").read_text())["features"]
    assert [row["cell"] for row in rows] == [f["id"] for f in features] == report.detail["cells"]["cell"]
    for row, feature in zip(rows, features, strict=True):
        found = feature["properties"]
        assert float(row["served_mbps"]) == found["served_mbps"]
        assert row["allowed"] == str(found["allowed"]).lower()
        density = found["served_mbps"] / found["area_km2"]
        assert found["served_mbps_per_km2"] == pytest.approx(density, abs=1e-6)
        corners = np.array(feature["geometry"]["coordinates"][0])[:-1, ::-1]
        np.testing.assert_allclose(corners, h3.cell_to_boundary(row["cell"]), atol=1e-6)
    assert sum(float(row["served_mbps"]) for row in rows) == pytest.approx(report.summary["served_bps"] / 1e6)
    assert [row["allowed"] for row in rows].count("false") == 1
    assert rows_of(report)[0]["served_mbps"] == 0.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is no result"),
        ("{", "it is no result"),
        ("[]", "it is no result"),
        ('{"kind": "other"}', "it is no result"),
        ('{"kind": "skylift plan capacity", "format": 99}', "another version"),
        ('{"kind": "skylift plan capacity", "format": 1, "summary": {}, "detail": {}}', "it is damaged"),
        ('{"kind": "skylift plan capacity", "format": 1, "summary": [], "detail": 3}', "it is damaged"),
        ('{"kind": "skylift plan capacity", "format": 1, "summary": NaN}', "it is no result"),
        ("[" * 100_000, "it is no result"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(Refused, match=says):
        read_report(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("summary", "served_bps"), "much", "expected `float`.*served_bps"),
        (("summary", "terminals_at"), None, "terminals_at"),
        (("summary", "hours"), [], "hours"),
        (("summary", "limited_by"), {"money": 1.0}, "limited_by"),
        (("summary", "limited_by_hours"), [SLOTS], "do not fit"),
        (("detail", "cells", "area_km2"), [1.0], "do not fit"),
        (("detail", "cells", "cell"), ["8" * 15] * 12, "do not fit"),
        (("detail", "duration", "mbps_per_km2"), [1.0], "do not fit"),
    ],
)
def test_a_damaged_result_is_refused_by_what_is_wrong(
    report: CapacityReport, tmp_path: Path, path: tuple[str, ...], value: Any, says: str
) -> None:
    write_report(tmp_path / "x.json", report)
    document = json.loads((tmp_path / "x.json").read_text())
    table = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(Refused, match=f"(?i)it is damaged: .*{says}"):
        read_report(tmp_path / "x.json")


def test_a_missing_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_report(tmp_path / "gone.json")


def drawn(path: Path) -> Any:
    import matplotlib.image

    return matplotlib.image.imread(path)


def test_pictures_are_drawn(report: CapacityReport, tmp_path: Path) -> None:
    draw_capacity(tmp_path / "one.png", report)
    draw_comparison(tmp_path / "two.png", report, report, ("$before$", "after"))
    for name in ("one.png", "two.png"):
        pixels = drawn(tmp_path / name)
        assert min(pixels.shape[:2]) > 400
        # Viridis ends in yellow: the cells with most are there.
        yellow = (pixels[..., 0] > 0.9) & (pixels[..., 1] > 0.85) & (pixels[..., 2] < 0.3)
        assert yellow.any()


def test_a_study_without_any_service_is_drawn(
    result: CapacityResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = load_plan(SOURCES)
    dark = bearing(replace(result.case, gateways=()), hourly(inputs.start_us, 1), every=0)
    nothing = report_of(replace(inputs, case=dark.case), dark)
    assert nothing.summary["hours"][0]["beams_used_fraction"] is None
    figures: list[Any] = []
    monkeypatch.setattr(pictures_capacity.plt, "close", figures.append)
    draw_capacity(tmp_path / "dark.png", nothing)
    assert drawn(tmp_path / "dark.png").size > 0
    curves = [axes for axes in figures[0].axes if axes.texts]
    assert [text.get_text() for axes in curves for text in axes.texts] == ["nothing is served"] * 2
    assert all(axes.get_ylim() == (0.0, 1.0) for axes in curves)


def test_a_region_across_the_antimeridian_is_drawn_in_one_piece(tmp_path: Path) -> None:
    inputs = load_plan(PlanSources("FJ", resolution=4))
    result = bearing(inputs.case, hourly(inputs.start_us, 1), every=0)
    draw_capacity(tmp_path / "fiji.png", report_of(inputs, result))
    assert drawn(tmp_path / "fiji.png").size > 0
