"""The least distance between satellites of a shell, over all time, on unperturbed orbits.

All satellites of a shell share inclination, mean motion and eccentricity, hence drift in step: how two of
them pass each other depends only on the difference of their nodes and phases, and repeats each revolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skylift.base.errors import Refused
from skylift.base.units import RAD_PER_DEG
from skylift.sky.orbit.catalogue import Floats
from skylift.sky.orbit.shells import TAU, Shell

# Closer than this in the plan is a collision by design. It is a check of the pattern, not of safety: J2's and
# J3's periodic terms, the same for all satellites but not along the orbit, move a real pass by kilometres
# (72 x 22 with F = 39: 49.8 km here, 42.1 km flown by SGP4). See docs/why/003-catalogues.md.
COLLISION_M = 1_000.0
_SAMPLES = 720
_REFINEMENTS = 4


def pair_least_distance_m(
    radius_m: float, inclination_rad: float, node_rad: Floats, phase_rad: Floats
) -> Floats:
    """Least distance over a revolution of two satellites on circular orbits of one radius and inclination.

    node_rad, phase_rad  (K,): by how much the second one's node and argument of latitude lead the first one's
    returns              (K,)

    The cosine of their separation is C - s^2 (1 - cos node) / 2 * cos(u1 + u2), with C free of time and s
    the sine of the inclination; u1 + u2 passes through every value, so the closest pass is where its cosine
    is -1: on one latitude, one climbing and the other descending.
    """
    cos_i, sin2_i = math.cos(inclination_rad), math.sin(inclination_rad) ** 2
    cos_node = np.cos(node_rad)
    constant = 0.5 * np.cos(phase_rad) * (cos_node * (1.0 + cos_i**2) + sin2_i) - cos_i * np.sin(
        phase_rad
    ) * np.sin(node_rad)
    cosine = constant + 0.5 * sin2_i * (1.0 - cos_node)
    distance: Floats = radius_m * np.sqrt(np.maximum(0.0, 2.0 * (1.0 - cosine)))
    return distance


def least_distance_m(shell: Shell) -> float:
    """The least distance between any two satellites of a shell, at any time; inf for a single satellite.

    Plane 0 against the planes above it meets every pair there is: a pair's geometry depends only on how many
    planes and slots lie between, also across the seam of a star and with alternating phases.
    """
    node_rad, phase_rad = _offsets(shell)
    if len(node_rad) == 0:
        return math.inf
    inclination_rad = shell.inclination_deg * RAD_PER_DEG
    if shell.eccentricity > 0.0:
        return _least_eccentric_m(shell, node_rad, phase_rad)
    return float(pair_least_distance_m(shell.radius_m, inclination_rad, node_rad, phase_rad).min())


def least_distance_between_m(one: Shell, other: Shell) -> float:
    """The least distance between a satellite of `one` and one of `other`, at any time. Circular orbits.

    Of one radius and inclination they drift in step, and every pair is computed. Otherwise their phases and
    nodes pass through every relation sooner or later, and what remains is the difference of the radii; shells
    of inclinations so different that they never cross do not exist, as every orbit crosses the equator.
    """
    gap_m = abs(one.radius_m - other.radius_m)
    if gap_m > 1.0 or abs(one.inclination_deg - other.inclination_deg) > 1e-6:
        return gap_m
    node_1, phase_1 = _all_satellites(one)
    node_2, phase_2 = _all_satellites(other)
    inclination_rad = one.inclination_deg * RAD_PER_DEG
    least = math.inf
    for node, phase in zip(node_1, phase_1, strict=True):
        distances = pair_least_distance_m(one.radius_m, inclination_rad, node_2 - node, phase_2 - phase)
        least = min(least, float(distances.min()))
    return least


def best_phasing(shell: Shell) -> tuple[int, float]:
    """The whole F whose least distance is greatest, and that distance; of several, the smallest F."""
    distances = [
        least_distance_m(replace(shell, phasing=float(f), alternating_phase=False))
        for f in range(shell.planes)
    ]
    # To the metre, so that rounding does not choose between mirror images.
    best = max(range(shell.planes), key=lambda f: (round(distances[f]), -f))
    return best, distances[best]


def refuse_collisions(shells: Sequence[Shell]) -> None:
    """Raises Refused where satellites of a shell meet, unless the shell says why they may."""
    for shell in shells:
        if shell.allow_collisions:
            continue
        least_m = least_distance_m(shell)
        if least_m < COLLISION_M:
            best, best_m = best_phasing(shell)
            raise Refused(
                "constellation.collision",
                f"shell {shell.name} with phasing F = {_phasing(shell)}",
                f"satellites of a shell keep {COLLISION_M / 1000:g} km apart, and these come within "
                f"{least_m / 1000:.3f} km of each other",
                f"F = {best} keeps {best_m / 1000:.1f} km; to reproduce a publication all the same, set "
                'allow_collisions = "which one, and why"',
            )


def separation_warnings(shells: Sequence[Shell]) -> tuple[str, ...]:
    """What nothing but station-keeping holds apart: pairs of shells that come closer than `COLLISION_M`."""
    warnings = []
    for number, one in enumerate(shells):
        for other in shells[number + 1 :]:
            if one.eccentricity > 0.0 or other.eccentricity > 0.0:
                continue
            least_m = least_distance_between_m(one, other)
            if least_m < COLLISION_M:
                warnings.append(
                    f"satellites of {one.name} and {other.name} pass within {least_m / 1000:.2f} km"
                )
    return tuple(warnings)


def _phasing(shell: Shell) -> str:
    return "half a slot, alternating" if shell.alternating_phase else f"{shell.phasing:g}"


def _offsets(shell: Shell) -> tuple[Floats, Floats]:
    """Node and phase of every satellite but the first, relative to the first."""
    node, phase = _all_satellites(shell)
    return node[1:] - node[0], phase[1:] - phase[0]


def _all_satellites(shell: Shell) -> tuple[Floats, Floats]:
    """Node and argument of latitude at epoch, (planes x satellites_per_plane,), plane by plane."""
    planes = np.arange(shell.planes)
    slots = np.arange(shell.satellites_per_plane) * (TAU / shell.satellites_per_plane)
    node = shell.first_raan_deg * RAD_PER_DEG + planes * (shell.node_spread_rad / shell.planes)
    lead = np.array([shell.phase_rad(int(plane)) for plane in planes])
    start = (shell.first_mean_anomaly_deg + shell.arg_perigee_deg) * RAD_PER_DEG
    phase = start + lead[:, np.newaxis] + slots
    return np.repeat(node, shell.satellites_per_plane), phase.ravel()


def _least_eccentric_m(shell: Shell, node_rad: Floats, phase_rad: Floats) -> float:
    """By sampling a revolution of the first satellite, then ever finer around each pair's best sample."""
    centre = np.zeros(len(node_rad))
    width = TAU
    least = np.full(len(node_rad), np.inf)
    for samples in (_SAMPLES, *[32] * _REFINEMENTS):
        grid = np.linspace(-0.5, 0.5, samples, endpoint=samples != _SAMPLES) * width
        best = centre.copy()
        for step in grid:
            mean = centre + step
            first = _position_m(shell, np.zeros_like(mean), mean)
            second = _position_m(shell, node_rad, mean + phase_rad)
            distance = np.sqrt(((first - second) ** 2).sum(axis=0))
            closer = distance < least
            least[closer], best[closer] = distance[closer], mean[closer]
        centre = best
        width = 4.0 * width / samples
    return float(least.min())


def _position_m(shell: Shell, node_rad: Floats, mean_anomaly_rad: Floats) -> Floats:
    """Keplerian positions, (3, K)."""
    e = shell.eccentricity
    eccentric = mean_anomaly_rad.copy()
    for _ in range(20):
        eccentric -= (eccentric - e * np.sin(eccentric) - mean_anomaly_rad) / (1.0 - e * np.cos(eccentric))
    along = np.cos(eccentric) - e
    across = math.sqrt(1.0 - e * e) * np.sin(eccentric)
    perigee = shell.arg_perigee_deg * RAD_PER_DEG
    x = shell.radius_m * (along * math.cos(perigee) - across * math.sin(perigee))
    y = shell.radius_m * (along * math.sin(perigee) + across * math.cos(perigee))
    cos_i, sin_i = (
        math.cos(shell.inclination_deg * RAD_PER_DEG),
        math.sin(shell.inclination_deg * RAD_PER_DEG),
    )
    cos_n, sin_n = np.cos(node_rad), np.sin(node_rad)
    return np.stack([x * cos_n - y * cos_i * sin_n, x * sin_n + y * cos_i * cos_n, y * sin_i])
