"""Makes a catalogue from Walker shells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skylift.base.errors import Refused
from skylift.base.units import RAD_PER_DEG
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.separation import refuse_collisions
from skylift.sky.orbit.shells import TAU, Shell

# Catalogued objects stood near 69,000 in 2026, analyst objects use 80,000-89,999 and 270,000-279,999. From
# 300,001 on no number is in use, and Alpha-5 (at most 339,999) still writes 39,999 satellites into a TLE.
FIRST_GENERATED_NORAD = 300_001


def generate(shells: Sequence[Shell], epoch_us: int, first_norad: int = FIRST_GENERATED_NORAD) -> Catalogue:
    """The satellites of all shells at `epoch_us`, without drag: shell by shell, plane by plane, slot by slot.

    Satellite s of plane p of a shell stands at index (satellites of the shells before) +
    p * satellites_per_plane + s; `Catalogue.shell` is the index in `shells`. Elements are SGP4 mean elements;
    all satellites of a shell share mean motion, eccentricity and inclination, so J2 moves them in step and
    the pattern lasts.
    Raises Refused if satellites of a shell would meet (see `separation.refuse_collisions`).
    """
    if not shells:
        raise Refused("constellation.empty", "constellation", "it has at least one shell", "add a [[shell]]")
    refuse_collisions(shells)
    counts = [shell.count for shell in shells]
    total = sum(counts)
    phases = [_plane_and_phase(shell) for shell in shells]

    def column(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.repeat(np.array(values, dtype=np.float64), counts)

    return Catalogue(
        norad=np.arange(first_norad, first_norad + total, dtype=np.int32),
        name=tuple(name for shell in shells for name in _names(shell)),
        shell=np.repeat(np.arange(len(shells), dtype=np.int32), counts),
        epoch_us=np.full(total, epoch_us, dtype=np.int64),
        inclination_rad=column([shell.inclination_deg * RAD_PER_DEG for shell in shells]),
        raan_rad=np.concatenate([node for node, _ in phases]),
        eccentricity=column([shell.eccentricity for shell in shells]),
        arg_perigee_rad=column([shell.arg_perigee_deg * RAD_PER_DEG for shell in shells]),
        mean_anomaly_rad=np.concatenate([mean for _, mean in phases]),
        mean_motion_rad_per_s=column([shell.mean_motion_rad_per_s for shell in shells]),
        bstar_per_earth_radius=np.zeros(total),
        ndot_rev_per_day2=np.zeros(total),
        nddot_rev_per_day3=np.zeros(total),
        cospar=("",) * total,
        classification=("U",) * total,
        element_set=np.full(total, 1, dtype=np.int32),
        revolution=np.zeros(total, dtype=np.int32),
    )


def _plane_and_phase(shell: Shell) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Node and mean anomaly of each satellite, 0 to 2 pi, (planes x satellites_per_plane,)."""
    planes = np.arange(shell.planes)
    slots = np.arange(shell.satellites_per_plane) * (TAU / shell.satellites_per_plane)
    node = shell.first_raan_deg * RAD_PER_DEG + planes * (shell.node_spread_rad / shell.planes)
    lead = np.array([shell.phase_rad(int(plane)) for plane in planes])
    mean = shell.first_mean_anomaly_deg * RAD_PER_DEG + lead[:, np.newaxis] + slots
    return np.repeat(node, shell.satellites_per_plane) % TAU, mean.ravel() % TAU


def _names(shell: Shell) -> list[str]:
    width_p, width_s = len(str(shell.planes - 1)), len(str(shell.satellites_per_plane - 1))
    return [
        f"{shell.name} P{plane:0{max(2, width_p)}d} S{slot:0{max(2, width_s)}d}"
        for plane in range(shell.planes)
        for slot in range(shell.satellites_per_plane)
    ]
