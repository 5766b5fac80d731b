"""Why a cell gets less than it asks for in one slot: the sky, the ground, or what is left of satellites."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from skylift.base.link import WhyDown
from skylift.sky.coverage.sites import sites_of
from skylift.sky.coverage.usable import UsableFinder
from skylift.sky.orbit.propagate import Propagator
from skylift.sky.schedule.problem import Floats
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityCase, Hour

# A beam or a feeder with less than this share left is full: schedules end within it.
_LEFT = 5e-3


class Why(enum.Enum):
    """Reasons for being short, in the order in which they are looked at."""

    NOT_ALLOWED = "not_allowed"
    """Service is not allowed there."""
    TERMINALS_ALLOWED = "terminals_allowed"
    """The site may not have as many terminals as it takes."""
    DISH = "dish"
    """One dish's link carries less in this slot than is reckoned with."""
    NO_SATELLITE = "no_satellite"
    OBSTRUCTED = "obstructed"
    """Satellites are up, but out of the dish's field of view."""
    GEO_ARC = "geo_arc"
    """Every satellite in view is too close to the geostationary arc."""
    LINK = "link"
    """Satellites are usable, but rain or jamming lets nothing through."""
    NO_GATEWAY = "no_gateway"
    """No gateway sees any of the satellites that could serve it."""
    ANTENNAS = "antennas"
    """Gateways see them, and have no antenna left for them; those that are tracked are full."""
    BEAMS = "beams"
    """The beams of all tracked satellites are used up, by this cell and others that matter as much."""
    KA = "ka"
    """Their links to gateways are used up."""
    NCO = "nco"
    """Beams have time left, but on no channel on which another beam nearby would not be disturbed."""


_BY_SKY = {
    WhyDown.NO_SATELLITE: Why.NO_SATELLITE,
    WhyDown.OBSTRUCTED: Why.OBSTRUCTED,
    WhyDown.GEO_ARC: Why.GEO_ARC,
}


# WhyDown (M,) of a region's cells at an instant, as far as the sky alone decides.
SkyWhy = Callable[[int], npt.NDArray[np.uint8]]


def sky_why(case: CapacityCase) -> SkyWhy:
    """Looks at the sky over a region's cells once more: an Offer holds usable pairs alone."""
    finder = UsableFinder(sites_of(case.region.places, [case.user_antenna] * len(case.region)))
    propagator = Propagator(case.catalogue)
    half_us = case.slots.length_us // 2

    def why(at_us: int) -> npt.NDArray[np.uint8]:
        edges = np.array([at_us, at_us + half_us, at_us + 2 * half_us], dtype=np.int64)
        positions = propagator.ephemeris(edges, frame="itrs", earth=case.earth).position_ecef_m
        return finder.find(positions).why_down()

    return why


def why_short(sky: SkyWhy, hour: Hour, cells: Sequence[int]) -> dict[int, Why]:
    """The reason for each of these cells, which asked for more than they got. Indices into the region."""
    offer, schedule = hour.offer, hour.schedule
    offset = offer.pairs.offset
    without = [c for c in cells if offset[c] == offset[c + 1]]
    found: dict[int, Why] = {}
    if without:
        seen = sky(hour.at_us)
        found = {c: _BY_SKY.get(WhyDown(int(seen[c])), Why.NO_SATELLITE) for c in without}
    reached = _reached(offer)
    beams_full, ka_full = _full(hour)
    for c in cells:
        if c in found:
            continue
        pairs = slice(offset[c], offset[c + 1])
        satellites = offer.pairs.satellite[pairs][offer.pairs.full_rate_bps[pairs] > 0.0]
        tracked = satellites[schedule.gateway_of[satellites] >= 0]
        if not len(satellites):
            found[c] = Why.LINK
        elif not reached[satellites].any():
            found[c] = Why.NO_GATEWAY
        elif not len(tracked):
            found[c] = Why.ANTENNAS
        elif not (beams_full | ka_full)[tracked].all():
            found[c] = Why.NCO
        elif (reached & (schedule.gateway_of < 0))[satellites].any():
            found[c] = Why.ANTENNAS
        else:
            found[c] = Why.KA if ka_full[tracked].sum() > beams_full[tracked].sum() else Why.BEAMS
    return found


def _reached(offer: Offer) -> npt.NDArray[np.bool_]:
    """(N,) which satellites a gateway with antennas can track."""
    gateway = np.repeat(np.arange(len(offer.gateways)), np.diff(offer.gateways.offset))
    works = (offer.gateways.antennas[gateway] > 0) & (offer.gateways.feeders_bps() > 0.0)
    reached = np.zeros(len(offer.satellites), dtype=np.bool_)
    reached[offer.gateways.satellite[works]] = True
    return reached


def _full(hour: Hour) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(N,) which satellites have no beam time left, and which no feeder."""
    offer, schedule = hour.offer, hour.schedule
    n = len(offer.satellites)
    used_beams, used_bps, feeder = np.zeros(n), np.zeros(n), np.zeros(n)
    np.add.at(used_beams, schedule.satellite, schedule.share_fraction)
    np.add.at(used_bps, schedule.satellite, schedule.rate_bps)
    gateway = np.repeat(np.arange(len(offer.gateways)), np.diff(offer.gateways.offset))
    mine = schedule.gateway_of[offer.gateways.satellite] == gateway
    feeder[offer.gateways.satellite[mine]] = offer.gateways.feeders_bps()[mine]
    beams: Floats = offer.satellites.all_beams().astype(np.float64)
    return used_beams >= (1.0 - _LEFT) * beams, used_bps >= (1.0 - _LEFT) * feeder
