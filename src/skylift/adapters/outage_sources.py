"""What the monitor follows, from a TOML file: one [[source]] each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from skylift.adapters.ioda_api import IodaClient
from skylift.adapters.outage_bgp import BgpProbes, read_relations, watched_of
from skylift.adapters.outage_ioda import IodaProbes
from skylift.adapters.outage_probe import Probing, read_blocks, read_networks
from skylift.adapters.outage_recorded import RecordedProbes
from skylift.adapters.outage_statuses import StatusFile, StatusProbes, terminals, words
from skylift.adapters.outage_terminals import GROUPS, FleetProbes
from skylift.adapters.ping import LazyPinger
from skylift.adapters.ris_live import RisLive
from skylift.base.errors import Refused
from skylift.ports.probes import Probes, Signal
from skylift.service.outage.events import EntityKind
from skylift.service.outage.state import LEAST_TERMINALS
from skylift.watch.recording import Declared
from skylift.watch.routes import FULL_FEED

# The service's answer to a path below /api/v1/.
Ask = Callable[[str], Mapping[str, Any]]


class Table:
    """One [[source]]: its keys are taken one by one, and what is left over is a mistake."""

    def __init__(self, row: dict[str, Any], name: str, folder: Path, ask: Ask | None = None) -> None:
        self._row, self.name, self.folder, self.ask = dict(row), name, folder, ask

    def take(self, key: str, kind: type, otherwise: Any = None) -> Any:
        """The value of a key. Raises Refused where it is missing (no `otherwise`), or of another type."""
        value = self._row.pop(key, otherwise)
        if isinstance(value, int) and kind is float and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.refused(f"{key} is missing, or no {kind.__name__}")
        return value

    def path(self, key: str) -> Path:
        return self.folder / str(self.take(key, str))

    def kind(self, otherwise: str = "region") -> str:
        text = self.take("entity_kind", str, otherwise)
        if text not in {one.value for one in EntityKind}:
            raise self.refused(f"entity_kind is one of {', '.join(one.value for one in EntityKind)}")
        return str(text)

    def signal(self, name: str, step_s: int | None = None, full_scale: float = 0.0) -> Signal:
        step = self.take("step_s", int, step_s)
        if step <= 0:
            raise self.refused("step_s is above zero")
        return Signal(
            self.take("signal", str, name),
            self.take("prober", str, self.name),
            step * 1_000_000,
            full_scale,
            self.take("synthetic", bool, False),
        )

    def texts(self, key: str, otherwise: list[str] | None = None) -> tuple[str, ...]:
        found = self.take(key, list, otherwise)
        if not all(isinstance(one, str) for one in found):
            raise self.refused(f"{key} is a list of texts")
        return tuple(found)

    def done(self) -> None:
        if self._row:
            raise self.refused(f"it has no key {', '.join(sorted(self._row))}")

    def refused(self, rule: str) -> Refused:
        return Refused(
            "outages.sources",
            f"source {self.name[:40]!r}",
            rule,
            "docs/reference/outages.md lists the keys of each kind",
        )


def _recorded(table: Table) -> Probes:
    scale = table.take("scale_max", float)
    declared = Declared(
        table.take("time_column", str),
        table.take("time_zone", str),
        table.take("value_column", str),
        table.texts("entity_columns"),
        scale,
        table.take("time_unit", str, "s"),
        table.take("targets_column", str, ""),
        table.take("aggregate", str, ""),
    )
    path, kind, country = table.path("file"), table.kind(), table.take("country", str, "")
    return RecordedProbes(path, declared, table.signal("connectivity", None, scale), kind, country)


def _bgp(table: Table) -> Probes:
    networks = table.take("networks", dict)
    if not networks or not all(
        re.fullmatch(r"AS[1-9]\d{0,9}", name) and isinstance(country, str)
        for name, country in networks.items()
    ):
        raise table.refused('networks are written like { AS64500 = "UA" }')
    transit, family = table.take("transit", bool, False), table.take("family", int, 4)
    if family not in (4, 6):
        raise table.refused("family is 4 or 6")
    file = table.take("relations", str, "")
    relations = read_relations(table.folder / file) if file else None
    if transit and relations is None:
        raise table.refused("what a network carries for its customers needs relations")
    full_feed = table.take("full_feed", int, FULL_FEED[family])
    files = {
        key: tuple(str(table.folder / one) for one in table.texts(key, [])) for key in ("tables", "updates")
    }
    live = table.take("ris_live", str, "")
    url, host = table.take("ris_live_url", str, ""), table.take("ris_live_host", str, "")
    if not live and not any(files.values()):
        raise table.refused("it has tables, updates or ris_live")
    if url and not (live and files["tables"] and url.startswith(("https://", "http://"))):
        raise table.refused(
            "ris_live_url is an address; ris_live is then a folder, and tables say where it begins"
        )
    probes = BgpProbes(
        table.signal("bgp-transit" if transit else "bgp-visible", 300),
        watched_of(networks, relations, transit),
        files["tables"],
        files["updates"],
        str(table.folder / live) if live else "",
        family,
        table.take("least_peers", int, 3),
        {**FULL_FEED, family: full_feed},
    )
    if url:
        probes.live = RisLive(table.folder / live, host, probes.wanted, url)
        probes.ris_live = probes.live.pattern
    return probes


def _ioda(table: Table) -> Probes:
    entity, signal = table.take("entity", str), table.take("signal", str)
    cache = table.folder / table.take("cache", str, ".ioda")
    return IodaProbes(IodaClient(cache), entity, signal, table.take("country", str, ""), table.name)


def _probe(table: Table) -> Probes:
    contact, rate = table.take("contact", str), table.take("rate", float, 20.0)
    if not 0.1 <= rate <= 1000.0:
        raise table.refused("rate is from 0.1 to 1000 packets a second")
    opt_out, state = table.take("opt_out", str, ""), table.take("state", str, "beliefs.json")
    return Probing(
        table.signal("ping-own", 600, 1.0),
        read_blocks(table.path("blocks")),
        LazyPinger(contact, rate),
        read_networks(table.path("allow")),
        table.folder / opt_out if opt_out else None,
        table.texts("control", []),
        table.folder / state,
    )


def _statuses(table: Table, kind: str) -> StatusFile:
    up, down = words(table.texts("up", ["up"])), words(table.texts("down", ["down"]))
    if up & down:
        raise table.refused("a word means up or down, not both")
    return StatusFile(
        table.path("file"),
        table.take("time_column", str),
        table.take("time_zone", str),
        table.take("thing_column", str),
        table.take("status_column", str),
        table.texts("entity_columns"),
        up,
        down,
        kind,
        table.take("country", str, ""),
        table.take("time_unit", str, "s"),
    )


def _mobile_sites(table: Table) -> Probes:
    statuses, hold = _statuses(table, table.kind()), table.take("hold_bins", int, 0)
    return StatusProbes(table.signal("mobile-sites", None, 1.0), statuses, 1, hold)


def _fleet(table: Table) -> Probes:
    by = table.take("by", str, GROUPS[0])
    if by not in GROUPS:
        raise table.refused(f"by is one of {', '.join(GROUPS)}")
    signal = table.signal("own-terminals", 600, 1.0)
    if not 300 <= signal.step_us // 1_000_000 <= 86_400:
        raise table.refused("step_s is from 300 to a day")
    if table.ask is None:
        raise table.refused("own terminals are counted by the running service, which is not named here")
    return FleetProbes(signal, table.ask, by, table.take("country", str, ""))


def _terminals(table: Table) -> Probes:
    least = table.take("least", int, LEAST_TERMINALS)
    return terminals(
        table.signal("own-terminals", None, 1.0), _statuses(table, EntityKind.TERMINALS.value), least
    )


KINDS: dict[str, Callable[[Table], Probes]] = {
    "recorded": _recorded,
    "ioda": _ioda,
    "bgp": _bgp,
    "probe": _probe,
    "mobile-sites": _mobile_sites,
    "terminals": _terminals,
    "fleet": _fleet,
}


def read_sources(path: Path, ask: Ask | None = None) -> list[Probes]:
    """The sources of a file. Raises Refused with the source and the key that is wrong.

    ask  how the running service is asked, which counts its own terminals
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise Refused("outages.sources", path.name, f"it is no readable TOML ({reason})", "mend it") from None
    rows = document.get("source", [])
    if not isinstance(rows, list) or not rows or set(document) != {"source"}:
        raise Refused("outages.sources", path.name, "it holds no [[source]], or something else", "add one")
    found = []
    for number, row in enumerate(rows, 1):
        table = Table(row, str(row.pop("name", f"source {number}")), path.parent, ask)
        kind = table.take("kind", str)
        if kind not in KINDS:
            raise table.refused(f"its kind is one of {', '.join(KINDS)}")
        found.append(KINDS[kind](table))
        table.done()
    names = [(one.signal.name, one.signal.prober) for one in found]
    if len(set(names)) < len(names):
        raise Refused(
            "outages.sources",
            path.name,
            "two sources measure the same signal by the same prober",
            "give each a name of its own",
        )
    return found
