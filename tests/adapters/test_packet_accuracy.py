"""Rates and losses of real packets, within bounds that a busy machine keeps."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_network import POP4
from skylift.adapters.packet_replay import Replay
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Outcome, Wanted
from skylift.wire.packet.trace import TracedSlot
from tests.packet_runs import needs
from tests.trusted import tried


def behind(command: str, rate_bps: float, loss: float, pop_command: tuple[str, ...] = ()) -> Outcome:
    """A command behind a link of 20 ms there and back, until a run of it is trusted."""
    piece = (0, 60_000_000_000, 10_000_000, 10_000_000, rate_bps, loss, True)
    slot = TracedSlot(0, 60_000_000, "", 20.0, loss, ((piece,), (piece,)))
    link = Followed(Replay((slot,)), "any", 0)
    wanted = Wanted(link, ("/bin/sh", "-c", command), pop_command)
    return tried(lambda: run(wanted), lambda outcome: outcome.report).trusted()


def test_tcp_carries_what_headers_leave_of_the_rate(tmp_path: Path) -> None:
    needs("iperf3")
    # With -J it ends well although it failed: its server may not listen yet.
    once = (
        "for k in $(seq 50); do iperf3 -J -c {} -C cubic -O 1 -t 1.5 {} > {}; grep -q error {} || break; done"
    )
    ways = {way: tmp_path / f"told{way}" for way in ("", "-R")}
    command = "; ".join(once.format(POP4, way, told, told) for way, told in ways.items())
    behind(command, 20e6, 0.0, ("/bin/sh", "-c", "exec iperf3 -s 2>&1"))
    # Of 1,500 bytes 52 are headers.
    ceiling_bps = 20e6 * 1448 / 1500
    for told in ways.values():
        seen_bps = json.loads(told.read_text(encoding="utf-8"))["end"]["sum_received"]["bits_per_second"]
        assert 0.9 * ceiling_bps < seen_bps < 1.02 * ceiling_bps


def test_as_many_pings_are_lost_as_chance_makes_them(tmp_path: Path) -> None:
    needs("ping")
    loss, sent, out = 0.05, 400, tmp_path / "out"
    behind(f"ping -q -c {sent} -i 0.004 -W 1 {POP4} > {out}; true", 1e9, loss)
    told = re.search(r"(\d+) packets transmitted, (\d+) received", out.read_text(encoding="utf-8"))
    assert told is not None
    assert int(told[1]) == sent
    # A ping is lost there, or its answer back; five sigma: once in a million.
    share = 1 - (1 - loss) ** 2
    assert abs(sent - int(told[2]) - sent * share) < 5 * math.sqrt(sent * share * (1 - share))
