"""Areas from disk: the packaged outlines of countries, and one's own GeoJSON files."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources
from pathlib import Path

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.places import Countries, Outline, outline_of_geojson


@cache
def packaged_countries() -> Countries:
    """Outlines of all countries; where from and how mended: data/outlines/SOURCE.toml."""
    packed = resources.files("skylift.data").joinpath("outlines", "countries.json.gz").read_bytes()
    return Countries(json.loads(gzip.decompress(packed)))


def country_outline(wanted: str) -> Outline:
    """The outline of a country by ISO 3166 code or English name."""
    return packaged_countries().outline(wanted)


def country_of(place: Place) -> str | None:
    """The ISO 3166 alpha-2 code of the country that a place lies in; None at sea."""
    return packaged_countries().country_of(place)


def packaged_area(name: str) -> Outline:
    """One of the areas of data/areas, such as "ua-not-government-held-2022-02-23"."""
    folder = resources.files("skylift.data").joinpath("areas")
    file = folder.joinpath(f"{name}.geojson")
    if not file.is_file():
        known = sorted(
            f.name.removesuffix(".geojson") for f in folder.iterdir() if f.name.endswith(".geojson")
        )
        raise Refused(
            "area.unknown", f"area {name[:60]!r}", "it is not a packaged one", f"known: {', '.join(known)}"
        )
    return outline_of_geojson(json.loads(file.read_text("utf-8")), name)


def read_outline(path: Path | str) -> Outline:
    """An area from a GeoJSON file. Errors name the file and the ring, never coordinates."""
    path = Path(path)
    thing = f"area file {path.name}"
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(
            "area.no_file", thing, f"it cannot be read ({error.strerror})", "check the path"
        ) from None
    except UnicodeDecodeError:
        raise Refused("area.unreadable", thing, "it is not UTF-8 text", "save it as UTF-8") from None
    if not text.strip():
        raise Refused("area.empty", thing, "the file is empty", "give GeoJSON with at least one polygon")
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(
            "area.unreadable",
            thing,
            f"the JSON breaks off or is malformed in line {error.lineno}",
            "export it again, or mend that line",
        ) from None
    except RecursionError:
        raise Refused("area.unreadable", thing, "it is nested too deeply", "see RFC 7946") from None
    return outline_of_geojson(data, thing)
