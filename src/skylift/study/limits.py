"""What limits a region: the same slot once more with one resource lifted, or with some made scarcer.

    lifted(study, offer, "antennas").served_bps.sum() - hour.served_bps.sum()

Each question changes one thing of the offer or of the rules and schedules anew; positions and pairs are used
again, but for the geostationary arc, which decides which pairs there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skylift.base.errors import Refused
from skylift.sky.schedule.problem import Schedule, ScheduleRules
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityStudy

# The keys of `limited_by`, in its order.
RESOURCES = ("beams", "antennas", "ka", "gso", "nco")
# As many satellites on one channel of one cell as the schedule's rules know.
MOST_NCO = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each resource there is, 1 as given.

    beams     of every satellite in either polarisation, rounded down. Beyond one beam for each channel, where
              another would only light the same spectrum again, beams count as faster ones: what a channel
              carries is multiplied by what is left
    antennas  of every gateway, rounded down; one satellite each
    ka        what an antenna carries
    """

    beams: float = 1.0
    antennas: float = 1.0
    ka: float = 1.0

    def __post_init__(self) -> None:
        for name in ("beams", "antennas", "ka"):
            if not 0.0 <= getattr(self, name) <= 1000.0:
                raise Refused(
                    "plan.scale", name, "it must lie between 0 and 1,000 times what there is", "correct it"
                )


def scaled(offer: Offer, rules: ScheduleRules, scale: Scale) -> Offer:
    """An offer with more or less of its beams, antennas and Ka."""
    beams = np.floor(offer.satellites.beams * scale.beams)
    lit = np.minimum(beams, rules.channels).astype(np.int32)
    # All satellites of a system have the same beams; where they do not, each pair is as fast as its own.
    total = lit.sum(axis=1)
    faster = np.where(total > 0, beams.sum(axis=1) / np.maximum(total, 1), 1.0)
    antennas = np.floor(offer.gateways.antennas * scale.antennas).astype(np.int32)
    return replace(
        offer,
        satellites=replace(offer.satellites, beams=lit),
        pairs=replace(offer.pairs, full_rate_bps=offer.pairs.full_rate_bps * faster[offer.pairs.satellite]),
        gateways=replace(
            offer.gateways, antennas=antennas, pair_feeder_bps=offer.gateways.feeders_bps() * scale.ka
        ),
    )


def without_sharing(rules: ScheduleRules) -> ScheduleRules:
    """Rules that let satellites light the same channel side by side, and up to eight of them on one cell."""
    return replace(rules, nco=MOST_NCO, separation_rad=0.0, dish_separation_rad=0.0)


def lifted(study: CapacityStudy, offer: Offer, resource: str) -> Schedule:
    """The schedule of a slot with one of RESOURCES lifted.

    beams, antennas, ka  twice as much (`Scale`)
    gso                  no angle is kept to the geostationary arc, by dishes or by gateways
    nco                  up to eight satellites on one channel of one cell, and no angle between beams
    """
    rules = study.case.rules
    match resource:
        case "beams" | "antennas" | "ka":
            return study.schedule(scaled(offer, rules, Scale(**{resource: 2.0})))
        case "gso":
            return study.schedule(study.offer(offer.at_us, arc=False))
        case "nco":
            return study.schedule(offer, without_sharing(rules))
    raise Refused(
        "plan.resource", f"resource {resource!r}", f"the resources are {', '.join(RESOURCES)}", "choose one"
    )
