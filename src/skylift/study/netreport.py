"""What a link is worth: round trips, jitter, losses, throughput, and whether a call can be held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.study.steps import on_edges, steps_ms
from skylift.study.voice import G711, Codec, opinion, rating

Floats = npt.NDArray[np.float64]

BURST_MS = 200.0
# Share of slots that may miss a rule before the answer changes: one in twenty.
MISSED_FRACTION = 0.05


@dataclass(frozen=True, slots=True)
class Rule:
    """Bounds on a slot of 15 s, both directions.

    rtt_ms, jitter_ms, loss  means over the slot; burst_loss  the worst 200 ms, inf: not asked for
    down_bps, up_bps         of the whole measurement
    """

    rtt_ms: float
    jitter_ms: float
    loss: float
    burst_loss: float
    down_bps: float
    up_bps: float


# What Microsoft asks between a client and its edge: round trip < 100 ms, loss < 1 % and jitter < 30 ms in any
# 15 s, loss < 10 % in any 200 ms ("Media Quality and Network Connectivity Performance in Skype for Business
# Online", 2018; again in "Prepare your organization's network for Microsoft Teams"). Rates: group video in
# "Network recommendations" of Azure Communication Services, 1 Mbit/s down and 500 kbit/s up.
GOOD = Rule(100.0, 30.0, 0.01, 0.1, 1.0e6, 0.5e6)
# Beyond this the same vendor's dashboard calls an audio stream poor: round trip over 500 ms, loss rate over
# 0.1, jitter over 30 ms ("Stream Classification in Call Quality Dashboard"). The rates are the least for
# video in meetings, 150 kbit/s up and 200 down, in later editions of the network page (from memory alone).
BEARABLE = Rule(500.0, 30.0, 0.1, math.inf, 0.2e6, 0.15e6)
ANSWERS = {
    "yes": "yes, a video call can be held from here",
    "with disturbances": "a video call can be held from here, with disturbances",
    "no": "no, a video call cannot be held from here",
}


@dataclass(frozen=True, slots=True)
class Train:
    """Small packets, one every 20 ms, that went there and back, as columns (N,); nan: lost on that way.

    sent_ms  since the beginning;  up_ms, down_ms  one way (a packet lost on its way up has no down)
    """

    sent_ms: Floats
    up_ms: Floats
    down_ms: Floats

    def within(self, begin_ms: float, end_ms: float) -> Train:
        there = (self.sent_ms >= begin_ms) & (self.sent_ms < end_ms)
        return Train(self.sent_ms[there], self.up_ms[there], self.down_ms[there])

    @property
    def rtt_ms(self) -> Floats:
        return self.up_ms + self.down_ms

    def came_down(self) -> npt.NDArray[np.bool_]:
        """Which packets were on the way down at all."""
        return ~np.isnan(self.up_ms)


def jitter_ms(delays_ms: Floats) -> float:
    """Mean difference of two packets in a row (what RFC 3550, section 6.4.1 smooths); nan below two."""
    known = delays_ms[~np.isnan(delays_ms)]
    return float(np.mean(np.abs(np.diff(known)))) if known.size > 1 else math.nan


def burst_ratio(lost: npt.NDArray[np.bool_]) -> float:
    """Mean length of losses in a row, over what it would be if they fell at random (BurstR); at least 1."""
    if not lost.any() or lost.all():
        return 1.0
    begins = lost & ~np.concatenate(([False], lost[:-1]))
    return max(1.0, float(lost.sum() / begins.sum() * (1.0 - lost.mean())))


def worst_burst(train: Train) -> float:
    """The largest share of packets lost, there or back, in any 200 ms from a packet on."""
    lost = np.isnan(train.rtt_ms).astype(np.float64)
    window = round(BURST_MS / 20.0)
    if lost.size < window:
        return float(lost.mean()) if lost.size else 0.0
    return float(np.convolve(lost, np.ones(window), "valid").max() / window)


def slot_figures(train: Train) -> dict[str, Any]:
    """What one slot's packets saw; null where none came."""
    rtt_ms, came = train.rtt_ms, train.came_down()
    known = rtt_ms[~np.isnan(rtt_ms)]
    quantiles = [float(np.percentile(known, q)) for q in (50, 95)] if known.size else [math.nan] * 2
    down_lost = float(np.isnan(train.down_ms[came]).mean()) if came.any() else math.nan
    figures = {
        "rtt_ms": quantiles[0],
        "rtt_p95_ms": quantiles[1],
        "jitter_up_ms": jitter_ms(train.up_ms),
        "jitter_down_ms": jitter_ms(train.down_ms),
        "loss_up": float(np.isnan(train.up_ms).mean()) if train.up_ms.size else math.nan,
        "loss_down": down_lost,
        "burst_loss": worst_burst(train),
    }
    return {name: None if math.isnan(value) else round(value, 4) for name, value in figures.items()}


def voice(delays_ms: Floats, codec: Codec = G711) -> dict[str, Any]:
    """The score of one direction with the buffer that gives the best: what it delays, it does not lose.

    A packet that comes later than the buffer waits is lost to the ear. Mouth to ear: the speech in a packet,
    what the coder waits for, the shortest way, the buffer; nothing is added for the way beyond the PoP.
    """
    known = delays_ms[~np.isnan(delays_ms)]
    if not known.size:
        return {"r": 0.0, "mos": 1.0, "buffer_ms": None, "loss_percent": 100.0, "burst_ratio": 1.0}
    least_ms = float(known.min())
    best: dict[str, Any] = {}
    for buffer_ms in range(10, 310, 10):
        lost = np.isnan(delays_ms) | (delays_ms > least_ms + buffer_ms)
        percent, ratio = 100.0 * float(lost.mean()), burst_ratio(lost)
        score = rating(_spoken_ms(codec) + least_ms + buffer_ms, percent, ratio, codec)
        if not best or score > best["r"]:
            best = {"r": score, "buffer_ms": buffer_ms, "loss_percent": percent, "burst_ratio": ratio}
    score = best["r"]
    return {
        **{name: round(value, 2) for name, value in best.items()},
        "mos": round(opinion(score), 2),
    }


def _spoken_ms(codec: Codec) -> float:
    return codec.frame_ms + codec.lookahead_ms


def voices(train: Train, codec: Codec = G711) -> dict[str, Any]:
    """The scores of both directions, and the worse one as the call's."""
    spoken = {"up": voice(train.up_ms, codec), "down": voice(train.down_ms[train.came_down()], codec)}
    worse = min(spoken.values(), key=lambda one: float(one["r"]))
    return {"voice": worse | {"codec": codec.name}, "voice_by_direction": spoken}


def meets(figures: Mapping[str, Any], rule: Rule) -> bool:
    """Whether a slot's figures keep a rule; without any round trip not, and what is null is passed over."""
    if figures["rtt_ms"] is None:
        return False
    bounds = (
        ("rtt_ms", rule.rtt_ms),
        ("jitter_up_ms", rule.jitter_ms),
        ("jitter_down_ms", rule.jitter_ms),
        ("loss_up", rule.loss),
        ("loss_down", rule.loss),
        ("burst_loss", rule.burst_loss),
    )
    return all(figures.get(name) is None or figures[name] < bound for name, bound in bounds)


def verdict(slots: Sequence[Mapping[str, Any]], down_bps: float | None, up_bps: float | None) -> str:
    """yes, with disturbances, or no: the first whose rule all but one slot in twenty keep, and the rates."""
    if not slots:
        return "no"
    for answer, rule in (("yes", GOOD), ("with disturbances", BEARABLE)):
        missed = sum(not meets(figures, rule) for figures in slots)
        fast = (down_bps is None or down_bps >= rule.down_bps) and (up_bps is None or up_bps >= rule.up_bps)
        if fast and missed <= MISSED_FRACTION * len(slots):
            return answer
    return "no"


def of_train(
    train: Train,
    starts_ms: Sequence[float],
    length_ms: float,
    rates: Mapping[str, Mapping[str, float]],
    codec: Codec = G711,
) -> dict[str, Any]:
    """The report of a measurement.

    train      what was sent while nothing else was
    starts_ms  of slots, since the beginning, length_ms each
    rates      by congestion control: down_bps, up_bps
    """
    slots = []
    for start_ms in starts_ms:
        within = train.within(start_ms, start_ms + length_ms)
        if within.sent_ms.size:
            slots.append({"start_ms": round(start_ms, 3), **slot_figures(within)})
    best = {side: max((one[side] for one in rates.values()), default=None) for side in ("down_bps", "up_bps")}
    return {
        **slot_figures(train),
        **best,
        "congestion_controls": {name: dict(one) for name, one in rates.items()},
        **voices(train, codec),
        "video_call": verdict(slots, best["down_bps"], best["up_bps"]),
        "steps": on_edges([at for at, _ in steps_ms(train.sent_ms, train.rtt_ms)], starts_ms, length_ms),
        "slots": slots,
    }


def of_run(report: Mapping[str, Any], codec: Codec = G711) -> dict[str, Any]:
    """The same, as far as it goes, of what exec or proxy wrote: means of each slot, without small packets."""
    slots = []
    for slot in report["slots"]:
        seen, loss = slot.get("rtt_seen_ms"), slot.get("loss_seen")
        if seen is None and loss is None:
            continue
        slots.append(
            {
                "start_ms": (slot["at_us"] - report["slots"][0]["at_us"]) / 1_000,
                "rtt_ms": seen,
                "jitter_up_ms": slot.get("jitter_up_ms"),
                "jitter_down_ms": slot.get("jitter_down_ms"),
                "loss_up": loss,
                "loss_down": None,
                "burst_loss": None,
                "down_bps": slot.get("down_bps"),
                "up_bps": slot.get("up_bps"),
            }
        )
    known = [slot for slot in slots if slot["rtt_ms"] is not None]
    rtt_ms = float(np.mean([slot["rtt_ms"] for slot in known])) if known else None
    loss = float(np.mean([slot["loss_up"] or 0.0 for slot in slots])) if slots else 1.0
    mouth_to_ear_ms = _spoken_ms(codec) + (rtt_ms or 0.0) / 2 + 20.0
    score = 0.0 if rtt_ms is None else rating(mouth_to_ear_ms, 100.0 * loss, 1.0, codec)
    said = {"r": round(score, 2), "mos": round(opinion(score), 2), "codec": codec.name, "buffer_ms": 20}
    jitters = {
        name: max((slot[name] for slot in slots if slot[name] is not None), default=None)
        for name in ("jitter_up_ms", "jitter_down_ms", "down_bps", "up_bps")
    }
    return {
        "rtt_ms": None if rtt_ms is None else round(rtt_ms, 3),
        "rtt_p95_ms": None,
        **jitters,
        "loss_up": round(loss, 6),
        "loss_down": None,
        "burst_loss": None,
        "congestion_controls": {},
        "voice": said,
        # What a run happened to send says nothing of what the link could carry.
        "video_call": verdict(slots, None, None),
        "slots": slots,
    }
