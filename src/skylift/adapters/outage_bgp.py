"""Routes as a source of the outage monitor: MRT files of route collectors, and messages of RIS Live.

RIS Live's messages are read from files that grow, one a line, which ris_live.py writes or anybody else. What
was missed of them makes the tables doubtful: after two minutes in all nothing is counted until new ones come,
and that is said. Whoever is started anew joins the stream before reading the tables, which takes minutes:
which prefixes matter is kept beside the messages.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import ipaddress
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from skylift.adapters.atomic import write_atomically
from skylift.adapters.ris_live import BEGAN, TICK, RisLive
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.ports.probes import Gathered, Left, Measured, Sample, Signal
from skylift.watch.mrt import Prefix, Told, Unread, read_mrt
from skylift.watch.routes import Routes, customer_cone

# The beginnings of gzip and bzip2 files, which collectors use.
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_MOST_LEFT = 1_000
# In the folder of RIS Live's messages.
_KEPT = "prefixes.json"
# Of two minutes of updates a table of a thousand peers misses little; of more nobody knows how much.
MOST_MISSED_US = 120 * US_PER_S


@dataclass(frozen=True, slots=True)
class Watched:
    """One series: the origins that it is the sum of; through: only what this AS carries."""

    of: Measured
    origins: frozenset[int]
    through: int | None = None


@dataclass
class BgpProbes:
    """Tables and updates in the order of time; each file is read once, a growing one from where it ended.

    tables, updates, ris_live  patterns of files; tables of a new bin replace what was known, and what came
                               after they were written is read once more
    live                       writes files of ris_live while the monitor runs
    least_peers                fewer full tables than this say nothing
    """

    signal: Signal
    watched: tuple[Watched, ...]
    tables: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    ris_live: str = ""
    family: int = 4
    least_peers: int = 3
    full_feed: dict[int, int] | None = None
    live: RisLive | None = None
    _routes: Routes | None = None
    _read: set[str] = field(default_factory=set)
    _offsets: dict[str, int] = field(default_factory=dict)
    _bin: int | None = None
    _table_bin: int = -1
    # When the tables were written, the newest stamp since, and how much between them was missed.
    _table_us: int = 0
    _heard_us: int = 0
    _missed_us: int = 0
    _prefixes: set[str] = field(default_factory=set)
    # Of them only more are ever known: so many are on disk.
    _kept: int = 0
    _pending: list[Sample] = field(default_factory=list)

    def gather(self, since_us: int, until_us: int) -> Gathered:
        if self._routes is None:
            self._routes = Routes(set().union(*(one.origins for one in self.watched)), self.full_feed)
            self._resume()
        # What was not kept last time is given again: messages are read once.
        self._pending = [one for one in self._pending if one.at_us >= since_us]
        left: list[Left] = []
        for path in self._new_files():
            try:
                self._read_file(path, left)
            except Unavailable:
                # It is read from its beginning once it is whole.
                self._table_bin = -1
                raise
            self._read.add(str(path))
        for said in self._new_messages(left):
            self._pending += self._take(said)
        if self.live is not None:
            # Without a table nobody knows which withdrawals matter: those would be missed for good.
            self._prefixes |= {str(one) for one in self._routes.prefixes()}
            if self._routes.peers:
                self.live.start()
            self._keep(self.live.folder)
        if self._missed_us > MOST_MISSED_US:
            _leave(
                left,
                0,
                f"{self._missed_us // US_PER_S} s of RIS Live were missed since the tables of "
                f"{format_instant(self._table_us)}: nothing is counted until new ones come",
            )
        self._pending = [one for one in self._pending if one.at_us >= since_us]
        complete_us = 0 if self._bin is None else self._bin * self.signal.step_us
        return Gathered([one for one in self._pending if one.at_us < until_us], complete_us, left)

    def _resume(self) -> None:
        """Join the stream at once, where an earlier run kept which prefixes matter."""
        if self.live is None:
            return
        try:
            kept = json.loads((self.live.folder / _KEPT).read_text(encoding="utf-8"))
            self._prefixes |= {str(one) for one in kept["prefixes"]}
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._kept = len(self._prefixes)
        self.live.start()

    def _keep(self, folder: Path) -> None:
        if len(self._prefixes) > self._kept:
            folder.mkdir(parents=True, exist_ok=True)
            self._kept = len(self._prefixes)
            write_atomically(folder / _KEPT, json.dumps({"prefixes": sorted(self._prefixes)}))

    def _read_file(self, path: Path, left: list[Left]) -> None:
        assert self._routes is not None
        if self._is_table(path):
            # Several collectors write their tables at the same time: they stand beside one another.
            begins_us = _begins_s(path) * US_PER_S
            bin = begins_us // self.signal.step_us
            if bin != self._table_bin:
                self._routes.begin_table()
                self._table_us = begins_us
                self._read_again(begins_us)
            self._table_us = min(self._table_us, begins_us)
            self._table_bin = bin
        with _opened(path) as file, _readable(path):
            for told in read_mrt(file.read):
                if isinstance(told, Unread):
                    _leave(left, told.record, f"{path.name}: {told.reason}")
                else:
                    self._pending += self._take(told)

    def _read_again(self, since_us: int) -> None:
        """New tables are older than what came since they were written: that is put on top of them."""
        self._offsets.clear()
        self._missed_us, self._heard_us = 0, since_us
        read = [path for path in self._read if not self._is_table(Path(path)) and Path(path).exists()]
        self._read -= {path for path in read if _begins_s(Path(path)) * US_PER_S >= since_us}

    def _take(self, told: Told | int) -> Iterator[Sample]:
        """A bin is counted when the first message after it comes: how it stands at its end.

        told  or how far the stream has come: an instant
        """
        at_us = told if isinstance(told, int) else told.at_us
        bin = at_us // self.signal.step_us
        if self._bin is None:
            self._bin = bin
        assert self._routes is not None
        # What comes with an earlier stamp than what came before belongs to a bin that is told already.
        while self._bin < bin:
            yield from self._count(self._bin * self.signal.step_us)
            self._bin += 1
        if isinstance(told, int):
            self._heard_us = max(self._heard_us, told)
        elif told.in_table or told.at_us >= self._table_us:
            self._heard_us = max(self._heard_us, told.at_us)
            self._routes.take(told)

    def _began(self, at_us: int) -> None:
        """The stream was joined here: what came between is missed, and whole bins of it are not counted."""
        missed_us = at_us - self._heard_us
        if missed_us > 0 and at_us >= self._table_us:
            self._missed_us += missed_us
            self._heard_us = at_us
            if missed_us > MOST_MISSED_US and self._bin is not None:
                self._bin = max(self._bin, at_us // self.signal.step_us)

    def wanted(self, data: dict[str, Any]) -> bool:
        """Whether a message of RIS Live can change what is counted: of all the stream nearly none does."""
        if data.get("type") == "RIS_PEER_STATE":
            return True
        told = [prefix for some in data.get("announcements") or () for prefix in some.get("prefixes") or ()]
        path = data.get("path") or [0]
        if any(_hop(path[-1]) in one.origins for one in self.watched):
            self._prefixes.update(told)
            return True
        return not self._prefixes.isdisjoint((*told, *(data.get("withdrawals") or ())))

    def _count(self, at_us: int) -> Iterator[Sample]:
        assert self._routes is not None
        if self._missed_us > MOST_MISSED_US or self._routes.full_feeds(self.family) < self.least_peers:
            return
        for one in self.watched:
            seen = self._routes.seen(one.origins, self.family, one.through)
            if seen is not None:
                yield Sample(at_us, one.of, float(seen))

    def _new_files(self) -> list[Path]:
        """Those not read yet, by the instant in which they begin, tables first."""
        named = {path for pattern in (*self.tables, *self.updates) for path in glob.glob(pattern)}
        new = [Path(path) for path in sorted(named - self._read)]
        if not named and not self.ris_live:
            raise Unavailable("outages.bgp", "routes", "no file is there", "check the names of the files")
        return sorted(new, key=lambda path: (_begins_s(path), not self._is_table(path), str(path)))

    def _is_table(self, path: Path) -> bool:
        return any(str(path) in glob.glob(pattern) for pattern in self.tables)

    def _new_messages(self, left: list[Left]) -> Iterator[Told | int]:
        if not self.ris_live:
            return
        files = sorted(glob.glob(self.ris_live))
        if not files and self.live is None:
            raise Unavailable("outages.bgp", "RIS Live's messages", "no file is there", "check the name")
        for name in files:
            try:
                yield from self._messages_of(name, left)
            except OSError as failure:
                raise Unavailable(
                    "outages.bgp", "RIS Live's messages", failure.strerror or "unreadable", "check the file"
                ) from None

    def _messages_of(self, name: str, left: list[Left]) -> Iterator[Told | int]:
        with open(name, "rb") as file:
            file.seek(self._offsets.get(name, 0))
            for line in file:
                # The last line may still be on its way.
                if not line.endswith(b"\n"):
                    break
                self._offsets[name] = self._offsets.get(name, 0) + len(line)
                try:
                    mark, at_us = _mark_of(line)
                    if mark == BEGAN:
                        self._began(at_us)
                    elif mark == TICK:
                        yield at_us
                    else:
                        yield from read_ris_live(line)
                except ValueError as bad:
                    _leave(left, 0, f"a message of RIS Live: {bad}")


def _mark_of(line: bytes) -> tuple[str, int]:
    """A note of ours among the messages, and its instant; ("", 0) for what is none."""
    if not line.startswith(b'{"type": "skylift_'):
        return "", 0
    document = json.loads(line)
    return str(document["type"]), round(float(document["data"]["timestamp"]) * US_PER_S)


def read_ris_live(line: bytes | str) -> list[Told]:
    """One message of RIS Live: {"type": "ris_message", "data": {...}}. Other types are passed over.

    Raises ValueError with the reason where it is not of the known shape.
    """
    try:
        document = json.loads(line)
        if document.get("type") != "ris_message":
            return []
        data = document["data"]
        at_us = round(float(data["timestamp"]) * US_PER_S)
        peer = (ipaddress.ip_address(data["peer"]).packed, int(data["peer_asn"]))
        kind = data.get("type")
        if kind == "RIS_PEER_STATE":
            return [Told(at_us, peer, up=data["state"] == "connected")]
        if kind != "UPDATE":
            return []
        announced = {
            _parsed(prefix) for some in data.get("announcements") or () for prefix in some["prefixes"]
        }
        withdrawn = tuple(_parsed(prefix) for prefix in data.get("withdrawals") or ())
        path = tuple(_hop(hop) for hop in data.get("path") or ())
        return [Told(at_us, peer, tuple(sorted(announced, key=repr)), withdrawn, path)]
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise ValueError(f"it is not of the known shape ({type(failure).__name__})") from None


def _hop(hop: Any) -> int:
    """An AS; of a set of several none is the origin."""
    if isinstance(hop, list):
        return int(hop[0]) if len(hop) == 1 else 0
    return int(hop)


def _parsed(text: str) -> Prefix:
    network = ipaddress.ip_network(text)
    return Prefix(
        network.version, network.prefixlen, network.network_address.packed[: (network.prefixlen + 7) // 8]
    )


def _opened(path: Path) -> BinaryIO:
    """The file, uncompressed."""
    with _readable(path), path.open("rb") as file:
        head = file.read(3)
    if head.startswith(_GZIP):
        return cast(BinaryIO, gzip.open(path))
    return cast(BinaryIO, bz2.open(path)) if head.startswith(_BZIP2) else path.open("rb")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as failure:
        raise Unavailable(
            "outages.bgp",
            path.name,
            f"it cannot be read ({type(failure).__name__})",
            "wait until it is written to its end, or fetch it again",
        ) from None


def _begins_s(path: Path) -> int:
    """When its first record was written; 0 where it has none."""
    with _opened(path) as file, _readable(path):
        head = file.read(4)
    return int.from_bytes(head, "big") if len(head) == 4 else 0


def _leave(left: list[Left], record: int, reason: str) -> None:
    if len(left) < _MOST_LEFT:
        left.append(Left(record, reason))


def read_relations(path: Path) -> list[tuple[int, int]]:
    """(provider, customer) of a file as CAIDA publishes: provider|customer|-1 a line, peers as a|b|0.

    Raises Refused with the line of the first fault.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Refused("outages.relations", path.name, "it is no readable text", "check the name") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("|")
        try:
            provider, customer, kind = (int(part) for part in parts[:3])
        except ValueError:
            raise Refused(
                "outages.relations", f"{path.name}, line {number}", "it is not AS|AS|-1 or AS|AS|0", "mend it"
            ) from None
        if kind == -1:
            found.append((provider, customer))
    return found


def watched_of(
    networks: dict[str, str], relations: list[tuple[int, int]] | None, transit: bool
) -> tuple[Watched, ...]:
    """A series for each network, and with relations one for it and its customers.

    networks  AS64500 -> country;  transit: of the cone only what the network itself carries
    """
    found = []
    for name, country in networks.items():
        number = int(name.removeprefix("AS"))
        if not transit:
            found.append(Watched(Measured("as", name, country), frozenset({number})))
        if relations is not None:
            cone = customer_cone(relations, number)
            through = number if transit else None
            of = Measured("as-with-customer-cone", name, country)
            found.append(Watched(of, cone - {number} if transit else cone, through))
    return tuple(found)
