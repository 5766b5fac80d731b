"""Terminals of one cell taken together, against sets and plain Python."""

from __future__ import annotations

from typing import Any

import h3
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.geodesy import Place
from skylift.base.ids import TerminalId
from skylift.base.randomness import random_stream
from skylift.sky.coverage.sites import AntennaModel
from skylift.sky.coverage.usable import UsablePairs
from skylift.twin import points_kernel
from skylift.twin.points import Points, taken
from skylift.twin.world import Terminal

WIDE, NARROW = AntennaModel("wide", "test"), AntennaModel("narrow", "test", 40.0)


def terminals(*where: tuple[float, float, AntennaModel]) -> list[Terminal]:
    return [
        Terminal(TerminalId(f"t{i}"), Place(lat, lon), model, 0) for i, (lat, lon, model) in enumerate(where)
    ]


def pairs_of(seen: list[set[int]], seed: int) -> UsablePairs:
    """Pairs with random elevations; the satellites of a site ascend."""
    random = random_stream(seed, "tests/points")
    satellite = np.array([s for each in seen for s in sorted(each)], dtype=np.int32)
    k, counts = len(satellite), np.array([len(each) for each in seen])
    angle = random.uniform(0.5, 1.5, (3, k)).astype(np.float32)
    metres = random.uniform(6e5, 1e6, (2, k))
    offset = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return UsablePairs(offset, satellite, angle[0], angle[1], metres[0], metres[1], angle[2], counts, counts)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_point_has_the_satellites_that_all_its_terminals_can_use(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 9))
    two_places = [(49.0, 31.0, WIDE), (49.0, 31.0, NARROW), (46.0, 30.0, WIDE)]
    where = [data.draw(st.sampled_from(two_places)) for _ in range(count)]
    points = Points(terminals(*where), 5)
    seen = [data.draw(st.sets(st.integers(0, 6), max_size=5)) for _ in range(count)]
    users = pairs_of(seen, count)
    asking = np.array([data.draw(st.booleans()) for _ in range(count)])
    allowed = np.array([data.draw(st.booleans()) for _ in range(len(users))], dtype=np.bool_)
    got = points.of_slot(users, asking, allowed)

    site = np.repeat(np.arange(count), np.diff(users.site_offset))
    can: list[dict[int, int]] = [
        {int(users.satellite[k]): int(k) for k in np.flatnonzero((site == m) & allowed)} for m in range(count)
    ]
    place = {m: (h3.latlng_to_cell(*where[m][:2], 5), where[m][2].name) for m in range(count)}
    members: dict[int, list[int]] = {}
    for m in range(count):
        assert (got.point_of[m] >= 0) == bool(asking[m] and can[m])
        if got.point_of[m] >= 0:
            members.setdefault(int(got.point_of[m]), []).append(m)
    for p in range(len(got)):
        here = members.get(p, [])
        at = slice(got.pairs.site_offset[p], got.pairs.site_offset[p + 1])
        common = set.intersection(*(set(can[m]) for m in here)) if here else set()
        assert set(got.pairs.satellite[at].tolist()) == common
        assert not here or common
        assert len({place[m] for m in here}) <= 1
        for s, elevation in zip(got.pairs.satellite[at], got.pairs.elevation_rad[at], strict=True):
            assert elevation == min(users.elevation_rad[can[m][int(s)]] for m in here)
        if p >= len(points):
            # Split off because somebody's satellites left nothing in common with those before.
            first = members[p][0]
            before = members[int(got.home[p])]
            assert place[first] == place[before[0]]
            assert not set.intersection(*(set(can[m]) for m in [*before, first]))


def test_points_stand_in_the_middle_of_cells_and_models_do_not_mix() -> None:
    points = Points(
        terminals((49.0, 31.0, WIDE), (46.0, 30.0, WIDE), (49.0, 31.0, NARROW), (49.001, 31.0, WIDE)), 5
    )
    cells = [h3.latlng_to_cell(49.0, 31.0, 5), h3.latlng_to_cell(46.0, 30.0, 5)]
    assert [h3.int_to_str(int(c)) for c in points.cell] == [cells[0], cells[1], cells[0]]
    middle = h3.cell_to_latlng(cells[1])
    assert np.degrees(points.sites.latitude_rad[1]) == middle[0]
    assert np.degrees(points.sites.min_elevation_rad).round(6).tolist() == [25.0, 25.0, 40.0]


def test_sites_can_be_taken_again_and_again() -> None:
    sites = Points(terminals((49.0, 31.0, WIDE), (46.0, 30.0, NARROW)), 5).sites
    more = taken(sites, np.array([0, 1, 1], dtype=np.int32))
    assert len(more) == 3
    for column in ("position_ecef_m", "up", "east", "north", "boresight"):
        np.testing.assert_array_equal(getattr(more, column)[:, 2], getattr(sites, column)[:, 1])
    np.testing.assert_array_equal(more.min_elevation_rad[1:], sites.min_elevation_rad[[1, 1]])
    assert more.mask_elevation_rad.shape == (3, 360)


def given_satellites(**case: Any) -> list[int]:
    """take_satellites for terminals of one point, which satellites 10, 11, ... serve."""
    asked, rate = np.array(case["asked"], float), np.array(case["rate"], float)
    priority = np.array(case.get("priority", [4] * len(asked)), dtype=np.uint8)
    out = np.empty(len(asked), dtype=np.int64)
    points_kernel.take_satellites(
        np.argsort(priority, kind="stable"), priority, np.zeros(len(asked), np.int32), asked,
        np.array(case.get("previous", [-1] * len(asked)), dtype=np.int32), np.array([0, len(rate)]),
        np.arange(10, 10 + len(rate), dtype=np.int32), rate, 0.02, 0.8, out,
    )  # fmt: skip
    return out.tolist()


def test_who_takes_which_satellite() -> None:
    # Alone: the fastest.
    assert given_satellites(asked=[5], rate=[3, 4]) == [1]
    # Two of one class would rather share what is plenty than have crumbs.
    assert given_satellites(asked=[100, 100], rate=[90, 1]) == [0, 0]
    assert given_satellites(asked=[100, 100], rate=[90, 60]) == [0, 1]
    # The more urgent one chooses first, wherever it stands in the list, and leaves the rest.
    assert given_satellites(asked=[100, 50], rate=[60, 40], priority=[4, 1]) == [1, 0]
    # Who can stay stays, if that gives four fifths of the best.
    assert given_satellites(asked=[100], rate=[100, 81], previous=[11]) == [1]
    assert given_satellites(asked=[100], rate=[100, 79], previous=[11]) == [0]
    # A satellite that does not serve any more keeps nobody.
    assert given_satellites(asked=[100], rate=[10, 20], previous=[99]) == [1]
    assert given_satellites(asked=[100], rate=[]) == [-1]
    # The floor of 2 comes before what urgent ones take of the rest: more than a crumb of one's own. Where all
    # that there is would be less, the crumb.
    assert given_satellites(asked=[120, 100, 100], rate=[119, 1], priority=[1, 4, 4]) == [0, 0, 0]
    assert given_satellites(asked=[120, 100], rate=[4, 3], priority=[1, 4]) == [0, 1]
