"""skylift me, token, session, totp: who you are to the service, and by which secrets."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN, client_of

DAY_S = 86_400
COLUMNS = ("id", "kind", "title", "scopes", "expires_at", "this")
_PASSWORD = Annotated[str, typer.Option(help="Your password; asked for.", show_default=False)]

tokens = typer.Typer(name="token", no_args_is_help=True, help="Tokens that programs act for you with.")
sessions = typer.Typer(name="session", no_args_is_help=True, help="Where you are logged in.")
totp = typer.Typer(name="totp", no_args_is_help=True, help="One-time codes from an authenticator app.")


def register(app: typer.Typer) -> None:
    app.command("me")(me)
    for commands in (tokens, sessions, totp):
        app.add_typer(commands)


def me(server: SERVER = HERE, token: TOKEN = "", as_json: AS_JSON = False) -> None:
    """Who you are, and which roles you have where."""
    from skylift.cli.office_tables import show

    show(client_of(server, token).ask("GET", "me"), as_json)


@tokens.command("list")
def list_tokens(server: SERVER = HERE, token: TOKEN = "", as_json: AS_JSON = False) -> None:
    """Your tokens for programs that can be used now; no secret is shown."""
    _listed(False, server, token, as_json)


@tokens.command("issue")
def issue(
    title: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="A verb that it is limited to; may be given again.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.0, help="How long it works, at most 366.")] = 30.0,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Make a token for a program. It is shown once: keep it where only that program reads it."""
    body = {"title": title, "scopes": scope or [], "lasts_s": int(days * DAY_S)}
    said = client_of(server, token).ask("POST", "tokens", body)
    typer.echo(json.dumps(said) if as_json else said["token"])
    if not as_json:
        typer.echo(f"{said['id']}; it is not shown again", err=True)


@tokens.command("revoke")
def revoke_token(
    id: Annotated[str, typer.Argument(help="Of the token, such as tok_...")],
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """End a token of yours at once."""
    _revoked(id, server, token, as_json)


@sessions.command("list")
def list_sessions(server: SERVER = HERE, token: TOKEN = "", as_json: AS_JSON = False) -> None:
    """Where you are logged in; "this" is the one that asks."""
    _listed(True, server, token, as_json)


@sessions.command("revoke")
def revoke_session(
    id: Annotated[str, typer.Argument(help="Of the session, such as tok_...")],
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Log out elsewhere. Somebody else's sessions end with `skylift person lock ID reason=...`."""
    _revoked(id, server, token, as_json)


@totp.command("enrol")
def enrol(
    password: _PASSWORD = "", server: SERVER = HERE, token: TOKEN = "", as_json: AS_JSON = False
) -> None:
    """Get a secret for an authenticator app; it counts once `skylift totp confirm CODE` was said."""
    from skylift.cli.office_tables import show

    show(client_of(server, token).ask("POST", "totp", {"password": _asked(password)}), as_json)


@totp.command("confirm")
def confirm(
    code: Annotated[str, typer.Argument(help="The six digits that the app shows now.")],
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Ask for codes at every login from now on."""
    _done(client_of(server, token).ask("POST", "totp/confirm", {"code": code}), as_json)


@totp.command("disable")
def disable(
    code: Annotated[str, typer.Argument(help="The six digits that the app shows now.")],
    password: _PASSWORD = "",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Ask for codes no more: the password alone logs in again."""
    body = {"password": _asked(password), "code": code}
    _done(client_of(server, token).ask("DELETE", "totp", body), as_json)


def _asked(password: str) -> str:
    return password or str(typer.prompt("Password", hide_input=True, err=True))


def _listed(sessions_wanted: bool, server: str, token: str, as_json: bool) -> None:
    from skylift.base.instants import format_instant
    from skylift.cli.office_tables import table

    def is_session(one: dict[str, Any]) -> bool:
        # Under a simulated clock a login lasts like a program's token.
        return bool(one["kind"] == "session" or one["title"] == "login")

    items = client_of(server, token).ask("GET", "tokens")["items"]
    found = [one for one in items if is_session(one) is sessions_wanted]
    if as_json:
        typer.echo(json.dumps({"items": found}))
        return
    table([{**one, "expires_at": format_instant(one["expires_at"])} for one in found], COLUMNS)


def _revoked(id: str, server: str, token: str, as_json: bool) -> None:
    from skylift.cli.office_things import needed

    _done(client_of(server, token).ask("DELETE", f"tokens/{needed('token', id)}"), as_json)


def _done(said: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(said) if as_json else "done")
