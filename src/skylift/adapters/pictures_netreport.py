"""The picture of a net report: round trips as they came, slot by slot, and what was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from skylift.adapters.netreport_run import train_of


def draw_netreport(document: dict[str, Any], file: Path) -> None:
    """Draw it into a PNG, SVG or PDF."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
    train = train_of(document)
    if train is not None:
        seconds = train.sent_ms / 1_000
        axes.plot(seconds, train.rtt_ms, ".", ms=2, color="#4477aa", label="round trip of one packet")
        known = train.rtt_ms[~np.isnan(train.rtt_ms)]
        if known.size:
            # A few that took far longer would press all others together.
            top_ms = min(float(known.max()), 2.0 * float(np.percentile(known, 99)))
            above = train.rtt_ms > top_ms
            if above.any():
                head = np.full(int(above.sum()), top_ms)
                axes.plot(seconds[above], head, "^", ms=4, color="#4477aa", clip_on=False, label="longer")
            axes.set_ylim(top=top_ms)
        lost = np.isnan(train.rtt_ms)
        foot = np.zeros(int(lost.sum()))
        axes.plot(seconds[lost], foot, "|", color="#cc3311", clip_on=False, label="lost")
    starts = [slot["start_ms"] / 1_000 for slot in document["slots"]]
    for start in starts:
        axes.axvline(start, color="0.8", lw=0.8, zorder=0)
    for start, slot in zip(starts, document["slots"], strict=True):
        if slot["rtt_ms"] is not None:
            label = "median of a slot" if start == starts[0] else None
            begin, end = max(start, 0.0), start + 15.0
            if train is not None and train.sent_ms.size:
                end = min(end, float(np.nanmax(train.sent_ms)) / 1_000)
            axes.hlines(slot["rtt_ms"], begin, end, color="#222222", lw=2, label=label)
    axes.set_xlabel("seconds since the measurement began; grey: edges of slots")
    axes.set_ylabel("round trip, ms")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", frameon=False)
    figure.savefig(file, dpi=120)
    plt.close(figure)
