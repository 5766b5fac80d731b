"""skylift outages probe: our own probing, of what somebody explicitly allowed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.office import AS_JSON

if TYPE_CHECKING:
    from skylift.adapters.outage_probe import Block, Networks, Probing
    from skylift.adapters.outage_store import OutageStore

# A round has so many seconds, as IODA's prober has it; nobody is asked more often.
_ROUND_S = 600

_Blocks = Annotated[Path, typer.Argument(help="CSV: block, addresses, availability, kind, entity, country.")]
_Store = Annotated[Path | None, typer.Option(help="The monitor's store; `outages monitor` judges it.")]
_OptOut = Annotated[
    Path | None, typer.Option(help="Networks that asked not to be probed; read before every round.")
]
_Control = Annotated[
    list[str] | None,
    typer.Option(help="An address of your own uplink: where none answers, a round is not counted."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and send nothing.")]


def register(outages: typer.Typer) -> None:
    outages.command("probe")(probe)


def probe(
    blocks: _Blocks,
    allow: Annotated[Path, typer.Option(help="Networks that you may probe, one a line; nothing else is.")],
    contact: Annotated[str, typer.Option(help="Told in every packet: where people ask not to be probed.")],
    store: _Store = None,
    opt_out: _OptOut = None,
    rate: Annotated[float, typer.Option(min=0.1, max=1000.0, help="Packets a second at most.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="So many rounds, one in ten minutes.")] = 1,
    control: _Control = None,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=10.0, help="An answer is waited for.")] = 3.0,
    signal: Annotated[str, typer.Option(help="What the signal is called.")] = "ping-own",
    dry_run: _DryRun = False,
    as_json: AS_JSON = False,
) -> None:
    """Ask addresses whether they are there (ICMP echo), and keep how much of each entity is.

    Nothing is probed that the allow-list does not hold, and nothing that the opt-out list does. A block of
    256 addresses gets one packet a round, and up to 14 more where its state is not sure (Trinocular, 2013).
    """
    from skylift.adapters.clock import WallClock
    from skylift.adapters.outage_probe import Probing, read_blocks, read_networks
    from skylift.adapters.outage_store import OutageStore
    from skylift.adapters.ping import Pinger, check_contact
    from skylift.base.errors import Refused
    from skylift.ports.probes import Signal

    check_contact(contact)
    found, allowed = read_blocks(blocks), read_networks(allow)
    what = Signal(signal, "own", _ROUND_S * 1_000_000, 1.0)
    if dry_run:
        Probing(what, found, lambda _: [], allowed)
        _say_dry(found, () if opt_out is None else read_networks(opt_out), rate, as_json)
        return
    if store is None:
        raise Refused("probe.store", "--store", "a round is kept in one", "name it, or say --dry-run")
    kept = OutageStore(store)
    pinger = Pinger(contact, rate, timeout_s)
    state = store.with_suffix(".beliefs.json")
    probing = Probing(what, found, pinger, allowed, opt_out, tuple(control or ()), state)
    clock = WallClock()
    said = []
    try:
        for number in range(rounds):
            if number:
                now_s = int(clock.now()) / 1e6
                time.sleep(_ROUND_S - now_s % _ROUND_S + 1.0)
            said.append(_round(probing, kept, clock.now(), as_json))
    finally:
        pinger.close()
        kept.close()
    if as_json:
        typer.echo(json.dumps({"rounds": said}))


def _round(probing: Probing, kept: OutageStore, now_us: int, as_json: bool) -> dict[str, Any]:
    if probing.had_round(now_us):
        said = f"this round of {_ROUND_S // 60} minutes has been: nothing was sent"
        typer.echo(said, err=True)
        return {"levels": [], "kept": 0, "not_counted": [said]}
    gathered = probing.gather(0, now_us)
    put = kept.put(probing.signal, gathered, now_us)
    if not as_json:
        for one in gathered.samples:
            typer.echo(f"{one.of.kind} {one.of.code}: {one.value:.0%} of {one.targets:.0f} blocks")
        for left in put.left:
            typer.echo(left.reason, err=True)
        if not gathered.samples and not put.left:
            typer.echo("no block can be told of: opted out, or not sure yet", err=True)
    return {
        "levels": [
            {
                "kind": one.of.kind, "entity": one.of.code, "level": round(one.value, 4),
                "blocks": int(one.targets),
            }
            for one in gathered.samples
        ],
        "kept": put.new,
        "not_counted": [one.reason for one in put.left],
    }  # fmt: skip


def _say_dry(blocks: tuple[Block, ...], opted_out: Networks, rate: float, as_json: bool) -> None:
    from skylift.adapters.outage_probe import askable

    asked = [askable(block, opted_out) for block in blocks]
    count, addresses = sum(bool(some) for some in asked), sum(map(len, asked))
    opted = sum(len(block.addresses) for block in blocks) - addresses
    document = {
        "blocks": count,
        "addresses": addresses,
        "opted_out": opted,
        "packets_a_round": [count, 15 * count],
        "seconds_a_round_at_least": round(count / rate, 1),
    }
    if as_json:
        typer.echo(json.dumps(document))
        return
    typer.echo(
        f"{addresses:,} addresses in {count:,} blocks; {opted:,} opted out. A round sends {count:,} to "
        f"{15 * count:,} packets. Nothing was sent."
    )
