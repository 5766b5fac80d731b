"""The beam schedule of a slot: feeders, balance, lanes, exchange. Why so: docs/why/011-beam-schedule.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.schedule.balance_kernel import PARTS, divide, join, mark_previous, satellite_levels
from skylift.sky.schedule.cones_kernel import neighbours
from skylift.sky.schedule.exchange_kernel import exchange, highest_users, refresh
from skylift.sky.schedule.feeders_kernel import assign_feeders, feeders_of_satellites, gateways_of_satellites
from skylift.sky.schedule.lanes_kernel import place_parts, top_up
from skylift.sky.schedule.levels_kernel import STEPS, by_class, cells_of_satellites, demand_curves
from skylift.sky.schedule.problem import CLASSES, Floats, Ints, Schedule, Slot, Words

# A better rate counts first much, then little: efficient first, level at the end. Levels per e-fold of rate.
SOFTNESS = (10.0, 10.0, 10.0, 3.0, 3.0, 3.0, 1.0, 1.0)
# Levels that two satellites of one cell may differ by before the cell is divided between them, by round.
LEAST_GAP = (0.05, 0.02, 0.01, 0.01, 0.005, 0.005)
# Levels at which what could not be placed seeks another satellite; all rise together.
TARGETS = (
    0.5,
    1.0,
    1.5,
    2.0,
    2.25,
    2.5,
    2.75,
    3.0,
    3.25,
    3.5,
    3.75,
    4.0,
    4.125,
    4.25,
    4.375,
    4.5,
    4.625,
    4.75,
    4.875,
    5.0,
)
# Levels that a cell must stand above another on one lane to hand time over, by round.
EXCHANGE_GAP = (0.1, 0.05, *(0.02,) * 24)
# If no more than this found no place, exchanges mend it, and nothing is placed anew class by class.
FEW_MISSING = 0.005
# Cells within this are held as neighbours; enough for 2.5 degrees from 550 km at 25 degrees of elevation.
_REACH_M = 150_000.0
_WIDEST_REACH_M = 1_500_000.0


def schedule(slot: Slot, previous: Schedule | None = None) -> Schedule:
    """The schedule of one slot; for many slots of the same cells keep a BeamScheduler."""
    return BeamScheduler(slot.cells.position_ecef_m).schedule(slot, previous)


@dataclass(frozen=True, slots=True)
class _Balanced:
    """Feeders, and which satellite carries which part of each cell's curve (M, PARTS)."""

    gateway_of: Ints
    feeder_bps: Floats
    full_rate_bps: Floats
    barred_channels: Words
    steps: Floats
    pair_of: npt.NDArray[np.int64]
    part_of: Floats
    level: Floats


class BeamScheduler:
    """Schedules slot after slot for the same cells: their neighbourhoods are found once."""

    def __init__(self, cell_position_ecef_m: Floats) -> None:
        self._position_m = np.ascontiguousarray(cell_position_ecef_m, dtype=np.float64)
        self._order = _along_a_curve(self._position_m)
        self._near = self._neighbours(_REACH_M)

    def schedule(self, slot: Slot, previous: Schedule | None = None) -> Schedule:
        """The schedule of a slot whose cells stand where this scheduler's do.

        previous  of the slot before, with the same cells, satellites and gateways: its pairs get the bonus
        """
        if not np.array_equal(slot.cells.position_ecef_m, self._position_m):
            raise Refused(
                "schedule.cells",
                "slot.cells.position_ecef_m",
                "they are not the cells that this scheduler was made for",
                "make a BeamScheduler for these cells",
            )
        balanced = self._balance(slot, previous)
        while True:
            desk = self._place(slot, balanced)
            if desk is not None:
                return self._gather(slot, balanced, desk)
            if self._near[3] >= _WIDEST_REACH_M:
                raise Refused(
                    "schedule.cone",
                    "rules.separation_rad",
                    "a beam would cover more than 1,500 km",
                    "take a smaller angle, or leave out satellites so high",
                )
            self._near = self._neighbours(min(2.0 * self._near[3], _WIDEST_REACH_M))

    def _neighbours(self, reach_m: float) -> tuple[Any, Any, Any, float]:
        return (*neighbours(self._position_m, reach_m), reach_m)

    def _balance(self, slot: Slot, previous: Schedule | None) -> _Balanced:
        pairs, gateways, rules = slot.pairs, slot.gateways, slot.rules
        m, n = len(slot.cells), len(slot.satellites)
        steps = np.empty((m, STEPS))
        demand_curves(slot.cells.wanted_bps, slot.cells.barred, rules.floor_fraction, steps)
        beams = slot.satellites.beams.sum(axis=1).astype(np.int32)
        kept = np.zeros(len(pairs.satellite), dtype=np.bool_)
        gateway_before = np.full(n, -1, dtype=np.int32)
        if previous is not None:
            mark_previous(pairs.offset, pairs.satellite, previous.cell, previous.satellite, kept)
            gateway_before = previous.gateway_of
        full_rate, barred = _open(slot)
        gateway_of = np.empty(n, dtype=np.int32)
        reach = gateways_of_satellites(
            gateways.offset, gateways.satellite, gateways.antennas, gateways.feeders_bps(), n
        )
        assign_feeders(
            *reach,
            gateways.antennas,
            *cells_of_satellites(pairs.offset, pairs.satellite, full_rate, steps, n),
            steps,
            beams,
            gateway_before,
            rules.keep_level,
            gateway_of,
        )
        feeder = np.empty(n)
        feeders_of_satellites(*reach, gateway_of, feeder)
        pair_of, part_of = np.full((m, PARTS), -1, dtype=np.int64), np.zeros((m, PARTS))
        time, rate, level = np.zeros((n, STEPS)), np.zeros((n, STEPS)), np.empty(n)
        wants = np.flatnonzero(steps.sum(axis=1) > 0)
        order = wants[np.argsort(np.diff(pairs.offset)[wants], kind="stable")]
        given = (
            pairs.offset,
            pairs.satellite,
            full_rate,
            steps,
            beams,
            feeder,
            kept,
            rules.keep_level,
        )
        for softness in SOFTNESS:
            if join(*given, softness, order, pair_of, part_of, time, rate) == 0:
                break
            satellite_levels(time, rate, beams, feeder, level)
            # Everybody is full: no other choice could serve more.
            if level.min(initial=STEPS) >= STEPS:
                break
        satellite_levels(time, rate, beams, feeder, level)
        for gap in LEAST_GAP:
            if divide(*given, gap, pair_of, part_of, time, rate, level) == 0:
                break
        return _Balanced(gateway_of, feeder, full_rate, barred, steps, pair_of, part_of, level)

    def _place(self, slot: Slot, balanced: _Balanced) -> _Desk | None:
        """The desk after placing; None where the neighbours held do not reach as far as a beam does."""
        desk = _Desk(slot, balanced, self._near, self._order)
        if not desk.place(float(STEPS)):
            return None
        missing = desk.missing_fraction()
        if 0.0 < missing <= FEW_MISSING and not desk.top_up(list(TARGETS)):
            return None
        if missing > FEW_MISSING:
            # Begin anew, class by class, so that what low classes take blocks no higher one.
            desk = _Desk(slot, balanced, self._near, self._order)
            for ceiling in range(1, STEPS + 1):
                if not desk.place(float(ceiling)):
                    return None
                if not desk.top_up([t for t in TARGETS if ceiling - 1 < t <= ceiling]):
                    return None
        return desk if desk.exchange() else None

    def _gather(self, slot: Slot, balanced: _Balanced, desk: _Desk) -> Schedule:
        rows, shares, full_rate = desk.rows()
        satellite, polarisation, channel, cell, beam = (np.ascontiguousarray(column) for column in rows.T)
        served, level = np.empty((len(slot.cells), CLASSES)), np.empty(len(slot.cells))
        got = np.zeros(len(slot.cells))
        np.add.at(got, cell, shares * full_rate)
        by_class(balanced.steps, slot.cells.wanted_bps, got, slot.rules.floor_fraction, served, level)
        return Schedule(
            satellite, polarisation, beam, channel, cell, balanced.gateway_of[satellite], shares,
            shares * full_rate, balanced.gateway_of, served, level,
        )  # fmt: skip


class _Desk:
    """One attempt at placing: the book of lanes, and the rows written so far."""

    def __init__(
        self, slot: Slot, balanced: _Balanced, near: tuple[Any, ...], order: npt.NDArray[np.int64]
    ) -> None:
        n, m, rules = len(slot.satellites), len(slot.cells), slot.rules
        f = rules.channels
        self._slot, self._balanced, self._order = slot, balanced, order
        # A cell has a row for each lane that serves it, and needs few: time comes in parts and leftovers.
        room = 32 * m + 4 * f * n
        self._book = (
            np.ones((n, 2, f)),
            np.where(balanced.feeder_bps > 0.0, slot.satellites.beams.sum(axis=1), 0.0),
            np.full((n, 2, f), -1, dtype=np.int32),
            np.zeros((n, 2), dtype=np.int32),
            balanced.feeder_bps.copy(),
            np.zeros(m),
            np.full((m, f, rules.nco + 1), -1, dtype=np.int32),
            np.zeros((m, f), dtype=np.int32),
            np.zeros((m, f), dtype=np.bool_),
            np.full((n, 2, f), -1, dtype=np.int32),
            np.empty((room, 5), dtype=np.int32),
            np.empty(room),
            np.empty(room),
            np.zeros(1, dtype=np.int64),
        )
        self._stuck = np.zeros(m, dtype=np.bool_)
        most = int(np.diff(near[0]).max(initial=0)) + 1
        self._rules = (
            slot.satellites.beams, rules.nco, rules.separation_rad, rules.dish_separation_rad,
            slot.satellites.position_ecef_m, slot.cells.position_ecef_m, near, np.empty(most, dtype=np.int32),
            np.empty(f, dtype=np.int64),
        )  # fmt: skip

    def place(self, ceiling: float) -> bool:
        pairs, b = self._slot.pairs, self._balanced
        return bool(
            place_parts(
                self._order, pairs.satellite, b.full_rate_bps, b.barred_channels, b.steps, b.level, b.pair_of,
                b.part_of, ceiling, self._book, self._rules,
            )
        )  # fmt: skip

    def top_up(self, targets: list[float]) -> bool:
        return all(top_up(*self._pairs(), target, self._stuck, self._book, self._rules) for target in targets)

    def exchange(self) -> bool:
        top, asleep = np.empty(len(self._slot.satellites)), np.zeros(len(self._slot.cells), dtype=np.bool_)
        takers, before = 0, np.inf
        for gap in EXCHANGE_GAP:
            # Nobody found any more, or a smaller gap will do: all ask again, for much has changed hands.
            woken = takers == 0 or gap < before
            before = gap
            if woken:
                asleep[:] = False
            highest_users(self._balanced.steps, self._book, top)
            takers = exchange(*self._pairs(), gap, top, asleep, self._book, self._rules)
            if takers < 0 or refresh(self._book, self._rules) < 0:
                return False
            if takers == 0 and woken and gap == EXCHANGE_GAP[-1]:
                break
        return True

    def missing_fraction(self) -> float:
        """How much of what the balance gave the cells found no lane; 0 up to a millionth in each cell."""
        b, satellite = self._balanced, self._slot.pairs.satellite
        level = np.minimum(np.append(b.level, 0.0)[np.append(satellite, -1)[b.pair_of]], STEPS)
        whole = np.concatenate([np.zeros((len(b.steps), 1)), np.cumsum(b.steps, axis=1)], axis=1)
        step = np.minimum(level.astype(np.int64), STEPS - 1)
        base = np.take_along_axis(whole, step, axis=1)
        due = (b.part_of * (base + (level - step) * np.take_along_axis(b.steps, step, axis=1))).sum(axis=1)
        short = np.maximum(due * (1.0 - 1e-6) - self._book[5], 0.0)
        return float(short.sum() / max(due.sum(), 1.0))

    def rows(self) -> tuple[Ints, Floats, Floats]:
        """Satellite, polarisation, channel, cell, beam (R, 5), shares, full rates; sorted by cell, lane."""
        count = int(self._book[13][0])
        # A copy: the book's last column is a chain that the kernels still follow.
        rows, shares, full_rate = (
            self._book[10][:count].copy(),
            self._book[11][:count],
            self._book[12][:count],
        )
        rows[:, 4] = self._book[2][rows[:, 0], rows[:, 1], rows[:, 2]]
        kept = np.flatnonzero(shares > 1e-9)
        kept = kept[np.lexsort((rows[kept, 2], rows[kept, 1], rows[kept, 0], rows[kept, 3]))]
        return rows[kept], shares[kept], full_rate[kept]

    def _pairs(self) -> tuple[Any, ...]:
        pairs, b = self._slot.pairs, self._balanced
        return self._order, pairs.offset, pairs.satellite, b.full_rate_bps, b.barred_channels, b.steps


def _open(slot: Slot) -> tuple[Floats, Words]:
    """Rates (K,), 0 where all channels of a pair are barred, and the words of barred channels (K,)."""
    pairs, every = slot.pairs, np.uint32((1 << slot.rules.channels) - 1)
    if pairs.barred_channels is None:
        return pairs.full_rate_bps, np.zeros(len(pairs.satellite), dtype=np.uint32)
    barred = pairs.barred_channels & every
    return np.where(barred == every, 0.0, pairs.full_rate_bps), barred


def _along_a_curve(position_m: Floats) -> npt.NDArray[np.int64]:
    """An order of places in which neighbours mostly follow one another: that of interleaved bits (Morton)."""
    steps = ((position_m + 8e6) / 16e6 * 1024).astype(np.int64)
    code = np.zeros(position_m.shape[1], dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((steps[axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable").astype(np.int64)
