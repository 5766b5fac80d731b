"""Placing where channels are short: cells to units, so that separation holds while loads are evened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.even_kernel import enter, enter_again, flow_on, join_units, leave, write_rows
from skylift.sky.schedule.keeping import beside_the_best, kept_worth, units_before
from skylift.sky.schedule.levels_kernel import STEPS
from skylift.sky.schedule.oust_kernel import STEEP, oust, standing
from skylift.sky.schedule.problem import Floats, Ints, Schedule, Slot, Words
from skylift.sky.schedule.recall_kernel import recall
from skylift.sky.schedule.remake_kernel import remake
from skylift.sky.schedule.shortlist_kernel import (
    cones_of_pairs,
    others_above,
    prices,
    shortlist,
    usable_pairs,
)
from skylift.sky.schedule.units_kernel import divide_cells, settle

# Satellites that a cell looks at. Twelve of 29 lose nothing in Ukraine, eight a tenth of what is served;
# with 16 or 36 all of eight crowded slots lacked more.
SHORT = 12
# Turns of evening out the prices; three turns serve 1 % less than eight.
PRICE_ROUNDS = 8
# Beam time of a part at the level that its cell may expect: larger ones fill units badly, smaller take long.
PART_TIME, MOST_PARTS = 1.2, 16
# What it costs in levels to cover an average cone anew; from a half to twice this makes no difference.
CONE_COST = 0.32
# In the last round, when nobody need come after, covering anew costs so much of that.
LAST_COST = 0.1
# A better rate counts a little, in levels per e-fold.
SOFTNESS = 0.1
# Rounds in which parts seek a better unit, and what a move must bring, in levels.
ROUNDS, LEAST_GAIN = 2, 1e-6
# Rounds in which others leave a unit for a cell that stands so much below the middle one, in levels; and how
# many units may be tried for that in a slot, for each cell of a quick one.
OUST_ROUNDS, OUST_GAP, OUST_TRIES = 4, 0.1, 40
# Then for cells that have nothing still, whatever that costs others: none was left in 70 slots of Ukraine, 42
# of them with half of all channels jammed. A try takes 0.1 ms.
SEAT_ROUNDS, SEAT_TRIES = 8, 500
# Where much is taken out and put in again, more tries serve no more, and take twice the time.
OUST_TRIES_OF_REMAKES = 10
# How steeply levels count while parts are taken out and put in again, by turn, in units of STEEP: from a
# state in which all stand level nothing leads on but by way of others.
SOFT = np.array([0.15, 0.4, 1.0])
# Levels that a unit must fill above a cell for the cell to join it, by round; and more rounds of a study.
# The last gap is well below a twentieth of a level, for time flows on after a cell joined.
JOIN_GAPS = (0.1, *(0.05,) * 5, *(0.03,) * 12)
STUDY_JOIN_GAPS = (0.03,) * 60
# More rounds yet where more is left to even out: after a slot before, and for satellites of several arrays.
GAPS_AFTER, GAPS_OF_ARRAYS = (0.03,) * 6, (0.03,) * 24
# Rounds in which covering anew costs something: at first a pattern forms, then whoever may rise shall.
COSTLY_ROUNDS = 6
# Sweeps over units whose cells stand elsewhere: before the first round, after each, and in the end.
FIRST_SWEEPS, SWEEPS, LAST_SWEEPS = 3, 4, 10
# In the second round, and then in each fifth, cells join by pairs that the short list left out: before the
# first, units are not yet even.
MORE_AT, MORE_EVERY = 1, 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What units are filled from: pairs (K,) as the balance sees them, curves (M, 5), feeders (N,)."""

    full_rate_bps: Floats
    barred_channels: Words
    kept: npt.NDArray[np.bool_]
    steps: Floats
    feeder_bps: Floats


class Units:
    """A short list of pairs with their cones, and the state of the kernels (units_kernel)."""

    def __init__(
        self, slot: Slot, asked: Asked, order: npt.NDArray[np.int64], short: int = SHORT, arrays: int = 1
    ) -> None:
        """short: how many pairs each cell looks at;  arrays: how many stand in one place at most."""
        pairs, beams = slot.pairs, slot.satellites.beams
        self._arrays = arrays
        self._slot, self._asked = slot, asked
        self._satellites = np.flatnonzero((asked.feeder_bps > 0.0) & (beams.sum(axis=1) > 0))
        local = np.full(len(slot.satellites), -1, dtype=np.int32)
        local[self._satellites] = np.arange(len(self._satellites))
        self._feeder = asked.feeder_bps[self._satellites]
        self._beams = np.ascontiguousarray(beams[self._satellites])
        offset, pair, satellite, weight, slowness = usable_pairs(
            pairs.offset, pairs.satellite, asked.full_rate_bps, asked.steps, local
        )
        self._target = np.empty(len(asked.steps))
        lanes = self._beams.sum(axis=1).astype(np.float64)
        prices(
            offset, satellite, weight, slowness, asked.steps, lanes, self._feeder, PRICE_ROUNDS, self._target
        )
        self._usable = offset, pair, satellite
        self._offset, self._pair, self._satellite = shortlist(
            offset, pair, satellite, weight, asked.kept, short
        )
        self._beside_best = beside_the_best(self._offset, self._pair, pair, weight)
        self._order, self._local = order, local
        channels = slot.rules.channels
        self._reached, self._fresh = np.empty(channels), np.empty((2, channels), dtype=np.int64)

    def cones(self, near: tuple[Any, ...]) -> bool:
        """Finds what each beam covers; False where the neighbours held do not reach as far as a beam does."""
        self._near = near
        self._cone_offset, self._cone = self._cones_of(self._offset, self._satellite)
        return len(self._cone_offset) > 0

    def _cones_of(self, offset: Any, satellite: Ints) -> tuple[Any, Any]:
        position_m = np.ascontiguousarray(self._slot.satellites.position_ecef_m[:, self._satellites])
        angle = self._slot.rules.separation_rad
        cones: tuple[Any, Any] = cones_of_pairs(
            offset, satellite, position_m, self._slot.cells.position_ecef_m, self._near, angle
        )
        return cones

    @property
    def cone_cells(self) -> int:
        """How many cells all cones cover together, a cell counted for each."""
        return int(self._cone_offset[-1])

    def fill(
        self, previous: Schedule | None, quick: bool = False, remakes: int = 0
    ) -> tuple[Ints, Floats, Floats]:
        """Rows (R, 5) of satellite, polarisation, channel, cell, beam; shares (R,), full rates (R,).

        quick    others make room for cells that stand low;  remakes  how often much is then taken out and
        put in again
        """
        asked, steps = self._asked, self._asked.steps
        m, n, f, q = len(steps), len(self._satellites), self._slot.rules.channels, len(self._pair)
        full_rate = asked.full_rate_bps[self._pair]
        worth = SOFTNESS * np.log(full_rate / full_rate.max(initial=1.0))
        worth += kept_worth(self._slot.rules.keep_level, asked.kept[self._pair], self._beside_best)
        list_ = (
            self._offset, self._satellite, full_rate, asked.barred_channels[self._pair], worth,
            self._cone_offset, self._cone,
        )  # fmt: skip
        units = (
            np.zeros((n * f, STEPS)), np.zeros((n, STEPS)), np.full(n * f, STEPS + 1.0),
            np.full(n, STEPS + 1.0), np.zeros(n * f, dtype=np.uint8), self._beams.astype(np.int32),
            np.zeros((m, f), dtype=np.int64), np.zeros((m, f), dtype=np.int64),
            np.full(m, (1 << f) - 1, dtype=np.uint32), np.zeros(m, dtype=np.uint32),
            np.full((m, f), -1, dtype=np.int32), np.zeros((q, f), dtype=np.uint16),
        )  # fmt: skip
        part_cell, part_of = self._parts(full_rate)
        v = len(part_cell)
        parts = (part_cell, part_of, np.full(v, -1, dtype=np.int64), np.full(v, -1, dtype=np.int32))
        cost = CONE_COST * q / max(self.cone_cells, 1)
        gain = LEAST_GAIN
        if previous is not None and self._slot.rules.keep_level > 0.0:
            gain = max(gain, self._slot.rules.keep_level)
            before = units_before(previous, self._local, self._offset, self._satellite, self._beside_best)
            recall(*parts, *before, steps, self._feeder, units, list_)
        self._settle(parts, units, list_, cost, gain)
        again = remakes if quick else 0
        tries = OUST_TRIES_OF_REMAKES if again else OUST_TRIES
        self._make_room(parts, units, list_, cost, quick, tries)
        if again and remake(again, SOFT, *parts, steps, self._feeder, cost, units, list_):
            self._make_room(parts, units, list_, cost, quick, tries)
        seated = previous if self._slot.rules.keep_level > 0.0 else None
        return self._evened(parts, units, list_, cost, STUDY_JOIN_GAPS if remakes else (), seated)

    def _evened(
        self,
        parts: Any,
        units: Any,
        list_: Any,
        cost: float,
        further: tuple[float, ...],
        previous: Schedule | None,
    ) -> tuple[Ints, Floats, Floats]:
        """Rows after levels are evened out; where cells had time in the slot before, they seek it again.

        further  gaps of more rounds, which are kept if all lack less after them
        """
        steps, feeder = self._asked.steps, self._feeder
        m, n, f = len(steps), len(self._satellites), self._slot.rules.channels
        level = np.where(steps.sum(axis=1) > 0.0, 0.0, float(STEPS))
        bonus = self._slot.rules.keep_level * self._asked.kept[self._pair]
        flow = (
            np.zeros((m, f)), np.full((m, f), -1, dtype=np.int32), np.full((m, f), -1, dtype=np.int32),
            np.full(n * f, -1, dtype=np.int32), np.zeros(m), level, np.full(n * f, STEPS + 1.0),
            np.zeros(n), np.ones(n * f, dtype=np.bool_), bonus,
            np.concatenate([np.zeros((m, 1)), np.cumsum(steps, axis=1)], axis=1),
            (np.empty(m, dtype=np.int32), np.empty(m), np.empty(m), np.empty(m), np.zeros(m)),
        )  # fmt: skip
        enter(parts[0], parts[2], parts[3], flow, units, list_)
        if previous is not None:
            by = np.argsort(-previous.share_fraction, kind="stable")
            satellite = self._local[previous.satellite[by]]
            enter_again(previous.cell[by], satellite, previous.channel[by], flow, units, list_)
        flow_on(FIRST_SWEEPS, steps, feeder, flow, units, list_)
        made, lacked = None, np.inf
        more = GAPS_OF_ARRAYS if self._arrays > 1 else GAPS_AFTER if previous is not None else ()
        for gaps in (JOIN_GAPS + more, further):
            price = cost if made is None else 0.0
            list_, flow = self._joined(gaps, price, flow, units, list_)
            flow_on(LAST_SWEEPS, steps, feeder, flow, units, list_)
            lacks = float(np.exp(-STEEP * level).sum())
            if made is None or lacks < lacked:
                made, lacked = self._written(flow, units, list_), lacks
            if not further:
                break
        assert made is not None
        return made

    def _joined(
        self, gaps: tuple[float, ...], cost: float, flow: Any, units: Any, list_: Any
    ) -> tuple[Any, Any]:
        """Rounds in which cells join units that fill higher, until none does; the list and `flow` then."""
        steps, feeder, level = self._asked.steps, self._feeder, flow[5]
        peak, nobody, order = np.empty(len(feeder)), False, np.arange(len(level))
        for turn, gap in enumerate(gaps):
            leave(flow, units, list_)
            asked, asks = list_, nobody or turn % MORE_EVERY == MORE_AT
            if asks:
                list_, flow, asked = self._more(gap, list_, flow, units)
            # From the order before, which is nearly sorted, at a fifth of the time.
            order = order[np.argsort(level[order], kind="stable")]
            price = cost if turn < COSTLY_ROUNDS else 0.0
            joined = join_units(order, gap, price, steps, feeder, flow, units, asked, peak, self._fresh)
            if not joined and asks and nobody:
                break
            # Before the last gap somebody may join yet, and who is asked beyond the list is not all.
            nobody = not joined and not asks and gap == gaps[-1]
            flow_on(SWEEPS, steps, feeder, flow, units, list_)
        return list_, flow

    def _written(self, flow: Any, units: Any, list_: Any) -> tuple[Ints, Floats, Floats]:
        """Rows of the times that cells have."""
        room = int((flow[0] > 0.0).sum()) + 2 * len(flow[3])
        rows, shares, rates = np.empty((room, 5), dtype=np.int32), np.empty(room), np.empty(room)
        count = write_rows(flow, units, list_, rows, shares, rates)
        rows = rows[:count]
        rows[:, 0] = self._satellites[rows[:, 0]]
        return rows, shares[:count], rates[:count]

    def _more(self, gap: float, list_: Any, flow: Any, units: Any) -> tuple[Any, Any, Any]:
        """The list and `flow` with pairs that the short list left out, and the list of these pairs alone.

        None is left out by which a cell could rise by `gap`, as things stand. But where one has a beam wider
        than neighbours are held for, as it may above the shells in use, all are. Asked again, it may name
        a pair twice, which means the same.
        """
        asked = self._asked
        listed = np.zeros(len(asked.full_rate_bps), dtype=np.bool_)
        listed[self._pair] = True
        offset, pair, satellite = others_above(
            *self._usable, listed, flow[5], flow[6], gap, asked.barred_channels, units
        )
        cone_offset, cone = self._cones_of(offset, satellite)
        if not len(cone_offset):
            return list_, flow, list_
        q, reached = len(list_[1]), int(list_[5][-1])
        cells, end = list_[6], reached + int(cone_offset[-1])
        # Cones mostly leave room behind them: to copy them all took as long as a round.
        if end > len(cells):
            cells = np.concatenate([cells[:reached], np.empty(end, dtype=cells.dtype)])
        cells[reached:end] = cone[: cone_offset[-1]]
        every = (
            list_[0], np.concatenate([list_[1], satellite]),
            np.concatenate([list_[2], asked.full_rate_bps[pair]]),
            np.concatenate([list_[3], asked.barred_channels[pair]]), list_[4],
            np.concatenate([list_[5], reached + cone_offset[1:]]), cells,
        )  # fmt: skip
        bonus = np.concatenate([flow[9], self._slot.rules.keep_level * asked.kept[pair]])
        return every, (*flow[:9], bonus, *flow[10:]), (offset + q, *every[1:])

    def _settle(self, parts: Any, units: Any, list_: Any, cost: float, gain: float) -> None:
        """Each part takes the unit that is best for it, in rounds, until none moves."""
        steps = self._asked.steps
        for turn in range(1 + ROUNDS):
            target = self._target if turn == 0 else np.full(len(steps), float(STEPS))
            price = cost if turn < ROUNDS else LAST_COST * cost
            every = np.arange(len(parts[0]))
            if self._settled(every, parts, target, price, gain, units, list_) == 0:
                break

    def _settled(
        self, order: Any, parts: Any, target: Floats, cost: float, gain: float, units: Any, list_: Any
    ) -> int:
        """How many parts moved in one round."""
        scratch = self._reached, self._fresh
        steps, feeder = self._asked.steps, self._feeder
        return int(settle(order, *parts, steps, target, feeder, cost, gain, units, list_, *scratch))

    def _make_room(
        self, parts: Any, units: Any, list_: Any, cost: float, quick: bool, tries_each: int
    ) -> None:
        """Moves others off units for cells that stand low, for as long as that helps; in a slot that is not
        quick only for those that have nothing.  tries_each  how many units may be tried, for each cell"""
        steps = self._asked.steps
        tries, seated = np.array([tries_each * len(steps)], dtype=np.int64), np.zeros(len(steps), np.bool_)
        how = steps, self._feeder, LAST_COST * cost, units, list_, tries
        for _ in range(OUST_ROUNDS):
            order = self._low(parts, units, list_, quick)
            if not len(order) or not oust(order, *parts, *how, False, seated):
                break
            every, full = np.arange(len(parts[0])), np.full(len(steps), float(STEPS))
            self._settled(every, parts, full, LAST_COST * cost, LEAST_GAIN, units, list_)
        tries[0] = SEAT_TRIES
        for _ in range(SEAT_ROUNDS):
            order = self._low(parts, units, list_, False)
            if not len(order) or not oust(order, *parts, *how, True, seated):
                break

    def _low(self, parts: Any, units: Any, list_: Any, quick: bool) -> npt.NDArray[np.int64]:
        """Parts of cells below the middle one, if `quick`, or that have nothing; the lowest cells first."""
        level, asks = np.empty(len(self._asked.steps)), np.diff(self._offset) > 0
        standing(*parts, self._asked.steps, units, list_, level)
        least = np.median(level[asks]) - OUST_GAP if quick and asks.any() else 1e-9
        mine = np.flatnonzero((asks & (level < least))[parts[0]])
        return mine[np.argsort(level[parts[0][mine]], kind="stable")]

    def _parts(self, full_rate: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        """Cells cut to parts of equal time at the level that they may expect: cell and fraction (V,)."""
        steps = self._asked.steps
        reached = np.clip(self._target[:, np.newaxis] - np.arange(STEPS), 0.0, 1.0)
        wants = (steps * reached).sum(axis=1) / max(
            float(np.median(full_rate)) if len(full_rate) else 1.0, 1.0
        )
        # Also one that may expect nothing asks.
        wants = np.where(np.diff(self._offset) > 0, np.maximum(wants, 1e-9), 0.0)
        room = MOST_PARTS * len(steps)
        cell, fraction = np.empty(room, dtype=np.int64), np.empty(room)
        count = divide_cells(wants, PART_TIME, MOST_PARTS, self._order, cell, fraction)
        return cell[:count], fraction[:count]
