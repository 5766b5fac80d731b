"""What a reckoning of need is made from: detected outages, areas, people, sites."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skylift.adapters.detected_events import check_events
from skylift.adapters.outlines import country_outline
from skylift.adapters.packaged import packaged_bytes
from skylift.adapters.people_files import RESOLUTION, read_people
from skylift.adapters.sites_file import ReadSite, read_sites
from skylift.base.errors import Refused
from skylift.base.instants import format_instant, parse_instant
from skylift.base.places import cells_of, outline_of_geojson
from skylift.base.texts import printable
from skylift.study.need import Cut, NeedSite, Stated, network_of

__all__ = [
    "Areas",
    "area_of_entity",
    "cuts_of",
    "need_sites",
    "need_sites_of",
    "people_of",
    "read_cuts",
    "read_people",
    "unjudged",
]


# data/people/SOURCE.toml
PACKAGED_PEOPLE = (
    "people are of the packaged list (GeoNames, settlements of 500 and more, of different years): who lives "
    "outside them is missing (Ukraine has 37.7 of 40 million, the world 3.9 of 8 billion), others are "
    "up to a quarter too high"
)


@dataclass(frozen=True, slots=True)
class Areas:
    """Where entities are: a GeoJSON file whose features are named by these properties, joined by a slash."""

    features: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, properties: Iterable[str]) -> Areas:
        names = tuple(properties)
        document = _json(path)
        features: dict[str, list[Any]] = {}
        for feature in document.get("features", []) if isinstance(document, dict) else []:
            values = (feature.get("properties") or {}) if isinstance(feature, dict) else {}
            name = "/".join(printable(str(values.get(one, ""))) for one in names)
            features.setdefault(name, []).append(feature)
        features.pop("", None)
        if not features:
            raise Refused(
                "need.areas",
                path.name,
                f"no feature has the properties {', '.join(names)}",
                "give a GeoJSON FeatureCollection, and name its properties with --area-properties",
            )
        return cls({name: {"type": "FeatureCollection", "features": some} for name, some in features.items()})

    def cells(self, entity: str) -> frozenset[str] | None:
        """The cells of an entity's area; None where the file has none of this name."""
        found = self.features.get(entity)
        return None if found is None else frozenset(cells_of(outline_of_geojson(found, "area"), RESOLUTION))


def people_of(countries: Iterable[str]) -> dict[str, int]:
    """People by cell in these countries (ISO 3166 alpha-2), from the packaged list."""
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    # Without threads of Arrow: a command that ends at once with some at work was aborted (exit 134).
    file = parquet.ParquetFile(pa.BufferReader(packaged_bytes("people/people.parquet")))
    table = file.read(use_threads=False)
    wanted = pa.array(sorted(set(countries)), pa.string())
    table = table.filter(compute.is_in(table["country"].cast(pa.string()), value_set=wanted))
    cells, people = table["cell"].to_pylist(), table["people"].to_pylist()
    found: dict[str, int] = {}
    for cell, count in zip(cells, people, strict=True):
        name = f"{cell:x}"
        found[name] = found.get(name, 0) + count
    return found


def read_cuts(
    path: Path, at_us: int, area_of: Callable[[str], frozenset[str] | None], shares: Mapping[str, Stated]
) -> tuple[list[Cut], list[str]]:
    """Outages that last at an instant, from what `detect` or `monitor` print as JSON; and who has no area.

    An outage counts with the level that was measured last before the instant, where its `now` says one; else
    with the lowest that it had. Of a network that has no area, or no stated share of its area's
    users, nobody is counted but the sites that are connected by it.
    """
    document = _json(path)
    found = cuts_of(document, path.name, at_us, area_of, shares)
    _check_knows(document, path.name, at_us)
    return found


def unjudged(path: Path) -> int:
    """Of how many series a detection cannot say whether they are down."""
    document = _json(path)
    found = document.get("insufficient") if isinstance(document, dict) else None
    return len(found) if isinstance(found, list) else 0


def cuts_of(
    document: Any,
    name: str,
    at_us: int,
    area_of: Callable[[str], frozenset[str] | None],
    shares: Mapping[str, Stated],
) -> tuple[list[Cut], list[str]]:
    """The same of a document; `name` stands in what is refused."""
    cuts, nowhere = [], []
    try:
        check_events(document["events"], name)
        by_name = shares_by_name(_names(document), shares)
        for event in document["events"]:
            began_us = parse_instant(event["opened_at"])
            ended = event["closed_at"]
            if began_us > at_us or (ended is not None and parse_instant(ended) <= at_us):
                continue
            entity = _name(event)
            share = by_name.get(entity)
            cells = area_of(entity)
            network = bool(network_of(entity))
            if cells is None and network and share is not None and event.get("country"):
                cells = area_of(f"country/{event['country']}")
            if cells is None or (network and share is None):
                nowhere.append(entity)
                if not network:
                    continue
                cells = frozenset()
            level, counted, measured_us = _level(event, at_us)
            cuts.append(
                Cut(
                    entity,
                    cells,
                    *level,
                    began_us,
                    share.about if share else 1.0,
                    share,
                    counted,
                    measured_us,
                    str(event.get("country") or ""),
                )
            )
    except (KeyError, TypeError, ValueError):
        raise Refused(
            "need.events",
            name,
            "it is not what `skylift outages detect --json` prints",
            "write its output into a file, and give that",
        ) from None
    return cuts, nowhere


def _names(document: Any) -> list[str]:
    return list(dict.fromkeys(_name(event) for event in document["events"]))


def shares_by_name(names: Sequence[str], shares: Mapping[str, Stated]) -> dict[str, Stated]:
    """Shares by the names of entities, where AS64500 is as/AS64500 as well, and UA country/UA.

    Raises Refused for a share of none of them.
    """
    found = {}
    for given, share in shares.items():
        own = [
            name
            for name in names
            if given in (name, name.partition("/")[2]) or (network_of(given) or "-") == network_of(name)
        ]
        if not own:
            raise Refused(
                "need.share",
                f"--share {given[:40]!r}",
                "no outage is of this entity",
                f"they are of {', '.join(names[:5]) or 'nobody'}{', ...' if len(names) > 5 else ''}",
            )
        for name in own:
            if name in found:
                raise Refused("need.share", f"--share {given[:40]!r}", "it is said twice", "say it once")
            found[name] = share
    return found


def _check_knows(document: Any, name: str, at_us: int) -> None:
    """Refuse what a detection cannot know, rather than say that nobody is cut off."""
    if not isinstance(document, dict) or not isinstance(document.get("events"), list):
        return
    begins: int | None
    ends: int | None
    try:
        begins, ends = (
            None if document.get(key) is None else parse_instant(document[key]) for key in ("from", "to")
        )
        told = [
            parse_instant(event[key])
            for event in document["events"]
            for key in ("opened_at", "closed_at")
            if event[key] is not None
        ]
        still_open = any(event["closed_at"] is None for event in document["events"])
    except (KeyError, TypeError, ValueError):
        return
    if begins is None and ends is None and not still_open:
        # Without its span only the outages themselves say when somebody looked.
        begins, ends = (min(told), max(told)) if told else (at_us + 1, at_us - 1)
    if (begins is not None and at_us < begins) or (ends is not None and at_us > ends):
        raise Refused(
            "need.instant",
            "--at",
            f"{name} {_covers(begins, ends)}",
            "ask for an instant within, or detect in a recording that reaches as far",
        )
    unknown = document.get("insufficient")
    if unknown and not document.get("events"):
        raise Refused(
            "need.unknown",
            name,
            f"of {len(unknown)} of its series nobody can say whether they are down: not enough data",
            "detect again with a longer recording, or with --baseline pinned:FROM/TO",
        )


def _covers(begins: int | None, ends: int | None) -> str:
    if begins is not None and ends is not None and begins > ends:
        return "holds no event, and does not say what time it covers"
    first, last = (
        other if at is None else format_instant(at)
        for at, other in ((begins, "the time before"), (ends, "now"))
    )
    return f"covers {first} to {last}"


def _name(event: Mapping[str, Any]) -> str:
    """As in country/UA: a monitor's events say what their entity is."""
    kind, entity = event.get("kind", ""), printable(str(event["entity"]))
    return f"{kind}/{entity}" if kind and kind != "region" else entity


def _level(event: Mapping[str, Any], at_us: int) -> tuple[tuple[float, float, float], bool, int | None]:
    """(level with its bounds, whether they hold the doubt about the sample, when it was measured)"""
    now, measured_us = event.get("now"), None
    if now and parse_instant(now["measured_at"]) <= at_us:
        measured_us = parse_instant(now["measured_at"])
        about, low, high = (float(now[name]) for name in ("fraction", "low", "high"))
    else:
        about, low, high = (float(event[name]) for name in ("min_fraction", "low", "high"))
    return (about, low, high), bool(event.get("counted", low < high)), measured_us


def area_of_entity(areas: Areas | None) -> Callable[[str], frozenset[str] | None]:
    """By the file of areas; country/UA, or UA alone, by the packaged outlines as well."""

    def cells(entity: str) -> frozenset[str] | None:
        found = None if areas is None else areas.cells(entity)
        if found is not None:
            return found
        code = entity.removeprefix("country/")
        if len(code) == 2 and code.isalpha() and code.isupper():
            # Towns on a coast or a border: the centre of their cell may lie outside.
            return frozenset(cells_of(country_outline(code), RESOLUTION)) | people_of([code]).keys()
        return None

    return cells


def need_sites(path: Path | None) -> list[NeedSite]:
    """Sites as `plan terminals` reads them; their places are cells from here on."""
    return [] if path is None else need_sites_of(read_sites(path, RESOLUTION))


def need_sites_of(read: Iterable[ReadSite]) -> list[NeedSite]:
    return [
        NeedSite(one.id, one.cell, one.kind, one.people, one.wanted_mbps * 1e6, one.class_, one.network)
        for one in read
    ]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        raise Refused("need.file", path.name, "it is no readable JSON", "check the name") from None
