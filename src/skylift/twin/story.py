"""A story that a demonstration plays: who takes part, and what they do through the public API, and when."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.service.account.roles import Role

_NAME = re.compile(r"\{([a-z_]+)\}")
IT = "it"


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody invented. region, account: to what the role is limited, as texts with names in them."""

    id: str
    role: Role
    does: str
    region: str = ""
    account: str = ""

    @property
    def name(self) -> str:
        """As people read it: "Approver One (DEMO)"."""
        return f"{self.id.replace('-', ' ').title()} (DEMO)"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One call of the API; what each field means stands at the head of the story's file."""

    by: str
    post: str = ""
    body: dict[str, Any] = {}
    at: datetime | None = None
    keep: str = ""
    says: str = ""
    asks: str = ""
    expect: str = ""
    each: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    done: str = ""

    @property
    def at_us(self) -> InstantUs | None:
        return None if self.at is None else _us(self.at)


class Chapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: str
    step: tuple[Step, ...]


class Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """names: texts that steps may use by name; more are kept as the story goes on."""

    title: str
    scenario: str
    begins: datetime
    longest_wait_s: float
    patience_s: float
    names: dict[str, str]
    persona: tuple[Persona, ...]
    before: tuple[Step, ...]
    chapter: tuple[Chapter, ...]

    @property
    def begins_us(self) -> InstantUs:
        return _us(self.begins)

    @property
    def longest_wait_us(self) -> int:
        return round(self.longest_wait_s * US_PER_S)

    def steps(self) -> Iterator[tuple[str, Step]]:
        """(title of the chapter, step), those before the day first, with "" as their chapter."""
        for step in self.before:
            yield "", step
        for chapter in self.chapter:
            for step in chapter.step:
                yield chapter.title, step

    def persona_of(self, id: str) -> Persona | None:
        return next((persona for persona in self.persona if persona.id == id), None)


def _us(at: datetime) -> InstantUs:
    return InstantUs(round(at.timestamp() * US_PER_S))


def read_story(text: str, source: str) -> Story:
    """A story from TOML. Raises Refused: for what is no story, or one that could not be played."""
    try:
        story = msgspec.convert(tomllib.loads(text), Story)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _wrong(source, str(error)) from None
    _check(story, source)
    return story


def _check(story: Story, source: str) -> None:
    roles = {persona.id: persona.role for persona in story.persona}
    if not story.persona or story.persona[0].role is not Role.OPERATOR:
        raise _wrong(source, "the first persona is an operator: it brings in the others")
    known, last_us = set(story.names), story.begins_us
    for chapter, step in story.steps():
        where = f"step {step.post or step.awaits}"
        if bool(step.post) is bool(step.awaits):
            raise _wrong(source, f"{where}: a step posts something, or awaits something")
        if step.by not in roles or any(roles.get(id) is not Role.APPROVER for id in step.agree):
            raise _wrong(source, f"{where}: by and agree name personas, and approvers agree")
        unknown = names_in(step, step.post, step.body) - known
        unknown |= {*step.each, *step.awaits} - known
        if unknown:
            raise _wrong(source, f"{where}: nothing is known by the name {min(unknown)!r}")
        if chapter and (step.at_us is None or step.at_us < last_us):
            raise _wrong(source, f"{where}: steps of chapters say when, one after the other")
        last_us = step.at_us or last_us
        known |= {step.keep} - {""}


def names_in(step: Step, *values: Any) -> set[str]:
    """The names that texts speak of; {it} stands for those of `each`."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, str):
            found |= set(_NAME.findall(value))
        elif isinstance(value, Mapping):
            found |= names_in(step, *value.values())
        elif isinstance(value, list):
            found |= names_in(step, *value)
    return found - ({IT} if step.each else set())


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The same with {name} replaced by what it stands for. Raises KeyError for one that is not there."""
    if isinstance(value, str):
        return _NAME.sub(lambda found: names[found[1]], value)
    if isinstance(value, Mapping):
        return {key: filled(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, names) for part in value]
    return value


def _wrong(source: str, rule: str) -> Refused:
    return Refused("story.wrong", source, rule, "correct the story")
