"""How flows share links of limited capacity: the same objective as the beam schedule's, exactly.

Floor first, then classes in order, then max-min of rate over wanted within a class: no flow's fraction can
rise without lowering one of its class that is no better served, or of a class before it. Where classes share
a tier (ScheduleRules), they rise together by their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Floats, ScheduleRules
from skylift.sky.schedule.sharing_kernel import fill


@dataclass(frozen=True, slots=True)
class Uses:
    """Which links flows use: U rows of flow, link, and weight (what a unit of rate takes of it)."""

    flow: npt.NDArray[np.int64]
    link: npt.NDArray[np.int64]
    weight: Floats


def joined(parts: Sequence[tuple[Uses, int]]) -> Uses:
    """The rows of several kinds of links, each with how many there are; numbered one kind after the other."""
    first = np.concatenate([[0], np.cumsum([links for _, links in parts])])
    return Uses(
        np.concatenate([uses.flow for uses, _ in parts]),
        np.concatenate([uses.link + start for (uses, _), start in zip(parts, first[:-1], strict=True)]),
        np.concatenate([uses.weight for uses, _ in parts]),
    )


def share(
    wanted_bps: Floats,
    priority: npt.NDArray[np.uint8],
    uses: Uses,
    capacity: Floats,
    rules: ScheduleRules,
) -> Floats:
    """Rates (M,) in bit/s.

    wanted_bps (M,); priority (M,) 1 to 4; capacity (L,) of each link, in its own unit; inf: none
    rules  whose floor, tiers and weights of classes hold
    """
    order = np.argsort(uses.flow, kind="stable")
    offset = np.concatenate([[0], np.cumsum(np.bincount(uses.flow, minlength=len(wanted_bps)))])
    rate = np.empty(len(wanted_bps))
    fill(
        offset.astype(np.int64),
        uses.link[order].astype(np.int64),
        uses.weight[order].astype(np.float64),
        wanted_bps.astype(np.float64),
        priority.astype(np.int64),
        rules.portions(),
        rules.floor_fraction,
        capacity.astype(np.float64),
        rate,
    )
    return rate
