"""The links of many terminals as a running service tells them, slot by slot, over its live stream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from skylift.adapters.packet_net_sky import AT_ONCE, Told
from skylift.adapters.packet_server import SILENT, ServerLink, follow, slot_of
from skylift.adapters.packet_sky import Failure, LinkSlot
from skylift.base.errors import Refused, SkyliftError

# Of the office's terminals the service gives so many at most (api/office/links.py).
_MOST = 5_000


def net_server_main(pipe: Connection, link: ServerLink, wanted: tuple[str, ...], _at_us: int) -> None:
    """The life of the process: the terminals' ids, then their slots as the service tells them.

    wanted  ids; () for all that the service shows
    """
    try:
        tell(pipe, link, wanted)
    except SkyliftError as error:
        pipe.send(Failure(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def tell(pipe: Connection, link: ServerLink, wanted: Sequence[str]) -> None:
    """Follow the service for ever. Raises Refused or Unavailable where it never tells of the terminals."""
    ids: list[str] = []

    def told(document: dict[str, Any]) -> Iterator[list[str] | Told]:
        rows = {str(row["terminal"]): row for row in document["links"]}
        if not ids:
            named = list(dict.fromkeys(wanted)) or list(rows)
            slots = [_slot(document, rows, id, link) for id in named]
            ids.extend(named)
            yield ids
        else:
            slots = [_slot_or_none(document, rows, id, link) for id in ids]
        yield from _in_parts(slots)

    follow(
        pipe, link, told, lambda slot: _in_parts([slot] * len(ids)), f"?limit={_MOST}" if link.token else ""
    )


def _slot(document: dict[str, Any], rows: dict[str, Any], id: str, link: ServerLink) -> LinkSlot:
    return slot_of({**document, "links": [rows[id]]} if id in rows else document, id, link)


def _slot_or_none(document: dict[str, Any], rows: dict[str, Any], id: str, link: ServerLink) -> LinkSlot:
    """A terminal that the service no longer shows has no link; the others keep theirs."""
    try:
        return _slot(document, rows, id, link)
    except Refused:
        length_us = round(float(document["slot_length_s"]) * 1e6)
        return LinkSlot(int(document["at_us"]), length_us, SILENT)


def _in_parts(slots: Sequence[LinkSlot]) -> Iterator[Told]:
    numbered = list(enumerate(slots))
    for first in range(0, len(numbered), AT_ONCE):
        yield numbered[first : first + AT_ONCE]
