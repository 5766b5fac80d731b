"""Which format a catalogue's text is in, told by its content; and the one way to read any of them."""

from __future__ import annotations

from skylift.sky.orbit.records import CatalogueFile
from skylift.sky.orbit.tle import read_tle


def parse_catalogue(text: str, source: str = "catalogue", lenient: bool = False) -> CatalogueFile:
    """Reads a catalogue's text. Raises Refused with the line and the way out; see `CatalogueFile`."""
    return read_tle(text.removeprefix("\ufeff"), source, lenient)
