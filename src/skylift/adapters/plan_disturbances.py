"""Weather and jamming over a region and its gateways, from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.base.errors import Refused
from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.air_over import Air
from skylift.sky.radio.atmosphere import climate_at
from skylift.sky.radio.jam_field import jam_field
from skylift.sky.radio.jam_view import JamView, jam_view
from skylift.sky.radio.power import Floats
from skylift.sky.radio.rain_field import RainCell, rain_field


def read_rain(path: Path | None) -> tuple[RainCell, ...]:
    """Cells of rain from a file of docs/reference/rain-file.md; none without a file."""
    return () if path is None else rain_field(_text(path, "plan.rain"), path.name)


def air_over(latitude_rad: Floats, longitude_rad: Floats, rain: tuple[RainCell, ...]) -> Air:
    """Gases and clouds at their median over places (M,), and the rain that passes there."""
    maps = packaged_atmosphere()
    return Air(maps, climate_at(maps, latitude_rad, longitude_rad), rain)


def jam_over(path: Path | None, sites: Sites, norad: npt.NDArray[np.int32]) -> JamView | None:
    """Disturbances from a file of docs/reference/jam-file.md as these sites meet them; None: no file."""
    return None if path is None else jam_view(jam_field(_text(path, "plan.jam"), path.name), sites, norad)


def _text(path: Path, code: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(code, path.name, f"it cannot be read ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise Refused(code, path.name, "it is not UTF-8 text", "save it as UTF-8") from None
