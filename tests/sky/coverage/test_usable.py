"""What holds for a whole slot: against a plain loop over the three instants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.sky.coverage.sites import AntennaModel, Sites, sites_of
from skylift.sky.coverage.usable import UsableFinder, usable_pairs
from skylift.sky.coverage.visible import visible_pairs

Floats = npt.NDArray[np.float64]


def model(**changes: Any) -> AntennaModel:
    return AntennaModel(**({"name": "test", "source": "test"} | changes))


DISH = model(boresight_tilt_deg=24.0, tilt_toward_pole=True, field_of_view_deg=50.0, arc_separation_deg=18.0)
WALL = model(minimum_elevation_deg=10.0, horizon_mask=((0, 40), (120, 0), (250, 60)), arc_separation_deg=30.0)


def three_instants(seed: int, satellites: int = 900) -> Floats:
    """Random circular orbits at 550 km, start, middle and end of 15 s: 0.98 degrees along the orbit."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(3, satellites))
    a /= np.linalg.norm(a, axis=0)
    b = np.cross(a, rng.normal(size=(3, satellites)), axis=0)
    b /= np.linalg.norm(b, axis=0)
    along = np.radians([0.0, 0.49, 0.98])[:, np.newaxis, np.newaxis]
    return np.asarray(6_928_137.0 * (np.cos(along) * a + np.sin(along) * b))


def plainly(positions_m: Floats, sites: Sites, m: int) -> tuple[set[int], set[int], set[int]]:
    """Satellites above, in the field, clear of the arc for the whole slot, by visible_pairs three times."""
    kept = []
    for position_m in positions_m:
        pairs = visible_pairs(position_m, sites)
        mine = slice(pairs.site_offset[m], pairs.site_offset[m + 1])
        satellite, field = pairs.satellite[mine], pairs.in_field[mine]
        clear = pairs.arc_rad[mine] >= sites.arc_separation_rad[m] - 1e-6
        kept.append((set(satellite), set(satellite[field]), set(satellite[clear])))
    above, field, clear = (set.intersection(*sets) for sets in zip(*kept, strict=True))
    return above, above & field, above & field & clear


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    latitude_deg=st.one_of(st.floats(-90, 90), st.sampled_from([0.0, 90.0, -90.0, 81.3])),
    longitude_deg=st.one_of(st.floats(-180, 180), st.sampled_from([180.0, -180.0])),
)
def test_everything_holds_three_times(seed: int, latitude_deg: float, longitude_deg: float) -> None:
    positions_m = three_instants(seed)
    positions_m[2, :, ::7] = np.nan
    places = [Place(latitude_deg, longitude_deg), Place(-latitude_deg, longitude_deg), Place(50.0, 30.0)]
    sites = sites_of(places, [DISH, WALL, model()])
    usable = usable_pairs(sites, positions_m)
    for m in range(3):
        above, field, clear = plainly(positions_m, sites, m)
        mine = slice(usable.site_offset[m], usable.site_offset[m + 1])
        satellite = usable.satellite[mine]
        assert usable.above_count[m] == len(above)
        assert usable.in_field_count[m] == len(field)
        assert list(satellite) == sorted(clear)
        assert usable.clear_count[m] == len(clear)
        start = visible_pairs(positions_m[0], sites)
        at = {
            int(s): k
            for k, s in enumerate(start.satellite)
            if start.site_offset[m] <= k < start.site_offset[m + 1]
        }
        k = [at[int(s)] for s in satellite]
        np.testing.assert_array_equal(usable.elevation_rad[mine], start.elevation_rad[k])
        np.testing.assert_array_equal(usable.azimuth_rad[mine], start.azimuth_rad[k])
        np.testing.assert_array_equal(usable.arc_rad[mine], start.arc_rad[k])
        np.testing.assert_array_equal(usable.range_start_m[mine], start.range_m[k])
        end_m = np.linalg.norm(positions_m[2][:, satellite] - sites.position_ecef_m[:, [m]], axis=0)
        np.testing.assert_allclose(usable.range_end_m[mine], end_m, rtol=1e-14)


def test_a_satellite_that_sets_within_the_slot_is_no_use() -> None:
    """Above 25 degrees at the start and in the middle, below at the end; and the other way round."""
    sites = sites_of([Place(0.0, 0.0)], [model()])
    heights = np.radians([[26.0, 25.5, 24.9], [24.9, 25.5, 26.0], [26.0, 25.5, 25.1], [24.9, 24.9, 24.9]])
    to = np.cos(heights) * 1e6, np.sin(heights) * 1e6
    positions_m = np.zeros((3, 3, 4))
    positions_m[:, 0] = sites.position_ecef_m[0, 0] + to[1].T
    positions_m[:, 1] = to[0].T
    usable = usable_pairs(sites, positions_m)
    assert usable.satellite.tolist() == [2]
    assert usable.above_count.tolist() == [1]


def test_failed_satellites_are_no_use() -> None:
    positions_m = three_instants(4)
    sites = sites_of([Place(50.0, 30.0)], [model()])
    everything = usable_pairs(sites, positions_m)
    working = np.ones(positions_m.shape[2], dtype=bool)
    working[everything.satellite[0]] = False
    assert usable_pairs(sites, positions_m, working).satellite.tolist() == everything.satellite[1:].tolist()


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "antenna", "why"),
    [
        (0, 60, DISH, WhyDown.UP),
        (0, 20, DISH, WhyDown.NO_SATELLITE),
        (180, 60, DISH, WhyDown.OBSTRUCTED),  # 54 degrees from a boresight that leans 24 to the north
        (0, 39, model(horizon_mask=((0, 40), (359, 40))), WhyDown.OBSTRUCTED),
        (
            180,
            40,
            model(arc_separation_deg=18.0),
            WhyDown.GEO_ARC,
        ),  # at 50 N the arc stands 32.7 degrees high
        (180, 40, model(), WhyDown.UP),
    ],
)
def test_why_a_site_has_none(
    azimuth_deg: float, elevation_deg: float, antenna: AntennaModel, why: WhyDown
) -> None:
    sites = sites_of([Place(50.0, 30.0)], [antenna])
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    sideways = math.cos(azimuth) * sites.north + math.sin(azimuth) * sites.east
    position_m = sites.position_ecef_m + 7e5 * (
        math.cos(elevation) * sideways + math.sin(elevation) * sites.up
    )
    assert usable_pairs(sites, np.stack([position_m] * 3)).why_down().tolist() == [why]


def test_no_satellite_at_all() -> None:
    sites = sites_of([Place(50.0, 30.0)] * 2, [DISH] * 2)
    usable = usable_pairs(sites, np.full((3, 3, 5), np.nan))
    assert usable.why_down().tolist() == [WhyDown.NO_SATELLITE] * 2
    assert len(usable) == 0


def test_what_a_finder_gave_stays_as_it_was() -> None:
    sites = sites_of([Place(50.0, 30.0), Place(-20.0, 100.0)], [DISH, WALL])
    finder = UsableFinder(sites)
    first = finder.find(three_instants(1))
    before = first.range_start_m.copy()
    finder.find(three_instants(2))
    np.testing.assert_array_equal(first.range_start_m, before)
