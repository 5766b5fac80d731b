"""What a demonstration knows of itself: who plays whom, how far the story has come, whom it waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from skylift.adapters.demo import note_progress, progress
from skylift.adapters.passwords import new_token
from skylift.api.office.desk import Desk
from skylift.api.office.logins import first_operator
from skylift.api.office.shapes import LoggedIn
from skylift.api.office.tokens import issued
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.ports.store import Conflict, Transaction, Wanted
from skylift.service.account import person as persons
from skylift.service.account.token import LONGEST_TOKEN_US, Issue, TokenKind
from skylift.twin.handle import load
from skylift.twin.story import Persona, Story

# Somebody who has logged in as a persona is waited for; later than this they will have gone.
TAKEN_FOR_S = 15 * 60.0
MOST_TOLD = 200

_PLAY, _VISITOR = "the story", "a visitor"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. how: done, refused (as it should be), left-out, or failed."""

    at_us: int
    chapter: str
    by: str
    says: str
    how: str
    path: str = ""
    code: str = ""


class Kept(msgspec.Struct, kw_only=True):
    """What stands in the store, so that the story goes on after a restart."""

    people: dict[str, str] = {}
    names: dict[str, str] = {}
    steps_done: int = 0
    told: list[Told] = []


@dataclass(frozen=True, slots=True)
class Waiting:
    """For whom the story waits, for what, and until when on the monotonic clock."""

    persona: str
    what: str
    approval: str
    until_s: float


class Stage:
    """Lives in the event loop."""

    def __init__(self, desk: Desk, story: Story) -> None:
        self.desk = desk
        self.story = story
        self.waiting: Waiting | None = None
        self.on_told: Callable[[Told], None] = lambda told: None
        self._taken: dict[str, float] = {}
        found = progress(desk.store)
        self.kept = msgspec.json.decode(found, type=Kept) if found else Kept(names=dict(story.names))

    # --- how far it is

    @property
    def steps(self) -> int:
        return sum(1 for _ in self.story.steps())

    @property
    def has_ended(self) -> bool:
        return self.kept.steps_done >= self.steps

    def tell(self, told: Told) -> None:
        """Something happened that an onlooker may want to know."""
        self.kept.told = [*self.kept.told, told][-MOST_TOLD:]
        self.on_told(told)

    async def note(self) -> None:
        """Keep how far it has come."""
        text = msgspec.json.encode(self.kept).decode()
        await asyncio.to_thread(note_progress, self.desk.store, text)

    # --- who plays whom

    async def open_the_house(self) -> None:
        """The first persona, who brings in the others; no password is made for anybody."""
        first = self.story.persona[0]

        def work(transaction: Transaction) -> str:
            if transaction.list(persons.ROOM, Wanted(limit=1)):
                raise Conflict(
                    "demo.not-ours",
                    "the demo's store",
                    "there is somebody in it whom no story brought in",
                    "name an empty folder or database",
                )
            id = self.desk.ids.new(persons.ROOM.prefix)
            first_operator(transaction, id, self.desk.clock.now())
            transaction.keep_personal(id, {"name": first.name})
            return id

        if first.id not in self.kept.people:
            self.kept.people[first.id] = await self.desk.write(work)
            await self.note()

    async def log_in(self, id: str, visitor: bool) -> LoggedIn:
        """A token of a persona. Raises Refused for no such one, Conflict for one that is not there yet."""
        persona = self.persona(id)
        person = self.kept.people.get(persona.id)
        if person is None:
            raise Conflict(
                "demo.not-yet",
                f"persona {id}",
                "the coordinator has not brought them in yet",
                "ask again in a second",
            )
        secret, hashed = new_token()
        title = _VISITOR if visitor else _PLAY

        def work(transaction: Transaction) -> LoggedIn:
            if load(persons.ROOM, transaction, person).thing.state is not persons.PersonState.ACTIVE:
                raise Conflict(
                    "person.not-active",
                    f"persona {id}",
                    "they may not act any more",
                    "unlock them, or take another",
                )
            # Its days pass in minutes: a session that ended with them would only be in the way.
            issue = Issue(TokenKind.PROGRAM, person, hashed, LONGEST_TOKEN_US, title=title)
            who = Who(self.desk.clock.now(), person)
            return issued(transaction, self.desk.ids.new("tok"), who, issue, secret)

        done = await self.desk.write(work)
        if visitor:
            self._taken[persona.id] = time.monotonic()
        return done

    def persona(self, id: str) -> Persona:
        found = self.story.persona_of(id)
        if found is None:
            known = ", ".join(persona.id for persona in self.story.persona)
            raise Refused("demo.persona", "persona", "there is none of that name", f"take one of: {known}")
        return found

    def is_taken(self, id: str) -> bool:
        """Whether a visitor plays this persona."""
        return time.monotonic() - self._taken.get(id, -TAKEN_FOR_S) < TAKEN_FOR_S

    def give_up(self, id: str) -> None:
        """Whoever plays this persona has let their time pass."""
        self._taken.pop(id, None)

    def as_document(self) -> dict[str, Any]:
        """What GET /api/v1/demo answers."""
        waiting = self.waiting
        return {
            "title": self.story.title,
            "at_us": self.desk.clock.now(),
            "paused": self.desk.clock.paused,
            "steps": self.steps,
            "steps_done": self.kept.steps_done,
            "ended": self.has_ended,
            "failed": sum(told.how == "failed" for told in self.kept.told),
            "waiting_for": None
            if waiting is None
            else {
                "persona": waiting.persona,
                "what": waiting.what,
                "approval": waiting.approval,
                "left_s": max(0.0, round(waiting.until_s - time.monotonic(), 1)),
            },
            "personas": [
                {
                    "persona": persona.id,
                    "name": persona.name,
                    "role": persona.role.value,
                    "does": persona.does,
                    "person": self.kept.people.get(persona.id, ""),
                    "taken": self.is_taken(persona.id),
                }
                for persona in self.story.persona
            ],
            "names": self.kept.names,
            "told": msgspec.to_builtins(self.kept.told),
        }
