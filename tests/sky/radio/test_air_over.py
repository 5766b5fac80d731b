"""Rates of pairs: against a loop of one link budget after another, and what must always hold."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.antennas import packaged_antenna
from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.adapters.radio_files import modcods_of, packaged_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.instants import InstantUs, parse_instant
from skylift.sky.coverage.sites import Sites, sites_of
from skylift.sky.radio.air_over import Air, PairRates, ReturnLink, pair_rates
from skylift.sky.radio.antenna_pattern import off_boresight_rad
from skylift.sky.radio.atmosphere import SlantPaths, clear_air_db, climate_at
from skylift.sky.radio.jam_field import Against, GroundJammer, JamField, JamRow, jam_field
from skylift.sky.radio.jam_view import JamPairs, JamView, jam_view
from skylift.sky.radio.link_budget import Surroundings, link_budget
from skylift.sky.radio.path_loss import slant_range_m
from skylift.sky.radio.rain_field import RainCell, RainPaths, rain_along, rain_field, rain_loss_db
from skylift.sky.radio.systems import Link

SYSTEM = packaged_system("starlink-2022")
DOWN, UP = SYSTEM.links["down"], SYSTEM.links["up"]
BACK = ReturnLink(UP, modcods_of(UP))
T0, T1 = InstantUs(1_000), InstantUs(2_000)
NORAD = 44_000 + np.arange(50)


@cache
def sites() -> Sites:
    rng = np.random.Generator(np.random.PCG64(3))
    places = [Place(a, b) for a, b in zip(rng.uniform(47, 51, 12), rng.uniform(30, 36, 12), strict=True)]
    return sites_of(places, [packaged_antenna(DOWN.ground_antenna)] * 12)


def air(*rain: RainCell) -> Air:
    maps = packaged_atmosphere()
    return Air(maps, climate_at(maps, sites().latitude_rad, sites().longitude_rad), rain)


def place_of(site: int) -> Place:
    return Place(math.degrees(sites().latitude_rad[site]), math.degrees(sites().longitude_rad[site]))


def pairs(seed: int, count: int = 40) -> dict[str, np.ndarray]:
    """Random ones, mostly toward the north, where these dishes look."""
    rng = np.random.Generator(np.random.PCG64(seed))
    elevation = rng.uniform(math.radians(25), math.radians(90), count)
    return {
        "site": np.sort(rng.integers(0, 12, count)),
        "elevation_rad": elevation,
        "azimuth_rad": rng.normal(0.0, 0.8, count) % (2 * math.pi),
        "range_m": slant_range_m(550e3, elevation),
    }


def satellites(count: int) -> np.ndarray:
    return np.arange(count) % 50


def rates(of: dict[str, np.ndarray], link: Link = DOWN, **around: object) -> PairRates:
    return pair_rates(link, modcods_of(link), sites(), at_us=T0, **of, **around)  # type: ignore[arg-type]


SHOWER = RainCell(place_of(3), 40e3, 60.0, T0, T1)
SHEET = RainCell(place_of(7), 120e3, 8.0, T0, T1, edge_fraction=0.2)


def one_by_one(link: Link, of: dict[str, np.ndarray], rain: tuple[RainCell, ...]) -> tuple[list, list, list]:
    """(rate, loss, signal) of each pair by itself: no shared zenith, no search for near rain."""
    got: tuple[list, list, list] = ([], [], [])
    over = air()
    for k, site in enumerate(of["site"]):
        at = np.array([site])
        here = over.climate.take(at)
        elevation, azimuth, range_m = (of[name][k] for name in ("elevation_rad", "azimuth_rad", "range_m"))
        path = RainPaths(
            sites().latitude_rad[at],
            sites().longitude_rad[at],
            here.altitude_m,
            here.rain_height_m,
            np.array([elevation]),
            np.array([azimuth]),
        )
        loss = clear_air_db(over.maps.gases, here, SlantPaths(link.frequency_hz, elevation))
        loss = (loss + rain_loss_db(rain_along(rain, T0, path), link.frequency_hz)).item()
        off = off_boresight_rad(sites(), at, np.array([elevation]), np.array([azimuth])).item()
        budget = link_budget(link, modcods_of(link), elevation, range_m, off, Surroundings(loss))
        for column, value in zip(got, (budget.rate_bps, loss, budget.signal_dbw), strict=True):
            column.append(float(value))
    return got


@pytest.mark.parametrize("name", ["down", "up", "gateway-up", "gateway-down"])
def test_pairs_are_what_single_budgets_say(name: str) -> None:
    link = SYSTEM.links[name]
    of = pairs(1)
    got = rates(of, link, air=air(SHOWER, SHEET))
    rate, loss, _ = one_by_one(link, of, (SHOWER, SHEET))
    np.testing.assert_allclose(got.rate_bps, rate)
    # Pieces of rain are cut as the narrowest cell among the near ones asks.
    np.testing.assert_allclose(got.atmosphere_loss_db, loss, rtol=2e-3)
    assert len(set(np.round(got.atmosphere_loss_db, 6))) == 40
    assert got.barred_channels.dtype == np.uint32
    assert not got.barred_channels.any()
    assert got.j_over_s_db is None
    assert got.answers is None


def test_without_air_the_losses_are_the_links_own() -> None:
    of = pairs(2)
    got = rates(of)
    own = link_budget(DOWN, modcods_of(DOWN), of["elevation_rad"], of["range_m"], got.off_boresight_rad)
    assert got.rate_bps.tolist() == own.rate_bps.tolist()
    assert not got.atmosphere_loss_db.any()
    assert (rates(of, air=air()).rate_bps <= got.rate_bps).all()


FIELD = JamField(
    (
        GroundJammer(place_of(2), Against.DOWNLINK, 30.0, T0, T1, channels=(1, 2), antenna_height_m=300.0),
        GroundJammer(
            place_of(5),
            Against.DOWNLINK,
            25.0,
            T0,
            T1,
            bandwidth_hz=600e6,
            frequency_hz=11.5e9,
            antenna_height_m=900.0,
        ),
        GroundJammer(place_of(9), Against.UPLINK, 25.0, T0, T1),
        GroundJammer(place_of(0), Against.UPLINK, 60.0, T0, T1, channels=(0, 1, 2), satellites=(44_003,)),
    ),
    (
        JamRow(Against.DOWNLINK, 44_007, None, None, -6.0, T0, T1),
        JamRow(Against.DOWNLINK, None, None, 7, 4.0, T0, T1),
        JamRow(Against.UPLINK, 44_009, None, None, 12.0, T0, T1),
    ),
)


def view(field: JamField = FIELD) -> JamView:
    return jam_view(field, sites(), NORAD)


def best_by_hand(rate: list[float]) -> tuple[float, set[int]]:
    """Every set of channels that a rate leaves open is tried."""
    total, carried = max((sum(r >= x for r in rate) * x, x) for x in rate)
    return carried, {f for f, r in enumerate(rate) if total == 0 or r < carried}


@pytest.mark.parametrize("seed", range(4))
def test_disturbed_pairs_are_what_single_budgets_say(seed: int) -> None:
    of = pairs(seed)
    over = air(SHOWER)
    got = rates(of, air=over, jam=view(), satellite=satellites(40), back=BACK)
    levels, closes = {}, np.zeros(40, dtype=bool)
    per_channel = np.zeros((40, 8))
    for link, against in ((DOWN, Against.DOWNLINK), (UP, Against.UPLINK)):
        _, loss, signal = one_by_one(link, of, (SHOWER,))
        geometry = JamPairs(sites(), of["site"], satellites(40), *list(of.values())[1:], np.array(signal))
        levels[link.name] = view().j_over_s_db(against, T0, link, geometry)
        for k in range(40):
            for f in range(link.channels):
                budget = link_budget(
                    link,
                    modcods_of(link),
                    of["elevation_rad"][k],
                    of["range_m"][k],
                    got.off_boresight_rad[k],
                    Surroundings(loss[k], levels[link.name][k, f]),
                )
                if link is DOWN:
                    per_channel[k, f] = budget.rate_bps
                else:
                    closes[k] |= bool(budget.rate_bps > 0)
    assert got.answers is not None
    assert got.answers.tolist() == closes.tolist()
    assert not closes.all()
    assert got.j_over_s_db == pytest.approx(levels["down"].max(axis=1), abs=1e-6)
    for k in range(40):
        carried, barred = best_by_hand(per_channel[k].tolist())
        assert got.rate_bps[k] == pytest.approx(carried if closes[k] else 0.0)
        assert {f for f in range(8) if got.barred_channels[k] >> f & 1} == barred
    assert (got.barred_channels > 0).any()


def carries(got: PairRates) -> np.ndarray:
    """All that a pair can carry on the channels left to it."""
    open_channels = 8 - np.array([int(word).bit_count() for word in got.barred_channels])
    return got.rate_bps * open_channels


@settings(max_examples=25)
@given(st.integers(0, 99), st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_more_rain_is_never_more_rate(seed: int, first: float, more: float) -> None:
    of = pairs(seed)
    light, heavy = (
        rates(of, air=air(replace(SHOWER, peak_mm_per_h=peak, radius_m=150e3)))
        for peak in (first, first + more)
    )
    assert (heavy.rate_bps <= light.rate_bps).all()
    assert (heavy.atmosphere_loss_db >= light.atmosphere_loss_db - 1e-9).all()


@settings(max_examples=25)
@given(st.integers(0, 99), st.floats(0.0, 60.0), st.floats(0.0, 30.0), st.sampled_from([(), (0,), (2, 5, 6)]))
def test_a_stronger_jammer_never_leaves_more(
    seed: int, eirp_dbw: float, more_db: float, channels: tuple[int, ...]
) -> None:
    of = pairs(seed)
    quiet = rates(of)
    weak, strong = (
        rates(
            of,
            jam=view(
                JamField(
                    (
                        GroundJammer(
                            place_of(4),
                            Against.DOWNLINK,
                            level,
                            T0,
                            T1,
                            channels=channels,
                            antenna_height_m=5_000.0,
                        ),
                    )
                )
            ),
        )
        for level in (eirp_dbw, eirp_dbw + more_db)
    )
    assert (carries(weak) <= carries(quiet)).all()
    assert (carries(strong) <= carries(weak) * (1 + 1e-12)).all()
    assert (strong.rate_bps <= quiet.rate_bps).all()


def test_rain_elsewhere_and_later_leaves_all_as_it_is() -> None:
    of = pairs(5)
    dry = rates(of, air=air())
    far = replace(SHOWER, centre=Place(-33.0, 151.0))
    later = replace(SHOWER, from_us=T1, until_us=InstantUs(T1 + 1))
    assert rates(of, air=air(far, later)).atmosphere_loss_db.tolist() == dry.atmosphere_loss_db.tolist()


def test_a_disturbed_uplink_needs_a_return_link_to_disturb() -> None:
    of = pairs(5)
    uplink = JamField(FIELD.jammers[2:3])
    with pytest.raises(Refused, match="return link"):
        rates(of, jam=view(uplink))
    # The link that is itself an uplink is its own: what stands against satellites lowers its rate.
    assert (rates(of, UP, jam=view(uplink)).rate_bps <= rates(of, UP).rate_bps).all()
    quiet = pair_rates(DOWN, modcods_of(DOWN), sites(), **of, at_us=T1, jam=view(uplink))
    assert quiet.rate_bps.tolist() == rates(of).rate_bps.tolist()
    assert quiet.j_over_s_db is not None
    assert np.isneginf(quiet.j_over_s_db).all()


def test_a_return_link_that_rain_drowns_takes_the_service() -> None:
    of = pairs(6)
    weak = replace(UP, eirp_dbw=30.0)
    back = ReturnLink(weak, modcods_of(weak))
    wet = air(replace(SHOWER, peak_mm_per_h=150.0, radius_m=300e3))
    got = rates(of, air=wet, back=back)
    alone = pair_rates(weak, modcods_of(weak), sites(), **of, air=wet, at_us=T0)
    assert got.answers is not None
    assert got.answers.tolist() == (alone.rate_bps > 0).tolist()
    assert 0 < got.answers.sum() < 40
    assert not got.rate_bps[~got.answers].any()


def test_low_satellites_and_links_of_too_many_channels_are_refused() -> None:
    of = pairs(7)
    low = {**of, "elevation_rad": np.full(40, math.radians(4.9))}
    with pytest.raises(Refused, match="5 degrees"):
        rates(low, air=air())
    assert rates(low).rate_bps.shape == (40,)
    # float32 of 5 degrees lies a little below 5 degrees.
    edge = {**of, "elevation_rad": np.full(40, np.float32(math.radians(5.0)), dtype=np.float64)}
    assert rates(edge, air=air(SHOWER)).rate_bps.shape == (40,)
    wide = replace(DOWN, channels=33, bandwidth_hz=60e6)
    row = JamRow(Against.DOWNLINK, None, None, None, 0.0, T0, T1)
    with pytest.raises(Refused, match="at most 32"):
        rates(of, wide, jam=view(JamField((), (row,))))


def test_no_pairs_are_no_rates() -> None:
    got = rates(pairs(8, 0), air=air(SHOWER), jam=view(), satellite=satellites(0), back=BACK)
    assert got.rate_bps.shape == got.barred_channels.shape == got.atmosphere_loss_db.shape == (0,)


def test_the_files_of_the_examples_rain_and_disturb() -> None:
    folder = Path(__file__).resolve().parents[3] / "examples" / "disturbances"
    rain = rain_field((folder / "storms.toml").read_text("utf-8"), "storms.toml")
    field = jam_field((folder / "jamming.toml").read_text("utf-8"), "jamming.toml")
    noon = parse_instant("2026-05-30T12:00:00Z")
    assert [cell.from_us <= noon < cell.until_us for cell in rain] == [True] * 3 + [False]
    near = [cell.centre for cell in rain] + [jammer.place for jammer in field.jammers]
    here = sites_of(near, [packaged_antenna(DOWN.ground_antenna)] * 7)
    maps = packaged_atmosphere()
    over = Air(maps, climate_at(maps, here.latitude_rad, here.longitude_rad), rain)
    north = (np.arange(7), np.full(7, 1.0), np.zeros(7), np.full(7, 650e3))
    modcods = modcods_of(DOWN)
    calm = pair_rates(DOWN, modcods, here, *north)
    got = pair_rates(
        DOWN, modcods, here, *north, air=over, at_us=noon, jam=jam_view(field, here, NORAD), back=BACK
    )
    assert (got.atmosphere_loss_db[:3] > 0.2).all()
    assert got.answers is not None
    assert got.barred_channels[4] == 0b1100
    assert got.rate_bps[4] > 0.0
    assert (got.rate_bps[5:] == 0.0).all()
    assert calm.rate_bps.all()
