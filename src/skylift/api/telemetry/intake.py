"""Signed requests of agents: who sends, is it allowed now, and what is answered."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from skylift.adapters.keys import KeyPair, is_signed
from skylift.adapters.telemetry.store import TelemetrySql, skipped
from skylift.adapters.telemetry.upkeep import Upkeep
from skylift.adapters.telemetry.writer import TelemetryWriter
from skylift.api.office.desk import Desk
from skylift.api.office.problems import NotKnown
from skylift.api.telemetry.followed import Radios
from skylift.api.telemetry.following import TELL_EVERY_S, Following
from skylift.api.telemetry.keys import AgentKeys
from skylift.api.telemetry.pictures import Pictures
from skylift.api.telemetry.places import Places
from skylift.api.telemetry.states import LastStates
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.ports.telemetry import Keep, Posted, Taken, Turned
from skylift.service.account.attempts import Attempts, TooMany
from skylift.twin.office.office import Forbidden
from skylift.wire.telemetry import reading, signing
from skylift.wire.telemetry.rows import USUAL_SPAN_S, Answer, SignedCommand, as_ranges

log = logging.getLogger("skylift.telemetry")

# An agent posts once in 5 minutes, and after a week without a link some 400 batches of its buffer.
PER_TERMINAL_BURST, PER_TERMINAL_EVERY_US = 400, 1_000_000
# Counts of refused requests are written this often, however many there are.
COUNT_EVERY_S = 2.0
MOST_COUNTED = 10_000
# From so many keys on a fleet is large.
LARGE = 20_000

Commands = Callable[[str], Sequence[SignedCommand]]


class Sender(NamedTuple):
    """Whose key signed a request."""

    terminal: str
    key_id: str


class Intake:
    """Telemetry of real dishes; lives in the event loop.

    commands     what waits for a terminal, given by whoever keeps commands
    service_key  by which the service signs commands; agents learn its public half when they enrol
    """

    def __init__(self, desk: Desk, store: TelemetrySql, service_key: KeyPair, keep: Keep = Keep()) -> None:
        self.desk = desk
        self.store = store
        self.service_key = service_key
        self.keep = keep
        self.keys = AgentKeys(desk.store)
        self.states = LastStates()
        self.places = Places()
        self.pictures = Pictures()
        self.radios = Radios(desk.store)
        self.following = Following(desk, store, self.states)
        self.commands: Commands = lambda terminal: ()
        self.upkeep = Upkeep(store, keep, desk.clock.now)
        self._per_terminal = Attempts("this terminal", PER_TERMINAL_BURST, PER_TERMINAL_EVERY_US)
        self._turned: dict[tuple[str, str], Turned] = {}
        self._writer: TelemetryWriter | None = None
        self._looking = asyncio.Lock()
        self.taken = self.taken_again = self.put_aside = self.refused = 0

    # --- its life

    async def run(self) -> None:
        """Know what was known before; then count, erase and tell, until cancelled."""
        self._begin()
        loaded, tell_at_s = False, time.monotonic() + TELL_EVERY_S
        while True:
            # What fails now is tried again: nothing of it is lost by waiting.
            try:
                await self._look()
                others = await asyncio.to_thread(lambda: list(self.store.others_states()))
                if not loaded:
                    await self._load_states()
                    loaded = True
                self.states.hear(others)
                if len(self.keys):
                    self.pictures.warm()
                await self.following.erase()
                if time.monotonic() >= tell_at_s:
                    tell_at_s = time.monotonic() + TELL_EVERY_S
                    await self.following.tell_usage()
                await self._write_counts()
            except SkyliftError as error:
                log.warning("telemetry waits: %s", error.code)
            except Exception:
                log.exception("something that telemetry does now and then broke")
            await asyncio.sleep(COUNT_EVERY_S)

    async def _load_states(self) -> None:
        states = await asyncio.to_thread(lambda: list(self.store.last_states()))
        for start in range(0, len(states), 1000):
            self.states.put_all(states[start : start + 1000])
            # Requests are answered in between.
            await asyncio.sleep(0)
        if len(self.keys) > LARGE:
            # Millions of objects that stay, once all is known: looking through them for garbage would hold up
            # everybody for half a second, again and again.
            await self.desk.facts.permissions()
            gc.freeze()

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()
        self.store.close()

    def _begin(self) -> TelemetryWriter:
        if self._writer is None:
            loop = asyncio.get_running_loop()
            self._writer = TelemetryWriter(self.store, loop, self.upkeep.a_little)
        return self._writer

    # --- requests

    async def signed(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Sender:
        """Whose request it is. Raises Refused, NotKnown, TooMany; nothing of the body has been looked at."""
        given = signing.read(method, path, headers, body)
        known = self.keys.find(given.key_id)
        if known is None:
            await self._look()
            known = self.keys.find(given.key_id)
        if known is None:
            raise _not_known("no key with this id is in force")
        at = time.monotonic_ns() // 1000
        if not is_signed(known.public, given.base, given.signature):
            raise _not_known("the signature is not by this key")
        # Only what the terminal has signed counts: nobody else can use up what it may send.
        try:
            self._per_terminal.take(known.terminal, at)
        except TooMany as error:
            self.count(known.terminal, error)
            raise
        return Sender(known.terminal, given.key_id)

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Take a batch; the answer's body."""
        sender = await self.signed("POST", path, headers, body)
        now = self.desk.clock.now()
        try:
            data = reading.unpacked(body, headers.get("content-encoding", ""))
            batch = reading.read(data, headers["content-type"], now, self.keep.oldest_us)
            if batch.terminal != sender.terminal:
                raise Forbidden(
                    "telemetry.other-terminal",
                    "the batch",
                    "it is in the name of another terminal than its key's",
                    "enrol each terminal with a code of its own",
                )
        except Refused as error:
            self.count(sender.terminal, error)
            raise
        return await self._kept(batch, now)

    async def keep_batch(self, batch: reading.Sorted, now: int) -> Taken:
        """Write a batch, by whomever it came, and know what became of it."""
        taken = await self._begin().submit(Posted(batch.terminal, now, batch.rows, batch.aside))
        if taken.state:
            self.states.put(batch.terminal, taken.state.encode(), batch.rows)
        self.taken += taken.new
        self.taken_again += taken.again
        self.put_aside += taken.aside
        return taken

    async def _kept(self, batch: reading.Sorted, now: int) -> bytes:
        taken = await self.keep_batch(batch, now)
        aside = [one.quarantined for one in batch.aside]
        numbers = [row.sequence for row in batch.rows] + [one.sequence for one in aside]
        aside += [skipped(number) for number in taken.skipped]
        commands = list(self.commands(batch.terminal))
        return msgspec.json.encode(Answer(as_ranges(numbers), aside, commands, USUAL_SPAN_S))

    async def _look(self) -> None:
        """See in the journal which keys there are, unless that was seen a moment ago."""
        async with self._looking:
            if self.keys.behind:
                await asyncio.to_thread(self.keys.catch_up)

    # --- what was refused

    def count(self, terminal: str, error: SkyliftError) -> None:
        """Remember that a request of a known terminal was refused, for whoever wonders about it."""
        self.refused += 1
        at = self.desk.clock.now()
        key = (terminal, error.code)
        before = self._turned.get(key)
        if before is None and len(self._turned) >= MOST_COUNTED:
            return
        times, first = (before.times, before.first_us) if before else (0, at)
        self._turned[key] = Turned(terminal, error.code, f"{error.thing}: {error.rule}", times + 1, first, at)

    async def _write_counts(self) -> None:
        if not self._turned:
            return
        turned, self._turned = list(self._turned.values()), {}
        try:
            await asyncio.to_thread(self.store.turned, turned)
        except SkyliftError:
            log.warning("counts of refused requests could not be written")


def there(intake: Intake | None) -> Intake:
    """Raises Unavailable where the service keeps no telemetry."""
    if intake is None:
        raise Unavailable(
            "telemetry.off", "telemetry", "this service keeps none", "start it with `skylift run`"
        )
    return intake


def _not_known(rule: str) -> NotKnown:
    return NotKnown(
        "key.not-known",
        "the request's key",
        rule,
        "enrol the agent anew, with a code from an operator; `skylift agent doctor` says more",
    )
