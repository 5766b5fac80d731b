"""Where entities are: outlines from a GeoJSON file, or of countries where entities are those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from skylift.adapters.need_files import Areas
from skylift.adapters.outlines import country_outline
from skylift.base.errors import Refused
from skylift.base.places import Outline, outline_of_geojson


def areas_of(entities: Iterable[str], file: Path | None, properties: Sequence[str]) -> dict[str, Outline]:
    """Outlines by entity; those that have none are left out. Raises Refused where a file fits no entity."""
    names = list(entities)
    if file is None:
        return _countries(names)
    features = Areas.read(file, properties).features
    found = {name: outline_of_geojson(features[name], "area") for name in names if name in features}
    if not found:
        raise Refused(
            "outages.areas",
            file.name,
            "none of its features is named as an entity is",
            f"entities are named like {names[0]!r}: name the properties with --area-properties",
        )
    return found


def _countries(names: Sequence[str]) -> dict[str, Outline]:
    """Of names such as UA or country/UA."""
    found = {}
    for name in names:
        code = name.removeprefix("country/")
        if len(code) == 2 and code.isascii() and code.isupper():
            try:
                found[name] = country_outline(code)
            except Refused:
                continue
    return found
