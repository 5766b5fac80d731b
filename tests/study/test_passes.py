"""Passes against skyfield's, and against a fine sampling of our own positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.catalogue_files import read_catalogue
from skylift.base.geodesy import Place
from skylift.base.instants import format_instant, parse_instant
from skylift.base.units import US_PER_S
from skylift.sky.coverage.sites import AntennaModel, Sites, sites_of
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.propagate import Propagator
from skylift.study.passes import Pass, passes, track_rad

# Elements of the SGP4 verification set (AIAA 2006-6753): near-Earth, a half-day ellipse, geostationary.
ELEMENTS = """\
1 06251U 62025E   06176.82412014  .00008885  00000-0  12808-3 0  3985
2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774
1 08195U 75081A   06176.33215444  .00000099  00000-0  11873-3 0   813
2 08195  64.1586 279.0717 6877146 264.7651  20.2257  2.00491383225656
1 28057U 03049A   06177.78615833  .00000060  00000-0  35940-4 0  1836
2 28057  98.4283 247.6961 0000884  88.1964 271.9322 14.35478080140550
1 26975U 78066F   06174.85818871  .00000620  00000-0  10000-3 0  6809
2 26975  68.4714 236.1303 5602877 123.7484 302.5767  2.05657553 67521
"""
START_US = parse_instant("2006-06-26T00:00:00Z")
DAY_US = 86_400 * US_PER_S


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    file = tmp_path_factory.mktemp("elements") / "four.tle"
    file.write_text(ELEMENTS)
    return read_catalogue(file).catalogue


def site_at(place: Place, floor_deg: float) -> Sites:
    return sites_of([place], [AntennaModel("test", "test", minimum_elevation_deg=floor_deg)])


def elevation_rad(propagator: Propagator, site: Sites, at_us: list[int]) -> np.ndarray:
    to = propagator.ephemeris(at_us).position_ecef_m - site.position_ecef_m
    up = np.einsum("j,tjn->tn", site.up[:, 0], to)
    return np.asarray(np.arcsin(up / np.linalg.norm(to, axis=1)))


@pytest.mark.parametrize("floor_deg", [0.0, 10.0, 25.0, 60.0, 85.0])
@pytest.mark.parametrize("place", [Place(50.45, 30.52, 180.0), Place(-12.0, 179.99), Place(89.9, 0.0)])
def test_passes_are_those_of_a_fine_sampling(catalogue: Catalogue, place: Place, floor_deg: float) -> None:
    """Every 5 s for half a day: a sample is above the floor if and only if it lies within a pass."""
    propagator, site = Propagator(catalogue), site_at(place, floor_deg)
    window_us = START_US, START_US + DAY_US // 2
    found = passes(propagator, site, window_us)
    at_us = np.arange(window_us[0], window_us[1] + 1, 5 * US_PER_S)
    above = elevation_rad(propagator, site, list(at_us)) >= site.min_elevation_rad[0]
    for satellite in range(len(catalogue)):
        mine = [one for one in found if one.satellite == satellite]
        inside = np.zeros(len(at_us), dtype=bool)
        for one in mine:
            rise = window_us[0] if one.rise is None else one.rise.at_us
            fall = window_us[1] if one.set is None else one.set.at_us
            assert rise <= one.culmination.at_us <= fall
            inside |= (at_us >= rise) & (at_us <= fall)
        np.testing.assert_array_equal(inside, above[:, satellite])


def test_rise_and_set_are_on_the_floor_to_a_millisecond(catalogue: Catalogue) -> None:
    propagator, site = Propagator(catalogue), site_at(Place(50.45, 30.52), 10.0)
    found = passes(propagator, site, (START_US, START_US + DAY_US))
    events = [(one.satellite, e) for one in found for e in (one.rise, one.set) if e is not None]
    assert len(events) > 20
    for satellite, event in events:
        around = [event.at_us - 1_000, event.at_us + 1_000]
        before, after = elevation_rad(propagator, site, around)[:, satellite] - site.min_elevation_rad[0]
        assert before * after < 0
    for one in found:
        if one.rise is None or one.set is None:
            continue
        high = one.culmination
        beside = elevation_rad(propagator, site, [high.at_us + d * US_PER_S // 2 for d in (-1, 0, 1)])
        here = beside[:, one.satellite]
        assert here[1] == pytest.approx(high.elevation_rad, abs=1e-7)
        assert here[1] >= max(here[0], here[2])


def test_a_window_cuts_passes_and_finds_them_again(catalogue: Catalogue) -> None:
    propagator, site = Propagator(catalogue), site_at(Place(50.45, 30.52), 10.0)
    whole = passes(propagator, site, (START_US, START_US + DAY_US))
    full = next(one for one in whole if one.rise and one.set and one.satellite == 0)
    assert full.rise is not None
    assert full.set is not None
    late = full.culmination.at_us + 20 * US_PER_S
    (cut,) = [
        p for p in passes(propagator, site, (late, late + 3600 * US_PER_S)) if p.satellite == 0 and not p.rise
    ]
    assert cut.culmination.at_us == late
    assert cut.set is not None
    assert abs(cut.set.at_us - full.set.at_us) < 1_000
    early = passes(propagator, site, (full.rise.at_us - US_PER_S, full.rise.at_us + 7 * US_PER_S))
    (cut,) = [p for p in early if p.satellite == 0]
    assert cut.rise is not None
    assert abs(cut.rise.at_us - full.rise.at_us) < 1_000
    assert cut.set is None
    assert cut.culmination.at_us == full.rise.at_us + 7 * US_PER_S


def test_blocks_leave_no_seam(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same passes whether the window is searched in blocks of 120 minutes or of 31."""
    propagator, site = Propagator(catalogue), site_at(Place(50.45, 30.52), 5.0)
    window_us = START_US, START_US + DAY_US
    whole = passes(propagator, site, window_us)
    monkeypatch.setattr("skylift.study.passes.STEPS_PER_BLOCK", 31)
    pieces = passes(propagator, site, window_us)
    assert len(whole) == len(pieces) > 5

    def times(found: list[Pass]) -> list[tuple[int, ...]]:
        return [(p.satellite, *((e.at_us if e else -1) // 1_000_000 for e in (p.rise, p.set))) for p in found]

    for one, other in zip(times(whole), times(pieces), strict=True):
        assert one[0] == other[0]
        np.testing.assert_allclose(one[1:], other[1:], atol=1)


def test_a_track_runs_from_rise_to_set(catalogue: Catalogue) -> None:
    propagator, site = Propagator(catalogue), site_at(Place(50.45, 30.52), 10.0)
    window_us = START_US, START_US + DAY_US
    one = next(p for p in passes(propagator, site, window_us) if p.rise and p.set)
    assert one.rise is not None
    elevation, azimuth = track_rad(propagator, site, one, window_us)
    np.testing.assert_allclose(elevation[[0, -1]], math.radians(10), atol=1e-6)
    assert azimuth[0] == pytest.approx(one.rise.azimuth_rad, abs=1e-6)
    assert elevation.max() <= one.culmination.elevation_rad + 1e-9


def test_passes_are_those_of_skyfield(shared_file: Callable[[str], Path]) -> None:
    """Another library's propagation, Earth rotation and search.

    Its find_events stops at half a second, so instants are checked by the elevation that it gives at ours:
    its UT1 differs from our UTC by 0.1 s these years, 46 m of the Earth's turn, 0.0024 degrees from 1,100 km.
    """
    from skyfield.api import EarthSatellite, load, wgs84

    lines = shared_file("catalogues/starlink_2026-05-30.tle").read_text().splitlines()
    timescale = load.timescale(builtin=True)
    catalogue = read_catalogue(shared_file("catalogues/starlink_2026-05-30.tle")).catalogue
    row = {int(n): i for i, n in enumerate(catalogue.norad)}
    start_us = parse_instant("2026-05-30T06:00:00Z")
    end_us = start_us + 6 * 3600 * US_PER_S
    place = Place(48.92, 24.71, 250.0)
    ground = wgs84.latlon(place.latitude_deg, place.longitude_deg, elevation_m=place.altitude_m)
    compared = 0
    for first in range(0, 3 * 9000, 3 * 300):
        satellite = EarthSatellite(lines[first + 1], lines[first + 2], lines[first], timescale)
        alone = Propagator(catalogue.take([row[satellite.model.satnum]]))
        found = passes(alone, site_at(place, 25.0), (start_us, end_us))
        span = [timescale.from_datetime(_datetime(at)) for at in (start_us, end_us)]
        times, kinds = satellite.find_events(ground, *span, altitude_degrees=25.0)
        theirs = [[], [], []]  # type: list[list[float]]
        for time, kind in zip(times, kinds, strict=True):
            theirs[kind].append(time.utc_datetime().timestamp())
        ours = [
            [p.rise.at_us / 1e6 for p in found if p.rise],
            [p.culmination.at_us / 1e6 for p in found if p.rise and p.set],
            [p.set.at_us / 1e6 for p in found if p.set],
        ]
        theirs[1] = [t for t in theirs[1] if any(abs(t - m) < 60 for m in ours[1])]
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=0.6)
        for at_s in ours[0] + ours[2]:
            time = timescale.from_datetime(_datetime(round(at_s * 1e6)))
            altitude, _, _ = (satellite - ground).at(time).altaz()
            assert altitude.degrees == pytest.approx(25.0, abs=0.004)
            compared += 1
    assert compared > 30


def _datetime(at_us: int) -> object:
    from datetime import datetime

    return datetime.fromisoformat(format_instant(at_us))
