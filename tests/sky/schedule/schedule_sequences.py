"""Slots one after the other, and what of a slot's pairs the next one drops. Arrays of the schedule alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Cells, Gateways, Satellites, Schedule, ScheduleRules, Slot, UserPairs
from skylift.sky.schedule.scheduler import BeamScheduler

EARTH_M = 6_371_000.0
ABOVE_M = EARTH_M + 550e3
SLOT_S = 15.0

Floats = npt.NDArray[np.float64]


def shell_m(at_s: float) -> Floats:
    """A Walker shell of 36 planes of 20 at 550 km and 53 degrees, (3, 720), Earth-fixed; circular orbits."""
    motion = np.sqrt(3.986004418e14 / ABOVE_M**3)
    plane, seat = np.divmod(np.arange(720), 20)
    node = 2 * np.pi * plane / 36 - 7.292115e-5 * at_s
    along, tilt = 2 * np.pi * (seat / 20 + 11 * plane / 720) + motion * at_s, np.radians(53)
    x, y = np.cos(along), np.sin(along) * np.cos(tilt)
    return ABOVE_M * np.stack(
        [
            np.cos(node) * x - np.sin(node) * y,
            np.sin(node) * x + np.cos(node) * y,
            np.sin(along) * np.sin(tilt),
        ]
    )


def seen_from(ground_m: Floats, sat_m: Floats) -> Floats:
    """Sine of the elevation, (ground, satellites)."""
    to = sat_m[:, np.newaxis] - ground_m[:, :, np.newaxis]
    return np.asarray(np.einsum("jg,jgs->gs", ground_m, to) / np.linalg.norm(to, axis=0) / EARTH_M)


def slot_at(at_s: float, cells: Cells, gates_m: Floats, keep_level: float) -> Slot:
    """Under that shell: pairs above 25 degrees, 4 beams a polarisation, 4 antennas of 20 Gb/s a gateway."""
    sat_m, least = shell_m(at_s), np.sin(np.radians(25))
    sine, reach = seen_from(cells.position_ecef_m, sat_m), seen_from(gates_m, sat_m) >= least
    cell, sat = np.nonzero(sine >= least)
    count = np.bincount(cell, minlength=len(cells))
    return Slot(
        cells,
        Satellites(sat_m, np.full((720, 2), 4, np.int32)),
        UserPairs(
            np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
            sat.astype(np.int32),
            240e6 * (2.4 + 0.7 * sine[cell, sat]),
        ),
        Gateways(
            np.concatenate([[0], np.cumsum(reach.sum(axis=1))]).astype(np.int64),
            np.nonzero(reach)[1].astype(np.int32),
            np.full(len(reach), 4, np.int32),
            np.full(len(reach), 20e9),
        ),
        ScheduleRules(keep_level=keep_level),
    )


def shell_slots(seed: int, cells: Cells, keep_level: float, count: int = 12) -> list[Slot]:
    """So many slots of 15 s of these cells, with four gateways where a seed says."""
    random = np.random.default_rng(seed)
    lat, lon = np.radians(49 + random.uniform(-5, 5, 4)), np.radians(31 + random.uniform(-9, 9, 4))
    gates_m = EARTH_M * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    return [slot_at(SLOT_S * k, cells, gates_m, keep_level) for k in range(count)]


class Kept:
    """Of slots in turn: pairs used in the slot before and usable still (`usable`), and dropped (`lost`);
    cells that had most from a satellite that is usable still (`mains`), and have most from another
    (`changed`); bps served and the least level of each slot; cells with nothing, of all slots together."""

    def __init__(self) -> None:
        self.lost = self.usable = self.changed = self.mains = self.nothing = 0
        self.served: list[float] = []
        self.least: list[float] = []

    @property
    def part(self) -> float:
        return self.lost / max(self.usable, 1)

    @property
    def changed_part(self) -> float:
        return self.changed / max(self.mains, 1)

    def add(self, slot: Slot, before: Schedule | None, made: Schedule) -> None:
        self.served.append(float(made.served_bps.sum()))
        self.least.append(float(made.level.min(initial=5.0)))
        self.nothing += int((made.level <= 0.0).sum())
        if before is None:
            return
        can = np.zeros((len(slot.cells), len(slot.satellites)), dtype=np.bool_)
        cell = np.repeat(np.arange(len(slot.cells)), np.diff(slot.pairs.offset))
        can[cell, slot.pairs.satellite] = slot.pairs.full_rate_bps > 0.0
        had, has = (_rates(s, can.shape) for s in (before, made))
        self.usable += int(((had > 0.0) & can).sum())
        self.lost += int(((had > 0.0) & can & (has <= 0.0)).sum())
        most = had.argmax(axis=1)
        asks = np.flatnonzero((had.max(axis=1) > 0.0) & can[np.arange(len(can)), most])
        self.mains += len(asks)
        self.changed += int((has.argmax(axis=1) != most)[asks].sum())


def _rates(made: Schedule, shape: tuple[int, ...]) -> Floats:
    rate = np.zeros(shape)
    np.add.at(rate, (made.cell, made.satellite), made.rate_bps)
    return rate


def kept_over(slots: Iterable[Slot]) -> Kept:
    """Each slot scheduled with the one before."""
    out, before, keeper = Kept(), None, None
    for slot in slots:
        keeper = keeper or BeamScheduler(slot.cells.position_ecef_m)
        made = keeper.schedule(slot, before)
        out.add(slot, before, made)
        before = made
    return out
