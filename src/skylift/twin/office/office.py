"""The office: checks who asks, lets the room decide, has a second person agree where one must, and commits.

done = office.do(transaction, Asked(actor, "region.activate", "rgn_1", {}, at))
done.stored      the thing as it is now
done.approval    instead: what waits for another person
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Conflict, Ids, Reader, Stored, Transaction
from skylift.service.account.roles import Subject, may
from skylift.service.approval import state as approvals
from skylift.service.approval.change import change_hash
from skylift.service.approval.state import Approval, Proposal
from skylift.service.terminal.allow_list.rules import Rules
from skylift.twin.handle import begin, change, load, unknown
from skylift.twin.office.alone import USUAL, Limits, counted, remember, too_many
from skylift.twin.office.asides import asides, commit_asides, rehearse
from skylift.twin.office.given import Strange, convert
from skylift.twin.office.verbs import Actor, Moment, Verb, VerbTable

_FIELD = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to do something.

    subject_id        of the thing; None for a verb that begins one
    expected_version  as the caller has seen it; None: whatever it is
    approval          the agreement to use, where another person must agree; "" asks for one
    new_id            for a thing that is begun: given by whoever must know it; "" lets the office choose
    """

    actor: Actor
    verb: str
    subject_id: str | None
    arguments: Mapping[str, Any]
    at: InstantUs
    expected_version: int | None = None
    approval: str = ""
    cause_id: str | None = None
    new_id: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: the thing as it is now, or the agreement that it waits for."""

    kind: str
    stored: Stored[Any]
    approval: Stored[Approval] | None = None


class Forbidden(Refused):
    """Known, and not allowed to: 403."""


@dataclass(frozen=True, slots=True)
class Office:
    """Where everything that people decide is done."""

    table: VerbTable
    ids: Ids
    rules: tuple[Rules, ...] = ()
    limits: Limits = USUAL

    def verb(self, name: str) -> Verb:
        found = self.table.verbs.get(name)
        if found is None:
            raise Refused(
                "verb.unknown", f"verb {name[:60]!r}", "there is none", "the API's documentation lists them"
            )
        return found

    def do(self, transaction: Transaction, asked: Asked) -> Done:
        """Do it, or say who else must agree. Raises Refused, Forbidden, Conflict; then nothing is done."""
        verb = self.verb(asked.verb)
        arguments = self.read_arguments(verb, asked.arguments)
        who = Who(asked.at, asked.actor.person, asked.cause_id)
        if verb.creates:
            return self._begin(transaction, asked, verb, arguments, who)
        if asked.subject_id is None:
            raise Refused("verb.no-subject", asked.verb, "it is done to a thing", f"name the {verb.kind}")
        stored = load(verb.room, transaction, asked.subject_id)
        subject = verb.subject(stored.thing, arguments)
        self.refuse_strangers(asked.actor, verb.name, subject)
        people = self._people(transaction, asked, verb, stored.thing, arguments)
        if people > 1:
            self._refuse_stale(verb, stored, asked.expected_version)
            exact = change_hash(verb.name, stored.id, stored.version, _plain(asked.arguments))
            if not asked.approval:
                proposal = Proposal(
                    verb.name, stored.id, exact, stored.version, people, region=subject.region
                )
                return self._propose(transaction, asked, verb, stored, arguments, proposal)
            self._use(transaction, asked, verb, exact, who)
        # An agreement that was not asked for proves nothing, and stands in no event.
        agreement = asked.approval if people > 1 else ""
        moment = Moment(who, transaction, asked.actor, self.ids, agreement, self.rules, arguments)
        self._keep_personal(transaction, verb, stored.id, arguments)
        events: list[Event] = []

        def decide(thing: Any) -> Sequence[Event]:
            events[:] = verb.decide(thing, moment, arguments)
            return events

        after = change(verb.room, transaction, stored.id, decide, asked.expected_version)
        commit_asides(transaction, asides(verb, after.thing, moment, events))
        if events and people == 1:
            remember(transaction, who, verb.counts, counted(verb, stored.thing, arguments, asked.actor))
        return Done(verb.room.kind, after)

    def _people(self, reader: Reader, asked: Asked, verb: Verb, thing: Any, arguments: Any) -> int:
        """How many must agree: two also where one has done as much as one may, bit by bit."""
        people = verb.people_needed(thing, arguments, reader)
        things = counted(verb, thing, arguments, asked.actor)
        who = Who(asked.at, asked.actor.person)
        return max(people, 2) if too_many(reader, self.limits, who, verb.counts, things) else people

    def read(self, reader: Reader, actor: Actor, verb: Verb, subject_id: str) -> Stored[Any]:
        """A thing, for somebody who may read it; to others it is as if there were none."""
        stored = load(verb.room, reader, subject_id)
        facets = verb.room.at_a_glance(stored.thing)
        if not self.allows(actor, f"{verb.room.kind}.read", Subject(facets.region, facets.owner)):
            raise unknown(verb.room.kind, subject_id)
        return stored

    def allows(self, actor: Actor, verb: str, subject: Subject) -> bool:
        if actor.scopes and verb not in actor.scopes:
            return False
        return may(actor.grants, actor.account, verb, subject)

    def refuse_strangers(self, actor: Actor, verb: str, subject: Subject) -> None:
        """Raises Forbidden unless one of the actor's roles allows it there."""
        if not self.allows(actor, verb, subject):
            limited = bool(actor.scopes) and verb not in actor.scopes
            raise Forbidden(
                "actor.not-allowed",
                verb,
                "this token is not for it" if limited else "none of your roles allows it there",
                "use a token with this scope" if limited else "ask somebody whose role does",
            )

    def read_arguments(self, verb: Verb, given: Mapping[str, Any]) -> Any:
        """What the caller says, as the verb's own type. Raises Refused, naming the field."""
        known = {field.name for field in fields(verb.arguments)}
        strange = sorted(set(given) - known)
        if strange:
            raise Refused(
                f"{verb.kind}.argument",
                # Only what looks like a field's name is repeated: it may be anything, a person's name too.
                f"field {strange[0]!r}" if _FIELD.fullmatch(strange[0]) else "a field",
                f"{verb.name} does not know it",
                f"it takes: {', '.join(sorted(known)) or 'nothing'}",
            )
        try:
            return convert(
                verb.arguments, given, f"`skylift {verb.kind} verbs {verb.action}` says what it takes"
            )
        except Strange as found:
            raise Refused(
                f"{verb.kind}.argument", f"a field of {verb.name}", found.rule, found.way_out
            ) from None

    def _begin(self, transaction: Transaction, asked: Asked, verb: Verb, arguments: Any, who: Who) -> Done:
        subject = verb.subject_of(arguments, asked.actor)
        self.refuse_strangers(asked.actor, verb.name, subject)
        people = self._people(transaction, asked, verb, verb.room.empty(asked.new_id), arguments)
        # What is begun by agreement has the id that it was proposed with.
        agreed = load(approvals.ROOM, transaction, asked.approval) if people > 1 and asked.approval else None
        subject_id = asked.new_id or (agreed.thing.about if agreed else self.ids.new(verb.room.prefix))
        # One that was made just now is nobody's yet; the store would refuse it all the same.
        given = asked.new_id or agreed
        if given and transaction.get(verb.room, subject_id) is not None:
            raise Conflict(
                f"{verb.kind}.exists", f"{verb.kind} {subject_id}", "there is one", "take another id"
            )
        empty = verb.room.empty(subject_id)
        if people > 1:
            exact = change_hash(verb.name, subject_id, 0, _plain(asked.arguments))
            if agreed is None:
                nothing_yet = Stored(subject_id, empty, 0)
                proposal = Proposal(verb.name, subject_id, exact, 0, people, region=subject.region)
                return self._propose(transaction, asked, verb, nothing_yet, arguments, proposal)
            self._use(transaction, asked, verb, exact, who)
        # An agreement that was not asked for proves nothing, and stands in no event.
        agreement = asked.approval if people > 1 else ""
        moment = Moment(who, transaction, asked.actor, self.ids, agreement, self.rules, arguments)
        events = verb.decide(empty, moment, arguments)
        self._keep_personal(transaction, verb, subject_id, arguments)
        begun = begin(verb.room, transaction, subject_id, events)
        commit_asides(transaction, asides(verb, begun.thing, moment, events))
        if people == 1 and verb.counts:
            # Those that were skipped are not changed.
            remember(transaction, who, verb.counts, begun.thing.terminals)
        return Done(verb.room.kind, begun)

    def _propose(
        self,
        transaction: Transaction,
        asked: Asked,
        verb: Verb,
        stored: Stored[Any],
        arguments: Any,
        proposal: Proposal,
    ) -> Done:
        who = Who(asked.at, asked.actor.person, asked.cause_id)
        # What could not be done with everybody's agreement is refused before anybody is asked for it.
        moment = Moment(who, transaction, asked.actor, self.ids, "apr_none", self.rules, arguments)
        rehearse(verb, stored.thing, moment, arguments)
        approval_id = self.ids.new(approvals.ROOM.prefix)
        events = approvals.proposed(Approval(approval_id), who, asked.actor.person, proposal)
        return Done(verb.room.kind, stored, begin(approvals.ROOM, transaction, approval_id, events))

    def _use(self, transaction: Transaction, asked: Asked, verb: Verb, exact: str, who: Who) -> None:
        change(
            approvals.ROOM,
            transaction,
            asked.approval,
            lambda approval: approvals.used(approval, who, verb.name, exact),
        )

    @staticmethod
    def _refuse_stale(verb: Verb, stored: Stored[Any], expected: int | None) -> None:
        if expected is not None and expected != stored.version:
            raise Conflict(
                f"{verb.kind}.changed",
                f"{verb.kind} {stored.id}",
                f"it was changed meanwhile: version {stored.version}, not {expected}",
                "read it again, and decide anew",
            )

    @staticmethod
    def _keep_personal(transaction: Transaction, verb: Verb, subject_id: str, arguments: Any) -> None:
        plain = msgspec.to_builtins(arguments) if verb.personal else {}
        fields = {name: plain[name] for name in verb.personal if plain.get(name) not in (None, "")}
        if fields:
            transaction.keep_personal(subject_id, fields)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dict(arguments))
    return plain
