"""Make the packaged country outlines from Natural Earth 1:10m, mended. Build time only, never at run time.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 -m venv build/outlines && build/outlines/bin/pip install shapely==2.2.0 pycountry==26.2.16 numpy
    build/outlines/bin/python tools/make_outlines.py package/countries-10m.json src/skylift/data/outlines

What it mends is told in docs/why/006-places-and-ground.md: Crimea and Sevastopol belong to Ukraine; every
outline has its ISO 3166 code; rings are cut at the antimeridian; none spans more than 180 degrees.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pycountry
import shapely
from shapely.affinity import translate
from shapely.geometry import Polygon, box

# A thousandth of a degree is 111 m at most; Natural Earth 1:10m itself is drawn to about a kilometre.
UNITS_PER_DEGREE = 1000

# Features without an ISO 3166 code in the source, and where their land goes. None: left out, being reefs that
# several states claim.
WITHOUT_CODE = {
    "Kosovo": "XK",  # user-assigned code, used by the EU, the IMF and the World Bank
    "Somaliland": "SO",
    "N. Cyprus": "CY",
    "Cyprus U.N. Buffer Zone": "CY",
    "Dhekelia": "GB",  # sovereign base areas
    "Akrotiri": "GB",
    "USNB Guantanamo Bay": "CU",
    "Siachen Glacier": "IN",
    "Baikonur": "KZ",  # leased
    "Indian Ocean Ter.": "AU",  # parted below into CC and CX
    "Coral Sea Is.": "AU",
    "Clipperton I.": "FR",
    "Bajo Nuevo Bank": "CO",
    "Serranilla Bank": "CO",
    "Spratly Is.": None,
    "Scarborough Reef": None,
}

# Parts of a feature that have an ISO 3166 code of their own: (west, south, east, north) -> code.
PARTS: dict[str, list[tuple[tuple[float, float, float, float], str]]] = {
    "FR": [
        ((-55, 2, -51, 6), "GF"),
        ((-61.3, 14.3, -60.7, 15.0), "MQ"),
        ((-62, 15.7, -60.9, 16.6), "GP"),
        ((55, -22, 56, -20), "RE"),
        ((44.9, -13.1, 45.4, -12.5), "YT"),
    ],
    "NO": [((-10, 70.5, -7, 72), "SJ"), ((10, 74, 34, 81), "SJ"), ((3, -55, 4, -54), "BV")],
    "NL": [((-69, 11.9, -68, 12.4), "BQ"), ((-63.5, 17.3, -62.8, 17.8), "BQ")],
    "NZ": [((-173, -10, -171, -8), "TK")],
    "AU": [((96, -13, 97.5, -11), "CC"), ((105, -11, 106, -10), "CX")],
}

# The part of Russia in the source that is Ukraine: the Autonomous Republic of Crimea and the city of
# Sevastopol (UN General Assembly resolution 68/262 of 27 March 2014).
CRIMEA = box(32.3, 44.2, 36.75, 46.3)

# Where ISO's own short name is turned round ("Korea, Republic of").
NAMES = {
    "BN": "Brunei",
    "BQ": "Bonaire, Sint Eustatius and Saba",
    "CD": "Democratic Republic of the Congo",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "IR": "Iran",
    "KP": "North Korea",
    "KR": "South Korea",
    "MF": "Saint Martin (French part)",
    "PS": "Palestine",
    "RU": "Russia",
    "SH": "Saint Helena, Ascension and Tristan da Cunha",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "United States Virgin Islands",
    "XK": "Kosovo",
}


# Smaller than the source's own grid: 0.49 km2 about St Peter's.
VATICAN = box(12.448, 41.900, 12.457, 41.906)

# Western Sahara north and west of the berm, which the source gives to Morocco: a non-self-governing territory
# on the UN's list since 1963; its northern border is the parallel of 27 degrees 40 minutes.
WESTERN_SAHARA = box(-17.5, 20.5, -8.66, 27.6667)

# Names that people also type.
ALSO = {
    "CI": ["Ivory Coast"],
    "CV": ["Cape Verde"],
    "CZ": ["Czech Republic"],
    "GB": ["UK", "Great Britain"],
    "MM": ["Burma"],
    "NL": ["Holland"],
    "RU": ["Russian Federation"],
    "SZ": ["Swaziland"],
    "TL": ["East Timor"],
    "TR": ["Turkey"],
    "US": ["United States of America"],
}


def decoded_rings(topology: dict[str, Any]) -> list[np.ndarray]:
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]


def ring(arcs: list[np.ndarray], indices: list[int]) -> np.ndarray:
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.vstack([parts[0], *(p[1:] for p in parts[1:])])


def unwrapped(points: np.ndarray) -> np.ndarray:
    """Longitudes without jumps; a ring round a pole is closed along that pole."""
    step = (np.diff(points[:, 0]) + 180.0) % 360.0 - 180.0
    longitude = points[0, 0] + np.concatenate([[0.0], np.cumsum(step)])
    out = np.column_stack([longitude, points[:, 1]])
    if abs(out[-1, 0] - out[0, 0]) > 180.0:
        pole = -90.0 if out[:, 1].mean() < 0 else 90.0
        out = np.vstack([out, [out[-1, 0], pole], [out[0, 0], pole], out[0]])
    return out


def cut(shell: np.ndarray, holes: list[np.ndarray]) -> list[Polygon]:
    """A polygon in [-180, 180], cut at the antimeridian."""
    whole = shapely.make_valid(Polygon(unwrapped(shell)))
    middle = (whole.bounds[0] + whole.bounds[2]) / 2
    for hole in holes:
        lake = unwrapped(hole)
        turns = round((middle - lake[:, 0].mean()) / 360.0)
        whole = whole.difference(shapely.make_valid(Polygon(lake + np.array([360.0 * turns, 0.0]))))
    pieces = []
    for turn in (-360.0, 0.0, 360.0):
        piece = whole.intersection(box(turn - 180.0, -90.0, turn + 180.0, 90.0))
        pieces += polygons(translate(piece, xoff=-turn))
    return pieces


def narrow(polygon: Polygon) -> list[Polygon]:
    """A polygon wider than 180 degrees (Antarctica) in pieces of 90, so that no edge has two ways to go."""
    if polygon.bounds[2] - polygon.bounds[0] <= 180.0:
        return [polygon]
    return [p for west in (-180, -90, 0, 90) for p in polygons(polygon & box(west, -90, west + 90, 90))]


def polygons(geometry: shapely.Geometry) -> list[Polygon]:
    return [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon" and p.area > 0]


def pieces_by_code(topology: dict[str, Any]) -> dict[str, list[Polygon]]:
    arcs = decoded_rings(topology)
    found: dict[str, list[Polygon]] = defaultdict(list)
    for feature in topology["objects"]["countries"]["geometries"]:
        code = code_of(feature)
        if code is None:
            continue
        shapes = {"Polygon": [feature["arcs"]], "MultiPolygon": feature["arcs"]}[feature["type"]]
        for shape in shapes:
            # A ring of fewer than four points is an islet that the source's own grid has swallowed.
            rings = [r for r in (ring(arcs, indices) for indices in shape) if len(r) >= 4]
            if not rings:
                continue
            for piece in cut(rings[0], rings[1:]):
                found[part_of(code, piece)].append(piece)
    found["IT"] = [p for piece in found["IT"] for p in polygons(piece.difference(VATICAN))]
    found["VA"] = [VATICAN]
    found["EH"] += [p for piece in found["MA"] for p in polygons(piece & WESTERN_SAHARA)]
    found["MA"] = [p for piece in found["MA"] for p in polygons(piece - WESTERN_SAHARA)]
    return found


def code_of(feature: dict[str, Any]) -> str | None:
    name = feature["properties"]["name"]
    if feature.get("id") is None:
        return WITHOUT_CODE[name]
    code: str = pycountry.countries.get(numeric=feature["id"]).alpha_2
    return code


def part_of(code: str, piece: Polygon) -> str:
    if code == "RU" and CRIMEA.contains(piece):
        return "UA"
    return next((part for where, part in PARTS.get(code, []) if box(*where).contains(piece)), code)


def merged(pieces: list[Polygon]) -> list[Polygon]:
    """One country's pieces on the file's grid, without the borders that ran between them, largest first."""
    grid = 1.0 / UNITS_PER_DEGREE
    # Snapped first, so that pieces that share a border share it exactly and the union leaves no sliver.
    union = shapely.union_all([shapely.set_precision(p, grid) for p in pieces], grid_size=grid)
    pieces = [piece for p in polygons(union) for piece in narrow(p)]
    return sorted(pieces, key=lambda p: (-p.area, p.bounds))


def packed(polygon: Polygon) -> list[list[int]]:
    """Rings as whole thousandths of a degree: first point, then differences; without the closing point."""
    rings = []
    for line in (polygon.exterior, *polygon.interiors):
        points = np.rint(np.array(line.coords)[:-1] * UNITS_PER_DEGREE).astype(int)
        rings.append([int(v) for v in np.diff(points, axis=0, prepend=[[0, 0]]).ravel()])
    return rings


def names_of(code: str) -> tuple[str, str]:
    if code == "XK":
        return "XKX", NAMES[code]
    country = pycountry.countries.get(alpha_2=code)
    return country.alpha_3, NAMES.get(code) or getattr(country, "common_name", None) or country.name.split(
        ","
    )[0]


def main(source: Path, out: Path) -> None:
    raw = source.read_bytes()
    found = pieces_by_code(json.loads(raw))
    countries = []
    for code in sorted(found):
        alpha3, name = names_of(code)
        shapes = [packed(p) for p in merged(found[code])]
        if shapes:
            also = ALSO.get(code, [])
            countries.append({"code": code, "alpha3": alpha3, "name": name, "also": also, "polygons": shapes})
        else:
            print(f"{code} {name}: smaller than the grid, left out")
    document = {"schema": 1, "units_per_degree": UNITS_PER_DEGREE, "countries": countries}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    # mtime 0: the same input gives the same bytes.
    (out / "countries.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))
    points = sum(len(r) // 2 for c in countries for p in c["polygons"] for r in p)
    print(f"{len(countries)} countries, {points} points, {len(text)} bytes of JSON")
    print("source sha256", hashlib.sha256(raw).hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
