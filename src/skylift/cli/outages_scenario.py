"""skylift outages scenario: a made-up night from a series to a draft request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN

if TYPE_CHECKING:
    from skylift.adapters.outage_scenario import Played


def register(outages: typer.Typer) -> None:
    outages.command("scenario")(scenario)


def scenario(
    name: Annotated[str, typer.Argument(help="A packaged scenario, or a .toml file.")] = "ukraine-2022",
    at: Annotated[
        str, typer.Option(help="The instant of the need; just before the deepest outage ends by default.")
    ] = "",
    share: Annotated[
        list[str] | None,
        typer.Option(help="ENTITY=FRACTION of the users who depend on it, instead of the scenario's."),
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Record outages and draft requests in the running service.")
    ] = False,
    region: Annotated[str, typer.Option(help="The service's region that drafts are for.")] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for recording.csv, events.json and need.json.")
    ] = None,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Play a scenario's connectivity: detect outages, tell them, reckon the need, draft the requests.

    All of it is made up, and says so. The packaged ukraine-2022 holds a dip of GigaTrans (AS44600) below 20 %
    of ordinary beside a national level of 87 %; sources differ on the day, and the minutes are invented.
    """
    from skylift.adapters.outage_scenario import load_scenario, play
    from skylift.base.instants import parse_instant
    from skylift.cli.outages_need import shares_of

    at_us = parse_instant(at, "--at") if at else None
    played = play(load_scenario(name), at_us, shares_of(share or []))
    document = _document(played)
    if draft:
        document["recorded"], document["drafts"] = _recorded(played, region, server, token)
    if out is not None:
        _write(out, played, document)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _say(document, played, draft)


def _document(played: Played) -> dict[str, Any]:
    from skylift.base.instants import InstantUs, parse_instant
    from skylift.cli.outages_need import document_of
    from skylift.service.outage.events import Entity, EntityKind, Level
    from skylift.service.outage.state import Outage, OutageState
    from skylift.service.outage.words import sentence

    def told(event: dict[str, Any], language: str) -> str:
        closed = event["closed_at"]
        level = Level(event["min_fraction"], event["low"], event["high"])
        entity = Entity(EntityKind(event["kind"]), event["entity"], event["title"], country=event["country"])
        outage = Outage(
            event["id"],
            OutageState.OPEN if closed is None else OutageState.CLOSED,
            entity,
            InstantUs(parse_instant(event["opened_at"])),
            ended_at=None if closed is None else InstantUs(parse_instant(closed)),
            level=level,
            worst=level,
            synthetic=True,
        )
        return sentence(outage, language)

    return {
        "synthetic": True,
        "scenario": played.scenario.title,
        "events": list(played.events),
        "sentences": {code: [told(event, code) for event in played.events] for code in ("en", "uk")},
        "levels": list(played.levels),
        "need": document_of(played.need, list(played.nowhere)),
    }


def _recorded(
    played: Played, region: str, server: str, token: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from skylift.cli.office import client_of
    from skylift.cli.outages_draft import draft
    from skylift.cli.outages_send import send_event

    client = client_of(server, token)
    sent = [send_event(client, event, True) for event in played.events]
    return sent, draft(client, played.need, region, True)


def _write(out: Path, played: Played, document: dict[str, Any]) -> None:
    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.outage_scenario import recording
    from skylift.adapters.terminals_report import write_privately
    from skylift.cli.outages_report import make_folder

    make_folder(out)
    write_atomically(out / "recording.csv", recording(played))
    # With what it covers: outside it nobody looked.
    events = {"synthetic": True, **played.found.as_dict(), "events": document["events"]}
    write_atomically(out / "events.json", json.dumps(events, ensure_ascii=False) + "\n")
    write_privately(out / "need.json", json.dumps(document["need"], ensure_ascii=False) + "\n")


def _say(document: dict[str, Any], played: Played, drafted: bool) -> None:
    from skylift.cli.outages_draft import said
    from skylift.cli.outages_need import say

    typer.echo(f"{document['scenario']}: SYNTHETIC, made up")
    for language in ("en", "uk"):
        for text in document["sentences"][language]:
            typer.echo(text)
    for one in document["levels"]:
        typer.echo(f"at {document['need']['at']} {one['title']} is at {one['fraction']:.0%} of ordinary")
    say(played.need, list(played.nowhere))
    if drafted:
        typer.echo(said(document["drafts"], len(played.need.sites) - len(document["drafts"])))
