"""Satellites with several arrays: no rule broken, more served where there is room, steady, told by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.catalogue_files import read_catalogue
from skylift.adapters.radio_files import packaged_system
from skylift.base.errors import Refused
from skylift.sky.radio.generations import Generation, arrays_of, generation_of
from skylift.sky.radio.systems import radio_system
from skylift.sky.schedule.arrays import Arrays
from skylift.sky.schedule.problem import Gateways, Schedule, ScheduleRules, Slot, UserPairs
from skylift.sky.schedule.scheduler import schedule

CATALOGUE = Path(__file__).parents[4] / "shared" / "data" / "catalogues" / "starlink_2026-05-30.tle"


def with_arrays(slot: Slot, arrays: list[int]) -> Slot:
    each = np.resize(np.array(arrays, dtype=np.int32), len(slot.satellites))
    return replace(slot, satellites=replace(slot.satellites, arrays=each))


def as_satellites(slot: Slot, made: Schedule) -> tuple[Slot, Schedule]:
    """The same with each array as a satellite of its own, one by one and without the engine's help.

    Their antennas and feeders are as many and as great as if each had one: those are judged apart.
    """
    assert slot.satellites.arrays is not None
    most = int(slot.satellites.arrays.max())
    pairs, gateways = slot.pairs, slot.gateways
    satellite, rate, barred, offset = [], [], [], [0]
    for c in range(len(slot.cells)):
        for k in range(pairs.offset[c], pairs.offset[c + 1]):
            for a in range(slot.satellites.arrays[pairs.satellite[k]]):
                satellite.append(int(pairs.satellite[k]) * most + a)
                rate.append(float(pairs.full_rate_bps[k]))
                barred.append(0 if pairs.barred_channels is None else int(pairs.barred_channels[k]))
        offset.append(len(satellite))
    tracked = [int(s) * most + a for s in gateways.satellite for a in range(most)]
    apart = Slot(
        slot.cells,
        type(slot.satellites)(
            np.repeat(slot.satellites.position_ecef_m, most, axis=1),
            np.repeat(slot.satellites.beams, most, axis=0),
        ),
        UserPairs(
            np.array(offset), np.array(satellite, np.int32), np.array(rate), np.array(barred, np.uint32)
        ),
        Gateways(
            gateways.offset * most,
            np.array(tracked, dtype=np.int32),
            gateways.antennas * most,
            gateways.feeder_bps,
            None if gateways.pair_feeder_bps is None else np.repeat(gateways.pair_feeder_bps, most),
        ),
        slot.rules,
    )
    beams = slot.satellites.beams[made.satellite, made.polarisation]
    array = made.beam // beams
    assert (array < slot.satellites.arrays[made.satellite]).all()
    return apart, replace(
        made,
        satellite=(made.satellite * most + array).astype(np.int32),
        beam=(made.beam % beams).astype(np.int32),
        gateway_of=np.repeat(made.gateway_of, most),
    )


KINDS = {
    "plain": {},
    "crowded": {"cells": 120, "half_width_deg": 2.0},
    "few antennas": {"satellites": 20, "antennas": 1, "load": 3.0},
    "thin feeders": {"feeder_bps": 5e9},
    "jammed channels": {"jammed": 0.5},
    "two satellites per frequency": {"rules": ScheduleRules(nco=2)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_rule_is_broken_by_arrays(
    kind: str, slot_of: Callable[..., Slot], breaches: Callable[..., list[str]]
) -> None:
    for seed in range(2):
        slot = with_arrays(slot_of(seed, **KINDS[kind]), [3, 1, 2])
        made = schedule(slot)
        for one in (made, schedule(slot, made)):
            assert breaches(*as_satellites(slot, one)) == []
            # What the arrays of a satellite carry goes through one antenna, which has one satellite.
            used = np.bincount(one.satellite, one.rate_bps, minlength=len(slot.satellites))
            assert (used <= (slot.gateways.feeder_bps.max() + 1.0)).all()
            tracked = np.bincount(one.gateway_of[one.gateway_of >= 0], minlength=len(slot.gateways))
            assert (tracked <= slot.gateways.antennas).all()
            assert (one.gateway == one.gateway_of[one.satellite]).all()


def test_one_array_each_is_as_before(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(3)
    made, same = schedule(slot), schedule(with_arrays(slot, [1]))
    for field in fields(Schedule):
        np.testing.assert_array_equal(getattr(made, field.name), getattr(same, field.name))


def test_arrays_serve_more_where_antennas_are_what_is_short(slot_of: Callable[..., Slot]) -> None:
    """4 satellites tracked above cells over 2,000 km, with three arrays each."""
    for seed in range(3):
        slot = slot_of(seed, satellites=20, antennas=1, load=3.0, half_width_deg=9.0, feeder_bps=60e9)
        one = schedule(slot).served_bps.sum()
        three = schedule(with_arrays(slot, [3])).served_bps.sum()
        assert 1.7 * one < three <= 4 * 3 * 16 * slot.pairs.full_rate_bps.max()


def test_who_is_full_keeps_its_satellite(slot_of: Callable[..., Slot]) -> None:
    slot = with_arrays(slot_of(1, load=0.1), [3, 1])
    made = schedule(slot)
    again = schedule(slot, made)
    before, after = (set(zip(s.cell.tolist(), s.satellite.tolist(), strict=True)) for s in (made, again))
    assert len(before & after) > 0.9 * len(before)


def test_beams_are_numbered_through_arrays_and_back(slot_of: Callable[..., Slot]) -> None:
    from skylift.sky.schedule.scheduler import _ask

    slot = with_arrays(slot_of(2), [2, 3])
    made = schedule(slot)
    each = Arrays.apart(slot, _ask(slot, None)[0])
    before = each.previous(made)
    assert before is not None
    rows = np.stack([before.satellite, made.polarisation, made.channel, made.cell, before.beam], axis=1)
    back, _, _ = each.together((rows, made.share_fraction, made.rate_bps))
    np.testing.assert_array_equal(back[:, 0], made.satellite)
    np.testing.assert_array_equal(back[:, 4], made.beam)


NAMES = (
    "STARLINK-1008",
    "STARLINK-30123",
    "STARLINK-11072 [DTC]",
    "STARLINK-6310",
    "STARLINK-S1 3/17",
    "",
    "ISS",
)


def test_generations_are_told_by_their_names() -> None:
    of = packaged_system("starlink-2026").arrays_of(NAMES)
    assert of is not None
    assert of.tolist() == [1, 3, 3, 1, 1, 1, 1]
    assert packaged_system("starlink-2022").arrays_of(NAMES) is None
    assert packaged_system("starlink-2026").arrays_of(NAMES[3:]) is None
    # The highest number that fits decides, whatever the order.
    two = (Generation("b", "STARLINK-", 20000, 5), Generation("a", "STARLINK-", 10000, 2))
    assert generation_of(two, NAMES).tolist() == [-1, 0, 1, -1, -1, -1, -1]
    assert arrays_of(two, NAMES).tolist() == [1, 5, 2, 1, 1, 1, 1]  # type: ignore[union-attr]


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the shared catalogues are not here")
def test_names_agree_with_how_many_flew_at_once() -> None:
    """A Falcon 9 carries 39 or more of the first generation that are still there, or at most 23 V2 mini."""
    catalogue = read_catalogue(CATALOGUE).catalogue
    arrays = packaged_system("starlink-2026").arrays_of(catalogue.name)
    assert arrays is not None
    launches: dict[str, list[int]] = {}
    for cospar, n in zip(catalogue.cospar, arrays.tolist(), strict=True):
        launches.setdefault(cospar[:8], []).append(n)
    late = {launch: set(found) for launch, found in launches.items() if launch >= "2023-010"}
    assert all(len(kinds) == 1 for kinds in late.values())
    assert all((len(launches[launch]) <= 29) == (kinds == {3}) for launch, kinds in late.items())
    assert (int((arrays == 3).sum()), len(arrays)) == (7072, 10395)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("arrays = 3 ", "arrays = 0 ", "arrays"),
        ("arrays = 3 ", "arrays = 2.5 ", "arrays"),
        ("arrays = 3 ", "arrays = 9 ", "arrays_range"),
        ("numbered_from = 10000", "numbered_from = -1", "numbered_from"),
        ('named = "STARLINK-"', 'nmaed = "STARLINK-"', "nmaed"),
    ],
)
def test_generations_that_cannot_be(old: str, new: str, key: str) -> None:
    from skylift.adapters.packaged import packaged_text

    text = packaged_text("radio/systems/starlink-2026.toml")
    assert old in text
    with pytest.raises(Refused, match=key):
        radio_system(text.replace(old, new), "mine.toml")
