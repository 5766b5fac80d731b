"""skylift terminal import F.csv: what a table would do, row by row; with --apply, that it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import typer

from skylift.base.errors import Refused
from skylift.base.labels import plural
from skylift.cli.office_tables import plain

if TYPE_CHECKING:
    from skylift.client.http import Client

# Of each sort so many rows are shown; --json gives all.
MOST_SHOWN = 40
_CSV, _XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says. plan: the hash of what was looked at before; "" for what is shown now."""

    words: list[str]
    apply: bool = False
    plan: str = ""
    approval: str = ""
    sheet: str = ""
    encoding: str = ""


def import_table(client: Client, kind: str, wanted: Wanted, as_json: bool) -> None:
    """Look, show, and write it where that is asked for. Raises Refused where a row is bad."""
    words = [word for word in wanted.words if kind != "allow-list" or "=" not in word]
    file = _file(kind, words)
    data = _read(file)
    media_type = _XLSX if data.startswith(b"PK") or file.suffix.lower() == ".xlsx" else _CSV
    query = {name: getattr(wanted, name) for name in ("sheet", "encoding") if getattr(wanted, name)}
    query |= dict(word.split("=", 1) for word in wanted.words if word not in words)
    path = f"{plural(kind)}/imports"
    plan = client.upload(f"{path}?{urlencode(query)}", data, media_type)
    if kind == "allow-list":
        _show_list_look(plan, as_json and not wanted.apply)
        if wanted.apply:
            query["apply"] = wanted.plan or plan["hash"]
            taken = client.upload(f"{path}?{urlencode(query)}", data, media_type)
            typer.echo(json.dumps(taken) if as_json else f"taken: {taken['id']}, in its grace")
        return
    if not wanted.apply or plan["bad"]:
        _show(plan, as_json)
        if plan["bad"]:
            rows = len({bad["row"] for bad in plan["bad"]})
            raise Refused(
                "import.bad-rows",
                file.name,
                f"{rows} of its {plan['rows']} rows cannot be taken",
                "correct or delete them; nothing was written",
            )
        if not as_json:
            sys.stderr.write("nothing was written: --apply does that\n")
        return
    query["apply"] = wanted.plan or plan["hash"]
    if wanted.approval:
        query["approval"] = wanted.approval
    done = client.upload(f"{path}?{urlencode(query)}", data, media_type)
    if "approval" in done:
        _show_waiting(kind, file, done, as_json)
        return
    _show(done, as_json)


def _file(kind: str, words: list[str]) -> Path:
    if len(words) != 1:
        raise Refused(
            "command.file",
            f"skylift {kind} import",
            "it takes one file",
            f"write for example skylift {kind} import {plural(kind)}.csv",
        )
    return Path(words[0])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(
            "command.file", str(file), f"it cannot be read ({error.strerror})", "check the path"
        ) from None


def _show_list_look(look: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(look))
        return
    told = [(str(one["row"]), one["column"], one["reason"]) for one in look["bad"]]
    told += [
        (str(one["row"]), "", f"{one['reason']}: {', '.join(one['terminals'])}") for one in look["clashes"]
    ]
    for one in look["breaches"]:
        why = f"{one['found']} of {one['owner_kind']}, allowed {one['allowed']}"
        told.append((", ".join(map(str, one["rows"][:5])), "", why))
    _table("to be looked into", ("row", "column", "why"), told[:MOST_SHOWN], len(told))
    cut = [(id, "watched" if id in look["flagged"] else "") for id in look["cut_off"]]
    _table("would be cut off", ("terminal", ""), cut[:MOST_SHOWN], len(cut))
    sys.stderr.write(
        f"{look['rows']} rows: {look['stays']} terminals stay, {len(cut)} would be cut off, "
        f"{len(look['flagged'])} of them watched; {len(look['unmatched'])} rows name none of ours\n"
    )


def look(client: Client, what: str, id: str, given: dict[str, str], as_json: bool) -> None:
    """What a list would do by now, or what scanned codes are."""
    if what == "look":
        _show_list_look(client.ask("GET", f"allow-lists/{id}/look"), as_json)
    else:
        _check_scans(client, id, given, as_json)


def text_of(told: str) -> str:
    """What stands in the file that @FILE names, or in standard input for -; anything else as it is."""
    if told == "-":
        return sys.stdin.read()
    return _read(Path(told[1:])).decode("utf-8", "replace") if told.startswith("@") else told


def _check_scans(client: Client, id: str, given: dict[str, str], as_json: bool) -> None:
    """What scanned codes are; codes=@FILE reads them from a file, codes=- from standard input."""
    body = {"codes": text_of(given.get("codes", "")), "product": given.get("product", "")}
    found = client.ask("POST", f"shipments/{id}/check-scans", body)
    if as_json:
        typer.echo(json.dumps(found))
        return
    pieces = [
        (
            one["serial"],
            one["product"],
            "yes" if one["listed"] else "no",
            f"{one['place_kind']} {one['place']}",
        )
        for one in found["pieces"]
    ]
    _table("scanned", ("serial", "product", "on the list", "where"), pieces[:MOST_SHOWN], len(pieces))
    bad = [(str(one["row"]), one["column"], one["reason"]) for one in found["bad"]]
    _table("bad", ("line", "column", "why"), bad[:MOST_SHOWN], len(bad))


def _show_waiting(kind: str, file: Path, waiting: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(waiting))
        return
    sys.stderr.write(
        f"so many changes take two people: another looks at the same table with skylift {kind} import, then\n"
        f"  skylift approval agree {waiting['id']} change={waiting['change']}\n"
        f"and you write it with\n"
        f"  skylift {kind} import {file} --apply --approval {waiting['id']}\n"
    )


def _show(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(plan))
        return
    changed = [
        (str(one["row"]), one["id"], _difference(one["fields"])) for one in plan["changed"][:MOST_SHOWN]
    ]
    bad = [
        (str(one["row"]), one["column"], f"{one['reason']}: {one['way_out']}")
        for one in plan["bad"][:MOST_SHOWN]
    ]
    _table("changed", ("row", "which", "what"), changed, len(plan["changed"]))
    _table("bad", ("row", "column", "why"), bad, len(plan["bad"]))
    verb = "were" if plan["applied"] else "would be"
    bad_rows = len({one["row"] for one in plan["bad"]})
    typer.echo(
        f"{plan['rows']} rows: {plan['new']} {verb} new, {len(plan['changed'])} changed, "
        f"{plan['same']} the same, {bad_rows} bad"
    )
    if plan["people"] > 1 and not plan["applied"]:
        typer.echo("another person has to agree to it")
    if plan["applied"]:
        written = (
            f"written: {plan['import_id']}"
            if plan["import_id"]
            else "nothing was written, for nothing was new"
        )
        typer.echo(written)
    elif not plan["bad"]:
        typer.echo(f"plan {plan['hash']}")


def _difference(fields: dict[str, dict[str, Any]]) -> str:
    def word(name: str, value: Any) -> str:
        return "nothing" if value in (None, "") else plain(name, value)

    return "; ".join(
        f"{name}: {word(name, one['old'])} -> {word(name, one['new'])}" for name, one in fields.items()
    )


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], count: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not count:
        return
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if count > MOST_SHOWN:
        table.add_row("...", f"{count - MOST_SHOWN} more: --json gives all")
    Console().print(table)
