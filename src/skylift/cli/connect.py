"""skylift connect: a network namespace, or a TUN interface, of others gets a terminal's link."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from skylift.cli.packet_options import (
    REPORT,
    TERMINAL,
    LinkWords,
    PacketWords,
    check_outputs,
    end_by_signals,
    followed,
    packets,
    write_report,
)
from skylift.cli.spread import spread


def register(app: typer.Typer) -> None:
    app.command("connect")(connect)


@spread()
def connect(
    terminal: TERMINAL,
    link: LinkWords,
    packet: PacketWords,
    namespace: Annotated[
        str, typer.Option(help="Name (ip netns), process id or file of a network namespace.")
    ] = "",
    interface: Annotated[
        str, typer.Option(help="A TUN interface that is there: ip tuntap add mode tun NAME.")
    ] = "",
    report: REPORT = None,
) -> None:
    """Give a terminal's link to what is there already: a container, a VM, a whole network; until Ctrl-C.

    A namespace gets an interface, its addresses and the default route, and loses them at the end. Of a TUN
    interface the addresses and routes are yours; it is not encrypted.

        skylift connect kyiv --namespace my-netns & ip netns exec my-netns ping 198.51.100.1
    """
    from skylift.adapters.packet_wanted import Join
    from skylift.base.errors import Refused

    if bool(namespace) is bool(interface) or (interface and (packet.encrypt or packet.internet)):
        raise Refused(
            "packets.join",
            "--namespace and --interface",
            "one of them gets the link; an interface's is not encrypted and has no internet behind it",
            "give --namespace NAME, or --interface NAME without --encrypt and --internet",
        )
    check_outputs(report, packet.capture)
    join = Join(_file(namespace) if namespace else "", _tun(interface) if interface else "")
    sky = followed(terminal, link)
    if interface:
        packet = replace(packet, encrypt=False)
    end_by_signals()

    def ready() -> None:
        typer.echo(f"{namespace or interface} is behind {terminal}; Ctrl-C ends it", err=True)

    write_report(packets(sky, [], packet, join, ready).report, report)


def _tun(interface: str) -> str:
    """Raises Refused where it is none."""
    from skylift.adapters.tun import check_tun

    check_tun(interface)
    return interface


def _file(namespace: str) -> str:
    """Raises Refused where it is none."""
    from skylift.adapters.packet_network import check_namespace

    file = namespace if os.sep in namespace else f"/run/netns/{namespace}"
    if namespace.isascii() and namespace.isdecimal():
        file = f"/proc/{namespace}/ns/net"
    check_namespace(file)
    return file
