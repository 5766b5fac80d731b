"""From geometry and radio to what the scheduler takes: pairs with rates, gateways with feeders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.coverage.sites import Sites
from skylift.sky.coverage.usable import UsablePairs
from skylift.sky.radio.air_over import Air, JamView, PairRates, ReturnLink, pair_rates
from skylift.sky.radio.modcod import ModcodTable
from skylift.sky.radio.systems import Link, RadioSystem
from skylift.sky.schedule.problem import (
    Cells,
    Floats,
    Gateways,
    Ints,
    Satellites,
    ScheduleRules,
    Slot,
    UserPairs,
)


@dataclass(frozen=True, slots=True)
class Radio:
    """A system with the MODCOD table of each of its links, by direction."""

    system: RadioSystem
    modcods: Mapping[str, ModcodTable]

    def link(self, direction: str) -> tuple[Link, ModcodTable]:
        """A link as schedules use it: a place may be lit in all polarisations, which share the flux there."""
        link = self.system.link(direction)
        if direction == "down":
            link = replace(link, flux_polarisations=self.system.flux_polarisations)
        return link, self.modcods[direction]

    def feeders(self) -> tuple[str, ...]:
        """The directions from gateway to satellite: Ka, and E band where the system has it."""
        found = tuple(d for d in self.system.links if d.startswith("gateway") and d.endswith("up"))
        if not found:
            raise Refused(
                "radio.feeder",
                f"{self.system.name} {self.system.year}",
                "its file has no link from gateway to satellite",
                "add [link.gateway-up]",
            )
        return found


@dataclass(frozen=True, slots=True)
class SlotGeometry:
    """One slot as coverage sees it: positions (3, N) in mid-slot, Earth-fixed; pairs usable throughout.

    arrays (N,) of each satellite, by its generation (`RadioSystem.arrays_of`); None: one
    """

    at_us: int
    position_mid_m: Floats
    users: UsablePairs
    gateways: UsablePairs
    arrays: Ints | None = None


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What the weather and others do to links in one slot. air: None leaves losses at the links' own."""

    user_air: Air | None = None
    gateway_air: Air | None = None
    jam: JamView | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What one slot has to give before anybody asks.

    users  PairRates of the user pairs, downlink, as they stand in `pairs`
    """

    at_us: int
    satellites: Satellites
    pairs: UserPairs
    gateways: Gateways
    users: PairRates

    def slot(self, cells: Cells, rules: ScheduleRules) -> Slot:
        return Slot(cells, self.satellites, self.pairs, self.gateways, rules)


@dataclass(frozen=True, slots=True)
class Supply:
    """All that does not change between slots: where users and gateways are, and what they talk with.

    antennas  int32 (G,) of each gateway; one satellite each
    """

    users: Sites
    gateways: Sites
    antennas: Ints
    radio: Radio
    disturbances: Disturbances = field(default_factory=Disturbances)

    def offer(self, seen: SlotGeometry, works: npt.NDArray[np.bool_] | None = None) -> Offer:
        """Rates of a slot's pairs. works (G,): which gateways do; None: all."""
        down, down_modcods = self.radio.link("down")
        users = self._rates(down, down_modcods, self.users, seen.users, seen.at_us)
        n = seen.position_mid_m.shape[1]
        beams = np.tile(np.array(self.radio.system.beams_per_polarisation, dtype=np.int32), (n, 1))
        antennas = self.antennas if works is None else np.where(works, self.antennas, 0)
        return Offer(
            at_us=seen.at_us,
            # A satellite without a valid position is in no pair; far below the ground nothing sees it either.
            satellites=Satellites(np.nan_to_num(seen.position_mid_m, nan=1.0), beams, seen.arrays),
            pairs=UserPairs(
                offset=seen.users.site_offset,
                satellite=seen.users.satellite,
                full_rate_bps=users.rate_bps,
                barred_channels=users.barred_channels,
            ),
            gateways=Gateways(
                offset=seen.gateways.site_offset,
                satellite=seen.gateways.satellite,
                antennas=antennas.astype(np.int32),
                feeder_bps=np.zeros(len(self.antennas)),
                pair_feeder_bps=self._feeder_bps(seen),
            ),
            users=users,
        )

    def _feeder_bps(self, seen: SlotGeometry) -> Floats:
        total = np.zeros(len(seen.gateways))
        for direction in self.radio.feeders():
            link, modcods = self.radio.link(direction)
            rates = self._rates(link, modcods, self.gateways, seen.gateways, seen.at_us)
            total += rates.rate_bps * link.channels * link.polarisations
        return total

    def _return_link(self) -> ReturnLink | None:
        """A dish that is heard by nobody has no service, however well it hears."""
        if "up" not in self.radio.system.links:
            return None
        return ReturnLink(*self.radio.link("up"))

    def _rates(
        self, link: Link, modcods: ModcodTable, sites: Sites, pairs: UsablePairs, at_us: int
    ) -> PairRates:
        site = np.repeat(np.arange(len(sites)), np.diff(pairs.site_offset))
        ours = sites is self.users
        return pair_rates(
            link,
            modcods,
            sites,
            site,
            pairs.elevation_rad.astype(np.float64),
            pairs.azimuth_rad.astype(np.float64),
            # A link must hold throughout: the longer of the two ranges counts.
            np.maximum(pairs.range_start_m, pairs.range_end_m),
            air=self.disturbances.user_air if ours else self.disturbances.gateway_air,
            at_us=at_us,
            jam=self.disturbances.jam if ours else None,
            satellite=pairs.satellite,
            back=self._return_link() if ours else None,
        )
