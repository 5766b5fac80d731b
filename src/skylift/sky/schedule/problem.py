"""What a slot's schedule is made from, and what it is. Arrays only; nothing here knows a file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

# Life and rescue; critical infrastructure; government and aid; everybody.
CLASSES = 4
# Channels are told apart by the bits of one word in the kernels.
MOST_CHANNELS = 32
# A study has time: of small crowded regions 300 give a tenth more than none, for half as long again.
STUDY_REMAKES = 300


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """Parameters of the schedule.

    channels      of one polarisation; Starlink's user downlink has 8 of 240 MHz (Humphreys et al. 2023)
    nco           how many satellites may light one cell on one channel, both polarisations together
                  (1: licence condition of SpaceX's second generation, FCC 22-91)
    floor_fraction   of what each class wants, served before any class gets more
    separation_rad   least angle, seen from a satellite, between a beam's axis and a cell that another
                     satellite serves on the same channel. 2.5 degrees: a beam's footprint is 24 km at nadir
                     from 550 km and 49 x 116 km at 25 degrees, which is the same cone
    dish_separation_rad  least angle, seen from a cell, between two satellites that light it on one channel,
                     where nco is more than 1; assumed: about three beamwidths of a 33 dBi dish
    keep_level    what a pair used in the slot before is worth, in levels
    class_weights  of the four classes, where they share: of what it wants above the floor, one of weight 2
                     gets twice the part that one of weight 1 gets, until it has all. None: all 1
    class_tiers    of the four classes, from 1 and never falling: a class of a lower tier gets all it wants
                     before one of a higher tier gets more than the floor; those of one tier share by weight.
                     None: a tier for each, strictly in order; with class_weights given: one tier for all
    """

    channels: int = 8
    nco: int = 1
    floor_fraction: float = 0.02
    separation_rad: float = np.radians(2.5)
    dish_separation_rad: float = np.radians(10.0)
    keep_level: float = 0.02
    class_weights: tuple[float, ...] | None = None
    class_tiers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _within("channels", self.channels, 1, MOST_CHANNELS)
        _within("nco", self.nco, 1, 8)
        _within("floor_fraction", self.floor_fraction, 0.0, 1.0)
        _within("separation_rad", self.separation_rad, 0.0, np.radians(20.0))
        _within("dish_separation_rad", self.dish_separation_rad, 0.0, np.pi)
        _within("keep_level", self.keep_level, 0.0, 1.0)
        _four("class_weights", (1.0,) * CLASSES if self.class_weights is None else self.class_weights)
        for weight in self.class_weights or ():
            _within("class_weights", weight, 0.001, 1000.0)
        _four("class_tiers", self.tiers())
        if self.tiers()[0] != 1 or not set(np.diff(self.tiers())) <= {0, 1}:
            raise Refused(
                "schedule.rule",
                "class_tiers",
                "they begin at 1, and each is the tier of the class before it or the next",
                "write 1, 2, 3, 4 for classes strictly in order, or 1, 1, 1, 1 for one tier",
            )

    def tiers(self) -> tuple[int, ...]:
        """The tier of each class, from 1."""
        if self.class_tiers is not None:
            return tuple(self.class_tiers)
        return (1,) * CLASSES if self.class_weights is not None else tuple(range(1, CLASSES + 1))

    def portions(self) -> Floats:
        """(4, 4): of what a class (column) wants above the floor, what it gets in each step (row) in turn.

        All classes of a tier rise together, each by its weight; a step ends where one of them has all. Rows
        beyond the last step are 0. Strictly in order it is the identity.
        """
        weight = np.array(self.class_weights or (1.0,) * CLASSES, dtype=np.float64)
        out, row = np.zeros((CLASSES, CLASSES)), 0
        for tier in sorted(set(self.tiers())):
            mine = np.array(self.tiers()) == tier
            before = np.zeros(CLASSES)
            for end in np.unique(1.0 / weight[mine]):
                reached = np.where(mine, np.where(weight * end >= 1.0 - 1e-12, 1.0, weight * end), 0.0)
                out[row], before = reached - before, reached
                row += 1
        return out


@dataclass(frozen=True, slots=True)
class Cells:
    """M cells: centres (3, M) Earth-fixed, wanted bps by class (M, 4), barred (M,): 0, or a WhyDown."""

    position_ecef_m: Floats
    wanted_bps: Floats
    barred: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.barred)


@dataclass(frozen=True, slots=True)
class Satellites:
    """N satellites: positions (3, N) in mid-slot, Earth-fixed; beams int32 (N, 2) by polarisation.

    arrays  int32 (N,): how many arrays with so many beams each has; each lights every channel by itself,
            where another does not. None: one
    """

    position_ecef_m: Floats
    beams: Ints
    arrays: Ints | None = None

    def __len__(self) -> int:
        return int(self.position_ecef_m.shape[1])

    def arrays_each(self) -> Ints:
        """int32 (N,), at least 1."""
        if self.arrays is None:
            return np.ones(len(self), dtype=np.int32)
        return np.maximum(self.arrays, 1).astype(np.int32)

    def all_beams(self) -> Ints:
        """int32 (N,): of both polarisations and all arrays."""
        every: Ints = (self.beams.sum(axis=1) * self.arrays_each()).astype(np.int32)
        return every


@dataclass(frozen=True, slots=True)
class UserPairs:
    """K pairs usable for the whole slot, sorted by cell: offset (M+1,), satellite (K,), full_rate_bps (K,).

    full_rate_bps  what one channel in one polarisation carries if it shines on the cell for the whole slot;
                   a pair of rate 0 (jammed, say) is not used
    barred_channels  uint32 (K,): where bit f is set the pair must not use channel f (jammed there); bits
                   beyond the last channel say nothing. None: none is barred
    """

    offset: Offsets
    satellite: Ints
    full_rate_bps: Floats
    barred_channels: Words | None = None


@dataclass(frozen=True, slots=True)
class Gateways:
    """G gateways: offset (G+1,) and satellite (J,), which of them each can track for the whole slot;
    antennas (G,), one satellite each; feeder_bps (G,), the Ka rate of one antenna.

    pair_feeder_bps  (J,): that rate for each gateway and satellite, which elevation and rain tell apart;
                     None: feeder_bps for all of a gateway's satellites; otherwise it is not looked at
    """

    offset: Offsets
    satellite: Ints
    antennas: Ints
    feeder_bps: Floats
    pair_feeder_bps: Floats | None = None

    def __len__(self) -> int:
        return len(self.antennas)

    def feeders_bps(self) -> Floats:
        """The Ka rate of each gateway's antenna to each satellite that it can track, (J,)."""
        if self.pair_feeder_bps is not None:
            return self.pair_feeder_bps
        return np.repeat(self.feeder_bps, np.diff(self.offset))


@dataclass(frozen=True, slots=True)
class Schedule:
    """R rows, sorted by cell, then in the order in which they were placed; and what they add up to.

    satellite, polarisation (0, 1), beam, channel, cell, gateway  int32 (R,)
                beam counts within the satellite's polarisation, array after array; it keeps its channel
    share_fraction, rate_bps  float64 (R,)
    gateway_of  int32 (N,): the gateway that tracks each satellite; -1 for none
    served_bps  (M, 4) by class;  level (M,) as in docs/why/011, 0 to 5; 5 where nothing is wanted
    """

    satellite: Ints
    polarisation: Ints
    beam: Ints
    channel: Ints
    cell: Ints
    gateway: Ints
    share_fraction: Floats
    rate_bps: Floats
    gateway_of: Ints
    served_bps: Floats
    level: Floats

    def __len__(self) -> int:
        return len(self.satellite)


@dataclass(frozen=True, slots=True)
class Slot:
    """All that one schedule is made from. Refused where the arrays do not fit or a number is impossible."""

    cells: Cells
    satellites: Satellites
    pairs: UserPairs
    gateways: Gateways
    rules: ScheduleRules = field(default_factory=ScheduleRules)

    def __post_init__(self) -> None:
        m, n, k = len(self.cells), len(self.satellites), len(self.pairs.satellite)
        g, j = len(self.gateways), len(self.gateways.satellite)
        _shape("cells.position_ecef_m", self.cells.position_ecef_m, (3, m))
        _shape("cells.wanted_bps", self.cells.wanted_bps, (m, CLASSES))
        _shape("satellites.beams", self.satellites.beams, (n, 2))
        if self.satellites.arrays is not None:
            _shape("satellites.arrays", self.satellites.arrays, (n,))
            _amounts("satellites.arrays", self.satellites.arrays)
        _shape("pairs.full_rate_bps", self.pairs.full_rate_bps, (k,))
        _shape("gateways.feeder_bps", self.gateways.feeder_bps, (g,))
        _places("cells.position_ecef_m", self.cells.position_ecef_m)
        _places("satellites.position_ecef_m", self.satellites.position_ecef_m)
        _offsets("pairs.offset", self.pairs.offset, m, k)
        _offsets("gateways.offset", self.gateways.offset, g, j)
        _indices("pairs.satellite", self.pairs.satellite, n)
        _indices("gateways.satellite", self.gateways.satellite, n)
        _amounts("cells.wanted_bps", self.cells.wanted_bps)
        _amounts("pairs.full_rate_bps", self.pairs.full_rate_bps)
        _amounts("gateways.feeder_bps", self.gateways.feeder_bps)
        _amounts("gateways.antennas", self.gateways.antennas)
        _amounts("satellites.beams", self.satellites.beams)
        if self.gateways.pair_feeder_bps is not None:
            _shape("gateways.pair_feeder_bps", self.gateways.pair_feeder_bps, (j,))
            _amounts("gateways.pair_feeder_bps", self.gateways.pair_feeder_bps)
        if self.pairs.barred_channels is not None:
            _shape("pairs.barred_channels", self.pairs.barred_channels, (k,))
            _words("pairs.barred_channels", self.pairs.barred_channels)
        if self.satellites.beams.size and self.satellites.beams.max() > self.rules.channels:
            raise Refused(
                "schedule.beams",
                "satellites.beams",
                f"one polarisation has at most as many beams as there are channels ({self.rules.channels})",
                "raise rules.channels, or give the satellite fewer beams in a polarisation",
            )


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise Refused(
            "schedule.rule", name, f"it must lie between {least:g} and {most:g}", "correct the parameter"
        )


def _four(name: str, values: tuple[float, ...]) -> None:
    if len(values) != CLASSES:
        raise Refused(
            "schedule.rule",
            name,
            f"there are {CLASSES} classes, so it has {CLASSES} numbers",
            "write all four",
        )


def _shape(name: str, array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise Refused(
            "schedule.shape", name, f"its shape must be {shape}, not {array.shape}", "make the arrays fit"
        )


def _offsets(name: str, offset: Offsets, rows: int, total: int) -> None:
    _shape(name, offset, (rows + 1,))
    if offset[0] != 0 or offset[-1] != total or (np.diff(offset) < 0).any():
        raise Refused(
            "schedule.offset", name, f"it must rise from 0 to {total}", "sort the pairs and count them anew"
        )


def _indices(name: str, index: Ints, count: int) -> None:
    if index.size and (index.min() < 0 or index.max() >= count):
        raise Refused(
            "schedule.index", name, f"it must lie between 0 and {count - 1}", "use indices into the catalogue"
        )


def _places(name: str, position_m: Floats) -> None:
    if not np.isfinite(position_m).all():
        raise Refused(
            "schedule.place", name, "every coordinate must be finite", "leave out what has no place"
        )


def _words(name: str, word: npt.NDArray[np.generic]) -> None:
    if word.dtype != np.uint32:
        raise Refused(
            "schedule.word", name, f"it must be of uint32, not {word.dtype}", "give one bit per channel"
        )


def _amounts(name: str, amount: npt.NDArray[np.generic]) -> None:
    # nan compares false, so it is caught as well.
    if (
        not bool(np.all(np.asarray(amount, dtype=np.float64) >= 0))
        or not np.isfinite(amount.astype(np.float64)).all()
    ):
        raise Refused("schedule.amount", name, "it must be finite and not negative", "correct the array")
