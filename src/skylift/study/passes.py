"""Passes of satellites over one site: when each rises, stands highest and sets.

Positions are computed every minute and interpolated between (8-point Lagrange: micrometres for orbits up to
geostationary, whose directions turn by less than 4 degrees a minute), so that a root costs no propagation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import US_PER_S
from skylift.sky.coverage.sites import Sites
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.orbit.propagate import Propagator

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEP_US = 60 * US_PER_S
POINTS = 8
# Steps that a block holds beside its own, on either side, for interpolation and for peaks at its edge.
MARGIN = POINTS // 2 + 1
STEPS_PER_BLOCK = 120
# A peak between two samples is at most this much higher than they are: an object overhead at 300 km comes
# down by 37 degrees in half a minute.
HIDDEN_RAD = math.radians(40.0)
# 120 s times 0.618^40, and 60 s / 2^26: about a microsecond.
GOLDEN_ROUNDS, HALVINGS = 40, 26
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a satellite stands at one instant of its pass. Azimuth from north over east, 0 to 2 pi."""

    at_us: int
    elevation_rad: float
    azimuth_rad: float
    range_m: float


@dataclass(frozen=True, slots=True)
class Pass:
    """One satellite above the least elevation; rise or set is None where the window cuts the pass."""

    satellite: int
    rise: Moment | None
    culmination: Moment
    set: Moment | None


def passes(
    propagator: Propagator,
    site: Sites,
    window_us: tuple[int, int],
    earth: EarthOrientation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Pass]:
    """All passes over one site within a window, by culmination, then by satellite.

    site       one site; its least elevation is the floor, its field of view and mask do not count
    window_us  start and end, UTC microseconds; a pass that it cuts has no rise or no set, and culminates
               where it is highest inside
    progress   called with (steps done, steps in all)
    errors     rise and set within 1 ms for the positions given; what the elements lack is not in it.
               Two peaks of one pass less than a minute apart count as one.
    """
    if len(site) != 1:
        raise ValueError("passes are over one site")
    start_us, end_us = window_us
    floor = math.sin(float(site.min_elevation_rad[0]))
    found = _Found([], [], [], [])
    steps = max(1, math.ceil((end_us - start_us) / STEP_US))
    for block in _blocks(propagator, site, (start_us, steps), earth):
        _crossings(block, floor, found)
        _peaks(block, floor, found)
        _edges(block, start_us, end_us, found)
        if progress is not None:
            progress(min(steps, block.first + block.steps), steps)
    return _assemble(found, floor, start_us, end_us)


@dataclass(frozen=True, slots=True)
class _Block:
    """Samples of all satellites: position_m (T, 3, N) and sine of the elevation (T, N), margins included.

    first, steps  the block's own intervals of the window; sample MARGIN + k stands at its step k
    at_us         (T,)
    """

    site: Sites
    first: int
    steps: int
    at_us: Ints
    position_m: Floats
    sine: Floats

    def at(self, satellite: Ints, step: Floats) -> Floats:
        """Positions (3, K) of satellites at fractional samples, by Lagrange's polynomial on 8 samples."""
        base = np.clip(np.floor(step).astype(np.int64) - POINTS // 2 + 1, 0, len(self.at_us) - POINTS)
        u = step - base
        total = np.zeros((3, len(satellite)))
        for i in range(POINTS):
            weight = np.ones_like(u)
            for j in range(POINTS):
                if j != i:
                    weight *= (u - j) / (i - j)
            total += weight * self.position_m[base + i, :, satellite].T
        return total

    def sine_at(self, satellite: Ints, step: Floats) -> Floats:
        to = self.at(satellite, step) - self.site.position_ecef_m
        return np.asarray((self.site.up * to).sum(axis=0) / np.sqrt((to * to).sum(axis=0)))


@dataclass(frozen=True, slots=True)
class _Found:
    """(satellite, moment, sine of elevation) of what was found, block after block."""

    rises: list[tuple[int, Moment, float]]
    sets: list[tuple[int, Moment, float]]
    peaks: list[tuple[int, Moment, float]]
    edges: list[tuple[int, Moment, float]]


def _blocks(
    propagator: Propagator, site: Sites, window: tuple[int, int], earth: EarthOrientation | None
) -> Iterator[_Block]:
    start_us, steps = window
    for first in range(0, steps, STEPS_PER_BLOCK):
        own = min(STEPS_PER_BLOCK, steps - first)
        samples = np.arange(first - MARGIN, first + own + MARGIN + 1, dtype=np.int64)
        at_us = start_us + samples * STEP_US
        position_m = propagator.ephemeris(at_us, frame="itrs", earth=earth).position_ecef_m
        to = position_m - site.position_ecef_m[:, 0, np.newaxis]
        sine = np.einsum("j,tjn->tn", site.up[:, 0], to) / np.sqrt(np.einsum("tjn,tjn->tn", to, to))
        yield _Block(site, first, own, at_us, position_m, sine)


def _crossings(block: _Block, floor: float, found: _Found) -> None:
    """Rises and sets between two samples of which one is above and one below the floor."""
    above = block.sine >= floor
    # nan is not above: a satellite that appears or vanishes within a minute has no rise and no set there.
    known = np.isfinite(block.sine)
    own = slice(MARGIN, MARGIN + block.steps)
    after = slice(MARGIN + 1, MARGIN + block.steps + 1)
    for moments, change in (
        (found.rises, ~above[own] & above[after]),
        (found.sets, above[own] & ~above[after]),
    ):
        step, satellite = np.nonzero(change & known[own] & known[after])
        left = (step + MARGIN).astype(np.float64)
        _add(block, moments, satellite, _root(block, satellite, left, left + 1.0, floor))


def _peaks(block: _Block, floor: float, found: _Found) -> None:
    """Culminations, and rise and set of a pass so short that no sample is above the floor."""
    least = math.sin(max(math.asin(max(-1.0, min(1.0, floor))) - HIDDEN_RAD, -math.pi / 2))
    own = slice(MARGIN, MARGIN + block.steps + 1)
    here = block.sine[own]
    before, after = (
        block.sine[MARGIN - 1 : MARGIN + block.steps],
        block.sine[MARGIN + 1 : MARGIN + block.steps + 2],
    )
    step, satellite = np.nonzero((here >= before) & (here > after) & (here > least))
    middle = (step + MARGIN).astype(np.float64)
    peak = _highest(block, satellite, middle)
    # The peak belongs to the block in whose own steps it lies; neighbours find it too.
    mine = (peak >= MARGIN) & (peak < MARGIN + block.steps) & (block.sine_at(satellite, peak) >= floor)
    satellite, middle, peak = satellite[mine], middle[mine], peak[mine]
    _add(block, found.peaks, satellite, peak)
    # The samples beside the peak, not those beside the highest sample.
    left = np.floor(peak)
    beside = block.sine[left.astype(np.int64), satellite], block.sine[left.astype(np.int64) + 1, satellite]
    short = (beside[0] < floor) & (beside[1] < floor)
    satellite, left, peak = satellite[short], left[short], peak[short]
    _add(block, found.rises, satellite, _root(block, satellite, left, peak, floor))
    _add(block, found.sets, satellite, _root(block, satellite, peak, left + 1.0, floor))


def _edges(block: _Block, start_us: int, end_us: int, found: _Found) -> None:
    """Where every satellite stands at the two ends of the window."""
    everybody = np.arange(block.sine.shape[1], dtype=np.int64)
    for at_us in (start_us, end_us):
        step = (at_us - int(block.at_us[0])) / STEP_US
        last = block.at_us[MARGIN + block.steps]
        if block.at_us[MARGIN] <= at_us < last or (at_us == last == end_us):
            _add(block, found.edges, everybody, np.full(len(everybody), step))


def _root(block: _Block, satellite: Ints, low: Floats, high: Floats, floor: float) -> Floats:
    """Fractional sample between low and high at which the floor is crossed, by halving."""
    low, high = low.copy(), high.copy()
    rising = block.sine_at(satellite, high) >= floor
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        later = (block.sine_at(satellite, middle) >= floor) != rising
        low, high = np.where(later, middle, low), np.where(later, high, middle)
    return np.asarray(0.5 * (low + high))


def _highest(block: _Block, satellite: Ints, middle: Floats) -> Floats:
    """Fractional sample within 1 of `middle` at which the elevation is greatest, by golden section."""
    low, high = middle - 1.0, middle + 1.0
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = block.sine_at(satellite, left), block.sine_at(satellite, right)
    for _ in range(GOLDEN_ROUNDS):
        lower = at_left > at_right
        low, high = np.where(lower, low, left), np.where(lower, right, high)
        new = np.where(lower, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        at_new = block.sine_at(satellite, new)
        left, right = np.where(lower, new, right), np.where(lower, left, new)
        at_left, at_right = np.where(lower, at_new, at_right), np.where(lower, at_left, at_new)
    return np.asarray(0.5 * (low + high))


def _add(block: _Block, moments: list[tuple[int, Moment, float]], satellite: Ints, step: Floats) -> None:
    """Append where satellites stand at fractional samples; those without a position are left out."""
    site = block.site
    to = block.at(satellite, step) - site.position_ecef_m
    distance_m = np.sqrt((to * to).sum(axis=0))
    up, east, north = ((axis * to).sum(axis=0) for axis in (site.up, site.east, site.north))
    elevation = np.arctan2(up, np.hypot(east, north))
    azimuth = np.mod(np.arctan2(east, north), 2.0 * np.pi)
    for k in np.flatnonzero(np.isfinite(distance_m)):
        at_us = int(block.at_us[0]) + round(float(step[k]) * STEP_US)
        moment = Moment(at_us, float(elevation[k]), float(azimuth[k]), float(distance_m[k]))
        moments.append((int(satellite[k]), moment, float(up[k] / distance_m[k])))


def _assemble(found: _Found, floor: float, start_us: int, end_us: int) -> list[Pass]:
    """Put rises, peaks and sets of each satellite together."""
    rise, peak, fall, edge = range(4)
    events: dict[int, list[tuple[int, int, Moment]]] = {}
    for kind, moments in ((rise, found.rises), (peak, found.peaks), (fall, found.sets), (edge, found.edges)):
        for satellite, moment, sine in moments:
            if start_us <= moment.at_us <= end_us and (kind != edge or sine >= floor):
                events.setdefault(satellite, []).append((moment.at_us, kind, moment))
    result = []
    for satellite, happened in events.items():
        happened.sort(key=lambda event: event[:2])
        began: Moment | None = None
        high: list[Moment] = []
        for _, kind, moment in happened:
            if kind == rise:
                began, high = moment, [moment]
            elif kind == fall:
                best = max([*high, moment], key=lambda m: m.elevation_rad)
                result.append(Pass(satellite, began, best, moment))
                began, high = None, []
            else:
                high.append(moment)
        if high:
            result.append(Pass(satellite, began, max(high, key=lambda m: m.elevation_rad), None))
    result.sort(key=lambda p: (p.culmination.at_us, p.satellite))
    return result


def track_rad(
    propagator: Propagator, site: Sites, one: Pass, window_us: tuple[int, int], points: int = 61
) -> tuple[Floats, Floats]:
    """Elevation and azimuth (points,) along a pass, from its rise or the window's start to its set or end."""
    first_us = window_us[0] if one.rise is None else one.rise.at_us
    last_us = window_us[1] if one.set is None else one.set.at_us
    at_us = np.linspace(first_us, last_us, points).astype(np.int64)
    alone = Propagator(propagator.catalogue.take([one.satellite]))
    to = alone.ephemeris(at_us, frame="itrs").position_ecef_m[:, :, 0].T - site.position_ecef_m
    up, east, north = ((axis * to).sum(axis=0) for axis in (site.up, site.east, site.north))
    return np.arctan2(up, np.hypot(east, north)), np.mod(np.arctan2(east, north), 2.0 * np.pi)
