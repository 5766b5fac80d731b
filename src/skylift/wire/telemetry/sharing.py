"""What an owner lets the agent tell of a dish's place: one signed document, all that is shared.

It travels apart from rows and is kept on no board: what waits there while the link is down holds no place.
Without NumPy: the agent writes these on a small board.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from skylift.base.errors import Refused

PATH: Final = "/api/v1/agent/shared"
LOCATION, EXACT = "location", "location-exact"
OBSTRUCTIONS, BORESIGHT, SATELLITES = "obstruction-map", "boresight", "satellite-trace"
KINDS: Final = (LOCATION, EXACT, OBSTRUCTIONS, BORESIGHT, SATELLITES)
# A cell of 5 has some 250 km2, one of 7 some 5 km2 (h3geo.org, statistics across resolutions): a village.
USUAL_RESOLUTION, FINEST_RESOLUTION = 5, 7
# A map of 2026 has 123 x 123 pixels; the satellites of an hour are 240.
MOST_PIXELS_ACROSS: Final = 256
MOST_SATELLITES: Final = 240
UNSEEN: Final = -1.0
_UNSEEN_BYTE, _CLEAR_BYTE = 255, 100

Kind = Literal["location", "location-exact", "obstruction-map", "boresight", "satellite-trace"]
Frame = Literal["unknown", "earth", "ut"]
_Degrees = Annotated[float, msgspec.Meta(ge=-360, le=360)]
_Whole = Annotated[int, msgspec.Meta(ge=-(2**60), le=2**60)]
_Across = Annotated[int, msgspec.Meta(ge=1, le=MOST_PIXELS_ACROSS)]


P = TypeVar("P", bound=msgspec.Struct)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not known here is refused: it might be a place. Its repr hides what there is."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"


class Located(_Strict, frozen=True):
    """Where the dish says it is: an H3 cell, or exactly."""

    cell: Annotated[str, msgspec.Meta(max_length=16, pattern="^[0-9a-f]*$")] = ""
    latitude_deg: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    longitude_deg: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None

    @property
    def is_exact(self) -> bool:
        return self.latitude_deg is not None or self.longitude_deg is not None


class Obstructions(_Strict, frozen=True):
    """Its map. frame: earth (north is up) or ut (the dish's own); pixels: as `packed` makes them."""

    rows: _Across
    columns: _Across
    frame: Frame
    pixels: Annotated[str, msgspec.Meta(max_length=MOST_PIXELS_ACROSS**2 * 2)]


class Boresight(_Strict, frozen=True):
    """Where it points; null where it does not say."""

    azimuth_deg: _Degrees | None = None
    elevation_deg: _Degrees | None = None
    tilt_deg: _Degrees | None = None


class Shared(_Strict, frozen=True):
    """What POST /api/v1/agent/shared takes: the whole of it, each time.

    word   1, 2, 3 ...: which word of the owner's it is; an older one counts no more
    kinds  what the owner lets it tell; none: all is taken back, and erased
    at_us  when the dish was asked, by the agent's clock
    The rest is of these kinds alone; null where the dish did not say. satellites: (microseconds, number).
    """

    terminal: str
    word: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=len(KINDS))]
    at_us: _Whole
    location: Located | None = None
    obstructions: Obstructions | None = None
    boresight: Boresight | None = None
    satellites: (
        Annotated[tuple[tuple[_Whole, _Whole], ...], msgspec.Meta(max_length=MOST_SATELLITES)] | None
    ) = None


# The field of a kind.
FIELDS: Final = {
    LOCATION: "location",
    EXACT: "location",
    OBSTRUCTIONS: "obstructions",
    BORESIGHT: "boresight",
    SATELLITES: "satellites",
}


class SharedAnswer(msgspec.Struct, frozen=True):
    """kinds: what the service now holds the owner's word for."""

    kinds: tuple[str, ...]


def read(body: bytes) -> Shared:
    """Raises Refused, which repeats nothing of it, where it is none, or holds what was not opted into."""
    try:
        shared = msgspec.json.decode(body, type=Shared)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused("body.json", "it is no document of what an owner shares") from None
    told = {name for name in FIELDS.values() if getattr(shared, name) is not None}
    if told - {FIELDS[kind] for kind in shared.kinds}:
        raise _refused("sharing.not-opted-in", "it tells what its owner did not opt into")
    place = shared.location
    if place is not None and place.is_exact and EXACT not in shared.kinds:
        raise _refused("sharing.not-opted-in", "it tells an exact place, and its owner opted into a cell")
    if shared.obstructions is not None:
        unpacked(shared.obstructions)
    return shared


def sound(part: P) -> P:
    """The same. Raises msgspec.ValidationError where the service would refuse it."""
    return msgspec.convert(msgspec.to_builtins(part), type(part))


def packed(values: Sequence[float]) -> str:
    """A map's pixels, row by row, -1 unseen, 0 blocked to 1 clear: bytes of hundredths, zlib, base64."""
    found = bytes(_byte(value) for value in values)
    return base64.b64encode(zlib.compress(found, 9)).decode()


def unpacked(map_: Obstructions) -> list[float]:
    """The same, the other way round. Raises Refused where it is no such map."""
    size = map_.rows * map_.columns
    inflate = zlib.decompressobj()
    try:
        found = inflate.decompress(base64.b64decode(map_.pixels, validate=True), size + 1)
    except (zlib.error, binascii.Error, ValueError):
        found = b""
    if len(found) != size or any(_CLEAR_BYTE < one < _UNSEEN_BYTE for one in found):
        raise _refused("sharing.map", "its obstruction map is none")
    return [UNSEEN if one == _UNSEEN_BYTE else one / _CLEAR_BYTE for one in found]


def _byte(value: float) -> int:
    if not math.isfinite(value) or value < 0:
        return _UNSEEN_BYTE
    return round(min(value, 1.0) * _CLEAR_BYTE)


def _refused(code: str, rule: str) -> Refused:
    return Refused(code, "what is shared", rule, "let `skylift agent` send it; nothing of it was kept")
