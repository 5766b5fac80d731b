"""Our own active probing as a source of the outage monitor, in the manner of Trinocular.

Nothing is probed by default: an address is asked only if a network of the allow-list holds it, and none of
the opt-out list does; that list is read anew before every round.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from skylift.adapters.atomic import write_atomically
from skylift.base.errors import Refused
from skylift.base.texts import printable
from skylift.ports.probes import Gathered, Left, Measured, Sample, Signal
from skylift.watch.trinocular import (
    PROBES_A_ROUND,
    Blocks,
    after_reply,
    begin,
    eligible,
    levels,
    take_round,
    wants_more,
)

Networks = tuple[ipaddress.IPv4Network, ...]
# Addresses that answer for many others, or for nobody.
_NEVER = tuple(ipaddress.IPv4Network(text) for text in ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"))
# The largest blocks that were ever given to one holder.
_WIDEST = 8
_COLUMNS = ("block", "addresses", "availability", "kind", "entity", "country")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of 256 addresses: those of it that may answer, how many of ten do, and of what it is a part."""

    network: ipaddress.IPv4Network
    addresses: tuple[str, ...]
    availability: float
    of: Measured


@dataclass
class Probing:
    """One round of probes a bin.

    ping     asks addresses, and says which answered
    allow    networks that may be asked at all;  opt_out: the file of those that may not, "" for none
    control  addresses of our own uplink: where none of them answers, the trouble is ours
    state    a file of what is believed, kept over restarts; None: nothing is kept
    """

    signal: Signal
    blocks: tuple[Block, ...]
    ping: Callable[[Sequence[str]], list[bool]]
    allow: Networks
    opt_out: Path | None = None
    control: tuple[str, ...] = ()
    state: Path | None = None
    _beliefs: Blocks | None = None
    _turns: dict[str, int] = field(default_factory=dict)
    _done_bin: int = -1

    def __post_init__(self) -> None:
        if any(net.prefixlen < _WIDEST for net in self.allow):
            raise Refused(
                "probe.allow-all",
                "the allow-list",
                f"a network shorter than /{_WIDEST} is nobody's to allow: probing is of what you may probe",
                "name the networks one by one",
            )
        refused = [one for one in self.blocks if not any(one.network.subnet_of(net) for net in self.allow)]
        if refused:
            raise Refused(
                "probe.not-allowed",
                f"{len(refused)} of {len(self.blocks)} blocks",
                "no network of the allow-list holds them: nothing is probed that is not allowed",
                "take them out, or add the networks that you may probe",
            )

    def gather(self, since_us: int, until_us: int) -> Gathered:
        """One round, for the bin that `until_us` lies in; nothing where that bin has had its round."""
        step_us = self.signal.step_us
        bin = until_us // step_us
        if self.had_round(until_us):
            return Gathered([], bin * step_us)
        if self.control and not any(self.ping(self.control)):
            return Gathered(
                [], bin * step_us, [Left(0, "our own uplink does not answer: the round is not counted")]
            )
        # Before anything is sent: whoever is started anew in the midst of a round asks nobody twice.
        self._done_bin = bin
        self._keep(self._loaded())
        samples = self._round(bin * step_us)
        return Gathered(samples, (bin + 1) * step_us)

    def had_round(self, at_us: int) -> bool:
        """Whether the bin of an instant has had its round, of this process or of one before it."""
        self._loaded()
        return at_us // self.signal.step_us == self._done_bin

    def _round(self, at_us: int) -> list[Sample]:
        opted_out = () if self.opt_out is None else read_networks(self.opt_out)
        addresses = [askable(block, opted_out) for block in self.blocks]
        beliefs = self._loaded()
        replies = self._ask(beliefs, addresses)
        take_round(beliefs, replies)
        self._keep(beliefs)
        entities = list(dict.fromkeys(block.of for block in self.blocks))
        which = np.array([entities.index(block.of) for block in self.blocks])
        # A block that nobody may ask says nothing.
        asked = np.array([bool(some) for some in addresses])
        part = Blocks(beliefs.availability[asked], beliefs.belief_down[asked])
        share, judged = levels(part, which[asked], len(entities))
        return [
            Sample(at_us, of, float(share[k]), float(judged[k]))
            for k, of in enumerate(entities)
            if judged[k] > 0
        ]

    def _ask(self, beliefs: Blocks, addresses: list[tuple[str, ...]]) -> np.ndarray:
        """Replies of one round, (B, 15): one probe each, and more where that does not make it sure."""
        replies = np.full((len(addresses), PROBES_A_ROUND), -1, dtype=np.int8)
        belief = beliefs.belief_down.copy()
        wanting = [k for k, some in enumerate(addresses) if some]
        for turn in range(PROBES_A_ROUND):
            asked = [self._next(self.blocks[k], addresses[k]) for k in wanting]
            if not asked:
                break
            answered = np.array(self.ping(asked), dtype=np.bool_)
            places = np.array(wanting)
            replies[places, turn] = answered
            before = belief[places]
            belief[places] = after_reply(before, beliefs.availability[places], answered)
            wanting = places[wants_more(before, belief[places])].tolist()
        return replies

    def _next(self, block: Block, addresses: tuple[str, ...]) -> str:
        """One after the other, so that none is asked more often than the others."""
        name = str(block.network)
        self._turns[name] = self._turns.get(name, -1) + 1
        return addresses[self._turns[name] % len(addresses)]

    def _loaded(self) -> Blocks:
        if self._beliefs is not None:
            return self._beliefs
        self._beliefs = begin(np.array([block.availability for block in self.blocks]))
        if self.state is not None:
            try:
                kept = self._kept()
                for k, block in enumerate(self.blocks):
                    belief, turn, *last = kept.get(str(block.network), (None, 0))
                    if belief is not None:
                        self._beliefs.belief_down[k] = min(max(float(belief), 0.01), 0.99)
                        self._turns[str(block.network)] = int(turn)
                        self._done_bin = max(self._done_bin, *map(int, last))
            except (ValueError, TypeError, AttributeError):
                raise Refused(
                    "probe.state",
                    self.state.name,
                    "it is not what probing kept",
                    "take it away to begin anew",
                ) from None
        return self._beliefs

    def _kept(self) -> dict[str, list[float]]:
        """By block: what is believed, whose turn it is, the bin of its last round."""
        if self.state is None or not self.state.is_file():
            return {}
        kept: dict[str, list[float]] = json.loads(self.state.read_text(encoding="utf-8"))
        return kept

    def _keep(self, beliefs: Blocks) -> None:
        if self.state is not None:
            names = [str(block.network) for block in self.blocks]
            rows = zip(names, beliefs.belief_down.tolist(), strict=True)
            own = {name: [belief, self._turns.get(name, 0), self._done_bin] for name, belief in rows}
            # Another list of blocks may share the store, and so the file.
            write_atomically(self.state, json.dumps(self._kept() | own))


def askable(block: Block, opted_out: Networks) -> tuple[str, ...]:
    near = [net for net in opted_out if net.overlaps(block.network)]
    if not near:
        return block.addresses
    return tuple(one for one in block.addresses if not any(ipaddress.IPv4Address(one) in net for net in near))


def read_networks(path: Path) -> Networks:
    """One IPv4 network or address a line; what follows a # is a remark. Raises Refused with the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Refused("probe.list", path.name, "it is no readable text", "check the name") from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.append(ipaddress.IPv4Network(text))
        except ValueError:
            raise Refused(
                "probe.list",
                f"{path.name}, line {number}",
                "it is no IPv4 network (its host bits are zero) or address",
                "write it like 192.0.2.0/24",
            ) from None
    return tuple(found)


def read_blocks(path: Path) -> tuple[Block, ...]:
    """CSV with block, addresses, availability, kind, entity, country. Raises Refused with the first bad line.

    addresses  of those that have answered, the last numbers: "1 5 20-60"; Trinocular wants 15 and more
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Refused("probe.blocks", path.name, "it is no readable UTF-8 file", "check the name") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not set(_COLUMNS) <= set(reader.fieldnames or ()):
        raise Refused(
            "probe.blocks", path.name, f"its columns are {', '.join(_COLUMNS)}", "name them in its first line"
        )
    found: dict[ipaddress.IPv4Network, Block] = {}
    for row in reader:
        try:
            block = _block(row)
        except ValueError as bad:
            raise Refused(
                "probe.blocks", f"{path.name}, line {reader.line_num}", str(bad), "mend it"
            ) from None
        if block.network in found:
            raise Refused(
                "probe.blocks", f"{path.name}, line {reader.line_num}", "the block stands twice", "merge them"
            )
        found[block.network] = block
    if not found:
        raise Refused("probe.blocks", path.name, "it holds no block", "add one")
    return tuple(found.values())


def _block(row: dict[str, str]) -> Block:
    """Raises ValueError with what is wrong."""
    try:
        network = ipaddress.IPv4Network((row["block"] or "").strip())
        availability = float(row["availability"])
    except (ValueError, TypeError):
        raise ValueError("block or availability cannot be read") from None
    if network.prefixlen != 24 or any(network.overlaps(never) for never in _NEVER):
        raise ValueError("a block is a /24 of addresses that single machines have")
    if not 0.0 < availability <= 1.0:
        raise ValueError("availability is above 0 and at most 1")
    last = _numbers(row["addresses"] or "")
    if not eligible(np.array([len(last)]), np.array([availability]))[0]:
        raise ValueError("it cannot be judged: that takes 15 addresses, of which one in ten answers")
    entity = printable(row["entity"] or "")
    if not entity:
        raise ValueError("it says of which entity it is a part")
    first = int(network.network_address)
    addresses = tuple(str(ipaddress.IPv4Address(first + number)) for number in last)
    of = Measured(printable(row["kind"] or ""), entity, printable(row["country"] or "").upper())
    return Block(network, addresses, availability, of)


def _numbers(text: str) -> list[int]:
    found: set[int] = set()
    for part in text.split():
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise ValueError("addresses are last numbers, like 1 5 20-60")
        begin, end = int(first[:9]), int((last or first)[:9])
        if not 1 <= begin <= end <= 254:
            raise ValueError("addresses are from 1 to 254, the lower first")
        found.update(range(begin, end + 1))
    return sorted(found)
