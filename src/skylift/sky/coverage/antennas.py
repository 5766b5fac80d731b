"""Antenna models from their TOML text."""

from __future__ import annotations

from itertools import pairwise

from skylift.base.strict import StrictTable, read_toml
from skylift.sky.coverage.sites import AntennaModel

_KEYS = (
    "source",
    "minimum_elevation_deg",
    "boresight_tilt_deg",
    "boresight",
    "boresight_azimuth_deg",
    "field_of_view_deg",
    "arc_separation_deg",
    "horizon_mask",
)


def antenna_models(text: str, source: str) -> dict[str, AntennaModel]:
    """Models by name from a text of [antenna.NAME] tables; `source` names the file in errors."""
    root = read_toml(text, source).table(known=("antenna",))
    return {name: _model(name, table) for name, table in root.subtables("antenna", _KEYS).items()}


def _model(name: str, table: StrictTable) -> AntennaModel:
    toward_pole = table.choice("boresight", ("toward-pole", "fixed"), "fixed") == "toward-pole"
    if toward_pole and table.has("boresight_azimuth_deg"):
        raise table.refused(
            "boresight_azimuth_deg",
            "a boresight leans toward the pole or to an azimuth, not both",
            "remove one of the two keys",
        )
    return AntennaModel(
        name=name,
        source=table.text("source"),
        minimum_elevation_deg=table.number("minimum_elevation_deg", 25.0, minimum=-5, maximum=90),
        boresight_tilt_deg=table.number("boresight_tilt_deg", 0.0, minimum=0, maximum=90),
        boresight_azimuth_deg=table.number("boresight_azimuth_deg", 0.0, minimum=0, maximum=360),
        field_of_view_deg=table.number("field_of_view_deg", 90.0, minimum=0, maximum=90),
        arc_separation_deg=table.number("arc_separation_deg", 0.0, minimum=0, maximum=90),
        horizon_mask=horizon_mask(table),
        tilt_toward_pole=toward_pole,
    )


def horizon_mask(table: StrictTable) -> tuple[tuple[float, float], ...]:
    """The corners (azimuth, elevation), degrees, of what stands before a site; () for nothing."""
    mask = tuple(
        (
            corner.number("azimuth_deg", minimum=0, maximum=360),
            corner.number("elevation_deg", minimum=-90, maximum=90),
        )
        for corner in table.tables("horizon_mask", known=("azimuth_deg", "elevation_deg"))
    )
    if any(a[0] >= b[0] for a, b in pairwise(mask)):
        raise table.refused("horizon_mask", "the azimuths of a horizon mask ascend", "sort its corners")
    return mask
