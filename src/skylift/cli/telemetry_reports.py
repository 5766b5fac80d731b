"""skylift terminal show|watch|history|compare|quarantine|place|code|keys|revoke: what dishes report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from skylift.client.http import Client

_OF_STATE = ("state", "at", "ping ms", "lost %", "obstr. %", "down Mbit/s", "up Mbit/s", "power W", "alerts",
             "software")  # fmt: skip
# Columns of which `compare` shows means, or sums.
_MEANS = ("ping_latency_ms", "ping_drop_fraction", "obstructed_fraction", "connected_fraction", "power_w")
_SUMS = ("down_bytes", "up_bytes")
_NO_LINE = "its operator has none for it"
_SILENT = "no agent has reported from it yet: skylift terminal code ID"
_FIELDS = {
    "history": {"from", "until", "level", "columns", "out", "plot"},
    "compare": {"from", "until", "level", "plot"},
    "watch": {"every_s", "count"},
    "revoke": {"key"},
    "place": {"plot"},
}


class Shows(NamedTuple):
    """How things are shown to people: office.py's own ways."""

    show: Callable[[dict[str, Any], bool], None]
    table: Callable[[list[dict[str, Any]], tuple[str, ...]], None]


def reports(client: Client, shows: Shows, what: str, words: list[str], form: tuple[bool, bool]) -> None:
    """What `skylift terminal` knows beside its verbs, told IDs and FIELD=VALUE. form: as CSV, as JSON."""
    ids, given = _told(what, words)
    as_json = form[1]
    match what:
        case "history":
            _history(client, shows, ids[0], given, form)
        case "compare":
            _compare(client, shows, ids, given, form)
        case "watch":
            _watch(client, ids[0], given, as_json)
        case "show":
            _show(client, shows, ids[0], as_json)
        case "place":
            from skylift.cli.telemetry_place import show_place

            show_place(client, shows.show, ids[0], given, as_json)
        case _:
            _keys(client, shows, what, (ids[0], given), as_json)


def _told(what: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
    from urllib.parse import quote

    from skylift.base.errors import Refused

    ids = [quote(word, safe="") for word in words if "=" not in word]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    most = 100 if what == "compare" else 1
    if not 1 <= len(ids) <= most:
        rule = "it needs to know which ones" if most > 1 else "it needs to know which one"
        raise Refused("command.id", f"skylift terminal {what}", rule, "give the terminal's id")
    known = _FIELDS.get(what, set())
    if set(given) - known:
        raise Refused(
            "command.field",
            f"skylift terminal {what}",
            "it does not know a field",
            f"it knows {', '.join(sorted(known)) or 'none'}",
        )
    return ids, given


def _show(client: Client, shows: Shows, id: str, as_json: bool) -> None:
    """The terminal, and what it reported last."""
    from skylift.base.errors import SkyliftError
    from skylift.cli.telemetry_place import say_shared

    found = client.ask("GET", f"terminals/{id}")
    shared: list[dict[str, Any]] = []
    try:
        reported: dict[str, Any] | None = client.ask("GET", f"terminals/{id}/state")
        shared = client.ask("GET", f"terminals/{id}/sharing")["shared"]
    except SkyliftError:
        # A service that keeps no telemetry.
        reported = None
    if as_json:
        typer.echo(json.dumps({**found, "telemetry": reported and reported["row"], "shared": shared}))
        return
    line = found.get("line")
    shows.show(found if line is None or line["number"] else {**found, "line": _NO_LINE}, False)
    say_shared(shared)
    if reported is None or reported["row"] is None:
        typer.echo(_SILENT, err=True)
        return
    row = _readable(reported["row"])
    shows.show({name: row[name] for name in _OF_STATE if row.get(name) not in (None, "", [])}, False)
    if reported["cut_off"]:
        typer.echo("it is cut off, and reports all the same: service may still stand where it is", err=True)


def _watch(client: Client, id: str, given: dict[str, str], as_json: bool) -> None:
    """Each new row as it comes; with --json a list of them, once `count` have come."""
    import time

    every_s, count = _number(given.get("every_s", "5"), "every_s"), _number(given.get("count", "0"), "count")
    if as_json and not count:
        count = 1
    rows: list[dict[str, Any]] = []
    seen = -1
    while True:
        row = client.ask("GET", f"terminals/{id}/state")["row"]
        if row is None and seen < 0:
            seen = 0
            typer.echo(f"{_SILENT}; waiting for its first row", err=True)
        if row is not None and row["sequence"] != seen:
            seen = row["sequence"]
            rows.append(row)
            if not as_json:
                shown = _readable(row)
                said = (f"{name} {shown[name]}" for name in _OF_STATE[2:7] if name in shown)
                typer.echo("  ".join((shown["at"], shown["state"], *said)))
        if count and len(rows) >= count:
            break
        time.sleep(max(1.0, every_s))
    if as_json:
        typer.echo(json.dumps(rows))


def _number(text: str, name: str) -> float:
    from skylift.base.errors import Refused

    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e6:
        raise Refused("command.number", name, "it is a number from 0 on", f"write for example {name}=15")
    return found


def _asked(client: Client, id: str, given: dict[str, str]) -> dict[str, Any]:
    from urllib.parse import urlencode

    query = {str(name): given[name] for name in ("from", "until", "level", "columns") if name in given}
    return client.ask("GET", f"terminals/{id}/history{'?' if query else ''}{urlencode(query)}")


def _files(given: dict[str, str]) -> tuple[Path | None, Path | None]:
    from skylift.cli.outputs import check_output, check_picture

    out = Path(given["out"]) if "out" in given else None
    plot = Path(given["plot"]) if "plot" in given else None
    # The words of `skylift terminal history` are NAME=VALUE.
    check_output(out, "out", (".csv", ".parquet"))
    check_picture(plot, option="plot")
    return out, plot


def _history(client: Client, shows: Shows, id: str, given: dict[str, str], form: tuple[bool, bool]) -> None:
    as_csv, as_json = form
    out, plot = _files(given)
    found = _asked(client, id, given)
    columns = found["columns"]
    if out is not None:
        from skylift.adapters.telemetry_files import write_history

        write_history(out, columns)
        typer.echo(f"{len(columns.get('at_us', ()))} rows in {out}", err=True)
    if plot is not None:
        _draw(plot, f"{found['terminal']}, {_LEVELS[found['level']]}", {id: columns})
    if as_json:
        typer.echo(json.dumps(found))
    elif as_csv:
        from skylift.adapters.telemetry_files import csv_of

        typer.echo(csv_of(columns), nl=False)
    elif out is None and plot is None and columns.get("at_us"):
        _print_history(shows, columns)
    if not columns.get("at_us"):
        typer.echo("nothing was reported in this time", err=True)


def _draw(plot: Path, title: str, series: dict[str, dict[str, list[Any]]]) -> None:
    from skylift.adapters.pictures_telemetry import draw_history
    from skylift.base.errors import Refused

    if not any(columns.get("at_us") for columns in series.values()):
        rule = "nothing was reported in this time, so there is nothing to draw"
        raise Refused("picture.empty", "plot", rule, "ask for another time with from= and until=")
    draw_history(plot, title, series)


_LEVELS = {
    "15s": "rows of 15 s",
    "5min": "means of 5 minutes",
    "1h": "means of an hour",
    "1d": "means of a day",
}


def _print_history(shows: Shows, columns: dict[str, list[Any]]) -> None:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    shows.table([_readable(row) for row in rows], ("at", *_headings(columns)))


# How people read columns: a heading that a narrow terminal can break at its spaces, the unit, and digits.
_READ: dict[str, tuple[str, float, str]] = {
    "state": ("state", 1.0, ""),
    "connected_fraction": ("up %", 100.0, ".4g"),
    "ping_latency_ms": ("ping ms", 1.0, ".4g"),
    "ping_drop_fraction": ("lost %", 100.0, ".3g"),
    "obstructed_fraction": ("obstr. %", 100.0, ".3g"),
    "down_bps": ("down Mbit/s", 1e-6, ".3g"),
    "up_bps": ("up Mbit/s", 1e-6, ".3g"),
    "power_w": ("power W", 1.0, ".3g"),
    "down_bytes": ("down GB", 1e-9, ".4g"),
    "up_bytes": ("up GB", 1e-9, ".4g"),
    "reported_s": ("heard h", 1 / 3600, ".4g"),
    "alerts": ("alerts", 1.0, ""),
    "software": ("software", 1.0, ""),
}
_OF_HISTORY = ("state", "connected_fraction", "ping_latency_ms", "ping_drop_fraction",
               "obstructed_fraction", "down_bps", "up_bps")  # fmt: skip


def _headings(columns: dict[str, list[Any]]) -> tuple[str, ...]:
    """What is shown of a history: the usual columns, or those that were asked for by name."""
    usual = [name for name in _OF_HISTORY if name in columns]
    others = [name for name in columns if name != "at_us"]
    return tuple(_READ[name][0] if name in _READ else name for name in usual or others)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """By headings, in units that people read; "-" where nothing was known."""
    from skylift.base.instants import format_instant

    shown: dict[str, Any] = {}
    for name, value in row.items():
        heading, scale, digits = _READ.get(name, (name, 1.0, ""))
        if value is None:
            value = "-"
        elif digits:
            value = f"{value * scale:{digits}}"
        shown[heading] = value
    return shown if "at_us" not in row else {"at": format_instant(row["at_us"]), **shown}


def _compare(
    client: Client, shows: Shows, ids: list[str], given: dict[str, str], form: tuple[bool, bool]
) -> None:
    from skylift.base.errors import Refused

    as_csv, as_json = form

    _, plot = _files(given)
    if plot is not None and len(ids) > 6:
        raise Refused("picture.many", "plot", "at most six dishes can be told apart", "compare fewer")
    answers = {id: _asked(client, id, given) for id in ids}
    found = {id: answer["columns"] for id, answer in answers.items()}
    level = answers[ids[0]]["level"]
    rows = [{"terminal": id, **_summed(columns)} for id, columns in found.items()]
    if plot is not None:
        _draw(plot, f"dishes compared, {_LEVELS[level]}", found)
    if as_json:
        typer.echo(json.dumps(rows))
    elif as_csv:
        from skylift.adapters.telemetry_files import csv_of

        typer.echo(csv_of({name: [row[name] for row in rows] for name in rows[0]}), nl=False)
    else:
        shows.table([_readable(row) for row in rows], tuple(_READ.get(name, (name,))[0] for name in rows[0]))


def _summed(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Means over the time that was reported, and sums; None where nothing was known."""
    spans = columns.get("span_s", [])
    shown: dict[str, Any] = {"reported_s": sum(spans)}
    for name in _MEANS:
        if name == "connected_fraction" and "state" in columns:
            values: list[Any] = [float(state == "connected") for state in columns["state"]]
        else:
            values = columns.get(name, [])
        known = [(value, span) for value, span in zip(values, spans, strict=False) if value is not None]
        total = sum(span for _, span in known)
        shown[name] = sum(value * span for value, span in known) / total if total else None
    for name in _SUMS:
        shown[name] = sum(value for value in columns.get(name, []) if value is not None)
    return shown


def _keys(client: Client, shows: Shows, what: str, told: tuple[str, dict[str, str]], as_json: bool) -> None:
    from urllib.parse import quote

    from skylift.base.errors import Refused

    id, given = told
    path = f"terminals/{id}"
    if what == "code":
        shows.show(client.ask("POST", f"{path}/enrolment-codes", {}), as_json)
    elif what == "revoke":
        if "key" not in given:
            raise Refused("command.field", "skylift terminal revoke", "it needs key=KEY", "see terminal keys")
        shows.show(client.ask("DELETE", f"{path}/keys/{quote(given['key'], safe='')}"), as_json)
    elif what == "keys":
        found = client.ask("GET", f"{path}/keys")
        if as_json:
            typer.echo(json.dumps(found))
        else:
            shows.table(found["keys"], ("id", "status", "since", "agent_version", "expires_at"))
    else:
        found = client.ask("GET", f"{path}/quarantine")
        if as_json:
            typer.echo(json.dumps(found))
            return
        if found["rows"]:
            shows.table(found["rows"], ("received", "sequence", "code", "reason"))
        if found["requests"]:
            shows.table(found["requests"], ("last", "times", "code", "reason"))
        if not found["rows"] and not found["requests"]:
            typer.echo("all that came was believed, and nothing was refused", err=True)
