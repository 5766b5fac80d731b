"""A terminal's slot as its dish sees it. Loads no gRPC: the sky process makes these too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from skylift.base.link import LinkTable, WhyDown
from skylift.sky.coverage.sites import Sites
from skylift.twin.look import Sky
from skylift.twin.world import World
from skylift.wire.dish.view import SlotView

Floats = npt.NDArray[np.float64]


def boresight_of(sites: Sites, row: int) -> tuple[float, float]:
    """(azimuth, elevation) of a dish's axis, radians."""
    return look_angles(sites, row, sites.boresight[:, row])


def slot_view(
    world: World, sites: Sites, sky: Sky, links: LinkTable, row: int, site: int | None = None
) -> SlotView:
    """One terminal's slot, as its dish sees it. site: where it stands in `sites`, if not in the same row."""
    why = WhyDown(int(links.why_down[row]))
    length_us = world.slots.length_us
    site = row if site is None else site
    blocked = _behind_mask(sites, site, sky, int(links.at_us // length_us))
    if why != WhyDown.UP:
        return SlotView(links.at_us, length_us, why, blocked=blocked)
    satellite = int(links.satellite[row])
    return SlotView(
        links.at_us,
        length_us,
        why,
        rtt_start_ms=float(links.delay_up_us[row] + links.delay_down_us[row]) / 1_000,
        rtt_end_ms=float(links.delay_up_end_us[row] + links.delay_down_end_us[row]) / 1_000,
        down_bps=float(links.down_bps[row]),
        up_bps=float(links.up_bps[row]),
        loss_fraction=float(links.loss_fraction[row]),
        satellite=int(world.catalogue.norad[satellite]),
        track=_way(sites, site, sky, satellite),
        handover=bool(links.handover[row]),
        gateway=str(world.ground.gateways[int(links.gateway[row])].id),
        pop=str(world.ground.pops[int(links.pop[row])].id),
        blocked=blocked,
    )


def _way(sites: Sites, site: int, sky: Sky, satellite: int) -> tuple[tuple[float, float], ...]:
    """Of a satellite at a slot's start, middle and end."""
    there = sites.position_ecef_m[:, site]
    positions = (sky.position_start_m, sky.position_mid_m, sky.position_end_m)
    return tuple(look_angles(sites, site, position[:, satellite] - there) for position in positions)


def _behind_mask(sites: Sites, site: int, sky: Sky, number: int) -> tuple[tuple[float, float], ...]:
    """What the dish meets of its horizon mask in slot `number`: the hidden part of one satellite's way.

    The satellites within its field of view are looked at in turn, so that what is found hidden grows as the
    hidden share of its sky. () where there is no mask, or this satellite is in the clear.
    """
    mask_rad = sites.mask_elevation_rad[site]
    if (mask_rad <= -math.pi / 2).all():
        return ()
    towards = sky.position_mid_m - sites.position_ecef_m[:, site : site + 1]
    towards = towards / np.linalg.norm(towards, axis=0)
    high = sites.up[:, site] @ towards >= math.sin(sites.min_elevation_rad[site])
    in_field = sites.boresight[:, site] @ towards >= sites.cos_field_of_view[site]
    there = np.flatnonzero(high & in_field)
    if not len(there):
        return ()
    way = _way(sites, site, sky, int(there[number % len(there)]))
    degree = (int(math.degrees(azimuth)) % 360 for azimuth, _ in way)
    return tuple(angles for angles, k in zip(way, degree, strict=True) if angles[1] < mask_rad[k])


def look_angles(sites: Sites, row: int, towards: Floats) -> tuple[float, float]:
    """(azimuth from north over east, elevation) of an Earth-fixed vector (3,) at a site, radians."""
    east, north, up = (float(axis[:, row] @ towards) for axis in (sites.east, sites.north, sites.up))
    return math.atan2(east, north) % (2 * math.pi), math.atan2(up, math.hypot(east, north))
