"""Tables of calls for help. Who asked, and in which words, goes to rows that can be erased; of a call that is
there a table changes where it is, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h3

from skylift.service.request.events import Channel, SiteKind
from skylift.service.request.state import ROOM, Request
from skylift.twin.office.imports import ImportKind, Row, Step
from skylift.twin.office.imports_columns import (
    FINEST,
    cell_column,
    fails,
    id_column,
    id_of,
    instant,
    number,
    one_of,
    personal,
    told,
    whole,
)
from skylift.twin.office.imports_table import Column

_SAID = "a call stays as it was made: leave the cell empty"
_TOLD = "it is set by what is done to it, not by a table: leave the cell empty"
_PERSONAL = ("asker", "contact", "site", "words", "link", "author", "latitude_deg", "longitude_deg")


def _degrees(name: str, most: float, *aliases: str) -> Column:
    column = number(name, *aliases, personal=True)

    def read(text: str) -> float:
        value: float = column.read(text)
        if abs(value) > most:
            raise fails(f"it is -{most:g} to {most:g} degrees", "are latitude and longitude swapped?")
        return value

    return Column(name, read, aliases=aliases, personal=True, takes=column.takes)


COLUMNS = (
    id_column("req"),
    told("status"),
    one_of("channel", Channel, "канал", fixed=_SAID),
    one_of("site_kind", SiteKind, "kind", "тип", fixed=_SAID),
    instant("asked_at", "asked", "date", fixed=_SAID),
    instant("received_at", fixed=_TOLD),
    whole("people", "людей", fixed=_SAID),
    whole("terminals_wanted", "terminals", "терміналів", fixed=_SAID),
    cell_column(),
    id_of("region", "rgn"),
    instant("needed_by", "until", fixed=_SAID),
    told("verified_by"),
    whole("granted", fixed=_TOLD),
    whole("delivered", fixed=_TOLD),
    told("merged_into"),
    personal("asker", "name", "хто"),
    personal("contact", "phone", "телефон"),
    personal("site", "address", "адреса"),
    personal("words", "text", "текст"),
    personal("link", "url"),
    personal("author"),
    _degrees("latitude_deg", 90.0, "latitude", "lat", "широта"),
    _degrees("longitude_deg", 180.0, "longitude", "lon", "довгота"),
)
_OF_CALL = ("channel", "site_kind", "asked_at", "people", "terminals_wanted", "cell", "region", "needed_by")


def _begin(row: Row) -> Sequence[Step]:
    if "site_kind" not in row:
        raise fails("a new call says what it is for: site_kind", "write for example hospital")
    said = {name: row[name] for name in (*_OF_CALL, *_PERSONAL) if name in row}
    if "cell" not in said and {"latitude_deg", "longitude_deg"} <= said.keys():
        # The exact place goes to rows that can be erased; the cell is what the journal knows.
        said["cell"] = h3.latlng_to_cell(said["latitude_deg"], said["longitude_deg"], FINEST)
    return (Step("request.create", {"channel": Channel.CSV.value, **said}),)


def _change(request: Request, row: Row) -> Sequence[Step]:
    place = (row.get("cell", request.cell), row.get("region", request.region))
    if place == (request.cell, request.region):
        return ()
    return (Step("request.place", {"cell": place[0], "region": place[1]}),)


def _show(request: Request, row: Row) -> Mapping[str, Any]:
    return {
        "id": request.id,
        "status": request.state.value,
        "channel": request.channel.value,
        "site_kind": request.site_kind.value,
        "asked_at": request.asked_at,
        "received_at": request.received_at,
        "people": request.people,
        "terminals_wanted": request.terminals_wanted,
        "cell": request.cell or None,
        "region": request.region or None,
        "needed_by": request.needed_by,
        "verified_by": request.verified_by or None,
        "granted": request.granted,
        "delivered": request.delivered,
        "merged_into": request.merged_into or None,
    }


REQUESTS = ImportKind(
    room=ROOM,
    columns=COLUMNS,
    needs=(("id", "site_kind"),),
    keys=(),
    begin=_begin,
    change=_change,
    show=_show,
    rows=lambda request: (_show(request, {}),),
)
