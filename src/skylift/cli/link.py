"""skylift link: how many bits a second a satellite's signal carries."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.sky.radio.link_budget import LinkBudget
    from skylift.sky.radio.systems import Link, RadioSystem

_GROUP = typer.Typer(no_args_is_help=True, help="Radio links: budgets from EIRP to bits per second.")


def register(app: typer.Typer) -> None:
    app.add_typer(_GROUP, name="link")


@_GROUP.command("budget")
def budget(
    system: str = typer.Option(
        ..., "--system", help="A packaged system, such as starlink-2022, or a .toml file."
    ),
    elevation_deg: float = typer.Option(..., "--elevation-deg", help="Elevation of the satellite, 0 to 90."),
    direction: str = typer.Option(
        "down", "--direction", help="down, up, gateway-up or gateway-down; what the system has."
    ),
    azimuth_deg: float | None = typer.Option(
        None,
        "--azimuth-deg",
        help="Azimuth of the satellite, for a dish in the northern hemisphere: adds the scan loss about its "
        "boresight. Without it the satellite stands in the boresight.",
    ),
    setting: list[str] = typer.Option(
        [],
        "--set",
        metavar="KEY=VALUE",
        help="Set a key of the link anew, such as eirp_dbw=37.7; repeatable.",
    ),
    plot: Path | None = typer.Option(None, "--plot", help="Draw C/N and rate over elevation, .png."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """The link budget of one channel at one elevation.

    The EIRP never exceeds what the power-flux mask of the Radio Regulations allows at that elevation;
    --set power_flux_mask=none lifts it. A clear, dry sky unless --set atmosphere_loss_db=... says otherwise.
    """
    from skylift.adapters.radio_files import modcods_of, read_system
    from skylift.base.errors import Refused
    from skylift.cli.outputs import check_picture
    from skylift.sky.radio.systems import overridden

    if not 0.0 <= elevation_deg <= 90.0:
        raise Refused("link.elevation", "--elevation-deg", "an elevation is 0 to 90 degrees", "give degrees")
    if azimuth_deg is not None and not -360.0 <= azimuth_deg <= 360.0:
        raise Refused("link.azimuth", "--azimuth-deg", "an azimuth is -360 to 360 degrees", "give degrees")
    check_picture(plot)
    found = read_system(system)
    link = overridden(_direction(found, direction), _settings(setting), "--set")
    modcods = modcods_of(link)
    row = _row(link, found, (elevation_deg, azimuth_deg))
    row["direction"] = direction
    if elevation_deg < found.minimum_elevation_deg:
        sys.stderr.write(
            f"warning: {found.name} uses no satellite below {found.minimum_elevation_deg:g} degrees\n"
        )
    if row["power_flux_limited"]:
        sys.stderr.write(
            f"note: the power-flux mask allows {row['eirp_dbw']:.2f} of "
            f"{row['eirp_asked_dbw']:.2f} dBW here; --set power_flux_mask=none lifts it\n"
        )
    if plot is not None:
        from skylift.adapters.pictures_link import draw_link

        draw_link(plot, f"{found.name} {found.year}, {direction}", link, modcods, found.minimum_elevation_deg)
    if as_json:
        typer.echo(json.dumps(row))
    else:
        _table(row)


def _direction(found: RadioSystem, direction: str) -> Link:
    import difflib

    from skylift.base.errors import Refused

    if direction not in found.links:
        near = difflib.get_close_matches(direction, found.links, n=1, cutoff=0.4)
        raise Refused(
            "link.direction",
            "--direction",
            f"{found.name} {found.year} has the links {', '.join(found.links)}",
            f"did you mean {near[0]}?" if near else "choose one of them",
        )
    return found.links[direction]


def _settings(settings: list[str]) -> dict[str, Any]:
    """KEY=VALUE as TOML; a VALUE that is no TOML is a text."""
    import tomllib

    from skylift.base.errors import Refused

    content: dict[str, Any] = {}
    for item in settings:
        key, mark, value = item.partition("=")
        key = key.strip()
        if not mark or not key or not value.strip():
            raise Refused(
                "link.setting", "--set", "a setting is KEY=VALUE", "for example --set eirp_dbw=37.7"
            )
        try:
            content[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            content[key] = value.strip()
    return content


def _row(link: Link, found: RadioSystem, direction_deg: tuple[float, float | None]) -> dict[str, Any]:
    """The budget as plain numbers; a mask, interference or jamming that is absent is null."""
    import math

    from skylift.adapters.radio_files import modcods_of
    from skylift.sky.radio.link_budget import link_budget
    from skylift.sky.radio.path_loss import slant_range_m

    elevation_rad = math.radians(direction_deg[0])
    off_rad = (
        0.0 if direction_deg[1] is None else _off_boresight_rad(link, direction_deg[0], direction_deg[1])
    )
    modcods = modcods_of(link)
    got: LinkBudget = link_budget(
        link, modcods, elevation_rad, slant_range_m(link.altitude_m, elevation_rad), off_rad
    )
    row = int(got.modcod)
    needed_db = float(modcods.es_n0_db[row]) if row >= 0 else None
    return {
        "system": found.name,
        "year": found.year,
        "direction": "",
        "elevation_deg": direction_deg[0],
        "azimuth_deg": direction_deg[1],
        "altitude_km": link.altitude_m / 1e3,
        "range_km": float(got.range_m) / 1e3,
        "frequency_ghz": link.frequency_hz / 1e9,
        "bandwidth_hz": link.bandwidth_hz,
        "channels": link.channels,
        "polarisations": link.polarisations,
        "fspl_db": float(got.fspl_db),
        "eirp_dbw": float(got.eirp_dbw),
        "eirp_asked_dbw": link.eirp_dbw,
        "eirp_limit_dbw": float(got.eirp_limit_dbw) if link.mask else None,
        "power_flux_limited": bool(got.eirp_limit_dbw < link.eirp_dbw),
        "off_boresight_deg": math.degrees(off_rad),
        "scan_loss_db": float(got.scan_loss_db),
        "atmosphere_loss_db": float(got.atmosphere_loss_db),
        "other_losses_db": link.other_losses_db,
        "g_over_t_db_k": float(got.g_over_t_db_k),
        "c_n0_dbhz": float(got.c_n0_dbhz),
        "c_n_db": float(got.c_n_db),
        # 190 dB: nothing is set that disturbs.
        "c_i_db": float(got.c_i_db) if got.c_i_db < 190.0 else None,
        "c_ni_db": float(got.c_ni_db),
        "es_n0_db": float(got.es_n0_db),
        "eb_over_n_and_i_db": _energy_per_bit_db(link, got),
        "implementation_loss_db": link.implementation_loss_db,
        "margin_db": link.margin_db,
        "modcod": modcods.name_at(row),
        "modcod_needs_db": needed_db,
        "bits_per_symbol": float(got.bits_per_symbol),
        "spectral_efficiency": float(got.spectral_efficiency),
        "duty_fraction": link.duty_fraction,
        "rate_bps": float(got.rate_bps),
    }


def _energy_per_bit_db(link: Link, got: LinkBudget) -> float | None:
    """Eb / (N0 + I0) while sending; None without a link."""
    import math

    if got.spectral_efficiency <= 0.0:
        return None
    return float(got.c_ni_db) - 10.0 * math.log10(float(got.spectral_efficiency))


def _off_boresight_rad(link: Link, elevation_deg: float, azimuth_deg: float) -> float:
    import numpy as np

    from skylift.adapters.antennas import packaged_antenna
    from skylift.base.geodesy import Place
    from skylift.sky.coverage.sites import sites_of
    from skylift.sky.radio.antenna_pattern import off_boresight_rad

    # Only the hemisphere counts: the boresight leans toward the pole, by the model's angle.
    sites = sites_of([Place(50.0, 0.0)], [packaged_antenna(link.ground_antenna)])
    angles = np.radians([elevation_deg, azimuth_deg])
    return float(off_boresight_rad(sites, [0], angles[:1], angles[1:])[0])


def _table(row: dict[str, Any]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    title = f"{row['system']} {row['year']}, {row['direction']}, at {row['elevation_deg']:g}°"
    table = Table(title=title, box=SIMPLE)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    for name, value, unit in _lines(row):
        table.add_row(name, value, unit)
    table.columns[1].min_width = 10
    Console().print(table)


def _lines(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    limited = " (power-flux limit)" if row["power_flux_limited"] else ""
    modcod = row["modcod"] or "none: no link"
    lines = [
        ("range", f"{row['range_km']:,.1f}", "km"),
        ("frequency", f"{row['frequency_ghz']:g}", "GHz"),
        ("bandwidth", f"{row['bandwidth_hz'] / 1e6:g}", "MHz"),
        ("EIRP", f"{row['eirp_dbw']:.2f}", f"dBW{limited}"),
        ("free-space loss", f"{row['fspl_db']:.2f}", "dB"),
        ("scan loss", f"{row['scan_loss_db']:.2f}", "dB"),
        ("atmosphere", f"{row['atmosphere_loss_db']:.2f}", "dB"),
        ("other losses", f"{row['other_losses_db']:.2f}", "dB"),
        ("G/T", f"{row['g_over_t_db_k']:.2f}", "dB/K"),
        ("C/N", f"{row['c_n_db']:.2f}", "dB"),
        ("C/I", "none" if row["c_i_db"] is None else f"{row['c_i_db']:.2f}", "dB"),
        ("C/(N+I)", f"{row['c_ni_db']:.2f}", "dB"),
        ("MODCOD", modcod, ""),
        ("spectral efficiency", f"{row['spectral_efficiency']:.3f}", "bit/s/Hz"),
        ("duty", f"{row['duty_fraction']:g}", ""),
        ("rate", f"{row['rate_bps'] / 1e6:,.1f}", f"Mbit/s in one of {row['channels']} channels"),
    ]
    return lines
