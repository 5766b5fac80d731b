"""Which region a cell is in, for those who name a cell alone."""

from __future__ import annotations

from skylift.ports.store import Reader
from skylift.service.region.state import ROOM
from skylift.twin.office.pages import every


def region_of(reader: Reader, cell: str) -> str:
    """The region that holds a cell; "" where none does, or several: then somebody has to say which."""
    held = [stored.id for stored in every(reader, ROOM) if cell in stored.thing.cells] if cell else []
    return held[0] if len(held) == 1 else ""
