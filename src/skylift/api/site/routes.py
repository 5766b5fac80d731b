"""Every page, and where it stands."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from skylift.api.demo.page import demo_page
from skylift.api.office.cookies import session_secret
from skylift.api.office.desk import Desk
from skylift.api.office.door import Door
from skylift.api.office.problems import NotKnown
from skylift.api.site import alike, session, start, terminal_pictures
from skylift.api.site.inside import Inside
from skylift.api.site.kinds import KINDS
from skylift.api.site.lists import list_page
from skylift.api.site.things import (
    create_page,
    erase_page,
    personal_page,
    thing_page,
    verb_address,
    verb_page,
)
from skylift.api.site.tongue import keep_tongue
from skylift.api.site.values import path_of
from skylift.api.site.visit import Site, Visit, Work, handler, own_path, see
from skylift.base.errors import SkyliftError

GET, POST = ["GET", "HEAD"], ["POST"]


def add_site(app: FastAPI, desk: Desk, doors: list[Door]) -> None:
    """Add the people's pages to an application that has an office."""
    site = Site(desk, Inside(desk, doors))

    def add(path: str, work: Work, methods: list[str], open_to_all: bool = False) -> None:
        app.add_route(path, handler(site, work, open_to_all), methods=methods, include_in_schema=False)

    app.add_route("/tongue", choose_tongue, methods=GET, include_in_schema=False)
    add("/login", session.log_in, GET + POST, True)
    add("/setup", session.set_up, GET + POST, True)
    add("/logout", session.log_out, POST)
    if app.state.demo:
        add("/demo", demo_page(app.state.stage), GET + POST, True)
    add("/me", session.me, GET + POST)
    add("/start", start.start, GET)
    add("/requests/triage", start.triage, GET)
    add("/requests/{id}/same-as/{other}", alike.side_by_side, GET)
    add("/approvals/{id}/carry-out", start.carry_out_page, POST)
    add("/persons/{id}/invite", start.invite_page, POST)
    add("/terminals/{id}/year.png", terminal_pictures.year, GET)
    add("/terminals/{id}/obstructions.png", terminal_pictures.obstructions, GET)
    for kind in KINDS.values():
        base = path_of(kind.kind)
        add(base, list_page(kind), GET)
        add(f"{base}/new", create_page(kind), GET + POST)
        add(f"{base}/{{id}}", thing_page(kind), GET)
        add(f"{base}/{{id}}/personal", personal_page(kind), POST)
        add(f"{base}/{{id}}/erase", erase_page(kind), POST)
        add(f"{base}/{{id}}/{{action}}", verb_address(kind), GET)
        add(f"{base}/{{id}}/{{action}}", verb_page(kind), POST)

    async def show_problem(request: Request, error: SkyliftError, status: int) -> Response:
        async def say(visit: Visit) -> Response:
            return visit.refuse(error, status)

        return await handler(site, say, True)(request)

    app.state.show_problem = show_problem
    sheet = (files("skylift.api.site") / "site.css").read_bytes()

    async def style(request: Request) -> Response:
        return Response(sheet, media_type="text/css; charset=utf-8", headers={"Cache-Control": "max-age=300"})

    app.add_route("/static/site.css", style, include_in_schema=False)


async def choose_tongue(request: Request) -> Response:
    """Back to the page where the choice was made."""
    response = see(own_path(request.query_params.get("back", "/start")))
    keep_tongue(response, request, request.query_params.get("to", ""))
    return response


async def may_look(desk: Desk, request: Request) -> Response | None:
    """Beyond loopback the sky is for those who have logged in: where to go first, or None for in."""
    secret = session_secret(request)
    try:
        if secret:
            await desk.known(secret)
            return None
    except NotKnown:
        pass
    return RedirectResponse("/login?next=%2F", 303)
