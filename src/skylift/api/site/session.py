"""Log in, log out, set up, take up an invitation; one's own sessions and one-time codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from skylift.api.office.cookies import begin_session, drop_session
from skylift.api.office.tokens import TOTP
from skylift.api.site.inside import Answer
from skylift.api.site.values import time_of
from skylift.api.site.visit import Visit, own_path, see

# Which field of a form each refusal of the login's doors is about.
_FIELDS = {
    "login.email": "email",
    "login.taken": "email",
    "login.code-needed": "code",
    "setup.code": "setup_code",
    "totp.code": "code",
    "password.length": "password",
}


def _field_of(answer: Answer) -> str:
    code = answer.error.get("code", "")
    found = _FIELDS.get(code, "")
    return found or ("password" if code.startswith("password") else "")


def _begun(visit: Visit, answer: Answer, path: str) -> Response:
    """A session begins: its token goes into a cookie, and nowhere else."""
    response = see(path)
    begin_session(response, visit.request, answer.document["token"])
    return response


# --- log in and out


async def log_in(visit: Visit) -> Response:
    """The form, and what it sends."""
    after = own_path(visit.request.query_params.get("next", "/start"))
    if visit.request.method == "GET":
        if visit.actor is not None:
            return see(after)
        return _login_form(visit, after)
    body = {name: visit.told(name) for name in ("email", "password", "code")}
    body["code"] = "".join(body["code"].split())
    answer = await visit.ask("POST", "login", body)
    if not answer.is_done:
        return _login_form(visit, after, answer)
    return _begun(visit, answer, after)


def _login_form(visit: Visit, after: str, answer: Answer | None = None) -> Response:
    status = 200 if answer is None else answer.status
    return visit.render(
        "login.html",
        status,
        error=None if answer is None else answer.error,
        field="" if answer is None else _field_of(answer),
        email=visit.told("email"),
        # A link from another site does not bring the session along; the same link from here does.
        elsewhere=after if visit.request.headers.get("sec-fetch-site") == "cross-site" else "",
        nobody=bool(visit.desk.setup_code),
        next=quote(after, safe=""),
    )


async def log_out(visit: Visit) -> Response:
    """Revoke this session."""
    await visit.ask("POST", "logout")
    response = see("/login")
    drop_session(response, visit.request)
    return response


# --- the first operator, and everybody who was invited


async def set_up(visit: Visit) -> Response:
    """The page of the setup URL. The code stays in the address; no page repeats it."""
    code = visit.request.query_params.get("code", "")
    if visit.request.method == "GET":
        return _setup_form(visit, code)
    if visit.told("password") != visit.told("again"):
        wrong = {
            "code": "password.again",
            "thing": "the second password",
            "rule": "it is not the same as the first",
            "way_out": "type both anew",
        }
        return _setup_form(visit, code, wrong, "again", 422)
    body = {
        "code": code or visit.told("setup_code").strip(),
        "email": visit.told("email"),
        "password": visit.told("password"),
    }
    answer = await visit.ask("POST", "setup", body)
    if not answer.is_done:
        return _setup_form(visit, code, answer.error, _field_of(answer), answer.status)
    return _begun(visit, answer, "/me?welcome=1")


def _setup_form(
    visit: Visit, code: str, error: dict[str, str] | None = None, field: str = "", status: int = 200
) -> Response:
    first = bool(visit.desk.setup_code)
    return visit.render(
        "setup.html",
        status,
        error=error,
        field=field,
        email=visit.told("email"),
        first=first,
        has_code=bool(code),
    )


# --- oneself


async def me(visit: Visit) -> Response:
    """Who one is, one's sessions and tokens, one-time codes."""
    if visit.request.method == "GET":
        return await _me_page(visit)
    match visit.told("do"):
        case "revoke":
            answer = await visit.ask("DELETE", f"tokens/{quote(visit.told('id'), safe='')}")
            return see("/me?done=revoked") if answer.is_done else await _me_page(visit, answer)
        case "totp":
            answer = await visit.ask("POST", "totp", {"password": visit.told("password")})
            return await _me_page(visit, answer, secret=answer.document if answer.is_done else None)
        case "confirm":
            code = "".join(visit.told("code").split())
            answer = await visit.ask("POST", "totp/confirm", {"code": code})
            return see("/me?done=totp") if answer.is_done else await _me_page(visit, answer)
    return see("/me")


async def _me_page(visit: Visit, answer: Answer | None = None, secret: Any = None) -> Response:
    who = (await visit.ask("GET", "me")).document
    listed = (await visit.ask("GET", "tokens")).document["items"]
    kept = await visit.desk.read(lambda reader: reader.personal(visit.who.person))
    waiting = isinstance(kept.get(TOTP), dict) and "new" in kept[TOTP] and not who["has_totp"]
    failed = answer is not None and not answer.is_done
    return visit.render(
        "me.html",
        answer.status if answer is not None and failed else 200,
        me=who,
        sessions=_sessions(listed, visit.now_us),
        secret=secret,
        waiting=waiting,
        error=answer.error if answer is not None and failed else None,
        doing=visit.told("do"),
        welcome="welcome" in visit.request.query_params,
        done=visit.request.query_params.get("done", ""),
    )


def _sessions(listed: Sequence[dict[str, Any]], now_us: int) -> list[dict[str, Any]]:
    return [
        {**item, "until": time_of(item["expires_at"], now_us), "scopes": ", ".join(item["scopes"])}
        for item in sorted(listed, key=lambda item: (not item["this"], -item["expires_at"]))
    ]
