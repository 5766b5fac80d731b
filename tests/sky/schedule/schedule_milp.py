"""The objective and every rule of docs/why/011 as a mixed-integer programme for HiGHS; small slots only.

Nothing is left out, and nothing is divided that must be whole: antennas, beams, who covers whom on a channel.
Written from the page, not from the engine. Rates in Gb/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_matrix

from skylift.sky.schedule.problem import Schedule, Slot

G = 1e9
# What a solved level may be off by; HiGHS stops at a relative gap of 1e-4 and rows bend by 1e-6.
SLACK = 2e-4


class Unsolved(Exception):
    """HiGHS did not prove an optimum within its time."""


def covers(slot: Slot) -> npt.NDArray[np.bool_]:
    """(N, M, M): whether a beam from satellite s to cell a covers cell b."""
    cell_m, sat_m = slot.cells.position_ecef_m.T, slot.satellites.position_ecef_m.T
    out = np.zeros((len(sat_m), len(cell_m), len(cell_m)), dtype=bool)
    for s, place_m in enumerate(sat_m):
        to = cell_m - place_m
        to_unit = to / np.linalg.norm(to, axis=1, keepdims=True)
        # By the chord between unit vectors, which stays exact for small angles.
        chord = np.linalg.norm(to_unit[:, np.newaxis] - to_unit[np.newaxis], axis=2)
        seen = np.einsum("cj,cj->c", to, cell_m) < 0
        near = 2 * np.arcsin(np.minimum(chord / 2, 1)) < slot.rules.separation_rad
        out[s] = (near & seen[np.newaxis]) | np.eye(len(cell_m), dtype=bool)
    return out


def too_close(slot: Slot) -> npt.NDArray[np.bool_]:
    """(M, N, N): whether two satellites stand closer than dish_separation_rad, seen from a cell."""
    to = (
        slot.satellites.position_ecef_m[:, np.newaxis] - slot.cells.position_ecef_m[:, :, np.newaxis]
    ).transpose(1, 2, 0)
    to = to / np.linalg.norm(to, axis=2, keepdims=True)
    chord = np.linalg.norm(to[:, :, np.newaxis] - to[:, np.newaxis], axis=3)
    return np.asarray(2 * np.arcsin(np.minimum(chord / 2, 1)) < slot.rules.dish_separation_rad)


def steps_gbps(slot: Slot) -> npt.NDArray[np.float64]:
    """(M, 5): what a cell's rate grows by from one whole level to the next."""
    wanted = np.where(slot.cells.barred[:, np.newaxis] != 0, 0.0, slot.cells.wanted_bps) / G
    floor = slot.rules.floor_fraction
    return np.concatenate([floor * wanted.sum(axis=1, keepdims=True), (1 - floor) * wanted], axis=1)


def levels_of(slot: Slot, rate_bps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(M,): the highest level that each cell's rate reaches."""
    out = np.zeros(len(slot.cells))
    for c, steps in enumerate(steps_gbps(slot)):
        left = rate_bps[c] / G
        for step in steps:
            if left < step * (1 - 1e-9):
                out[c] += left / step
                break
            out[c] += 1
            left -= step
    return out


@dataclass
class Best:
    """Sorted levels (those of cells that want something), rates (M,) and served by class (M, 4)."""

    levels: npt.NDArray[np.float64]
    rate_bps: npt.NDArray[np.float64]


class Programme:
    """Columns by name; rows as they are added. `point` puts a made schedule into the same columns."""

    def __init__(self, slot: Slot, seconds: float = 20.0) -> None:
        self.slot, self.seconds = slot, seconds
        self._index: dict[tuple[Any, ...], int] = {}
        self._whole: list[int] = []
        self._most: list[float] = []
        self._rows: list[tuple[dict[int, float], float]] = []
        self.steps = steps_gbps(slot)
        self.wants = [c for c in range(len(slot.cells)) if self.steps[c].sum() > 0]
        offset, sat, rate = slot.pairs.offset, slot.pairs.satellite, slot.pairs.full_rate_bps / G
        self.rate = {
            (int(sat[k]), c): float(rate[k])
            for c in self.wants
            for k in range(offset[c], offset[c + 1])
            if rate[k] > 0
        }
        self._feeders()
        self._lanes()
        self._separation()
        self._demand()

    def col(self, *name: Any, whole: bool = False, most: float = 1.0) -> int:
        if name not in self._index:
            self._index[name] = len(self._index)
            self._whole.append(int(whole))
            self._most.append(most)
        return self._index[name]

    def at_most(self, row: dict[int, float], limit: float) -> None:
        self._rows.append((row, limit))

    def _feeders(self) -> None:
        gates, n = self.slot.gateways, len(self.slot.satellites)
        reach = [
            set(gates.satellite[gates.offset[g] : gates.offset[g + 1]].tolist()) for g in range(len(gates))
        ]
        for g, antennas in enumerate(gates.antennas):
            self.at_most({self.col("track", g, s, whole=True): 1.0 for s in reach[g]}, float(antennas))
        for s in range(n):
            mine = [g for g in range(len(gates)) if s in reach[g]]
            self.at_most({self.col("track", g, s): 1.0 for g in mine}, 1.0)
            carried = {
                self.col("share", s, f, c, most=2.0): r
                for (i, c), r in self.rate.items()
                if i == s
                for f in range(self.slot.rules.channels)
            }
            self.at_most(
                carried | {self.col("track", g, s): -float(gates.feeder_bps[g]) / G for g in mine}, 0.0
            )

    def _lanes(self) -> None:
        """Both polarisations of a channel carry alike, so shares are held for the two together."""
        channels, beams = self.slot.rules.channels, self.slot.satellites.beams
        for s in range(len(self.slot.satellites)):
            for p in range(2):
                lit = {self.col("lit", s, p, f, whole=True): 1.0 for f in range(channels)}
                self.at_most(lit, float(beams[s, p]))
            for f in range(channels):
                both = {self.col("lit", s, p, f): -1.0 for p in range(2)}
                mine = [c for (i, c) in self.rate if i == s]
                self.at_most({self.col("share", s, f, c, most=2.0): 1.0 for c in mine} | both, 0.0)
                for c in mine:
                    use = self.col("use", s, f, c, whole=True)
                    self.at_most({self.col("share", s, f, c): 1.0, use: -2.0}, 0.0)

    def _separation(self) -> None:
        rules, n = self.slot.rules, len(self.slot.satellites)
        covered, close = covers(self.slot), too_close(self.slot)
        users = {c: [s for (s, i) in self.rate if i == c] for c in self.wants}
        for f in range(rules.channels):
            for s, c in self.rate:
                use = self.col("use", s, f, c)
                self.at_most({use: 1.0, self.col("served", f, c): -1.0}, 0.0)
                for b in self.wants:
                    if covered[s, c, b]:
                        self.at_most({use: 1.0, self.col("cover", s, f, b): -1.0}, 0.0)
            for c in self.wants:
                served, by = self.col("served", f, c), [self.col("cover", s, f, c) for s in range(n)]
                # Where the cell is served at most Nco, elsewhere as many as like.
                self.at_most(dict.fromkeys(by, 1.0) | {served: float(n - rules.nco)}, float(n))
                for s in range(n if rules.nco == 1 else 0):
                    # The same said more tightly.
                    others = {self.col("use", i, f, c): 1.0 for i in users[c] if i != s}
                    self.at_most(others | {by[s]: 1.0}, 1.0)
                for i, j in np.argwhere(np.triu(close[c], 1)) if rules.nco > 1 else ():
                    self.at_most({by[i]: 1.0, by[j]: 1.0, served: 1.0}, 2.0)

    def _demand(self) -> None:
        for c in self.wants:
            got = {
                self.col("share", s, f, i): -r
                for (s, i), r in self.rate.items()
                if i == c
                for f in range(self.slot.rules.channels)
            }
            for k in range(5):
                got[self.col("fill", c, k)] = float(self.steps[c, k])
                if k:
                    # A step begins when the one before it is full.
                    done = self.col("done", c, k - 1, whole=True)
                    self.at_most({self.col("fill", c, k): 1.0, done: -1.0}, 0.0)
                    self.at_most({done: 1.0, self.col("fill", c, k - 1): -1.0}, 0.0)
            self.at_most(got, 0.0)

    def _matrix(self) -> tuple[csr_matrix, npt.NDArray[np.float64]]:
        index = np.concatenate([np.full(len(row), r) for r, (row, _) in enumerate(self._rows)])
        column = np.concatenate([np.fromiter(row, dtype=np.int64, count=len(row)) for row, _ in self._rows])
        value = np.concatenate(
            [np.fromiter(row.values(), dtype=float, count=len(row)) for row, _ in self._rows]
        )
        shape = (len(self._rows), len(self._index))
        return csr_matrix((value, (index, column)), shape=shape), np.array([limit for _, limit in self._rows])

    def _maximise(self, gain: dict[int, float]) -> npt.NDArray[np.float64]:
        matrix, limit = self._matrix()
        cost = np.zeros(len(self._index))
        cost[list(gain)] = [-x for x in gain.values()]
        low = np.array([-1e3 if name[0] == "sum" else 0.0 for name in self._index])
        answer = milp(
            cost,
            constraints=LinearConstraint(matrix, -np.inf, limit),
            integrality=np.array(self._whole),
            bounds=(low, np.array(self._most)),
            options={"time_limit": self.seconds},
        )
        if answer.status != 0:
            raise Unsolved(answer.message)
        return np.asarray(answer.x)

    def leximin(self) -> Best:
        """Levels by the sums of the 1, 2, 3, ... lowest in turn, each as high as can be and then held.

        Exact whether or not what can be had is convex (Ogryczak and Sliwinski 2006, "On direct methods for
        lexicographic min-max optimization"); at the end, of equals the one that serves most.
        """
        x = np.empty(0)
        for count in range(1, len(self.wants) + 1):
            gain = {self.col("sum", count, most=5.0): float(count)}
            for c in self.wants:
                short = self.col("short", count, c, most=5.0)
                level = {self.col("fill", c, k): -1.0 for k in range(5)}
                self.at_most({self.col("sum", count): 1.0, short: -1.0} | level, 0.0)
                gain[short] = -1.0
            x = self._maximise(gain)
            reached = sum(g * x[i] for i, g in gain.items())
            self.at_most({i: -g for i, g in gain.items()}, -(reached - 1e-6 * count))
            if reached >= 5.0 * count - 1e-4:
                break
        gain = {self.col("fill", c, k): float(self.steps[c, k]) for c in self.wants for k in range(5)}
        x = self._maximise(gain)
        fill = np.array([[x[self.col("fill", c, k)] for k in range(5)] for c in self.wants]).reshape(-1, 5)
        rate = np.zeros(len(self.slot.cells))
        rate[self.wants] = (fill * self.steps[self.wants]).sum(axis=1) * G
        return Best(np.sort(fill.sum(axis=1)), rate)

    def most_bps(self) -> float:
        """The most that can be served at all, fair or not: no schedule may exceed it."""
        gain = {self.col("fill", c, k): float(self.steps[c, k]) for c in self.wants for k in range(5)}
        x = self._maximise(gain)
        return G * sum(g * x[i] for i, g in gain.items())

    def broken(self, made: Schedule) -> list[str]:
        """Rows of the programme that a made schedule breaks, when it is put into these columns."""
        x = np.zeros(len(self._index))
        for s, g in enumerate(made.gateway_of):
            if g >= 0:
                x[self._index["track", int(g), s]] = 1.0
        covered = covers(self.slot)
        for r in range(len(made)):
            s, p, f, c = (int(v[r]) for v in (made.satellite, made.polarisation, made.channel, made.cell))
            x[self._index["share", s, f, c]] += made.share_fraction[r]
            for name in (("lit", s, p, f), ("use", s, f, c), ("served", f, c)):
                x[self._index[name]] = 1.0
            for b in self.wants:
                if covered[s, c, b]:
                    x[self._index["cover", s, f, b]] = 1.0
        for c in self.wants:
            level = float(made.level[c])
            for k in range(5):
                x[self._index["fill", c, k]] = min(max(level - k, 0.0), 1.0)
                if k:
                    x[self._index["done", c, k - 1]] = float(level >= k)
        matrix, limit = self._matrix()
        over = np.asarray(matrix @ x) - limit
        names = list(self._index)
        return [
            f"{[names[i] for i in self._rows[r][0]][:4]}... over by {over[r]:.3g}"
            for r in np.flatnonzero(over > 1e-6)
        ]
