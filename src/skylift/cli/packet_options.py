"""What the commands for real packets share: whose link, as told by what, and what of it is set by hand."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_output

if TYPE_CHECKING:
    from skylift.adapters.packet_link import Followed, Overrides
    from skylift.adapters.packet_replay import Replay
    from skylift.adapters.packet_wanted import Join, Outcome
    from skylift.wire.packet.uplinks import Fibre

_SET = {"delay_ms": (0.0, 10_000.0), "rate_mbps": (0.001, 100_000.0), "loss": (0.0, 1.0)}

TERMINAL = Annotated[str, typer.Argument(help="Id of the scenario's, or the service's, terminal.")]
SCENARIO = Annotated[Path | None, typer.Option(help="Scenario, .toml; the packaged one by default.")]
CATALOGUE = Annotated[Path | None, typer.Option(help="Satellites instead of the scenario's.")]
AT = Annotated[str | None, typer.Option(help="The instant at which it begins, ISO 8601; now by default.")]
SERVER = Annotated[
    str | None,
    typer.Option(
        help="Follow the links of this running service instead of a scenario.",
        show_default="SKYLIFT_SERVER, where nothing else is named",
    ),
]
TOKEN = Annotated[
    str, typer.Option(envvar="SKYLIFT_TOKEN", help="A token for it instead of that of the last login.")
]
REPLAY = Annotated[Path | None, typer.Option(help="Do again what --trace wrote, instead of a scenario.")]
MAHIMAHI = Annotated[
    str | None,
    typer.Option(help="Public traces instead: UP,DOWN or UP,DOWN,DELAY (ms one way, a line for each 10 ms)."),
]
TRACE = Annotated[Path | None, typer.Option(help="Write what the link does, for --replay; no places in it.")]
TRACE_PLACES = Annotated[
    bool, typer.Option("--trace-places", help="With the instant, the satellites and the gateways.")
]
SET = Annotated[list[str], typer.Option("--set", help="delay_ms (one way), rate_mbps or loss, as KEY=VALUE.")]
PRESET = Annotated[str, typer.Option(help="Fine structure: ideal, starlink-2022 or starlink-2025.")]
SEED = Annotated[int, typer.Option(min=0, help="Of losses and of the fine structure.")]
QUEUE = Annotated[int, typer.Option(min=3_000, help="What waits for the link in each direction.")]
POP_RUN = Annotated[str, typer.Option("--pop-run", help="A command to run at the PoP, such as 'iperf3 -s'.")]
ENCRYPT = Annotated[
    bool | None,
    typer.Option(
        "--encrypt/--no-encrypt",
        help="WireGuard from the terminal to the gateway; by default where there is WireGuard.",
        show_default=False,
    ),
]
KEYS_LAST = Annotated[
    float, typer.Option("--keys-last", min=1.0, help="Seconds until both ends get new keys.")
]
FIBRE = Annotated[
    str | None,
    typer.Option(
        help="A second way out, taken while it lives: RATE,DELAY,LOSS in Mbit/s, ms one way, 0 to 1."
    ),
]
FIBRE_CUT = Annotated[
    list[str],
    typer.Option(help="When it dies and lives again, in seconds after the beginning: 20-50, or 20-."),
]
INTERNET = Annotated[
    bool, typer.Option("--internet", help="Let the PoP reach this machine's network, by slirp4netns.")
]
CAPTURE = Annotated[
    Path | None, typer.Option(help="Write what goes between terminal and gateway, as it goes there, .pcap.")
]
REPORT = Annotated[Path | None, typer.Option(help="Write what was set and seen, .json.")]


@dataclass(frozen=True)
class LinkWords:
    """What was said of the link."""

    scenario: SCENARIO = None
    catalogue: CATALOGUE = None
    at: AT = None
    server: SERVER = None
    token: TOKEN = ""
    replay: REPLAY = None
    mahimahi: MAHIMAHI = None
    trace: TRACE = None
    trace_places: TRACE_PLACES = False
    set_: SET = field(default_factory=list)
    preset: PRESET = "ideal"
    seed: SEED = 0


@dataclass(frozen=True)
class PacketWords:
    """What was said of the packets."""

    queue_bytes: QUEUE = 1_000_000
    pop_command: POP_RUN = ""
    encrypt: ENCRYPT = None
    keys_last: KEYS_LAST = 3600.0
    fibre: FIBRE = None
    fibre_cut: FIBRE_CUT = field(default_factory=list)
    internet: INTERNET = False
    capture: CAPTURE = None


def followed(terminal: str, words: LinkWords) -> Followed:
    """The link that is meant. Raises Refused or Unavailable where there is none such."""
    from skylift.adapters.clock import WallClock
    from skylift.adapters.packet_link import Followed
    from skylift.adapters.packet_server import ServerLink, clock_of
    from skylift.adapters.scenario_files import Sources
    from skylift.base.instants import parse_instant
    from skylift.wire.packet.texture import POLICIES
    from skylift.wire.packet.texture import preset as check_preset

    check_preset(words.preset)
    check_output(words.trace, "--trace")
    overrides = overrides_of(words.set_)
    server = server_of(words)
    replayed = replay_of_words(words, server)
    if replayed is not None:
        link = Followed(replayed, terminal, 0, overrides, words.seed or replayed.seed, words.preset)
        return replace(link, trace=words.trace, trace_places=words.trace_places, say=_say)
    if server is not None:
        from skylift.client.http import kept_token

        service = ServerLink(server, words.token or kept_token(server))
        at_us, anchor_ns = clock_of(service)
        at_server = Followed(service, terminal, at_us, overrides, words.seed, words.preset, anchor_ns)
        return replace(at_server, trace=words.trace, trace_places=words.trace_places, say=_say)
    at_us = WallClock().now() if words.at is None else parse_instant(words.at, "--at")
    sources = Sources(words.scenario, words.catalogue, policy=POLICIES.get(words.preset))
    by_scenario = Followed(sources, terminal, at_us, overrides, words.seed, words.preset)
    return replace(by_scenario, trace=words.trace, trace_places=words.trace_places, say=_say)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def replay_of_words(words: LinkWords, server: str | None) -> Replay | None:
    """What is to be replayed, if anything is. Raises Refused where it is not alone, or no trace."""
    from skylift.adapters.packet_replay import mahimahi_of, replay_of
    from skylift.base.errors import Refused

    named = [one for one in (words.replay, words.mahimahi) if one is not None]
    if not named:
        return None
    others = (words.server or None, words.scenario, words.catalogue, words.at)
    if len(named) > 1 or any(one is not None for one in others):
        raise Refused(
            "packets.source",
            "--replay or --mahimahi",
            "what was recorded goes with no scenario, service or other record",
            "give it alone",
        )
    if words.replay is not None:
        return replay_of(words.replay)
    files = [Path(part) for part in (words.mahimahi or "").split(",")]
    if len(files) not in (2, 3):
        raise Refused(
            "packets.mahimahi", "--mahimahi", "it names two files or three", "write UP,DOWN or UP,DOWN,DELAY"
        )
    return mahimahi_of(files[0], files[1], files[2] if len(files) == 3 else None)


def packets(
    link: Followed,
    command: list[str],
    words: PacketWords,
    join: Join | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a command behind a terminal. Raises Refused or Unavailable before it begins."""
    from skylift.adapters import packet_internet, packet_wireguard
    from skylift.adapters.packet_run import run
    from skylift.adapters.packet_wanted import Join, Wanted
    from skylift.wire.packet.pipe import QueueRules

    encrypt = words.encrypt
    if encrypt and not packet_wireguard.present():
        raise packet_wireguard.missing()
    if encrypt is None:
        encrypt = packet_wireguard.present()
        if not encrypt:
            missing = packet_wireguard.missing()
            typer.echo(f"not encrypted: {missing.rule} ({missing.way_out})", err=True)
    if words.internet:
        packet_internet.check(*packet_internet.host_addresses())
    return run(
        Wanted(
            link,
            tuple(command),
            pop_words(words.pop_command),
            QueueRules(words.queue_bytes),
            encrypt,
            words.keys_last,
            fibre_of(words.fibre, words.fibre_cut),
            words.capture,
            words.internet,
            join or Join(),
        ),
        ready,
    )


def pop_words(command: str) -> tuple[str, ...]:
    """The words of --pop-run. Raises Refused where a quotation has no end."""
    import shlex

    from skylift.base.errors import Refused

    try:
        return tuple(shlex.split(command))
    except ValueError:
        raise Refused(
            "packets.pop_run",
            f"--pop-run {command[:60]!r}",
            "a quotation in it has no end",
            "write it as in a shell, like --pop-run 'iperf3 -s'",
        ) from None


def fibre_of(said: str | None, cuts: list[str]) -> Fibre | None:
    """The second way out. Raises Refused where it is none."""
    from skylift.base.errors import Refused
    from skylift.wire.packet.uplinks import Fibre

    if said is None:
        if cuts:
            raise Refused(
                "packets.fibre_cut", "--fibre-cut", "there is no fibre to cut", "give --fibre as well"
            )
        return None
    try:
        rate_mbps, delay_ms, loss = (float(part) for part in said.split(","))
        edges = [_cut(cut) for cut in cuts]
    except ValueError:
        rate_mbps, delay_ms, loss, edges = 0.0, 0.0, 0.0, []
    in_order = all(before[1] < after[0] for before, after in itertools.pairwise(edges))
    fits = 0.001 <= rate_mbps <= 100_000 and 0 <= delay_ms <= 10_000 and 0 <= loss <= 1
    if not fits or not in_order or not all(0 <= begin < end for begin, end in edges):
        raise Refused(
            "packets.fibre",
            "--fibre and --fibre-cut",
            "a fibre is Mbit/s, ms one way and a loss of 0 to 1; cuts are seconds, in order and apart",
            "write it like --fibre 100,5,0 --fibre-cut 20-50",
        )
    in_ns = tuple((begin * 1e9, end * 1e9) for begin, end in edges)
    return Fibre(rate_mbps * 1e6, int(delay_ms * 1e6), loss, in_ns)


def _cut(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    return float(begin), float(end) if end else float("inf")


def server_of(words: LinkWords) -> str | None:
    """The service that is meant, if one is. Raises Refused where a scenario is named as well."""
    from skylift.base.errors import Refused

    other = [
        option
        for option, value in (
            ("--scenario", words.scenario),
            ("--catalogue", words.catalogue),
            ("--at", words.at),
            ("--replay", words.replay),
            ("--mahimahi", words.mahimahi),
        )
        if value is not None
    ]
    if words.server is not None and other:
        raise Refused(
            "packets.source",
            f"--server and {other[0]}",
            "a service runs its own scenario on its own clock",
            "give one of them",
        )
    server = words.server or (None if other else os.environ.get("SKYLIFT_SERVER"))
    if server is not None and not server.startswith(("http://", "https://")):
        raise Refused(
            "packets.server", "--server", "it is an address", "write for example http://127.0.0.1:8480"
        )
    return None if server is None else server.rstrip("/")


def overrides_of(given: list[str]) -> Overrides:
    """What --set says. Raises Refused where it is none of what can be set."""
    from skylift.adapters.packet_link import Overrides
    from skylift.base.errors import Refused

    found: dict[str, float] = {}
    for pair in (part for text in given for part in text.split(",")):
        key, _, text = pair.partition("=")
        least, most = _SET.get(key, (1.0, 0.0))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise Refused(
                "packets.setting",
                f"--set {pair[:60]!r}",
                "delay_ms is 0 to 10000, rate_mbps 0.001 to 100000, loss 0 to 1",
                "write it like --set delay_ms=20,rate_mbps=50,loss=0.01",
            )
        found[key] = value
    return Overrides(**found)


def end_by_signals() -> None:
    """Let SIGTERM end a run as Ctrl-C does, and SIGINT also where a shell began it in the background."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


def check_outputs(report: Path | None, capture: Path | None) -> None:
    """Raises Refused where one of them cannot be written."""
    check_output(report, "--report", (".json",))
    check_output(capture, "--capture", (".pcap",))


def write_report(said: dict[str, Any], report: Path | None) -> None:
    """Say where the numbers cannot be trusted, and write them."""
    from skylift.adapters.atomic import write_atomically

    if not said["trustworthy"]:
        late_ms = said["lateness_us"]["p99"] / 1_000
        typer.echo(
            f"not to be trusted: frames left up to {late_ms:g} ms late (99th percentile), "
            f"{said['tun_dropped']} were dropped by this machine",
            err=True,
        )
    elif said["cpu_starved"]:
        without = "; --no-encrypt leaves WireGuard's work out" if said.get("encrypted") else ""
        typer.echo(
            "note: packets waited for a processor: a rate that was not reached may be this machine's"
            + without,
            err=True,
        )
    if report is not None:
        write_atomically(report, json.dumps(said, indent=1) + "\n")
