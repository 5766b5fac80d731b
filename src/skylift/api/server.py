"""The service: a listening socket, the sky process, and the event loop between them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.keys import KeyPair
from skylift.adapters.sky_messages import Failed, PermitsWanted
from skylift.adapters.sky_process import Message, SkyProcess, SkySettings
from skylift.adapters.sql.store import SqlStore
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.adapters.webhooks import Sender
from skylift.api.app import create_app
from skylift.api.demo.play import Play
from skylift.api.demo.stage import Stage
from skylift.api.listening import Tls
from skylift.api.obeying import Obedience
from skylift.api.office.delivering import Deliveries
from skylift.api.office.desk import Desk, Public
from skylift.api.office.keeping import ListKeeper
from skylift.api.office.logins import make_setup_code
from skylift.api.office.public_hooks import PublicHooks
from skylift.api.parser import BoundedHttp
from skylift.api.state import LiveState
from skylift.api.telemetry.commanding import Brakes
from skylift.api.telemetry.intake import Intake
from skylift.base.errors import SkyliftError
from skylift.ports.telemetry import Keep
from skylift.twin.office.alone import USUAL, Limits

# Open requests get this long after SIGINT or SIGTERM; streams are ended at once.
GRACE_S = 1
# A demo's story begins with the first slot, or after this.
SKY_PATIENCE_S = 30

OnReady = Callable[[float, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where dishes' reports are kept, for how long, and the key by which the service signs commands."""

    store: TelemetrySql
    key: KeyPair
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True, slots=True)
class Service:
    """What the office works with, and how it is reached.

    leap      lets a simulated clock leap ahead by microseconds; None for the wall's
    open_sky  whether the sky is shown without a login: on loopback alone
    sender    how webhooks are told
    public    what everybody is told of it; None: that it is where it listens
    on_setup  told the code of the first operator, where there is nobody yet
    on_stage  told of a demo's stage before its story begins
    limits    how much one person may change alone
    telemetry where dishes' reports are kept; None: nowhere
    """

    store: SqlStore
    leap: Callable[[int], None] | None
    on_setup: Callable[[str], None]
    tls: Tls | None = None
    open_sky: bool = True
    sender: Sender = field(default_factory=Sender)
    public: Public | None = None
    on_stage: Callable[[Stage], None] = lambda stage: None
    limits: Limits = USUAL
    telemetry: Telemetry | None = None


class _Server(uvicorn.Server):
    """uvicorn raises each signal again once it has ended, which would kill us before we have cleaned up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(
    listening: socket.socket, settings: SkySettings, on_ready: OnReady, service: Service
) -> Failed | None:
    """Serve until SIGINT or SIGTERM; returns what was wrong where the sky could not be begun at all.

    on_ready  called once, with the seconds from start to the first slot and what /api/v1/about says
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return asyncio.run(_serve(listening, settings, on_ready, service))


def _server(app: FastAPI, tls: Tls | None) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            # No request is logged: a query may hold what belongs in no log.
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
            # Nobody stands in front of it whose word on addresses could be trusted.
            proxy_headers=False,
            lifespan="off",
            ws="none",
            http=BoundedHttp,
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
        )
    )


def _url(listening: socket.socket, scheme: str) -> str:
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _desk(listening: socket.socket, settings: SkySettings, state: LiveState, service: Service) -> Desk:
    desk = Desk(service.store, settings.clock, _leaper(state, service.leap))
    if not desk.store.is_demo:
        desk.sender = service.sender
    desk.office = replace(desk.office, limits=service.limits)
    if service.telemetry is not None:
        kept = service.telemetry
        desk.intake = Intake(desk, kept.store, kept.key, kept.keep)
    desk.public = service.public or Public(_url(listening, "https" if service.tls else "http"))
    return desk


def _leaper(state: LiveState, leap: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """Lets the clock leap, and the streams of slots with it."""
    if leap is None:
        return None
    inner = leap

    def both(by_us: int) -> None:
        inner(by_us)
        state.clock_leapt()

    return both


async def _play(app: FastAPI, service: Service, sky_is_ready: asyncio.Event) -> None:
    """The demo's story, where there is one. Its time begins when there is something to see."""
    if not app.state.demo:
        return
    stage: Stage = app.state.stage
    service.on_stage(stage)
    clock = stage.desk.clock
    assert isinstance(clock, SimulatedClock)
    clock.pause()
    playing = asyncio.create_task(Play(app, stage).run())
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SKY_PATIENCE_S):
                await sky_is_ready.wait()
        clock.go_on()
        await playing
    except Exception:
        logging.getLogger("skylift.demo").exception("the story ended")
    finally:
        playing.cancel()


async def _take_in(desk: Desk) -> None:
    if desk.intake is not None:
        await desk.intake.run()


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _read_ahead(desk: Desk) -> None:
    # What is wrong with the store is told to whoever asks.
    with contextlib.suppress(SkyliftError):
        await desk.facts.permissions()


async def _serve(
    listening: socket.socket, settings: SkySettings, on_ready: OnReady, service: Service
) -> Failed | None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    state = LiveState(settings.clock)
    desk = _desk(listening, settings, state, service)
    app = create_app(state, desk, service.open_sky)
    server = _server(app, service.tls)
    sky_is_ready = asyncio.Event()
    # The first question should not wait until a hundred thousand terminals have been read.
    reading = asyncio.create_task(_read_ahead(desk))
    telling = asyncio.create_task(Deliveries(desk, desk.sender).run())
    publishing = asyncio.create_task(PublicHooks(desk, desk.sender).run())
    keeping = asyncio.create_task(ListKeeper(desk).run())
    braking = asyncio.create_task(Brakes(desk).run())
    taking = asyncio.create_task(_take_in(desk))
    code = "" if app.state.demo else await make_setup_code(desk)
    if code:
        service.on_setup(code)
    playing = asyncio.create_task(_play(app, service, sky_is_ready))

    def end() -> None:
        state.close()
        desk.end_streams()
        server.should_exit = True

    announced = False

    def take(message: Message) -> None:
        nonlocal announced
        if isinstance(message, PermitsWanted):
            obedience.take(message)
            return
        state.take(message)
        if state.fatal is not None:
            end()
        elif not announced and state.why_not_ready() is None:
            announced = True
            sky_is_ready.set()
            on_ready(loop.time() - began, state.about())

    def hand_over(function: Callable[..., None], *arguments: object) -> None:
        # The loop may be gone already while the sky's last words arrive.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(function, *arguments)

    sky = SkyProcess(
        settings, lambda message: hand_over(take, message), lambda why: hand_over(state.sky_is_down, why)
    )
    obedience = Obedience(desk, state, sky.send)
    recording = asyncio.create_task(obedience.record())

    def on_signal(number: int, frame: FrameType | None) -> None:
        hand_over(end)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    sky.start()
    try:
        await server.serve(sockets=[listening])
    finally:
        # In a thread: it waits for the process, and open requests may still be on their way.
        await asyncio.to_thread(sky.stop)
        await reading
        await recording
        await _cancelled(telling, publishing, keeping, braking, playing, taking)
        await asyncio.to_thread(desk.close)
        for number, handler in before.items():
            signal.signal(number, handler)
    return state.fatal
