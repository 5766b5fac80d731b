"""The packaged outlines: right in Ukraine, whole at the antimeridian, and as large as published."""

from __future__ import annotations

import json
import math
import tomllib
from importlib import resources
from pathlib import Path

import h3
import numpy as np
import pytest

from skylift.adapters.outlines import (
    country_of,
    country_outline,
    packaged_area,
    packaged_countries,
    read_outline,
)
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.places import Outline, cells_area_km2, cells_of, contains

NOT_HELD = "ua-not-government-held-2022-02-23"


def area_km2(outline: Outline) -> float:
    """Area within straight edges in longitude and latitude, on WGS84, by the closed form of the surface."""
    e2 = 0.0066943799901413165
    e = math.sqrt(e2)
    total = 0.0
    for polygon in outline.polygons:
        for i, (longitude, latitude) in enumerate(polygon.rings):
            s = np.sin(np.radians(latitude))
            north_km2 = 6378.137**2 * (1 - e2) / 2 * (s / (1 - e2 * s * s) + np.arctanh(e * s) / e)
            ring = abs(np.sum(np.radians(np.diff(longitude)) * (north_km2[1:] + north_km2[:-1]) / 2))
            total += ring if i == 0 else -ring
    return total


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "code"),
    [
        ("Simferopol", 44.95, 34.10, "UA"),
        ("Sevastopol", 44.60, 33.53, "UA"),
        ("Yalta", 44.50, 34.16, "UA"),
        ("Kerch", 45.36, 36.47, "UA"),
        ("Armiansk, at the isthmus", 46.11, 33.69, "UA"),
        ("Kyiv", 50.45, 30.52, "UA"),
        ("Donetsk", 48.00, 37.80, "UA"),
        ("Luhansk", 48.57, 39.31, "UA"),
        ("Mariupol", 47.10, 37.55, "UA"),
        ("Odesa", 46.48, 30.72, "UA"),
        ("Temriuk, across the strait from Kerch", 45.27, 37.38, "RU"),
        ("Rostov", 47.23, 39.72, "RU"),
        ("Chukotka, beyond the antimeridian", 66.50, -172.50, "RU"),
        ("Paris", 48.86, 2.35, "FR"),
        ("Cayenne", 4.92, -52.33, "GF"),
        ("Saint-Pierre, Reunion", -21.31, 55.50, "RE"),
        ("Oslo", 59.91, 10.75, "NO"),
        ("Longyearbyen", 78.21, 15.70, "SJ"),
        ("Pristina", 42.66, 21.17, "XK"),
        ("Hargeisa", 9.56, 44.06, "SO"),
        ("Kyrenia district", 35.30, 33.30, "CY"),
        ("Laayoune", 27.14, -13.18, "EH"),
        ("Tindouf", 27.67, -8.15, "DZ"),
        ("Agadir", 30.42, -9.55, "MA"),
        ("Suva", -18.14, 178.44, "FJ"),
        ("Waitangi, Chatham Islands", -43.95, -176.54, "NZ"),
        ("Attu, Aleutians", 52.90, 172.90, "US"),
        ("Amundsen-Scott", -89.99, 0.0, "AQ"),
        ("Vatican", 41.903, 12.453, "VA"),
        ("Taipei", 25.04, 121.56, "TW"),
        ("the Atlantic", 30.0, -40.0, None),
        ("the Black Sea", 43.5, 32.0, None),
    ],
)
def test_a_place_lies_in_its_country(name: str, latitude: float, longitude: float, code: str | None) -> None:
    assert country_of(Place(latitude, longitude)) == code, name
    if code is not None:
        assert contains(country_outline(code), latitude, longitude)
    if code == "UA":
        assert not contains(country_outline("RU"), latitude, longitude)


def test_no_ring_spans_half_the_earth_and_no_edge_jumps() -> None:
    countries = packaged_countries()
    for code in countries.names:
        for polygon in countries.outline(code).polygons:
            for longitude, latitude in polygon.rings:
                assert np.ptp(longitude) <= 180.0, code
                assert np.abs(np.diff(longitude)).max() <= 91.0, code
                assert np.abs(longitude).max() <= 180.0, code
                assert np.abs(latitude).max() <= 90.0, code
                assert longitude[0] == longitude[-1], code
                assert latitude[0] == latitude[-1], code


@pytest.mark.parametrize("code", ["RU", "FJ", "US", "NZ", "AQ"])
def test_a_country_at_the_antimeridian_is_on_both_sides(code: str) -> None:
    polygons = country_outline(code).polygons
    assert min(p.bounds_deg[0] for p in polygons) < -170.0
    assert max(p.bounds_deg[2] for p in polygons) > 170.0


def test_every_code_is_an_iso_code_once_and_named() -> None:
    names = packaged_countries().names
    # ISO 3166-1 has 249 entries; XK is user-assigned.
    assert len(names) == 250
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in names)
    assert len(set(names.values())) == 250
    assert {"FR", "NO", "XK", "GF", "SJ", "VA", "TK", "BQ", "TW", "PS"} <= names.keys()


def test_ukraine_by_cells_has_its_published_area() -> None:
    # 603,628 km2 (State Statistics Service of Ukraine, territory of Ukraine with Crimea and Sevastopol).
    for resolution in (5, 6):
        cells = cells_of(country_outline("UA"), resolution)
        assert cells_area_km2(cells) == pytest.approx(603_628, rel=0.01)


# Areas as in the npm package world-countries 5.1.0, countries.json, field `area`; seen on 2026-11-22.
@pytest.mark.parametrize(
    ("code", "published_km2", "tolerance"),
    [
        ("PL", 312_679, 0.01),
        ("DE", 357_114, 0.01),
        ("ES", 505_992, 0.01),
        ("IT", 301_336, 0.01),
        ("TR", 783_562, 0.01),
        ("BY", 207_600, 0.01),
        ("KZ", 2_724_900, 0.01),
        ("EG", 1_002_450, 0.01),
        ("ZA", 1_221_037, 0.01),
        ("AR", 2_780_400, 0.01),
        ("CZ", 78_865, 0.01),
        ("MX", 1_964_375, 0.01),
        ("FR", 551_695, 0.01),
        ("RO", 238_391, 0.01),
        ("EH", 266_000, 0.015),
        ("FJ", 18_272, 0.05),  # islets are drawn coarsely
        ("AU", 7_692_024, 0.01),
        ("NZ", 270_467, 0.01),
    ],
)
def test_outlines_have_published_areas(code: str, published_km2: float, tolerance: float) -> None:
    outline = country_outline(code)
    exact_km2 = area_km2(outline)
    assert exact_km2 == pytest.approx(published_km2, rel=tolerance)
    if code not in {"AU", "KZ"}:  # they take a second each
        # Half a cell along the border, the signs of which mostly cancel.
        assert cells_area_km2(cells_of(outline, 5)) == pytest.approx(
            exact_km2, rel=0.015 + 0.05 * (code == "FJ")
        )


@pytest.mark.parametrize("word", ["UA", "ua", "UKR", "Ukraine", " ukraine "])
def test_a_country_is_found_by_code_or_name(word: str) -> None:
    assert packaged_countries().code(word) == "UA"


@pytest.mark.parametrize(
    ("word", "near"), [("Ukrane", "UA"), ("UX", "UA"), ("Polland", "PL"), ("", "UA"), ("Rusia", "RU")]
)
def test_an_unknown_country_lists_near_ones(word: str, near: str) -> None:
    with pytest.raises(Refused, match="near ones") as refused:
        country_outline(word)
    assert f"{near} (" in refused.value.way_out


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "held"),
    [
        ("Donetsk", 48.00, 37.80, False),
        ("Luhansk", 48.57, 39.31, False),
        ("Horlivka", 48.30, 38.05, False),
        ("Debaltseve", 48.34, 38.41, False),
        ("Simferopol", 44.95, 34.10, False),
        ("Sevastopol", 44.60, 33.53, False),
        ("Kerch", 45.36, 36.47, False),
        ("Mariupol", 47.10, 37.55, True),
        ("Kyiv", 50.45, 30.52, True),
        ("Kharkiv", 49.99, 36.23, True),
        ("Kramatorsk", 48.74, 37.58, True),
        ("Bakhmut", 48.60, 38.00, True),
        ("Severodonetsk", 48.95, 38.49, True),
        ("Odesa", 46.48, 30.72, True),
        ("Kherson", 46.64, 32.62, True),
        ("Henichesk, north of Crimea", 46.17, 34.80, True),
        ("Rostov, in Russia", 47.23, 39.72, True),
    ],
)
def test_who_held_what_on_the_day_before(name: str, latitude: float, longitude: float, held: bool) -> None:
    assert contains(packaged_area(NOT_HELD), latitude, longitude) != held, name


def test_the_area_not_held_has_its_size() -> None:
    crimea, donbas = (Outline("part", (p,)) for p in packaged_area(NOT_HELD).polygons)
    # Crimea 26,081 km2 and Sevastopol 864 km2 (Ukrainian statistics of 2013).
    assert area_km2(crimea) == pytest.approx(26_945, rel=0.02)
    # Drawn by hand; about a third of the two oblasts' 53,201 km2.
    assert area_km2(donbas) == pytest.approx(53_201 / 3, rel=0.1)


def test_an_unknown_area_names_the_known_ones() -> None:
    with pytest.raises(Refused, match=NOT_HELD):
        packaged_area("ua")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"type": "Polygon", "coor', "line 1"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "deep|malformed"),
        (b'{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 1], [2, 2], [NaN, 1]]]}', "position 1"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes, hint: str) -> None:
    file = tmp_path / "mine.geojson"
    file.write_bytes(content)
    with pytest.raises(Refused, match=hint) as refused:
        read_outline(file)
    assert "mine.geojson" in refused.value.thing


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="check the path"):
        read_outline(tmp_path / "none.geojson")


@pytest.mark.parametrize("folder", ["outlines", "areas", "ground"])
def test_packaged_data_says_where_it_is_from(folder: str) -> None:
    data = resources.files("skylift.data").joinpath(folder)
    source = tomllib.loads(data.joinpath("SOURCE.toml").read_text("utf-8"))
    assert data.joinpath(source["file"]).is_file()
    for key in ("what", "where_from", "licence", "made"):
        assert source[key]


def test_the_packaged_outlines_are_small() -> None:
    packed = resources.files("skylift.data").joinpath("outlines", "countries.json.gz").read_bytes()
    assert len(packed) < 1_500_000


def test_neighbours_share_no_cell() -> None:
    owned: dict[str, str] = {}
    for code in ("UA", "MD", "RO", "HU", "SK", "PL", "BY", "LT"):
        for cell in cells_of(country_outline(code), 5):
            assert owned.setdefault(cell, code) == code


@pytest.mark.parametrize("bounds", [(-180.0, -90.0, 180.0, 90.0), (-170.0, -60.0, 170.0, 60.0)])
def test_an_area_wider_than_half_the_earth_has_all_its_cells(
    tmp_path: Path, bounds: tuple[float, float, float, float]
) -> None:
    west, south, east, north = bounds
    steps = np.linspace(west, east, 7).tolist()
    ring = [[x, south] for x in steps] + [[x, north] for x in reversed(steps)] + [[west, south]]
    file = tmp_path / "wide.geojson"
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    outline = read_outline(file)
    everywhere = [c for base in h3.get_res0_cells() for c in h3.cell_to_children(base, 2)]
    inside = sorted(c for c in everywhere if contains(outline, *h3.cell_to_latlng(c)))
    assert cells_of(outline, 2) == inside
