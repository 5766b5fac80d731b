"""What may be done with an authority's list, by its rules; events are returned, nothing is saved."""

from __future__ import annotations

from collections.abc import Iterable

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs, format_instant
from skylift.service.terminal.allow_list.events import (
    AllowListAccepted,
    AllowListApplied,
    AllowListEvent,
    AllowListReplaced,
    AllowListWithdrawn,
    ApplicationScheduled,
    GraceExtended,
)
from skylift.service.terminal.allow_list.preview import KnownTerminal, Preview, preview
from skylift.service.terminal.allow_list.rows import ReadRows
from skylift.service.terminal.allow_list.rules import Rules
from skylift.service.terminal.allow_list.state import CYCLE, AllowList

KIND = "allow-list"


def accepted(
    allow_list: AllowList,
    who: Who,
    rules: Rules,
    read: ReadRows,
    seen: Preview,
    document: str,
    despite: str = "",
) -> tuple[AllowListEvent, ...]:
    """Take a list that was shown to people as `seen`; it is applied after the rules' grace at the earliest.

    document  the authority's number of the list
    despite   the authority's number of its word that owners with more than the rules allow are meant
    """
    CYCLE.after(allow_list.id, allow_list.state, AllowListAccepted)
    if read.bad or seen.clashes:
        raise Refused(
            "allow-list.bad-rows",
            f"allow-list {allow_list.id}",
            f"{len(read.bad)} of its rows cannot be read, and {len(seen.clashes)} contradict what is known",
            "correct or remove them, and look at the preview again",
        )
    if not read.entries:
        raise Refused(
            "allow-list.empty", "list", "it has no row and would cut everybody off", "check the file"
        )
    if seen.breaches and not despite:
        raise Refused(
            "allow-list.breaches",
            f"allow-list {allow_list.id}",
            f"{len(seen.breaches)} owners have more than {rules.name} allows",
            "ask the authority, and give the number of its answer",
        )
    return (
        AllowListAccepted(
            who.at,
            who.by,
            allow_list.id,
            who.cause_id,
            rules.name,
            rules.version,
            rules.country,
            rules.authority,
            labels.reference(document, KIND),
            read.entries,
            # Neither before the law is in force, nor before the grace has passed.
            InstantUs(max(who.at + rules.grace_us, rules.in_force_from)),
            len(seen.cut_off),
            len(seen.flagged),
            labels.reference(despite, KIND, "despite") if despite else "",
        ),
    )


def grace_extended(allow_list: AllowList, who: Who, apply_after: int) -> tuple[AllowListEvent, ...]:
    CYCLE.after(allow_list.id, allow_list.state, GraceExtended)
    assert allow_list.apply_after is not None
    if apply_after <= allow_list.apply_after:
        raise Refused(
            "allow-list.grace",
            "grace",
            f"it is extended beyond {format_instant(allow_list.apply_after)}, never shortened",
            "give a later instant",
        )
    return (GraceExtended(who.at, who.by, allow_list.id, who.cause_id, InstantUs(apply_after)),)


def scheduled(
    allow_list: AllowList, who: Who, seen: Preview, agreement: str = ""
) -> tuple[AllowListEvent, ...]:
    """Let it apply by itself when its grace ends, to no others than those that were seen."""
    CYCLE.after(allow_list.id, allow_list.state, ApplicationScheduled)
    if agreement:
        labels.own_id(agreement, KIND, "agreement", "apr")
    return (
        ApplicationScheduled(
            who.at, who.by, allow_list.id, who.cause_id, seen.cut_off, seen.flagged, agreement
        ),
    )


def applied(
    allow_list: AllowList,
    who: Who,
    rules: Rules,
    terminals: Iterable[KnownTerminal],
    agreement: str = "",
) -> tuple[AllowListEvent, ...]:
    """Apply it to the terminals as they are now, not as they were when it was shown.

    agreement  id of the agreement of two people to cut off watched sites; needed where there are any
    """
    CYCLE.after(allow_list.id, allow_list.state, AllowListApplied)
    assert allow_list.apply_after is not None
    if who.at < allow_list.apply_after:
        raise Refused(
            "allow-list.grace",
            f"allow-list {allow_list.id}",
            f"its grace lasts until {format_instant(allow_list.apply_after)}",
            "wait; who is missing can be verified until then",
        )
    if (rules.name, rules.version) != (allow_list.rules, allow_list.version):
        raise Refused(
            "allow-list.rules",
            f"allow-list {allow_list.id}",
            f"it was taken by {allow_list.rules} version {allow_list.version}",
            "apply it by these, or withdraw it and import it anew",
        )
    now = preview(allow_list.entries, range(2, len(allow_list.entries) + 2), terminals, rules)
    if now.clashes:
        raise Refused(
            "allow-list.bad-rows",
            f"allow-list {allow_list.id}",
            f"{len(now.clashes)} of its rows contradict what is known of terminals by now",
            "correct the terminals' names, or withdraw the list and import it anew",
        )
    if now.flagged and not agreement:
        raise Refused(
            "allow-list.watched",
            f"allow-list {allow_list.id}",
            f"it would cut off {len(now.flagged)} terminals of hospitals or other watched sites",
            "verify them, or have two people agree to it",
        )
    if agreement:
        labels.own_id(agreement, KIND, "agreement", "apr")
    return (AllowListApplied(who.at, who.by, allow_list.id, who.cause_id, now.cut_off, now.stays, agreement),)


def withdrawn(allow_list: AllowList, who: Who, authority: str, document: str) -> tuple[AllowListEvent, ...]:
    """The authority takes its own list back, in the grace or later."""
    CYCLE.after(allow_list.id, allow_list.state, AllowListWithdrawn)
    if authority != allow_list.authority:
        raise Refused(
            "allow-list.authority",
            f"allow-list {allow_list.id}",
            f"it is {allow_list.authority}'s",
            "ask that authority to withdraw it",
        )
    document = labels.reference(document, KIND)
    return (AllowListWithdrawn(who.at, who.by, allow_list.id, who.cause_id, authority, document),)


def replaced(allow_list: AllowList, who: Who, by: AllowList) -> tuple[AllowListEvent, ...]:
    """A later list of the same authority was applied (`by`, as it is after that)."""
    CYCLE.after(allow_list.id, allow_list.state, AllowListReplaced)
    if by.authority != allow_list.authority or by.id == allow_list.id or not by.in_force(who.at):
        raise Refused(
            "allow-list.replacement",
            f"allow-list {allow_list.id}",
            "another list of the same authority replaces it, once that is in force",
            "apply the later list first",
        )
    return (AllowListReplaced(who.at, who.by, allow_list.id, who.cause_id, by.id),)
