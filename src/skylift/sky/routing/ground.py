"""Gateways and points of presence (PoPs): where the network meets the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

from skylift.base.geodesy import Place
from skylift.base.ids import GatewayId, PopId
from skylift.base.instants import InstantUs

# FCC filings of 2019 and 2020 (SES-LIC-20190816-01062 and following): eight dishes of 1.5 m at each site.
DEFAULT_ANTENNAS = 8

# FCC 21-48 (2021) on SAT-MOD-20200417-00037: gateways work at 25 degrees and above.
DEFAULT_MINIMUM_ELEVATION_DEG = 25.0


def _in_service(since_us: InstantUs | None, until_us: InstantUs | None, at: int) -> bool:
    return (since_us is None or at >= since_us) and (until_us is None or at < until_us)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with how well its place is known: crowd-sourced lists are off by 30 to 170 km.

    pop       the PoP that its fibre leads to; None: whichever PoP a terminal uses
    since_us  not in operation before this instant; None: unknown, taken as always there
    until_us  no longer in operation from this instant on; None: still there
    in_doubt  sources disagree on whether it was ever in operation
    """

    id: GatewayId
    name: str
    place: Place
    antennas: int
    minimum_elevation_deg: float
    source: str
    accuracy_m: float
    pop: PopId | None = None
    since_us: InstantUs | None = None
    until_us: InstantUs | None = None
    in_doubt: bool = False

    def in_service(self, at: int) -> bool:
        """Whether its known dates allow it to be in operation at `at`."""
        return _in_service(self.since_us, self.until_us, at)


@dataclass(frozen=True, slots=True)
class Pop:
    """A point of presence: where a terminal's traffic enters the internet.

    code                what the operator calls it in its reverse DNS; empty where unknown
    since_us, until_us  as for a gateway
    """

    id: PopId
    name: str
    place: Place
    source: str
    accuracy_m: float
    code: str = ""
    since_us: InstantUs | None = None
    until_us: InstantUs | None = None

    def in_service(self, at: int) -> bool:
        """Whether its known dates allow it to be in operation at `at`."""
        return _in_service(self.since_us, self.until_us, at)


@dataclass(frozen=True, slots=True)
class GroundSegment:
    """All gateways and PoPs of a scenario; their order gives the indices in a LinkTable.

    skipped  records that were read and left out, by why: ("planned", 108)
    notes    what a reader of the results must know: which PoPs were filled in, whose accuracy is assumed
    """

    gateways: tuple[Gateway, ...]
    pops: tuple[Pop, ...]
    skipped: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def at(self, at: int) -> GroundSegment:
        """The part of it that can have been in operation at an instant.

        A gateway whose own PoP was not there yet may use any.
        """
        pops = tuple(p for p in self.pops if p.in_service(at))
        there = {p.id for p in pops}
        gateways = (g for g in self.gateways if g.in_service(at))
        return replace(
            self,
            gateways=tuple(g if g.pop is None or g.pop in there else replace(g, pop=None) for g in gateways),
            pops=pops,
        )
