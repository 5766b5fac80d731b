"""The options of `skylift run`, one by one."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from skylift.twin.permit import Serve


class ClockKind(enum.StrEnum):
    """Whose time the service runs on."""

    WALL = "wall"
    SIMULATED = "simulated"


CONTEXT = typer.Context
PORT = Annotated[int, typer.Option(min=0, max=65535, envvar="SKYLIFT_PORT", help="Port; 0 takes a free one.")]
HOST = Annotated[str, typer.Option(help="Address to bind to; without a login and TLS it must be loopback.")]
SCENARIO = Annotated[Path | None, typer.Option(help="Scenario (TOML) instead of the packaged one.")]
CATALOGUE = Annotated[Path | None, typer.Option(help="Catalogue (TLE, OMM) instead of the scenario's own.")]
GATEWAYS = Annotated[
    Path | None, typer.Option(help="Gateways (JSON, CSV, GeoJSON) instead of the scenario's own.")
]
SERVE = Annotated[Serve, typer.Option(help="Whose terminals are served.")]
DATA_DIR = Annotated[
    Path | None,
    typer.Option(
        envvar="SKYLIFT_DATA_DIR", help="Folder for what the service keeps.", show_default="per user"
    ),
]
STORE_URL = Annotated[
    str | None,
    typer.Option(
        envvar="SKYLIFT_STORE__URL",
        help="PostgreSQL database instead of the file in the data folder.",
    ),
]
TLS_CERT = Annotated[Path | None, typer.Option(help="Certificate (PEM), for TLS; with --tls-key.")]
TLS_KEY = Annotated[Path | None, typer.Option(help="Its key (PEM).")]
WEBHOOKS_ALLOW = Annotated[
    str,
    typer.Option(
        envvar="SKYLIFT_WEBHOOKS__ALLOW",
        help="Private networks that webhooks may reach, such as 10.1.2.0/24,127.0.0.1.",
        show_default="none",
    ),
]
PUBLIC_URL = Annotated[
    str | None,
    typer.Option(
        envvar="SKYLIFT_PUBLIC__URL",
        help="Where the public reads its feeds and pages, as they name themselves.",
        show_default="where it listens",
    ),
]
PUBLIC_AUTHOR = Annotated[str, typer.Option(envvar="SKYLIFT_PUBLIC__AUTHOR", help="Who speaks in its feeds.")]
TELEMETRY_KEEP = Annotated[
    str,
    typer.Option(
        envvar="SKYLIFT_TELEMETRY__KEEP",
        help="For how many days reports of dishes are kept, level by level.",
        show_default="15s=45,5min=180,1h=1100,1d=3660,aside=30",
    ),
]
ALONE_MOST = Annotated[
    int,
    typer.Option(
        min=0,
        max=2000,
        envvar="SKYLIFT_ALONE__MOST",
        help="So many terminals one person may switch without another.",
    ),
]
ALONE_HOURS = Annotated[
    float,
    typer.Option(
        min=1.0, max=168.0, envvar="SKYLIFT_ALONE__HOURS", help="In so many hours, however split up."
    ),
]
CLOCK = Annotated[ClockKind | None, typer.Option(help="Whose time to run on.", show_default="wall")]
AT = Annotated[str | None, typer.Option(help="Where the simulated clock begins, ISO 8601.")]
SPEED = Annotated[
    float | None, typer.Option(help="Simulated seconds in one second.", show_default="1, of a demo 60")
]
DEMO = Annotated[
    bool,
    typer.Option(
        "--demo",
        help="Play a day of help, invented, in a store of its own. It is gone afterwards, unless "
        "--data-dir or --store-url says where to keep it.",
    ),
]
