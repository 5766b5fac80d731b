"""The HTTP API, the live stream and the page."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Header, Query, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp

from skylift import __version__
from skylift.adapters.demo import packaged_story
from skylift.api import models
from skylift.api.demo import doors as demo
from skylift.api.demo.mark import Mark, describe
from skylift.api.demo.stage import Stage
from skylift.api.emulated import EmulatedDishes
from skylift.api.errors import add_handlers, problem
from skylift.api.guard import Guard
from skylift.api.office import (
    appstats,
    feeds,
    milestones,
    personal,
    public_outages,
    serving,
    things,
    tokens,
    triage,
    usage,
    webhooks,
)
from skylift.api.office.desk import Desk
from skylift.api.office.door import Door
from skylift.api.office.gate import Gate
from skylift.api.office.imports import Imports
from skylift.api.office.ioda_doors import IodaDoors
from skylift.api.office.links import Links
from skylift.api.office.logins import Logins
from skylift.api.office.looking import Looking
from skylift.api.office.openapi import add_doors
from skylift.api.pages import docs_page
from skylift.api.positions import satellites_document
from skylift.api.site.routes import add_site, may_look
from skylift.api.slots import event_id, slot_of
from skylift.api.state import LiveState, not_ready
from skylift.api.stream import MOST_STREAMS, LiveStream
from skylift.api.telemetry import commanding, enrolment, managed, sharing
from skylift.api.telemetry import doors as telemetry
from skylift.api.telemetry.gate import AgentGate
from skylift.api.telemetry.metrics import add_metrics
from skylift.base.errors import Refused, Unavailable
from skylift.twin.office.table import TABLE

STATIC = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "map.js": "text/javascript; charset=utf-8",
    "demo.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
OFFICE_LINK = b'<p class="office"><a href="/start">Requests, regions, terminals, shipments</a></p>'
_ABOUT_API = """
What skylift's twin computes, slot by slot. A slot lasts 15 s and begins at :12, :27, :42 and :57.
Without a login the service answers on loopback only. Errors have one shape: `Error`.
"""
_ABOUT_OFFICE = """
What people asked for and what was decided: requests, regions, accounts, terminals. It takes a token
(`Authorization: Bearer TOKEN`, from POST /api/v1/login). A thing's version is its ETag; send it as If-Match.
A write with an Idempotency-Key is done once. What takes two people answers 202; repeat it, once another has
agreed, with `approval`.
"""

Instant = Annotated[
    str | None,
    Query(
        description="An instant within a recent slot: ISO 8601 (2026-05-30T12:00:00Z), or microseconds "
        "since 1970. Without it: the slot under way."
    ),
]


def known_parameters_only(request: Request) -> None:
    """A misspelt parameter is refused rather than passed over."""
    known = {p.alias for p in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise Refused(
                "parameter.unknown",
                f"parameter {name[:40]!r}",
                "this path does not know it",
                f"it knows: {', '.join(sorted(known)) or 'none'}",
            )


def create_app(state: LiveState, desk: Desk | None = None, open_sky: bool = True) -> FastAPI:
    """The application over what the sky process has told, and over the office where there is a store.

    open_sky  whether the sky is shown without a login, and to loopback names alone; else all takes a token
    """
    app = FastAPI(
        title="skylift",
        version=__version__,
        description=_ABOUT_API,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(known_parameters_only)],
        responses={400: {"model": models.Error}, 503: {"model": models.Error}},
    )
    add_handlers(app)
    app.state.demo = desk is not None and desk.store.is_demo
    if desk is not None:
        _add_office(app, desk, state, open_sky)
    _put_around(app, lambda inner: Guard(inner, loopback_only=open_sky))
    if app.state.demo:
        _put_around(app, Mark)
    _add_health(app, state, desk)
    _add_links(app, state)
    _add_documents(app, state)
    _add_terminals(app, state)
    _add_pages(app, None if open_sky else desk, desk is not None)
    return app


def _put_around(app: FastAPI, layer: Callable[[ASGIApp], ASGIApp]) -> None:
    """Around everything, what answers for a broken handler included: nothing leaves without it."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: layer(build())  # type: ignore[method-assign]


def office_doors(desk: Desk) -> list[Door]:
    """Every door of the office: what the gate lets in to, OpenAPI describes, and tests walk."""
    return [
        *things.doors(TABLE),
        *personal.doors(TABLE),
        *Logins(desk).doors(),
        *tokens.doors(),
        *serving.doors(),
        *Imports(desk).doors(),
        *Looking(desk).doors(),
        *webhooks.doors(desk.sender, desk.store.head),
        *usage.doors(),
        *milestones.doors(),
        *triage.doors(),
        *IodaDoors(public_outages.PublicOutages(desk)).doors(),
        *appstats.AppStats(desk).doors(),
        *telemetry.doors(desk.intake),
        *sharing.doors(),
        *managed.doors(desk.intake),
    ]


def _add_office(app: FastAPI, desk: Desk, state: LiveState, open_sky: bool) -> None:
    doors = [*office_doors(desk), *Links(state).doors(), *EmulatedDishes(state).doors()]
    if app.state.demo:
        app.state.stage = Stage(desk, packaged_story())
        doors += demo.doors(app.state.stage)
    app.add_middleware(Gate, desk=desk, doors=doors, open_sky=open_sky)
    agents = {
        **enrolment.handlers(desk.intake),
        **commanding.handlers(desk.intake),
        **sharing.handlers(desk.intake),
    }
    # By the hundred a second: they pass by what all others go through.
    _put_around(app, lambda inner: AgentGate(inner, desk, agents))
    app.description = f"{_ABOUT_API}{_ABOUT_OFFICE}"
    of_sky = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = add_doors(
                of_sky(),
                [*doors, *feeds.described(), *public_outages.described(), *enrolment.described()],
                TABLE,
            )
            app.openapi_schema = describe(document) if app.state.demo else document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    feeds.Feeds(desk).add_to(app)
    public_outages.PublicOutages(desk).add_to(app)
    add_metrics(app, desk, open_sky)
    add_site(app, desk, doors)


def _json(body: bytes | dict[str, Any]) -> Response:
    return Response(
        body if isinstance(body, bytes) else msgspec.json.encode(body), media_type="application/json"
    )


def _shape(model: type[BaseModel], not_found: bool = False) -> dict[str, Any]:
    responses: dict[int, Any] = {200: {"model": model}}
    if not_found:
        responses[404] = {"model": models.Error}
    return {"responses": responses, "response_class": Response}


def _add_health(app: FastAPI, state: LiveState, desk: Desk | None) -> None:
    @app.get("/healthz", tags=["health"], summary="The process lives.", **_shape(models.Health))
    async def healthz() -> Response:
        return _json({"status": "ok"})

    @app.get(
        "/readyz",
        tags=["health"],
        summary="The store answers, and the slot under way is known.",
        **_shape(models.Readiness),
    )
    async def readyz() -> Response:
        if desk is not None:
            await desk.store_answers()
        reason = state.why_not_ready()
        present = state.present()
        if reason is not None or present is None:
            return problem(not_ready(reason or "no slot yet"))
        return _json({"status": "ready", "slot_at_us": present.at_us})


def _add_links(app: FastAPI, state: LiveState) -> None:
    streams: set[LiveStream] = set()

    @app.get(
        "/api/v1/links",
        tags=["sky"],
        summary="Every terminal's link in a slot.",
        **_shape(models.Links, True),
    )
    async def links(at: Instant = None) -> Response:
        return _json(slot_of(state, at).links)

    @app.get(
        "/api/v1/live",
        tags=["sky"],
        summary="The links of each slot as it begins, as server-sent events.",
        response_class=Response,
        responses={
            200: {
                "description": "Events `slot` whose id is `at_us` and whose data is a `Links` document; "
                "comments as heartbeats. With Last-Event-ID it resumes after that slot.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def live(
        last_event_id: Annotated[str | None, Header(description="The id of the last event received.")] = None,
    ) -> Response:
        if len(streams) >= MOST_STREAMS:
            raise Unavailable(
                "stream.too_many", "the live stream", f"{MOST_STREAMS} streams are open", "close some of them"
            )
        return LiveStream(state, event_id(last_event_id), streams)


def _add_terminals(app: FastAPI, state: LiveState) -> None:
    async def terminals() -> Response:
        return _json(state.need_hello().terminals_document)

    # The second path gives the office's terminals to whoever has a token; the first never does.
    for path in ("/api/v1/sky/terminals", "/api/v1/terminals"):
        app.add_api_route(
            path,
            terminals,
            tags=["sky"],
            summary="The terminals of the scenario, their places coarsened to a cell.",
            **_shape(models.Terminals),
        )


def _add_documents(app: FastAPI, state: LiveState) -> None:
    @app.get(
        "/api/v1/satellites",
        tags=["sky"],
        summary="Where the satellites are at slot start.",
        **_shape(models.Satellites, True),
    )
    def satellites(
        at: Instant = None,
        terminal: Annotated[str | None, Query(description="Only those this terminal can see.")] = None,
        in_view: Annotated[bool, Query(description="Only those that any terminal can see.")] = False,
    ) -> Response:
        kept = slot_of(state, at)
        report = kept.report
        if report is None:
            raise Refused(
                "positions.not_kept",
                "the positions of that slot",
                "positions are kept for the newest slots only",
                "ask without `at`, or use `skylift sky`",
            )
        return _json(satellites_document(state.need_hello(), report, terminal, in_view))

    @app.get(
        "/api/v1/gateways",
        tags=["sky"],
        summary="Gateways and points of presence, with source and accuracy.",
        **_shape(models.Gateways),
    )
    async def gateways() -> Response:
        return _json(state.need_hello().gateways_document)

    @app.get(
        "/api/v1/map",
        tags=["sky"],
        summary="Outlines of the countries around the terminals, for drawing.",
        **_shape(models.Map),
    )
    async def outlines() -> Response:
        if state.map is None:
            raise not_ready("the map is still being drawn")
        return _json(state.map)

    @app.get(
        "/api/v1/about",
        tags=["service"],
        summary="What runs here: scenario, inputs, clock, and what is not modelled.",
        **_shape(models.About),
    )
    async def about() -> Response:
        return _json(state.about())


def _add_pages(app: FastAPI, locked: Desk | None, has_office: bool) -> None:
    """locked: where the sky is shown to those alone who have logged in."""
    static = files("skylift.api") / "static"

    def add(path: str, body: Callable[[], bytes], media_type: str) -> None:
        # A plain route: what stands behind the page's ? is the page's own matter.
        async def page(request: Request) -> Response:
            return Response(body(), media_type=media_type)

        app.add_route(path, page, include_in_schema=False)

    def packaged(name: str) -> Callable[[], bytes]:
        text = (static / name).read_bytes()
        return lambda: text

    html = (static / "index.html").read_bytes()
    html = html.replace(b"<!--office-->", OFFICE_LINK if has_office else b"")

    async def sky(request: Request) -> Response:
        refused = None if locked is None else await may_look(locked, request)
        return refused or Response(html, media_type="text/html; charset=utf-8")

    app.add_route("/", sky, include_in_schema=False)
    app.add_route("/sky", sky, include_in_schema=False)
    for name, media_type in STATIC.items():
        add(f"/static/{name}", packaged(name), media_type)
    add("/docs", lambda: docs_page(app.openapi()), "text/html; charset=utf-8")
