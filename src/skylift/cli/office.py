"""skylift login, setup; skylift request|region|...: what people decide, through the service's HTTP API."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.base.labels import plural
from skylift.cli.office_tables import plain, show, show_list, table
from skylift.cli.office_things import needed

if TYPE_CHECKING:
    from skylift.client.http import Client
    from skylift.twin.office.verbs import Verb

# Written out: the table of verbs takes too long to load for every `skylift --help`. A test compares them.
KINDS = (
    "request",
    "region",
    "account",
    "authority",
    "person",
    "plan",
    "terminal",
    "bulk-change",
    "command",
    "consent",
    "rollout",
    "shipment",
    "allow-list",
    "statement",
    "import",
    "approval",
    "webhook",
    "app-figure",
    "outage",
)

# What is known of a terminal from what its dish reports (telemetry.py).
REPORTED = frozenset({"show", "watch", "history", "compare", "quarantine", "place", "code", "keys", "revoke"})

# Those that tables are taken of.
IMPORTED = frozenset({"terminal", "request", "account", "plan", "shipment", "allow-list"})

# What can be read of one of them beside itself.
READS = {
    "terminal": ("usage",),
    "account": ("usage",),
    "webhook": ("deliveries",),
    "request": ("score", "duplicates"),
}

# Many rows in one text: from a file by @FILE, from standard input by -.
TABLES = frozenset({"csv", "codes", "damaged_codes"})

# What is looked at before it is done.
LOOKS = frozenset({("allow-list", "look"), ("shipment", "check-scans")})

# `skylift plan` plans gateways and terminals.
NAMES = {"plan": "service-plan"}

SERVER = Annotated[
    str, typer.Option(envvar="SKYLIFT_SERVER", help="The service's address.", show_default=True)
]
TOKEN = Annotated[
    str, typer.Option(envvar="SKYLIFT_TOKEN", help="A token instead of that of the last login.")
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
HERE = "http://127.0.0.1:8480"


def register(app: typer.Typer) -> None:
    app.command("setup")(setup)
    app.command("login")(login)
    app.command("logout")(logout)
    for kind in KINDS:
        name = NAMES.get(kind, kind)
        app.command(
            name, help=_HELP.format(kind=kind, kinds=plural(kind), name=name, reads=_reads(kind, name))
        )(_command(kind))


_HELP = """List, show and change {kinds} through the running service.

`skylift {name} verbs` says what can be done, `skylift {name} verbs VERB` what that verb is told; `skylift
{name} list` and `skylift {name} show ID` read{reads}. All else is a verb:
`skylift {name} VERB [ID] FIELD=VALUE ...`. Several values of one field are separated by commas; a value may
be JSON. `skylift {name} import FILE`, where there is one, shows what a table (CSV, XLSX) would do, and does
it with --apply.
"""


_READS_OF_TERMINALS = """, and so does `skylift terminal usage ID`. Of what its dish reports: `watch ID`
prints each new row, `history ID from=... until=... level=15s|5min|1h|1d plot=FILE out=FILE.csv|.parquet`
shows, draws and exports, `compare ID ID ...` sets dishes side by side, `quarantine ID` says what was not
believed and why, `place ID plot=FILE` what its owner shares of where it is; `code ID` enrols an agent,
`keys ID` lists and `revoke ID key=KEY` ends what its reports are believed by"""


def _reads(kind: str, name: str) -> str:
    if kind == "terminal":
        return _READS_OF_TERMINALS
    also = "".join(f", and so does `skylift {name} {what} ID`" for what in READS.get(kind, ()))
    return f"{also}, and `skylift request triage`" if kind == "request" else also


def setup(
    url: Annotated[str, typer.Argument(help="The setup URL as `skylift run` printed it, or a code.")],
    email: Annotated[str, typer.Option(prompt=True, help="What you log in with.")],
    password: Annotated[
        str,
        typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="12 characters or more."),
    ],
    server: SERVER = HERE,
) -> None:
    """Become the first operator, or take up an invitation; the token is kept for the next commands."""
    from skylift.client.http import Client, keep_token

    address, found, code = url.partition("/setup?code=")
    server = address if found else server
    said = Client(server).ask(
        "POST", "setup", {"code": code if found else url, "email": email, "password": password}
    )
    keep_token(server, said["token"])
    typer.echo(f"logged in as {said['person']}")
    _say_first(Client(server, said["token"]))


def _say_first(client: Client) -> None:
    """What comes first in a store where nobody's word counts yet."""
    from skylift.base.errors import SkyliftError

    try:
        known = client.ask("GET", "authorities?limit=1")["items"]
        roles = [role["role"] for role in client.ask("GET", "me")["roles"]]
    except SkyliftError:
        return
    if not known and "operator" in roles:
        sys.stderr.write(
            "first say whose word counts; nobody is verified by anybody else:\n"
            "  skylift authority create code=UA-MDT title='Ministry of ...' kind=ministry countries=UA "
            "vouches_for=askers,licences,terminals source=...\n"
        )


def login(
    email: Annotated[str, typer.Option(help="What you log in with; asked for.", show_default=False)] = "",
    password: Annotated[str, typer.Option(help="Your password; asked for.", show_default=False)] = "",
    code: Annotated[str, typer.Option(help="The code of your authenticator app, where you have one.")] = "",
    persona: Annotated[str, typer.Option(help="Whose part to take in a demo, instead of all that.")] = "",
    server: SERVER = HERE,
) -> None:
    """Log in; the token is kept, for you alone, for the next commands."""
    from skylift.client.http import Client, keep_token

    client = Client(server, on_demo=say_demo)
    if persona:
        said = client.ask("POST", "demo/login", {"persona": persona})
    else:
        email = email or typer.prompt("Email")
        password = password or typer.prompt("Password", hide_input=True)
        said = client.ask("POST", "login", {"email": email, "password": password, "code": code})
    keep_token(server, said["token"])
    typer.echo(f"logged in as {said['person']}")


def logout(server: SERVER = HERE, token: TOKEN = "") -> None:
    """Revoke the token of the last login."""
    from skylift.client.http import keep_token

    client_of(server, token).ask("POST", "logout")
    keep_token(server, "")


def _command(kind: str) -> Callable[..., None]:
    def run(
        what: Annotated[str, typer.Argument(metavar="VERB", help="list, show, verbs, or a verb.")] = "list",
        words: Annotated[
            list[str] | None,
            typer.Argument(metavar="[ID] [FIELD=VALUE]", help="Which one, and what it is told."),
        ] = None,
        version: Annotated[int | None, typer.Option(help="Only if it still has this version.")] = None,
        approval: Annotated[str, typer.Option(help="The agreement to use.")] = "",
        key: Annotated[str, typer.Option(help="Idempotency key: the same again does it once.")] = "",
        apply: Annotated[
            bool, typer.Option("--apply/--dry-run", help="Of import: write what it shows.")
        ] = False,
        as_csv: Annotated[bool, typer.Option("--csv", help="Of list: all of them, as CSV.")] = False,
        plan: Annotated[str, typer.Option(help="Of import: only if the table still does just this.")] = "",
        yes: Annotated[bool, typer.Option("--yes", help="Of erase: do not ask whether it is meant.")] = False,
        sheet: Annotated[str, typer.Option(help="Of import: number or name of an XLSX file's sheet.")] = "",
        encoding: Annotated[str, typer.Option(help="Of import: what a CSV is written in.")] = "",
        server: SERVER = HERE,
        token: TOKEN = "",
        as_json: AS_JSON = False,
    ) -> None:
        if what == "verbs":
            _show_verbs(kind, words or [], as_json)
            return
        client = client_of(server, token)
        if kind == "terminal" and what in REPORTED:
            from skylift.cli.telemetry_reports import Shows, reports

            reports(client, Shows(show, table), what, words or [], (as_csv, as_json))
            return
        if what == "import" and kind in IMPORTED:
            from skylift.cli.office_import import Wanted, import_table

            import_table(client, kind, Wanted(words or [], apply, plan, approval, sheet, encoding), as_json)
            return
        id, given = _told(words or [])
        if what == "list" and as_csv:
            _print_csv(client, kind, given)
            return
        if _shown(client, kind, what, (id, given), as_json):
            return
        from skylift.cli.office_things import more

        found = more(client, kind, what, (id, given), yes)
        if found is not None:
            show(found, as_json)
            return
        verb = _verb(kind, what)
        body = {name: _value(verb, name, text) for name, text in given.items()}
        if approval:
            body["approval"] = approval
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        if key:
            headers["Idempotency-Key"] = key
        path = plural(kind) if verb.creates else f"{plural(kind)}/{needed(kind, id)}/{what}"
        show(client.ask("POST", path, body, headers), as_json)

    return run


def _shown(client: Client, kind: str, what: str, told: tuple[str, dict[str, str]], as_json: bool) -> bool:
    """Shows what is asked for, where that is no verb and changes nothing; whether it was so."""
    id, given = told
    if what == "list":
        _show_list(client, kind, given, as_json)
    elif what == "show":
        show(client.ask("GET", f"{plural(kind)}/{needed(kind, id)}"), as_json)
    elif (kind, what) in LOOKS:
        from skylift.cli.office_import import look

        look(client, what, needed(kind, id), given, as_json)
    elif (kind, what) == ("request", "triage"):
        _show_read(client, "triage", given, as_json)
    elif what in READS.get(kind, ()):
        _show_read(client, f"{plural(kind)}/{needed(kind, id)}/{what}", given, as_json)
    else:
        return False
    return True


def client_of(server: str, token: str) -> Client:
    """Asks with this token, or with that of the last login."""
    from skylift.client.http import Client, kept_token

    return Client(server, token or kept_token(server), say_demo)


@cache
def say_demo() -> None:
    """Said once, where it is in nobody's way."""
    sys.stderr.write("DEMO: all of this is invented\n")


def _told(words: list[str]) -> tuple[str, dict[str, str]]:
    """An id, where one is given, and fields by name."""
    from skylift.base.errors import Refused

    id, given = "", {}
    for place, word in enumerate(words):
        name, equals, text = word.partition("=")
        if equals:
            given[name] = text
        elif place == 0:
            id = word
        else:
            raise Refused("command.field", "an argument", "it is FIELD=VALUE", "write for example country=UA")
    return id, given


def _verb(kind: str, action: str) -> Verb:
    from skylift.base.errors import Refused
    from skylift.twin.office.table import TABLE

    verb = TABLE.verbs.get(f"{kind}.{action}")
    if verb is None:
        known = ", ".join(verb.action for verb in TABLE.of_kind(kind))
        raise Refused(
            "command.verb", f"skylift {kind}", "there is no such verb", f"it knows list, show, {known}"
        )
    return verb


def _value(verb: Verb, name: str, text: str) -> Any:
    """A value as JSON where it is, or as the field's type asks for; of a table or of codes, also @FILE."""
    from typing import get_args, get_origin, get_type_hints

    if name in TABLES:
        from skylift.cli.office_import import text_of

        found = text_of(text)
        return found.replace(",", "\n") if name != "csv" and found == text else found
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    hint = get_type_hints(verb.arguments).get(name, str)
    kinds = {hint, *get_args(hint)}
    if get_origin(hint) is tuple:
        return [part for part in text.split(",") if part]
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    if not (kinds & {int, float} or (isinstance(hint, type) and issubclass(hint, int))):
        return text
    return int(text) if text.lstrip("-").isdigit() else number


def _show_verbs(kind: str, words: list[str], as_json: bool) -> None:
    from skylift.cli.office_verbs import show_verb, show_verbs

    if words:
        show_verb(_verb(kind, words[0]), as_json)
    else:
        show_verbs(kind, as_json)


def _print_csv(client: Client, kind: str, given: dict[str, str]) -> None:
    from urllib.parse import urlencode

    sys.stdout.write(client.text(f"{plural(kind)}?{urlencode({**given, 'format': 'csv'})}"))


def _show_list(client: Client, kind: str, given: dict[str, str], as_json: bool) -> None:
    from urllib.parse import urlencode

    page = client.ask("GET", f"{plural(kind)}?{urlencode({'order': 'newest', **given})}")
    if as_json:
        typer.echo(json.dumps(page))
        return
    show_list(kind, page["items"])
    if page["next"]:
        sys.stderr.write(f"there are more: cursor={page['next']}\n")


def _show_read(client: Client, path: str, given: dict[str, str], as_json: bool) -> None:
    from urllib.parse import urlencode

    found = client.ask("GET", f"{path}?{urlencode(given)}")
    if as_json:
        typer.echo(json.dumps(found))
        return
    lists = {name: rows for name, rows in found.items() if isinstance(rows, list)}
    show({name: value for name, value in found.items() if name not in lists}, as_json)
    for rows in lists.values():
        if rows:
            table([{name: plain(name, value) for name, value in row.items()} for row in rows], tuple(rows[0]))
