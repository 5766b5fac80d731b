"""J/S of pairs: against numbers worked by hand, a loop of plain arithmetic, and what must always hold."""

from __future__ import annotations

import math
from dataclasses import replace

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.radio_files import packaged_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place, geodetic_to_ecef_m
from skylift.base.instants import InstantUs
from skylift.sky.coverage.sites import AntennaModel, sites_of
from skylift.sky.radio.jam_field import Against, GroundJammer, JamField, JamRow
from skylift.sky.radio.jam_view import JamPairs, jam_view
from skylift.sky.radio.jamming import radio_horizon_m
from skylift.sky.radio.path_loss import free_space_loss_db, slant_range_m

DOWN = packaged_system("starlink-2022").links["down"]
UP = packaged_system("starlink-2022").links["up"]
FLAT = AntennaModel("flat", "test")
HERE = Place(48.5, 35.0)
T0, T1 = InstantUs(1_000), InstantUs(2_000)
M_PER_DEG = 111_200.0


def jammer(north_km: float, **fields: object) -> GroundJammer:
    place = Place(HERE.latitude_deg + north_km * 1e3 / M_PER_DEG, HERE.longitude_deg)
    base = GroundJammer(place, Against.DOWNLINK, 40.0, T0, T1, antenna_height_m=60.0)
    return replace(base, **fields)  # type: ignore[arg-type]


def pairs(
    elevation_deg: list[float],
    azimuth_deg: list[float],
    signal_dbw: float = -110.0,
    places: tuple[Place, ...] = (HERE,),
) -> JamPairs:
    """Every site sees the same satellites of 550 km, numbered from 0."""
    k, m = len(elevation_deg), len(places)
    elevation = np.tile(np.radians(elevation_deg), m)
    return JamPairs(
        sites_of(places, [FLAT] * m),
        np.repeat(np.arange(m), k),
        np.tile(np.arange(k), m),
        elevation,
        np.tile(np.radians(azimuth_deg), m),
        slant_range_m(550e3, elevation),
        np.full(k * m, signal_dbw),
    )


def j_over_s_db(field: JamField, of: JamPairs, against: Against = Against.DOWNLINK) -> np.ndarray:
    link = DOWN if against is Against.DOWNLINK else UP
    norad = 44_000 + np.arange(100)
    return jam_view(field, of.sites, norad).j_over_s_db(against, T0, link, of)


@pytest.mark.parametrize(
    ("eirp_dbw", "north_km", "elevation_deg", "expected_db"),
    [
        # 36.7 dBW from 800 km into 33.2 dBi. Behind 48 degrees the dish has -10 dBi: 2.1 - 10 dB at 20 km.
        (40.0, 20.0, 60.0, -7.9),
        (60.0, 100.0, 60.0, -1.8),
        (10.0, 10.0, 60.0, -31.8),
        # 0 dBi is where 32 - 25 log10(degrees) is 0: 19.05 degrees off the beam.
        (40.0, 20.0, 19.05, 2.1),
        (10.0, 10.0, 19.05, -21.8),
    ],
)
def test_published_jammers(
    eirp_dbw: float, north_km: float, elevation_deg: float, expected_db: float
) -> None:
    signal_dbw = float(36.7 - free_space_loss_db(800e3, DOWN.frequency_hz) + 33.2)
    # As high as the dishes and at their horizon, but for the curve of the Earth: 0.1 degrees at 20 km.
    height_m = 2_000.0 if north_km > 50 else 20.0
    field = JamField((jammer(north_km, eirp_dbw=eirp_dbw, antenna_height_m=height_m),), dish_height_m=20.0)
    got = j_over_s_db(field, pairs([elevation_deg], [0.0], signal_dbw))
    assert got.shape == (1, 8)
    assert got[0] == pytest.approx(np.full(8, expected_db), abs=0.12)


def test_published_uplink_jammer() -> None:
    """70 dBW in the beam against a terminal's 33 dBW is +37 dB; 20 dB less beside the beam."""
    of = pairs([60.0], [30.0])
    signal_dbw = 33.0 - free_space_loss_db(of.range_m, UP.frequency_hz) + UP.receive_gain_dbi
    of = replace(of, signal_dbw=signal_dbw)
    same = jammer(0.0, against=Against.UPLINK, eirp_dbw=70.0)
    assert j_over_s_db(JamField((same,)), of, Against.UPLINK) == pytest.approx(37.0, abs=0.01)
    # S.1528: -20 dB at 1.5 x 10^(13.25 / 25) = 5.08 half beams; seen from 630 km these are 6.3 degrees.
    beside = jammer(-75.0, against=Against.UPLINK, eirp_dbw=70.0)
    assert j_over_s_db(JamField((beside,)), of, Against.UPLINK) == pytest.approx(17.0, abs=2.0)


def by_hand_db(
    one: GroundJammer, place: Place, elevation_deg: float, azimuth_deg: float, signal: float
) -> float:
    """Downlink J/S in plain spherical trigonometry: none of the vectors of the code."""
    lat, lat_j = math.radians(place.latitude_deg), math.radians(one.place.latitude_deg)
    turn = math.radians(one.place.longitude_deg - place.longitude_deg)
    bearing = math.atan2(
        math.sin(turn) * math.cos(lat_j),
        math.cos(lat) * math.sin(lat_j) - math.sin(lat) * math.cos(lat_j) * math.cos(turn),
    )
    arc = math.acos(
        min(1.0, math.sin(lat) * math.sin(lat_j) + math.cos(lat) * math.cos(lat_j) * math.cos(turn))
    )
    ground_m = 6_371_009.0 * arc
    rise_m = one.antenna_height_m - 10.0
    if ground_m > 4_122.0 * (math.sqrt(one.antenna_height_m) + math.sqrt(10.0)):
        return -math.inf
    up = math.atan2(rise_m - ground_m**2 / 2 / 6_371_009.0, ground_m)
    elevation, azimuth = math.radians(elevation_deg), math.radians(azimuth_deg)
    cosine = math.sin(up) * math.sin(elevation) + math.cos(up) * math.cos(elevation) * math.cos(
        azimuth - bearing
    )
    off_deg = math.degrees(math.acos(cosine))
    main = 33.2 - 12 * (off_deg * 0.48 * 11.7e9 / 299_792_458.0 / 70) ** 2
    gain = min(33.2, max(main, 32 - 25 * math.log10(off_deg), -10.0))
    range_m = math.hypot(ground_m, rise_m)
    loss = 20 * math.log10(4 * math.pi * range_m * 11.7e9 / 299_792_458.0)
    return one.eirp_dbw - loss + gain - signal


@settings(max_examples=60)
@given(
    st.floats(3.0, 60.0),
    st.floats(0.0, 360.0),
    st.floats(25.0, 90.0),
    st.floats(0.0, 360.0),
    st.floats(0.0, 60.0),
)
def test_downlink_against_plain_trigonometry(
    far_km: float, bearing_deg: float, elevation_deg: float, azimuth_deg: float, eirp_dbw: float
) -> None:
    place = Place(
        HERE.latitude_deg + far_km * 1e3 * math.cos(math.radians(bearing_deg)) / M_PER_DEG,
        HERE.longitude_deg
        + far_km
        * 1e3
        * math.sin(math.radians(bearing_deg))
        / M_PER_DEG
        / math.cos(math.radians(HERE.latitude_deg)),
    )
    one = jammer(0.0, place=place, eirp_dbw=eirp_dbw)
    expected = by_hand_db(one, HERE, elevation_deg, azimuth_deg, -110.0)
    near_horizon = abs(far_km - float(radio_horizon_m(60.0, 10.0)) / 1e3) < 0.5
    got = j_over_s_db(JamField((one,)), pairs([elevation_deg], [azimuth_deg]))[0, 0]
    # A sphere against the ellipsoid: 0.3 % of the distance, 0.2 degrees of the bearing.
    assert near_horizon or got == pytest.approx(expected, abs=0.3)


@settings(max_examples=40)
@given(st.floats(-200.0, 200.0), st.floats(-200.0, 200.0), st.floats(25.0, 90.0), st.floats(0.0, 360.0))
def test_uplink_against_points_in_space(
    north_km: float, east_km: float, elevation_deg: float, azimuth_deg: float
) -> None:
    one = jammer(
        north_km,
        against=Against.UPLINK,
        place=Place(
            HERE.latitude_deg + north_km * 1e3 / M_PER_DEG, HERE.longitude_deg + east_km * 1e3 / M_PER_DEG
        ),
    )
    of = pairs([elevation_deg], [azimuth_deg])
    site, other = (
        geodetic_to_ecef_m(math.radians(p.latitude_deg), math.radians(p.longitude_deg), 0.0)
        for p in (HERE, one.place)
    )
    lat, lon, el, az = (
        math.radians(x) for x in (HERE.latitude_deg, HERE.longitude_deg, elevation_deg, azimuth_deg)
    )
    enu = np.array([math.cos(el) * math.sin(az), math.cos(el) * math.cos(az), math.sin(el)])
    turn = np.array(
        [
            [-math.sin(lon), -math.sin(lat) * math.cos(lon), math.cos(lat) * math.cos(lon)],
            [math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat) * math.sin(lon)],
            [0.0, math.cos(lat), math.sin(lat)],
        ]
    )
    satellite = site + turn @ enu * of.range_m[0]
    a, b = site - satellite, other - satellite
    off = math.acos(min(1.0, float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))
    half = math.radians(35.0) * 299_792_458.0 / 14.25e9 / 0.59
    ratio = off / half
    gain = 37.1 - 3 * ratio**2 if ratio <= 1.5 else max(37.1 - 6.75 - 25 * math.log10(ratio / 1.5), 5.0)
    loss = 20 * math.log10(4 * math.pi * float(np.linalg.norm(b)) * 14.25e9 / 299_792_458.0)
    got = j_over_s_db(JamField((one,)), of, Against.UPLINK)
    assert got == pytest.approx(40.0 - loss + gain + 110.0, abs=1e-3)


@given(st.floats(1.0, 30.0), st.floats(1.0, 3.0), st.floats(25.0, 90.0), st.floats(0.0, 360.0))
def test_a_jammer_further_off_never_disturbs_more(
    near_km: float, factor: float, elevation_deg: float, azimuth_deg: float
) -> None:
    of = pairs([elevation_deg], [azimuth_deg])
    near, far = (
        j_over_s_db(JamField((jammer(km, antenna_height_m=10.0),)), of) for km in (near_km, near_km * factor)
    )
    assert (far <= near + 1e-9).all()


@given(st.floats(1.0, 200.0), st.floats(0.0, 1_000.0))
def test_nothing_reaches_beyond_the_horizon(north_km: float, height_m: float) -> None:
    field = JamField((jammer(north_km, antenna_height_m=height_m),))
    horizon_km = 4.122 * (math.sqrt(height_m) + math.sqrt(10.0))
    got = j_over_s_db(field, pairs([40.0], [0.0]))
    if abs(north_km / horizon_km - 1.0) > 0.01:
        assert bool(np.isfinite(got).all()) == (north_km < horizon_km)
        assert bool(np.isneginf(got).all()) == (north_km > horizon_km)


@pytest.mark.parametrize(
    ("heights_m", "published_km"), [((2, 2), 12), ((2, 30), 28), ((2, 300), 77), ((2, 3_000), 231)]
)
def test_published_radio_horizons(heights_m: tuple[float, float], published_km: float) -> None:
    assert float(radio_horizon_m(*heights_m)) / 1e3 == pytest.approx(published_km, abs=0.6)


def test_several_jammers_add_up_and_only_while_they_send() -> None:
    of = pairs([40.0, 70.0], [0.0, 120.0])
    one, two = jammer(20.0), jammer(-20.0, channels=(3,))
    both = 10 ** (j_over_s_db(JamField((one, two)), of) / 10)
    alone = [10 ** (j_over_s_db(JamField((x,)), of) / 10) for x in (one, two)]
    np.testing.assert_allclose(both, alone[0] + alone[1])
    assert (alone[1][:, [0, 1, 2, 4, 5, 6, 7]] == 0.0).all()
    view = jam_view(JamField((one,)), of.sites)
    assert [len(view.j_over_s(Against.DOWNLINK, at, DOWN, of).pair) for at in (T0 - 1, T0, T1 - 1, T1)] == [
        0,
        2,
        2,
        0,
    ]
    assert len(view.j_over_s(Against.UPLINK, T0, UP, of).pair) == 0


def test_an_uplink_jammer_that_points_disturbs_these_satellites_alone() -> None:
    of = pairs([40.0, 50.0, 60.0], [0.0, 120.0, 240.0])
    field = JamField((jammer(5.0, against=Against.UPLINK, satellites=(44_001, 44_090)),))
    got = j_over_s_db(field, of, Against.UPLINK)
    assert np.isfinite(got).all(axis=1).tolist() == [False, True, False]
    with pytest.raises(Refused, match="NORAD"):
        jam_view(field, of.sites).j_over_s(Against.UPLINK, T0, UP, of)


def test_a_satellite_below_the_jammers_horizon_is_out_of_its_reach() -> None:
    # At 25 degrees in the north from HERE it is some 9 degrees of arc away; 30 degrees south it has set.
    of = pairs([25.0], [0.0])
    near = jammer(0.0, against=Against.UPLINK, place=Place(48.0, 35.0))
    far = jammer(0.0, against=Against.UPLINK, place=Place(18.0, 35.0))
    assert np.isfinite(j_over_s_db(JamField((near,)), of, Against.UPLINK)).all()
    assert np.isneginf(j_over_s_db(JamField((far,)), of, Against.UPLINK)).all()


PLACES = (HERE, Place(48.5, 35.2), Place(50.4, 30.5))
CELLS = [int(h3.str_to_int(h3.latlng_to_cell(p.latitude_deg, p.longitude_deg, 5))) for p in PLACES]
COARSE = [int(h3.str_to_int(h3.latlng_to_cell(p.latitude_deg, p.longitude_deg, 2))) for p in PLACES]
ROWS = st.builds(
    JamRow,
    st.just(Against.DOWNLINK),
    st.sampled_from([None, 44_000, 44_001, 44_050]),
    st.sampled_from([None, *CELLS, *COARSE]),
    st.one_of(st.none(), st.integers(0, 7)),
    st.floats(-20.0, 20.0),
    st.just(T0),
    st.just(T1),
)


@given(st.lists(ROWS, max_size=8))
def test_rows_meet_the_links_that_they_name(rows: list[JamRow]) -> None:
    of = pairs([40.0, 70.0], [0.0, 120.0], places=PLACES)
    got = j_over_s_db(JamField((), tuple(rows)), of)
    for k in range(len(of.site)):
        for channel in range(8):
            power = sum(
                10 ** (row.j_over_s_db / 10)
                for row in rows
                if row.satellite in (None, 44_000 + of.satellite[k])
                and row.cell in (None, CELLS[of.site[k]], COARSE[of.site[k]])
                and row.channel in (None, channel)
            )
            assert got[k, channel] == (pytest.approx(10 * math.log10(power)) if power else -np.inf)


def test_rows_of_missing_channels_and_unknown_satellites_are_refused() -> None:
    of = pairs([40.0], [0.0])
    row = JamRow(Against.DOWNLINK, 44_000, None, 9, 0.0, T0, T1)
    with pytest.raises(Refused, match="channels 0 to 7"):
        j_over_s_db(JamField((), (row,)), of)
    with pytest.raises(Refused, match="NORAD"):
        jam_view(JamField((), (replace(row, channel=None),)), of.sites).j_over_s(
            Against.DOWNLINK, T0, DOWN, of
        )


def test_a_jammer_on_the_very_site_is_loud_and_finite() -> None:
    got = j_over_s_db(JamField((jammer(0.0, antenna_height_m=10.0),)), pairs([40.0], [0.0]))
    assert np.isfinite(got).all()
    assert (got > 40.0).all()
