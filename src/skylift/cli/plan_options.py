"""Options of `skylift plan capacity`, each with its help, by the type that a command names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Region = Annotated[str, typer.Option(help="ISO code or English name of a country, or a GeoJSON file.")]
Catalogue = Annotated[
    Path | None, typer.Option(dir_okay=False, help="A catalogue, TLE or OMM, instead of the packaged.")
]
Gateways = Annotated[Path | None, typer.Option(dir_okay=False, help="A list of gateways of your own.")]
Gateway = Annotated[list[str] | None, typer.Option(help="Only this one; again for more.")]
Without = Annotated[list[str] | None, typer.Option(help="Not this gateway; again for more.")]
System = Annotated[
    str | None, typer.Option(help="A packaged radio system, or a .toml; without it, by the year.")
]
At = Annotated[
    str | None,
    typer.Option(
        help="Start, ISO 8601; without it, the catalogue's middle epoch. More than a week from that, all "
        "epochs are shifted by one constant, and a note says so."
    ),
]
Hours = Annotated[int, typer.Option(min=1, max=168, help="How many; one slot of each.")]
Density = Annotated[
    float,
    typer.Option(
        "--demand-mbps-per-km2",
        help="What everybody wants of each km2. The default is more than can be served: what is served is "
        "then what the region can bear.",
    ),
]
Demand = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="CSV instead: cell, or latitude_deg and longitude_deg; wanted_mbps; class (optional).",
    ),
]
LeftOut = Annotated[
    str | None,
    typer.Option("--except", help="Where service is not allowed: a packaged area, or a GeoJSON file."),
]
Rain = Annotated[Path | None, typer.Option(dir_okay=False, help="Cells of rain, TOML.")]
Jam = Annotated[Path | None, typer.Option(dir_okay=False, help="Disturbances, TOML.")]
Resolution = Annotated[int, typer.Option(help="H3 resolution of the cells; 5 has about 253 km2 a cell.")]
Nco = Annotated[int, typer.Option(help="Satellites that may light one cell on one channel.")]
Separation = Annotated[
    float,
    typer.Option(
        "--separation-deg",
        help="Least angle, seen from a satellite, between a beam and another's cell on its channel.",
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="How classes share: floor_fraction=0.05, class_tiers=1,1,2,3 or class_weights=8,4,2,1, in the "
        "order life, critical, government, everybody; again for more.",
    ),
]
Beams = Annotated[int | None, typer.Option(help="Of a satellite, in each polarisation that it uses.")]
Antennas = Annotated[
    int | None,
    typer.Option("--antennas-per-gateway", help="Of every gateway; each tracks one satellite."),
]
KaFraction = Annotated[float, typer.Option("--ka-fraction", help="Of what an antenna's Ka link carries.")]
LimitsEvery = Annotated[
    int | None,
    typer.Option(
        "--limits-every",
        min=0,
        help="Ask in every N-th hour what limits; 0: never, which is quicker. Without it, in every hour of "
        "a small region, in each fourth of a large one.",
    ),
]
Lenient = Annotated[bool, typer.Option("--lenient", help="Skip bad records of the catalogue.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", "--output",
        help="Write the result: .json for skylift plan compare, or its cells: .csv, .geojson.",
    ),
]  # fmt: skip
Plot = Annotated[Path | None, typer.Option(help="Draw a map of the cells and curves, .png.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def check_demand(context: typer.Context, demand: Path | None) -> None:
    """Raises Refused where both a file and an even demand are given: one of them would be passed over."""
    from skylift.base.errors import Refused

    source = context.get_parameter_source("demand_mbps_per_km2")
    if demand is not None and source is not None and source.name == "COMMANDLINE":
        raise Refused(
            "plan.demand",
            "--demand-mbps-per-km2",
            "--demand says already what is wanted in each cell",
            "leave one of them out",
        )
