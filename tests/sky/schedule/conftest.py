"""Random slots, and two judges that share no code with the scheduler: a checker by brute force, and HiGHS."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from skylift.base.randomness import random_stream
from skylift.sky.schedule.problem import Cells, Gateways, Satellites, Schedule, ScheduleRules, Slot, UserPairs

EARTH_M = 6_371_000.0


def on_sphere(latitude_deg: Any, longitude_deg: Any, radius_m: float) -> npt.NDArray[np.float64]:
    lat, lon = np.radians(latitude_deg), np.radians(longitude_deg)
    return radius_m * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def sines(
    ground_m: npt.NDArray[np.float64], satellites_m: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Sine of the elevation, (ground, satellites)."""
    to = satellites_m[:, np.newaxis, :] - ground_m[:, :, np.newaxis]
    up = ground_m / np.linalg.norm(ground_m, axis=0)
    return np.asarray(np.einsum("jgs,jg->gs", to, up) / np.linalg.norm(to, axis=0))


def make_slot(
    seed: int,
    *,
    cells: int = 120,
    satellites: int = 14,
    gateways: int = 4,
    antennas: int = 8,
    feeder_bps: float = 20e9,
    beams: int = 8,
    load: float = 1.5,
    half_width_deg: float = 5.0,
    rules: ScheduleRules | None = None,
    barred: float = 0.0,
    even_rates: bool = False,
    jammed: float = 0.0,
    rain: bool = False,
    altitude_m: float = 550e3,
) -> Slot:
    """Cells spread over a patch about 49 N 31 E, satellites that it sees, gateways around.

    load    what is wanted over what all beams can carry, about
    jammed  part of the pairs' channels that are barred
    rain    feeders differ from satellite to satellite, by up to four
    """
    random = random_stream(seed, "tests/schedule")
    lat, lon = (
        49 + random.uniform(-1, 1, cells) * half_width_deg,
        31 + random.uniform(-1.5, 1.5, cells) * half_width_deg,
    )
    cell_m = on_sphere(lat, lon, EARTH_M)
    sat_m = on_sphere(
        49 + random.uniform(-9, 9, satellites), 31 + random.uniform(-14, 14, satellites), EARTH_M + altitude_m
    )
    gate_m = on_sphere(49 + random.uniform(-7, 7, gateways), 31 + random.uniform(-14, 14, gateways), EARTH_M)
    seen = sines(cell_m, sat_m)
    usable = seen >= math.sin(math.radians(25.0))
    cell, satellite = np.nonzero(usable)
    # 240 MHz at 2.4 to 3.1 b/s/Hz from 25 degrees to the zenith: the spread of C/N between 15 and 18 dB.
    rate = 240e6 * (2.4 + 0.7 * seen[cell, satellite])
    if even_rates:
        rate[:] = 600e6
    size = random.lognormal(0.0, 0.7, cells)
    mix = np.stack([random.lognormal(math.log(part), 0.5, cells) for part in (0.05, 0.15, 0.2, 0.6)], axis=1)
    wanted = size[:, np.newaxis] * mix
    # A tenth of the cells want nothing of a class.
    wanted *= random.uniform(size=wanted.shape) > 0.1
    wanted *= load * satellites * beams * 2 * 650e6 / max(wanted.sum(), 1e-9)
    reach = sines(gate_m, sat_m) >= math.sin(math.radians(25.0))
    _, tracked = np.nonzero(reach)
    words = (random.uniform(size=(len(cell), 32)) < jammed) @ (1 << np.arange(32)) if jammed else None
    pair_feeder = feeder_bps * random.uniform(0.25, 1.0, len(tracked)) if rain else None
    return Slot(
        Cells(cell_m, wanted, np.where(random.uniform(size=cells) < barred, 5, 0).astype(np.uint8)),
        Satellites(sat_m, np.full((satellites, 2), beams, dtype=np.int32)),
        UserPairs(
            np.concatenate([[0], np.cumsum(usable.sum(axis=1))]).astype(np.int64),
            satellite.astype(np.int32),
            rate,
            None if words is None else words.astype(np.uint32),
        ),
        Gateways(
            np.concatenate([[0], np.cumsum(reach.sum(axis=1))]).astype(np.int64),
            tracked.astype(np.int32),
            np.full(gateways, antennas, dtype=np.int32),
            np.full(gateways, feeder_bps),
            pair_feeder,
        ),
        rules or ScheduleRules(),
    )


def angle(apex: Any, a: Any, b: Any) -> float:
    u, v = np.asarray(a) - apex, np.asarray(b) - apex
    return math.atan2(float(np.linalg.norm(np.cross(u, v))), float(u @ v))


def find_breaches(slot: Slot, s: Schedule) -> list[str]:
    """Every rule of docs/why/011, row by row and pair of rows by pair of rows; plain Python."""
    rows = [
        tuple(int(x[r]) for x in (s.satellite, s.polarisation, s.beam, s.channel, s.cell, s.gateway))
        for r in range(len(s))
    ]
    found = [text for r in range(len(s)) for text in row_breaches(slot, s, r, rows[r])]
    lane_share: dict[tuple[int, ...], float] = defaultdict(float)
    one_of: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    carried: dict[int, float] = defaultdict(float)
    got: dict[int, float] = defaultdict(float)
    on_channel: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (sat, p, b, f, c, g), share, rate in zip(rows, s.share_fraction, s.rate_bps, strict=True):
        lane_share[sat, p, f] += share
        one_of["beam of lane", sat, p, f].add(b)
        one_of["channel of beam", sat, p, b].add(f)
        one_of["gateway of satellite", sat].add(g)
        carried[sat] += rate
        got[c] += rate
        on_channel[f].append((sat, c))
    found += [f"lane {lane}: shares add up to {x}" for lane, x in lane_share.items() if x > 1 + 1e-6]
    found += [f"{what}: {x}" for what, x in one_of.items() if len(x) > 1]
    for g, antennas in enumerate(slot.gateways.antennas):
        tracked = {i for i in range(len(slot.satellites)) if s.gateway_of[i] == g} | {
            r[0] for r in rows if r[5] == g
        }
        if len(tracked) > antennas:
            found.append(f"gateway {g}: {len(tracked)} satellites")
    for sat, x in carried.items():
        feeder = min(feeder_of(slot, g, sat) for g in one_of["gateway of satellite", sat])
        if x > feeder * (1 + 1e-6):
            found.append(f"satellite {sat}: {x:.3g} bps over a feeder of {feeder:.3g}")
    for c in range(len(slot.cells)):
        if got[c] > slot.cells.wanted_bps[c].sum() * (1 + 1e-6) + 1:
            found.append(f"cell {c}: more than it wants")
        if abs(s.served_bps[c].sum() - got[c]) > 1e-6 * got[c] + 1:
            found.append(f"cell {c}: served_bps is not the sum of its rows")
    for f, users in on_channel.items():
        found += separation_breaches(slot, f, sorted(set(users)))
    return found


def feeder_of(slot: Slot, g: int, sat: int) -> float:
    """The Ka rate from a gateway to a satellite; 0 where it cannot track it."""
    gates = slot.gateways
    for j in range(gates.offset[g], gates.offset[g + 1]):
        if gates.satellite[j] == sat:
            return float(gates.feeder_bps[g] if gates.pair_feeder_bps is None else gates.pair_feeder_bps[j])
    return 0.0


def row_breaches(slot: Slot, s: Schedule, r: int, row: tuple[int, ...]) -> list[str]:
    sat, p, b, f, c, g = row
    share, rate = float(s.share_fraction[r]), float(s.rate_bps[r])
    offset, tracks = slot.pairs.offset, slot.gateways.offset
    here = [k for k in range(offset[c], offset[c + 1]) if slot.pairs.satellite[k] == sat]
    full = [float(slot.pairs.full_rate_bps[k]) for k in here]
    words = slot.pairs.barred_channels
    rules = {
        "the cell cannot use the satellite": len(full) == 1 and full[0] > 0,
        "share": 0 < share <= 1 + 1e-9,
        "rate is not share times full rate": abs(rate - share * sum(full)) <= 1e-6 * rate,
        "barred": slot.cells.barred[c] == 0,
        "the channel is jammed": words is None or all(not int(words[k]) >> f & 1 for k in here),
        "polarisation": 0 <= p < 2,
        "channel": 0 <= f < slot.rules.channels,
        "beam": 0 <= b < slot.satellites.beams[sat, p],
        "gateway": g >= 0
        and sat in slot.gateways.satellite[tracks[g] : tracks[g + 1]]
        and s.gateway_of[sat] == g,
    }
    return [f"row {r}: {what}" for what, kept in rules.items() if not kept]


def separation_breaches(slot: Slot, f: int, users: list[tuple[int, int]]) -> list[str]:
    """Each served cell of a channel: which satellites cover it, how many, and how far apart."""
    found: list[str] = []
    cell_m, sat_m, rules = slot.cells.position_ecef_m.T, slot.satellites.position_ecef_m.T, slot.rules
    sats, cells = np.array(users).T
    served = np.unique(cells)
    axis = cell_m[cells] - sat_m[sats]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    to = cell_m[served][np.newaxis] - sat_m[sats][:, np.newaxis]
    cosine = np.einsum("uj,usj->us", axis, to) / np.linalg.norm(to, axis=2)
    near = np.arccos(np.clip(cosine, -1, 1)) < rules.separation_rad - 1e-9
    # What lies beyond the horizon is hidden by the Earth.
    near &= np.einsum("usj,sj->us", to, cell_m[served]) < 0
    near |= cells[:, np.newaxis] == served[np.newaxis]
    for i, cell in enumerate(served):
        covering = sorted(set(sats[near[:, i]].tolist()))
        if len(covering) > rules.nco:
            found.append(f"channel {f}, cell {cell}: covered by satellites {covering}")
        found += [
            f"channel {f}, cell {cell}: satellites {a} and {b} too close together"
            for i, a in enumerate(covering)
            for b in covering[:i]
            if angle(cell_m[cell], sat_m[a], sat_m[b]) < rules.dish_separation_rad - 1e-9
        ]
    return found


def best_levels(slot: Slot, feeders: npt.NDArray[np.int32] | None = None) -> npt.NDArray[np.float64]:
    """Rates (M,) of the same objective by progressive filling with HiGHS: an upper bound.

    Separation is left out, and beams, antennas and times are divided at will.
    feeders  (N,) gateway of each satellite, where these are to be taken as given
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix, vstack

    m, n, k, j = (
        len(slot.cells),
        len(slot.satellites),
        len(slot.pairs.satellite),
        len(slot.gateways.satellite),
    )
    cell = np.repeat(np.arange(m), np.diff(slot.pairs.offset))
    gate = np.repeat(np.arange(len(slot.gateways)), np.diff(slot.gateways.offset))
    sat, rate, tracked = slot.pairs.satellite, slot.pairs.full_rate_bps / 1e9, slot.gateways.satellite
    wanted = np.where(slot.cells.barred[:, np.newaxis] != 0, 0.0, slot.cells.wanted_bps) / 1e9
    floor = slot.rules.floor_fraction
    beams, feeder = slot.satellites.beams.sum(axis=1), slot.gateways.feeder_bps[gate] / 1e9
    if slot.gateways.pair_feeder_bps is not None:
        feeder = slot.gateways.pair_feeder_bps / 1e9
    # Columns: time of each pair, fraction of each feeder, and the common level.
    width = k + j + 1
    most = np.ones(j) if feeders is None else (feeders[tracked] == gate).astype(float)

    def rows(index: Any, column: Any, value: Any, height: int) -> Any:
        return coo_matrix((value, (index, column)), shape=(height, width)).tocsr()

    times, legs = np.arange(k), k + np.arange(j)
    fixed = vstack(
        [
            rows(np.r_[sat, tracked], np.r_[times, legs], np.r_[np.ones(k), -beams[tracked]], n),
            rows(np.r_[sat, tracked], np.r_[times, legs], np.r_[rate, -feeder], n),
            rows(tracked, legs, np.ones(j), n),
            rows(gate, legs, np.ones(j), len(slot.gateways)),
            rows(cell, times, np.ones(k), m),
        ]
    )
    limit = np.r_[
        np.zeros(2 * n),
        np.ones(n),
        slot.gateways.antennas,
        np.full(m, 2.0 * slot.rules.channels * slot.rules.nco),
    ]
    steps = np.c_[floor * wanted.sum(axis=1), (1 - floor) * wanted]
    held = np.zeros(m)
    open_ = np.ones(m, dtype=bool)
    for step in steps.T:
        moving = open_ & (step > 0)
        base, done = held.copy(), 0.0
        while moving.any():
            # Rate of each cell >= what it holds (+ level x step where it still rises).
            need = rows(np.r_[cell, np.flatnonzero(moving)], np.r_[times, np.full(moving.sum(), width - 1)],
                        np.r_[-rate, step[moving]], m)  # fmt: skip
            cost = np.zeros(width)
            cost[-1] = -1.0
            answer = linprog(
                cost, vstack([fixed, need]), np.r_[limit, -np.where(moving, base, held) * (1 - 1e-9)],
                bounds=np.c_[np.zeros(width), np.r_[np.full(k, np.inf), most, 1.0]], method="highs",
            )  # fmt: skip
            assert answer.status == 0, answer.message
            level = max(float(answer.x[-1]), done)
            done = level
            held[moving] = (base + level * step)[moving]
            if level >= 1.0 - 1e-7:
                break
            stuck = moving & (np.abs(answer.ineqlin.marginals[-m:]) > 1e-9)
            assert stuck.any()
            open_ &= ~stuck
            moving &= ~stuck
    return held * 1e9


def by_classes(slot: Slot, rate_bps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rates (M,) split over the classes in the objective's order, (M, 4)."""
    floor, wanted = slot.rules.floor_fraction, slot.cells.wanted_bps
    at_floor = np.minimum(rate_bps, floor * wanted.sum(axis=1))
    with np.errstate(invalid="ignore"):
        out = np.nan_to_num(wanted * (at_floor / wanted.sum(axis=1))[:, np.newaxis])
    left = rate_bps - at_floor
    for k in range(4):
        more = np.minimum(left, (1 - floor) * wanted[:, k])
        out[:, k] += more
        left = left - more
    return out


def falls_to(slot: Slot, s: Schedule, c: int) -> float:
    """The level of a cell after it gave away a thousandth of what it has."""
    rate, wanted, floor = (
        0.999 * float(s.served_bps[c].sum()),
        slot.cells.wanted_bps[c],
        slot.rules.floor_fraction,
    )
    steps = [floor * wanted.sum(), *((1 - floor) * wanted)]
    for k, step in enumerate(steps):
        if rate < step:
            return k + rate / float(step)
        rate -= step
    return 5.0


def find_unfair(slot: Slot, s: Schedule, tolerance: float = 0.05) -> list[str]:
    """Cells that could rise, within the rules, on idle time or on that of a cell that stands higher.

    Time of a satellite's lit lane can go to a cell if the lane's satellite may cover it, and all that it
    covers there. Brute force: the checker above judges each exchange.
    """
    found = []
    users: dict[int, set[tuple[int, int]]] = defaultdict(set)
    lanes: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    idle: dict[tuple[int, int, int], float] = defaultdict(lambda: 1.0)
    carried: dict[int, float] = defaultdict(float)
    for r in range(len(s)):
        sat, f, lane = (
            int(s.satellite[r]),
            int(s.channel[r]),
            (s.satellite[r], s.polarisation[r], s.channel[r]),
        )
        users[f].add((sat, int(s.cell[r])))
        lanes[lane].append(r)
        idle[lane] -= float(s.share_fraction[r])
        carried[sat] += float(s.rate_bps[r])
    for c in np.argsort(s.level, kind="stable"):
        if slot.cells.barred[c] or s.served_bps[c].sum() >= slot.cells.wanted_bps[c].sum() * (1 - tolerance):
            continue
        for k in range(slot.pairs.offset[c], slot.pairs.offset[c + 1]):
            sat = int(slot.pairs.satellite[k])
            for lane in [lane for lane in lanes if lane[0] == sat]:
                feeder = feeder_of(slot, int(s.gateway_of[sat]), sat)
                spare = idle[lane] > 1e-4 and carried[sat] < feeder * (1 - 1e-4)
                donors = [r for r in lanes[lane] if s.share_fraction[r] > 1e-4]
                rich = [r for r in donors if falls_to(slot, s, int(s.cell[r])) > s.level[c] + tolerance]
                f = int(lane[2])
                words = slot.pairs.barred_channels
                if words is not None and int(words[k]) >> f & 1:
                    continue
                if (spare or rich) and not separation_breaches(slot, f, sorted(users[f] | {(sat, int(c))})):
                    found.append(f"cell {c} at {s.level[c]:.3f} could rise on lane {lane}")
    return found


@pytest.fixture(scope="session")
def optimum() -> Callable[..., npt.NDArray[np.float64]]:
    return lambda slot, feeders=None: by_classes(slot, best_levels(slot, feeders))


@pytest.fixture(scope="session")
def unfair() -> Callable[[Slot, Schedule], list[str]]:
    return find_unfair


@pytest.fixture(scope="session")
def slot_of() -> Callable[..., Slot]:
    return make_slot


@pytest.fixture(scope="session")
def breaches() -> Callable[[Slot, Schedule], list[str]]:
    return find_breaches
