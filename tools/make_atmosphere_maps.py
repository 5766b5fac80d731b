"""Make the packaged maps of the atmosphere from the ITU-R's, and golden values to test with. Build time only.

    python3 -m venv build/atmosphere && build/atmosphere/bin/pip install itur==0.4.0
    build/atmosphere/bin/python tools/make_atmosphere_maps.py

writes src/skylift/data/atmosphere/atmosphere.npz and tests/vectors/itu-r-golden.toml. The library takes
171 MB, the file one: docs/why/010-atmosphere.md. Each map is stored as steps of (value / scale),
rounded, from one column to the next: deflate does more good to these than to the values.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import itur
import numpy as np
import numpy.typing as npt
from itur.models import itu676, itu836, itu837, itu1511
from itur.utils import dataset_dir, load_data

Floats = npt.NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
MAPS = ROOT / "src" / "skylift" / "data" / "atmosphere" / "atmosphere.npz"
GOLDEN = ROOT / "tests" / "vectors" / "itu-r-golden.toml"

# Shares of the year, in percent. P.836 and P.840 have ten more; between 5 and 50 % these are enough.
PERCENTS = (1, 2, 3, 5, 20, 50)
# The tables' frequencies: from C band to Q band, and the E band of gateways; not oxygen's lines between.
FREQUENCIES_GHZ = np.concatenate([np.arange(4.0, 50.01, 0.25), np.arange(70.0, 90.01, 0.25)])
ALTITUDES_M = np.arange(-1_000.0, 6_001.0, 1_000.0)
TEMPERATURES_K = np.arange(220.0, 316.0, 15.0)
LN_VAPOURS = np.linspace(np.log(0.2), np.log(120.0), 24)

GOLDEN_POINTS = 400
SEED = 20_261_122


def raw(name: str) -> Floats:
    """One of the library's own grids, north at the top, columns from 180 W, the repeated column left out."""
    values: Floats = load_data(f"{dataset_dir}/{name}.npz")
    latitude, longitude = (load_data(f"{dataset_dir}/{n}.npz") for n in _axes_of(name))
    if latitude[0, 0] < latitude[-1, 0]:
        values = values[::-1]
    values = values[:, :-1]
    if longitude[0, 0] == 0.0:
        values = np.roll(values, values.shape[1] // 2, axis=1)
    return _without_holes(values)


def _axes_of(name: str) -> tuple[str, str]:
    folder, _, file = name.partition("/")
    suffix = {"837": "_r001", "453": "_n"}.get(folder, "")
    stem = "esa" if folder == "839" else ""
    head = f"{folder}/{file.split('_')[0]}_{stem}"
    return f"{head}lat{suffix}", f"{head}lon{suffix}"


def _without_holes(values: Floats) -> Floats:
    """Some rows near a pole hold nan: filled from the nearest row towards the equator."""
    filled = values.copy()
    rows = filled.shape[0]
    for row in [*range(rows // 2, rows), *range(rows // 2, -1, -1)]:
        inner = row - 1 if row > rows // 2 else row + 1
        hole = np.isnan(filled[row])
        filled[row, hole] = filled[inner, hole]
    return filled


def grid(step_deg: float) -> tuple[Floats, Floats]:
    latitude = 90.0 - step_deg * np.arange(round(180 / step_deg) + 1)
    longitude = -180.0 + step_deg * np.arange(round(360 / step_deg))
    latitudes, longitudes = np.meshgrid(latitude, longitude, indexing="ij")
    return latitudes, longitudes


def steps(values: Floats, scale: float) -> npt.NDArray[np.signedinteger[Any]]:
    """(value / scale) rounded, as steps along the last axis; decoded by a cumulative sum."""
    whole = np.round(values / scale).astype(np.int64)
    delta = np.diff(whole, axis=-1, prepend=0)
    most = np.abs(delta).max()
    assert most < 2**15
    return delta.astype(np.int8 if most < 2**7 else np.int16)


def maps() -> dict[str, Any]:
    """name -> steps as whole numbers, name_scale, and for the tables of gases float32 and their axes."""
    out: dict[str, Any] = {}

    def add(name: str, values: Floats, scale: float) -> None:
        out[name], out[f"{name}_scale"] = steps(values, scale), np.float64(scale)

    # As ln(1 + R), so that rounding costs the same share everywhere, half a percent at most.
    add("ln_rain_rate", np.log1p(raw("837/v7_r001")), 0.01)
    add("rain_height_m", 1e3 * (raw("839/v4_esa0height") + 0.36), 10.0)
    latitude, longitude = grid(0.5)
    add("altitude_m", 1e3 * itu1511.topographic_altitude(latitude, longitude).value, 20.0)
    add("temperature_k", raw("1510/v1_t_annual"), 0.5)
    add("wet_refractivity", raw("453/v13_nwet_annual_50"), 1.0)
    liquid = np.stack([raw(f"840/v7_lred_{percent}") for percent in PERCENTS])
    add("liquid_kg_per_m2", liquid, 0.01)
    latitude, longitude = grid(1.125)
    ground_km = itu836._ITU836_6().topo_alt(latitude, np.mod(longitude, 360.0))
    height_km = np.stack([raw(f"836/v6_vsch_{percent}") for percent in PERCENTS])
    height_km = 0.1 * np.round(10.0 * height_km)
    column = np.stack([raw(f"836/v6_v_{percent}") for percent in PERCENTS])
    add("vapour_height_m", 1e3 * height_km, 100.0)
    add("vapour_at_sea_kg_per_m2", column * np.exp(ground_km / height_km), 0.2)
    out["levels"] = np.array(PERCENTS) / 100.0
    return out | gas_tables()


def gas_tables() -> dict[str, Any]:
    """Zenith attenuation of dry air, and of water vapour at sea level by its column (P.676-12, Annex 2)."""
    altitude, temperature = np.meshgrid(ALTITUDES_M, TEMPERATURES_K, indexing="ij")
    pressure = itur.models.itu835.standard_pressure(altitude / 1e3).value
    # Vapour broadens oxygen's lines a little: 80 % of saturation (P.453-13, eq. 9) stands for all places.
    celsius = temperature - 273.15
    density = 0.8 * 216.7 / temperature * 6.1121 * np.exp(17.502 * celsius / (240.97 + celsius))
    vapour = np.exp(LN_VAPOURS)
    dry_db, wet_db = [], []
    # Frequency by frequency: the library would else make a product of all with all.
    for f in FREQUENCIES_GHZ:
        gamma = itu676.gamma0_exact(f, pressure, density, temperature).value
        height = itu676.slant_inclined_path_equivalent_height(f, pressure, density, temperature).value[..., 0]
        dry_db.append(gamma * height)
        wet_db.append(itu676.zenit_water_vapour_attenuation(0.0, 0.0, 50.0, f, V_t=vapour, h=0.0).value)
    return {
        "frequency_hz": FREQUENCIES_GHZ * 1e9,
        "gas_altitude_m": ALTITUDES_M,
        "gas_temperature_k": TEMPERATURES_K,
        "gas_ln_vapour": LN_VAPOURS,
        "dry_db": np.array(dry_db, dtype=np.float32),
        "wet_db_per_kg": (np.array(wet_db).reshape(-1, vapour.size) / vapour).astype(np.float32),
    }


def library(point: dict[str, float]) -> tuple[float, ...]:
    """gas, cloud, rain, scintillation and total, as the library has them, dB."""
    values = itur.atmospheric_attenuation_slant_path(
        point["latitude_deg"],
        point["longitude_deg"],
        point["frequency_ghz"],
        point["elevation_deg"],
        point["percent"],
        point["diameter_m"],
        hs=point["altitude_m"] / 1e3,
        eta=0.6,
        tau=45.0,
        return_contributions=True,
    )
    return tuple(float(np.asarray(value.value).squeeze()) for value in values)


def golden_points(count: int, seed: int) -> list[dict[str, float]]:
    """Kyiv and Singapore, then random places, with altitudes of the library's own map."""
    random = np.random.default_rng(seed)
    points = []
    known = [(50.45, 30.52), (1.35, 103.82)]
    bands_ghz = (11.7, 14.25, 19.0, 28.5)
    for latitude, longitude in known:
        for f in bands_ghz:
            points += [(latitude, longitude, f, 40.0, percent) for percent in (1.0, 0.1, 0.01)]
    while len(points) < count:
        # Uniform over the sphere without the polar caps, where nobody has a dish and little rain falls.
        latitude = float(np.degrees(np.arcsin(random.uniform(-0.94, 0.94))))
        points.append(
            (
                latitude,
                float(random.uniform(-180, 180)),
                float(random.uniform(11.7, 30.0)),
                float(random.uniform(10.0, 90.0)),
                float(10 ** random.uniform(-2.0, np.log10(5.0))),
            )
        )
    names = ("latitude_deg", "longitude_deg", "frequency_ghz", "elevation_deg", "percent")
    rounded = [dict(zip(names, (round(x, 4) for x in point), strict=True)) for point in points]
    for point in rounded:
        ground = itu1511.topographic_altitude(point["latitude_deg"], point["longitude_deg"]).value
        point["altitude_m"] = round(max(0.0, 1e3 * float(np.asarray(ground).squeeze())), 1)
        point["diameter_m"] = 0.5
    return rounded


def write_golden() -> None:
    points = golden_points(GOLDEN_POINTS, SEED)
    results = np.array([library(point) for point in points])
    columns = {name: [point[name] for point in points] for name in points[0]}
    for name, column in zip(("gas", "cloud", "rain", "scintillation", "total"), results.T, strict=True):
        columns[f"{name}_db"] = [round(float(value), 5) for value in column]
    lines = [
        "# Attenuation by the atmosphere as the Python library itur has it (ITU-R P.618-13, P.676-12,",
        "# P.836-6, P.837-7, P.838-3, P.839-4, P.840-8, P.453-13, P.1510-1): tools/make_atmosphere_maps.py.",
        "# Circular polarisation, antenna efficiency 0.6. percent: share of an average year, in percent.",
        "# The first 24 are Kyiv and Singapore, the others random, at the altitude of the ground (sea: 0).",
        "",
        f'library = "itur {version("itur")}"',
        "",
        "[columns]",
    ]
    for name, column in columns.items():
        lines += [f"{name} = [", *_wrapped(column), "]"]
    GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{GOLDEN.relative_to(ROOT)}: {len(points)} points, {GOLDEN.stat().st_size} bytes")


def _wrapped(column: list[float]) -> list[str]:
    return ["    " + ", ".join(f"{x:g}" for x in column[i : i + 12]) + "," for i in range(0, len(column), 12)]


def main() -> None:
    warnings.simplefilter("ignore")
    assert itu837.get_version() == 7, "the maps are those of P.837-7"
    MAPS.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(MAPS, **maps())
    print(f"{MAPS.relative_to(ROOT)}: {MAPS.stat().st_size} bytes")
    write_golden()


if __name__ == "__main__":
    main()
