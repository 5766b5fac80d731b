"""Commands on their way to agents, and what these reply: signed here, at the door, and nowhere kept so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from skylift.api.office.desk import Desk
from skylift.api.telemetry.followed import Waiting
from skylift.api.telemetry.gate import Handler
from skylift.api.telemetry.intake import Intake, there
from skylift.base.errors import Refused, SkyliftError
from skylift.base.events import Who
from skylift.base.units import US_PER_S
from skylift.ports.store import Transaction
from skylift.service.command.state import Command
from skylift.twin.office.commands import Answer, answer, brake, done_lately, to_brake
from skylift.watch.fleet import SILENT_AFTER_US
from skylift.wire.agent import orders
from skylift.wire.telemetry.rows import SignedCommand

log = logging.getLogger("skylift.telemetry")

REPLIES = "/api/v1/agent/replies"
# What another process has issued is known of after this.
LOOK_AGAIN_S = 1.0
# With one answer; the rest comes with the next.
MOST_AT_ONCE = 8
# How often rollouts are looked at; on whose word they end by themselves.
BRAKE_EVERY_S = 2.0
BRAKES = "sys_brakes"
# A dish that falls silent later than that after its answer does so for another reason.
LOST_WITHIN_US = 3_600 * US_PER_S
# What an agent's row says while its dish answers nothing.
DISH_SILENT_STATE = "unknown"


class Commanding:
    """Lives in the event loop."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting = Waiting(intake.desk.store)
        self._looking: asyncio.Task[None] | None = None

    def waiting(self, terminal: str) -> Sequence[SignedCommand]:
        """What waits for a terminal, signed; offered again until it is answered, or its time is over."""
        if self._looking is None or self._looking.done():
            # From the first agent that asks on: a service without agents need not look.
            self._looking = asyncio.ensure_future(self._look())
        found = self._waiting.of(terminal, self._intake.desk.clock.now())
        return [self._signed(command) for command in found[:MOST_AT_ONCE]]

    def _signed(self, command: Command) -> SignedCommand:
        document = document_of(command)
        return SignedCommand(
            orders.as_text(document), orders.as_text(self._intake.service_key.sign(document))
        )

    async def _look(self) -> None:
        """See in the journal what is issued and answered, as long as the service lives."""
        desk = self._intake.desk
        while not desk.closed:
            with contextlib.suppress(SkyliftError):
                await asyncio.to_thread(self._waiting.catch_up)
            await desk.changed(LOOK_AGAIN_S)

    async def reply(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Note what an agent has replied."""
        sender = await self._intake.signed("POST", REPLIES, headers, body)
        try:
            given = msgspec.json.decode(body, type=orders.Reply)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refused(
                "body.json", "the body", "it is a reply to a command", "let `skylift agent` send it"
            ) from None
        desk = self._intake.desk
        told = Answer(given.command, given.result, given.code, given.said, given.at_us)

        def work(transaction: Transaction) -> bool:
            return answer(transaction, sender.terminal, Who(desk.clock.now(), sender.key_id), told)

        noted = await desk.write(work)
        if not noted:
            # An agent was sent something that is not ours, or says so.
            log.warning("%s replied to a command that is not its own: %s", sender.terminal, given.code[:40])
        return 200, msgspec.json.encode({"noted": noted})


class Brakes:
    """Ends rollouts whose stage went wrong by silence, before an answer or after it: nobody's answer does."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Before that nobody could be heard.
        self._since_us = desk.clock.now()

    async def run(self) -> None:
        """Until it is cancelled."""
        while not self._desk.closed:
            try:
                await self.once()
            except SkyliftError as error:
                log.warning("rollouts are not looked at: %s", error.code)
            await asyncio.sleep(BRAKE_EVERY_S)

    async def once(self) -> None:
        desk = self._desk
        lost = self._lost(await desk.read(done_lately))
        for id in await desk.read(partial(to_brake, at=desk.clock.now(), lost=lost)):
            who = Who(desk.clock.now(), BRAKES)
            if await desk.write(partial(brake, id=id, who=who, lost=lost)):
                log.warning("%s has ended by itself: too many went wrong or kept silent", id)

    def _lost(self, answered_us: Mapping[str, int]) -> set[str]:
        """Those that fell silent soon after they had answered, or whose dish did: for ten minutes now."""
        intake = self._desk.intake
        if intake is None:
            return set()
        now, found = self._desk.clock.now(), set()
        for terminal, at_us in answered_us.items():
            state, run = intake.states.get(terminal), intake.states.run_of(terminal)
            if state is None:
                continue
            dish_silent = run is not None and run.state == DISH_SILENT_STATE
            heard_us = max(run.since_us if run is not None and dish_silent else state.received_us, at_us)
            is_by_it = heard_us - at_us <= LOST_WITHIN_US
            if is_by_it and now - max(heard_us, self._since_us) > SILENT_AFTER_US:
                found.add(terminal)
        return found


def document_of(command: Command) -> bytes:
    """What is signed: the same command gives the same bytes."""
    return msgspec.json.encode(
        orders.Command(
            command.id,
            command.terminal,
            command.number,
            command.kind.value,
            dict(command.arguments),
            int(command.issued_at),
            int(command.expires_at),
            command.returns,
        )
    )


def handlers(intake: Intake | None) -> dict[str, Handler]:
    """What agents post, by path; from then on the intake answers with the commands that wait."""
    commanding = None if intake is None else Commanding(intake)
    if intake is not None and commanding is not None:
        intake.commands = commanding.waiting

    async def replied(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        there(intake)
        assert commanding is not None, "there(intake) has refused it otherwise"
        return await commanding.reply(headers, body)

    return {REPLIES: replied}
