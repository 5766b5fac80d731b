"""What enforcers were asked to do with a terminal, and what they confirmed.

A terminal is served only if its network lets it in and nobody in the field has taken it off, so the stricter
of the two standing commands is in force. Confirmations may come late, twice and out of order: the last one
to come is what stands, and where that is not what is wanted, the enforcer is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, format_instant
from skylift.service.terminal.events import CommandKind, Enforcer

# A terminal that is paused every night would otherwise grow for ever; the journal holds all of them.
KEPT = 32

_STRICTNESS = {CommandKind.ACTIVATE: 0, CommandKind.PAUSE: 1, CommandKind.BLOCK: 2}


@dataclass(frozen=True, slots=True)
class Command:
    """One command. number: the how-manieth it is; confirmed_at None: not in force."""

    id: str
    kind: CommandKind
    enforcer: Enforcer
    asked_at: InstantUs
    number: int
    confirmed_at: InstantUs | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Commands:
    """All commands to one terminal.

    pending    asked, neither confirmed nor failed; in the order in which they were asked
    overtaken  pending once, until a later one to the same enforcer was confirmed; may still be confirmed late
    confirmed  in the order in which confirmations came; the last KEPT of them
    failed     ids of the last KEPT that an enforcer refused; failures: how many there were
    asked      how many were ever asked
    known_from before this instant the journal alone knows what was in force
    """

    pending: tuple[Command, ...] = ()
    overtaken: tuple[Command, ...] = ()
    confirmed: tuple[Command, ...] = ()
    failed: tuple[str, ...] = ()
    failures: int = 0
    last_error: str = ""
    asked: int = 0
    known_from: InstantUs | None = None

    def open(self, command_id: str) -> Command | None:
        """A command that waits for an answer."""
        return next((c for c in (*self.pending, *self.overtaken) if c.id == command_id), None)

    def is_known(self, command_id: str) -> bool:
        """Whether the id was used, as far back as commands are kept."""
        every = (*self.pending, *self.overtaken, *self.confirmed)
        return any(c.id == command_id for c in every) or command_id in self.failed

    def standing(self, enforcer: Enforcer, at: int | None = None) -> Command | None:
        """The last command that this enforcer had confirmed at an instant; now, without one."""
        for command in reversed(self.confirmed):
            if command.enforcer is enforcer and (at is None or (command.confirmed_at or 0) <= at):
                return command
        return None

    def in_force(self, network: Enforcer, at: int) -> CommandKind | None:
        """What held at an instant for a terminal whose network is run by `network`; None for nothing yet.

        Raises Refused for an instant before the kept confirmations.
        """
        if self.known_from is not None and at < self.known_from:
            raise Refused(
                "terminal.too-long-ago",
                "in force",
                f"confirmations before {format_instant(self.known_from)} are kept by the journal alone",
                "replay the terminal's events up to that instant",
            )
        let_in, in_field = self.standing(network, at), self.standing(Enforcer.FIELD, at)
        kind = let_in.kind if let_in else None
        # The field can take a terminal off, but no one in the field lets it into a network.
        if in_field and in_field.kind is not CommandKind.ACTIVATE:
            kind = max(kind or in_field.kind, in_field.kind, key=_STRICTNESS.__getitem__)
        return kind

    def heading_for(self, enforcer: Enforcer) -> CommandKind | None:
        """What will stand once this enforcer has done all it was asked."""
        mine = [c for c in self.pending if c.enforcer is enforcer]
        standing = mine[-1] if mine else self.standing(enforcer)
        return standing.kind if standing else None

    def last_asked(self, enforcer: Enforcer) -> Command | None:
        """The last command to this enforcer that waits for an answer."""
        return next((c for c in reversed(self.pending) if c.enforcer is enforcer), None)

    def to_ask(self, network: Enforcer, wanted: CommandKind | None) -> tuple[Enforcer, ...]:
        """Who has to be asked for `wanted`: its network, and the field where it once had a say.

        What is blocked need not be paused: it is not served either way.
        """
        if wanted is None:
            return ()
        enough = (CommandKind.PAUSE, CommandKind.BLOCK) if wanted is CommandKind.PAUSE else (wanted,)
        differing = [network] if self.heading_for(network) not in enough else []
        if self.heading_for(Enforcer.FIELD) not in (None, *enough):
            differing.append(Enforcer.FIELD)
        return tuple(differing)

    def ever_activated(self) -> bool:
        """Whether a network may have it switched on now, or soon."""
        enforcers = {c.enforcer for c in (*self.pending, *self.confirmed)}
        alive = {c.kind for c in (*self.pending, *self.overtaken)}
        alive |= {c.kind for e in enforcers if (c := self.standing(e))}
        return CommandKind.ACTIVATE in alive

    def with_asked(self, id: str, kind: CommandKind, enforcer: Enforcer, at: InstantUs) -> Commands:
        command = Command(id, kind, enforcer, at, self.asked + 1)
        return replace(self, pending=(*self.pending, command), asked=command.number)

    def with_confirmed(self, command_id: str, at: InstantUs, evidence: str) -> Commands:
        command = self.open(command_id)
        assert command is not None, "decide.confirmed sees to it"
        done = replace(command, confirmed_at=at, evidence=evidence)
        rest = [c for c in self.pending if c.id != command_id]
        overtaken = [c for c in rest if c.enforcer is command.enforcer and c.number < command.number]
        late = [c for c in self.overtaken if c.id != command_id]
        confirmed = (*self.confirmed, done)
        known_from = self.known_from
        if len(confirmed) > KEPT:
            confirmed, known_from = self._shortened(confirmed)
        return replace(
            self,
            pending=tuple(c for c in rest if c not in overtaken),
            overtaken=tuple(late + overtaken)[-KEPT:],
            confirmed=confirmed,
            known_from=known_from,
        )

    def with_failed(self, command_id: str, error: str) -> Commands:
        return replace(
            self,
            pending=tuple(c for c in self.pending if c.id != command_id),
            overtaken=tuple(c for c in self.overtaken if c.id != command_id),
            failed=(*self.failed, command_id)[-KEPT:],
            failures=self.failures + 1,
            last_error=error,
        )

    def _shortened(self, confirmed: tuple[Command, ...]) -> tuple[tuple[Command, ...], InstantUs]:
        """Without the oldest that no longer stands, so that what each enforcer has in force is never lost."""
        last = {c.enforcer: place for place, c in enumerate(confirmed)}
        dropped = next(place for place in range(len(confirmed)) if place not in last.values())
        kept = (*confirmed[:dropped], *confirmed[dropped + 1 :])
        # From the next confirmation of the same enforcer on, the dropped one did not stand any more.
        after = next(c for c in confirmed[dropped + 1 :] if c.enforcer is confirmed[dropped].enforcer)
        known_from = InstantUs(after.confirmed_at or 0)
        return kept, InstantUs(max(known_from, self.known_from or known_from))
