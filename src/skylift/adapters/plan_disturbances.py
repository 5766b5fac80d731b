"""Weather and jamming over a region and its gateways, from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.base.errors import Refused
from skylift.sky.coverage.sites import Sites, sites_of
from skylift.sky.radio.air_over import Air
from skylift.sky.radio.atmosphere import climate_at
from skylift.sky.radio.jam_field import Against, JamField, jam_field
from skylift.sky.radio.jam_view import JamView, jam_view
from skylift.sky.radio.power import Floats
from skylift.sky.radio.rain_field import RainCell, rain_field
from skylift.sky.schedule.supply import Disturbances
from skylift.study.capacity import CapacityCase


def read_rain(path: Path | None) -> tuple[RainCell, ...]:
    """Cells of rain from a file of docs/reference/rain-file.md; none without a file."""
    return () if path is None else rain_field(_text(path, "plan.rain"), path.name)


def air_over(latitude_rad: Floats, longitude_rad: Floats, rain: tuple[RainCell, ...]) -> Air:
    """Gases and clouds at their median over places (M,), and the rain that passes there."""
    maps = packaged_atmosphere()
    return Air(maps, climate_at(maps, latitude_rad, longitude_rad), rain)


def jam_over(path: Path | None, sites: Sites, norad: npt.NDArray[np.int32]) -> JamView | None:
    """Disturbances from a file of docs/reference/jam-file.md as these sites meet them; None: no file."""
    return None if path is None else jam_view(_jam_field(path), sites, norad)


def disturbed(case: CapacityCase, rain: Path | None, jam: Path | None) -> CapacityCase:
    """The case with the air over its own cells and gateways, and the disturbances that these meet."""
    users = sites_of(case.region.places, [case.user_antenna] * len(case.region))
    gateways = sites_of([g.place for g in case.gateways], [case.gateway_antenna] * len(case.gateways))
    cells = read_rain(rain)
    disturbances = Disturbances(
        user_air=air_over(users.latitude_rad, users.longitude_rad, cells),
        gateway_air=air_over(gateways.latitude_rad, gateways.longitude_rad, cells),
        jam=jam_over(jam, users, case.catalogue.norad),
    )
    return replace(case, disturbances=disturbances)


def without_effect(rain: Path | None, jam: Path | None, slots_us: Sequence[int]) -> list[str]:
    """Notes on files of which nothing lasts in any slot: most likely the study is of another day."""
    notes = []
    if rain is not None and not any(c.from_us <= at < c.until_us for c in read_rain(rain) for at in slots_us):
        notes.append(f"{rain.name} changes nothing: it rains in none of the slots looked at")
    if jam is not None:
        field = _jam_field(jam)
        if not any(field.is_active(against, at) for at in slots_us for against in Against):
            notes.append(f"{jam.name} changes nothing: nobody disturbs in any of the slots looked at")
    return notes


def _jam_field(path: Path) -> JamField:
    return jam_field(_text(path, "plan.jam"), path.name)


def _text(path: Path, code: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(code, path.name, f"it cannot be read ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise Refused(code, path.name, "it is not UTF-8 text", "save it as UTF-8") from None
