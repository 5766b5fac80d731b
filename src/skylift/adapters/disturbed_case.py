"""Weather and jamming anew, for a case whose cells or gateways are no longer those that were read."""

from __future__ import annotations

from dataclasses import replace

from skylift.adapters.plan_disturbances import air_over, jam_over, read_rain
from skylift.adapters.plan_sources import PlanSources
from skylift.sky.coverage.sites import sites_of
from skylift.sky.schedule.supply import Disturbances
from skylift.study.capacity import CapacityCase


def disturbed(case: CapacityCase, sources: PlanSources) -> CapacityCase:
    """The case with the air over its own cells and gateways, and the disturbances that these meet."""
    users = sites_of(case.region.places, [case.user_antenna] * len(case.region))
    gateways = sites_of([g.place for g in case.gateways], [case.gateway_antenna] * len(case.gateways))
    rain = read_rain(sources.rain)
    disturbances = Disturbances(
        user_air=air_over(users.latitude_rad, users.longitude_rad, rain),
        gateway_air=air_over(gateways.latitude_rad, gateways.longitude_rad, rain),
        jam=jam_over(sources.jam, users, case.catalogue.norad),
    )
    return replace(case, disturbances=disturbances)
