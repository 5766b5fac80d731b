"""What the sky process tells the server. Light to import: the server loads neither NumPy nor Arrow.

Columns travel as bytes in the machine's own order, since both ends are on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Hello:
    """Sent once a world is loaded: all that stays the same.

    norad            int32 (N,)
    names            N texts, "" where unknown
    terminals        M ids, in the order of the rows of links
    *_document       JSON as handed out
    about            JSON-able
    """

    norad: bytes
    names: tuple[str, ...]
    terminals: tuple[str, ...]
    slot_length_us: int
    terminals_document: bytes
    gateways_document: bytes
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One slot.

    links  the document of /api/v1/links, JSON
    latitude_deg, longitude_deg, altitude_km  float64 (N,) at slot start, geodetic; nan where not valid
    pair_*  satellites above each terminal's least elevation at slot start, by terminal: offset int64 (M+1,),
            satellite int32 (K,), elevation and azimuth float64 (K,), usable uint8 (K,): usable by the
            terminal's dish during the whole slot
    """

    at_us: int
    late: bool
    links: bytes
    latitude_deg: bytes
    longitude_deg: bytes
    altitude_km: bytes
    pair_offset: bytes
    pair_satellite: bytes
    pair_elevation_deg: bytes
    pair_azimuth_deg: bytes
    pair_usable: bytes


@dataclass(frozen=True, slots=True)
class MapReady:
    """The document of /api/v1/map, JSON; sent after the first slot, which must not wait for it."""

    document: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The world could not be loaded, or the twin broke. `error` has what a SkyliftError says.

    refused  the caller's fault: it will fail again in the same way
    """

    error: dict[str, str]
    refused: bool
