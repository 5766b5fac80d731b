"""skylift appstats: installs and active use of the app by country and day, records, share, growth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN

COUNTRY = Annotated[str, typer.Option(help="ISO 3166, or world.")]
FROM = Annotated[str, typer.Option("--from", help="The first day, such as 2022-03-01.")]
UNTIL = Annotated[str, typer.Option("--until", help="The last day; today without it.")]
COLUMNS = ("country", "day", "what", "value", "source")

commands = typer.Typer(name="appstats", no_args_is_help=True, help="What is counted of the app.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands)


@commands.command("days")
def days(
    country: COUNTRY = "",
    first: FROM = "",
    last: UNTIL = "",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Installs and active use by country and day (UTC); world is the sum."""
    from skylift.cli.office_tables import table

    found = _asked("", server, token, {"country": country, "from": first, "until": last})
    if as_json:
        typer.echo(json.dumps(found))
    else:
        table(found["items"], ("country", "day", "installs", "active"))


@commands.command("summary")
def summary(
    country: COUNTRY = "world",
    first: FROM = "",
    last: UNTIL = "",
    week: Annotated[str, typer.Option(help="The first day of a week, to compare with --against.")] = "",
    against: Annotated[str, typer.Option(help="The first day of the other week.")] = "",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """A country's record, share of the world's installs, and growth; what others published of it."""
    from skylift.cli.office_tables import table

    given = {"country": country, "from": first, "until": last, "week": week, "against": against}
    found = _asked("/summary", server, token, given)
    if as_json:
        typer.echo(json.dumps(found))
        return
    table([{"of": name, "is": text} for name, text in _said(found).items()], ("of", "is"))
    if found["figures"]:
        table(found["figures"], ("day", "what", "value", "source"))


@commands.command("import")
def import_figures(
    file: Annotated[
        Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}; what: rank, installs, active.")
    ],
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Write what it shows.")] = False,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Record ranks and estimates that others published. Each has a source; one without is refused.

    Without --apply it shows what it would write, and what is wrong with each row that it would not.
    """
    import hashlib

    from skylift.adapters.app_figures import read_figures
    from skylift.cli.office import client_of
    from skylift.cli.office_tables import table

    rows = read_figures(file.read_bytes())
    wrong = [row for row in rows if row.wrong]
    done: list[str] = []
    if apply and not wrong:
        client = client_of(server, token)
        for row in rows:
            # The same row again, from this person, is done once.
            key = hashlib.sha256(json.dumps(row.figure, sort_keys=True).encode()).hexdigest()
            done.append(client.ask("POST", "app-figures", row.figure, {"Idempotency-Key": key})["id"])
    if as_json:
        shown = [{"row": row.number, "figure": row.figure, "wrong": row.wrong} for row in rows]
        typer.echo(json.dumps({"rows": shown, "written": done}))
    else:
        table(
            [{"row": row.number, **row.figure, "wrong": row.wrong} for row in rows],
            ("row", *COLUMNS, "wrong"),
        )
        typer.echo(
            f"{len(done)} written" if apply and not wrong else "nothing written; with --apply it is", err=True
        )
    if wrong:
        raise typer.Exit(2)


def _asked(path: str, server: str, token: str, given: dict[str, str]) -> dict[str, Any]:
    from urllib.parse import urlencode

    from skylift.cli.office import client_of

    query = urlencode({name: value for name, value in given.items() if value})
    return client_of(server, token).ask("GET", f"appstats{path}?{query}")


def _said(found: dict[str, Any]) -> dict[str, str]:
    """What a summary says, in words."""
    span = f"{found['from_day']} to {found['until_day']}"
    record, grown = found["record"], found["growth"]
    said = {
        "country": found["country"],
        f"installs, {span}": f"{found['installs']:,}",
        f"active use, {span}, summed over days": f"{found['active']:,}",
        "share of the world's installs": "-" if found["share"] is None else f"{100 * found['share']:.1f} %",
        "most installs on a day": "-" if record is None else f"{record['installs']:,} on {record['day']}",
    }
    if grown is not None:
        ratio = "-" if grown["ratio"] is None else f"{grown['ratio']:.2f} times"
        said[f"week from {grown['week_from']} against {grown['against_from']}"] = (
            f"{grown['installs']:,} against {grown['installs_against']:,}: {ratio}"
        )
    return said
