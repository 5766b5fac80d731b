"""What need is reckoned from: sites of OpenStreetMap, people of GeoJSON and rasters, a monitor's events."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h3
import pytest

from skylift.adapters.need_files import area_of_entity, read_cuts
from skylift.adapters.people_files import read_people
from skylift.adapters.sites_file import read_sites
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.study.need import Cut, NeedRules, NeedSite, Stated, need, network_of

# The middle of an ocean: nobody's place.
LATITUDE, LONGITUDE = -30.0, -20.0


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def node(number: int, **tags: str) -> dict[str, Any]:
    return {"type": "node", "id": number, "lat": LATITUDE, "lon": LONGITUDE, "tags": tags}


def test_overpass_gives_sites_by_their_tags(tmp_path: Path) -> None:
    ring = [{"lat": LATITUDE, "lon": LONGITUDE}, {"lat": LATITUDE + 0.001, "lon": LONGITUDE + 0.001}]
    elements = [
        node(1, amenity="hospital", beds="120", name="Somebody's hospital"),
        node(2, amenity="shelter"),  # at a bus stop
        node(3, social_facility="shelter", capacity="40"),
        node(4, man_made="water_works"),
        node(5, highway="bus_stop"),
        {**node(6, power="substation"), "type": "way"},
        {"type": "way", "id": 7, "tags": {"amenity": "school"}, "geometry": ring},
    ]  # fmt: skip
    read = read_sites(written(tmp_path, "osm.json", {"version": 0.6, "elements": elements}))
    assert [(one.id, one.kind, one.people) for one in read] == [
        ("osm-node-1", "hospital", 120),
        ("osm-node-3", "shelter", 40),
        ("osm-node-4", "utility", 0),
        ("osm-way-6", "utility", 0),
        ("osm-way-7", "school", 0),
    ]
    assert {one.cell for one in read} == {h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)}
    assert "Somebody" not in repr(read)


def test_geojson_of_osm_gives_the_same(tmp_path: Path) -> None:
    square = [
        [[LONGITUDE + x, LATITUDE + y] for x, y in ((0, 0), (0.002, 0), (0.002, 0.002), (0, 0.002), (0, 0))]
    ]
    features = [
        {"type": "Feature", "id": "way/9", "properties": {"amenity": "hospital"},
         "geometry": {"type": "Polygon", "coordinates": square}},
        {"type": "Feature", "properties": {"@id": "node/10", "amenity": "fire_station"},
         "geometry": {"type": "Point", "coordinates": [LONGITUDE, LATITUDE]}},
    ]  # fmt: skip
    path = written(tmp_path, "s.geojson", {"type": "FeatureCollection", "features": features})
    assert [(one.id, one.kind, one.class_) for one in read_sites(path)] == [
        ("osm-way-9", "hospital", 0), ("osm-node-10", "rescue", 0),
    ]  # fmt: skip
    features[0]["geometry"] = None
    with pytest.raises(Refused, match="feature 1: latitude must be a number"):
        read_sites(written(tmp_path, "s.geojson", {"type": "FeatureCollection", "features": features}))
    with pytest.raises(Refused, match="there is no site"):
        read_sites(written(tmp_path, "s.geojson", {"type": "FeatureCollection", "features": features[:0]}))


def test_a_site_knows_its_network(tmp_path: Path) -> None:
    cell = h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)
    path = written(tmp_path, "s.csv", f"id,cell,kind,network\na,{cell},hospital,as64500\nb,{cell},school,\n")
    assert [one.network for one in read_sites(path)] == ["AS64500", ""]
    with pytest.raises(Refused, match="like AS64500"):
        read_sites(written(tmp_path, "s.csv", f"id,cell,kind,network\na,{cell},hospital,GigaTrans\n"))


def test_a_sites_own_network_counts_and_no_other() -> None:
    names = (
        "AS64500",
        "as/AS64500",
        "asn/64500",
        "as-with-customer-cone/AS64500",
        "4416",
        "country/UA",
        "as",
    )
    assert [network_of(name) for name in names] == ["AS64500"] * 4 + [""] * 3
    cuts = [
        Cut("country/UA", frozenset({"here"}), 0.87, 0.86, 0.88, 0),
        Cut("as/AS64500", frozenset(), 0.15, 0.1, 0.2, 0),
        Cut("as/AS64501", frozenset({"here"}), 0.0, 0.0, 0.0, 0, 0.9),
    ]
    sites = [NeedSite(name, cell, "hospital", 10, 100e6, 0, network) for name, cell, network in (
        ("ours", "here", "AS64500"), ("far", "there", "AS64500"), ("calm", "here", "AS64999"),
        ("unknown", "here", ""),
    )]  # fmt: skip
    report = need(cuts, {"here": 100}, sites, NeedRules(), 3 * 3_600_000_000)
    found = {one.site.id: round(one.level, 4) for one in report.sites}
    # Of a site that says nothing, the cell's users speak: nine of ten hang on AS64501.
    assert found == {"ours": 0.15, "far": 0.15, "unknown": 0.1}


def test_people_out_of_geojson_points_and_areas(tmp_path: Path) -> None:
    here = h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)
    area = [[[LONGITUDE + x, LATITUDE + y] for x, y in ((0, 0), (2, 0), (2, 2), (0, 2), (0, 0))]]
    features = [
        {"properties": {"people": 7}, "geometry": {"type": "Point", "coordinates": [LONGITUDE, LATITUDE]}},
        {"properties": {"people": 1000}, "geometry": {"type": "Polygon", "coordinates": area}},
    ]
    found = read_people(
        written(tmp_path, "p.geojson", {"type": "FeatureCollection", "features": features[:1]})
    )
    assert found == {here: 7}
    spread = read_people(
        written(tmp_path, "p.geojson", {"type": "FeatureCollection", "features": features[1:]})
    )
    assert len(spread) > 100
    assert abs(sum(spread.values()) - 1000) < len(spread)
    features[1]["properties"]["people"] = -1
    with pytest.raises(Refused, match="feature 2"):
        read_people(written(tmp_path, "p.geojson", {"type": "FeatureCollection", "features": features}))


GRID = """ncols 3
nrows 2
xllcorner -20.0
yllcorner -30.0
cellsize 1.0
NODATA_value -9999
1 -9999 3
4.4 0 6
"""


def test_people_out_of_a_raster(tmp_path: Path) -> None:
    wanted = {(-28.5, -19.5): 1, (-28.5, -17.5): 3, (-29.5, -19.5): 4, (-29.5, -17.5): 6}
    found = read_people(written(tmp_path, "p.asc", GRID))
    assert found == {h3.latlng_to_cell(*place, 5): count for place, count in wanted.items()}
    centred = GRID.replace("xllcorner -20.0", "xllcenter -19.5").replace("yllcorner -30.0", "yllcenter -29.5")
    assert read_people(written(tmp_path, "p.asc", centred)) == found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("ncols 3", "ncols 4"), "4 x 2 numbers"),
        (("6\n", "-6\n"), "negative or none"),
        (("6\n", "nan\n"), "negative or none"),
        (("cellsize 1.0", "cellsize x"), "line 5"),
        (("cellsize 1.0\n", ""), "cellsize"),
        (("yllcorner -30.0", "yllcorner 530000"), "outside the world"),
        (("ncols 3", "ncols 300000000"), "1 to 100,000,000 pixels"),
    ],
)
def test_a_raster_that_is_none_is_refused(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        read_people(written(tmp_path, "p.asc", GRID.replace(*change)))


def test_a_monitors_events_say_what_they_are_and_how_it_is_now(tmp_path: Path) -> None:
    shared = {
        "opened_at": "2022-02-26T00:00:00Z",
        "closed_at": None,
        "min_fraction": 0.1,
        "low": 0.1,
        "high": 0.2,
    }
    now = {"measured_at": "2022-02-26T03:00:00Z", "fraction": 0.4, "low": 0.3, "high": 0.5}
    events = [
        {**shared, "entity": "LT", "kind": "country", "country": "LT", "now": now},
        {**shared, "entity": "AS64500", "kind": "as", "country": "LT", "now": None},
    ]
    path = written(tmp_path, "e.json", {"events": events})

    share = {"as/AS64500": Stated.alone(0.3)}

    def cuts(at: str, **shares: float) -> tuple[list[Cut], list[str]]:
        return read_cuts(path, parse_instant(at), area_of_entity(None), share if shares else {})

    [country, network], nowhere = cuts("2022-02-26T02:00:00Z")
    assert (country.entity, country.level, network.entity) == ("country/LT", 0.1, "as/AS64500")
    # Whose share nobody states, of its users nobody is counted.
    assert (network.cells, nowhere) == (frozenset(), ["as/AS64500"])
    [country, network], nowhere = cuts("2022-02-26T04:00:00Z", stated=0.3)
    assert (country.level, country.low, country.high) == (0.4, 0.3, 0.5)
    assert (network.cells, network.share, nowhere) == (country.cells, 0.3, [])


def test_the_people_list_leaves_no_threads_behind() -> None:
    # Arrow's, at work while a command ended with a refusal, aborted it.
    counted = """
import os, pyarrow.compute, pyarrow.parquet
from skylift.adapters.need_files import people_of
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
assert people_of(["LU"])
print(threads() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", counted], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "0\n"
