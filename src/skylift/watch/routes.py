"""How much of a network's addresses the world's routers see: from tables and updates of many peers.

Pure. A prefix counts as seen where more than half of the peers with a full table have a route to it, as IODA
counts (its help page: more than 400,000 prefixes of IPv4 or 10,000 of IPv6 are a full table).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skylift.watch.mrt import Prefix, Told

FULL_FEED = {4: 400_000, 6: 10_000}
# A peer whose session broke counts again once it tells so much of what it told before.
BACK_AT = 0.9
# What is counted: blocks of 256 addresses, and of IPv6 networks of 48 bits, as is usual.
UNIT = {4: 24, 6: 48}


@dataclass(slots=True)
class Peer:
    """One session of a collector: its routes of interest, and how many prefixes its table had, by family."""

    routes: dict[Prefix, tuple[int, ...]] = field(default_factory=dict)
    prefixes: dict[int, int] = field(default_factory=lambda: {4: 0, 6: 0})
    up: bool = True
    # Routes of interest when its session broke; None: it has not, or is back.
    before: int | None = None

    def counts(self, family: int, full: int) -> bool:
        return self.up and self.before is None and self.prefixes[family] >= full


class Routes:
    """Routes of the origins that are watched, as each peer has them."""

    def __init__(self, origins: Iterable[int], full_feed: Mapping[int, int] | None = None) -> None:
        """origins: AS numbers; of others nothing is kept but how many there are."""
        self._origins = frozenset(origins)
        self._full = dict(FULL_FEED if full_feed is None else full_feed)
        self.peers: dict[tuple[bytes, int], Peer] = {}

    def take(self, told: Told) -> None:
        """What a peer said; in the order of time."""
        peer = self.peers.setdefault(told.peer, Peer())
        if told.up is not None:
            self._session(peer, told.up)
            return
        for prefix in told.withdrawn:
            peer.routes.pop(prefix, None)
        for prefix in told.announced:
            if told.in_table:
                peer.prefixes[prefix.family] += 1
            if told.path and told.path[-1] in self._origins:
                peer.routes[prefix] = told.path
            else:
                peer.routes.pop(prefix, None)
        if peer.before is not None and len(peer.routes) >= BACK_AT * peer.before:
            peer.before = None

    def prefixes(self) -> set[Prefix]:
        """All that any peer has a route of interest to."""
        return {prefix for peer in self.peers.values() for prefix in peer.routes}

    def begin_table(self) -> None:
        """A whole table follows: it replaces what is known of all peers."""
        self.peers.clear()

    def _session(self, peer: Peer, up: bool) -> None:
        # A session that breaks says nothing of the networks behind it: the peer is not asked meanwhile.
        if not up and peer.up:
            peer.before = len(peer.routes) if peer.before is None else peer.before
            peer.routes.clear()
        peer.up = up

    def full_feeds(self, family: int = 4) -> int:
        return sum(peer.counts(family, self._full[family]) for peer in self.peers.values())

    def seen(self, origins: frozenset[int], family: int = 4, through: int | None = None) -> int | None:
        """How many units of these origins are seen by more than half of the full tables.

        through  count only where one of these routes leads through this AS: what it carries for others
        returns  None where no peer has a full table
        """
        peers = [peer for peer in self.peers.values() if peer.counts(family, self._full[family])]
        if not peers:
            return None
        votes: dict[Prefix, int] = {}
        carried: set[Prefix] = set()
        for peer in peers:
            for prefix, path in peer.routes.items():
                if prefix.family == family and path[-1] in origins:
                    votes[prefix] = votes.get(prefix, 0) + 1
                    if through is not None and through in path[:-1]:
                        carried.add(prefix)
        found = (prefix for prefix, count in votes.items() if 2 * count > len(peers))
        if through is not None:
            found = (prefix for prefix in found if prefix in carried)
        return _units(found, family)


def _units(prefixes: Iterable[Prefix], family: int) -> int:
    """Units that these prefixes cover, each once. One that is smaller than a unit counts as one."""
    unit = UNIT[family]
    spans = []
    for prefix in prefixes:
        bits = 32 if family == 4 else 128
        network = int.from_bytes(prefix.network.ljust(bits // 8, b"\0"), "big")
        first = network >> (bits - unit)
        spans.append((first, first + (1 << max(unit - prefix.length, 0))))
    total, until = 0, -1
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, until))
        until = max(until, end)
    return total


def customer_cone(relations: Iterable[tuple[int, int]], network: int) -> frozenset[int]:
    """A network, its customers, theirs, and so on: (provider, customer) of each relation, in any order."""
    customers: dict[int, set[int]] = {}
    for provider, customer in relations:
        customers.setdefault(provider, set()).add(customer)
    found, new = {network}, [network]
    while new:
        more = customers.get(new.pop(), set()) - found
        found |= more
        new += more
    return frozenset(found)
