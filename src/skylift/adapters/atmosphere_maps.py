"""The packaged maps of rain, clouds and vapour, decoded; see data/atmosphere/SOURCE.toml."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.adapters.packaged import packaged_bytes
from skylift.base.errors import Refused
from skylift.sky.radio.atmosphere import AtmosphereMaps
from skylift.sky.radio.atmosphere_air import GasTables
from skylift.sky.radio.atmosphere_grid import GeoMap, Table

_FILE = "atmosphere/atmosphere.npz"


@cache
def packaged_atmosphere() -> AtmosphereMaps:
    """The maps that skylift is shipped with: 1.4 MB packed, 22 MB as arrays."""
    return decode_atmosphere(packaged_bytes(_FILE), _FILE)


def read_atmosphere(path: Path) -> AtmosphereMaps:
    """Maps of one's own, as tools/make_atmosphere_maps.py writes them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error.strerror or "it cannot be read") from None
    return decode_atmosphere(content, str(path))


def decode_atmosphere(content: bytes, source: str) -> AtmosphereMaps:
    """The npz that tools/make_atmosphere_maps.py writes. Raises Refused for any other content."""
    try:
        # No pickle: an array file must not be able to run anything.
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return _maps(dict(file))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise _unreadable(source, "it is not a file of atmosphere maps") from None


def _unreadable(source: str, rule: str) -> Refused:
    return Refused(
        "atmosphere.unreadable",
        source,
        rule,
        "make one with tools/make_atmosphere_maps.py, or use the packaged",
    )


def _maps(arrays: dict[str, npt.NDArray[Any]]) -> AtmosphereMaps:
    def geo(name: str) -> GeoMap:
        steps = arrays[name]
        values = np.cumsum(steps, axis=-1, dtype=np.int32) * float(arrays[f"{name}_scale"])
        return GeoMap(values.astype(np.float32), 360.0 / steps.shape[-1])

    ln_rain = geo("ln_rain_rate")
    frequency_hz = arrays["frequency_hz"]
    dry = Table(
        (frequency_hz, arrays["gas_altitude_m"], arrays["gas_temperature_k"]),
        arrays["dry_db"].astype(np.float64),
    )
    wet = Table((frequency_hz, arrays["gas_ln_vapour"]), arrays["wet_db_per_kg"].astype(np.float64))
    return AtmosphereMaps(
        GeoMap(np.expm1(ln_rain.values), ln_rain.step_deg),
        geo("rain_height_m"),
        geo("altitude_m"),
        geo("temperature_k"),
        geo("wet_refractivity"),
        geo("liquid_kg_per_m2"),
        geo("vapour_at_sea_kg_per_m2"),
        geo("vapour_height_m"),
        arrays["levels"],
        GasTables(dry, wet),
    )
