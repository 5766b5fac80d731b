"""What may be done to a region, by its rules. Each decision returns events; nothing is saved here.

Who may ask for it (role, scope, second person) is decided before: `approval` is the id of an agreement that
was given to exactly this change.
"""

from __future__ import annotations

from collections.abc import Sequence

import h3

from skylift.base import cells as h3_cells
from skylift.base.countries import read_country
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs, format_instant, parse_instant
from skylift.service.region.events import (
    CellMode,
    CellsRemoved,
    CellsSet,
    Limits,
    Paper,
    PaperGranted,
    PaperRevoked,
    ProhibitionLifted,
    RegionActivated,
    RegionEvent,
    RegionOpened,
    RegionProhibited,
    RegionRefused,
    RegionRequested,
    RegionSuspended,
)
from skylift.service.region.state import CYCLE, Region

LATEST_US = int(parse_instant("2200-01-01"))
# About 250 km2; homes of terminals and the sky's own cells are matched with it.
CELL_RESOLUTION = 5
# An emergency authorisation ends by itself: what is needed for longer is an ordinary licence.
LONGEST_TEMPORARY_US = 180 * 86_400 * 1_000_000


def opened(
    region: Region, who: Who, country: str, title: str, cells: Sequence[str]
) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionOpened)
    read_country(country, "region")
    if not cells:
        raise Refused(
            "region.no-cells", "cells", "a region has at least one", "name its cells, or its country"
        )
    _cells(cells)
    return (RegionOpened(who.at, who.by, region.id, who.cause_id, country, title, tuple(sorted(set(cells)))),)


def requested(region: Region, who: Who) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionRequested)
    return (RegionRequested(who.at, who.by, region.id, who.cause_id),)


def granted(
    region: Region, who: Who, paper: Paper, authority: str, document: str, validity: tuple[int, int]
) -> tuple[RegionEvent, ...]:
    """`validity`: from and until."""
    CYCLE.after(region.id, region.state, PaperGranted)
    valid_from, valid_until = validity
    if not 0 <= valid_from < valid_until <= LATEST_US:
        raise Refused(
            "region.validity",
            "validity",
            "it ends after it begins, and within the years 1970 to 2199",
            "give a later end; nothing is granted for ever",
        )
    if valid_until <= who.at:
        raise Refused(
            "region.expired", paper.value, f"it ran out at {format_instant(valid_until)}", "ask for a new one"
        )
    if paper is Paper.TEMPORARY and valid_until - valid_from > LONGEST_TEMPORARY_US:
        raise Refused(
            "region.too-long",
            paper.value,
            f"an emergency authorisation lasts at most {LONGEST_TEMPORARY_US // 86_400_000_000} days",
            "give an earlier end, and ask for the ordinary papers meanwhile",
        )
    if not authority or not document:
        raise Refused(
            "region.no-document", paper.value, "it names who issued it and its reference", "give both of them"
        )
    return (
        PaperGranted(
            who.at, who.by, region.id, who.cause_id, paper, authority, document,
            InstantUs(valid_from), InstantUs(valid_until),
        ),
    )  # fmt: skip


def revoked(region: Region, who: Who, paper: Paper, authority: str, reason: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, PaperRevoked)
    if paper not in region.papers:
        raise Refused("region.no-paper", paper.value, "it was not granted here", "list the region's papers")
    return (PaperRevoked(who.at, who.by, region.id, who.cause_id, paper, authority, reason),)


def refused(region: Region, who: Who, authority: str, reason: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionRefused)
    return (RegionRefused(who.at, who.by, region.id, who.cause_id, authority, reason),)


def activated(region: Region, who: Who, approval: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionActivated)
    missing = region.missing_papers(who.at)
    if missing:
        raise Refused(
            "region.papers-missing",
            f"region {region.id}",
            f"it lacks {', '.join(paper.value for paper in missing)}",
            "have them granted, or a temporary authorisation",
        )
    return (RegionActivated(who.at, who.by, region.id, who.cause_id, approval),)


def suspended(region: Region, who: Who, reason: str, approval: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionSuspended)
    return (RegionSuspended(who.at, who.by, region.id, who.cause_id, reason, approval),)


def prohibited(region: Region, who: Who, authority: str, reason: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, RegionProhibited)
    return (RegionProhibited(who.at, who.by, region.id, who.cause_id, authority, reason),)


def lifted(region: Region, who: Who, authority: str, reason: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, ProhibitionLifted)
    return (ProhibitionLifted(who.at, who.by, region.id, who.cause_id, authority, reason),)


def cells_set(
    region: Region, who: Who, cells: Sequence[str], mode: CellMode, limits: Limits | None, approval: str
) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, CellsSet)
    if not cells:
        raise Refused("region.no-cells", "cells", "at least one is named", "name the cells")
    _cells(cells)
    if limits is not None and mode is not CellMode.RESTRICTED:
        raise Refused(
            "region.limits", "limits", "only restricted cells have them", "set the mode to restricted"
        )
    if limits is not None and any(not 0 <= hour <= 23 for hour in limits.hours_utc):
        raise Refused("region.hours", "hours_utc", "hours are 0 to 23", "correct the hours")
    if limits is not None and limits.speed_cap_bps is not None and not limits.speed_cap_bps > 0:
        raise Refused("region.speed-cap", "speed_cap_bps", "it is above 0", "give a rate, or leave it out")
    return (
        CellsSet(who.at, who.by, region.id, who.cause_id, tuple(sorted(set(cells))), mode, approval, limits),
    )


def cells_removed(region: Region, who: Who, cells: Sequence[str], approval: str) -> tuple[RegionEvent, ...]:
    CYCLE.after(region.id, region.state, CellsRemoved)
    strange = sorted(set(cells) - set(region.cells))
    if strange or not cells:
        raise Refused(
            "region.unknown-cell",
            f"cell {strange[0]}" if strange else "cells",
            "it does not belong to the region" if strange else "at least one is named",
            "list the region's cells",
        )
    return (CellsRemoved(who.at, who.by, region.id, who.cause_id, tuple(sorted(set(cells))), approval),)


def is_cell(text: str) -> bool:
    """Whether it is an H3 cell of the one resolution that service is decided in."""
    return bool(h3_cells.is_cell(text) and h3.get_resolution(text) == CELL_RESOLUTION)


def _cells(cells: Sequence[str]) -> None:
    """Raises Refused for what is no cell of the one resolution that service is decided in.

    Coarser ones would hold nobody, finer ones are exact places, and other texts may name people: the journal
    keeps them for ever. None is repeated.
    """
    for cell in cells:
        if not is_cell(cell):
            raise Refused(
                "region.cell",
                "cells",
                f"each is an H3 cell of resolution {CELL_RESOLUTION}, such as 851e6387fffffff",
                "give its parent cell, or all its children, of that resolution",
            )
