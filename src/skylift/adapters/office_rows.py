"""The office's terminals of a slot as columns: a hundred thousand rows are not written out for nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.adapters.links_file import DELAY_DECIMALS, Names
from skylift.adapters.sky_messages import COLUMNS
from skylift.base.link import LinkTable
from skylift.base.units import DEG_PER_RAD
from skylift.sky.coverage.usable import UsablePairs
from skylift.twin.look import Sky

_TYPES = {"i": np.int32, "h": np.int16, "f": np.float32, "d": np.float64, "B": np.uint8, "q": np.int64}


def first_rows(sky: Sky, links: LinkTable, rows: int) -> tuple[Sky, LinkTable]:
    """The first rows of a slot, as if there were no others."""
    if rows == len(links.satellite):
        return sky, links
    users = sky.users
    pairs = slice(int(users.site_offset[rows]))
    few = UsablePairs(
        site_offset=users.site_offset[: rows + 1],
        satellite=users.satellite[pairs],
        elevation_rad=users.elevation_rad[pairs],
        azimuth_rad=users.azimuth_rad[pairs],
        range_start_m=users.range_start_m[pairs],
        range_end_m=users.range_end_m[pairs],
        arc_rad=users.arc_rad[pairs],
        above_count=users.above_count[:rows],
        in_field_count=users.in_field_count[:rows],
    )
    cut = {
        name: getattr(links, name)[:rows]
        for name in LinkTable.__slots__
        if name not in ("at_us", "path", "path_offset", "beams")
    }
    offset = links.path_offset[: rows + 1]
    return replace(sky, users=few), replace(
        links, **cut, path_offset=offset, path=links.path[: offset[-1]], beams=None
    )


def office_columns(
    sky: Sky, links: LinkTable, before: LinkTable | None, names: Names, first: int
) -> dict[str, bytes]:
    """The rows from `first` on, with the digits that they have in links.parquet; nan and -1 for nothing.

    before  as for `link_rows`
    """
    rows = slice(first, None)
    users = sky.users
    handover = links.handover
    if before is not None:
        count = min(len(links.satellite), len(before.satellite))
        now, then = links.satellite[:count], before.satellite[:count]
        handover = handover.copy()
        handover[:count] = (now >= 0) & (then >= 0) & (now != then)
    satellite = np.where(links.satellite >= 0, names.norad[links.satellite], -1)
    values: dict[str, npt.NDArray[Any]] = {
        "satellite": satellite[rows],
        "gateway": links.gateway[rows],
        "pop": links.pop[rows],
        "path": names.norad[links.path[links.path_offset[first] :]],
        "path_offset": links.path_offset[rows] - links.path_offset[first],
        "elevation_deg": links.elevation_rad[rows] * DEG_PER_RAD,
        "azimuth_deg": links.azimuth_rad[rows] * DEG_PER_RAD,
        "one_way_delay_up_us": np.round(links.delay_up_us[rows], DELAY_DECIMALS),
        "one_way_delay_down_us": np.round(links.delay_down_us[rows], DELAY_DECIMALS),
        "one_way_delay_up_end_us": np.round(links.delay_up_end_us[rows], DELAY_DECIMALS),
        "one_way_delay_down_end_us": np.round(links.delay_down_end_us[rows], DELAY_DECIMALS),
        "propagation_us": np.round(links.propagation_us[rows], DELAY_DECIMALS),
        "fibre_us": np.round(links.fibre_us[rows], DELAY_DECIMALS),
        "down_bps": np.round(links.down_bps[rows]),
        "up_bps": np.round(links.up_bps[rows]),
        "loss_fraction": links.loss_fraction[rows],
        "handover": handover[rows],
        "why_down": links.why_down[rows],
        "satellites_in_view": users.above_count[rows],
        "satellites_usable": users.clear_count[rows],
    }
    return {
        name: np.ascontiguousarray(values[name], dtype=_TYPES[code]).tobytes()
        for name, code in COLUMNS.items()
    }
