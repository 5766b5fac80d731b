"""Lists: search, filters, page by page; only what the visitor may read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from skylift.api.office.listing import after_cursor, only_own, page_of
from skylift.api.site.kinds import KindPage, standing_badge
from skylift.api.site.known import regions_of
from skylift.api.site.titles import render
from skylift.api.site.values import Badge, Link, path_of, short
from skylift.api.site.visit import NAMES, Visit, Work
from skylift.base.errors import Refused
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.twin.office.approvals import standing_now

ON_A_PAGE = 25


def list_page(kind: KindPage) -> Work:
    async def show(visit: Visit) -> Response:
        reach = f"{kind.kind}.read"
        if not visit.allows(reach):
            visit.desk.office.refuse_strangers(visit.who, reach, Subject())
        wanted, told = _wanted(visit, kind)
        asked = only_own(visit.who, wanted)
        office, actor = visit.desk.office, visit.who
        found, following = await visit.desk.read(lambda r: page_of(r, office, actor, kind.room, asked))
        return await render(
            visit,
            "list.html",
            title=NAMES[kind.kind],
            kind=kind,
            rows=_rows(kind, found, visit.now_us, await _standing(visit, kind, found)),
            told=told,
            regions=await regions_of(visit) if "region" in kind.filters else (),
            next=_next(kind, told, following),
            is_first=not wanted.after,
            filtered=any(value for name, value in told.items() if name != "cursor"),
            create=f"{kind.kind}.create" in visit.desk.office.table.verbs
            and visit.allows(f"{kind.kind}.create"),
        )

    return show


def _wanted(visit: Visit, kind: KindPage) -> tuple[Wanted, dict[str, str]]:
    query = visit.request.query_params
    told = {
        name: query.get(name, "").strip() for name in ("q", "status", "region", "owner", "order", "cursor")
    }
    if any("\0" in text or len(text) > 200 for text in told.values()):
        raise Refused("parameter.text", "a filter", "it is a text of at most 200 characters", "shorten it")
    wanted = Wanted(
        told["status"],
        told["region"],
        told["owner"],
        tuple(told["q"].split()[:8]),
        after_cursor(told["cursor"]),
        ON_A_PAGE,
        newest=told["order"] != "oldest",
    )
    return wanted, told


async def _standing(visit: Visit, kind: KindPage, found: Sequence[Stored[Any]]) -> dict[str, Badge]:
    """How agreements stand, by id, with what they are about."""
    if kind.kind != "approval":
        return {}

    def look(reader: Reader) -> dict[str, Badge]:
        return {one.id: standing_badge(standing_now(reader, one.thing, visit.now_us)) for one in found}

    return await visit.desk.read(look)


def _rows(
    kind: KindPage, found: Sequence[Stored[Any]], now_us: int, standing: dict[str, Badge]
) -> list[dict[str, Any]]:
    return [
        {
            "main": Link(kind.heading(one.thing), path_of(kind.kind, one.id)),
            "id": short(one.id),
            "cells": list(zip(kind.columns, kind.row(one.thing, now_us), strict=True)),
            "state": standing.get(one.id) or kind.badge(one.thing, now_us),
        }
        for one in found
    ]


def _next(kind: KindPage, told: dict[str, str], following: str | None) -> str:
    if following is None:
        return ""
    kept = {name: value for name, value in (told | {"cursor": following}).items() if value}
    return f"{path_of(kind.kind)}?{urlencode(kept)}"
