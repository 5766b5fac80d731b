"""Figures of a link from packets whose fate is known, and the answer to one question."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skylift.study.netreport import (
    Train,
    burst_ratio,
    jitter_ms,
    of_run,
    of_train,
    verdict,
    voice,
    worst_burst,
)
from skylift.study.voice import CODECS, rating

RATES = {"cubic": {"down_bps": 40e6, "up_bps": 8e6}, "bbr": {"down_bps": 60e6, "up_bps": 6e6}}


def train(seconds: float, delay_ms: float = 20.0, lost: float = 0.0, seed: int = 1) -> Train:
    random = np.random.default_rng(seed)
    count = round(seconds * 50)
    up = delay_ms + random.normal(0, 0.5, count)
    up[random.random(count) < lost] = np.nan
    down = np.where(np.isnan(up), np.nan, delay_ms)
    return Train(np.arange(count) * 20.0, up, down)


def test_figures_are_those_of_the_packets() -> None:
    report = of_train(train(60, lost=0.005), [0.0, 15_000.0, 30_000.0, 45_000.0], 15_000.0, RATES)
    assert len(report["slots"]) == 4
    assert report["rtt_ms"] == pytest.approx(40.0, abs=0.2)
    # The mean difference of two normal values is 2 sigma over the root of pi.
    assert report["jitter_up_ms"] == pytest.approx(2 * 0.5 / np.sqrt(np.pi), rel=0.1)
    assert report["jitter_down_ms"] == 0.0
    assert report["loss_up"] == pytest.approx(0.005, abs=0.005)
    assert report["loss_down"] == 0.0
    assert (report["down_bps"], report["up_bps"]) == (60e6, 8e6)
    assert report["voice"]["mos"] > 4.2


def test_losses_on_each_way_are_told_apart() -> None:
    sent = np.arange(100) * 20.0
    up, down = np.full(100, 10.0), np.full(100, 12.0)
    up[:10] = down[:10] = np.nan
    down[50:59] = np.nan
    figures = of_train(Train(sent, up, down), [0.0], 15_000.0, {})
    assert figures["loss_up"] == pytest.approx(0.10)
    assert figures["loss_down"] == pytest.approx(0.10)
    assert figures["burst_loss"] == 1.0


def test_bursts() -> None:
    fell = np.zeros(100, dtype=np.bool_)
    assert burst_ratio(fell) == 1.0
    fell[10:20] = True
    # One burst of ten; at random it would be 1 / (1 - 0.1).
    assert burst_ratio(fell) == pytest.approx(9.0)
    alternate = np.arange(100) % 10 == 0
    assert burst_ratio(alternate) == 1.0
    assert worst_burst(train(10)) == 0.0


def test_the_burst_ratio_of_losses_of_two_states_is_the_recommendations() -> None:
    """G.107, 7.5: 1 / (p + q), p the chance of a loss after one that came, q that one comes after a loss."""
    p, q, random = 0.02, 0.4, np.random.default_rng(5)
    lengths = np.column_stack((random.geometric(p, 20_000), random.geometric(q, 20_000))).ravel()
    lost = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    assert burst_ratio(lost) == pytest.approx(1 / (p + q), rel=0.02)


def test_jitter_of_a_staircase() -> None:
    assert jitter_ms(np.array([10.0, 11.0, 10.0, 11.0])) == 1.0
    assert np.isnan(jitter_ms(np.array([10.0])))


def test_a_buffer_waits_for_what_comes_late_as_long_as_it_pays() -> None:
    delays = np.full(1_000, 30.0)
    delays[::10] = 70.0
    best = voice(delays)
    assert best["buffer_ms"] == 40
    assert best["loss_percent"] == 0.0
    assert voice(np.full(10, np.nan))["mos"] == 1.0


def test_a_codec_has_its_own_score_and_its_own_delay() -> None:
    delays = np.full(1_000, 30.0)
    plain, hard = voice(delays), voice(delays, CODECS["g729a"])
    # Ie, and 5 ms more to wait for.
    assert plain["r"] - hard["r"] == pytest.approx(11.0 + rating(60.0) - rating(65.0), abs=0.02)
    delays[::50] = np.nan
    assert voice(delays, CODECS["g711-plain"])["r"] < voice(delays)["r"] - 15.0


def slot(**of: Any) -> dict[str, Any]:
    usual = {"rtt_ms": 45.0, "jitter_up_ms": 5.0, "jitter_down_ms": 5.0, "loss_up": 0.0, "loss_down": 0.0}
    return {**usual, "burst_loss": 0.0, **of}


@pytest.mark.parametrize(
    ("slots", "down_bps", "up_bps", "answer"),
    [
        ([slot()] * 20, 5e6, 1e6, "yes"),
        ([slot()] * 19 + [slot(loss_up=0.03)], 5e6, 1e6, "yes"),
        ([slot()] * 18 + [slot(loss_up=0.03)] * 2, 5e6, 1e6, "with disturbances"),
        ([slot(burst_loss=0.3)] * 20, 5e6, 1e6, "with disturbances"),
        ([slot(rtt_ms=120.0)] * 20, 5e6, 1e6, "with disturbances"),
        ([slot()] * 20, 0.5e6, 1e6, "with disturbances"),
        ([slot()] * 20, 0.1e6, 1e6, "no"),
        ([slot(loss_down=0.12)] * 20, 5e6, 1e6, "no"),
        ([slot(jitter_down_ms=35.0)] * 20, 5e6, 1e6, "no"),
        ([slot()] * 10 + [slot(rtt_ms=None)] * 10, 5e6, 1e6, "no"),
        ([slot()] * 4, None, None, "yes"),
        ([], 5e6, 1e6, "no"),
    ],
)
def test_the_answer(
    slots: list[dict[str, Any]], down_bps: float | None, up_bps: float | None, answer: str
) -> None:
    assert verdict(slots, down_bps, up_bps) == answer


def test_a_runs_report_is_read_as_far_as_it_goes() -> None:
    slots = [
        {"at_us": k * 15_000_000, "rtt_seen_ms": 40.0 + k, "loss_seen": 0.0, "down_bps": 1_000}
        for k in range(3)
    ]
    report = of_run({"slots": [*slots, {"at_us": 45_000_000, "rtt_seen_ms": None, "loss_seen": None}]})
    assert report["rtt_ms"] == 41.0
    assert report["video_call"] == "yes"
    assert len(report["slots"]) == 3
    dead = of_run({"slots": [{"at_us": 0, "rtt_seen_ms": None, "loss_seen": 1.0}]})
    assert (dead["video_call"], dead["voice"]["mos"]) == ("no", 1.0)
