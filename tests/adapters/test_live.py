"""The twin on a clock, against the same twin without one."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import h3
import numpy as np
import pytest

from skylift.adapters.antennas import packaged_antenna
from skylift.adapters.gateways_file import packaged_ground_segment
from skylift.adapters.links_file import Names, links_to_arrow
from skylift.adapters.live import LiveSky, hello
from skylift.adapters.map_outlines import box_of, map_document
from skylift.adapters.outlines import packaged_countries
from skylift.adapters.sky_messages import SlotReport
from skylift.base.geodesy import Place, ecef_to_geodetic, place_to_ecef_m
from skylift.base.ids import TerminalId
from skylift.base.instants import InstantUs, parse_instant
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms
from skylift.twin.tick import Twin
from skylift.twin.world import Period, ServicePeriod, Terminal, Timeline, World

AT = parse_instant("2024-03-09T10:00:00Z")
SLOT_US = 15_000_000
PLACES = {"north": Place(52.0, 21.0), "middle": Place(49.3, 25.1), "barred": Place(46.9, 32.2)}


class FakeClock:
    """Stands still until somebody sleeps."""

    speed = 1.0

    def __init__(self, at: int) -> None:
        self.at = at
        self.slept_until: list[int] = []

    def now(self) -> InstantUs:
        return InstantUs(self.at)

    def sleep_until(self, at: InstantUs) -> None:
        self.slept_until.append(at)
        self.at = max(self.at, at)


@pytest.fixture(scope="module")
def world() -> World:
    ground = packaged_ground_segment(AT)
    antenna = packaged_antenna("starlink-standard-v2")
    return World(
        generate([Shell("s", 36, 20, 550e3, 53.0, 11.0)], AT),
        tuple(Terminal(TerminalId(name), place, antenna, 0) for name, place in PLACES.items()),
        ground,
        Timeline((ServicePeriod(Period(), (0, 1)),)),
        packaged_antenna("starlink-gateway"),
        DelayTerms(),
        memory_us=2 * 60 * 1_000_000,
    )


def reports(world: World, clock: Any, count: int) -> list[SlotReport]:
    return list(islice(LiveSky(world, clock).slots(), count))


def expected_rows(world: World, first_us: int, count: int) -> list[dict[str, Any]]:
    """What the twin gives for these slots, handovers told by comparing neighbouring slots."""
    slots = list(Twin(world).links(first_us - SLOT_US, first_us + count * SLOT_US))
    rows = links_to_arrow(slots, Names.of(world)).to_pylist()
    was: dict[str, int | None] = {}
    for row in rows:
        before = was.get(row["terminal"])
        row["handover"] = None not in (before, row["satellite"]) and before != row["satellite"]
        was[row["terminal"]] = row["satellite"]
    return [row for row in rows if row["at_us"] >= first_us]


@pytest.mark.parametrize("began_after_s", [0, 7, 119])
def test_the_live_rows_are_the_twins_wherever_the_service_began(world: World, began_after_s: int) -> None:
    now = AT + began_after_s * 1_000_000
    first = world.slots.start(now)
    live = [json.loads(r.links) for r in reports(world, FakeClock(now), 12)]
    assert [document["at_us"] for document in live] == [first + i * SLOT_US for i in range(12)]
    rows = [row for document in live for row in document["links"]]
    assert rows == expected_rows(world, first, 12)
    assert any(row["handover"] for row in rows)
    assert {row["why_down"] for row in rows if row["terminal"] == "barred"} == {"region_not_active"}


def test_a_slot_is_computed_three_seconds_before_it_begins(world: World) -> None:
    clock = FakeClock(AT)
    first, *rest = reports(world, clock, 4)
    assert first.late, "the service began within that slot"
    assert not any(report.late for report in rest)
    assert clock.slept_until[-3:] == [report.at_us - 3_000_000 for report in rest]


def test_a_slot_that_comes_after_its_start_says_so(world: World) -> None:
    clock = FakeClock(AT)
    slots = LiveSky(world, clock).slots()
    next(slots)
    clock.at += 20_000_000
    assert next(slots).late
    assert json.loads(next(slots).links)["late"] is False


@pytest.mark.parametrize("leap_s", [7_200, -3_600])
def test_after_a_leap_of_the_clock_it_begins_anew_at_the_present(world: World, leap_s: int) -> None:
    clock = FakeClock(AT)
    slots = LiveSky(world, clock).slots()
    next(slots)
    clock.at += leap_s * 1_000_000
    report = next(slots)
    assert report.at_us == world.slots.start(clock.at)
    assert json.loads(report.links)["links"] == expected_rows(world, report.at_us, 1)


def test_positions_and_views_are_those_of_the_links(world: World) -> None:
    """Brute force over all satellites of the slot's own Earth-fixed positions."""
    [report] = reports(world, FakeClock(AT), 1)
    [(sky, _)] = Twin(world).links(report.at_us, report.at_us + 1)
    position_m = sky.position_start_m
    latitude, longitude, altitude_m = ecef_to_geodetic(position_m)
    np.testing.assert_allclose(np.frombuffer(report.latitude_deg), np.degrees(latitude), atol=6e-4)
    np.testing.assert_allclose(np.frombuffer(report.longitude_deg), np.degrees(longitude), atol=6e-4)
    np.testing.assert_allclose(np.frombuffer(report.altitude_km), altitude_m / 1e3, atol=6e-3)
    offset = np.frombuffer(report.pair_offset, np.int64)
    satellite = np.frombuffer(report.pair_satellite, np.int32)
    elevation = np.frombuffer(report.pair_elevation_deg)
    usable = np.frombuffer(report.pair_usable, np.uint8)
    for i, terminal in enumerate(world.terminals):
        here_m = place_to_ecef_m(terminal.place)
        lat, lon = np.radians([terminal.place.latitude_deg, terminal.place.longitude_deg])
        up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        to_m = position_m - here_m[:, np.newaxis]
        exact = np.degrees(np.arcsin(up @ to_m / np.linalg.norm(to_m, axis=0)))
        mine = slice(offset[i], offset[i + 1])
        seen = satellite[mine]
        assert sorted(seen) == list(np.flatnonzero(exact >= terminal.antenna.minimum_elevation_deg))
        np.testing.assert_allclose(elevation[mine], exact[seen], atol=6e-3)
        assert usable[mine].sum() == len(
            sky.users.satellite[sky.users.site_offset[i] : sky.users.site_offset[i + 1]]
        )


def test_no_exact_place_leaves_the_sky_process(world: World) -> None:
    said = hello(world, {})
    terminals = json.loads(said.terminals_document)["terminals"]
    for terminal, shown in zip(world.terminals, terminals, strict=True):
        place = terminal.place
        assert h3.get_resolution(shown["cell"]) == 5
        assert shown["cell"] == h3.latlng_to_cell(place.latitude_deg, place.longitude_deg, 5)
        centre = (shown["cell_latitude_deg"], shown["cell_longitude_deg"])
        # An H3 cell of resolution 5 has edges of 8.5 to 10 km: its corners are not further out than that.
        assert (
            0.0
            < h3.great_circle_distance(centre, (place.latitude_deg, place.longitude_deg), unit="km")
            < 11.0
        )
        assert not {"latitude_deg", "longitude_deg"} & set(shown)


def test_the_map_shows_the_terminals_and_is_small(world: World) -> None:
    box = box_of(world)
    for place in PLACES.values():
        assert box.south < place.latitude_deg < box.north
        assert box.west < place.longitude_deg < box.east
    document = map_document(world, packaged_countries())
    rings = json.loads(document)["rings"]
    assert len(rings) > 5
    assert all(len(ring) % 2 == 0 for ring in rings)
    assert len(document) < 400_000
    # Whole degrees say nothing of where the outermost terminal stands.
    assert all(edge == round(edge) for edge in (box.west, box.south, box.east, box.north))
