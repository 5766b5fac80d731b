"""Cells of a list of sites, joined to a region's or in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h3
import numpy as np

from skylift.adapters.outlines import packaged_area, read_outline
from skylift.adapters.plan_sources import PlanInputs
from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.base.places import cells_area_km2, contains
from skylift.study.capacity import Demand, Region


def with_cells(
    inputs: PlanInputs, cells: Sequence[str], keep: bool, left_out: str | None = None
) -> tuple[PlanInputs, dict[str, int]]:
    """The inputs with these cells beside the region's (keep) or instead of them, and the index of each.

    What is wanted in cells that come in is zero; in the area `left_out` they are barred.
    """
    old = inputs.case.region if keep else Region(inputs.case.region.name, (), (), np.zeros(0))
    demand = inputs.case.demand
    wanted = demand.wanted_bps[: len(old)]
    barred = demand.barred[: len(old)]
    known = {cell: i for i, cell in enumerate(old.cells)}
    new = sorted(set(cells) - set(known))
    places = tuple(Place(*h3.cell_to_latlng(cell)) for cell in new)
    added = np.full(len(new), WhyDown.UP, dtype=np.uint8)
    if left_out is not None:
        geojson = left_out.lower().endswith((".json", ".geojson"))
        area = read_outline(Path(left_out)) if geojson else packaged_area(left_out)
        added[[contains(area, p.latitude_deg, p.longitude_deg) for p in places]] = WhyDown.REGION_NOT_ACTIVE
    region = Region(
        old.name if keep else "the cells of the sites",
        (*old.cells, *new),
        (*old.places, *places),
        np.concatenate([old.area_km2, [cells_area_km2([cell]) for cell in new]]),
    )
    joined = Demand(
        np.concatenate([wanted, np.zeros((len(new), wanted.shape[1]))]), np.concatenate([barred, added])
    )
    case = replace(inputs.case, region=region, demand=joined)
    return replace(inputs, case=case), {cell: i for i, cell in enumerate(region.cells)}
