"""The beam schedule of a slot: feeders, balance, lanes, exchange. Why so: docs/why/011-beam-schedule.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.schedule.arrays import Arrays, Rows
from skylift.sky.schedule.balance_kernel import PARTS, divide, join, mark_previous, satellite_levels
from skylift.sky.schedule.cones_kernel import crowding, neighbours
from skylift.sky.schedule.exchange_kernel import empty_rows, exchange, highest_users, kept_first, refresh
from skylift.sky.schedule.feeders_kernel import assign_feeders, feeders_of_satellites, gateways_of_satellites
from skylift.sky.schedule.keeping import BALANCED_BONUSES, EXCHANGED_BONUSES
from skylift.sky.schedule.lanes_kernel import enter_rows, place_parts, top_up
from skylift.sky.schedule.levels_kernel import STEPS, by_class, cells_of_satellites, demand_curves
from skylift.sky.schedule.memory import Memory
from skylift.sky.schedule.oust_kernel import STEEP
from skylift.sky.schedule.problem import CLASSES, Floats, Ints, Schedule, Slot, Words
from skylift.sky.schedule.units import SHORT, Asked, Units

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
EXCHANGE_GAP = (0.1, 0.05, *(0.02,) * 120)
# A slot whose short list's cones cover more cells together is not quick. 20,000 pairs below 550 km have
# 0.4 million over cells of 253 km2, 14,000 below 1,200 km 1.8 million: then rounds would take seconds, for
# a fortieth of a level at the least-served cell.
QUICK_CONE_CELLS = 1_000_000
# Cells of cones that the exchanges of a slot look at, for each of its cells, but no fewer in all than the
# least. 150 cells below 550 km look at 35,000; 2,467 that see one or two satellites at 1,200 km at 7 million.
LOOKS_A_CELL, LEAST_LOOKS = 3_000, 8_000_000
# If no more than this found no place, exchanges mend it, and nothing is placed anew class by class.
FEW_MISSING = 0.005
# Of all channels, what can be used within a beam's width of an average cell: above this they are short, and
# in a large slot, where lanes are not tried class by class, above the second: of Ukraine at 0.19 one part in
# a hundred found no lane, at 0.43 eighteen; the world at 0.14 goes by lanes.
CROWDED, CROWDED_LARGE = 0.45, 0.16
# Up to so many pairs much can be placed anew class by class, and units be polished by exchanges.
QUICK_PAIRS = 20_000
# A beam is about this times its angle wide: the slant at 43 degrees of elevation from 550 km.
TYPICAL_SLANT_M = 1.0e6
# Cells within this are held as neighbours; enough for 2.5 degrees from 550 km at 25 degrees of elevation.
_REACH_M = 150_000.0
_WIDEST_REACH_M = 4_000_000.0


Counter = npt.NDArray[np.int64]


def schedule(slot: Slot, previous: Schedule | None = None, remakes: int = 0) -> Schedule:
    """The schedule of one slot; for many slots of the same cells keep a BeamScheduler."""
    return BeamScheduler(slot.cells.position_ecef_m, remakes).schedule(slot, previous)


@dataclass(frozen=True, slots=True)
class _Balanced:
    """Which satellite carries which part of each cell's curve (M, PARTS), and the satellites' levels (N,)."""

    pair_of: npt.NDArray[np.int64]
    part_of: Floats
    level: Floats


class BeamScheduler:
    """Schedules slot after slot for the same cells: their neighbourhoods are found once."""

    def __init__(self, cell_position_ecef_m: Floats, remakes: int = 0, memory: Memory | None = None) -> None:
        """remakes: how often small crowded slots are tried in another way; 100 of 100 cells take 10 ms.
        memory: of schedules without a slot before; None: each is made anew."""
        self._remakes, self._memory = remakes, memory
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
        if previous is not None:
            _same_things(slot, previous)
        asked, gateway_of = _ask(slot, previous)
        if self._memory is None or previous is not None:
            rows, shares, full_rate = self._together(slot, asked, previous)
        else:
            rows, shares, full_rate = self._memory.rows(slot, asked, lambda: self._together(slot, asked))
        order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0], rows[:, 3]))
        satellite, polarisation, channel, cell, beam = (np.ascontiguousarray(x) for x in rows[order].T)
        shares, rate = shares[order], shares[order] * full_rate[order]
        served, level = _served(slot, asked, cell, rate)
        return Schedule(
            satellite, polarisation, beam, channel, cell, gateway_of[satellite], shares, rate, gateway_of,
            served, level,
        )  # fmt: skip

    def _together(self, slot: Slot, asked: Asked, previous: Schedule | None = None) -> Rows:
        """Rows of satellites, whose arrays are scheduled each by itself."""
        most = int(slot.satellites.arrays_each().max(initial=1))
        if most == 1:
            return self._rows(slot, asked, previous)
        each = Arrays.apart(slot, asked)
        return each.together(self._rows(each.slot, each.asked, each.previous(previous), most))

    def _rows(self, slot: Slot, asked: Asked, previous: Schedule | None, arrays: int = 1) -> Rows:
        """By lanes where channels are plenty, by units where they are short; the better in a small slot.

        arrays  how many in the slot stand in one place at most
        """
        quick = len(slot.pairs.satellite) <= QUICK_PAIRS
        crowded = self._crowding(slot, asked) > (CROWDED if quick else CROWDED_LARGE)
        looks = np.array([max(LOOKS_A_CELL * len(slot.cells), LEAST_LOOKS)], dtype=np.int64)
        units = None
        if quick:
            units = self._units(slot, asked, SHORT * arrays, arrays)
            quick = units.cone_cells <= QUICK_CONE_CELLS
        lanes = None
        # In a crowd, units that are remade again and again are better than lanes; but they know no second
        # satellite on a channel.
        remade = quick and self._remakes > 0 and slot.rules.nco == 1
        if not crowded or (quick and not remade):
            lanes, missing = self._by_lanes(slot, asked, quick, looks)
            # Where separation took nothing from what the balance gave, nothing is better than the balance.
            if lanes is not None and missing <= (0.0 if crowded else FEW_MISSING):
                return lanes
        # Units know no second satellite on a channel: what they give holds for any Nco.
        rows = (units or self._units(slot, asked, SHORT * arrays, arrays)).fill(
            previous, quick, self._remakes
        )
        if quick:
            rows = self._polished(slot, asked, rows, looks)
        elif arrays > 1:
            # A dozen arrays are four satellites: for a small country too few, for a large one enough.
            short = self._units(slot, asked, SHORT, arrays).fill(previous, quick, self._remakes)
            if _is_better(self._levels(slot, asked, short), self._levels(slot, asked, rows)):
                rows = short
        if lanes is None or _is_better(self._levels(slot, asked, rows), self._levels(slot, asked, lanes)):
            return rows
        return lanes

    def _units(self, slot: Slot, asked: Asked, short: int, arrays: int) -> Units:
        units = Units(slot, asked, self._order, short, arrays)
        while not units.cones(self._near):
            self._look_farther()
        return units

    def _polished(self, slot: Slot, asked: Asked, rows: Rows, looks: Counter) -> Rows:
        """Rows by units after exchanges."""
        while True:
            desk = _Desk(slot, asked, self._near, self._order)
            if desk.enter(*rows) and desk.top_up(list(TARGETS)) and desk.exchange(looks):
                return desk.rows()
            self._look_farther()

    def _by_lanes(
        self, slot: Slot, asked: Asked, thorough: bool, looks: Counter
    ) -> tuple[Rows | None, float]:
        """Satellites first, then lanes; and how much found no lane at once, as a fraction.

        None where much would have to be placed anew, unless `thorough`.
        """
        balanced = _balance(slot, asked)
        while True:
            desk = _Desk(slot, asked, self._near, self._order)
            placed = desk.place(balanced, float(STEPS))
            missing = desk.missing_fraction(balanced) if placed else 0.0
            if missing > FEW_MISSING:
                if not thorough:
                    return None, missing
                # Begin anew, class by class, so that what low classes take blocks no higher one.
                desk = _Desk(slot, asked, self._near, self._order)
                for ceiling in range(1, STEPS + 1):
                    placed = placed and desk.place(balanced, float(ceiling))
                    placed = placed and desk.top_up([t for t in TARGETS if ceiling - 1 < t <= ceiling])
            elif missing > 0.0:
                placed = desk.top_up(list(TARGETS))
            if placed and desk.exchange(looks):
                return desk.rows(), missing
            self._look_farther()

    def _levels(self, slot: Slot, asked: Asked, rows: Rows) -> Floats:
        return _served(slot, asked, rows[0][:, 3], rows[1] * rows[2])[1]

    def _crowding(self, slot: Slot, asked: Asked) -> float:
        """Of all channels, what satellites could give of what is wanted within a beam's width of a cell."""
        rate_bps = max(float(asked.full_rate_bps.sum()) / max(len(asked.kept), 1), 1.0)
        lanes = float(slot.satellites.beams[asked.feeder_bps > 0.0].sum())
        around = float(crowding(asked.steps, self._near, slot.rules.separation_rad * TYPICAL_SLANT_M))
        given = min(1.0, lanes * rate_bps / max(float(asked.steps.sum()), 1.0))
        return given * around / (2.0 * slot.rules.channels * slot.rules.nco * rate_bps)

    def _look_farther(self) -> None:
        if self._near[3] >= _WIDEST_REACH_M:
            raise Refused(
                "schedule.cone",
                "rules.separation_rad",
                "a beam would cover more than 4,000 km",
                "take a smaller angle, or leave out satellites so high",
            )
        self._near = self._neighbours(min(2.0 * self._near[3], _WIDEST_REACH_M))

    def _neighbours(self, reach_m: float) -> tuple[Any, Any, Any, float]:
        return (*neighbours(self._position_m, reach_m), reach_m)


def _served(slot: Slot, asked: Asked, cell: Ints, rate_bps: Floats) -> tuple[Floats, Floats]:
    """What rows add up to: bps by class (M, 4), and levels (M,)."""
    served, level = np.empty((len(slot.cells), CLASSES)), np.empty(len(slot.cells))
    got = np.bincount(cell, weights=rate_bps, minlength=len(slot.cells))
    rules = slot.rules
    by_class(asked.steps, slot.cells.wanted_bps, got, rules.floor_fraction, rules.portions(), served, level)
    return served, level


def _is_better(level: Floats, other: Floats) -> bool:
    """Whether all cells lack less: the objective, with a cell below weighed against many above it.

    Strictly, the lowest cell alone decides, and a thousandth of its level outweighs a tenth of all that is
    served. Between two schedules that are both near the best, and neither at it, that is a matter of chance.
    """
    return bool(np.exp(-STEEP * level).sum() < np.exp(-STEEP * other).sum())


def _same_things(slot: Slot, previous: Schedule) -> None:
    """Refuses a slot before of more or fewer cells, satellites or gateways: its numbers would mean others."""
    fits = len(previous.level) == len(slot.cells) and len(previous.gateway_of) == len(slot.satellites)
    if not fits or previous.gateway_of.max(initial=-1) >= len(slot.gateways):
        raise Refused(
            "schedule.previous",
            "previous",
            "it must be of the same cells, satellites and gateways",
            "leave it out in the first slot after a change",
        )


def _ask(slot: Slot, previous: Schedule | None) -> tuple[Asked, Ints]:
    """Pairs, curves and feeders of a slot, and the gateway of each satellite, (N,)."""
    pairs, gateways, rules = slot.pairs, slot.gateways, slot.rules
    m, n = len(slot.cells), len(slot.satellites)
    steps = np.empty((m, STEPS))
    demand_curves(slot.cells.wanted_bps, slot.cells.barred, rules.floor_fraction, rules.portions(), steps)
    kept = np.zeros(len(pairs.satellite), dtype=np.bool_)
    gateway_before = np.full(n, -1, dtype=np.int32)
    if previous is not None:
        mark_previous(pairs.offset, pairs.satellite, previous.cell, previous.satellite, kept)
        gateway_before = previous.gateway_of
    full_rate, barred = _open(slot)
    reach = gateways_of_satellites(
        gateways.offset, gateways.satellite, gateways.antennas, gateways.feeders_bps(), n
    )
    gateway_of, feeder = np.empty(n, dtype=np.int32), np.empty(n)
    assign_feeders(
        *reach,
        gateways.antennas,
        *cells_of_satellites(pairs.offset, pairs.satellite, full_rate, steps, n),
        steps,
        slot.satellites.all_beams(),
        slot.satellites.arrays_each(),
        gateway_before,
        rules.keep_level,
        gateway_of,
    )
    feeders_of_satellites(*reach, gateway_of, feeder)
    return Asked(full_rate, barred, kept, steps, feeder), gateway_of


def _balance(slot: Slot, asked: Asked) -> _Balanced:
    """Cells divided over satellites as if there were no separation."""
    pairs, steps, feeder, m, n = (
        slot.pairs,
        asked.steps,
        asked.feeder_bps,
        len(slot.cells),
        len(slot.satellites),
    )
    beams = slot.satellites.beams.sum(axis=1).astype(np.int32)
    pair_of, part_of = np.full((m, PARTS), -1, dtype=np.int64), np.zeros((m, PARTS))
    time, rate, level = np.zeros((n, STEPS)), np.zeros((n, STEPS)), np.zeros(n)
    wants = np.flatnonzero(steps.sum(axis=1) > 0)
    order = wants[np.argsort(np.diff(pairs.offset)[wants], kind="stable")]
    given = (
        pairs.offset,
        pairs.satellite,
        asked.full_rate_bps,
        steps,
        beams,
        feeder,
        asked.kept,
        BALANCED_BONUSES * slot.rules.keep_level,
    )
    for softness in SOFTNESS:
        if join(*given, softness, level, order, pair_of, part_of, time, rate) == 0:
            break
        satellite_levels(time, rate, beams, feeder, level)
        # Everybody is full: no other choice could serve more.
        if level.min(initial=STEPS) >= STEPS:
            break
    satellite_levels(time, rate, beams, feeder, level)
    for gap in LEAST_GAP:
        if divide(*given, gap, pair_of, part_of, time, rate, level) == 0:
            break
    return _Balanced(pair_of, part_of, level)


class _Desk:
    """One attempt at placing: the book of lanes, and the rows written so far."""

    def __init__(
        self,
        slot: Slot,
        asked: Asked,
        near: tuple[Any, ...],
        order: npt.NDArray[np.int64],
    ) -> None:
        n, m, rules = len(slot.satellites), len(slot.cells), slot.rules
        f = rules.channels
        self._slot, self._asked, self._order = slot, asked, order
        # A cell has a row for each lane that serves it, and needs few: time comes in parts and leftovers.
        room = 32 * m + 4 * f * n
        self._book = (
            np.ones((n, 2, f)),
            np.where(asked.feeder_bps > 0.0, slot.satellites.beams.sum(axis=1), 0.0),
            np.full((n, 2, f), -1, dtype=np.int32),
            np.zeros((n, 2), dtype=np.int32),
            asked.feeder_bps.copy(),
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
        self._pairs, self._more = self._asking()
        most = int(np.diff(near[0]).max(initial=0)) + 1
        self._rules = (
            slot.satellites.beams, rules.nco, rules.separation_rad, rules.dish_separation_rad,
            slot.satellites.position_ecef_m, slot.cells.position_ecef_m, near, np.empty(most, dtype=np.int32),
            np.empty(f, dtype=np.int64),
        )  # fmt: skip

    def enter(self, rows: Ints, shares: Floats, full_rate: Floats) -> bool:
        """Takes over rows placed elsewhere; False, here and below, where the neighbours reach too short."""
        return bool(enter_rows(rows, shares, full_rate, self._book, self._rules))

    def place(self, b: _Balanced, ceiling: float) -> bool:
        pairs, a = self._slot.pairs, self._asked
        return bool(
            place_parts(
                self._order, pairs.satellite, a.full_rate_bps, a.barred_channels, a.steps, b.level, b.pair_of,
                b.part_of, ceiling, self._book, self._rules,
            )
        )  # fmt: skip

    def top_up(self, targets: list[float]) -> bool:
        return all(top_up(*self._pairs, target, self._stuck, self._book, self._rules) for target in targets)

    def exchange(self, looks: Counter) -> bool:
        """Rounds until nobody finds anybody, or `looks` (1,), counted down, is used up."""
        top, asleep = np.empty(len(self._slot.satellites)), np.zeros(len(self._slot.cells), dtype=np.bool_)
        takers, before, empty, stale = 0, np.inf, 0, False
        for gap in EXCHANGE_GAP:
            # Nobody found any more, or a smaller gap will do: all ask again, for much has changed hands.
            woken = takers == 0 or gap < before
            before = gap
            if woken:
                asleep[:] = False
            highest_users(self._asked.steps, self._book, top)
            takers = exchange(*self._pairs, gap, self._more, top, asleep, looks, self._book, self._rules)
            if takers < 0:
                return False
            if looks[0] <= 0:
                break
            empty, before_empty = int(empty_rows(self._book)), empty
            done = takers == 0 and woken and gap == EXCHANGE_GAP[-1]
            stale = (stale or takers > 0) and empty > 0
            # A row that is used again hides one that fell empty, so before the end all are looked at once.
            if empty > before_empty or (done and stale):
                looked = int(refresh(self._book, self._rules))
                if looked < 0:
                    return False
                looks[0] -= looked
                done, stale = done and not stale, False
            if done:
                break
        return True

    def missing_fraction(self, b: _Balanced) -> float:
        """How much of what the balance gave the cells found no lane; 0 up to a millionth in each cell."""
        steps, satellite = self._asked.steps, self._slot.pairs.satellite
        level = np.minimum(np.append(b.level, 0.0)[np.append(satellite, -1)[b.pair_of]], STEPS)
        whole = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
        step = np.minimum(level.astype(np.int64), STEPS - 1)
        base = np.take_along_axis(whole, step, axis=1)
        due = (b.part_of * (base + (level - step) * np.take_along_axis(steps, step, axis=1))).sum(axis=1)
        short = np.maximum(due * (1.0 - 1e-6) - self._book[5], 0.0)
        return float(short.sum() / max(due.sum(), 1.0))

    def rows(self) -> Rows:
        """Satellite, polarisation, channel, cell, beam (R, 5), shares, full rates."""
        count = int(self._book[13][0])
        # A copy: the book's last column is a chain that the kernels still follow.
        rows, shares, full_rate = (
            self._book[10][:count].copy(),
            self._book[11][:count],
            self._book[12][:count],
        )
        rows[:, 4] = self._book[2][rows[:, 0], rows[:, 1], rows[:, 2]]
        kept = np.flatnonzero(shares > 1e-9)
        return rows[kept], shares[kept], full_rate[kept]

    def _asking(self) -> tuple[tuple[Any, ...], Floats]:
        """Who asks, and by way of which pairs: those of the slot before first; and what the others must gain
        more than these, (K,) levels."""
        pairs, a, keep_level = self._slot.pairs, self._asked, self._slot.rules.keep_level
        by, more = np.arange(len(a.kept)), np.zeros(len(a.kept))
        kept = a.kept & (a.full_rate_bps > 0.0) & (a.feeder_bps[pairs.satellite] > 0.0)
        columns: tuple[Any, ...] = pairs.satellite, a.full_rate_bps, a.barred_channels
        if keep_level > 0.0 and kept.any():
            kept_first(pairs.offset, kept, EXCHANGED_BONUSES * keep_level, by, more)
            columns = tuple(column[by] for column in columns)
        return (self._order, pairs.offset, *columns, a.steps), more


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
