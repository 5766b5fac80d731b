"""Active probing in the manner of Trinocular: what a few replies say about a block of 256 addresses.

After Quan, Heidemann and Pradkin, "Trinocular: Understanding Internet Reliability Through Adaptive Probing"
(SIGCOMM 2013), with the constants of the prober that IODA publishes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.watch.samples import Bools, Floats, Integers
from skylift.watch.trinocular_kernel import play_round

# One probe a round in any case, and up to 14 more where the state is not sure.
PROBES_A_ROUND = 15
LOSS = 0.01
ADDRESSES = 256.0
LOWEST, HIGHEST = 0.01, 0.99
UP_ABOVE, DOWN_BELOW = 0.9, 0.1
LEAST_RESPONDERS, LEAST_AVAILABILITY = 15, 0.1


@dataclass(slots=True)
class Blocks:
    """Address blocks and what is believed of them; (B,) each.

    availability  share of a block's addresses that answer while it is up
    belief_down   probability that it is down
    """

    availability: Floats
    belief_down: Floats

    @property
    def up(self) -> Bools:
        return 1.0 - self.belief_down > UP_ABOVE

    @property
    def down(self) -> Bools:
        return 1.0 - self.belief_down < DOWN_BELOW


def eligible(responders: Integers, availability: Floats) -> Bools:
    """Which blocks can be judged at all: at least 15 addresses ever answered, and one in ten does; (B,)."""
    return (responders >= LEAST_RESPONDERS) & (availability >= LEAST_AVAILABILITY)


def begin(availability: Floats) -> Blocks:
    """Blocks that are believed up until replies say otherwise."""
    return Blocks(availability.astype(np.float64), np.full(availability.shape, 1.0 - HIGHEST))


def take_round(blocks: Blocks, replies: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Update beliefs by one round's replies, in place; returns how many replies each block took, (B,).

    replies  (B, P): 1 answered, 0 silent, -1 not probed; what comes after the state is sure is not read
    """
    used = np.zeros(blocks.belief_down.size, dtype=np.int32)
    play_round(blocks.belief_down, blocks.availability, replies, used, LOSS, ADDRESSES, LOWEST, HIGHEST)
    return used


def wants_more(before: Floats, after: Floats) -> Bools:
    """Whether a block is probed once more in this round, by the belief before its last reply and after it.

    Where its state is not sure, or the reply spoke against what was believed; (B,) each.
    """
    uncertain = (1.0 - after >= DOWN_BELOW) & (1.0 - after <= UP_ABOVE)
    towards: Bools = np.abs(after - 0.5) < np.abs(before - 0.5)
    return uncertain | towards


def after_reply(belief_down: Floats, availability: Floats, answered: Bools) -> Floats:
    """The published update by one reply of each block, (B,) each."""
    given_down = np.where(answered, (1.0 - LOSS) / ADDRESSES, 1.0 - (1.0 - LOSS) / ADDRESSES)
    given_up = np.where(answered, availability, 1.0 - availability)
    weight = given_down * belief_down
    return np.clip(weight / (weight + given_up * (1.0 - belief_down)), LOWEST, HIGHEST)


def probes_to_down(availability: float) -> int:
    """Silences in a row that lead from "surely up" to "down"; sparse blocks need more than one round."""
    blocks = begin(np.array([availability]))
    count = 0
    while not blocks.down[0]:
        blocks.belief_down[:] = after_reply(blocks.belief_down, blocks.availability, np.array([False]))
        count += 1
    return count


def levels(blocks: Blocks, entity: Integers, entities: int) -> tuple[Floats, Floats]:
    """Share of each entity's judged blocks that are up, and how many were judged, (E,) each."""
    judged = blocks.up | blocks.down
    count = np.bincount(entity[judged], minlength=entities).astype(np.float64)
    up = np.bincount(entity[blocks.up], minlength=entities).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, up / np.maximum(count, 1), np.nan), count
