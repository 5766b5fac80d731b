"""skylift proxy: a browser, or any program that knows proxies, behind a terminal; no rights needed."""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated

import typer

from skylift.cli.outputs import check_output
from skylift.cli.packet_options import REPORT, TERMINAL, LinkWords, followed, write_report
from skylift.cli.spread import spread


def register(app: typer.Typer) -> None:
    app.command("proxy")(proxy)


@spread()
def proxy(
    terminal: TERMINAL,
    link: LinkWords,
    listen: Annotated[
        str, typer.Option(help="ADDRESS:PORT of loopback; port 0 takes a free one.")
    ] = "127.0.0.1:1080",
    report: REPORT = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say on stdout, in one JSON document, where it is.")
    ] = False,
) -> None:
    """Carry a program's connections behind a terminal, as a SOCKS 5 and HTTP proxy, until Ctrl-C.

    It takes no rights and runs on any system. Streams take the link's delay, rate, loss and gaps; they come
    out on this machine's own network. It has no login, so it listens on loopback alone.

        skylift proxy kyiv & curl -x socks5h://127.0.0.1:1080 https://example.org
    """
    from skylift.adapters.packet_proxy import run_proxy

    host, port = _loopback(listen)
    check_output(report, "--report", (".json",))
    followed_link = followed(terminal, link)

    def ready(taken: int) -> None:
        shown = f"[{host}]:{taken}" if ":" in host else f"{host}:{taken}"
        urls = {"socks5": f"socks5h://{shown}", "http": f"http://{shown}"}
        if as_json:
            typer.echo(json.dumps({"terminal": terminal, **urls}))
        typer.echo(f"a proxy behind {terminal}: {urls['socks5']} or {urls['http']}; Ctrl-C ends it", err=True)

    write_report(run_proxy(followed_link, host, port, ready), report)


def _loopback(listen: str) -> tuple[str, int]:
    from skylift.base.errors import Refused

    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        fits = colon and port.isascii() and port.isdecimal() and int(port) <= 65_535
        loopback = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError:
        fits = loopback = False
    if not fits or not loopback:
        raise Refused(
            "proxy.address",
            f"--listen {listen[:60]!r}",
            "without a login it listens on loopback alone, on a port from 0 to 65535",
            "write it like 127.0.0.1:1080",
        )
    return host, int(port)
