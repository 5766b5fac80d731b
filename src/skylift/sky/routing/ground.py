"""Gateways and points of presence: where the sky meets the ordinary internet."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base.geodesy import Place
from skylift.base.ids import GatewayId, PopId


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with how well its place is known: crowd-sourced lists are off by 30 to 170 km.

    pop  the PoP that its fibre leads to; None: whichever PoP a terminal uses
    """

    id: GatewayId
    name: str
    place: Place
    antennas: int
    minimum_elevation_deg: float
    source: str
    accuracy_m: float
    pop: PopId | None = None


@dataclass(frozen=True, slots=True)
class Pop:
    """A point of presence: where a terminal's traffic enters the internet."""

    id: PopId
    name: str
    place: Place
    source: str
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class GroundSegment:
    """All gateways and PoPs of a scenario; their order gives the indices in a LinkTable."""

    gateways: tuple[Gateway, ...]
    pops: tuple[Pop, ...]
