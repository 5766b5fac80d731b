"""Commands to dishes, owners' consents and rollouts, in lists and as facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skylift.api.site.values import NONE, Badge, Mono, Value, count, named, several, time_of
from skylift.api.site.visit import Visit
from skylift.api.site.words import choice_label
from skylift.ports.store import Reader, Stored
from skylift.service.command import state as command
from skylift.service.command.consent import Consent
from skylift.service.command.kinds import RADIO_OFF, CommandKind
from skylift.service.command.rollout import (
    MOST_BY_PERSON,
    MOST_IN_REGION,
    MOST_WRONG_FRACTION,
    STAGES,
    Rollout,
    RolloutState,
)
from skylift.service.command.state import Command, CommandState
from skylift.twin.office.commands import health_of

COMMAND_TONES = {"issued": "wait", "done": "good", "refused": "bad", "failed": "bad", "expired": "warn"}
ROLLOUT_TONES = {"under-way": "wait", "stopped": "bad", "ended": "good"}
CONSENT_TONES = {"given": "good", "taken-back": "calm"}
_WHY_STOPPED = {
    "wrong": "Too many went wrong, or kept silent until their time was over",
    "asked": "Somebody stopped it",
}


# --- one command


def what(kind: CommandKind, arguments: Mapping[str, int | bool]) -> str:
    """What is asked of a dish, a schedule with its times."""
    words = choice_label(kind)
    if "start_minutes" in arguments:
        start, lasts = arguments["start_minutes"], arguments["duration_minutes"]
        return f"{words}: daily from {start // 60:02}:{start % 60:02} UTC for {count(lasts, 'minute')}"
    return f"{words}: off" if arguments.get("on") is False else words


def command_heading(one: Command) -> str:
    return what(one.kind, one.arguments)


def command_badge(one: Command, now: int) -> Badge:
    """Where it stands now; one whose time is over may still be answered."""
    if one.state is CommandState.ISSUED and not one.waits_at(now):
        return Badge("Not answered in time: nothing is known", "warn")
    return Badge(command.label(one.state), COMMAND_TONES.get(one.state.value, "calm"))


def _answered(one: Command, now: int) -> Value:
    return Badge("No answer", "warn") if one.answered_at is None else time_of(one.answered_at, now)


def command_row(one: Command, now: int) -> tuple[Value, ...]:
    return named(one.terminal), time_of(one.issued_at, now), _answered(one, now), named(one.rollout)


def command_facts(one: Command, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("Terminal", named(one.terminal)),
        ("Asked", time_of(one.issued_at, now)),
        ("Sent until", time_of(one.expires_at, now)),
        ("Answered, by the board's clock", _answered(one, now)),
        ("In force", _in_force(one)),
        ("The agent said", one.said or NONE),
        ("How it comes back", one.returns or NONE),
        ("Number", f"{one.number:,}"),
        ("Part of", named(one.rollout)),
        ("Region", named(one.region)),
        ("Owner then", named(one.owner)),
    ]
    if one.code:
        facts.insert(5, ("Code", Mono(one.code)))
    return facts


def _in_force(one: Command) -> Badge:
    if one.state is CommandState.DONE:
        return Badge("The dish says so", "good")
    if one.kind in RADIO_OFF:
        return Badge("Not confirmed: it may still transmit; pull the power", "bad")
    return Badge("Not confirmed", "warn")


# --- consent


def consent_heading(one: Consent) -> str:
    return ", ".join(choice_label(kind) for kind in one.kinds) or one.id


def consent_row(one: Consent, now: int) -> tuple[Value, ...]:
    return named(one.terminal), named(one.owner), one.document or NONE


def consent_facts(one: Consent, now: int) -> list[tuple[str, Value]]:
    return [
        ("Terminal", named(one.terminal)),
        ("Given by its owner", named(one.owner)),
        ("To", several(choice_label(kind) for kind in one.kinds)),
        ("Written down in", one.document or NONE),
        ("Region", named(one.region)),
    ]


# --- rollouts


def rollout_label(state: RolloutState) -> str:
    """Where a rollout stands; "under way" is said of what is on a road."""
    return "Being sent, stage by stage" if state is RolloutState.UNDER_WAY else choice_label(state)


def rollout_heading(one: Rollout) -> str:
    return f"{what(one.kind, one.arguments)}: {count(len(one.terminals), 'terminal')}"


def rollout_row(one: Rollout, now: int) -> tuple[Value, ...]:
    reached = f"{one.reached():,} of {len(one.terminals):,}"
    return reached, named(one.by), time_of(one.begun_at, now), one.reason


def rollout_facts(one: Rollout, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("Why", one.reason or NONE),
        ("Begun by", named(one.by)),
        ("Begun", time_of(one.begun_at, now)),
        ("Sent to", f"{one.reached():,} of {len(one.terminals):,}"),
        ("Each is sent for", count(one.expires_min, "minute")),
        (
            "Regions",
            several(f"{number:,} in {region or 'no region'}" for region, number in one.regions.items()),
        ),
    ]
    if one.why:
        facts.append(("Stopped", Badge(_WHY_STOPPED.get(one.why, one.why), "bad")))
    return facts


async def rollout_extra(visit: Visit, stored: Stored[Rollout]) -> dict[str, Any]:
    """Its stages, how they went, and what holds it back."""
    one, now = stored.thing, visit.now_us

    def stages(reader: Reader) -> list[dict[str, Any]]:
        return [_stage(reader, stage, now) for stage in one.stages]

    found = await visit.desk.read(stages)
    health = await visit.desk.read(lambda reader: health_of(one, reader, now))
    return {
        "stages": found,
        "following": len(one.next_stage()) if one.state is RolloutState.UNDER_WAY else 0,
        "gate": _gate(health.waiting, health.is_bad) if one.state is RolloutState.UNDER_WAY else None,
        "brakes": (
            "A second person agreed before the first was sent.",
            f"{STAGES[0]} terminal first, then {STAGES[1]}, then {STAGES[2]} at a time; each stage waits for "
            "somebody to begin it.",
            f"Where more than {MOST_WRONG_FRACTION:.0%} of a stage is refused, fails or keeps silent until "
            "its time is over, all of it ends by itself, and what waits is taken back.",
            f"In a day, one person begins rollouts to {MOST_BY_PERSON:,} terminals at most, and a region "
            f"sees {MOST_IN_REGION:,}.",
        ),
    }


def _gate(waiting: int, is_bad: bool) -> Badge:
    if is_bad:
        return Badge("It ends by itself now", "bad")
    return Badge(f"Shut: {waiting:,} not answered", "wait") if waiting else Badge("Open", "good")


def _stage(reader: Reader, stage: Mapping[str, str], now: int) -> dict[str, Any]:
    found = reader.get_all(command.ROOM, set(stage.values()))
    rows = [
        (named(terminal), command_badge(found[id].thing, now), _answered(found[id].thing, now), named(id))
        for terminal, id in stage.items()
        if id in found
    ]
    done = sum(stored.thing.state is CommandState.DONE for stored in found.values())
    return {"rows": rows, "done": done, "total": len(stage)}
