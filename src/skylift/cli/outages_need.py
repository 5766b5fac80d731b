"""skylift outages need: who is cut off, and how many terminals that takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.office import HERE, SERVER, TOKEN
from skylift.cli.outages_draft import said
from skylift.cli.outages_sky import said as sky_said
from skylift.cli.outputs import check_output

if TYPE_CHECKING:
    from skylift.study.need import NeedReport, NeedRules, Stated

_SHOWN = 20

_Properties = Annotated[str, typer.Option(help="Properties that name its features, as entities are named.")]
_Share = Annotated[
    list[str] | None,
    typer.Option(
        "--share",
        help="ENTITY=FRACTION, or ENTITY=LOW-HIGH: of the users where it is, who depend on it. 1 by default; "
        "of a network's users nobody is counted without it.",
    ),
]
_People = Annotated[
    Path | None,
    typer.Option(help="People instead of the packaged list: .csv, .geojson, or a raster as .asc."),
]
_Sites = Annotated[
    Path | None,
    typer.Option(help="Sites that matter: CSV or JSON, as for `plan terminals`, or OpenStreetMap's."),
]
_Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="Write the whole answer, .json, for you alone.")
]
_Sky = Annotated[
    bool, typer.Option("--sky", help="Say what the sky would give each site, as `plan terminals`.")
]
_Draft = Annotated[
    bool,
    typer.Option("--draft", help="Record a draft request in the service for each site that is cut off."),
]


def register(outages: typer.Typer) -> None:
    outages.command("need")(need)


def need(
    events: Path = typer.Argument(help="What `skylift outages detect --json` wrote."),
    at: str = typer.Option(help="The instant asked for, ISO 8601; in UTC unless it ends in an offset."),
    country: list[str] = typer.Option(
        [], help="Whose people are counted, ISO 3166, by default where the outages are."
    ),
    areas: Path | None = typer.Option(None, help="Where entities are: GeoJSON."),
    area_properties: _Properties = "name",
    share: _Share = None,
    people: _People = None,
    sites: _Sites = None,
    people_within: float = typer.Option(0.0, help="By so much of itself a number of people may be wrong."),
    online: str = typer.Option(
        "0.8", help="Of people, who use the internet on an ordinary day; or LOW-HIGH."
    ),
    below: float = typer.Option(0.5, help="A site is cut off below this fraction of ordinary ..."),
    longer_h: float = typer.Option(2.0, help="... for more than so many hours."),
    terminal_mbps: float = typer.Option(60.0, help="Counted on from one terminal."),
    out: _Out = None,
    sky: _Sky = False,
    catalogue: Path | None = typer.Option(None, help="Element sets for --sky; a packaged fleet by default."),
    draft: _Draft = False,
    region: str = typer.Option("", help="The service's region that drafts are for, such as rgn_..."),
    synthetic: bool = typer.Option(False, "--synthetic", help="The data are made up; drafts say so."),
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: bool = typer.Option(False, "--json", help="Print it on stdout."),
) -> None:
    """Who is cut off, which sites that matter are, and how many terminals that takes.

    From a percentage to people: an area's level, the people in its cells, the sites there. Every figure rests
    on assumptions, and they are printed with it. What comes out is never public: keep it as the sites
    themselves. `--sky` says what the sky can serve there, as `skylift plan terminals` does.
    """
    from skylift.adapters import need_files as files
    from skylift.adapters.terminals_report import write_privately
    from skylift.base.instants import parse_instant
    from skylift.study.need import need as reckon

    check_output(out, endings=(".json",))
    rules = _rules(online, below, longer_h, terminal_mbps, people_within)
    at_us = parse_instant(at, "--at")
    properties = [one.strip() for one in area_properties.split(",")]
    asked = files.need_sites(sites)
    named = None if areas is None else files.Areas.read(areas, properties)
    cuts, nowhere = files.read_cuts(events, at_us, files.area_of_entity(named), shares_of(share or []))
    counted = files.read_people(people) if people else files.people_of(_countries(country, cuts))
    report = reckon(cuts, counted, asked, rules, at_us)
    said_of_people = files.PACKAGED_PEOPLE if people is None else ""
    report = replace(report, people_said=said_of_people, unjudged=files.unjudged(events))
    document = document_of(report, nowhere)
    if sky:
        document["sky"] = _sky(sites, report, catalogue)
    if draft:
        document["drafts"] = _drafted(report, region, synthetic, server, token)
    text = json.dumps(document, ensure_ascii=False)
    if out is not None:
        write_privately(out, text + "\n")
    if as_json:
        typer.echo(text)
    else:
        say(report, nowhere)
        for line in sky_said(document["sky"]) if sky else ():
            typer.echo(line)
        if draft:
            typer.echo(said(document["drafts"], len(report.sites) - len(document["drafts"])))


def _rules(
    online: str, below: float, longer_h: float, terminal_mbps: float, people_within: float
) -> NeedRules:
    from skylift.study.need import NeedRules

    users = _stated(online, "--online", "0.8, or 0.75-0.85")
    within = None if users.sure else (users.low, users.high)
    return NeedRules(users.about, below, longer_h, terminal_mbps * 1e6, within, people_within)


def _sky(sites: Path | None, report: NeedReport, catalogue: Path | None) -> dict[str, Any]:
    from skylift.base.errors import Refused
    from skylift.cli.outages_sky import served

    if sites is None:
        raise Refused("need.sky", "--sky", "it is of sites, and none are named", "name a list with --sites")
    return served(sites, report, catalogue)


def _drafted(
    report: NeedReport, region: str, synthetic: bool, server: str, token: str
) -> list[dict[str, Any]]:
    from skylift.base.errors import Refused
    from skylift.cli.office import client_of
    from skylift.cli.outages_draft import draft

    if not report.sites:
        raise Refused(
            "need.nothing",
            "--draft",
            "no site is cut off for long enough: there is nothing to ask for",
            "name sites with --sites, or lower --longer-h or raise --below",
        )
    return draft(client_of(server, token), report, region, synthetic)


def _countries(given: list[str], cuts: Any) -> list[str]:
    """Those named; else those that the outages are of, or are in."""
    from skylift.base.countries import read_country
    from skylift.base.errors import Refused

    names = [cut.entity.removeprefix("country/") for cut in cuts]
    found = [read_country(one.upper(), "need") for one in given] or [
        name if len(name) == 2 else read_country(cut.country, "need")
        for name, cut in zip(names, cuts, strict=True)
        if len(name) == 2 or cut.country
    ]
    if not found and cuts:
        raise Refused(
            "need.country",
            "the people",
            "no country is named whose people are counted",
            "name it with --country, or give a list of your own with --people",
        )
    return found


def shares_of(given: list[str]) -> dict[str, Stated]:
    from skylift.base.errors import Refused

    found: dict[str, Stated] = {}
    for one in given:
        entity, equals, text = one.rpartition("=")
        share = (
            _stated(text, f"--share {one[:60]!r}", "--share as/AS64500=0.3, or =0.2-0.4") if equals else None
        )
        if share is None or not entity or not 0.0 < share.about <= share.high <= 1.0 or entity in found:
            raise Refused(
                "need.share",
                f"--share {one[:60]!r}",
                "it is an entity, once, and a fraction above 0 and at most 1",
                "write it like --share as/AS64500=0.3, or =0.2-0.4",
            )
        found[entity] = share
    return found


def _stated(text: str, thing: str, like: str) -> Stated:
    """0.3, or from 0.2 to 0.4 as 0.2-0.4: the middle of it is counted with."""
    from skylift.base.errors import Refused
    from skylift.study.need import Stated

    try:
        numbers = [float(part) for part in text.split("-")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2 or numbers != sorted(numbers):
        raise Refused("need.fraction", thing, "it is a fraction, or two with a dash between", f"write {like}")
    return Stated(sum(numbers) / len(numbers), numbers[0], numbers[-1])


def document_of(report: NeedReport, nowhere: list[str]) -> dict[str, Any]:
    from skylift.base.instants import format_instant

    # Nobody is not the same as nobody knows.
    known = bool(report.cells) or not nowhere
    return {
        "at": format_instant(report.at_us),
        "people_cut_off": _people(*report.cut_off) if known else None,
        "terminals": report.terminals,
        "cells": [
            {
                "cell": one.cell,
                "people": one.people,
                "cut_off": _people(one.cut_off, one.least, one.most),
                "hours": round(one.hours, 2),
                "entities": list(one.entities),
            }
            for one in report.cells
        ],
        "sites": [
            {
                "id": one.site.id,
                "kind": one.site.kind,
                "cell": one.site.cell,
                "people": one.site.people,
                "level": round(one.level, 4),
                "hours": round(one.hours, 2),
                "wanted_bps": one.site.wanted_bps,
                "terminals": one.terminals,
            }
            for one in report.sites
        ],
        "sites_known": report.sites_known,
        "without_area": sorted(set(nowhere)),
        "series_unjudged": report.unjudged,
        "assumptions": list(report.assumptions()),
    }


def _people(about: float, least: float | None, most: float | None) -> dict[str, int | None]:
    return {
        "about": round(about),
        "least": None if least is None else round(least),
        "most": None if most is None else round(most),
    }


def say(report: NeedReport, nowhere: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from skylift.base.instants import format_instant

    console = Console(highlight=False)
    middle, least, most = report.cut_off
    if report.cells or not nowhere:
        doubt = "no interval" if least is None else f"{least:,.0f} to {most:,.0f}"
        console.print(
            f"at {format_instant(report.at_us)} about {middle:,.0f} people cut off ({doubt}) "
            f"in {len(report.cells):,} cells"
        )
    else:
        console.print("how many people are cut off is not known: no area, or no share of its users")
    table = Table(box=None, pad_edge=False)
    for title, justify in (
        ("site", "left"), ("kind", "left"), ("people", "right"), ("left", "right"), ("hours", "right"),
        ("terminals", "right"),
    ):  # fmt: skip
        table.add_column(title, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for one in report.sites[:_SHOWN]:
        table.add_row(
            one.site.id,
            one.site.kind,
            f"{one.site.people:,}",
            f"{one.level:.0%}",
            f"{one.hours:.1f}",
            str(one.terminals),
        )
    if report.sites:
        console.print(table)
        console.print(f"{report.terminals:,} terminals for {len(report.sites):,} sites that are cut off")
    elif report.sites_known:
        rules = report.rules
        console.print(
            f"no site of {report.sites_known:,} is known to be cut off: below {rules.below_fraction:.0%} of "
            f"ordinary for more than {rules.longer_than_h:g} h"
        )
    if len(report.sites) > _SHOWN:
        console.print(f"and {len(report.sites) - _SHOWN:,} more; --json has them all")
    if nowhere:
        console.print(f"{len(set(nowhere)):,} entities have no area or no share here: --areas, --share")
    console.print("assumed:")
    for assumption in report.assumptions():
        console.print(f"- {assumption}", soft_wrap=True)
