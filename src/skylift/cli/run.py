"""`skylift run`: the twin on a clock, as a service on this machine."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli.run_common import address_of, end, loading, prepare_data_dir, say_ready
from skylift.cli.run_options import (
    ALONE_HOURS,
    ALONE_MOST,
    AT,
    CATALOGUE,
    CLOCK,
    CONTEXT,
    DATA_DIR,
    DEMO,
    GATEWAYS,
    HOST,
    PORT,
    PUBLIC_AUTHOR,
    PUBLIC_URL,
    SCENARIO,
    SERVE,
    SPEED,
    STORE_URL,
    TELEMETRY_KEEP,
    TLS_CERT,
    TLS_KEY,
    WEBHOOKS_ALLOW,
    ClockKind,
)
from skylift.twin.permit import Serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from skylift.adapters.clock import AnyClock
    from skylift.adapters.sql.store import SqlStore
    from skylift.api.listening import Tls
    from skylift.api.server import Telemetry

DEFAULT_PORT = 8480


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    context: CONTEXT,
    port: PORT = DEFAULT_PORT,
    host: HOST = "127.0.0.1",
    scenario: SCENARIO = None,
    catalogue: CATALOGUE = None,
    gateways: GATEWAYS = None,
    serve: SERVE = Serve.BOTH,
    data_dir: DATA_DIR = None,
    store_url: STORE_URL = None,
    tls_cert: TLS_CERT = None,
    tls_key: TLS_KEY = None,
    webhooks_allow: WEBHOOKS_ALLOW = "",
    public_url: PUBLIC_URL = None,
    public_author: PUBLIC_AUTHOR = "skylift",
    alone_most: ALONE_MOST = 50,
    alone_hours: ALONE_HOURS = 24.0,
    telemetry_keep: TELEMETRY_KEEP = "",
    clock: CLOCK = None,
    at: AT = None,
    speed: SPEED = None,
    demo: DEMO = False,
) -> None:
    """Run the service: the sky slot by slot, and the office, as an HTTP API, live streams and a page."""
    if demo:
        from skylift.cli.run_demo import DemoRun, not_for_demo, run_demo

        strange = not_for_demo(context) + (("--clock wall",) if clock is ClockKind.WALL else ())
        run_demo(DemoRun(host, port, data_dir, store_url, catalogue, gateways, speed, strange))
        return
    from skylift.api.listening import Address, listen
    from skylift.base.units import US_PER_DAY, US_PER_S

    running, leap = _clocks(clock, at, speed)
    folder = prepare_data_dir(data_dir)
    tls = _tls(tls_cert, tls_key)
    with ExitStack() as stack:
        address = Address(host, port)
        # What can be refused is, before the rest is loaded: that takes two seconds.
        early = stack.enter_context(listen(address)) if tls is None else None
        with loading():
            from skylift.adapters.sky_process import SkySettings
            from skylift.adapters.webhooks import Sender, read_networks
            from skylift.api.office.desk import Public
            from skylift.api.server import Service
            from skylift.api.server import serve as serve_until_stopped
            from skylift.twin.office.alone import Limits
        sender = Sender(read_networks(webhooks_allow))
        store, has_login = _open_store(folder, store_url)
        stack.enter_context(closing(store))
        listening = early or stack.enter_context(listen(address, has_login))
        url, loopback = address_of(listening, "https" if tls else "http")
        typer.echo(f"skylift listens on {url} and computes the first slot ...", err=True)
        if leap is not None:
            typer.echo(f"on a simulated clock, {running.speed:g} times as fast as the wall's", err=True)
        start_of_day_us = running.now() // US_PER_DAY * US_PER_DAY
        settings = SkySettings(running, start_of_day_us, scenario, catalogue, gateways, serve)
        public = Public(_public(public_url) or url, public_author)
        limits = Limits(alone_most, round(alone_hours * 3600) * US_PER_S)
        setup = partial(_say_setup, url)
        kept = _telemetry(folder, store_url, telemetry_keep)
        service = Service(store, leap, setup, tls, loopback, sender, public, limits=limits, telemetry=kept)
        failed = serve_until_stopped(listening, settings, partial(say_ready, url), service)
    end(failed)


def _clocks(
    kind: ClockKind | None, at: str | None, speed: float | None
) -> tuple[AnyClock, Callable[[int], None] | None]:
    """The clock that the service runs by, and what makes it leap where it is simulated."""
    from skylift.adapters.clock import SimulatedClock, make_clock
    from skylift.base.instants import parse_instant

    simulated = None if kind is None else kind is ClockKind.SIMULATED
    running = make_clock(simulated, None if at is None else parse_instant(at, "--at"), speed)
    return running.leaping() if isinstance(running, SimulatedClock) else (running, None)


def _public(url: str | None) -> str:
    from skylift.base.errors import Refused

    plain = (url or "").rstrip("/")
    if plain and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]/_~-]{1,200}", plain):
        raise Refused(
            "public.url", "--public-url", "it is an address", "write for example https://example.org"
        )
    return plain


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    from skylift.api.listening import Tls
    from skylift.base.errors import Refused

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise Refused("tls.half", "--tls-cert and --tls-key", "one goes with the other", "give both, or none")
    tls = Tls(certificate, key)
    tls.check()
    return tls


def _open_store(folder: Path, store_url: str | None) -> tuple[SqlStore, bool]:
    """The store, and whether anybody has a part in the service yet."""
    from skylift.adapters.demo import refuse_demo_beside
    from skylift.adapters.sql.store import open_store, sqlite_url
    from skylift.ports.store import Wanted
    from skylift.service.account.person import ROOM
    from skylift.service.rooms import ROOMS

    if store_url is None:
        refuse_demo_beside(folder)
    # A server's list of erasures is kept here, where no restored dump can take it back.
    erasures = folder / "postgresql.erased" if store_url else None
    store = open_store(store_url or sqlite_url(folder), ROOMS, erasures=erasures)
    with store.reading() as reader:
        return store, bool(reader.list(ROOM, Wanted(limit=1)))


def _telemetry(folder: Path, store_url: str | None, keep: str) -> Telemetry:
    """Where reports of dishes are kept: beside the store, in tables or a file of its own."""
    from skylift.adapters.keys import KeyPair
    from skylift.adapters.telemetry.store import TelemetrySql, telemetry_file_in
    from skylift.api.server import Telemetry
    from skylift.ports.telemetry import Keep

    rule = Keep.read(keep)
    key = KeyPair.kept(folder / "service-ed25519.key")
    return Telemetry(TelemetrySql(store_url or f"sqlite:///{telemetry_file_in(folder)}"), key, rule)


def _say_setup(url: str, code: str) -> None:
    typer.echo(f"setup: {url}/setup?code={code}", err=True)
