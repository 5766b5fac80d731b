"""skylift connect: a network namespace, or a TUN interface, of others gets a terminal's link."""

from __future__ import annotations

import os
import signal

import typer

from skylift.cli.outputs import check_output
from skylift.cli.packet_options import (
    AT,
    CAPTURE,
    CATALOGUE,
    ENCRYPT,
    FIBRE,
    FIBRE_CUT,
    INTERNET,
    KEYS_LAST,
    MAHIMAHI,
    POP_RUN,
    PRESET,
    QUEUE,
    REPLAY,
    REPORT,
    SCENARIO,
    SEED,
    SERVER,
    SET,
    TERMINAL,
    TOKEN,
    TRACE,
    TRACE_PLACES,
    LinkWords,
    PacketWords,
    followed,
    packets,
    write_report,
)


def register(app: typer.Typer) -> None:
    app.command("connect")(connect)


def connect(
    terminal: TERMINAL,
    namespace: str = typer.Option("", help="Name (ip netns), process id or file of a network namespace."),
    interface: str = typer.Option("", help="A TUN interface that is there: ip tuntap add mode tun NAME."),
    scenario: SCENARIO = None,
    catalogue: CATALOGUE = None,
    at: AT = None,
    server: SERVER = None,
    token: TOKEN = "",
    replay: REPLAY = None,
    mahimahi: MAHIMAHI = None,
    trace: TRACE = None,
    trace_places: TRACE_PLACES = False,
    set_: SET = [],  # noqa: B006
    preset: PRESET = "ideal",
    seed: SEED = 0,
    queue_bytes: QUEUE = 1_000_000,
    pop_command: POP_RUN = "",
    encrypt: ENCRYPT = None,
    keys_last: KEYS_LAST = 3600.0,
    fibre: FIBRE = None,
    fibre_cut: FIBRE_CUT = [],  # noqa: B006
    internet: INTERNET = False,
    capture: CAPTURE = None,
    report: REPORT = None,
) -> None:
    """Give a terminal's link to what is there already: a container, a VM, a whole network; until Ctrl-C.

    A namespace gets an interface, its addresses and the default route, and loses them at the end. Of a TUN
    interface the addresses and routes are yours; it is not encrypted.

        skylift connect kyiv --namespace my-netns & ip netns exec my-netns ping 198.51.100.1
    """
    from skylift.adapters.packet_wanted import Join
    from skylift.base.errors import Refused

    if bool(namespace) is bool(interface) or (interface and (encrypt or internet)):
        raise Refused(
            "packets.join",
            "--namespace and --interface",
            "one of them gets the link; an interface's is not encrypted and has no internet behind it",
            "give --namespace NAME, or --interface NAME without --encrypt and --internet",
        )
    check_output(report, "--report", (".json",))
    check_output(capture, "--capture", (".pcap",))
    said = LinkWords(
        scenario, catalogue, at, server, token, replay, mahimahi, trace, trace_places, set_, preset, seed
    )
    link = followed(terminal, said)
    join = Join(_file(namespace) if namespace else "", _tun(interface) if interface else "")
    words = PacketWords(
        queue_bytes,
        pop_command,
        False if interface else encrypt,
        keys_last,
        fibre,
        fibre_cut,
        capture,
        internet,
        join,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def ready() -> None:
        typer.echo(f"{namespace or interface} is behind {terminal}; Ctrl-C ends it", err=True)

    write_report(packets(link, [], words, ready).report, report)


def _tun(interface: str) -> str:
    """Raises Refused where it is none."""
    from skylift.adapters.tun import check_tun

    check_tun(interface)
    return interface


def _file(namespace: str) -> str:
    if namespace.isascii() and namespace.isdecimal():
        return f"/proc/{namespace}/ns/net"
    return namespace if os.sep in namespace else f"/run/netns/{namespace}"
