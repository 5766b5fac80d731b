"""skylift link: how many bits a second a satellite's signal carries."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.adapters.pictures_link import Air
    from skylift.sky.radio.power import Floats
    from skylift.sky.radio.systems import Link, RadioSystem

_GROUP = typer.Typer(no_args_is_help=True, help="Radio links: budgets from EIRP to bits per second.")


def register(app: typer.Typer) -> None:
    app.add_typer(_GROUP, name="link")


_AZIMUTH = typer.Option(
    None,
    "--azimuth-deg",
    help="Azimuth of the satellite: adds the scan loss about the boresight of the dish, which leans north, "
    "or south with a southern --lat. Without it the satellite stands in the boresight.",
)
_LATITUDE = typer.Option(
    None, "--lat", help="With --lon, where the ground station stands: adds gases and clouds of its air."
)
_EXCEEDED = typer.Option(
    None,
    "--exceeded-fraction",
    help="With --lat and --lon: the loss, rain and all, that is exceeded for this share of an average year, "
    "0.00001 to 0.5; 0.001 is nine hours.",
)
_SETTING = typer.Option(
    [], "--set", metavar="KEY=VALUE", help="Set a key of the link anew, such as eirp_dbw=37.7; repeatable."
)


@_GROUP.command("budget")
def budget(
    system: str = typer.Option(..., help="A packaged system, such as starlink-2022, or a .toml file."),
    elevation_deg: float = typer.Option(..., help="Elevation of the satellite, 0 to 90."),
    direction: str = typer.Option("down", help="down, up, gateway-up or gateway-down; what the system has."),
    azimuth_deg: float | None = _AZIMUTH,
    latitude: float | None = _LATITUDE,
    longitude: float | None = typer.Option(None, "--lon", help="Longitude in degrees, east positive."),
    exceeded_fraction: float | None = _EXCEEDED,
    setting: list[str] = _SETTING,
    plot: Path | None = typer.Option(None, help="Draw C/N and rate over elevation, .png, .svg or .pdf."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """The link budget of one channel at one elevation.

    The EIRP never exceeds what the power-flux mask of the Radio Regulations allows at that elevation;
    --set power_flux_mask=none lifts it. No air at all, unless --lat and --lon or --set atmosphere_loss_db say
    otherwise.
    """
    from skylift.adapters.radio_files import modcods_of, read_system
    from skylift.cli.outputs import check_picture

    _check_angles(elevation_deg, azimuth_deg)
    _check_place(latitude, longitude)
    check_picture(plot)
    found = read_system(system)
    link = _set_anew(_direction(found, direction), setting)
    air = _air(link, (latitude, longitude), exceeded_fraction, azimuth_deg is not None)
    off_rad = 0.0 if azimuth_deg is None else _off_boresight_rad(link, (elevation_deg, azimuth_deg), latitude)
    row = {
        "system": found.name,
        "year": found.year,
        "direction": direction,
        "elevation_deg": elevation_deg,
        "azimuth_deg": azimuth_deg,
        "exceeded_fraction": exceeded_fraction,
        **_row(link, elevation_deg, off_rad, air),
    }
    _warn(found, row)
    if plot is not None:
        from skylift.adapters.pictures_link import draw_link

        rare = "" if exceeded_fraction is None else f", loss exceeded {exceeded_fraction:.3%} of the year"
        title = f"{found.name} {found.year}, {direction}{rare}"
        draw_link(plot, title, link, modcods_of(link), found.minimum_elevation_deg, air)
    if as_json:
        typer.echo(json.dumps(row))
    else:
        _table(row)


def _check_angles(elevation_deg: float, azimuth_deg: float | None) -> None:
    from skylift.base.errors import Refused

    if not 0.0 <= elevation_deg <= 90.0:
        raise Refused("link.elevation", "--elevation-deg", "an elevation is 0 to 90 degrees", "give degrees")
    if azimuth_deg is not None and not -360.0 <= azimuth_deg <= 360.0:
        raise Refused("link.azimuth", "--azimuth-deg", "an azimuth is -360 to 360 degrees", "give degrees")


def _check_place(latitude_deg: float | None, longitude_deg: float | None) -> None:
    from skylift.base.errors import Refused
    from skylift.base.geodesy import Place

    for option, degrees in (("--lat", (latitude_deg, 0.0)), ("--lon", (0.0, longitude_deg))):
        try:
            Place(degrees[0] or 0.0, degrees[1] or 0.0)
        except Refused as wrong:
            raise Refused(wrong.code, option, wrong.rule, wrong.way_out) from None


def _warn(found: RadioSystem, row: dict[str, Any]) -> None:
    if row["elevation_deg"] < found.minimum_elevation_deg:
        sys.stderr.write(
            f"warning: {found.name} uses no satellite below {found.minimum_elevation_deg:g} degrees\n"
        )
    if row["power_flux_limited"]:
        sys.stderr.write(
            f"note: the power-flux mask allows {row['eirp_dbw']:.2f} of "
            f"{row['eirp_asked_dbw']:.2f} dBW here; --set power_flux_mask=none lifts it\n"
        )


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


def _set_anew(link: Link, settings: list[str]) -> Link:
    from skylift.adapters.radio_files import check_antenna
    from skylift.base.errors import Refused
    from skylift.sky.radio.systems import overridden

    try:
        anew = overridden(link, _settings(settings), "--set")
        check_antenna(anew, "--set")
    except Refused as wrong:
        # "--set: bandwidth_mhz: bandwidth_mhz is ..." says it twice.
        key = wrong.thing.rpartition(": ")[2]
        rule = "it" + wrong.rule.removeprefix(key) if wrong.rule.startswith(f"{key} is ") else wrong.rule
        raise Refused(wrong.code, wrong.thing, rule, wrong.way_out) from None
    return anew


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


def _row(link: Link, elevation_deg: float, off_rad: float, air: Air) -> dict[str, Any]:
    """The budget as plain numbers; a mask, interference or jamming that is absent is null."""
    import numpy as np

    from skylift.adapters.radio_files import modcods_of
    from skylift.sky.radio.link_budget import link_budget
    from skylift.sky.radio.path_loss import slant_range_m

    elevation_rad = np.radians([elevation_deg])
    range_m = slant_range_m(link.altitude_m, elevation_rad)
    modcods = modcods_of(link)
    budgets = link_budget(link, modcods, elevation_rad, range_m, off_rad, air(elevation_rad))
    got = {name: float(getattr(budgets, name)[0]) for name in budgets.__dataclass_fields__}
    row = int(budgets.modcod[0])
    closes = row >= 0
    return {
        "altitude_km": link.altitude_m / 1e3,
        "range_km": got["range_m"] / 1e3,
        "frequency_ghz": link.frequency_hz / 1e9,
        "bandwidth_hz": link.bandwidth_hz,
        "channels": link.channels,
        "polarisations": link.polarisations,
        "band_hz": link.band_hz,
        "fspl_db": got["fspl_db"],
        "eirp_dbw": got["eirp_dbw"],
        "eirp_asked_dbw": link.eirp_dbw,
        "eirp_limit_dbw": got["eirp_limit_dbw"] if link.mask else None,
        "power_flux_limited": got["eirp_limit_dbw"] < link.eirp_dbw,
        "off_boresight_deg": float(np.degrees(off_rad)),
        # An array reaches nothing behind itself: JSON has no infinity.
        "scan_loss_db": got["scan_loss_db"] if np.isfinite(got["scan_loss_db"]) else None,
        "atmosphere_loss_db": got["atmosphere_loss_db"],
        "other_losses_db": link.other_losses_db,
        "g_over_t_db_k": got["g_over_t_db_k"],
        "c_n0_dbhz": _finite(got["c_n0_dbhz"]),
        "c_n_db": _finite(got["c_n_db"]),
        # 190 dB: nothing is set that disturbs.
        "c_i_db": got["c_i_db"] if got["c_i_db"] < 190.0 else None,
        "c_ni_db": _finite(got["c_ni_db"]),
        "es_n0_db": _finite(got["es_n0_db"]),
        "eb_over_n_and_i_db": got["c_ni_db"] - 10.0 * float(np.log10(got["spectral_efficiency"]))
        if closes
        else None,
        "implementation_loss_db": link.implementation_loss_db,
        "margin_db": link.margin_db,
        "modcod": modcods.name_at(row),
        "modcod_needs_db": float(modcods.es_n0_db[row]) if closes else None,
        "bits_per_symbol": got["bits_per_symbol"],
        "spectral_efficiency": got["spectral_efficiency"],
        "duty_fraction": link.duty_fraction,
        "rate_bps": got["rate_bps"],
    }


def _finite(value: float) -> float | None:
    """None where nothing arrives at all: JSON has no infinity."""
    return value if abs(value) < float("inf") else None


def _air(
    link: Link, place_deg: tuple[float | None, float | None], exceeded_fraction: float | None, leans: bool
) -> Air:
    """What the air over a place takes from the link at any elevation; nothing where no place is given."""
    import numpy as np

    from skylift.adapters.atmosphere_maps import packaged_atmosphere
    from skylift.base.errors import Refused
    from skylift.base.geodesy import Place
    from skylift.sky.radio.atmosphere import SlantPaths, clear_air_db, climate_at, exceeded
    from skylift.sky.radio.link_budget import Surroundings

    latitude, longitude = place_deg
    if latitude is None or longitude is None:
        # With an azimuth, a latitude alone says where the dish leans.
        wanted = exceeded_fraction is not None or longitude is not None
        if wanted or (latitude is not None and not leans):
            raise Refused("link.place", "--lat and --lon", "air is that of a place", "give both of them")
        return lambda elevation_rad: Surroundings()
    where = Place(latitude, longitude)
    maps = packaged_atmosphere()
    climate = climate_at(maps, np.radians([where.latitude_deg]), np.radians([where.longitude_deg]))

    def air(elevation_rad: Floats) -> Surroundings:
        # The size matters to scintillation alone; of an antenna that sends it is not in the file.
        size_m = link.receive_diameter_m if link.ground_receives else 0.5
        paths = SlantPaths(link.frequency_hz, elevation_rad, antenna_diameter_m=size_m)
        here = climate.take(np.zeros(len(elevation_rad), dtype=np.intp))
        if exceeded_fraction is None:
            return Surroundings(atmosphere_loss_db=clear_air_db(maps.gases, here, paths))
        try:
            loss = exceeded(maps.gases, here, paths, exceeded_fraction)
        except Refused as wrong:
            if wrong.code != "atmosphere.exceeded_fraction":
                raise
            raise Refused(wrong.code, "--exceeded-fraction", wrong.rule, wrong.way_out) from None
        return Surroundings(atmosphere_loss_db=loss.total_db, absorbed_db=loss.absorbed_db)

    return air


def _off_boresight_rad(link: Link, direction_deg: tuple[float, float], latitude_deg: float | None) -> float:
    import numpy as np

    from skylift.adapters.antennas import packaged_antenna
    from skylift.base.geodesy import Place
    from skylift.sky.coverage.sites import sites_of
    from skylift.sky.radio.antenna_pattern import off_boresight_rad

    # Only the hemisphere counts: the boresight leans toward the pole, by the model's angle.
    sites = sites_of(
        [Place(50.0 if latitude_deg is None else latitude_deg, 0.0)], [packaged_antenna(link.ground_antenna)]
    )
    angles = np.radians(direction_deg)
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
        ("scan loss", _db(row["scan_loss_db"]), "dB"),
        ("atmosphere", f"{row['atmosphere_loss_db']:.2f}", "dB"),
        ("other losses", f"{row['other_losses_db']:.2f}", "dB"),
        ("G/T", f"{row['g_over_t_db_k']:.2f}", "dB/K"),
        ("C/N", _db(row["c_n_db"]), "dB"),
        ("C/I", _db(row["c_i_db"]), "dB"),
        ("C/(N+I)", _db(row["c_ni_db"]), "dB"),
        ("MODCOD", modcod, ""),
        ("spectral efficiency", f"{row['spectral_efficiency']:.3f}", "bit/s/Hz"),
        ("duty", f"{row['duty_fraction']:g}", ""),
        ("rate", f"{row['rate_bps'] / 1e6:,.1f}", f"Mbit/s in one of {row['channels']} channels"),
    ]
    return lines


def _db(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
