"""Make data/areas/ua-not-government-held-2022-02-23.geojson, at build time, in the venv of make_outlines.py.

python tools/make_areas.py package/countries-10m.json src/skylift/data/areas
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import shapely
from make_outlines import CRIMEA, merged, pieces_by_code
from shapely.geometry import Polygon, mapping

# The line of contact of 2015 to February 2022, north to south, (longitude, latitude), drawn by hand between
# settlements that the daily reports of the OSCE Special Monitoring Mission name as government-controlled or
# not. Each point notes the settlements it passes between: government-held / not.
LINE_OF_CONTACT = [
    (40.30, 48.60),  # in Russia
    (39.75, 48.60),  # Siverskyi Donets at the border
    (39.48, 48.64),  # Stanytsia Luhanska / the bridge to Luhansk
    (39.30, 48.70),  # Shchastia / Luhansk
    (39.00, 48.72),  # Trokhizbenka / Slovianoserbsk
    (38.80, 48.70),  # Krymske / Holubivske
    (38.66, 48.68),  # Novotoshkivske / Donetskyi
    (38.54, 48.66),  # Zolote / Pervomaisk
    (38.45, 48.61),  # Popasna / Pervomaisk
    (38.42, 48.52),  # Troitske / Kadiivka
    (38.32, 48.44),  # Svitlodarsk, Luhanske / Debaltseve
    (38.18, 48.39),  # Luhanske / Holmivskyi
    (38.03, 48.38),  # Zaitseve, through the village
    (37.93, 48.34),  # Toretsk / Horlivka
    (37.92, 48.25),  # Verkhnotoretske / Horlivka
    (37.82, 48.17),  # Kamianka / Yasynuvata
    (37.78, 48.12),  # Avdiivka / Yasynuvata
    (37.72, 48.07),  # Pisky / Donetsk airport
    (37.58, 48.00),  # Krasnohorivka / Donetsk
    (37.54, 47.94),  # Marinka / Oleksandrivka
    (37.57, 47.86),  # Novomykhailivka / Olenivka
    (37.61, 47.76),  # Novotroitske / Dokuchaievsk
    (37.68, 47.66),  # Bohdanivka / Styla
    (37.82, 47.52),  # Hranitne / Staromarivka, along the Kalmius
    (37.93, 47.42),  # Hranitne / Boikivske
    (37.89, 47.30),  # Pavlopil / Verkhnoshyrokivske
    (37.90, 47.18),  # Vodiane / Pikuzy
    (37.90, 47.09),  # Shyrokyne / Bezimenne
    (37.90, 46.80),  # in the Sea of Azov
]
EAST_OF_IT = [(40.30, 46.80)]


def rounded(polygon: Polygon) -> list[list[list[float]]]:
    return [[[round(x, 3), round(y, 3)] for x, y in ring] for ring in mapping(polygon)["coordinates"]]


def feature(name: str, accuracy_km: float, shapes: list[Polygon]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"name": name, "accuracy_km": accuracy_km},
        "geometry": {"type": "MultiPolygon", "coordinates": [rounded(p) for p in shapes]},
    }


def main(source: Path, out: Path) -> None:
    topology = json.loads(source.read_bytes())
    ukraine = pieces_by_code(topology)["UA"]
    crimea = [p.simplify(0.005) for p in ukraine if CRIMEA.contains(p) and p.area > 1.0]
    whole = shapely.union_all(merged(ukraine))
    beyond = whole & Polygon([*LINE_OF_CONTACT, *EAST_OF_IT])
    donbas = [p.simplify(0.005) for p in shapely.get_parts(beyond) if p.area > 0.001]
    document = {
        "type": "FeatureCollection",
        "features": [
            feature("Autonomous Republic of Crimea and city of Sevastopol", 2, crimea),
            feature("parts of Donetsk and Luhansk oblasts east and south of the line of contact", 10, donbas),
        ],
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    (out / "ua-not-government-held-2022-02-23.geojson").write_text(text + "\n", "utf-8")
    print(len(text), "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
