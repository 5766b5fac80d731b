"""How far skylift's atmosphere is from the library itur, over many places: a table of docs/why/010.

    python3 -m venv build/atmosphere && build/atmosphere/bin/pip install itur==0.4.0
    PYTHONPATH=src build/atmosphere/bin/python tools/compare_atmosphere.py

Frequencies from 11.7 to 30 GHz, elevations from 10 to 90 degrees, 0.01 to 5 % of the year.
"""

from __future__ import annotations

import time
import warnings

import itur
import numpy as np
import numpy.typing as npt
from itur.models import itu1511

from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.sky.radio.atmosphere import SlantPaths, climate_at, exceeded

Floats = npt.NDArray[np.float64]
PLACES = 1_500
FREQUENCIES_GHZ = (11.7, 14.25, 18.5, 20.0, 22.3, 28.5, 30.0)
ELEVATIONS_DEG = (10.0, 25.0, 40.0, 90.0)
PERCENTS = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0)
PARTS = ("gas", "cloud", "rain", "scintillation", "total")


def places(random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Uniform over the sphere between 70 degrees south and north; the altitude is the ground's."""
    limit = np.sin(np.radians(70.0))
    latitude = np.degrees(np.arcsin(random.uniform(-limit, limit, PLACES)))
    longitude = random.uniform(-180.0, 180.0, PLACES)
    ground_m = 1e3 * itu1511.topographic_altitude(latitude, longitude).value
    return latitude, longitude, np.maximum(ground_m, 0.0)


def main() -> None:
    warnings.simplefilter("ignore")
    latitude, longitude, altitude_m = places(np.random.default_rng(7))
    maps = packaged_atmosphere()
    climate = climate_at(maps, np.radians(latitude), np.radians(longitude), altitude_m)
    rows: dict[str, list[Floats]] = {part: [] for part in PARTS}
    sizes: dict[str, list[Floats]] = {part: [] for part in PARTS}
    library_s = 0.0
    for ghz in FREQUENCIES_GHZ:
        for elevation_deg in ELEVATIONS_DEG:
            paths = SlantPaths(ghz * 1e9, np.radians(elevation_deg))
            for percent in PERCENTS:
                begun_s = time.process_time()
                theirs = itur.atmospheric_attenuation_slant_path(
                    latitude,
                    longitude,
                    ghz,
                    elevation_deg,
                    percent,
                    0.5,
                    hs=altitude_m / 1e3,
                    eta=0.6,
                    return_contributions=True,
                )
                library_s += time.process_time() - begun_s
                ours = exceeded(maps.gases, climate, paths, percent / 100.0)
                for part, their in zip(PARTS, theirs, strict=True):
                    size = np.asarray(their.value).ravel()
                    rows[part].append(np.abs(getattr(ours, f"{part}_db") - size))
                    sizes[part].append(size)
    print("| | median loss dB | median error dB | 95 % below | 99.9 % below | worst |")
    print("|---|---:|---:|---:|---:|---:|")
    for part in PARTS:
        error, size = np.concatenate(rows[part]), np.concatenate(sizes[part])
        known = np.isfinite(size)
        error, size = error[known], size[known]
        most = np.argmax(error)
        shares = [np.quantile(error, q) for q in (0.5, 0.95, 0.999)]
        print(
            f"| {part} | {np.median(size):.2f} | "
            + " | ".join(f"{x:.4f}" for x in shares)
            + f" | {error[most]:.3f} (of {size[most]:.1f}) |"
        )
    ghz_error = np.array(rows["total"]).reshape(len(FREQUENCIES_GHZ), -1)
    for ghz, error in zip(FREQUENCIES_GHZ, ghz_error, strict=True):
        print(f"total at {ghz:g} GHz: median {np.nanmedian(error):.4f}, worst {np.nanmax(error):.3f} dB")
    count = sum(size.size for size in sizes["total"])
    print(f"{count} points; the library took {1e6 * library_s / count:.0f} us of CPU each")


if __name__ == "__main__":
    main()
