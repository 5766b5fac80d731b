"""`skylift run --demo`: a day of help, invented, in a store of its own, on a clock of its own."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli.run_common import address_of, end, loading, prepare_data_dir, say_ready

if TYPE_CHECKING:
    from skylift.api.demo.stage import Stage, Told

# A slot in a quarter of a second: something happens every few seconds, and the day lasts some minutes.
SPEED = 60.0

FOR_A_DEMO = frozenset(
    {"demo", "port", "host", "data_dir", "store_url", "catalogue", "gateways", "speed", "clock"}
)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What may be chosen of a demo. not_for_it: names of options that were given and are not for a demo."""

    host: str
    port: int
    data_dir: Path | None
    store_url: str | None
    catalogue: Path | None
    gateways: Path | None
    speed: float | None
    not_for_it: tuple[str, ...] = ()


def not_for_demo(context: typer.Context) -> tuple[str, ...]:
    """Options on the command line that mean nothing to a demo; those of the environment are passed over."""
    return tuple(
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in FOR_A_DEMO
        and (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    )


def run_demo(wanted: DemoRun) -> None:
    """Play it until it is stopped. Raises Refused where it would come near anything real."""
    _refuse(wanted)
    with loading():
        from skylift.adapters.clock import SimulatedClock
        from skylift.adapters.demo import demo_folder, demo_url, last_instant_us, packaged_story, scenario_of
        from skylift.adapters.sky_process import SkySettings
        from skylift.adapters.sql.store import open_store
        from skylift.api.listening import Address, listen
        from skylift.api.office.desk import Public
        from skylift.api.server import Service, serve
        from skylift.base.units import US_PER_DAY
        from skylift.service.rooms import ROOMS
        from skylift.twin.permit import Serve

    story = packaged_story()
    kept = prepare_data_dir(wanted.data_dir) if wanted.data_dir is not None else None
    with nullcontext(Path()) if wanted.store_url else demo_folder(kept) as folder:
        store = open_store(wanted.store_url or demo_url(folder), ROOMS, demo=True)
        with closing(store), listen(Address(wanted.host, wanted.port)) as listening:
            url, _ = address_of(listening, "http")
            # One that goes on goes on after what its journal has last.
            start_us = max(int(story.begins_us), last_instant_us(store) + 1)
            clock, leap = SimulatedClock(start_us, SPEED if wanted.speed is None else wanted.speed).leaping()
            # Its time begins with the first slot, when there is something to see.
            clock.pause()
            typer.echo(f"DEMO: skylift listens on {url} and computes the first slot ...", err=True)
            start_of_day_us = clock.now() // US_PER_DAY * US_PER_DAY
            settings = SkySettings(
                clock,
                start_of_day_us,
                scenario_of(story),
                wanted.catalogue,
                wanted.gateways,
                Serve.OFFICE,
                has_story=True,
            )
            service = Service(
                store,
                leap,
                lambda code: None,
                public=Public(url, "skylift (DEMO)"),
                on_stage=partial(_say_stage, url, clock.speed),
            )
            failed = serve(listening, settings, partial(say_ready, url), service)
    end(failed)


def _refuse(wanted: DemoRun) -> None:
    from skylift.api.listening import loopback_address
    from skylift.base.errors import Refused

    if wanted.not_for_it:
        raise Refused(
            "demo.option",
            ", ".join(wanted.not_for_it),
            "a demo has its own scenario, and plays on a clock of its own",
            "leave that out, or leave out --demo",
        )
    if loopback_address(wanted.host) is None:
        raise Refused(
            "demo.not_loopback",
            f"--host {wanted.host}",
            "in a demo whoever reaches it may play anybody: it is for this machine alone",
            "leave out --host, and reach it from elsewhere by `ssh -L 8480:127.0.0.1:8480 MACHINE`",
        )


def _say_stage(url: str, speed: float, stage: Stage) -> None:
    from skylift.api.demo.play import says_line

    goes_on = ", going on where it was left" if stage.kept.steps_done else ""
    typer.echo(f"DEMO: {stage.story.title}{goes_on}, {speed:g} times as fast as the wall's clock", err=True)
    typer.echo("DEMO: all of it is invented. You may take anybody's part:", err=True)
    width = max(len(persona.id) for persona in stage.story.persona)
    for persona in stage.story.persona:
        typer.echo(f"  {persona.id:<{width}}  {persona.does}", err=True)
    typer.echo(
        f"with one click on {url}/demo, by `skylift login --persona approver-two --server {url}`, or by\n"
        f'  curl -X POST {url}/api/v1/demo/login -d \'{{"persona": "approver-two"}}\'\n'
        f"The story then waits for you, for {stage.story.patience_s:g} s at a time, where it needs them.",
        err=True,
    )

    def tell(told: Told) -> None:
        typer.echo(says_line(told, stage.story.persona), err=True)

    stage.on_told = tell
