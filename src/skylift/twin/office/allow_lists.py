"""What can be done with authorities' lists of whose terminals may be served.

look         what a list would do, before it is taken: nothing is written
accept       it waits out its grace; look_again then says what it would do by now
apply        by what was looked at: exactly these terminals are cut off; by two people, where these are many
             or some serve a hospital
schedule     the same, to be done by itself when the grace ends (list_keeping.py)
carry-out    a list takes PART terminals at a time through their own life cycles. Permission asks the list
             itself as well (permits.py), so nobody is served while the rest waits
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Ids, Reader, Wanted
from skylift.service.account import account as accounts
from skylift.service.account.roles import Subject
from skylift.service.approval.change import change_hash
from skylift.service.authority.events import Matter
from skylift.service.region import state as regions
from skylift.service.request import state as requests
from skylift.service.shipment import state as shipments
from skylift.service.terminal import decide as terminal_decide
from skylift.service.terminal import state as terminals
from skylift.service.terminal import trouble
from skylift.service.terminal.allow_list import decide, rows
from skylift.service.terminal.allow_list.events import AllowListApplied, ApplicationScheduled
from skylift.service.terminal.allow_list.preview import Index, KnownTerminal, Preview, preview
from skylift.service.terminal.allow_list.rows import ReadRows
from skylift.service.terminal.allow_list.rules import Rules
from skylift.service.terminal.allow_list.state import CYCLE, ROOM, AllowList, AllowListState
from skylift.service.terminal.events import Basis, BlockReason
from skylift.service.terminal.state import Terminal, TerminalState
from skylift.twin.handle import load
from skylift.twin.office.asides import applied
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Aside, Moment, Nothing, Verb
from skylift.twin.office.vouching import of_region, whose_word

# What one person may do alone to terminals; for more, another has to agree.
MOST_ALONE = 50
# So many terminals in one transaction: about a second, in which nobody else can write.
PART = 1000

_OWNED = frozenset(
    {TerminalState.REGISTERED, TerminalState.VERIFIED, TerminalState.ACTIVE, TerminalState.PAUSED}
)


@dataclass(frozen=True, slots=True)
class Accept:
    """rules: by which it is judged, such as ua-2026; region: whose authority gave it; csv: the list itself.

    document  the authority's number of the list
    despite   the number of its word that owners with more than the rules allow are meant
    """

    rules: str
    region: str
    csv: str
    document: str
    despite: str = ""


@dataclass(frozen=True, slots=True)
class Extend:
    until: InstantUs


@dataclass(frozen=True, slots=True)
class Apply:
    """As `look_again` told it: what was seen, how many are cut off, and how many of those are watched."""

    seen: str
    cut_off: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    authority: str
    document: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a list would do to the terminals as they are. seen: names exactly this, for `Apply`."""

    read: ReadRows
    preview: Preview
    seen: str


# --- looking, which writes nothing


def look(reader: Reader, rules: Rules, csv: str) -> Look:
    """What a table would do. Raises Refused where it holds what is personal, or cannot be read at all."""
    known = known_terminals(reader, rules)
    names = {name for terminal in known for name in (terminal.serial, terminal.kit, terminal.dish_id) if name}
    read = rows.read(rows.table_of_csv(csv), rules, names)
    found = preview(read.entries, read.numbers, known, rules)
    return Look(read, found, _seen("", found))


def look_again(reader: Reader, rules: Iterable[Rules], allow_list: AllowList) -> Look:
    """What an accepted list would do by now."""
    its_rules = rules_named(rules, allow_list.rules, allow_list.version)
    return _look_at(allow_list, its_rules, known_terminals(reader, its_rules))


def _look_at(allow_list: AllowList, rules: Rules, known: Sequence[KnownTerminal]) -> Look:
    numbers = tuple(range(2, len(allow_list.entries) + 2))
    found = preview(allow_list.entries, numbers, known, rules)
    return Look(ReadRows(allow_list.entries, numbers, ()), found, _seen(allow_list.id, found))


def left_to_do(reader: Reader, allow_list: AllowList) -> int:
    """How many terminals the list has not been carried out on yet."""
    who = Who(InstantUs(allow_list.ended_at or allow_list.applied_at or 0), "")
    return sum(1 for _ in _left(reader, who, _NoIds(), allow_list))


def rules_named(rules: Iterable[Rules], name: str, version: int | None = None) -> Rules:
    """The newest rules of a name, or those of a version. Raises Refused."""
    found = [one for one in rules if one.name == name and version in (None, one.version)]
    if not found:
        raise Refused(
            "allow-list.rules",
            "rules",
            "no such rules, or not this version of them, are known here",
            "list the packaged rules, or install the version of skylift that has them",
        )
    return max(found, key=lambda one: one.version)


def known_terminals(reader: Reader, rules: Rules) -> list[KnownTerminal]:
    """Terminals that a list by these rules is about: of the country, with an owner, in their owner's hands.

    One that an earlier list cut off is among them: a later one may let it in.
    """
    country_of = {stored.id: stored.thing.country for stored in every(reader, regions.ROOM)}
    owners: dict[str, accounts.Account] = {}
    serves = _serves(reader)
    found = []
    for stored in every(reader, terminals.ROOM):
        terminal = stored.thing
        if not terminal.owner or not (terminal.state in _OWNED or _unlisted(terminal, rules.authority)):
            continue
        if terminal.owner not in owners:
            owners[terminal.owner] = load(accounts.ROOM, reader, terminal.owner).thing
        owner = owners[terminal.owner]
        if country_of.get(terminal.region, owner.country) == rules.country:
            names = (terminal.serial, terminal.kit, terminal.dish_id)
            site = next((serves[name] for name in names if name in serves), "")
            found.append(KnownTerminal(terminal.id, *names, terminal.owner, owner.holder.value, site))
    return found


def _serves(reader: Reader) -> dict[str, str]:
    """The kind of site that a piece was sent to, by its serial: as the request said that it answered."""
    kinds: dict[str, str] = {}
    for stored in every(reader, shipments.ROOM):
        shipment = stored.thing
        request = reader.get(requests.ROOM, shipment.request) if shipment.request else None
        if request is not None:
            pieces = (*shipment.good.serials, *shipment.damaged.serials)
            kinds |= dict.fromkeys(pieces, request.thing.site_kind.value)
    return kinds


def _seen(list_id: str, found: Preview) -> str:
    return change_hash("allow-list.look", list_id, 0, {"cut": found.cut_off, "flagged": found.flagged})


# --- deciding


def _accepted(allow_list: AllowList, moment: Moment, given: Accept) -> Sequence[Event]:
    rules = rules_named(moment.rules, given.rules)
    region = load(regions.ROOM, moment.reader, given.region).thing
    if region.country != rules.country:
        raise Refused(
            "allow-list.country",
            f"region {region.id}",
            f"{rules.name} is the law of {rules.country}, and the region is in another country",
            "name a region of that country, or other rules",
        )
    # It verifies whom it names.
    whose_word(moment, rules.authority, Matter.TERMINALS, of_region(region, moment.reader))
    shown = look(moment.reader, rules, given.csv)
    events = decide.accepted(
        allow_list, moment.who, rules, shown.read, shown.preview, given.document, given.despite
    )
    return [replace(event, region=region.id) for event in events]  # type: ignore[call-arg]


def _applied(allow_list: AllowList, moment: Moment, given: Apply) -> Sequence[Event]:
    CYCLE.after(allow_list.id, allow_list.state, AllowListApplied)
    rules = rules_named(moment.rules, allow_list.rules, allow_list.version)
    known = known_terminals(moment.reader, rules)
    _as_seen(allow_list, _look_at(allow_list, rules, known), given)
    return decide.applied(allow_list, moment.who, rules, known, moment.approval)


def _scheduled(allow_list: AllowList, moment: Moment, given: Apply) -> Sequence[Event]:
    CYCLE.after(allow_list.id, allow_list.state, ApplicationScheduled)
    now = look_again(moment.reader, moment.rules, allow_list)
    _as_seen(allow_list, now, given)
    return decide.scheduled(allow_list, moment.who, now.preview, moment.approval)


def _as_seen(allow_list: AllowList, now: Look, given: Apply) -> None:
    if (now.seen, len(now.preview.cut_off), len(now.preview.flagged)) != (
        given.seen,
        given.cut_off,
        given.flagged,
    ):
        raise Refused(
            "allow-list.seen",
            f"allow-list {allow_list.id}",
            f"it would cut off {len(now.preview.cut_off)} terminals by now, and not those that were seen",
            "look at it again, and decide anew",
        )


def _carried_out(allow_list: AllowList, moment: Moment, given: Nothing) -> Sequence[Event]:
    if allow_list.applied_at is None:
        raise Refused(
            "allow-list.not-applied", f"allow-list {allow_list.id}", "it was never applied", "apply it first"
        )
    return ()


def _people_to_apply(allow_list: AllowList, given: Apply, reader: Reader) -> int:
    # That these numbers are true, the decision checks.
    return 2 if given.cut_off > MOST_ALONE or given.flagged else 1


def _people_to_withdraw(allow_list: AllowList, given: Withdraw, reader: Reader) -> int:
    return 2 if allow_list.applied_at is not None and len(allow_list.cut) > MOST_ALONE else 1


# --- what becomes of the terminals

Step = Callable[[Terminal, Who, Ids], Sequence[Event]]


class _NoIds:
    """For counting: what is decided so is never written."""

    def new(self, prefix: str) -> str:
        return f"{prefix}_none"


def _carry(allow_list: AllowList, moment: Moment, events: Sequence[Event]) -> Sequence[Aside]:
    """The next part of what is left, the cut-offs first; an earlier list ends where this one begins."""
    earlier = _replace_earlier(allow_list, moment) if allow_list.applied_at == moment.at and events else ()
    return [*earlier, *islice(_left(moment.reader, moment.who, moment.ids, allow_list), PART)]


def _replace_earlier(allow_list: AllowList, moment: Moment) -> Iterator[Aside]:
    wanted = Wanted(status=AllowListState.APPLIED.value, owner=allow_list.authority)
    for stored in every(moment.reader, ROOM, wanted):
        if stored.id != allow_list.id:
            yield Aside(ROOM, stored.id, partial(decide.replaced, who=moment.who, by=allow_list))


def _left(reader: Reader, who: Who, ids: Ids, allow_list: AllowList) -> Iterator[Aside]:
    """One aside for each terminal that is not yet as the list has it."""
    for of_them, step in _steps(allow_list):
        for id in of_them:
            stored = reader.get(terminals.ROOM, id)
            if stored is not None and step(stored.thing, who, ids):
                yield Aside(terminals.ROOM, id, _by(step, who, ids))


def _by(step: Step, who: Who, ids: Ids) -> Callable[[Terminal], Sequence[Event]]:
    return lambda terminal: step(terminal, who, ids)


def _steps(allow_list: AllowList) -> list[tuple[Sequence[str], Step]]:
    if allow_list.applied_at is None or allow_list.state is AllowListState.REPLACED:
        return []
    if allow_list.ended_at is not None:
        return [(allow_list.cut, partial(_release, allow_list=allow_list))]
    index = Index(allow_list.entries)
    return [
        (allow_list.cut, partial(_cut, allow_list=allow_list)),
        (allow_list.stays, partial(_let_in, allow_list=allow_list, index=index)),
    ]


def _cut(terminal: Terminal, who: Who, ids: Ids, allow_list: AllowList) -> Sequence[Event]:
    held = terminal.state in _OWNED or terminal.state is TerminalState.BLOCKED
    if not held or not cut_now(allow_list, terminal) or allow_list.authority in terminal.blocks:
        return ()
    order = (BlockReason.NOT_LISTED, allow_list.authority, allow_list.document)
    return trouble.blocked(terminal, who, order, False, ids.new("cmd"))


def _let_in(terminal: Terminal, who: Who, ids: Ids, allow_list: AllowList, index: Index) -> Sequence[Event]:
    """Verified by the list; released, where an earlier list had cut it off."""
    entry = index.entry_for(terminal.serial, terminal.kit, terminal.dish_id)
    if entry is None:
        return ()
    events = tuple(_release(terminal, who, ids, allow_list))
    terminal = applied(terminals.ROOM, terminal, events)
    by_this = terminal.verified is not None and terminal.verified.list_id == allow_list.id
    if terminal.state not in _OWNED or by_this:
        return events
    basis = (Basis.ALLOW_LIST, allow_list.authority, entry.reference, allow_list.id)
    return (*events, *terminal_decide.verified(terminal, who, *basis))


def _release(terminal: Terminal, who: Who, ids: Ids, allow_list: AllowList) -> Sequence[Event]:
    """Without this authority's block for not being listed; other orders, and what is missing, stay."""
    if not _unlisted(terminal, allow_list.authority) or terminal.missing is not None:
        return ()
    ended = allow_list.ended_at is not None
    if ended and terminal.blocks[allow_list.authority].document != allow_list.document:
        return ()
    by = (allow_list.authority, allow_list.document)
    return trouble.released(terminal, who, *by, to_owner=True, command_id=ids.new("cmd"))


def _unlisted(terminal: Terminal, authority: str) -> bool:
    block = terminal.blocks.get(authority)
    return (
        terminal.state is TerminalState.BLOCKED
        and block is not None
        and block.why is BlockReason.NOT_LISTED
        and not block.for_ever
    )


def cut_now(allow_list: AllowList, terminal: Terminal) -> bool:
    """Whether a terminal that the list cut off still is: nobody has let it in again since."""
    since = allow_list.applied_at
    if since is None or allow_list.ended_at is not None or not terminal.owner:
        return False
    if terminal.verified is not None:
        return terminal.verified.since < since
    # Registered since: handed over, or released and not verified yet. It is not served either way.
    return terminal.state is TerminalState.BLOCKED or terminal.since < since


VERBS = (
    Verb(
        "allow-list.create",
        ROOM,
        Accept,
        _accepted,
        "Take an authority's list; it is applied after its grace.",
        creates=True,
        subject_of=lambda given, actor: Subject(region=given.region),
    ),
    Verb(
        "allow-list.extend",
        ROOM,
        Extend,
        lambda a, m, given: decide.grace_extended(a, m.who, given.until),
        "More time for those who are missing.",
    ),
    Verb(
        "allow-list.schedule",
        ROOM,
        Apply,
        _scheduled,
        "Let it apply by itself when its grace ends, to no others than were looked at.",
        people_for=_people_to_apply,
    ),
    Verb(
        "allow-list.apply",
        ROOM,
        Apply,
        _applied,
        "Cut off who is not on it, as it was looked at, and verify who is.",
        people_for=_people_to_apply,
        also=_carry,
    ),
    Verb(
        "allow-list.carry-out",
        ROOM,
        Nothing,
        _carried_out,
        "The next terminals of a list that was applied or taken back.",
        also=_carry,
    ),
    Verb(
        "allow-list.withdraw",
        ROOM,
        Withdraw,
        lambda a, m, given: decide.withdrawn(a, m.who, given.authority, given.document),
        "The authority takes it back: who was cut off by it is let in.",
        people_for=_people_to_withdraw,
        also=_carry,
    ),
)
