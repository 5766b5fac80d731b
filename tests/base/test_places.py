"""Areas, points in them and their cells, against matplotlib's path and closed forms."""

from __future__ import annotations

import math
from typing import Any

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as MplPath

from skylift.base.errors import Refused
from skylift.base.places import (
    Outline,
    Polygon,
    cell_rings,
    cells_area_km2,
    cells_of,
    contains,
    outline_of_geojson,
)

# Surface of the WGS84 ellipsoid: 2 pi a^2 (1 + (1 - e^2) / e artanh e), e^2 = 0.00669437999014.
WGS84_SURFACE_KM2 = 510_065_621.724

SQUARE = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 0.0]]
HOLE = [[1.0, 1.0], [1.0, 3.0], [3.0, 3.0], [3.0, 1.0], [1.0, 1.0]]


def star(longitude: float, latitude: float, radii: list[float]) -> np.ndarray:
    """A closed ring about a centre with one corner per radius, (2, P) degrees."""
    angles = np.linspace(0.0, 2.0 * np.pi, len(radii), endpoint=False)
    ring = np.array([longitude + radii * np.cos(angles), latitude + radii * np.sin(angles)])
    return np.hstack([ring, ring[:, :1]])


STARS = st.builds(
    star,
    st.floats(-150.0, 150.0),
    st.floats(-60.0, 60.0),
    st.lists(st.floats(0.3, 3.0), min_size=3, max_size=12),
)


@given(STARS, st.lists(st.tuples(st.floats(-4.0, 4.0), st.floats(-4.0, 4.0)), min_size=1, max_size=20))
def test_a_point_is_in_an_area_as_another_library_has_it(
    ring: np.ndarray, steps: list[tuple[float, float]]
) -> None:
    outline = Outline("star", (Polygon((ring,)),))
    middle = ring[:, :-1].mean(axis=1)
    # Codes say that the last point closes the ring.
    path = MplPath(ring.T, closed=True)
    for step in steps:
        longitude, latitude = middle + step
        if outline.polygons[0].distance_m(latitude, longitude) > 1.0:
            assert contains(outline, latitude, longitude) == path.contains_point((longitude, latitude))


@given(STARS, st.integers(2, 3))
def test_a_cell_is_in_an_area_if_its_centre_is(ring: np.ndarray, resolution: int) -> None:
    path = MplPath(ring.T, closed=True)
    polygon = Polygon((ring,))
    middle = ring[:, :-1].mean(axis=1)
    # A star reaches 6 degrees (700 km) from its corners' mean at most; rings of cells are 1.5 edges apart.
    rings = math.ceil(700 / 1.5 / h3.average_hexagon_edge_length(resolution, "km")) + 1
    near = h3.grid_disk(h3.latlng_to_cell(middle[1], middle[0], resolution), rings)
    found = set(cells_of(Outline("star", (polygon,)), resolution))
    for cell in near:
        latitude, longitude = h3.cell_to_latlng(cell)
        if polygon.distance_m(latitude, longitude) > 1.0:
            assert (cell in found) == path.contains_point((longitude, latitude))
    assert found <= set(near)


def test_cells_are_sorted_and_touching_ones_are_more() -> None:
    outline = outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]})
    centred, touching = cells_of(outline, 4), cells_of(outline, 4, touching=True)
    assert centred == sorted(centred)
    assert set(centred) < set(touching)


def test_all_cells_of_the_earth_have_its_surface() -> None:
    cells = [child for base in h3.get_res0_cells() for child in h3.cell_to_children(base, 2)]
    # H3's own areas sum to its sphere; ours to the ellipsoid, to what a step of a cell's width leaves.
    assert cells_area_km2(cells) == pytest.approx(WGS84_SURFACE_KM2, rel=1e-6)
    assert cells_area_km2([]) == 0.0


def test_a_band_of_latitude_has_its_area_on_the_ellipsoid() -> None:
    # Between 48 and 50 degrees north: pi b^2 [sin / (1 - e^2 sin^2) + artanh(e sin) / e] between the two.
    e2 = 0.0066943799901413165
    e = math.sqrt(e2)

    def cap(latitude_deg: float) -> float:
        s = math.sin(math.radians(latitude_deg))
        return s / (1 - e2 * s * s) + math.atanh(e * s) / e

    exact_km2 = math.pi * 6378.137**2 * (1 - e2) * (cap(50.0) - cap(48.0))
    cells = [
        cell
        for west in range(-180, 180, 90)
        for cell in cells_of(
            outline_of_geojson(
                {
                    "type": "Polygon",
                    "coordinates": [
                        [[west, 48], [west + 90, 48], [west + 90, 50], [west, 50], [west, 48]],
                    ],
                }
            ),
            5,
        )
    ]
    assert cells_area_km2(cells) == pytest.approx(exact_km2, rel=2e-3)
    # Without the ellipsoid it would be 0.3 % short.
    assert sum(h3.cell_area(c) for c in cells) < 0.998 * exact_km2


def test_a_hole_is_outside() -> None:
    outline = outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE, HOLE]})
    assert contains(outline, 0.5, 0.5)
    assert not contains(outline, 2.0, 2.0)
    full = outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]})
    assert set(cells_of(outline, 5)) < set(cells_of(full, 5))


def test_near_a_coast_counts_when_asked_for() -> None:
    outline = outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]})
    # 0.01 degrees north of the edge is 1.1 km.
    assert not contains(outline, 4.01, 2.0)
    assert contains(outline, 4.01, 2.0, within_m=1_200.0)
    assert not contains(outline, 4.01, 2.0, within_m=1_000.0)
    assert not contains(outline, 2.0, 2.0 + 90.0, within_m=1_200.0)


@pytest.mark.parametrize(
    "data",
    [
        {"type": "Polygon", "coordinates": [SQUARE]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        {"type": "Feature", "properties": None, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}],
        },
        {"type": "Polygon", "coordinates": [[[*p, 120.5] for p in SQUARE]]},
    ],
)
def test_every_shape_of_geojson_gives_the_same_area(data: dict[str, Any]) -> None:
    outline = outline_of_geojson(data)
    assert cells_of(outline, 4) == cells_of(Outline("square", (Polygon((np.array(SQUARE).T,)),)), 4)


def polygon_with(point: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[SQUARE[0], point, *SQUARE[2:]]]}


@pytest.mark.parametrize(
    ("data", "code", "hint"),
    [
        (None, "area.shape", "GeoJSON"),
        ([], "area.shape", "GeoJSON"),
        ({"type": 7}, "area.shape", "GeoJSON"),
        ({"type": "Point", "coordinates": [1, 2]}, "area.shape", "Point"),
        ({"type": "FeatureCollection", "features": []}, "area.empty", "no polygon"),
        ({"type": "FeatureCollection", "features": None}, "area.shape", "features"),
        ({"type": "FeatureCollection", "features": [None]}, "area.shape", "feature 1"),
        ({"type": "Feature", "geometry": None}, "area.shape", "GeoJSON"),
        ({"type": "Polygon", "coordinates": []}, "area.shape", "ring"),
        ({"type": "Polygon"}, "area.shape", "ring"),
        ({"type": "MultiPolygon", "coordinates": []}, "area.empty", "no polygon"),
        ({"type": "Polygon", "coordinates": [SQUARE[:3]]}, "area.ring", "four"),
        ({"type": "Polygon", "coordinates": [SQUARE[:4]]}, "area.open", "closed"),
        ({"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1], [1, 1]]]}, "area.empty", "nothing"),
        (polygon_with([4.0, 97.3]), "area.latitude", "swapped"),
        (polygon_with([197.3, 4.0]), "area.longitude", "360"),
        (polygon_with([math.nan, 4.0]), "area.position", "position 2"),
        (polygon_with([math.inf, 4.0]), "area.position", "finite"),
        (polygon_with(["4.0", 4.0]), "area.position", "numbers"),
        (polygon_with([True, 4.0]), "area.position", "numbers"),
        (polygon_with([4.0]), "area.position", "longitude, latitude"),
        (
            {"type": "Polygon", "coordinates": [[[179, 1], [-179, 1], [-179, 2], [179, 2], [179, 1]]]},
            "area.antimeridian",
            "MultiPolygon",
        ),
    ],
)
def test_a_bad_area_is_refused_without_its_coordinates(data: object, code: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint) as refused:
        outline_of_geojson(data, "my area")
    assert refused.value.code == code
    assert "97.3" not in str(refused.value)


@pytest.mark.parametrize("resolution", [-1, 16, True])
def test_there_are_sixteen_resolutions(resolution: int) -> None:
    with pytest.raises(Refused, match="0 to 15"):
        cells_of(outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]}), resolution)


def test_more_cells_than_anybody_reads_are_refused() -> None:
    with pytest.raises(Refused, match="coarser"):
        cells_of(outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]}), 11)


@pytest.mark.parametrize("resolution", [0, 1, 2])
def test_rings_of_cells_stay_within_the_map(resolution: int) -> None:
    cells = [c for base in h3.get_res0_cells() for c in h3.cell_to_children(base, resolution)]
    cut = 0
    for cell in cells:
        rings = cell_rings(cell)
        cut += len(rings) > 1
        for ring in rings:
            assert (ring[:, 0] == ring[:, -1]).all()
            assert np.abs(ring[0]).max() <= 180.0
            assert np.abs(np.diff(ring[0])).max() <= 360.0
        latitude, longitude = h3.cell_to_latlng(cell)
        outline = Outline(cell, tuple(Polygon((ring,)) for ring in rings))
        assert contains(outline, latitude, longitude) or abs(latitude) > 85.0
    assert cut > 0


def test_an_area_does_not_print_itself() -> None:
    assert "4.0" not in repr(outline_of_geojson({"type": "Polygon", "coordinates": [SQUARE]}))
