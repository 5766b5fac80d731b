"""One command to one dish: issued with a number, answered by its agent, or taken back.

What is signed and sent is made of these fields alone: no key and no signature stands here. A command whose
time is over stays as it is, for its agent may still answer; nothing new is done by it, as the agent looks at
the time too.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.labels import personal_number
from skylift.base.life_cycle import LifeCycle
from skylift.base.texts import printable
from skylift.base.things import Facets, Room
from skylift.service.command.kinds import MAY_TRANSMIT, RADIO_OFF, RETURNS, CommandKind, Told, checked

KIND = "command"
MOST_MINUTES = 1_440
_MINUTE_US = 60_000_000
_NEVER = InstantUs(0)
_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)
_LONGEST_SAID = 200
# An agent's words are kept for ever: what might be a place, a mail address or a number of somebody is not.
_TELLING = re.compile(r"\d\.\d{3}|\S@\S")


@dataclass(frozen=True, slots=True)
class CommandEvent(Event):
    """Something that happened to a command."""


@dataclass(frozen=True, slots=True)
class CommandIssued(CommandEvent):
    """number: of its terminal, rising; rollout: which it is part of; region, owner: of the terminal then."""

    NAME: ClassVar[str] = "command.issued/1"

    terminal: str
    number: int
    kind: CommandKind
    arguments: Mapping[str, int | bool]
    expires_at: InstantUs
    returns: str
    region: str = ""
    owner: str = ""
    rollout: str = ""
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class CommandDone(CommandEvent):
    """The dish itself says that it is so."""

    NAME: ClassVar[str] = "command.done/1"

    said: str
    answered_at: InstantUs


@dataclass(frozen=True, slots=True)
class CommandRefused(CommandEvent):
    """The agent did not do it; code: replayed, forged, out_of_order, not_allowed, radio_off."""

    NAME: ClassVar[str] = "command.refused/1"

    code: str
    said: str
    answered_at: InstantUs


@dataclass(frozen=True, slots=True)
class CommandFailed(CommandEvent):
    """It was tried, and the dish does not say that it is so."""

    NAME: ClassVar[str] = "command.failed/1"

    code: str
    said: str
    answered_at: InstantUs


@dataclass(frozen=True, slots=True)
class CommandExpired(CommandEvent):
    """It came to the dish after its time."""

    NAME: ClassVar[str] = "command.expired/1"

    said: str
    answered_at: InstantUs


@dataclass(frozen=True, slots=True)
class CommandWithdrawn(CommandEvent):
    """It is sent no more; it may have been done already."""

    NAME: ClassVar[str] = "command.withdrawn/1"

    reason: str


class CommandState(enum.Enum):
    """Where a command stands."""

    UNKNOWN = "unknown"
    ISSUED = "issued"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    id: str
    state: CommandState = CommandState.UNKNOWN
    terminal: str = ""
    number: int = 0
    kind: CommandKind = CommandKind.REBOOT
    arguments: Mapping[str, int | bool] = field(default_factory=dict)
    issued_at: InstantUs = _NEVER
    expires_at: InstantUs = _NEVER
    returns: str = ""
    region: str = ""
    owner: str = ""
    rollout: str = ""
    code: str = ""
    said: str = ""
    answered_at: InstantUs | None = None

    @property
    def terminals(self) -> tuple[str, ...]:
        """Whom it concerns, as with changes to many."""
        return (self.terminal,)

    def waits_at(self, at: int) -> bool:
        """Whether it is still to be sent."""
        return self.state is CommandState.ISSUED and at < self.expires_at


_S = CommandState
_ANSWERS: Mapping[type[Event], CommandState] = {
    CommandDone: _S.DONE,
    CommandRefused: _S.REFUSED,
    CommandFailed: _S.FAILED,
    CommandExpired: _S.EXPIRED,
}
CYCLE = LifeCycle(
    thing=KIND,
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, CommandIssued): _S.ISSUED,
        (_S.ISSUED, CommandWithdrawn): _S.WITHDRAWN,
        **{(_S.ISSUED, kind): after for kind, after in _ANSWERS.items()},
        # It was on its way already.
        **{(_S.WITHDRAWN, kind): after for kind, after in _ANSWERS.items()},
    },
)


def apply(command: Command, event: Event) -> Command:
    """The command after an event. Raises Refused where its life cycle has no such step."""
    after = replace(command, state=CYCLE.after(command.id, command.state, type(event)))
    match event:
        case CommandIssued():
            return replace(
                after,
                terminal=event.terminal,
                number=event.number,
                kind=event.kind,
                arguments=dict(event.arguments),
                issued_at=event.at,
                expires_at=event.expires_at,
                returns=event.returns,
                region=event.region,
                owner=event.owner,
                rollout=event.rollout,
            )
        case CommandRefused() | CommandFailed():
            return replace(after, code=event.code, said=event.said, answered_at=event.answered_at)
        case CommandDone() | CommandExpired():
            return replace(after, said=event.said, answered_at=event.answered_at)
    return after


NOTHING_TOLD = Told()


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a dish, and until when."""

    kind: CommandKind
    told: Told = NOTHING_TOLD
    expires_min: int = 60


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom it is for. number: of this command; region and owner as they are now."""

    terminal: str
    number: int
    region: str = ""
    owner: str = ""


def issued(
    command: Command, who: Who, order: Order, to: Addressee, part_of: tuple[str, str] = ("", "")
) -> tuple[CommandEvent, ...]:
    """`part_of`: a rollout, and the agreement behind it or behind this command."""
    CYCLE.after(command.id, command.state, CommandIssued)
    arguments = checked(order.kind, order.told)
    if not 1 <= order.expires_min <= MOST_MINUTES:
        raise Refused(
            "command.expires", "expires_min", f"it is 1 to {MOST_MINUTES} minutes", "give a time in which it "
            "still makes sense",
        )  # fmt: skip
    return (
        CommandIssued(
            who.at, who.by, command.id, who.cause_id, to.terminal, to.number, order.kind, arguments,
            InstantUs(who.at + order.expires_min * _MINUTE_US), RETURNS[order.kind], to.region, to.owner,
            *part_of,
        ),
    )  # fmt: skip


def answered(
    command: Command, who: Who, result: str, words: tuple[str, str], at_us: int
) -> tuple[CommandEvent, ...]:
    """What its agent replied; `words`: code and what was said. The same answer again changes nothing."""
    if command.answered_at is not None:
        return ()
    code = words[0] if _CODE.fullmatch(words[0]) else ""
    said = _fit(words[1])
    by = (who.at, who.by, command.id, who.cause_id)
    at = InstantUs(max(0, min(at_us, 253_402_300_799_000_000)))
    event: CommandEvent
    match result:
        case "done":
            event = CommandDone(*by, said, at)
        case "refused":
            event = CommandRefused(*by, code, said, at)
        case "failed":
            event = CommandFailed(*by, code, said, at)
        case "expired":
            event = CommandExpired(*by, said, at)
        case _:
            raise Refused(
                "reply.result", "result", "it is done, refused, failed or expired", "say one of these"
            )
    CYCLE.after(command.id, command.state, type(event))
    return (event,)


def _fit(said: str) -> str:
    said = printable(said[:_LONGEST_SAID])
    return "" if _TELLING.search(said) or personal_number(said) else said


def withdrawn(command: Command, who: Who, reason: str) -> tuple[CommandEvent, ...]:
    CYCLE.after(command.id, command.state, CommandWithdrawn)
    return (CommandWithdrawn(who.at, who.by, command.id, who.cause_id, reason),)


def label(state: CommandState) -> str:
    """The words that an operator reads."""
    match state:
        case CommandState.UNKNOWN:
            return "Not known"
        case CommandState.ISSUED:
            return "Sent, not answered: nothing is known"
        case CommandState.DONE:
            return "Done, as the dish says"
        case CommandState.REFUSED:
            return "Refused at the dish"
        case CommandState.FAILED:
            return "Not confirmed by the dish"
        case CommandState.EXPIRED:
            return "Came too late"
        case CommandState.WITHDRAWN:
            return "Taken back; may have been done"
    assert_never(state)


def meaning(command: Command) -> str:
    """The same of one command. A radio that nobody has seen off may be on, whatever was sent."""
    words = label(command.state)
    still_on = command.kind in RADIO_OFF and command.state is not CommandState.DONE
    return f"{words}; {MAY_TRANSMIT}" if still_on else words


def number_key(terminal: str, number: int) -> str:
    """By which a terminal's command is found; no two have the same."""
    return f"{terminal}#{number}"


def facets(command: Command) -> Facets:
    """What lists of commands are searched by."""
    return Facets(
        status=command.state.value,
        region=command.region,
        owner=command.owner,
        keys={"number": number_key(command.terminal, command.number)},
        words=(command.kind.value, command.terminal, command.rollout),
    )


ROOM: Room[Command] = Room(
    kind=KIND,
    prefix="cmd",
    state=Command,
    empty=Command,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
