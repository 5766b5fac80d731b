"""The process that computes the sky: spawned, watched, begun again when it dies, gone when its parent is."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path

from skylift.adapters.clock import AnyClock
from skylift.adapters.sky_messages import Failed, Hello, MapReady, Permits, PermitsWanted, SlotReport
from skylift.base.errors import Refused, SkyliftError
from skylift.base.instants import format_instant
from skylift.twin.permit import Serve

log = logging.getLogger("skylift.sky")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A process that has lived this long was sound: after it the pause begins anew.
SOUND_AFTER_S = 60.0
# On Linux and macOS a nicer process keeps the page answering while kernels run on a small machine.
NICENESS = 5


@dataclass(frozen=True, slots=True)
class SkySettings:
    """What the sky process needs; small enough to be sent to it.

    start_us  where a scenario without a start begins, and its satellites with it: the day's first second, so
              that the same comes out again after a restart
    serve     whose terminals are served
    has_story whether a demo's story sets the clock, which may go on after the scenario's own time
    """

    clock: AnyClock
    start_us: int
    scenario: Path | None = None
    catalogue: Path | None = None
    gateways: Path | None = None
    serve: Serve = Serve.BOTH
    has_story: bool = False


Message = Hello | SlotReport | MapReady | PermitsWanted | Failed

# The office reads all it knows before it first answers: 100,000 terminals take some seconds.
FIRST_PATIENCE_S = 60.0
# Later it has what has changed: with a region of 100,000 terminals a second or two. Rather is a slot late
# than somebody served who must not be; an office whose store is away says so at once.
PATIENCE_S = 10.0


def sky_main(pipe: Connection, settings: SkySettings) -> None:
    """The life of the sky process; returns only on failure."""
    # Ctrl-C reaches the whole group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        _compute(pipe, settings)
    except SkyliftError as error:
        pipe.send(Failed(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError):
        os._exit(1)


def outside(settings: SkySettings, start_us: int, end_us: int) -> list[str]:
    """What to warn of where the clock is not within a scenario's own time, and somebody may set it."""
    if settings.has_story or start_us == settings.start_us or start_us <= settings.clock.now() < end_us:
        return []
    first, last = format_instant(start_us), format_instant(end_us)
    return [f"the clock is outside the scenario's own time ({first} to {last}): `--at {first}` begins there"]


def _compute(pipe: Connection, settings: SkySettings) -> None:
    # NumPy, Numba and Arrow are loaded here, in this process alone.
    from skylift.adapters.antennas import packaged_antenna, packaged_antennas
    from skylift.adapters.live import LiveSky, OfficeAsking, hello
    from skylift.adapters.map_outlines import map_document
    from skylift.adapters.outlines import packaged_countries
    from skylift.adapters.scenario_files import Sources, load_world
    from skylift.twin.roster import Antennas, Roster
    from skylift.twin.scenario import DEFAULT_ANTENNA

    sources = Sources(settings.scenario, settings.catalogue, settings.gateways)
    loaded = load_world(sources, settings.start_us)
    scenario = loaded.scenario
    warnings = [*loaded.warnings, *outside(settings, scenario.start_us, scenario.end_us)]
    origin = {
        "scenario": scenario.title,
        "scenario_start_us": scenario.start_us,
        "inputs": loaded.inputs,
        "warnings": warnings,
        "serve": str(settings.serve),
    }
    pipe.send(hello(loaded.world, origin))
    office = None
    if settings.serve is not Serve.SCENARIO:
        antennas = Antennas(packaged_antennas(), packaged_antenna(DEFAULT_ANTENNA))
        office = OfficeAsking(Roster(loaded.world, settings.serve, antennas), partial(_ask, pipe))
    for count, report in enumerate(LiveSky(loaded.world, settings.clock, office).slots()):
        pipe.send(report)
        if count == 0:
            pipe.send(MapReady(map_document(loaded.world, packaged_countries())))


def _ask(pipe: Connection, at_us: int, anew: bool) -> list[Permits]:
    """What the office says for a slot, with what it was late in saying for slots before."""
    pipe.send(PermitsWanted(at_us, anew))
    until = time.monotonic() + (FIRST_PATIENCE_S if anew else PATIENCE_S)
    came: list[Permits] = []
    while pipe.poll(max(until - time.monotonic(), 0.0)):
        came.append(pipe.recv())
        if came[-1].at_us == at_us:
            break
    return came


def _leave_with_parent() -> None:
    # A killed parent cannot tell its child; the sentinel becomes ready the moment the parent is gone.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


class SkyProcess:
    """Keeps one sky process alive and hands on what it says, from a thread of its own.

    on_message  called for each message
    on_down     called with a reason when the process is gone and will be begun again
    """

    def __init__(
        self,
        settings: SkySettings,
        on_message: Callable[[Message], None],
        on_down: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._on_message = on_message
        self._on_down = on_down
        self._stopping = threading.Event()
        self._has_begun = False
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._keep_alive, name="sky-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def send(self, permits: Permits) -> None:
        """Tell the sky what it asked for; waits for it to read. One that is gone meanwhile asks again."""
        with self._sending:
            pipe = self._pipe
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.send(permits)

    def stop(self) -> None:
        """End the process; it holds nothing that needs saving, so it is not asked twice."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.terminate()
        # The thread waits for the process: a child may be waited for once only.
        self._thread.join(0.7)
        if process is not None and self._thread.is_alive():
            process.kill()
            self._thread.join(0.5)

    def _keep_alive(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            pause_s = FIRST_PAUSE_S if time.monotonic() - began > SOUND_AFTER_S else pause_s
            reason = f"the sky process ended with exit code {code} and begins again in {pause_s:.0f} s"
            log.error(reason)
            self._on_down(reason)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _hand_on(self, message: Message) -> None:
        if isinstance(message, Hello):
            self._has_begun = True
        elif isinstance(message, Failed) and not self._has_begun:
            # What could never be loaded will not be next time either.
            self._stopping.set()
        self._on_message(message)

    def _run_once(self) -> int | None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=sky_main, args=(theirs, self._settings), name="skylift-sky", daemon=True
        )
        process.start()
        self._process = process
        # Only the child holds the writing end now, so its death is the end of the stream.
        theirs.close()
        self._pipe = ours
        if self._stopping.is_set():
            process.terminate()
        try:
            while True:
                self._hand_on(ours.recv())
        except (EOFError, OSError):
            pass
        finally:
            with self._sending:
                self._pipe = None
            ours.close()
        process.join()
        return process.exitcode
