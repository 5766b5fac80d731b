"""From a scenario's text to a world: fleets on islands, lasers that are not there, names that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from skylift.adapters.outlines import country_outline
from skylift.adapters.scenario_files import Sources, load_world
from skylift.adapters.simulate import Options, run
from skylift.base.errors import Refused
from skylift.base.places import contains
from skylift.twin.tick import Twin
from skylift.twin.world import World

HEAD = """
start = 2026-01-01T00:07:00Z
duration_h = 0.02
[catalogue]
preset = "oneweb"
"""


def world(folder: Path, text: str, **files: Any) -> World:
    for name, content in files.items():
        (folder / f"{name}.geojson").write_text(json.dumps(content))
    (folder / "mine.toml").write_text(HEAD + text)
    return load_world(Sources(folder / "mine.toml")).world


def boxes(*corners: tuple[float, float, float, float]) -> dict[str, Any]:
    """West, south, east, north of each, as a GeoJSON MultiPolygon."""
    rings = [[[w, s], [e, s], [e, n], [w, n], [w, s]] for w, s, e, n in corners]
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def fleet(count: int, region: str) -> str:
    return f'[[region]]\nid = "r"\n{region}\n[[fleet]]\nid = "f"\nregion = "r"\ncount = {count}\n'


@pytest.mark.parametrize("code", ["FJ", "KI", "PF", "MV", "NZ", "RU"])
def test_a_fleet_finds_the_land_of_islands_and_of_both_sides_of_the_antimeridian(
    code: str, tmp_path: Path
) -> None:
    places = [t.place for t in world(tmp_path, fleet(60, f'country = "{code}"')).terminals]
    outline = country_outline(code)
    assert len(places) == 60
    assert all(contains(outline, p.latitude_deg, p.longitude_deg) for p in places)


def test_a_fleet_is_spread_by_area_over_both_sides_of_the_antimeridian(tmp_path: Path) -> None:
    sides = boxes((178.0, -20.0, 180.0, -15.0), (-180.0, -20.0, -179.0, -15.0))
    text = fleet(900, 'outline_file = "sides.geojson"')
    longitudes = [t.place.longitude_deg for t in world(tmp_path, text, sides=sides).terminals]
    # Two thirds lie in the west; 900 draws stray by 14 (one sigma).
    assert sum(lon > 0 for lon in longitudes) == pytest.approx(600, abs=70)


def test_a_place_in_two_polygons_is_no_likelier(tmp_path: Path) -> None:
    outline = boxes((0.0, -5.0, 20.0, 5.0), (10.0, -5.0, 30.0, 5.0))
    text = fleet(900, 'outline_file = "both.geojson"')
    longitudes = [t.place.longitude_deg for t in world(tmp_path, text, both=outline).terminals]
    thirds, _ = np.histogram(longitudes, bins=[0, 10, 20, 30])
    assert thirds == pytest.approx([300, 300, 300], abs=70)


def test_a_region_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    text = fleet(2, 'outline_file = "all.geojson"\nexcept_file = "all.geojson"')
    with pytest.raises(Refused, match="too small"):
        world(tmp_path, text, all=boxes((10.0, 10.0, 12.0, 12.0)))


ONE = '[[terminal]]\nid = "{}"\nlatitude_deg = 46.0\nlongitude_deg = 9.0\n'


def test_a_grid_of_lasers_that_no_satellite_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"plus-grid lasers need a generated constellation with lasers"):
        world(tmp_path, '[links]\nlasers = "plus-grid"\n' + ONE.format("a"))


@pytest.mark.parametrize(("key", "kind"), [("pop", "PoP"), ("antenna", "antenna")])
def test_a_wrong_name_is_refused_where_it_stands(key: str, kind: str, tmp_path: Path) -> None:
    text = ONE.format("a") + ONE.format("b") + f'{key} = "nowhere"\n'
    with pytest.raises(Refused) as caught:
        world(tmp_path, text)
    line = (HEAD + text).split("\n").index(f'{key} = "nowhere"') + 1
    assert caught.value.thing == f"mine.toml line {line}: terminal[2].{key}"
    assert caught.value.rule == f"there is no {kind} 'nowhere'"


def test_a_terminal_uses_the_nearest_pop(tmp_path: Path) -> None:
    placed = world(tmp_path, ONE.format("milan"))
    assert placed.ground.pops[placed.terminals[0].pop].id == "milan"


def test_the_first_slot_of_a_run_has_no_handover(tmp_path: Path) -> None:
    text = (
        '[links]\npolicy = "highest-elevation"\n'
        + fleet(40, 'country = "IT"')
        + '[[service]]\nregion = "r"\n'
    )
    made = world(tmp_path, text)
    start_us = 1_767_226_032_000_000  # 2026-01-01T00:07:12Z, in the middle of a quarter of an hour
    _, first = next(Twin(made).links(start_us, start_us + 15_000_000))
    assert first.handover.any(), "the test needs a slot in which somebody hands over"
    run(
        Sources(tmp_path / "mine.toml"),
        Options(tmp_path / "out", 1, pictures=False),
        lambda done, total: None,
    )
    rows = pq.read_table(tmp_path / "out" / "links.parquet").to_pylist()
    assert not any(row["handover"] for row in rows if row["at_us"] == start_us)
    # From then on the flag is exactly: another satellite than in the slot before.
    before: dict[str, int | None] = {}
    for row in rows:
        was, now = before.get(row["terminal"]), row["satellite"]
        assert row["handover"] == (was is not None and now is not None and was != now)
        before[row["terminal"]] = now
    assert any(row["handover"] for row in rows)
