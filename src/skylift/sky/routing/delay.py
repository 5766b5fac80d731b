"""One-way delay by its parts: light time along the path, fibre to the PoP, access and processing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, great_circle_m
from skylift.base.units import FIBRE_GROUP_INDEX, LIGHT_SPEED_M_PER_S, US_PER_S

Floats = npt.NDArray[np.float64]

# One frame of the downlink, 1/750 s: Humphreys et al., "Signal Structure of the Starlink Ku-Band Downlink",
# IEEE Trans. Aerospace and Electronic Systems 59(5), 2023.
FRAME_US = US_PER_S / 750.0


@dataclass(frozen=True, slots=True)
class DelayTerms:
    """What is added to the light time, each part under its own name.

    route_factor     length of the fibre over the great circle. 1.5: ITU-T G.826 and Y.1541 for less than
                     1,000 km. Conduits in the United States allow 1.3 at the median, what networks give is
                     nearer 2.1 (Bozkurt et al., arXiv 1811.10737, 2018).
    access_down_us   scheduling of the downlink: half a frame of waiting and one frame of sending (FRAME_US);
                     assumed from the frame length.
    access_up_us     scheduling of the uplink, request and grant included. Fitted, see below.
    processing_up_us, processing_down_us  dish, satellite, gateway and PoP. Assumed: no source splits them.

    The sum of both directions, 12 ms, is fitted: light takes about 11 ms for a round trip over one satellite
    and fibre some 4 ms for a gateway 300 km from its PoP, and the published medians from dish to PoP are
    30 ms (SpaceX to the FCC, September 2020), 33 ms (Starlink's latency report, March 2024) and 25.7 ms (its
    network update for June 2025, United States, peak hours).
    """

    route_factor: float = 1.5
    access_up_us: float = 6_000.0
    access_down_us: float = 1.5 * FRAME_US
    processing_up_us: float = 2_000.0
    processing_down_us: float = 2_000.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.route_factor <= 10.0:
            raise Refused(
                "delay.route_factor",
                "route factor of fibre",
                "it must be between 1 and 10: a fibre is not shorter than the great circle",
                "give length of fibre divided by length of the great circle, such as 1.5",
            )
        for name in ("access_up_us", "access_down_us", "processing_up_us", "processing_down_us"):
            if not 0.0 <= getattr(self, name) <= US_PER_S:
                raise Refused(
                    "delay.term",
                    name,
                    "it must be between 0 and 1,000,000 microseconds",
                    "give microseconds, not seconds or milliseconds of more than a second",
                )

    @property
    def added_up_us(self) -> float:
        """From the terminal to the internet, beyond light and fibre."""
        return self.access_up_us + self.processing_up_us

    @property
    def added_down_us(self) -> float:
        """From the internet to the terminal, beyond light and fibre."""
        return self.access_down_us + self.processing_down_us


def light_us(range_m: Floats) -> Floats:
    """Light time over ranges in vacuum; the air's 0.03 % over some kilometres is left out."""
    return range_m * (US_PER_S / LIGHT_SPEED_M_PER_S)


def fibre_us(gateway: Place, pop: Place, terms: DelayTerms) -> float:
    """One-way light time in the fibre from a gateway to a point of presence."""
    length_m = great_circle_m(gateway, pop) * terms.route_factor
    return length_m * FIBRE_GROUP_INDEX / LIGHT_SPEED_M_PER_S * US_PER_S
