"""Commands to dishes, one by one and by rollout, and the consent that switching one off takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.ports.store import Reader, Transaction, Wanted
from skylift.service.account.roles import Subject, may
from skylift.service.command import consent, rollout
from skylift.service.command import state as commands
from skylift.service.command.consent import Consent
from skylift.service.command.kinds import OFF, CommandKind, Told, checked
from skylift.service.command.rollout import Rollout, RolloutTo, StageBegun, StageHealth
from skylift.service.command.state import Addressee, Command, CommandState, Order, number_key
from skylift.service.terminal import state as terminals
from skylift.service.terminal.state import Terminal, TerminalState
from skylift.twin.handle import change, load, unknown
from skylift.twin.office.asides import commit_asides
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor, Aside, Because, Moment, Nothing, Verb

# What one person sends alone to many dishes, one after the other, counts as if it were at once.
COMMANDED = "commanded"
NONE_LOST: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Create:
    """command: what is asked of the dish; on, start_minutes, duration_minutes: of a sleep schedule.

    region  where it is; needed by those whose roles are limited to regions
    """

    terminal: str
    command: CommandKind
    on: bool | None = None
    start_minutes: int | None = None
    duration_minutes: int | None = None
    expires_min: int = 60
    region: str = ""

    @property
    def terminals(self) -> tuple[str, ...]:
        """What one person's commands are counted by."""
        return (self.terminal,)


@dataclass(frozen=True, slots=True)
class Roll:
    """The same to many; the first terminal is tried first, then 10, then 100 at a time."""

    terminals: tuple[str, ...]
    command: CommandKind
    reason: str
    on: bool | None = None
    start_minutes: int | None = None
    duration_minutes: int | None = None
    expires_min: int = 60
    region: str = ""


@dataclass(frozen=True, slots=True)
class GiveConsent:
    """kinds: stow, rf-inhibit, sleep-schedule, wifi-off; document: where the owner's word is written down."""

    terminal: str
    kinds: tuple[CommandKind, ...]
    document: str
    region: str = ""


# --- one dish


def _created(command: Command, moment: Moment, given: Create) -> Sequence[Event]:
    terminal = _allowed(moment, given.terminal, "command.create", given.region)
    told = Told(given.on, given.start_minutes, given.duration_minutes)
    order = Order(given.command, told, given.expires_min)
    _refuse_without_consent(moment.reader, terminal, given.command)
    to = _addressee(moment.reader, terminal)
    return commands.issued(command, moment.who, order, to, ("", moment.approval))


def _addressee(reader: Reader, terminal: Terminal) -> Addressee:
    return Addressee(terminal.id, next_number(reader, terminal.id), terminal.region, terminal.owner)


def next_number(reader: Reader, terminal: str) -> int:
    """Of a terminal's next command: they are numbered without a hole, so a search by halves finds the end."""

    def there(number: int) -> bool:
        return reader.find(commands.ROOM, "number", number_key(terminal, number)) is not None

    above = 1
    while there(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if there(middle) else (below, middle)
    return above


def _allowed(moment: Moment, id: str, verb: str, region: str) -> Terminal:
    """A terminal to which the actor may do that. Raises Refused; of one that they may not see, as of none."""
    terminal = load(terminals.ROOM, moment.reader, id).thing
    subject, actor = Subject(terminal.region, terminal.owner), moment.actor
    if not may(actor.grants, actor.account, "terminal.read", subject):
        raise unknown("terminal", id)
    if not may(actor.grants, actor.account, verb, subject):
        raise Refused(
            "command.not-allowed",
            f"terminal {id}",
            "none of your roles allows it there",
            "ask somebody whose role does",
        )
    if region and terminal.region != region:
        raise Refused("command.region", f"terminal {id}", "it is in another region", "name that, or none")
    if terminal.state is TerminalState.RETIRED:
        raise Refused("command.retired", f"terminal {id}", "it is used no more", "leave it out")
    return terminal


def _refuse_without_consent(reader: Reader, terminal: Terminal, kind: CommandKind) -> None:
    if kind not in OFF:
        return
    found = reader.find(consent.ROOM, "terminal", terminal.id)
    # Who owns it now has said nothing yet.
    theirs = found is not None and found.thing.owner == terminal.owner
    if found is None or not theirs or kind not in found.thing.kinds:
        raise Refused(
            "command.no-consent",
            f"terminal {terminal.id}",
            f"its owner has not consented to {kind.value} from afar",
            "record the owner's consent first (consent.create), or have it done by hand beside the dish",
        )


def _where(given: Any, actor: Actor) -> Subject:
    # The terminal is looked at when it is decided; here it is only: may they anywhere like this?
    return Subject(region=given.region, owner=actor.account)


# --- consent


def _consented(one: Consent, moment: Moment, given: GiveConsent) -> Sequence[Event]:
    terminal = _allowed(moment, given.terminal, "consent.create", given.region)
    before = moment.reader.find(consent.ROOM, "terminal", terminal.id)
    if before is not None:
        raise Refused(
            "consent.given",
            f"terminal {terminal.id}",
            f"its owner's consent {before.id} is in force",
            "take that back first",
        )
    of = (terminal.id, terminal.region, terminal.owner)
    return consent.given(one, moment.who, of, given.kinds, given.document)


# --- many dishes


def _rolled(one: Rollout, moment: Moment, given: Roll) -> Sequence[Event]:
    ids = rollout.checked(given.terminals)
    told = Told(given.on, given.start_minutes, given.duration_minutes)
    arguments = checked(given.command, told)
    regions: Counter[str] = Counter()
    for id in ids:
        terminal = _allowed(moment, id, "rollout.create", given.region)
        _refuse_without_consent(moment.reader, terminal, given.command)
        regions[terminal.region] += 1
    before = [stored.thing for stored in every(moment.reader, rollout.ROOM)]
    rollout.refuse_blast(before, moment.who.by, regions, moment.at)
    # What cannot be issued to the first is refused before anybody is asked.
    order = (given.command, arguments, given.expires_min)
    commands.issued(Command("cmd_none"), moment.who, Order(given.command, told, given.expires_min), _NOBODY)
    to = RolloutTo(ids, dict(regions), given.region, given.reason, moment.approval)
    begun = rollout.begun(one, moment.who, order, to)
    after = rollout.apply(one, begun[0])
    return (*begun, *_next_stage(after, moment, StageHealth(0, 0, 0)))


_NOBODY = Addressee("trm_none", 1)


def _next_stage(one: Rollout, moment: Moment, health: StageHealth) -> Sequence[Event]:
    ids = {terminal: moment.ids.new("cmd") for terminal in one.next_stage()}
    return rollout.proceeded(one, moment.who, health, ids)


def _proceeded(one: Rollout, moment: Moment, given: Nothing) -> Sequence[Event]:
    return _next_stage(one, moment, health_of(one, moment.reader, moment.at))


def health_of(one: Rollout, reader: Reader, at: int, lost: Set[str] = NONE_LOST) -> StageHealth:
    """How the last stage goes. lost: terminals that nobody hears any more, whatever they answered."""
    return _health(_last_stage(one, reader), at, lost)


def healths_of(one: Rollout, reader: Reader, at: int) -> list[StageHealth]:
    """How each stage went, or goes, by what was answered."""
    return [_health(_stage(stage, reader), at, NONE_LOST) for stage in one.stages]


def _last_stage(one: Rollout, reader: Reader) -> list[Command]:
    return _stage(one.stages[-1], reader) if one.stages else []


def _stage(stage: Mapping[str, str], reader: Reader) -> list[Command]:
    return [stored.thing for stored in reader.get_all(commands.ROOM, set(stage.values())).values()]


def _health(things: Sequence[Command], at: int, lost: Set[str]) -> StageHealth:
    """What has not answered within its time went wrong, and so did what is lost."""
    done = sum(thing.state is CommandState.DONE and thing.terminal not in lost for thing in things)
    waiting = sum(thing.waits_at(at) for thing in things)
    return StageHealth(done, len(things) - done - waiting, waiting)


def _begin_stage(one: Rollout, moment: Moment, events: Sequence[Event]) -> Sequence[Aside]:
    """The commands of the stages that these events begin; of a rollout that has stopped, those that wait."""
    if one.state is rollout.RolloutState.STOPPED:
        return withdraw_rest(one, moment.who)
    wanted: list[Aside] = []
    for event in events:
        if isinstance(event, StageBegun):
            for terminal, id in event.commands.items():
                issue = partial(_issued, one=one, terminal=terminal, moment=moment)
                wanted.append(Aside(commands.ROOM, id, issue, begins=True))
    return wanted


def _issued(command: Command, one: Rollout, terminal: str, moment: Moment) -> Sequence[Event]:
    to = _addressee(moment.reader, load(terminals.ROOM, moment.reader, terminal).thing)
    return commands.issued(command, moment.who, one.order, to, (one.id, moment.approval))


def withdraw_rest(one: Rollout, who: Who) -> Sequence[Aside]:
    """Of a rollout that has stopped: nothing more is sent."""
    ids: Iterable[str] = one.stages[-1].values() if one.stages else ()
    return [Aside(commands.ROOM, id, partial(_taken_back, who=who)) for id in ids]


def _taken_back(command: Command, who: Who) -> Sequence[Event]:
    if command.state is not CommandState.ISSUED:
        return ()
    return commands.withdrawn(command, who, "the rollout has stopped")


# --- what agents answer


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent's reply to a command: result, code and the dish's words, by its own clock."""

    command: str
    result: str
    code: str
    said: str
    at_us: int


def answer(transaction: Transaction, terminal: str, who: Who, given: Answer) -> bool:
    """Note what the agent of a terminal replied; whether that is a command of its own.

    Where it is part of a rollout in which too many go wrong by now, that ends with it.
    """
    stored = transaction.get(commands.ROOM, given.command)
    if stored is None or stored.thing.terminal != terminal:
        return False
    words = (given.code, given.said)
    change(
        commands.ROOM,
        transaction,
        stored.id,
        lambda command: commands.answered(command, who, given.result, words, given.at_us),
    )
    if stored.thing.rollout:
        brake(transaction, stored.thing.rollout, who)
    return True


def brake(transaction: Transaction, id: str, who: Who, lost: Set[str] = NONE_LOST) -> bool:
    """End a rollout in which too many go wrong by now, and take back what waits; whether it ended so."""
    before = load(rollout.ROOM, transaction, id)
    health = health_of(before.thing, transaction, who.at, lost)
    after = change(rollout.ROOM, transaction, id, lambda one: rollout.judged(one, who, health))
    if after.version == before.version:
        return False
    commit_asides(transaction, withdraw_rest(after.thing, replace(who, cause_id=id)))
    return True


def to_brake(reader: Reader, at: int, lost: Set[str] = NONE_LOST) -> list[str]:
    """Rollouts in whose stage too many went wrong: refused, failed, silent until it was over, or lost."""
    return [one.id for one in _under_way(reader) if health_of(one, reader, at, lost).is_bad]


def done_lately(reader: Reader) -> dict[str, int]:
    """Terminals of stages under way that are to be heard of again, and when each answered."""
    stages = [_last_stage(one, reader) for one in _under_way(reader) if one.kind not in OFF]
    return {
        thing.terminal: int(thing.answered_at)
        for things in stages
        for thing in things
        if thing.state is CommandState.DONE and thing.answered_at is not None
    }


def _under_way(reader: Reader) -> list[Rollout]:
    wanted = Wanted(status=rollout.RolloutState.UNDER_WAY.value)
    return [stored.thing for stored in every(reader, rollout.ROOM, wanted)]


def open_commands(reader: Reader) -> Mapping[str, list[Command]]:
    """Those that have no answer, by terminal, in the order of their numbers."""
    found: dict[str, list[Command]] = {}
    for stored in every(reader, commands.ROOM, Wanted(status=CommandState.ISSUED.value)):
        found.setdefault(stored.thing.terminal, []).append(stored.thing)
    return {terminal: sorted(ones, key=lambda one: one.number) for terminal, ones in found.items()}


VERBS = (
    Verb(
        "command.create",
        commands.ROOM,
        Create,
        _created,
        "Ask something of a dish, through the agent beside it.",
        creates=True,
        subject_of=_where,
        counts=COMMANDED,
    ),
    Verb(
        "command.withdraw",
        commands.ROOM,
        Because,
        lambda t, m, a: commands.withdrawn(t, m.who, a.reason),
        "Send it no more; it may have been done already.",
    ),
    Verb(
        "consent.create",
        consent.ROOM,
        GiveConsent,
        _consented,
        "Record an owner's consent that their dish may be switched off from afar.",
        creates=True,
        subject_of=_where,
    ),
    Verb(
        "consent.take-back",
        consent.ROOM,
        Nothing,
        lambda t, m, a: consent.taken_back(t, m.who),
        "The owner consents no more.",
    ),
    Verb(
        "rollout.create",
        rollout.ROOM,
        Roll,
        _rolled,
        "Ask the same of many dishes, in stages of 1, 10 and 100.",
        creates=True,
        subject_of=_where,
        people=2,
        also=_begin_stage,
    ),
    Verb(
        "rollout.proceed",
        rollout.ROOM,
        Nothing,
        _proceeded,
        "Begin the next stage; too much gone wrong in this one, and it ends.",
        also=_begin_stage,
    ),
    Verb(
        "rollout.stop",
        rollout.ROOM,
        Nothing,
        lambda t, m, a: rollout.stopped(t, m.who),
        "Send nothing more of it.",
        also=_begin_stage,
    ),
)
