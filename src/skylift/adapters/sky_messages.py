"""What the sky process and the server tell each other. Light to import: the server loads no Arrow.

Columns travel as bytes in the machine's own order, since both ends are on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from skylift.twin.permit import Columns, Reasons
from skylift.wire.dish.told import DishSeen


@dataclass(frozen=True, slots=True)
class Hello:
    """Sent once a world is loaded: all that stays the same.

    norad            int32 (N,)
    names            N texts, "" where unknown
    terminals        M ids, in the order of the rows of links
    *_document       JSON as handed out
    about            JSON-able
    cells            H3 cell, resolution 5, of each terminal
    """

    norad: bytes
    names: tuple[str, ...]
    terminals: tuple[str, ...]
    slot_length_us: int
    terminals_document: bytes
    gateways_document: bytes
    about: dict[str, Any]
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PermitsWanted:
    """The sky is about to compute the slot at `at_us`, and asks what the office says.

    anew  it knows nothing: all of it is wanted
    """

    at_us: int
    anew: bool


@dataclass(frozen=True, slots=True)
class Permits:
    """What the office says for the slot at `at_us`: what is new since the message before, or `anew` all.

    life      which of the server's records of what the sky was told this belongs to
    sequence  of the journal, up to which all that was written counts
    columns   of the permits: twin.permit.columns_of
    heard     False: the office cannot say anything now, and nobody need wait for it
    dishes    (terminal, why its emulated dish is off the air; "" where it is on) of those that have one
    """

    at_us: int
    anew: bool
    life: int
    sequence: int
    columns: Columns
    reasons: tuple[Reasons, ...]
    heard: bool = True
    dishes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OfficeRows:
    """The office's terminals in the links of one slot: columns, in the order of `terminals`.

    life, sequence  of the Permits that the slot was computed from
    terminals  ids; "" for a row of nobody's. None: the same as in the slot before
    matched    the office's terminal that each of the scenario's is, in their order; "" for none
    why        int32: number of the reasons why it is barred, among those told; -1 for none
    columns    by name, as in a row of links; path_offset int64 (rows + 1,). What they hold, `COLUMNS` says
    """

    life: int
    sequence: int
    terminals: tuple[str, ...] | None
    matched: tuple[str, ...]
    matched_why_down: bytes
    why: bytes
    columns: dict[str, bytes]


# Codes of memoryview.cast: i int32, h int16, f float32, d float64, B uint8, q int64.
COLUMNS: dict[str, Literal["i", "h", "f", "d", "B", "q"]] = {
    "satellite": "i",
    "gateway": "h",
    "pop": "h",
    "path": "i",
    "path_offset": "q",
    "elevation_deg": "f",
    "azimuth_deg": "f",
    "one_way_delay_up_us": "d",
    "one_way_delay_down_us": "d",
    "one_way_delay_up_end_us": "d",
    "one_way_delay_down_end_us": "d",
    "propagation_us": "d",
    "fibre_us": "d",
    "down_bps": "d",
    "up_bps": "d",
    "loss_fraction": "d",
    "handover": "B",
    "why_down": "B",
    "satellites_in_view": "h",
    "satellites_usable": "h",
}


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One slot.

    links  the document of /api/v1/links, JSON
    latitude_deg, longitude_deg, altitude_km  float64 (N,) at slot start, geodetic; nan where not valid
    pair_*  satellites above each terminal's least elevation at slot start, by terminal: offset int64 (M+1,),
            satellite int32 (K,), elevation and azimuth float64 (K,), usable uint8 (K,): usable by the
            terminal's dish during the whole slot
    seen    by terminal: what an emulated dish of it sees
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
    office: OfficeRows | None = None
    seen: dict[str, DishSeen] = field(default_factory=dict)


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
