"""Judges of a made schedule by brute force: who could still rise; and the same slot with less of everything.

Written from docs/why/011, sharing no code with the engine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Gateways, Schedule, Slot, UserPairs

# Shares, and parts of a feeder, below this are rounding.
CRUMB = 1e-4
# A corner missed by so little is reached: twice what the engine takes for rounding (level_at).
HAIR = 2e-9


def curves(slot: Slot) -> npt.NDArray[np.float64]:
    """(M, 6) bps at the levels 0 to 5."""
    wanted = np.where(slot.cells.barred[:, np.newaxis] != 0, 0.0, slot.cells.wanted_bps)
    floor = slot.rules.floor_fraction
    steps = np.concatenate([floor * wanted.sum(axis=1, keepdims=True), (1 - floor) * wanted], axis=1)
    return np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)


def level_of(curve: npt.NDArray[np.float64], rate_bps: float) -> float:
    """The highest level that a rate reaches."""
    for k in range(5):
        if rate_bps < curve[k + 1] * (1 - HAIR):
            return k + float((rate_bps - curve[k]) / (curve[k + 1] - curve[k]))
    return 5.0


def filled(slot: Slot, beams: float, feeder_bps: float, lanes: float) -> npt.NDArray[np.float64]:
    """Rates (M,) of progressive filling for one satellite that all cells use at will: exact.

    beams   lanes that it lights;  lanes  how many of them may shine on one cell at once
    The common level rises until beam time or the feeder is used up; a cell with all lanes all the time stops.
    """
    curve = curves(slot)
    rate = np.zeros(len(curve))
    rate[np.repeat(np.arange(len(curve)), np.diff(slot.pairs.offset))] = slot.pairs.full_rate_bps
    low, high = 0.0, 5.0
    got = np.zeros(len(curve))
    for _ in range(80):
        level = 0.5 * (low + high)
        at = [np.interp(level, np.arange(6), row) for row in curve]
        tried = np.where(rate > 0, np.minimum(at, lanes * rate), 0.0)
        time = (tried[rate > 0] / rate[rate > 0]).sum()
        if time <= beams and tried.sum() <= feeder_bps:
            low, got = level, tried
        else:
            high = level
    return got


class Book:
    """What a schedule's rows use: lanes, feeders, who covers which cell on which channel."""

    def __init__(self, slot: Slot, made: Schedule, covered: npt.NDArray[np.bool_], close: Any) -> None:
        self.slot, self.made, self.covered, self.close = slot, made, covered, close
        n, f = len(slot.satellites), slot.rules.channels
        self.curve = curves(slot)
        self.got = np.zeros(len(slot.cells))
        np.add.at(self.got, made.cell, made.rate_bps)
        self.idle = np.ones((n, 2, f))
        np.add.at(self.idle, (made.satellite, made.polarisation, made.channel), -made.share_fraction)
        self.lit = np.zeros((n, 2, f), dtype=bool)
        self.lit[made.satellite, made.polarisation, made.channel] = True
        self.feeder = np.where(
            made.gateway_of >= 0, np.append(slot.gateways.feeder_bps, 0.0)[made.gateway_of], 0.0
        )
        self.carried = np.zeros(n)
        np.add.at(self.carried, made.satellite, made.rate_bps)
        self.rows: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for r in range(len(made)):
            self.rows[int(made.satellite[r]), int(made.polarisation[r]), int(made.channel[r])].append(r)
        self.level = np.array([level_of(row, x) for row, x in zip(self.curve, self.got, strict=True)])

    def users(self, f: int, cleared: int = -1, but: int = -1) -> npt.NDArray[np.int64]:
        """Who serves whom on a channel, (U, 2), but for what `cleared` has of others than satellite `but`."""
        made = self.made
        kept = (made.channel == f) & ((made.cell != cleared) | (made.satellite == but))
        return np.stack([made.satellite[kept], made.cell[kept]], axis=1).astype(np.int64)

    def may_join(self, users: npt.NDArray[np.int64], s: int, c: int) -> bool:
        """Nco and dish separation on one channel, if satellite s serves cell c besides these."""
        users = np.concatenate([users, [[s, c]]])
        users = users[np.argsort(users[:, 0], kind="stable")]
        first = np.flatnonzero(np.diff(users[:, 0], prepend=-1))
        served = np.unique(users[:, 1])
        # (satellites, cells served): who covers whom.
        by = np.logical_or.reduceat(self.covered[users[:, 0], users[:, 1]][:, served], first, axis=0)
        if (by.sum(axis=0) > self.slot.rules.nco).any():
            return False
        if self.slot.rules.nco == 1:
            return True
        who = users[first, 0]
        close = self.close[served][:, who[:, np.newaxis], who] & ~np.eye(len(who), dtype=bool)
        return not np.einsum("ic,jc,cij->", by, by, close, optimize=True)

    def falls_to(self, r: int) -> float:
        """The level of a row's cell after it gave away a thousandth of its rate; 0 where the row has less."""
        c, rate = int(self.made.cell[r]), float(self.made.rate_bps[r])
        give = 1e-3 * float(self.got[c])
        return level_of(self.curve[c], self.got[c] - give) if rate >= give else 0.0


def pairs_of(slot: Slot, c: int) -> Iterator[tuple[int, float]]:
    for k in range(slot.pairs.offset[c], slot.pairs.offset[c + 1]):
        yield int(slot.pairs.satellite[k]), float(slot.pairs.full_rate_bps[k])


def could_rise(
    slot: Slot, made: Schedule, covered: Any, close: Any, *, gap: float = 0.05, blockers: bool = False
) -> Counter[str]:
    """How many cells could rise without lowering any that stands less than `gap` levels above them; and how
    many of them by which means:

    "idle beam"  a lane nobody lights, in a polarisation with a beam left;  "idle time"  of a lit lane
    "donor"      time of a lane from a cell that stands higher;  "feeder"  the same for feeder rate
    "blocker"    one cell that stands higher is taken off the channel, but for the same satellite's lanes, and
                 stands higher still (only if `blockers`; slow)

    Cells within `gap` of all they want are left out.
    """
    book, found = Book(slot, made, covered, close), Counter[str]()
    for c in range(len(slot.cells)):
        if book.got[c] >= book.curve[c, 5] * (1 - gap):
            continue
        means: set[str] = set()
        for s, rate in pairs_of(slot, c):
            if rate > 0 and book.feeder[s] > 0:
                means |= set(_means(book, c, s, book.level[c] + gap, blockers))
        found.update(means)
        found["cells"] += bool(means)
    return found


def _means(book: Book, c: int, s: int, high: float, blockers: bool) -> Iterator[str]:
    slot = book.slot
    has_feeder = book.carried[s] < book.feeder[s] * (1 - CRUMB)
    any_richer = any(book.falls_to(r) > high for r in np.flatnonzero(book.made.satellite == s))
    for f in range(slot.rules.channels):
        lawful = None
        for p in range(2):
            lit = book.lit[s, p, f]
            if not lit and book.lit[s, p].sum() >= slot.satellites.beams[s, p]:
                continue
            richer = any(book.falls_to(r) > high for r in book.rows[s, p, f] if book.made.cell[r] != c)
            free = book.idle[s, p, f] > CRUMB and (has_feeder or any_richer)
            if not (richer or free):
                continue
            if lawful is None:
                lawful = book.may_join(book.users(f), s, c)
            if lawful and richer:
                yield "donor"
            if lawful and free:
                yield "feeder" if not has_feeder else "idle time" if lit else "idle beam"
            if not lawful and blockers and _clears(book, c, s, f, high):
                yield "blocker"


def _clears(book: Book, c: int, s: int, f: int, high: float) -> bool:
    """Whether some one cell, taken off channel f but for satellite s, would make room and stay higher."""
    made = book.made
    here = np.flatnonzero((made.channel == f) & (made.satellite != s) & (made.cell != c))
    for other in np.unique(made.cell[here]):
        left = book.got[other] - made.rate_bps[here[made.cell[here] == other]].sum()
        if level_of(book.curve[other], float(left)) > high and book.may_join(book.users(f, other, s), s, c):
            return True
    return False


class Crowd:
    """What `could_rise` asks, of slots of thousands of cells where Nco is 1: by channel, cell and lane.

    server, covering, by_how_many  by channel and cell: who serves it, who covers it, how many do
    first, second, highest         by lane: the levels of its two highest cells after they gave a thousandth
                                   away, and which cell is the highest
    """

    def __init__(self, slot: Slot, made: Schedule) -> None:
        assert slot.rules.nco == 1
        self.book = book = Book(slot, made, np.zeros((0, 0, 0), dtype=bool), None)
        n, f, m = len(slot.satellites), slot.rules.channels, len(slot.cells)
        self.server = np.full((f, m), -1)
        self.server[made.channel, made.cell] = made.satellite
        self.covering: dict[int, npt.NDArray[np.bool_]] = defaultdict(lambda: np.zeros((f, m), dtype=bool))
        rows = np.stack([made.satellite, made.cell, made.channel], axis=1)
        for s, c, g in np.unique(rows, axis=0).tolist():
            self.covering[s][g] |= _cone(slot, s, c)
        self.by_how_many = sum(self.covering.values(), np.zeros((f, m), dtype=np.int64))
        self.first, self.second = np.zeros((n, 2, f)), np.zeros((n, 2, f))
        self.highest = np.full((n, 2, f), -1)
        fallen = [level_of(curve, 0.999 * got) for curve, got in zip(book.curve, book.got, strict=True)]
        for r, c in enumerate(made.cell.tolist()):
            lane = made.satellite[r], made.polarisation[r], made.channel[r]
            level = fallen[c] if made.rate_bps[r] >= 1e-3 * book.got[c] else 0.0
            if level > self.first[lane]:
                if self.highest[lane] != c:
                    self.second[lane] = self.first[lane]
                self.first[lane], self.highest[lane] = level, c
            elif self.highest[lane] != c:
                self.second[lane] = max(self.second[lane], level)

    def could_rise(self, c: int, gap: float) -> bool:
        slot = self.book.slot
        if self.book.got[c] >= self.book.curve[c, 5] * (1 - gap):
            return False
        pairs = range(slot.pairs.offset[c], slot.pairs.offset[c + 1])
        return any(self._by(c, k, self.book.level[c] + gap) for k in pairs)

    def _by(self, c: int, k: int, high: float) -> bool:
        """Whether cell c could rise by way of pair k, without lowering one that stands below `high`."""
        book, slot = self.book, self.book.slot
        s = int(slot.pairs.satellite[k])
        if slot.pairs.full_rate_bps[k] <= 0 or book.feeder[s] <= 0:
            return False
        richer = np.where(self.highest[s] == c, self.second[s], self.first[s]) > high
        may_light = book.lit[s] | (book.lit[s].sum(axis=1) < slot.satellites.beams[s])[:, np.newaxis]
        relieved = book.carried[s] < book.feeder[s] * (1 - CRUMB) or (self.first[s] > high).any()
        free = (book.idle[s] > CRUMB) & may_light & relieved
        lawful = (richer | free).any(axis=0) & (self.by_how_many[:, c] == self.covering[s][:, c])
        if slot.pairs.barred_channels is not None:
            lawful &= (int(slot.pairs.barred_channels[k]) >> np.arange(slot.rules.channels) & 1) == 0
        if not lawful.any():
            return False
        inside = self.server[lawful][:, _cone(slot, s, c)]
        return bool(((inside < 0) | (inside == s)).all(axis=1).any())


def could_rise_in_a_crowd(
    slot: Slot, made: Schedule, cells: npt.NDArray[np.int64], *, gap: float = 0.05
) -> npt.NDArray[np.bool_]:
    """Whether each of `cells` could rise, as in `could_rise`; Nco is 1."""
    crowd = Crowd(slot, made)
    return np.array([crowd.could_rise(c, gap) for c in cells.tolist()])


def _cone(slot: Slot, s: int, c: int) -> npt.NDArray[np.bool_]:
    """Which cells (M,) a beam from satellite s to cell c covers."""
    cell_m = slot.cells.position_ecef_m
    to = cell_m - slot.satellites.position_ecef_m[:, s, np.newaxis]
    unit = to / np.sqrt((to * to).sum(axis=0))
    # By the chord between unit vectors, which stays exact for small angles.
    apart = unit - unit[:, c, np.newaxis]
    near = (apart * apart).sum(axis=0) < (2.0 * np.sin(0.5 * slot.rules.separation_rad)) ** 2
    inside: npt.NDArray[np.bool_] = near & ((to * cell_m).sum(axis=0) < 0)
    inside[c] = True
    return inside


def with_less(slot: Slot) -> Iterator[tuple[str, Slot]]:
    """The same slot with half of each resource, and without each kind of thing once."""
    sats, gates, rules = slot.satellites, slot.gateways, slot.rules
    yield "beams", replace(slot, satellites=replace(sats, beams=sats.beams // 2))
    yield "antennas", replace(slot, gateways=replace(gates, antennas=gates.antennas // 2))
    yield "feeder", replace(slot, gateways=replace(gates, feeder_bps=gates.feeder_bps / 2))
    half = rules.channels // 2
    if half:
        beams = np.minimum(sats.beams, half).astype(sats.beams.dtype)
        yield (
            "channels",
            replace(slot, satellites=replace(sats, beams=beams), rules=replace(rules, channels=half)),
        )
    yield "rates", replace(slot, pairs=replace(slot.pairs, full_rate_bps=slot.pairs.full_rate_bps / 2))
    if len(gates):
        yield "gateway", without_gateway(slot, 0)
    if len(sats):
        yield (
            "satellite",
            without_satellite(slot, int(np.bincount(slot.pairs.satellite, minlength=1).argmax())),
        )


def without_gateway(slot: Slot, g: int) -> Slot:
    """A gateway without antennas is none; so it keeps its number."""
    antennas = slot.gateways.antennas.copy()
    antennas[g] = 0
    return replace(slot, gateways=replace(slot.gateways, antennas=antennas))


def without_satellite(slot: Slot, s: int) -> Slot:
    """Nobody sees it any more; it keeps its number."""
    kept = slot.pairs.satellite != s
    count = np.concatenate([[0], np.cumsum(kept)])
    tracked = slot.gateways.satellite != s
    tracks = np.concatenate([[0], np.cumsum(tracked)])
    return replace(
        slot,
        pairs=UserPairs(
            count[slot.pairs.offset].astype(np.int64),
            slot.pairs.satellite[kept],
            slot.pairs.full_rate_bps[kept],
        ),
        gateways=Gateways(
            tracks[slot.gateways.offset].astype(np.int64),
            slot.gateways.satellite[tracked],
            slot.gateways.antennas,
            slot.gateways.feeder_bps,
        ),
    )
