"""skylift outages monitor: signals followed as they come, over restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN
from skylift.cli.outages_import import STORE, as_document

if TYPE_CHECKING:
    from skylift.adapters.outage_monitor import Monitor
    from skylift.adapters.outage_store import OutageStore
    from skylift.ports.probes import Probes


def register(outages: typer.Typer) -> None:
    outages.command("monitor")(monitor)


def monitor(
    store: STORE,
    sources: Annotated[
        Path | None, typer.Option(help="What is followed: .toml; without it, what was imported is judged.")
    ] = None,
    baseline: Annotated[
        str, typer.Option(help="tod:7d, tow:4w or pinned:FROM/TO; a store keeps to one.")
    ] = "tod:7d",
    once: Annotated[bool, typer.Option("--once", help="Gather and judge once, and end.")] = False,
    every_s: Annotated[float, typer.Option(min=1.0, help="Between two rounds.")] = 60.0,
    send: Annotated[
        bool, typer.Option("--send", help="Record outages in the running service as they open and close.")
    ] = False,
    agree: Annotated[
        int, typer.Option(min=1, help="Send only where so many signals agree, or all that are judged.")
    ] = 1,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Gather from sources, judge the bins that are complete, and go on; Ctrl-C ends it.

    It can be killed at any time: it goes on from its store, and neither invents nor loses an outage. A source
    that does not answer is asked again in the next round, from where it was.
    """
    from skylift.adapters.clock import WallClock
    from skylift.adapters.outage_monitor import Monitor
    from skylift.adapters.outage_sources import read_sources
    from skylift.adapters.outage_store import OutageStore
    from skylift.cli.office import client_of

    def ask(path: str) -> dict[str, Any]:
        return client_of(server, token).ask("GET", path)

    followed = [] if sources is None else read_sources(sources, ask)
    kept = OutageStore(store)
    work = Monitor(kept, baseline)
    client = client_of(server, token) if send else None
    clock = WallClock()
    try:
        while True:
            said = _round(work, followed, clock.now())
            if client is not None:
                said["sent"] = _send(work, kept, client, agree)
            _say(said, work, as_json, once)
            if once or sources is None:
                # Nothing could be gathered at all: the world's fault, and no success.
                if followed and all(one["error"] for one in said["gathered"]):
                    raise typer.Exit(1)
                break
            time.sleep(every_s)
    except KeyboardInterrupt:
        typer.echo("stopped; it goes on from its store", err=True)
    finally:
        kept.close()


def _round(work: Monitor, followed: list[Probes], now_us: int) -> dict[str, Any]:
    from skylift.base.errors import Unavailable
    from skylift.cli.progress import slot_progress

    gathered = []
    for probes in followed:
        name = {"signal": probes.signal.name, "prober": probes.signal.prober}
        try:
            gathered.append({**name, **as_document(work.gather(probes, now_us)), "error": None})
        except Unavailable as away:
            gathered.append({**name, "error": away.as_dict()["error"]})
    with slot_progress("judging", "bins") as progress:
        judged = work.judge(now_us, progress)
    return {
        "gathered": gathered,
        "judged": [
            {
                "signal": one.signal, "bins": one.bins, "series": one.series, "opened": one.opened,
                "closed": one.closed, "distrusted": one.distrusted, "insufficient": one.never_judged,
            }
            for one in judged
        ],
    }  # fmt: skip


def _send(work: Monitor, kept: OutageStore, client: Any, agree: int) -> int:
    """Tell the service what it was not told yet. It knows each detection once, however often it is told."""
    from skylift.cli.outages_send import send_event

    told = {event.id: event.sent for event in kept.events()}
    count = 0
    for event in work.events():
        now = event["now"]["fraction"] if isinstance(event["now"], dict) else 1.0
        # The journal is no recording: a level now is told when it has moved by a tenth, and once a day.
        day = str(event["now"]["measured_at"])[:10] if isinstance(event["now"], dict) else ""
        state = f"{event['min_fraction']} {now:.1f} {event['closed_at'] or day}"
        if told[str(event["id"])] == state:
            continue
        signals_open, judged = (int(str(event[name])) for name in ("signals_open", "signals_judged"))
        if not told[str(event["id"])] and signals_open < min(agree, max(judged, 1)):
            continue
        send_event(client, event, bool(event["synthetic"]))
        kept.mark_sent(str(event["id"]), state)
        count += 1
    return count


def _left_out(left: Sequence[dict[str, Any]], more: int) -> Iterator[str]:
    """What is of no row is of the whole source; of rows, or records of a file of routes, the first."""
    yield from (one["reason"] for one in left if not one["row"])
    if rows := [one for one in left if one["row"]]:
        first = f"row {rows[0]['row']}: {rows[0]['reason']}"
        yield f"left out: {first}" + (f", and {len(rows) + more - 1} more" if len(rows) + more > 1 else "")


def _say(said: dict[str, Any], work: Monitor, as_json: bool, once: bool) -> None:
    if as_json:
        typer.echo(json.dumps(said | work.covers() | {"events": work.events()}, ensure_ascii=False))
        return
    for one in said["gathered"]:
        if one["error"]:
            typer.echo(f"{one['signal']} of {one['prober']}: {one['error']['rule']}", err=True)
        for text in _left_out(one.get("rejected", ()), one.get("more_rejected", 0)):
            typer.echo(f"{one['signal']} of {one['prober']}: {text}", err=True)
    bins = sum(one["bins"] for one in said["judged"])
    if bins or once:
        opened, closed = (sum(one[what] for one in said["judged"]) for what in ("opened", "closed"))
        still = sum(event["closed_at"] is None for event in work.events())
        typer.echo(f"{bins} bins judged: {opened} outages opened, {closed} closed, {still} are open")
