"""`python -m bench.packets_accuracy`: what ping and iperf3 see behind a terminal, beside what was set.

    --only WORD   of rtt, goodput, loss, hash: one part alone
    --seconds N   of each transfer
    --encrypted   through WireGuard, whose own work is then in what is seen

Prints a table, writes build/packets_accuracy.json, encrypted build/packets_accuracy_encrypted.json; exit code
1 where a bound is missed. A line whose run was not trustworthy says so: the machine was busy, and it proves
nothing either way. Rates that bare WireGuard, measured in the same run, does not carry are held against that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.packets import ENCRYPTED_BYTES, OF_WIREGUARD, SERVER, bare, behind, iperf, link, missing
from bench.packets_bare import received_mbps
from skylift.adapters.packet_network import POP4, POP6
from skylift.adapters.packet_wanted import Outcome

RTTS_MS = (20.0, 40.0, 60.0)
RTT_ERROR_MS = 1.0
BESIDE_MBPS = 50
RATES_MBPS = (1.0, 5.0, 20.0, 100.0, 400.0)
GOODPUT_ERROR = 0.05
# Of a packet of 1,500 bytes, what is left by the headers of IPv4 and of TCP with timestamps (RFC 7323).
PAYLOAD_FRACTION = 1_448 / 1_500
# The same of 1,420 in WireGuard, which adds 32 and travels in UDP over IPv4.
ENCRYPTED_FRACTION = 1_368 / (1_420 + 32 + 28)
TRANSFER_RTT_MS = 40.0
LOSSES = (0.001, 0.01, 0.05)
DATAGRAM_BYTES = 1_200
# So few that the receiver's socket holds those of 100 ms: a machine that is busy for shorter loses none.
LOSS_MBPS = 5
# Of a normal distribution, 99.9 % on both sides: one honest line in a thousand is outside.
SIGMAS = 3.2905
BODY_BYTES = 20_000_000
FILE_COLUMNS = 160


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: what was set, what was seen, how far off it may be (None: upwards only); in `unit`."""

    what: str
    unit: str
    set: float
    seen: float
    bound: float | None
    trustworthy: bool
    p99_late_ms: float
    tun_dropped: int

    @property
    def ok(self) -> bool:
        return self.seen >= self.set if self.bound is None else abs(self.seen - self.set) <= self.bound

    @classmethod
    def of(cls, what: str, unit: str, numbers: tuple[float, float, float | None], outcome: Outcome) -> Line:
        """numbers: set, seen, bound."""
        report = outcome.report
        late_ms = report["lateness_us"]["p99"] / 1_000
        return cls(what, unit, *numbers, report["trustworthy"], late_ms, report["tun_dropped"])


def rtts(seconds: float, encrypt: bool) -> Iterator[Line]:
    """Ping at 50 a second, alone and beside a stream of datagrams each way."""
    alone = f"ping -4 -c {seconds * 50:.0f} -i 0.02 {POP4}"
    datagrams = f"iperf3 -c {POP4} -u -b {BESIDE_MBPS}M -l {DATAGRAM_BYTES} --bidir -t {seconds + 3:g}"
    beside = f"{datagrams} > /dev/null & sleep 1.5; {alone}"
    for rtt_ms in RTTS_MS:
        yield _pinged(f"ping, {rtt_ms:g} ms", rtt_ms, alone, encrypt)
        yield _pinged(
            f"ping, {rtt_ms:g} ms, {BESIDE_MBPS} Mbit/s each way beside it", rtt_ms, beside, encrypt
        )


def _pinged(what: str, rtt_ms: float, command: str, encrypt: bool) -> Line:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        outcome = behind(link(delay_ms=rtt_ms / 2), f"({command}) > {told}", SERVER, encrypt=encrypt)
        seen = [float(text) for text in re.findall(r"time=([\d.]+) ms", told.read_text(encoding="utf-8"))]
    median_ms = statistics.median(seen) if seen else math.nan
    return Line.of(what, "ms", (rtt_ms, median_ms, RTT_ERROR_MS), outcome)


def goodputs(seconds: float, encrypt: bool) -> Iterator[Line]:
    """One TCP connection each way; what comes before the first second or two is left out."""
    least_mbps = OF_WIREGUARD * _bare_wireguard_mbps() if encrypt else math.inf
    for rate_mbps in RATES_MBPS:
        over = link(rate_mbps * 1e6, TRANSFER_RTT_MS / 2)
        ceiling_mbps = rate_mbps * (ENCRYPTED_FRACTION if encrypt else PAYLOAD_FRACTION)
        for way, words in (("up", ""), ("down", "-R")):
            said, outcome = iperf(over, f"-C cubic -O 2 -t {seconds:g} {words}", encrypt=encrypt)
            seen_mbps = received_mbps(said)
            what = f"TCP {way}, {rate_mbps:g} Mbit/s"
            bound_mbps = ceiling_mbps * GOODPUT_ERROR
            if ceiling_mbps <= least_mbps:
                yield Line.of(what, "Mbit/s", (ceiling_mbps, seen_mbps, bound_mbps), outcome)
            else:
                what += f", where bare WireGuard carries {least_mbps / OF_WIREGUARD:.0f}"
                yield Line.of(what, "Mbit/s", (least_mbps, seen_mbps, None), outcome)


def _bare_wireguard_mbps() -> float:
    return statistics.median(bare("wireguard", ENCRYPTED_BYTES)()[-1] for _ in range(3))


def losses(seconds: float, encrypt: bool) -> Iterator[Line]:
    """Datagrams that did not come, of as many as were sent."""
    for loss in LOSSES:
        over = link(delay_ms=TRANSFER_RTT_MS / 2, loss=loss)
        for way, words in (("up", ""), ("down", "-R")):
            said, outcome = iperf(
                over, f"-u -b {LOSS_MBPS}M -l {DATAGRAM_BYTES} -t {seconds:g} {words}", encrypt=encrypt
            )
            told = said["end"]["sum"]
            sent, lost = int(told["packets"]), int(told["lost_packets"])
            bound = SIGMAS * math.sqrt(sent * loss * (1 - loss)) + 0.5
            yield Line.of(
                f"{loss:g} of {sent} datagrams lost, {way}", "", (sent * loss, lost, bound), outcome
            )


def hashes(_: float, encrypt: bool) -> Iterator[Line]:
    """A file over TCP with 1 % of packets lost each way: its hash is right, or it is 1 off."""
    body = random.Random(7).randbytes(BODY_BYTES)
    fetch = (
        "import sys, time, urllib.request\n"
        "for k in range(50):\n"
        "    try: sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=60).read()); break\n"
        "    except OSError: time.sleep(0.1)\n"
    )
    for name, host in (("IPv4", POP4), ("IPv6", f"[{POP6}]")):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "body").write_bytes(body)
            got = Path(folder) / "got"
            serve = (sys.executable, "-m", "http.server", "8000", "--bind", "::", "--directory", folder)
            command = f"{sys.executable} -c '{fetch}' http://{host}:8000/body > {got}"
            outcome = behind(link(delay_ms=5.0, loss=0.01), command, serve, encrypt=encrypt)
            wrong = hashlib.sha256(got.read_bytes()).digest() != hashlib.sha256(body).digest()
        yield Line.of(f"sha256 of {BODY_BYTES / 1e6:g} MB, 1 % lost, {name}", "", (0, wrong, 0), outcome)


PARTS = {"rtt": rtts, "goodput": goodputs, "loss": losses, "hash": hashes}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--encrypted", action="store_true")
    asked = parser.parse_args()
    why = missing("iperf3", "ping", *(["wireguard-go"] if asked.encrypted else []))
    if why:
        print(f"nothing can be measured here: {why}", file=sys.stderr)
        return 1
    lines: list[Line] = []
    for name, part in PARTS.items():
        if asked.only in (None, name):
            for line in part(asked.seconds, asked.encrypted):
                print(f"{line.what}: {line.seen:.4g}", file=sys.stderr)
                lines.append(line)
    # In a file nothing is cut off.
    Console(width=None if sys.stdout.isatty() else FILE_COLUMNS).print(_table(lines))
    name = "packets_accuracy_encrypted.json" if asked.encrypted else "packets_accuracy.json"
    file = Path(__file__).resolve().parent.parent / "build" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps([asdict(line) | {"ok": line.ok} for line in lines], indent=1) + "\n")
    return 0 if all(line.ok for line in lines) else 1


def _table(lines: list[Line]) -> Table:
    shown = Table(title="what was set and what was seen")
    for title in ("", "set", "seen", "may differ by", "p99 late ms", "dropped", ""):
        shown.add_column(title, justify="left" if title == "" else "right", no_wrap=True)
    for line in lines:
        said = "[green]ok" if line.ok else "[red]missed"
        shown.add_row(
            line.what,
            f"{line.set:.4g} {line.unit}",
            f"{line.seen:.4g}",
            "more" if line.bound is None else f"{line.bound:.3g}",
            f"{line.p99_late_ms:.3g}",
            str(line.tun_dropped),
            said if line.trustworthy else f"{said}[/], not trustworthy",
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
