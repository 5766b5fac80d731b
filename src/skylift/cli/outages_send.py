"""skylift outages send and events: detections into the service's record, and what the record holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skylift.base.instants import format_instant, parse_instant
from skylift.base.texts import printable
from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN


def register(outages: typer.Typer) -> None:
    outages.command("send")(send)
    outages.command("events")(events)


def send(
    file: Annotated[Path, typer.Argument(help="What `skylift outages detect --json` wrote.")],
    kind: Annotated[
        str,
        typer.Option(
            help="What its entities are: country, region, as, as-with-customer-cone, city, cell, polygon."
        ),
    ],
    country: Annotated[str, typer.Option(help="Where they are, ISO 3166.")] = "",
    signal: Annotated[str, typer.Option(help="Which signal it was, such as ping-slash24.")] = "",
    baseline: Annotated[str, typer.Option(help="What ordinary means: ordinary, or pre-war.")] = "ordinary",
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The data are made up; it is said everywhere.")
    ] = False,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Record detected outages in the service, each once, however often they are sent.

    Those that are over are closed. Nobody has confirmed them yet, and the public sees nothing for a while:
    `skylift outage confirm ID`, `hold ID reason=...`, `explain ID cause=power`.
    """
    from skylift.base.countries import read_country
    from skylift.cli.office import client_of
    from skylift.cli.progress import slot_progress

    found = [event | {"entity": _code(event["entity"], kind)} for event in _read(file)]
    if country:
        read_country(country, "outages")
    client = client_of(server, token)
    shared = {"kind": kind, "country": country}
    how = {"signals": [signal] if signal else [], "baseline": baseline}
    sent: list[dict[str, Any]] = []
    with slot_progress("sending", "outages") as progress:
        for number, event in enumerate(found, 1):
            sent.append(send_event(client, {**event, **shared}, synthetic, how))
            progress(number, len(found))
    if as_json:
        typer.echo(json.dumps({"sent": sent}))
    else:
        new = sum(one["new"] for one in sent)
        typer.echo(f"{len(sent)} outages are on record, {new} of them new")


def send_event(
    client: Any, event: dict[str, Any], synthetic: bool, how: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Record one outage, once, and close it where it is over; a monitor's events say how it is now."""
    how = ({"signals": [event["signal"]]} if how is None else how) | {"targets": event.get("targets", 0)}
    found = client.ask("GET", f"outages?q={event['id']}&limit=50")["items"]
    # A search finds what begins alike as well.
    known = [one for one in found if one["detection"] == event["id"]]
    if known:
        stored, new = known[0], False
    else:
        body = {
            "entity": {
                "kind": event["kind"],
                "country": event["country"],
                "code": event["entity"],
                "title": event.get("title") or event["entity"],
            },
            "began_at": event["opened_at"],
            "confirmed_at": event["confirmed_at"],
            "level": _level(event, event["min_fraction"], event) | how,
            "synthetic": synthetic,
            "detection": event["id"],
        }
        stored, new = client.ask("POST", "outages", body, {"Idempotency-Key": f"{event['id']}-opened"}), True
    if event["closed_at"] is not None and stored["status"] == "open":
        path = f"outages/{stored['id']}/close"
        stored = client.ask(
            "POST", path, {"ended_at": event["closed_at"]}, {"Idempotency-Key": f"{event['id']}-closed"}
        )
    elif event.get("now") and stored["status"] == "open":
        stored = _update(client, stored, event, how)
    return {"id": stored["id"], "detection": event["id"], "state": stored["status"], "new": new}


def _update(
    client: Any, stored: dict[str, Any], event: dict[str, Any], how: dict[str, Any]
) -> dict[str, Any]:
    """How it is now; before that the lowest level, where that was between two tellings."""
    now = event["now"]
    levels = [now]
    if event["min_fraction"] < min(now["fraction"], stored["worst"]["fraction"]):
        lowest = event | {"fraction": event["min_fraction"]}
        just_before = parse_instant(now["measured_at"]) - 1
        levels.insert(0, {**lowest, "measured_at": format_instant(just_before)})
    for level in levels:
        body = {
            "measured_at": level["measured_at"],
            "level": _level(event, level["fraction"], level) | how,
        }
        key = f"{event['id']}-{level['measured_at']}"
        stored = client.ask("POST", f"outages/{stored['id']}/update", body, {"Idempotency-Key": key})
    return stored


def _level(event: dict[str, Any], fraction: float, bounds: dict[str, Any]) -> dict[str, Any]:
    """With no doubt to show where it is said that nobody knows how many were asked."""
    known = event.get("counted", True)
    low, high = (bounds["low"], bounds["high"]) if known else (fraction, fraction)
    return {"fraction": fraction, "low": low, "high": high}


def events(
    state: Annotated[str, typer.Option(help="open, closed, merged or dismissed; all by default.")] = "",
    language: Annotated[str, typer.Option(help="en or uk.")] = "en",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Outages on record, in plain words, the latest first."""
    from urllib.parse import urlencode

    from skylift.adapters.clock import WallClock
    from skylift.base.errors import Refused
    from skylift.cli.office import client_of
    from skylift.service.outage.state import ROOM
    from skylift.service.outage.words import LANGUAGES, is_stale, sentence

    if language not in LANGUAGES:
        raise Refused("outages.language", f"--language {language[:20]!r}", "en or uk", "take one of them")
    client = client_of(server, token)
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        asked = {"limit": "100", "status": state, "cursor": cursor}
        page = client.ask("GET", "outages?" + urlencode({name: text for name, text in asked.items() if text}))
        rows += page["items"]
        cursor = page.get("next") or ""
        if not cursor:
            break
    found = [ROOM.from_plain(row) for row in rows]
    now = WallClock().now()
    found.sort(key=lambda outage: -(outage.began_at or 0))
    if as_json:
        said = [
            {
                "id": one.id,
                "state": one.state.value,
                "confirmed": bool(one.confirmed_by),
                "text": sentence(one, language, is_stale(one, now)),
            }
            for one in found
        ]
        typer.echo(json.dumps({"outages": said}, ensure_ascii=False))
        return
    for one in found:
        unseen = " [людина не підтвердила]" if language == "uk" else " [not confirmed]"
        mark = "" if one.confirmed_by else unseen
        typer.echo(f"{one.id}  {sentence(one, language, is_stale(one, now))}{mark}")
    if not found:
        typer.echo("none", err=True)


def _code(entity: str, kind: str) -> str:
    """UA and AS64500, as the public reads countries and networks; other kinds are called as they are."""
    from skylift.base.countries import read_country
    from skylift.base.errors import Refused
    from skylift.study.need import network_of

    if kind == "country":
        return read_country(entity.removeprefix("country/"), "outages", "entity")
    if kind not in ("as", "as-with-customer-cone"):
        return entity
    if not network_of(entity):
        raise Refused(
            "outages.entity",
            f"entity {entity[:60]!r}",
            "a network is named by its number",
            "write it like AS64500, or say by --kind what it is",
        )
    return network_of(entity)


def _read(file: Path) -> list[dict[str, Any]]:
    from skylift.adapters.detected_events import check_events
    from skylift.base.errors import Refused

    try:
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["events"]
        needed = {"id", "entity", "opened_at", "confirmed_at", "closed_at", "min_fraction", "low", "high"}
        if not all(needed <= event.keys() for event in found):
            raise KeyError
        check_events(found, file.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(
            "outages.events",
            file.name,
            "it is not what `skylift outages detect --json` prints",
            "write its output into a file, and give that",
        ) from None
    return [event | {"entity": printable(str(event["entity"]))} for event in found]
