"""The tables that streets exchange: what may be served (Ask), what is served (LinkTable), by which beams."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.ids import TerminalId

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class WhyDown(enum.IntEnum):
    """Why a terminal has no link in a slot. The numbers are stored and never change; new ones are added."""

    UP = 0
    NO_SATELLITE = 1
    """No working satellite above the terminal's minimum elevation for the whole slot."""
    OBSTRUCTED = 2
    """Satellites are up, but outside the dish's field of view or behind its horizon mask."""
    GEO_ARC = 3
    """Every satellite in view is too close to the geostationary arc."""
    NO_GATEWAY = 4
    """A usable satellite is there, but none has a route to the terminal's PoP."""
    REGION_NOT_ACTIVE = 5
    """Service is not switched on, or not allowed, where the terminal is."""
    TERMINAL_OFF = 6
    """Stowed, radio off, asleep or booting."""
    NO_EPHEMERIS = 7
    """No satellite of the catalogue has a valid position at this instant."""
    NO_CAPACITY = 8
    """A usable satellite has a route, but the beam schedule has no share left for the terminal."""
    NOT_PERMITTED = 9
    """The terminal, its account or its plan may not be served, or nothing is known of it yet."""

    @property
    def label(self) -> str:
        """The stored name, as it stands in links.parquet."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Ask:
    """What one terminal may have in a slot; `barred` is 0 (UP) or the reason why it may have nothing."""

    terminal: TerminalId
    cell: str
    wanted_bps: float
    plan_bps: float
    priority_class: int
    barred: WhyDown = WhyDown.UP


@dataclass(frozen=True, slots=True)
class BeamTable:
    """The beam schedule of one slot, a row for each share of a beam's time, as columns (R,).

    satellite, gateway     indices into the catalogue and the gateways
    polarisation (0, 1), beam (within it), channel
    cell                   uint64, the H3 index of the cell that the beam shines on
    share_fraction         of the slot; rate_bps  what these shares carry down to the cell
    """

    satellite: npt.NDArray[np.int32]
    polarisation: npt.NDArray[np.int32]
    beam: npt.NDArray[np.int32]
    channel: npt.NDArray[np.int32]
    cell: npt.NDArray[np.uint64]
    gateway: npt.NDArray[np.int32]
    share_fraction: Floats
    rate_bps: Floats


@dataclass(frozen=True, slots=True)
class LinkTable:
    """All terminals' links in one slot, as columns (M,) in the order of the terminals.

    satellite, gateway, pop  indices into the catalogue, the gateways and the PoPs; -1 where there is none
    path_offset (M+1,), path satellite indices from the first hop to the one above the gateway
    delays      one-way microseconds; *_end at the end of the slot, along the same path; nan where down
    propagation_us, propagation_end_us  geometric path length / c; fibre_us  gateway to PoP;
                what remains of delay_up_us and delay_down_us are the named access and processing terms
    rates and loss  what a terminal gets, nan where down; nan throughout where capacity is not modelled
    beams       the schedule behind the rates; None where capacity is not modelled
    """

    at_us: int
    satellite: npt.NDArray[np.int32]
    gateway: npt.NDArray[np.int32]
    pop: npt.NDArray[np.int32]
    path_offset: npt.NDArray[np.int64]
    path: npt.NDArray[np.int32]
    elevation_rad: Floats
    azimuth_rad: Floats
    propagation_us: Floats
    propagation_end_us: Floats
    fibre_us: Floats
    delay_up_us: Floats
    delay_up_end_us: Floats
    delay_down_us: Floats
    delay_down_end_us: Floats
    down_bps: Floats
    up_bps: Floats
    loss_fraction: Floats
    handover: npt.NDArray[np.bool_]
    why_down: npt.NDArray[np.uint8]
    beams: BeamTable | None = None

    def path_of(self, row: int) -> npt.NDArray[np.int32]:
        return self.path[self.path_offset[row] : self.path_offset[row + 1]]
