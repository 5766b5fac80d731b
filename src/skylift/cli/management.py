"""skylift management: an account's terminals, lines and telemetry, as the operator's own API gives them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from skylift.cli.outputs import check_output
from skylift.cli.progress import slot_progress

if TYPE_CHECKING:
    from skylift.adapters.management_api import ManagementApi
    from skylift.wire.telemetry.management import ManagedReading

ID = typer.Option(..., "--id", envvar="SKYLIFT_MANAGEMENT_ID", help="Client id of a service account.")
KEPT = typer.Option(
    None, "--csv", help="Write it into this new file, also what came before it broke off; else to stdout."
)
BASE = typer.Option("https://starlink.com", "--base", help="Where the API is.")
OUT = typer.Option(None, "--csv", help="Write it into this file, whole or not at all; else to stdout.")
_OF_TELEMETRY = (
    "dish_id", "at", "down_bps", "up_bps", "latency_ms", "drop", "obstruction", "signal", "uptime_s",
    "software", "alerts",
)  # fmt: skip
_MOST_NAMED = 20
_SECRET = "SKYLIFT_MANAGEMENT_SECRET"


def register(app: typer.Typer) -> None:
    management = typer.Typer(
        help="Read an account through the operator's management API (V2); nothing is changed."
    )
    management.command("terminals")(terminals)
    management.command("lines")(lines)
    management.command("telemetry")(telemetry)
    management.command("import")(import_telemetry)
    app.add_typer(management, name="management", no_args_is_help=True)


def terminals(
    client_id: str = ID,
    hardware: str = typer.Option("", help="What all of them are, such as STD-V2; a new one needs it."),
    origin: str = typer.Option("other-records", help="bought-abroad, gift or other-records."),
    out: Path | None = OUT,
    base: str = BASE,
) -> None:
    """Write the account's dishes as a table that `skylift terminal import` takes.

    Nicknames and addresses are not read. The secret is taken from SKYLIFT_MANAGEMENT_SECRET.
    """
    check_output(out, "--csv", (".csv",))
    with _reading(client_id, base, "dishes") as api:
        rows = [(one.dish_id, one.kit, one.serial, hardware, "operator", origin) for one in api.terminals()]
    _write(out, ("dish_id", "kit", "serial", "hardware", "network", "origin"), rows)
    if not rows:
        _say("the account has no dishes")


def lines(
    client_id: str = ID,
    only: Path | None = typer.Option(
        None, help="Only dishes of this table, as `skylift terminal list --csv` writes it."
    ),
    out: Path | None = OUT,
    base: str = BASE,
) -> None:
    """Write which service line each of the account's dishes is on, as a table for `skylift terminal import`.

    Nicknames and addresses of lines are not read.
    """
    from skylift.wire.telemetry.management import LINE_COLUMNS, lines_of_dishes, names_of

    check_output(out, "--csv", (".csv",))
    ours = names_of(_text(only)) if only is not None else None
    with _reading(client_id, base, "service lines and dishes") as api:
        every = list(api.service_lines())
        found = lines_of_dishes(api.terminals(), every)
    rows: list[tuple[str, ...]] = []
    others: list[tuple[str, ...]] = []
    for row in found.rows:
        is_ours = ours is None or not ours.isdisjoint(map(str.lower, row[:3]))
        (rows if is_ours else others).append(row)
    _write(out, LINE_COLUMNS, rows)
    if not every:
        _say("the account has no service lines")
    _say_left_out("lines without a dish", found.idle)
    _say_left_out("lines that dishes name and the account does not list", found.unlisted)
    _say_left_out(f"dishes that are not in {only}", [row[0] or row[1] or row[2] for row in others])


def telemetry(
    client_id: str = ID,
    batches: int = typer.Option(1, min=1, max=10_000, help="Read at most so many batches of 1,000 rows."),
    out: Path | None = KEPT,
    base: str = BASE,
) -> None:
    """Write what the account's dishes reported and nobody with this service account has read yet.

    Reading moves the account's place in the operator's stream: what is read is given to no one again. So a
    reading that breaks off writes what came before, and a file that is there is not written over.
    The operator keeps 8 hours. The cell in which a dish is, is not written.
    """
    from skylift.adapters.atomic import save_atomically
    from skylift.base.errors import Refused, SkyliftError

    check_output(out, "--csv", (".csv",))
    if out is not None and out.is_file():
        rule = "it is there already, and what stands in it is given to no one again"
        raise Refused("management.file", "--csv", rule, "import it and remove it, or name another")
    broken: list[BaseException] = []

    def save(file: TextIO) -> None:
        table = _Table(file, _OF_TELEMETRY)
        try:
            for one in api.readings(batches):
                table.add(_told(one))
        except (SkyliftError, KeyboardInterrupt) as error:
            if not table.rows:
                raise
            broken.append(error)
        table.end()

    def save_into(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            save(file)

    with _reading(client_id, base, "") as api:
        if out is None:
            save(sys.stdout)
        else:
            save_atomically(out, save_into)
    if broken:
        _say("it broke off; what was read before is written, and given to no one again")
        raise broken[0]


def import_telemetry(
    table: Path = typer.Argument(..., help="What `skylift management telemetry` wrote."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Write nothing; say what would be taken."),
    server: str = typer.Option(
        "http://127.0.0.1:8480", envvar="SKYLIFT_SERVER", help="The service's address."
    ),
    token: str = typer.Option("", envvar="SKYLIFT_TOKEN", help="Instead of that of the last login."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Give a running service what the operator reported of dishes that have no agent.

    Rows are marked as the operator's, and signed by nobody. The same table again changes nothing.
    """
    import msgspec

    from skylift.base.errors import Refused
    from skylift.client.http import Client, kept_token
    from skylift.wire.telemetry.management import by_dish, table_of

    client = Client(server, token or kept_token(server))
    taken: dict[str, Any] = {}
    for dish_id, rows in by_dish(table_of(_text(table))):
        body = {"dish_id": dish_id, "rows": msgspec.to_builtins(rows), "dry_run": dry_run}
        one = taken.setdefault(dish_id, {"rows": 0, "new": 0, "put_aside": 0, "left_out": ""})
        try:
            said = client.ask("POST", "telemetry/managed", body)
        except Refused as error:
            if error.code not in ("terminal.unknown", "telemetry.has-agent"):
                raise
            one["left_out"] = error.code
            continue
        one["rows"] += said["rows"]
        one["new"] += said["new"] or 0
        one["put_aside"] += len(said["put_aside"])
    _say_taken(taken, dry_run, as_json)


def _say_taken(taken: dict[str, Any], dry_run: bool, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "dishes": taken}))
        return
    left_out = [id for id, one in taken.items() if one["left_out"]]
    sums = {name: sum(one[name] for one in taken.values()) for name in ("rows", "new", "put_aside")}
    would = "would be taken" if dry_run else f"taken, {sums['new']} of them new"
    typer.echo(f"{len(taken)} dishes: {sums['rows']} rows {would}, {sums['put_aside']} put aside")
    for id in left_out:
        why = "an agent reports for it" if taken[id]["left_out"] == "telemetry.has-agent" else "not ours"
        typer.echo(f"left out: {id} ({why})")


def _text(table: Path) -> str:
    from skylift.base.errors import Refused

    try:
        return table.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Refused("management.table", str(table), "it cannot be read as text", "check the path") from None


@contextmanager
def _reading(client_id: str, base: str, what: str) -> Iterator[ManagementApi]:
    """The account, with a bar of how much was read where somebody looks; what was odd is said at the end."""
    import os

    from skylift.adapters.management_api import ManagementApi
    from skylift.base.errors import Refused

    secret = os.environ.get(_SECRET, "")
    if not secret:
        # Not an option: whatever stands on a command line, every user of the machine can read.
        raise Refused(
            "management.secret", _SECRET, "it is needed", "set it in the environment of this command"
        )
    api = ManagementApi(client_id, secret, base)
    try:
        if what:
            with slot_progress(what, "things") as api.progress:
                yield api
        else:
            yield api
    finally:
        api.close()
    for note in api.notes:
        _say(note)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _say_left_out(what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        _say(f"{what}, left out: {', '.join(names[:_MOST_NAMED])}{more}")


def _told(one: ManagedReading) -> tuple[Any, ...]:
    from skylift.base.instants import format_instant

    return (
        *(one.dish_id, format_instant(one.at_us), one.down_bps, one.up_bps, one.latency_ms, one.drop),
        *(one.obstruction, one.signal, one.uptime_s, one.software, ";".join(one.alerts)),
    )


class _Table:
    """A CSV whose headings are written with its first row: of one that failed at once nothing is there."""

    def __init__(self, file: TextIO, names: Sequence[str]) -> None:
        self._file, self._names = file, names
        self._out = csv.writer(file, lineterminator="\n")
        self.rows = 0

    def add(self, row: Sequence[Any]) -> None:
        if not self.rows:
            self._out.writerow(self._names)
        self.rows += 1
        self._out.writerow(["" if value is None else _safe(value) for value in row])
        self._file.flush()

    def end(self) -> None:
        if not self.rows:
            self._out.writerow(self._names)
        self._file.flush()


def _write(out: Path | None, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """All of it, or nothing."""
    from skylift.adapters.atomic import write_atomically

    text = io.StringIO()
    table = _Table(text, names)
    for row in rows:
        table.add(row)
    table.end()
    if out is None:
        sys.stdout.write(text.getvalue())
    else:
        write_atomically(out, text.getvalue())


def _safe(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
