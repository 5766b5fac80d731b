"""What lists do by themselves as time passes: apply when their grace ends, and be carried out to the end.

Somebody has said beforehand what a list may do (`allow-list.schedule`). By then terminals have changed: those
that were verified meanwhile are not cut off, and where it would cut off any that nobody looked at, it waits
for people.
"""

from __future__ import annotations

from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Transaction
from skylift.service.terminal.allow_list import decide
from skylift.service.terminal.allow_list.state import ROOM, AllowList, AllowListState
from skylift.twin.handle import change, load
from skylift.twin.office.allow_lists import known_terminals, look_again, rules_named
from skylift.twin.office.asides import asides, commit_asides
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Actor, Moment

# On whose word what is left is carried out: people have decided it before.
CLOCK = "clock"


def is_due(allow_list: AllowList, at: int) -> bool:
    """Whether it should be applied by itself."""
    accepted = allow_list.state is AllowListState.ACCEPTED and allow_list.scheduled is not None
    return accepted and allow_list.apply_after is not None and allow_list.apply_after <= at


def apply_due(transaction: Transaction, office: Office, list_id: str, at: InstantUs) -> bool:
    """Apply a list as it was scheduled; False where it is not due, or would do more than people looked at."""
    allow_list = load(ROOM, transaction, list_id).thing
    said = allow_list.scheduled
    if said is None or not is_due(allow_list, at):
        return False
    now = look_again(transaction, office.rules, allow_list).preview
    if now.clashes or not (set(now.cut_off) <= set(said.cut_off) and set(now.flagged) <= set(said.flagged)):
        return False
    rules = rules_named(office.rules, allow_list.rules, allow_list.version)
    known = known_terminals(transaction, rules)
    who = Who(at, said.by, list_id)
    events = decide.applied(allow_list, who, rules, known, said.agreement)
    after = change(ROOM, transaction, list_id, lambda _: events)
    moment = Moment(who, transaction, Actor(said.by), office.ids, said.agreement, office.rules)
    commit_asides(transaction, asides(office.verb("allow-list.apply"), after.thing, moment, events))
    return True


def carry_on(transaction: Transaction, office: Office, list_id: str, at: InstantUs) -> int:
    """The next part of what a list was to do; to how many terminals, 0 where nothing is left."""
    allow_list = load(ROOM, transaction, list_id).thing
    moment = Moment(Who(at, CLOCK, list_id), transaction, Actor(CLOCK), office.ids, "", office.rules)
    wanted = asides(office.verb("allow-list.carry-out"), allow_list, moment, ())
    commit_asides(transaction, wanted)
    return len(wanted)
