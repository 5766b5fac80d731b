"""One request for a page: who asks, what they sent, and that no other site sent it for them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from skylift.api.office.cookies import drop_session, session_secret, set_visit, visit_of
from skylift.api.office.desk import Desk
from skylift.api.office.door import MOST_BODY_BYTES
from skylift.api.office.problems import NotKnown, TooLarge, status_of
from skylift.api.site.inside import Answer, Inside
from skylift.api.site.render import page
from skylift.api.site.values import PAGED, path_of
from skylift.base.errors import Refused, SkyliftError
from skylift.service.account.roles import ALLOWS, Subject
from skylift.twin.office.office import Forbidden
from skylift.twin.office.verbs import Actor

CSRF = "form_token"
MOST_FIELDS = 20_000

Form = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    desk: Desk
    inside: Inside


@dataclass(slots=True)
class Visit:
    """actor: None for somebody who has not logged in; form: of a POST."""

    site: Site
    request: Request
    secret: str = ""
    actor: Actor | None = None
    form: Form = field(default_factory=dict)
    visit: str = ""

    @property
    def desk(self) -> Desk:
        return self.site.desk

    @property
    def who(self) -> Actor:
        assert self.actor is not None, "this page is for those who have logged in"
        return self.actor

    @property
    def now_us(self) -> int:
        return int(self.desk.clock.now())

    def told(self, name: str) -> str:
        """A field of the form; "" for none."""
        return self.form.get(name, [""])[-1]

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask a door as this visitor. Raises NotKnown where their session has ended."""
        answer = await self.site.inside.ask(self.request, self.secret, method, path, body, **headers)
        if answer.status == 401 and self.actor is not None and answer.error.get("code") == "token.not-known":
            raise NotKnown(**answer.error)
        return answer

    def allows(self, verb: str, subject: Subject | None = None) -> bool:
        """Whether the visitor may do this to a subject; without one: to any at all."""
        if subject is not None:
            return self.desk.office.allows(self.who, verb, subject)
        scopes = self.who.scopes
        return (not scopes or verb in scopes) and any(verb in ALLOWS[g.role] for g in self.who.grants)

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page for this visitor; forms in it carry their token."""
        visit = self.visit or secrets.token_urlsafe(24)
        nav = [] if self.actor is None else [kind for kind in PAGED if self.allows(f"{kind}.read")]
        response = page(
            self.request,
            template,
            status,
            token=form_token(self.secret or visit),
            once=secrets.token_urlsafe(16),
            actor=self.actor,
            nav=[(path_of(kind), NAMES[kind]) for kind in nav],
            now_us=self.now_us,
            titles=context.pop("titles", {}),
            simulated=type(self.desk.clock).__name__ != "WallClock",
            **context,
        )
        if not self.secret and not self.visit:
            set_visit(response, self.request, visit)
        return response

    def refuse(self, error: SkyliftError, status: int | None = None) -> Response:
        """A page that says an error."""
        found = status_of(error) if status is None else status
        return self.render(
            "problem.html",
            found,
            title=TITLES.get(found, "That did not work"),
            error=error.as_dict()["error"],
        )


NAMES = {
    "request": "Requests",
    "region": "Regions",
    "terminal": "Terminals",
    "shipment": "Shipments",
    "outage": "Outages",
    "account": "Accounts",
    "statement": "Statements",
    "approval": "Approvals",
    "person": "People",
    "authority": "Authorities",
    "plan": "Plans",
    "allow-list": "Allow-lists",
    "bulk-change": "Bulk changes",
    "command": "Commands",
    "rollout": "Rollouts",
    "consent": "Consents",
}
TITLES = {
    400: "That cannot be read",
    403: "Not allowed",
    404: "There is nothing here",
    405: "That does not work here",
    409: "It is not as you expected",
    413: "Too much at a time",
    429: "Too often",
    503: "Not possible now",
}

Work = Callable[[Visit], Awaitable[Response]]


def handler(site: Site, work: Work, open_to_all: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """A page as an endpoint: sees who asks, holds forms to their token, and says every refusal as a page."""

    async def handle(request: Request) -> Response:
        visit = Visit(site, request, visit=visit_of(request))
        try:
            site.desk.count(request.client.host if request.client else "")
            await _recognise(visit)
            if request.method == "POST":
                visit.form = await _read(request)
                _refuse_foreign(visit)
            if visit.actor is None and not open_to_all:
                return _to_login(request)
            return await work(visit)
        except NotKnown:
            response = _to_login(request)
            drop_session(response, request)
            return response
        except SkyliftError as error:
            return visit.refuse(error)

    return handle


async def _recognise(visit: Visit) -> None:
    secret = session_secret(visit.request)
    if secret:
        try:
            visit.actor, _ = await visit.desk.known(secret)
        except NotKnown:
            return
        visit.secret = secret


def form_token(secret: str) -> str:
    """What a form of this session carries: nobody tells the session from it."""
    return hmac.new(secret.encode(), b"skylift form", hashlib.sha256).hexdigest()


def _refuse_foreign(visit: Visit) -> None:
    """Raises ForeignForm for a form that this service did not give to this very visitor."""
    secret = visit.secret or visit.visit
    fits = bool(secret) and hmac.compare_digest(form_token(secret).encode(), visit.told(CSRF).encode())
    if not fits or not _same_site(visit.request):
        raise ForeignForm(
            "form.token",
            "this form",
            "it was not given to you by this service, or your session has ended since; nothing was done",
            "open the page again, and send it from there",
        )


class ForeignForm(Forbidden):
    """A form without the token of its session: 403."""


def _same_site(request: Request) -> bool:
    said = request.headers.get("sec-fetch-site")
    if said is not None and said not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


async def _read(request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("application/x-www-form-urlencoded", ""):
        raise Refused("body.form", "the form", "it is sent as a browser does", "send it from the page")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BODY_BYTES:
            raise TooLarge("body.too-large", "the form", "it has at most 4 MiB", "send less at a time")
        parts.append(part)
    try:
        pairs = parse_qsl(
            b"".join(parts).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise Refused("body.form", "the form", "it cannot be read", "send it from the page") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\0", ""))
    return form


def _to_login(request: Request) -> Response:
    """To the login, and from there back; a form that was sent is not sent again."""
    wanted = request.url.path if request.method == "GET" else ""
    if wanted and request.url.query:
        wanted += f"?{request.url.query}"
    after = f"?next={quote(wanted, safe='')}" if wanted not in ("", "/start") else ""
    return RedirectResponse(f"/login{after}", 303)


def own_path(text: str) -> str:
    """A path of ours to go on to; the start page for anything else."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if plain and len(text) <= 500 else "/start"


def see(path: str) -> Response:
    """Go on to a page after something was done."""
    return RedirectResponse(path, 303)
