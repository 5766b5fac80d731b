"""Schedules that are remembered: the same as made anew, and made anew where anything that counts differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skylift.sky.schedule.memory import Memory
from skylift.sky.schedule.problem import Schedule, Slot
from skylift.sky.schedule.scheduler import BeamScheduler, schedule

SlotOf = Callable[..., Slot]


class Counting(Memory):
    """Counts what is made."""

    made = 0

    def rows(self, slot, asked, make):  # type: ignore[no-untyped-def]
        def counted():  # type: ignore[no-untyped-def]
            self.made += 1
            return make()

        return super().rows(slot, asked, counted)


def same(one: Schedule, other: Schedule) -> bool:
    names = ("satellite", "polarisation", "beam", "channel", "cell", "gateway", "share_fraction", "rate_bps")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def variants(slot: Slot) -> list[Slot]:
    """Each differs from the slot in one thing that counts."""
    cells, satellites, pairs, gateways = slot.cells, slot.satellites, slot.pairs, slot.gateways
    barred = np.full(len(pairs.satellite), 1, dtype=np.uint32)
    return [
        replace(slot, cells=replace(cells, wanted_bps=cells.wanted_bps * 0.5)),
        replace(slot, satellites=replace(satellites, beams=satellites.beams - 1)),
        replace(slot, satellites=replace(satellites, arrays=np.full(len(satellites), 2, dtype=np.int32))),
        replace(slot, satellites=replace(satellites, position_ecef_m=satellites.position_ecef_m * 1.001)),
        replace(slot, pairs=replace(pairs, full_rate_bps=pairs.full_rate_bps * 0.9)),
        replace(slot, pairs=replace(pairs, barred_channels=barred)),
        replace(slot, gateways=replace(gateways, feeder_bps=gateways.feeder_bps * 0.1)),
        replace(slot, rules=replace(slot.rules, separation_rad=0.06)),
    ]


def test_what_is_remembered_is_what_would_be_made(slot_of: SlotOf) -> None:
    slot, memory = slot_of(3, cells=30), Counting(20)
    scheduler = BeamScheduler(slot.cells.position_ecef_m, memory=memory)
    every = [slot, *variants(slot)]
    for made, one in enumerate(every, start=1):
        assert same(scheduler.schedule(one), schedule(one))
        assert memory.made == made
    for one in every:
        assert same(scheduler.schedule(one), schedule(one))
    assert memory.made == len(every)


def test_another_gateway_with_the_same_feeders_is_the_same_slot(slot_of: SlotOf) -> None:
    slot, memory = slot_of(3, cells=30, gateways=1), Counting(20)
    scheduler = BeamScheduler(slot.cells.position_ecef_m, memory=memory)
    first = scheduler.schedule(slot)
    gateways = slot.gateways
    behind = replace(
        gateways,
        offset=np.array([0, 0, gateways.offset[1]], dtype=np.int64),
        antennas=np.array([4, gateways.antennas[0]], dtype=gateways.antennas.dtype),
        feeder_bps=np.array([1e9, gateways.feeder_bps[0]]),
    )
    second = scheduler.schedule(replace(slot, gateways=behind))
    assert memory.made == 1
    assert set(first.gateway.tolist()) == {0}
    assert set(second.gateway.tolist()) == {1}
    assert np.array_equal(first.rate_bps, second.rate_bps)


def test_the_oldest_is_forgotten_and_one_with_a_slot_before_not_remembered(slot_of: SlotOf) -> None:
    slot, memory = slot_of(3, cells=30), Counting(1)
    scheduler = BeamScheduler(slot.cells.position_ecef_m, memory=memory)
    other = variants(slot)[0]
    before = scheduler.schedule(slot)
    scheduler.schedule(other)
    scheduler.schedule(slot)
    assert memory.made == 3
    scheduler.schedule(slot, before)
    assert memory.made == 3
