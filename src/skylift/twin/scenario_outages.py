"""What a scenario says of connectivity: series that are made up, and sites that matter. Never measured."""

from __future__ import annotations

import re
from dataclasses import dataclass

from skylift.base.cells import is_cell
from skylift.base.strict import StrictTable
from skylift.base.texts import printable
from skylift.service.outage.events import EntityKind

CONNECTIVITY_KEYS = (
    "entity", "kind", "title", "country", "targets", "ordinary_fraction", "swing_fraction", "dip",
    "users_fraction", "users_said",
)  # fmt: skip
DIP_KEYS = ("from", "until", "fraction")
SITE_KEYS = ("id", "cell", "kind", "people", "network")
_KINDS = tuple(one.value for one in EntityKind)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_NETWORK = re.compile(r"(AS[1-9]\d{0,9})?")


@dataclass(frozen=True, slots=True)
class Dip:
    """From an instant, until another, a fraction of ordinary."""

    from_us: int
    until_us: int
    fraction: float


@dataclass(frozen=True, slots=True)
class ConnectivityPlan:
    """One made-up series: so many targets, of which a share answers, more by day than by night.

    users_fraction  of the country's users who are assumed to depend on it, 0 where nobody says;
    users_said      why that is assumed
    """

    entity: str
    kind: str
    title: str
    country: str
    targets: int
    ordinary_fraction: float
    swing_fraction: float
    dips: tuple[Dip, ...]
    users_fraction: float = 0.0
    users_said: str = ""


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A made-up site that matters, as a list of sites has it."""

    id: str
    cell: str
    kind: str
    people: int
    network: str


def read_connectivity(root: StrictTable) -> tuple[ConnectivityPlan, ...]:
    """[[connectivity]] of a scenario. Raises Refused."""
    plans = tuple(_connectivity(table) for table in root.tables("connectivity", known=CONNECTIVITY_KEYS))
    names = [(one.kind, one.entity) for one in plans]
    if len(set(names)) < len(names):
        raise root.refused("connectivity", "an entity has one series", "put its dips into one")
    return plans


def _connectivity(table: StrictTable) -> ConnectivityPlan:
    entity = table.text("entity")
    if not 1 <= len(entity) <= 80 or not entity.isprintable():
        raise table.refused("entity", "it has 1 to 80 printable characters", "write UA, or AS64500")
    country = table.text("country", "")
    if not re.fullmatch(r"([A-Z]{2})?", country):
        raise table.refused("country", "it is a code of ISO 3166", "write UA")
    return ConnectivityPlan(
        entity,
        table.choice("kind", _KINDS, "country"),
        table.text("title", entity),
        country,
        table.whole("targets", 1000, minimum=1, maximum=10_000_000),
        table.number("ordinary_fraction", 0.95, minimum=0.01, maximum=1.0),
        table.number("swing_fraction", 0.05, minimum=0.0, maximum=0.9),
        tuple(_dip(one) for one in table.tables("dip", known=DIP_KEYS)),
        table.number("users_fraction", 0.0, minimum=0.0, maximum=1.0),
        printable(table.text("users_said", "")),
    )


def _dip(table: StrictTable) -> Dip:
    dip = Dip(
        int(table.instant("from")),
        int(table.instant("until")),
        table.number("fraction", minimum=0.0, maximum=1.0),
    )
    if dip.until_us <= dip.from_us:
        raise table.refused("until", "a dip ends after it begins", "swap from and until, or correct them")
    return dip


def read_sites(root: StrictTable) -> tuple[SitePlan, ...]:
    """[[site]] of a scenario. Raises Refused; kinds are checked where lists of sites are read."""
    return tuple(_site(table) for table in root.tables("site", known=SITE_KEYS))


def _site(table: StrictTable) -> SitePlan:
    id, cell, network = table.text("id"), table.text("cell").lower(), table.text("network", "")
    if not _ID.fullmatch(id):
        raise table.refused("id", "it has 1 to 40 letters, digits, points, dashes, underscores", "correct it")
    if not is_cell(cell):
        raise table.refused("cell", "it is an H3 cell", "write it like 851e6387fffffff")
    if not _NETWORK.fullmatch(network):
        raise table.refused("network", "it is the number of a network", "write it like AS64500")
    people = table.whole("people", 0, minimum=0, maximum=10_000_000)
    return SitePlan(id, cell, table.text("kind"), people, network)
