"""Pictures on a terminal's page: its last year, and what stands before it where its owner shares that."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

from skylift.api.office.door import ID
from skylift.api.office.problems import missing
from skylift.api.site.values import DAY_US
from skylift.api.site.visit import Visit
from skylift.ports.telemetry import HOUR
from skylift.service.account.roles import Subject
from skylift.service.terminal.sharing import SharedKind, Sharing
from skylift.service.terminal.state import Terminal

YEAR_US = 365 * DAY_US


def has_year(visit: Visit, terminal: str) -> bool:
    """Whether anything was reported in the last year."""
    intake = visit.desk.intake
    newest = None if intake is None else intake.states.get(terminal)
    return newest is not None and bool(newest.at_us > visit.now_us - YEAR_US)


def has_map(visit: Visit, terminal: Terminal, shared: Iterable[Sharing]) -> bool:
    """Whether its owner shares a map of what stands before it, and this visitor may see such things."""
    told = any(SharedKind.OBSTRUCTION_MAP in one.kinds for one in shared)
    return told and visit.allows("terminal.read-personal", Subject(terminal.region, terminal.owner))


async def year(visit: Visit) -> Response:
    """The year's picture."""
    from_us = visit.now_us - YEAR_US
    return await _picture(visit, f"history?format=png&level={HOUR}&from={from_us}")


async def obstructions(visit: Visit) -> Response:
    """The obstruction map; that the visitor looked is journalled by the door."""
    return await _picture(visit, "place?format=png")


async def _picture(visit: Visit, path: str) -> Response:
    id = visit.request.path_params["id"]
    if not ID.fullmatch(id):
        raise missing("picture")
    found = await visit.ask("GET", f"terminals/{id}/{path}")
    if not found.is_done:
        raise missing("picture")
    return Response(found.document, media_type="image/png")
