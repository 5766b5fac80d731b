"""Beliefs about address blocks from probe replies: the published update, block by block."""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def play_round(belief_down, availability, replies, used, loss, addresses, low, high):  # type: ignore[no-untyped-def]
    """One round: replies are taken in order until the block's state is sure, or they run out.

    belief_down   (B,) float64, changed in place
    availability  (B,) float64, share of addresses that answer when the block is up
    replies       (B, P) int8: 1 answered, 0 silent, -1 not probed
    used          (B,) int32, out: how many replies were taken
    loss, addresses  of the model: chance that an answer is lost, addresses in a block
    low, high     bounds of the belief
    """
    for b in range(belief_down.size):
        down, answers = belief_down[b], availability[b]
        taken = 0
        sure = False
        for k in range(replies.shape[1]):
            if replies[b, k] < 0 or sure:
                break
            positive = replies[b, k] == 1
            given_down = (1.0 - loss) / addresses if positive else 1.0 - (1.0 - loss) / addresses
            given_up = answers if positive else 1.0 - answers
            before = down
            down = given_down * before / (given_down * before + given_up * (1.0 - before))
            down = min(max(down, low), high)
            taken += 1
            uncertain = 0.1 <= down <= 0.9
            towards = abs(down - 0.5) < abs(before - 0.5)
            sure = not uncertain and not towards
        # The budget is spent and nothing is sure: nobody knows.
        if taken == replies.shape[1] and taken > 0 and not sure and 0.1 <= down <= 0.9:
            down = 0.5
        belief_down[b] = down
        used[b] = taken
