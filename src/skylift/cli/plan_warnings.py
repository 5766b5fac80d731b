"""What a planner should know before the work begins, on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skylift.adapters.plan_sources import PlanInputs

# A schedule of one slot, searched and levelled, takes about so long for each cell on one core, and the study
# so much memory: Ukraine and Canada, behind every packaged gateway, November 2026.
_S_PER_CELL = 7e-5
_BYTES = 400e6
_BYTES_PER_CELL = 15_000
# Below this nobody minds.
_LONG_S = 120.0
# Steps of H3 resolution divide area by seven.
_COARSER = 7


def warn(inputs: PlanInputs, schedules: int) -> None:
    """Doubts about what was given, and about how long so many schedules take where that is long."""
    for doubt in inputs.doubts:
        sys.stderr.write(f"warning: {doubt}\n")
    cost = _cost(len(inputs.case.region), schedules)
    if cost:
        sys.stderr.write(f"warning: {cost}\n")


def _cost(cells: int, schedules: int) -> str:
    seconds = cells * schedules * _S_PER_CELL
    if seconds < _LONG_S:
        return ""
    gigabytes = (_BYTES + cells * _BYTES_PER_CELL) / 1e9
    return (
        f"{cells:,} cells in {schedules:,} schedules: this takes about {seconds / 60:,.0f} minutes and "
        f"{gigabytes:,.1f} GB; with one --resolution coarser there are {_COARSER} times fewer cells"
    )
