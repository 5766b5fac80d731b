"""Which dishes are down, since when and most likely why; one dish's trouble told from an area's.

From the newest row of each dish alone, and from what the service knows of it: no clock, no store. What a rule
cannot know it does not say: jamming is suspected, never found.

    silence          no row for ten minutes
    the prober       nearly all dishes fell silent within two minutes: it is the service's own ear
    the region       most dishes of an area went down within ten minutes of one another
    jamming          that, within two minutes, with signals below what is usual
    weather          that, but spread over up to an hour, as a front passes
    an order         it fell silent on an order to switch its radio off, which is said before all else
    alone            what the dish itself says; and if it says nothing any more, its power
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skylift.base.units import US_PER_S

# An agent posts at least once in five minutes; twice that, and it is silent.
SILENT_AFTER_US = 600 * US_PER_S
AT_ONCE_US = 120 * US_PER_S
TOGETHER_US = 600 * US_PER_S
FRONT_US = 3_600 * US_PER_S
# Fewer dishes than this are no area's trouble, whatever their share: two may share one cable.
LEAST_OF_AN_AREA = 3
AREA_SHARE = 0.5
LEAST_OF_ALL = 5
PROBER_SHARE = 0.9
# Beyond 2 % of the time obstructed the operator's own app asks for another place.
OBSTRUCTED_FRACTION = 0.02
LOSSY_FRACTION = 0.2
CONNECTED, DISABLED = "connected", "disabled"
CHOSEN = frozenset({"stowed", "sleeping", "radio-off"})
# What a dish may say of itself, as far as a rule asks for it; whatever else it says has the number after.
_SAID = (CONNECTED, "stowed", "sleeping", "radio-off", DISABLED, "obstructed", "thermal", "booting")
_NUMBERS: Mapping[str, int] = {word: number for number, word in enumerate(_SAID)}

# How an order to its radio explains that a dish is silent.
NO_ORDER, ORDERED_OFF, ORDER_SENT = 0, 1, 2

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]


class Why(enum.Enum):
    """What a dish is down by."""

    UP = "up"
    CHOSEN = "chosen"
    RADIO_OFF = "radio-off"
    MAY_TRANSMIT = "may-transmit"
    NO_ACCOUNT = "no-account"
    POWER = "power"
    HEAT = "heat"
    STARTING = "starting"
    OBSTRUCTION = "obstruction"
    REGION = "region"
    WEATHER = "weather"
    JAMMING = "jamming-suspected"
    PROBER = "prober"
    NETWORK = "network"


WORDS: Mapping[Why, str] = {
    Why.UP: "it is connected",
    Why.CHOSEN: "somebody stowed it, put it to sleep, or switched its radio off",
    Why.RADIO_OFF: "its radio was switched off by an order",
    Why.MAY_TRANSMIT: "it was told to switch its radio off and does not say so: it may still transmit: pull "
    "the power",
    Why.NO_ACCOUNT: "it may not be served: its account, its block or its service line says why",
    Why.POWER: "it fell silent alone: look at its power, then at the board and cable beside it",
    Why.HEAT: "it has shut down from heat",
    Why.STARTING: "it is starting",
    Why.OBSTRUCTION: "something stands in its view: move it, or cut what grew",
    Why.REGION: "most dishes of its area went down with it: the fault is not at the dish",
    Why.WEATHER: "dishes of its area lost signal one after another: heavy rain or snow is likely",
    Why.JAMMING: "dishes of its area lost signal at once: jamming is possible; do not look for the source",
    Why.PROBER: "nearly all dishes fell silent at once: look at this service's own connection first",
    Why.NETWORK: "it sees no satellite or gets no answer, and no area's trouble is known",
}


def number_of(state: str) -> int:
    """By what number `Dishes.says` knows a state."""
    return _NUMBERS.get(state, len(_SAID))


class Dishes(NamedTuple):
    """What is known of N dishes now, in columns (N,).

    area         number of what dishes that fail together share, a coarse cell; -1 where it is not known
    barred       whether the service itself would not serve it
    lapsed       whether its operator's service line has ended, is inactive, or is none
    says         what it says of itself, by `number_of`
    received_us  when its newest row came
    since_us     since when it says so
    lossy        whether it loses more than LOSSY_FRACTION of its pings
    obstructed   whether more than OBSTRUCTED_FRACTION of its time is
    weak         whether its signal is below what is usual
    ordered      ORDERED_OFF: its radio was seen off by an order; ORDER_SENT: it may have got one; or NO_ORDER
    """

    area: Numbers
    barred: Flags
    lapsed: Flags
    says: Codes
    received_us: Numbers
    since_us: Numbers
    lossy: Flags
    obstructed: Flags
    weak: Flags
    ordered: Codes

    def say(self, *states: str) -> Flags:
        """Which of them say one of these."""
        return np.isin(self.says, [number_of(state) for state in states])


WHYS = tuple(Why)
_CODES: Mapping[Why, int] = {why: code for code, why in enumerate(WHYS)}


class Verdicts(NamedTuple):
    """On N dishes, in columns (N,). why: places in WHYS; since_us: when each went down, or came up."""

    why: Codes
    since_us: Numbers
    silent: Flags

    @property
    def is_down(self) -> Flags:
        return ~np.isin(self.why, [_CODES[Why.UP], _CODES[Why.CHOSEN]])

    def by_why(self) -> Counter[Why]:
        counts = np.bincount(self.why, minlength=len(WHYS))
        return +Counter({why: int(count) for why, count in zip(WHYS, counts, strict=True)})


def judged(dishes: Dishes, now: int) -> Verdicts:
    """A verdict on each, in their order."""
    silent = now - dishes.received_us > SILENT_AFTER_US
    connected, chosen = dishes.say(CONNECTED), dishes.say(*CHOSEN)
    # A dish that was well until it fell silent is down since then; one that was not, since before.
    since_us = np.where(silent & connected, dishes.received_us, dishes.since_us)
    # By a line that is over on paper some are served all the same: the paper is late. Nor does it explain
    # what a dish says of itself.
    unserved = dishes.barred | (dishes.lapsed & (silent | ~dishes.say(*_SAID)) & ~chosen)
    ordered = silent & (dishes.ordered != NO_ORDER)
    shared = _shared(dishes, silent, since_us, unserved | ordered)
    heard = ~dishes.lapsed & ~ordered
    rules = (
        (ordered & (dishes.ordered == ORDERED_OFF), Why.RADIO_OFF),
        (ordered, Why.MAY_TRANSMIT),
        (silent & _is_prober(dishes.received_us[silent & heard], int(heard.sum())), Why.PROBER),
        (unserved | dishes.say(DISABLED), Why.NO_ACCOUNT),
        (chosen, Why.CHOSEN),
        *((shared == _CODES[why], why) for why in (Why.JAMMING, Why.WEATHER, Why.REGION)),
        (silent, Why.POWER),
        # From here on it is what a dish says of itself.
        (connected & ~(dishes.obstructed & dishes.lossy), Why.UP),
        (connected | dishes.say("obstructed"), Why.OBSTRUCTION),
        (dishes.say("thermal"), Why.HEAT),
        (dishes.say("booting"), Why.STARTING),
        (dishes.obstructed, Why.OBSTRUCTION),
    )
    why = np.full(len(silent), _CODES[Why.NETWORK], dtype=np.int8)
    for holds, reason in reversed(rules):
        why[holds] = _CODES[reason]
    return Verdicts(why, since_us, silent)


def _is_prober(silent_since_us: Numbers, count: int) -> bool:
    """Whether it is rather us who hear nobody."""
    number = len(silent_since_us)
    if number < LEAST_OF_ALL or number < PROBER_SHARE * count:
        return False
    first, last = _together(np.sort(silent_since_us), AT_ONCE_US)
    return last - first >= PROBER_SHARE * number


def _shared(dishes: Dishes, silent: Flags, since_us: Numbers, known: Flags) -> Codes:
    """(N,) by what dishes of an area went down together, as places in WHYS; -1 where they did not.

    known  (N,) of which it is known by what they are down
    """
    found = np.full(len(silent), -1, dtype=np.int8)
    asked = (dishes.area >= 0) & ~known & ~dishes.say(*CHOSEN)
    # What ails these may come from outside.
    ailing = silent | ~dishes.say(CONNECTED) | (dishes.weak & dishes.lossy)
    hit = np.flatnonzero(asked & ~dishes.say(DISABLED, "obstructed", "thermal") & ailing)
    needed = np.maximum(LEAST_OF_AN_AREA, AREA_SHARE * np.bincount(dishes.area[asked]))
    for some in _by_area(hit, dishes.area, since_us):
        least = needed[dishes.area[some[0]]]
        if len(some) < least:
            continue
        for window_us, why in _windows(bool(2 * dishes.weak[some].sum() > len(some))):
            first, last = _together(since_us[some], window_us)
            if last - first >= least:
                found[some[first:last]] = _CODES[why]
                break
    return found


def _by_area(hit: Numbers, area: Numbers, since_us: Numbers) -> Iterator[Numbers]:
    """Dishes of one area after another, each area's ascending by when they went down."""
    ordered = hit[np.lexsort((since_us[hit], area[hit]))]
    yield from (some for some in np.split(ordered, np.flatnonzero(np.diff(area[ordered])) + 1) if len(some))


def _windows(weak: bool) -> tuple[tuple[int, Why], ...]:
    if weak:
        return (AT_ONCE_US, Why.JAMMING), (FRONT_US, Why.WEATHER)
    return ((TOGETHER_US, Why.REGION),)


def _together(times_us: Numbers, window_us: int) -> tuple[int, int]:
    """From which place to which of ascending times most lie within one window; the second is not in it."""
    ends = np.searchsorted(times_us, times_us + window_us, side="right")
    first = int(np.argmax(ends - np.arange(len(times_us))))
    return first, int(ends[first])
