"""What each terminal gets, down and up: beams, feeders and lasers shared fairly, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.air_over import pair_rates
from skylift.sky.schedule.problem import Floats, Ints
from skylift.sky.schedule.sharing import Uses, joined, share
from skylift.sky.schedule.supply import Radio
from skylift.twin.capacity import Allocator, Given
from skylift.twin.look import Sky
from skylift.twin.world import Asks

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ways:
    """How U terminals reach the ground.

    terminal (U,); pair (U,) of users and satellites; path_offset (U+1,), path: satellites from the first to
    the last; exit_pair (U,): the pair of gateways and satellites at its end
    """

    terminal: npt.NDArray[np.intp]
    pair: Offsets
    path_offset: Offsets
    path: Ints
    exit_pair: Offsets


@dataclass(frozen=True, slots=True)
class Rates:
    """down_bps, up_bps (U,) that arrive; taken_bps (G,): what is taken of each group of the schedule."""

    down_bps: Floats
    up_bps: Floats
    taken_bps: Floats


class Sharer:
    """Holds what does not change between slots."""

    def __init__(self, radio: Radio, allocator: Allocator, gateways: Sites, lasers: bool) -> None:
        self._radio, self._allocator, self._gateways, self._lasers = radio, allocator, gateways, lasers
        self.forward = radio.feeders()
        self._back = tuple(d for d in radio.system.links if d.startswith("gateway") and d.endswith("down"))

    def rates(self, given: Given, sky: Sky, asks: Asks, ways: Ways) -> Rates:
        """Rates of terminals that the schedule serves; less where lasers or feeders are short."""
        needs, rules = asks.needs, self._allocator.rules
        priority = needs.priority[ways.terminal]
        open_fraction = 1.0 - needs.obstructed_fraction[ways.terminal]
        group, flow = given.group[ways.terminal], np.arange(len(ways.terminal))
        lasers, hops = _hops(ways, sky.position_mid_m.shape[1])
        exits, exit_pair = _numbered(flow, ways.exit_pair)
        beyond = (lasers, len(hops)), (exits, len(exit_pair))
        laser_bps = np.full(len(hops), self._allocator.plan.laser_bps)
        groups = given.groups.rate_bps
        # Without lasers the schedule has kept what each gateway's antenna can send.
        forward_bps = (
            self.gateway_bps(self.forward, sky, exit_pair)
            if self._lasers
            else np.full(len(exit_pair), np.inf)
        )
        down = share(
            needs.down_bps[ways.terminal],
            priority,
            joined([(Uses(flow, group, np.ones(len(flow))), len(groups)), *beyond]),
            np.concatenate([groups, laser_bps, forward_bps]),
            rules,
        )
        own_bps, sending_bps, lanes = self._return_link(given, sky, ways)
        first, satellites = _numbered(flow, sky.users.satellite[ways.pair].astype(np.int64))
        weight = np.divide(1.0, sending_bps, out=np.zeros(len(flow)), where=sending_bps > 0.0)
        up = share(
            np.minimum(needs.up_bps[ways.terminal], own_bps),
            priority,
            joined([(Uses(flow, first.link, weight), len(satellites)), *beyond]),
            np.concatenate(
                [np.full(len(satellites), lanes), laser_bps, self.gateway_bps(self._back, sky, exit_pair)]
            ),
            rules,
        )
        taken = np.bincount(group, weights=down, minlength=len(groups)).astype(np.float64)
        return Rates(down * open_fraction, up * open_fraction, taken)

    def gateway_bps(self, directions: tuple[str, ...], sky: Sky, pair: Offsets) -> Floats:
        """What one antenna carries for pairs of gateways and satellites, all channels together."""
        seen, total = sky.gateways, np.zeros(len(pair))
        site = np.searchsorted(seen.site_offset, pair, side="right") - 1
        for direction in directions:
            link, modcods = self._radio.link(direction)
            got = pair_rates(
                link, modcods, self._gateways, site,
                seen.elevation_rad[pair].astype(np.float64), seen.azimuth_rad[pair].astype(np.float64),
                np.maximum(seen.range_start_m[pair], seen.range_end_m[pair]),
                air=self._allocator.gateway_air, at_us=sky.at_us,
            )  # fmt: skip
            total += got.rate_bps * link.channels * link.polarisations
        return total

    def _return_link(self, given: Given, sky: Sky, ways: Ways) -> tuple[Floats, Floats, float]:
        """A terminal's greatest rate (U,), its rate while it sends (U,), and a satellite's channels."""
        link, modcods = self._radio.link("up")
        seen, pair = sky.users, ways.pair
        # As if from the middle of its cell: 10 km change neither the air nor the dish's scan.
        site = given.points.home[given.points.point_of[ways.terminal]]
        got = pair_rates(
            link, modcods, self._allocator.points.sites, site,
            seen.elevation_rad[pair].astype(np.float64), seen.azimuth_rad[pair].astype(np.float64),
            np.maximum(seen.range_start_m[pair], seen.range_end_m[pair]),
            air=self._allocator.user_air, at_us=sky.at_us, jam=self._allocator.jam,
            satellite=seen.satellite[pair],
        )  # fmt: skip
        return got.rate_bps, got.rate_bps / link.duty_fraction, float(link.channels * link.polarisations)


def _hops(ways: Ways, n: int) -> tuple[Uses, Offsets]:
    """Which lasers flows use, each direction by itself; and a key for each."""
    length = np.diff(ways.path_offset)
    flow = np.repeat(np.arange(len(length)), length)
    inner = np.flatnonzero(flow[1:] == flow[:-1]) if len(flow) else np.zeros(0, dtype=np.intp)
    key = ways.path[inner].astype(np.int64) * n + ways.path[inner + 1]
    return _numbered(flow[inner], key)


def _numbered(flow: npt.NDArray[np.int64], key: Offsets) -> tuple[Uses, Offsets]:
    """Links numbered from 0 in the order of their keys, and the keys."""
    keys, link = np.unique(key, return_inverse=True)
    return Uses(flow, link.reshape(-1), np.ones(len(flow))), keys
