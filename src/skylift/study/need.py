"""Who is cut off, how sure that is, which sites are among them, and how many terminals that takes.

report = need(cuts, people, sites, NeedRules(), at_us)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.study.equip import terminals_needed

US_PER_HOUR = 3600 * US_PER_S
_NETWORK = re.compile(r"(?:(?:as|asn|as-with-customer-cone)/(?:AS)?|AS)([1-9]\d{0,9})")


@dataclass(frozen=True, slots=True)
class Stated:
    """A fraction that somebody states, from what to what it may be (alone where nobody says), and why."""

    about: float
    low: float
    high: float
    why: str = ""

    @classmethod
    def alone(cls, about: float, why: str = "") -> Stated:
        return cls(about, about, about, why)

    @property
    def sure(self) -> bool:
        return self.low == self.high

    def __str__(self) -> str:
        """30%, or 30% (20-40)."""
        doubt = "" if self.sure else f" ({_percent(self.low)}-{_percent(self.high)})"
        return f"{_percent(self.about)}%{doubt}"


def _outages(count: int) -> str:
    return f"{count} outage counts" if count == 1 else f"{count} outages count"


def _percent(fraction: float) -> str:
    """As whole per cents, but never a share that is there as nothing."""
    return f"{fraction * 100:.0f}" if fraction >= 0.01 else f"{fraction * 100:.2g}"


@dataclass(frozen=True, slots=True)
class NeedRules:
    """What is assumed; every figure that rests on it prints it.

    online_fraction     of people who use the internet where nothing is down (ITU: Ukraine 2021, 79 %)
    online_within       from what to what that may be; None: nobody says
    people_within       by so much of itself the number of people in a cell may be wrong; 0: nobody says
    below_fraction      a site counts as cut off where less than this of ordinary is left ...
    longer_than_h       ... for longer than this
    terminal_bps        counted on from one terminal, as `plan terminals` does
    people_per_terminal as there
    """

    online_fraction: float = 0.8
    below_fraction: float = 0.5
    longer_than_h: float = 2.0
    terminal_bps: float = 60e6
    online_within: tuple[float, float] | None = None
    people_within: float = 0.0
    people_per_terminal: int = 100

    @property
    def online(self) -> Stated:
        return Stated(self.online_fraction, *(self.online_within or (self.online_fraction,) * 2))

    def __post_init__(self) -> None:
        low, high = self.online.low, self.online.high
        for name, value, least, most in (
            ("online_fraction", self.online_fraction, 0.0, 1.0),
            ("online_within", low, 0.0, self.online_fraction),
            ("online_within", high, self.online_fraction, 1.0),
            ("people_within", self.people_within, 0.0, 1.0),
            ("below_fraction", self.below_fraction, 0.0, 1.0),
            ("longer_than_h", self.longer_than_h, 0.0, 10_000.0),
            ("terminal_bps", self.terminal_bps, 1e5, 1e11),
            ("people_per_terminal", self.people_per_terminal, 1, 100_000),
        ):
            if not least <= value <= most:
                raise Refused("need.rules", name, f"it is from {least:g} to {most:g}", "correct it")

    def said(self) -> tuple[str, ...]:
        """The assumptions in words."""
        people = f"is off by {self.people_within:.0%} at most" if self.people_within else "is taken as it is"
        return (
            f"{self.online} of people use the internet on an ordinary day",
            f"the number of people in a cell {people}",
            f"a site is cut off below {self.below_fraction:.0%} of ordinary, over {self.longer_than_h:g} h",
            f"one terminal is counted on for {self.terminal_bps / 1e6:g} Mbit/s",
            f"{self.people_per_terminal} people at most share a terminal at a site",
            "people live where the place list has them: nobody has fled, nobody has come",
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """One outage, over the cells in which it is felt.

    level, low, high  fraction of ordinary that is left now
    began_us          since when
    share             of these cells' users who depend on what is down: 1 for a country's or region's own
                      level, a stated assumption for a network
    stated            the same with its doubt and its reason; None: it has none
    counted           low and high hold the doubt about the sample; False: nobody says how many were asked
    measured_us       when the level was measured last; None: it is the lowest of the outage
    """

    entity: str
    cells: frozenset[str]
    level: float
    low: float
    high: float
    began_us: int
    share: float = 1.0
    stated: Stated | None = None
    counted: bool = True
    measured_us: int | None = None
    country: str = ""

    @property
    def of(self) -> Stated:
        return self.stated or Stated.alone(self.share)


@dataclass(frozen=True, slots=True)
class NeedSite:
    """A site that matters, by id and cell alone. network: by which it is connected, "" where nobody says."""

    id: str
    cell: str
    kind: str
    people: int
    wanted_bps: float
    class_: int
    network: str = ""


@dataclass(frozen=True, slots=True)
class CellNeed:
    """One cell: people in it, and how many of them are cut off; least and most: None where nobody can say."""

    cell: str
    people: int
    cut_off: float
    least: float | None
    most: float | None
    hours: float
    entities: tuple[str, ...]

    @property
    def severity(self) -> float:
        return self.cut_off / self.people if self.people else 0.0

    @property
    def score(self) -> float:
        """People x severity x duration: by this cells are ranked."""
        return self.cut_off * self.severity * self.hours


@dataclass(frozen=True, slots=True)
class SiteNeed:
    """One site that is cut off: how much is left where it is, since when, and the terminals that it takes."""

    site: NeedSite
    level: float
    hours: float
    terminals: int
    began_us: int = 0

    @property
    def score(self) -> float:
        return max(self.site.people, 1) * (1.0 - self.level) * self.hours


@dataclass(frozen=True, slots=True)
class NeedReport:
    """Cells and sites, the worst first; sites by class, and by score within one.

    sites_known  of how many sites it was asked
    unjudged     of how many series nobody can say whether they are down
    """

    at_us: int
    cells: tuple[CellNeed, ...]
    sites: tuple[SiteNeed, ...]
    rules: NeedRules = field(default_factory=NeedRules)
    cuts: tuple[Cut, ...] = ()
    people_said: str = ""
    sites_known: int = 0
    unjudged: int = 0

    @property
    def cut_off(self) -> tuple[float, float | None, float | None]:
        """(people cut off, at least, at most); None where the doubt about a level is not known."""
        least = [one.least for one in self.cells if one.least is not None]
        most = [one.most for one in self.cells if one.most is not None]
        known = len(least) == len(most) == len(self.cells)
        about = sum(one.cut_off for one in self.cells)
        return (about, sum(least), sum(most)) if known else (about, None, None)

    @property
    def terminals(self) -> int:
        return sum(one.terminals for one in self.sites)

    def stated(self) -> tuple[str, ...]:
        """What was assumed before anything was measured, in words: the same at every instant."""
        shares = sorted({(cut.entity, str(cut.of), cut.of.why) for cut in self.cuts if cut.share < 1.0})
        said = (self.people_said,) if self.people_said else ()
        return (
            *self.rules.said(),
            *said,
            *(
                f"{entity} carries {share} of the users where it is" + (f": {why}" if why else "")
                for entity, share, why in shares
            ),
        )

    def assumptions(self) -> tuple[str, ...]:
        """All that the figures rest on, in words."""
        return (*self.stated(), *self._levels_said(), *self._left_out(), *self._interval_said())

    def _left_out(self) -> list[str]:
        """What is in no figure, so that nobody takes it for nothing."""
        said = ["only outages count: who lost less than opens one (below 80% of ordinary) is in no figure"]
        if self.unjudged:
            said.append(
                f"of {self.unjudged:,} series nobody can say whether they are down (not enough data): "
                "who depends on them is in no figure"
            )
        return said

    def _levels_said(self) -> list[str]:
        measured = [cut.measured_us for cut in self.cuts if cut.measured_us is not None]
        lowest = len(self.cuts) - len(measured)
        said = []
        if measured:
            first, last = format_instant(min(measured)), format_instant(max(measured))
            when = first if first == last else f"from {first} to {last}"
            said.append(f"{_outages(len(measured))} with what was left when last measured, {when}")
        if lowest:
            said.append(f"{_outages(lowest)} with the lowest level: nobody says what is left at the instant")
        return said

    def _interval_said(self) -> list[str]:
        if not self.cells:
            return []
        if self.cut_off[1] is None:
            return ["no interval: how many targets were asked is not known, nor how sure a level is"]
        doubts = ["the level"]
        doubts += ["people"] if self.rules.people_within else []
        doubts += [] if self.rules.online.sure else ["how many of them are users"]
        doubts += [] if all(cut.of.sure for cut in self.cuts) else ["shares of networks"]
        return [f"the interval holds the doubt about {', '.join(doubts)}, and no other"]


def need(
    cuts: Sequence[Cut],
    people: Mapping[str, int],
    sites: Sequence[NeedSite],
    rules: NeedRules,
    at_us: int,
) -> NeedReport:
    """What is needed at an instant.

    people  by cell; cells that no outage touches are left out of the report
    Cuts of networks add up in a cell, and never to more than everybody; where a whole-area level (share 1) is
    known as well, the worse of the two counts: it already holds the networks. A site of which it is known by
    which network it is connected has that network's level, wherever it is, or its area's where that is worse.
    """
    _check(cuts, at_us)
    by_cell: dict[str, list[Cut]] = {}
    for cut in cuts:
        for cell in cut.cells:
            by_cell.setdefault(cell, []).append(cut)
    cells = [_cell(cell, there, people.get(cell, 0), rules, at_us) for cell, there in by_cell.items()]
    felt = [(site, _felt(site, cuts, by_cell.get(site.cell, ()))) for site in sites]
    found = [_site(site, there, rules, at_us) for site, there in felt if there]
    cut_off = [one for one in found if one.level < rules.below_fraction and one.hours > rules.longer_than_h]
    return NeedReport(
        at_us,
        tuple(sorted((one for one in cells if one.people), key=lambda one: (-one.score, one.cell))),
        tuple(sorted(cut_off, key=lambda one: (one.site.class_, -one.score, one.site.id))),
        rules,
        tuple(cuts),
        sites_known=len(sites),
    )


def _cell(cell: str, cuts: Sequence[Cut], people: int, rules: NeedRules, at_us: int) -> CellNeed:
    online, within = rules.online, rules.people_within
    counted = all(cut.counted for cut in cuts)
    return CellNeed(
        cell,
        people,
        people * online.about * _lost(cuts),
        people * (1 - within) * online.low * _lost(cuts, "high", "low") if counted else None,
        people * (1 + within) * online.high * _lost(cuts, "low", "high") if counted else None,
        _hours(cuts, at_us),
        tuple(sorted({cut.entity for cut in cuts})),
    )


def _felt(site: NeedSite, cuts: Sequence[Cut], there: Sequence[Cut]) -> list[Cut]:
    """The outages that a site feels."""
    if not site.network:
        return list(there)
    own = [replace(cut, share=1.0, stated=None) for cut in cuts if network_of(cut.entity) == site.network]
    return own + [cut for cut in there if cut.share >= 1.0 and not network_of(cut.entity)]


def network_of(entity: str) -> str:
    """AS64500 of AS64500, as/AS64500 or asn/64500; "" for what is no network."""
    found = _NETWORK.fullmatch(entity)
    return "" if found is None else f"AS{found[1]}"


def _site(site: NeedSite, cuts: Sequence[Cut], rules: NeedRules, at_us: int) -> SiteNeed:
    needed = terminals_needed(site.wanted_bps, site.people, rules.terminal_bps, rules.people_per_terminal)
    return SiteNeed(site, 1.0 - _lost(cuts), _hours(cuts, at_us), max(needed, 1), _began(cuts))


def _lost(cuts: Sequence[Cut], level: str = "level", share: str = "about") -> float:
    """Share of the users of a cell who are cut off, by the level or by one of its bounds."""
    gone: list[tuple[Stated, float]] = [(cut.of, max(0.0, 1.0 - getattr(cut, level))) for cut in cuts]
    networks: float = min(1.0, sum(getattr(of, share) * lost for of, lost in gone if of.about < 1.0))
    whole: list[float] = [lost for of, lost in gone if of.about >= 1.0]
    return max(networks, *whole) if whole else networks


def _hours(cuts: Sequence[Cut], at_us: int) -> float:
    return (at_us - _began(cuts)) / US_PER_HOUR


def _began(cuts: Sequence[Cut]) -> int:
    return min(cut.began_us for cut in cuts)


def _check(cuts: Sequence[Cut], at_us: int) -> None:
    for cut in cuts:
        of = cut.of
        if not 0.0 < of.about <= 1.0 or not 0.0 <= of.low <= of.about <= of.high <= 1.0:
            raise Refused(
                "need.share", f"the share of {cut.entity}", "it is above 0 and at most 1", "correct it"
            )
        if not 0.0 <= cut.low <= cut.level <= cut.high:
            raise Refused(
                "need.level", f"the level of {cut.entity}", "it lies between its bounds", "correct it"
            )
        if cut.began_us > at_us:
            raise Refused(
                "need.time",
                f"the outage of {cut.entity}",
                "it begins after the instant asked for",
                "ask later",
            )
