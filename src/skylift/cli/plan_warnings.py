"""What a planner should know before the work begins, on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skylift.adapters.plan_sources import PlanInputs

# A schedule of one slot, searched and levelled, takes about so long for each cell on one core where a beam
# covers ten of them: Ukraine and Canada at resolution 5, the packaged satellites and gateways, November 2026.
# Of finer cells it covers more, and each is looked at; so is each array of more satellites.
_S_PER_CELL, _UNDER_A_BEAM, _ARRAYS = 7e-5, 10.0, 3_168
# Below these nobody minds.
_LONG_S, _LARGE_GB = 120.0, 2.0
# Steps of H3 resolution divide area by seven.
_COARSER = 7


def warn(inputs: PlanInputs, schedules: int) -> None:
    """Doubts about what was given, and about how long so many schedules take where that is long."""
    for doubt in inputs.doubts:
        sys.stderr.write(f"warning: {doubt}\n")
    case = inputs.case
    arrays = case.radio.system.arrays_of(case.catalogue.name)
    count = len(case.catalogue) if arrays is None else int(arrays.sum())
    cost = _cost(len(case.region), schedules, float(case.region.area_km2.mean()), count)
    if cost:
        sys.stderr.write(f"warning: {cost}\n")


def _cost(cells: int, schedules: int, cell_km2: float, arrays: int = _ARRAYS) -> str:
    from skylift.study.capacity import cells_under_a_beam, memory_bytes
    from skylift.study.readable import counted

    finer = max(cells_under_a_beam(cells, cell_km2) / _UNDER_A_BEAM, 1.0)
    seconds = cells * schedules * _S_PER_CELL * finer * max(arrays / _ARRAYS, 1.0)
    gigabytes = memory_bytes(cells, cell_km2) / 1e9
    if seconds < _LONG_S and gigabytes < _LARGE_GB:
        return ""
    minutes = counted(max(round(seconds / 60), 1), "minute")
    work = f"{counted(cells, 'cell')} in {counted(schedules, 'schedule')}"
    return (
        f"{work}: by a rule of thumb this takes about {minutes} and {gigabytes:,.1f} GB; "
        f"with one --resolution coarser there are {_COARSER} times fewer cells"
    )
