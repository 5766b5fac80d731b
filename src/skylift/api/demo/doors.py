"""The doors of a demonstration: what is played, and a token of any persona. Nothing else has them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from skylift.api.demo.stage import Stage, Told
from skylift.api.office.door import Call, Door, answer, read_as
from skylift.api.office.shapes import LoggedIn


@dataclass(frozen=True, slots=True)
class TakePersona:
    """persona: one of those that GET /api/v1/demo lists."""

    persona: str


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """what: the story's own words; approval: to agree to, where it is that; left_s: then it goes on alone."""

    persona: str
    what: str
    approval: str
    left_s: float


@dataclass(frozen=True, slots=True)
class PersonaShown:
    """person: their id, "" before they were brought in; taken: whether a visitor plays them."""

    persona: str
    name: str
    role: str
    does: str
    person: str
    taken: bool


@dataclass(frozen=True, slots=True)
class DemoShown:
    """names: ids of what came up, by the story's names for them; told: what happened, the newest last."""

    title: str
    at_us: int
    paused: bool
    steps: int
    steps_done: int
    ended: bool
    failed: int
    waiting_for: WaitingFor | None
    personas: tuple[PersonaShown, ...]
    names: dict[str, str]
    told: tuple[Told, ...]


def doors(stage: Stage) -> list[Door]:
    """All of them."""

    async def show(call: Call) -> Response:
        return answer(stage.as_document())

    async def log_in(call: Call) -> Response:
        given: TakePersona = read_as(TakePersona, await call.body())
        return answer(await stage.log_in(given.persona, visitor=True), 201)

    return [
        Door(
            "GET",
            "/api/v1/demo",
            show,
            "What is played, and who takes part.",
            "demo",
            {200: DemoShown},
            open_to_all=True,
        ),
        Door(
            "POST",
            "/api/v1/demo/login",
            log_in,
            "Play a persona: the story then waits for you where it needs them.",
            "demo",
            {201: LoggedIn},
            TakePersona,
            open_to_all=True,
        ),
    ]
