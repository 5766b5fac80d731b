"""The page of a demonstration: what is played, and a click to take anybody's part."""

from __future__ import annotations

from starlette.responses import Response

from skylift.adapters.clock import SimulatedClock
from skylift.api.demo.stage import Stage
from skylift.api.office.cookies import begin_session
from skylift.api.office.problems import status_of
from skylift.api.site.visit import Visit, Work, see
from skylift.base.errors import Refused

# The page has no script: as long as the story goes on, a browser asks again.
AGAIN_S = 3


def demo_page(stage: Stage) -> Work:
    """The page, and what its buttons send."""

    async def work(visit: Visit) -> Response:
        if visit.request.method != "POST":
            return _shown(visit, stage)
        if visit.told("clock"):
            _set(stage, visit.told("clock"))
            return see("/demo")
        try:
            done = await stage.log_in(visit.told("persona"), visitor=True)
        except Refused as refused:
            return _shown(visit, stage, refused)
        response = see("/start")
        begin_session(response, visit.request, done.token)
        return response

    return work


def _set(stage: Stage, what: str) -> None:
    """Whoever may be anybody may stop the clock as well."""
    clock = stage.desk.clock
    if isinstance(clock, SimulatedClock):
        (clock.pause if what == "stop" else clock.go_on)()


def _shown(visit: Visit, stage: Stage, error: Refused | None = None) -> Response:
    response = visit.render(
        "demo.html",
        200 if error is None else status_of(error),
        stage=stage.as_document(),
        told=stage.kept.told[::-1],
        names={persona.id: persona.name.removesuffix(" (DEMO)") for persona in stage.story.persona},
        patience_s=stage.story.patience_s,
        error=None if error is None else error.as_dict()["error"],
    )
    if not stage.has_ended and error is None:
        response.headers["Refresh"] = f"{AGAIN_S}; url=/demo"
    return response
