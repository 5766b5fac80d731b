"""What a region can bear: against hand calculation, against arithmetic, and against its own halves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from unittest.mock import patch
from zlib import crc32

import h3
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.plan_sources import PlanSources, hourly, load_plan
from skylift.adapters.radio_files import modcods_of, packaged_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.ids import GatewayId
from skylift.base.instants import parse_instant
from skylift.base.link import WhyDown
from skylift.base.places import cells_area_km2
from skylift.sky.coverage.sites import AntennaModel
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.radio.systems import RadioSystem, radio_system
from skylift.sky.routing.ground import Gateway
from skylift.sky.schedule.problem import Schedule, ScheduleRules
from skylift.sky.schedule.supply import Offer, Radio
from skylift.study import less
from skylift.study.bearing import SATURATING_BPS_PER_KM2, bearing
from skylift.study.capacity import (
    CLASS_NAMES,
    EVERYBODY,
    CapacityCase,
    CapacityStudy,
    Demand,
    Region,
    even_demand,
)
from skylift.study.ladder import FIRST_ENDS, ends_about, in_steps, only_class
from skylift.study.less import most_possible_bps, most_served, score_bps
from skylift.study.limits import RESOURCES, Scale, lifted, scaled, without_sharing

AT_US = int(parse_instant("2022-12-01T12:00:12Z"))
OPEN_SKY = AntennaModel("open", "for tests")

# One channel, one beam, DVB-S2X, nothing but free space, 31 dBW, G/T 9.2 dB/K, roll-off 0.25.
PLAIN = """
name = "Plain"
year = 2022
source = "for tests"
altitude_km = 550
minimum_elevation_deg = 25
[satellite]
source = "for tests"
beams_per_polarisation = [{beams}, 0]
[link.down]
source = "for tests"
ground_antenna = "open-sky"
ground_receives = true
frequency_ghz = 12.0
bandwidth_mhz = 250
channels = {channels}
polarisations = 1
eirp_dbw = 31.0
receive_gain_dbi = 33.2
receive_diameter_m = 0.6
noise_temperature_k = 251.18864315
waveform = "single-carrier"
roll_off_fraction = 0.25
modcod_table = "dvb-s2x"
[link.gateway-up]
source = "for tests"
ground_antenna = "open-sky"
ground_receives = false
frequency_ghz = 28.5
bandwidth_mhz = 250
channels = {ka_channels}
polarisations = 1
eirp_dbw = 70.0
receive_gain_dbi = 40.0
receive_diameter_m = 0.5
noise_temperature_k = 500
waveform = "single-carrier"
roll_off_fraction = 0.25
modcod_table = "dvb-s2x"
"""
# Ideal Es/N0 and bits of DVB-S2X rows from 11 to 20 dB that no other row beats: EN 302 307-2, table 20a.
ROWS = (
    (11.10, 3.291954), (11.75, 3.510192), (12.17, 3.620536), (13.05, 3.841226), (13.98, 4.206428),
    (14.81, 4.338659), (15.47, 4.603122), (15.87, 4.735354), (16.55, 4.936639), (16.98, 5.065690),
    (17.24, 5.241514), (18.10, 5.417338), (18.59, 5.593162), (18.84, 5.768987), (19.57, 5.900855),
)  # fmt: skip


@cache
def fleet() -> Catalogue:
    return generate([Shell("T", 72, 18, 547e3, 53.05, 45)], AT_US)


def plain(beams: int = 1, channels: int = 1, ka_channels: int = 20) -> RadioSystem:
    text = PLAIN.format(beams=beams, channels=channels, ka_channels=ka_channels)
    return radio_system(text, "plain.toml")


def region_of(cells: Sequence[str]) -> Region:
    return Region(
        name="Test",
        cells=tuple(cells),
        places=tuple(Place(*h3.cell_to_latlng(cell)) for cell in cells),
        area_km2=np.array([cells_area_km2([cell]) for cell in cells]),
    )


def disk(rings: int = 1, resolution: int = 4) -> Region:
    return region_of(sorted(h3.grid_disk(h3.latlng_to_cell(49.0, 31.0, resolution), rings)))


def gateway(name: str, latitude_deg: float, longitude_deg: float, antennas: int = 8) -> Gateway:
    return Gateway(GatewayId(name), name, Place(latitude_deg, longitude_deg), antennas, 25.0, "test", 10.0)


def case_of(
    region: Region,
    system: RadioSystem,
    *,
    bps_per_km2: float = SATURATING_BPS_PER_KM2,
    catalogue: Catalogue | None = None,
    gateways: tuple[Gateway, ...] = (gateway("west", 50.0, 25.0),),
    demand: Demand | None = None,
) -> CapacityCase:
    free = np.zeros(len(region), dtype=np.uint8)
    down = system.link("down")
    return CapacityCase(
        catalogue=fleet() if catalogue is None else catalogue,
        region=region,
        demand=even_demand(region, free, bps_per_km2) if demand is None else demand,
        gateways=gateways,
        radio=Radio(system, {name: modcods_of(link) for name, link in system.links.items()}),
        user_antenna=OPEN_SKY,
        gateway_antenna=OPEN_SKY,
        rules=ScheduleRules(channels=down.channels),
    )


def overhead(region: Region, system: RadioSystem) -> Catalogue:
    """The one satellite that stands highest over the first cell and is in reach of the gateway."""
    case = case_of(region, system)
    offer = CapacityStudy(case).offer(AT_US)
    first = offer.pairs.satellite[: offer.pairs.offset[1]]
    rates = offer.pairs.full_rate_bps[: offer.pairs.offset[1]]
    reach = np.isin(first, offer.gateways.satellite)
    chosen = first[reach][rates[reach].argmax()]
    return fleet().take([int(chosen)])


def by_hand_bps(range_m: float) -> float:
    """Rate of the plain system's channel, from the formulas of any textbook."""
    loss_db = 20.0 * math.log10(4.0 * math.pi * range_m * 12e9 / 299_792_458.0)
    c_n0 = 31.0 - loss_db + 33.2 - 10.0 * math.log10(251.18864315) + 228.5991672
    es_n0 = c_n0 - 10.0 * math.log10(200e6)
    assert ROWS[0][0] < es_n0 < 20.0
    return 200e6 * max(bits for needs, bits in ROWS if needs <= es_n0)


def test_one_satellite_and_one_cell_by_hand() -> None:
    region, system = disk(rings=0), plain()
    case = case_of(region, system, catalogue=overhead(region, system))
    study = CapacityStudy(case)
    hour = next(iter(study.hours([AT_US])))
    # Positions are tested elsewhere; only the range is taken from them, the longer of the slot's two ends.
    edges = np.array([AT_US, AT_US + 15_000_000])
    positions_m = study._propagator.ephemeris(edges, frame="itrs").position_ecef_m[:, :, 0]
    ranges_m = np.linalg.norm(positions_m - study.cells.position_ecef_m[:, 0], axis=1)
    assert hour.served_bps.sum() == pytest.approx(by_hand_bps(float(ranges_m.max())), rel=1e-6)


def test_cells_of_one_beam_share_its_time_evenly() -> None:
    """One lane: sum of rate over full rate is 1, and served over wanted is the same in every cell."""
    region, system = disk(rings=1), plain()
    case = case_of(region, system, catalogue=overhead(region, system))
    study = CapacityStudy(case)
    offer = study.offer(AT_US)
    assert np.all(np.diff(offer.pairs.offset) == 1)
    wanted = case.demand.wanted_bps.sum(axis=1)
    level = 1.0 / float((wanted / offer.pairs.full_rate_bps).sum())
    assert level < 1.0
    assert study.schedule(offer).served_bps.sum(axis=1) == pytest.approx(level * wanted, rel=1e-4)


def test_the_feeder_limits_and_twice_of_it_is_twice_as_much() -> None:
    region, system = disk(rings=1), plain(beams=8, channels=8, ka_channels=1)
    case = replace(case_of(region, system, catalogue=overhead(region, system)), ka_fraction=0.25)
    study = CapacityStudy(case)
    offer = study.offer(AT_US)
    feeder_bps = float(offer.gateways.feeders_bps().max())
    served = float(study.schedule(offer).served_bps.sum())
    assert served == pytest.approx(feeder_bps, rel=1e-5)
    result = bearing(case, [AT_US], every=1)
    assert result.limited_by["ka"] == pytest.approx(served, rel=1e-4)
    assert max(result.limited_by, key=lambda name: result.limited_by[name]) == "ka"
    assert result.hours[0].ka_used_fraction == pytest.approx(1.0, rel=1e-4)


def test_antennas_limit_where_satellites_wait_for_one() -> None:
    region, system = disk(rings=1, resolution=3), plain(beams=4, channels=4)
    case = case_of(region, system, gateways=(gateway("west", 50.0, 25.0, antennas=1),))
    result = bearing(case, [AT_US], every=1)
    assert result.hours[0].satellites_tracked == 1
    assert result.hours[0].satellites_in_reach > 4
    # A second satellite carries about as much as the first, and both may leave far cells to the nearer one.
    assert 0.5 < result.limited_by["antennas"] / result.served_bps < 2.0
    assert result.limited_by["ka"] == pytest.approx(0.0, abs=1.0)


def test_the_arc_is_what_keeps_a_gateway_from_its_satellites() -> None:
    region, system = disk(rings=0), plain()
    case = case_of(region, system)
    closed = replace(case, user_antenna=replace(OPEN_SKY, arc_separation_deg=150.0))
    assert bearing(closed, [AT_US], every=1).served_bps == 0.0
    result = bearing(closed, [AT_US], every=1)
    assert result.limited_by["gso"] == pytest.approx(bearing(case, [AT_US], every=0).served_bps)
    assert result.hours[0].cells_without_service == 1
    assert math.isnan(result.hours[0].beams_used_fraction)


def test_nco_limits_one_cell_that_many_satellites_see() -> None:
    region, system = disk(rings=0), plain()
    result = bearing(case_of(region, system), [AT_US], every=1)
    # One channel, one satellite on it: seven more may light it side by side.
    assert result.limited_by["nco"] > 3.0 * result.served_bps


def test_what_is_barred_is_counted_and_not_served() -> None:
    region, system = disk(rings=1), plain(beams=4, channels=4)
    barred = np.zeros(len(region), dtype=np.uint8)
    barred[[0, 3]] = WhyDown.REGION_NOT_ACTIVE
    demand = replace(even_demand(region, barred, 1e6), outside_bps=5e6)
    result = bearing(case_of(region, system, demand=demand), [AT_US, AT_US + 3_600_000_000], every=0)
    assert result.cell_served_bps[:, [0, 3]].sum() == 0.0
    assert (result.cell_served_bps[:, [1, 2, 4, 5, 6]] > 0.0).all()
    assert demand.barred_bps == pytest.approx(1e6 * region.area_km2[[0, 3]].sum() + 5e6)
    assert result.demand_bps == pytest.approx(1e6 * region.area_km2.sum() + 5e6)
    assert result.allowed_km2 == pytest.approx(region.area_km2[[1, 2, 4, 5, 6]].sum())
    assert result.mbps_per_km2 == pytest.approx(result.served_bps / 1e6 / result.allowed_km2)


def test_life_and_rescue_comes_before_everybody() -> None:
    region, system = disk(rings=1), plain()
    wanted = np.zeros((len(region), len(CLASS_NAMES)))
    wanted[:, EVERYBODY] = 1e9
    wanted[2, 0] = 200e6
    demand = Demand(wanted, np.zeros(len(region), dtype=np.uint8))
    one = overhead(region, system)
    result = bearing(case_of(region, system, demand=demand, catalogue=one), [AT_US], every=0)
    # The floor of all others (2 %) goes first, and one beam has room for all of it and for life and rescue.
    assert result.class_served_bps[0, 0] == pytest.approx(200e6, rel=1e-3)
    assert result.class_served_bps[0, EVERYBODY] < 0.2 * wanted[:, EVERYBODY].sum()


def test_terminals_are_whole_and_counted_in_groups_of_neighbours() -> None:
    region = disk(rings=3)
    result = bearing(case_of(region, plain(beams=4, channels=4)), [AT_US], every=0)
    rates = {cell: float(bps) for cell, bps in zip(region.cells, result.bearable_bps[0], strict=True)}
    for mbps in (1, 7, 50, 1e6):
        groups: dict[str, float] = {}
        for cell, bps in rates.items():
            parent = h3.cell_to_parent(cell)
            groups[parent] = groups.get(parent, 0.0) + bps
        assert result.terminals_at(mbps) == sum(int(bps // (mbps * 1e6)) for bps in groups.values())
    assert result.terminals_at(1e6) == 0


def test_terminals_do_not_depend_on_a_small_demand() -> None:
    region, system = disk(rings=1), plain(beams=4, channels=4)
    small = bearing(case_of(region, system, bps_per_km2=1e3), [AT_US], every=1)
    large = bearing(case_of(region, system), [AT_US], every=1)
    assert small.served_bps == pytest.approx(small.demand_bps)
    assert small.terminals_at(5) == large.terminals_at(5) > 0
    assert all(gain == pytest.approx(0.0, abs=1.0) for gain in small.limited_by.values())


def test_terminals_that_are_counted_get_their_rate() -> None:
    """Asked for as demand, group by group, what was counted is served."""
    region = disk(rings=3)
    case = case_of(region, plain(beams=4, channels=4))
    result = bearing(case, [AT_US], every=0)
    parents = [h3.cell_to_parent(c) for c in region.cells]
    wanted = np.zeros((len(region), len(CLASS_NAMES)))
    for parent in set(parents):
        cells = [i for i, p in enumerate(parents) if p == parent]
        whole = float(result.bearable_bps[0, cells].sum() // 10e6)
        wanted[cells, EVERYBODY] = 10e6 * whole * result.bearable_bps[0, cells]
        wanted[cells, EVERYBODY] /= max(result.bearable_bps[0, cells].sum(), 1.0)
    study = CapacityStudy(case)
    served = study.schedule(study.offer(AT_US), wanted_bps=wanted).served_bps.sum()
    assert served >= 0.93 * 10e6 * result.terminals_at(10)


def test_duration_curve_against_counting() -> None:
    region = disk(rings=2)
    slots = [AT_US + hour * 3_600_000_000 for hour in range(3)]
    result = bearing(case_of(region, plain(beams=4, channels=4)), slots, every=0)
    density = result.cell_served_bps / 1e6 / region.area_km2
    area = np.broadcast_to(region.area_km2, density.shape)
    fractions = [0.1, 0.5, 0.9]
    for fraction, value in zip(fractions, result.duration_mbps_per_km2(fractions), strict=True):
        assert area[density >= value - 1e-12].sum() >= fraction * area.sum() * (1 - 1e-9)
        assert area[density > value + 1e-12].sum() <= fraction * area.sum()
    assert result.duration_mbps_per_km2([0.0, 1.0]).tolist() == [density.max(), density.min()]


def test_progress_counts_every_schedule() -> None:
    steps: list[tuple[int, int]] = []
    slots = [AT_US + hour * 3_600_000_000 for hour in range(5)]
    bearing(case_of(disk(0), plain()), slots, every=2, progress=lambda done, of: steps.append((done, of)))
    assert steps[-1] == (5 + 3 * len(RESOURCES),) * 2
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))


def test_a_region_that_nobody_reaches_is_told_and_not_hidden() -> None:
    far = case_of(disk(1), plain(), gateways=(gateway("antipode", -49.0, -149.0),))
    result = bearing(far, [AT_US], every=1)
    assert result.served_bps == 0.0
    assert result.terminals_at(1) == 0
    assert result.hours[0].satellites_in_reach == result.hours[0].satellites_tracked == 0
    assert result.limited_by == dict.fromkeys(RESOURCES, 0.0)


def test_no_gateways_at_all() -> None:
    result = bearing(case_of(disk(1), plain(), gateways=()), [AT_US], every=1)
    assert result.served_bps == 0.0


# --- demand of one class, in steps -------------------------------------------------------------------


@pytest.mark.parametrize("ends", [FIRST_ENDS, (0.2, 0.4, 0.6, 0.8, 1.0)])
@pytest.mark.parametrize("which", range(len(CLASS_NAMES)))
def test_steps_add_up_to_what_one_class_wants(which: int, ends: tuple[float, ...]) -> None:
    wanted = np.zeros((3, len(CLASS_NAMES)))
    wanted[:, which] = [4e6, 0.0, 1e9]
    assert only_class(wanted) == which
    steps, rules = in_steps(wanted, ScheduleRules(), ends)
    np.testing.assert_allclose(steps.sum(axis=1), wanted.sum(axis=1))
    # The floor is its part of all classes, each class the rest of its own.
    floor = rules.floor_fraction * steps.sum(axis=1)
    got = np.cumsum(np.column_stack([floor, (1.0 - rules.floor_fraction) * steps]), axis=1)
    np.testing.assert_allclose(got, wanted.sum(axis=1)[:, np.newaxis] * np.array(ends))


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
def test_fine_steps_rise_from_above_nothing_to_all(parts: list[float]) -> None:
    wanted = np.zeros((len(parts), len(CLASS_NAMES)))
    wanted[:, EVERYBODY] = 1e8
    study = CapacityStudy(case_of(disk(0), plain()))
    found = study.schedule(study.offer(AT_US))
    ends = ends_about(replace(found, served_bps=wanted * np.array(parts)[:, np.newaxis]), wanted)
    if ends is None:
        assert min(parts) > 1.0 - 1e-6
    else:
        assert ends[0] > 0.0
        assert (np.diff(ends) > 0.0).all()
        assert ends[-1] == 1.0


def test_many_classes_or_none_are_not_put_in_steps() -> None:
    assert only_class(np.zeros((2, 4))) is None
    assert only_class(np.ones((2, 4))) is None


def test_levels_are_those_of_the_class_that_asked() -> None:
    """Level by level as docs/why/011 says, for a demand of class 2 (critical infrastructure) alone."""
    study = CapacityStudy(case_of(disk(1), plain()))
    wanted = np.zeros((7, len(CLASS_NAMES)))
    wanted[:, 1] = [1e6, 1e8, 1e9, 2e9, 0.0, 5e8, 1e7]
    schedule = study.schedule(study.offer(AT_US), wanted_bps=wanted)
    assert (schedule.served_bps[:, [0, 2, 3]] == 0.0).all()
    floor = study.case.rules.floor_fraction
    for got, want, level in zip(schedule.served_bps[:, 1], wanted[:, 1], schedule.level, strict=True):
        part = got / want if want else 1.0
        if part > 1.0 - 1e-6:
            assert level == 5.0
        elif part >= floor:
            assert level == pytest.approx(2.0 + (part - floor) / (1.0 - floor))
        else:
            assert level == pytest.approx(part / floor)


@pytest.mark.parametrize("bps_per_km2", [3e5, 3e6, 3e7, 3e8])
def test_cells_get_alike_however_much_more_than_there_is_they_ask_for(bps_per_km2: float) -> None:
    case = case_of(disk(2), plain(beams=2, channels=4), catalogue=overhead(disk(0), plain()))
    case = replace(case, demand=even_demand(case.region, np.zeros(19, np.uint8), bps_per_km2))
    served = bearing(case, [AT_US], every=0).cell_served_bps[0] / case.region.area_km2
    assert served.min() > 0.9 * served.mean()
    assert served.max() < 1.1 * served.mean()


# --- scaling -----------------------------------------------------------------------------------------


def test_beams_beyond_the_channels_count_as_faster_ones() -> None:
    study = CapacityStudy(case_of(disk(0), plain(beams=3, channels=4)))
    offer = study.offer(AT_US)
    doubled = scaled(offer, study.case.rules, Scale(beams=2.0))
    assert doubled.satellites.beams.tolist() == [[4, 0]] * len(doubled.satellites)
    # Six beams' worth of rate on four channels.
    assert doubled.pairs.full_rate_bps == pytest.approx(offer.pairs.full_rate_bps * 6 / 4)
    halved = scaled(offer, study.case.rules, Scale(beams=0.5, antennas=0.5, ka=0.5))
    assert halved.satellites.beams.tolist() == [[1, 0]] * len(halved.satellites)
    assert halved.pairs.full_rate_bps.tolist() == offer.pairs.full_rate_bps.tolist()
    assert halved.gateways.antennas.tolist() == [4]
    assert halved.gateways.feeders_bps() == pytest.approx(offer.gateways.feeders_bps() / 2)


@pytest.mark.parametrize("scale", [{"beams": -1.0}, {"antennas": math.nan}, {"ka": math.inf}])
def test_impossible_scales_are_refused(scale: dict[str, float]) -> None:
    with pytest.raises(Refused, match="between 0 and 1,000"):
        Scale(**scale)


def test_unknown_resource_names_those_there_are() -> None:
    study = CapacityStudy(case_of(disk(0), plain()))
    with pytest.raises(Refused, match="beams, antennas, ka, gso, nco"):
        lifted(study, study.offer(AT_US), "money")


def test_lifting_sharing_leaves_other_rules_alone() -> None:
    rules = ScheduleRules(channels=4, floor_fraction=0.1, keep_level=0.3)
    free = without_sharing(rules)
    assert (free.channels, free.floor_fraction, free.keep_level) == (4, 0.1, 0.3)
    assert (free.nco, free.separation_rad, free.dish_separation_rad) == (8, 0.0, 0.0)


# --- less is never more ------------------------------------------------------------------------------


class Draw:
    """A small case of the real system: cells about a place, gateways, scarce or plentiful resources."""

    def __init__(self, draw: st.DataObject) -> None:
        latitude = draw.draw(st.floats(-55.0, 55.0), "latitude")
        rings = draw.draw(st.integers(1, 3), "rings")
        centre = h3.latlng_to_cell(latitude, 31.0, draw.draw(st.sampled_from([3, 4]), "resolution"))
        region = region_of(sorted(h3.grid_disk(centre, rings)))
        west = draw.draw(st.floats(-8.0, 8.0), "gateway offset")
        antennas = draw.draw(st.integers(1, 8), "antennas")
        gateways = (gateway("one", latitude, 31.0 + west, antennas), gateway("two", latitude + 4.0, 31.0, 2))
        system = packaged_system("starlink-2022")
        beams = draw.draw(st.integers(1, 8), "beams")
        system = replace(system, beams_per_polarisation=(beams, beams))
        self.case = replace(
            case_of(region, system, gateways=gateways),
            ka_fraction=draw.draw(st.floats(0.05, 1.5), "ka"),
            demand=even_demand(
                region, np.zeros(len(region), np.uint8), 10 ** draw.draw(st.floats(4.0, 7.0), "demand")
            ),
        )
        self.study = CapacityStudy(self.case)
        self.offer = self.study.offer(AT_US)

    def asked_bps(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.case.demand.wanted_bps.sum(axis=1))


HALVES = [Scale(beams=0.5), Scale(antennas=0.5), Scale(ka=0.5), Scale(0.5, 0.5, 0.5)]


@settings(max_examples=25)
@given(st.data())
def test_halving_any_resource_never_raises_what_is_served(data: st.DataObject) -> None:
    drawn = Draw(data)
    whole = float(most_served(drawn.study, drawn.offer).served_bps.sum())
    for scale in HALVES:
        half = scaled(drawn.offer, drawn.case.rules, scale)
        assert float(most_served(drawn.study, half).served_bps.sum()) <= whole * (1.0 + 1e-9)


def by_chance(study: CapacityStudy, seed: int) -> Callable[..., Schedule]:
    """A scheduler as bad as can be: a part of what is possible, and of the cells, drawn for each offer."""
    nothing = study.schedule(scaled(study.offer(AT_US), study.case.rules, Scale(antennas=0.0)))

    def schedule(offer: Offer, rules: ScheduleRules, wanted_bps: npt.NDArray[np.float64]) -> Schedule:
        given = (
            offer.satellites.beams,
            offer.gateways.antennas,
            offer.gateways.feeders_bps(),
            rules.nco,
            seed,
        )
        drawn = np.random.default_rng(crc32(b"".join(np.asarray(one).tobytes() for one in given)))
        asked_bps = wanted_bps.sum(axis=1)
        part = drawn.uniform(0.5, 1.0) * most_possible_bps(offer, asked_bps, rules) / asked_bps.sum()
        reached = drawn.random((len(asked_bps), 1)) < drawn.choice([1.0, 0.9])
        return replace(nothing, served_bps=part * wanted_bps * reached)

    return schedule


@settings(max_examples=15)
@given(st.data(), st.integers(0, 1000), st.sampled_from([1, 2, 3]))
def test_nor_would_it_whatever_the_scheduler_did(data: st.DataObject, seed: int, nco: int) -> None:
    """Half of one thing, or one gateway less, where what is made of each is drawn by lot."""
    drawn = Draw(data)
    study, wanted = drawn.study, 1e4 * drawn.case.demand.wanted_bps
    study.schedule = by_chance(study, seed)  # type: ignore[method-assign]

    def best(offer: Offer, nco: int = nco) -> Schedule:
        study.case = replace(study.case, rules=replace(study.case.rules, nco=nco))
        # As if time did not matter: all that could serve more is tried.
        with patch.multiple(less, _CELLS_TRIED=10**6, _MOST_TRIED=10**4):
            return most_served(study, offer, wanted)

    served = float(best(drawn.offer).served_bps.sum()) * (1.0 + 1e-9)
    for scale in HALVES[:3]:
        assert float(best(scaled(drawn.offer, drawn.case.rules, scale)).served_bps.sum()) <= served
    for one in (0, 1):
        assert score_bps(best(_only(drawn.offer, [one])), wanted.sum(axis=1)) <= served
    if nco > 1:
        assert float(best(drawn.offer, 1).served_bps.sum()) <= served


def _only(offer: Offer, working: Sequence[int]) -> Offer:
    antennas = np.zeros_like(offer.gateways.antennas)
    antennas[list(working)] = offer.gateways.antennas[list(working)]
    return replace(offer, gateways=replace(offer.gateways, antennas=antennas))


@settings(max_examples=20)
@given(st.data())
def test_one_more_gateway_never_lowers_what_is_served(data: st.DataObject) -> None:
    """The score never falls; what is served only by the share of cells that come to be served."""
    drawn = Draw(data)
    both = most_served(drawn.study, drawn.offer)
    asked, cells = drawn.asked_bps(), len(drawn.case.region)
    for one in ([0], [1]):
        alone = most_served(drawn.study, _only(drawn.offer, one))
        assert score_bps(both, asked) >= score_bps(alone, asked) * (1.0 - 1e-9)
        served = [made.served_bps.sum(axis=1) for made in (both, alone)]
        reached = [int((x > 0.0).sum()) for x in served]
        if reached[0] <= reached[1]:
            assert served[0].sum() >= served[1].sum() * (1.0 - 1e-9)
        else:
            assert served[0].sum() >= served[1].sum() * (1.0 - (reached[0] - reached[1]) / cells - 1e-9)


@pytest.mark.parametrize(
    ("latitude", "arrays", "cells", "order"),
    [
        pytest.param(47.0, 3, 3, (0, 1, 2, 3, 4), marks=pytest.mark.slow),
        (20.0, 1, 7, (4, 2, 0, 3, 1)),
    ],
)
def test_a_chain_of_five_gateways_never_falls(
    latitude: float, arrays: int, cells: int, order: tuple[int, ...]
) -> None:
    """One gateway more, up to five; then half of all antennas, or of the Ka, taken away."""
    region = region_of(sorted(h3.grid_disk(h3.latlng_to_cell(latitude, 28.0, 4), 1))[:cells])
    offsets = ((4.0, -7.0), (8.0, -4.0), (-6.0, 1.0), (5.0, -19.0), (3.0, -18.0))
    gateways = tuple(gateway(f"g{i}", latitude + a, 28.0 + b, 3) for i, (a, b) in enumerate(offsets))
    case = case_of(region, packaged_system("starlink-2022"), gateways=gateways)
    study, asked = CapacityStudy(case), case.demand.wanted_bps.sum(axis=1)
    offer = study.offer(AT_US)
    each = np.full(len(offer.satellites), arrays, dtype=np.int32)
    offer = replace(offer, satellites=replace(offer.satellites, arrays=each))
    score = 0.0
    for count in range(1, len(order) + 1):
        before = score
        score = score_bps(most_served(study, _only(offer, order[:count])), asked)
        assert score >= before * (1.0 - 1e-9)
    for scale in HALVES[1:3]:
        half = most_served(study, scaled(offer, case.rules, scale))
        assert score_bps(half, asked) <= score * (1.0 + 1e-9)


@pytest.mark.slow
def test_moldova_loses_nothing_by_one_more_gateway() -> None:
    """Cells of resolution 4, three antennas each: with this gateway it once had 60 -> 54 Gbit/s."""
    inputs = load_plan(PlanSources("MD", resolution=4, antennas=3))
    study, names = CapacityStudy(inputs.case), [g.name for g in inputs.case.gateways]
    three = [names.index(x) for x in ("Muallim, Turkey", "Aerzen, Germany", "Usingen, Germany")]
    for hour in (1, 3):
        offer = study.offer(hourly(inputs.start_us, 4)[hour])
        served = [float(most_served(study, _only(offer, three[:n])).served_bps.sum()) for n in (1, 2, 3)]
        assert served[0] <= served[1] * 1.001
        assert served[1] <= served[2] * 1.001


@settings(max_examples=25)
@given(st.data())
def test_no_schedule_serves_more_than_the_bound(data: st.DataObject) -> None:
    drawn = Draw(data)
    for scale in (Scale(), *HALVES):
        offer = scaled(drawn.offer, drawn.case.rules, scale)
        served = float(drawn.study.schedule(offer).served_bps.sum())
        assert served <= most_possible_bps(offer, drawn.asked_bps(), drawn.case.rules) * (1.0 + 1e-9)


@settings(max_examples=15)
@given(st.data())
def test_lifting_a_resource_never_lowers_what_is_served(data: st.DataObject) -> None:
    drawn = Draw(data)
    result = bearing(drawn.case, [AT_US], every=1)
    assert set(result.limited_by) == set(RESOURCES)
    assert min(result.limited_by.values()) >= 0.0


def test_the_bound_is_reached_by_one_satellite_over_one_cell() -> None:
    region, system = disk(rings=0), plain()
    case = case_of(region, system, catalogue=overhead(region, system))
    study = CapacityStudy(case)
    offer = study.offer(AT_US)
    asked = case.demand.wanted_bps.sum(axis=1)
    assert study.schedule(offer).served_bps.sum() == pytest.approx(
        most_possible_bps(offer, asked, case.rules)
    )
    assert most_possible_bps(offer, np.zeros(1), case.rules) == 0.0
