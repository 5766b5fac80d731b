"""Which dishes are down, since when and most likely why; one dish's trouble told from an area's.

From the newest row of each dish alone, and from what the service knows of it: no clock, no store. What a rule
cannot know it does not say: jamming is suspected, never found.

    silence          no row for ten minutes
    the prober       nearly all dishes fell silent within two minutes: it is the service's own ear
    the region       most dishes of an area went down within ten minutes of one another
    jamming          that, within two minutes, with signals below what is usual
    weather          that, but spread over up to an hour, as a front passes
    alone            what the dish itself says; and if it says nothing any more, its power
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from skylift.base.instants import InstantUs
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
CONNECTED = "connected"
CHOSEN = frozenset({"stowed", "sleeping"})
DISABLED = "disabled"


class Why(enum.Enum):
    """What a dish is down by."""

    UP = "up"
    CHOSEN = "chosen"
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
    Why.CHOSEN: "somebody stowed it or put it to sleep",
    Why.NO_ACCOUNT: "it may not be served: its account, its block or its service line says why",
    Why.POWER: "it fell silent alone: look at its power, then at the board and cable beside it",
    Why.HEAT: "it has shut down from heat",
    Why.STARTING: "it is starting",
    Why.OBSTRUCTION: "something stands in its view: move it, or cut what grew",
    Why.REGION: "most dishes of its area went down with it: the fault is not at the dish",
    Why.WEATHER: "dishes of its area lost signal one after another: heavy rain or snow is likely",
    Why.JAMMING: "dishes of its area lost signal at once: jamming is possible; do not look for the source",
    Why.PROBER: "nearly all dishes fell silent at once: look at this service's own connection first",
    Why.NETWORK: "it sees no satellite or gets no answer, and its neighbours do",
}


@dataclass(frozen=True, slots=True)
class Dish:
    """What is known of one dish now.

    area         what dishes that fail together share: a coarse cell; "" where it is not known
    barred       why the service itself would not serve it; "" where it would
    state        of its newest row, which was measured at at_us and came at received_us
    since_us     since when that state holds
    """

    terminal: str
    area: str
    barred: str
    state: str
    at_us: int
    received_us: int
    since_us: int
    ping_drop_fraction: float | None = None
    obstructed_fraction: float | None = None
    snr_low: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """since_us: when it went down, or came up."""

    terminal: str
    why: Why
    since_us: InstantUs
    area: str = ""
    silent: bool = False

    @property
    def is_down(self) -> bool:
        return self.why not in (Why.UP, Why.CHOSEN)


def is_well(state: str, ping_drop_fraction: float | None) -> bool:
    """Whether a dish that is not silent is up, whatever else it says: so are nearly all of a fleet."""
    return state == CONNECTED and (ping_drop_fraction or 0.0) <= LOSSY_FRACTION


def judged(dishes: Sequence[Dish], now: int, well: Mapping[str, int] | None = None) -> list[Verdict]:
    """A verdict on each, in their order.

    well  by area, how many others there are that are not silent, not barred, and `is_well`: they are up
    """
    well = well or {}
    silent = {dish.terminal for dish in dishes if now - dish.received_us > SILENT_AFTER_US}
    deaf = _is_prober(dishes, silent, sum(well.values()))
    areas: defaultdict[str, list[Dish]] = defaultdict(list)
    for dish in dishes:
        if dish.area:
            areas[dish.area].append(dish)
    shared = {area: _shared(some, silent, well.get(area, 0)) for area, some in areas.items()}
    found: list[Verdict] = []
    for dish in dishes:
        is_silent = dish.terminal in silent
        why = _why(dish, is_silent, deaf, shared.get(dish.area, {}))
        found.append(Verdict(dish.terminal, why, InstantUs(_since(dish, is_silent)), dish.area, is_silent))
    return found


def _since(dish: Dish, silent: bool) -> int:
    # A dish that was well until it fell silent is down since then; one that was not, since before.
    return dish.received_us if silent and dish.state == CONNECTED else dish.since_us


def _why(dish: Dish, silent: bool, deaf: bool, shared: Mapping[str, Why]) -> Why:
    if silent and deaf:
        return Why.PROBER
    if dish.barred or dish.state == DISABLED:
        return Why.NO_ACCOUNT
    if dish.state in CHOSEN:
        return Why.CHOSEN
    if dish.terminal in shared:
        return shared[dish.terminal]
    return Why.POWER if silent else _own(dish)


def _own(dish: Dish) -> Why:
    """What a dish says of itself."""
    obstructed = (dish.obstructed_fraction or 0.0) > OBSTRUCTED_FRACTION
    match dish.state:
        case "connected":
            return Why.OBSTRUCTION if obstructed and _is_lossy(dish) else Why.UP
        case "obstructed":
            return Why.OBSTRUCTION
        case "thermal":
            return Why.HEAT
        case "booting":
            return Why.STARTING
    return Why.OBSTRUCTION if obstructed else Why.NETWORK


def _is_lossy(dish: Dish) -> bool:
    return (dish.ping_drop_fraction or 0.0) > LOSSY_FRACTION


def _is_prober(dishes: Sequence[Dish], silent: set[str], well: int) -> bool:
    """Whether it is rather us who hear nobody."""
    if len(silent) < LEAST_OF_ALL or len(silent) < PROBER_SHARE * (len(dishes) + well):
        return False
    times = [dish.received_us for dish in dishes if dish.terminal in silent]
    return len(_together(times, AT_ONCE_US)) >= PROBER_SHARE * len(times)


def _is_hit(dish: Dish, silent: set[str]) -> bool:
    """Whether what ails it may come from outside."""
    if dish.barred or dish.state in CHOSEN or dish.state in (DISABLED, "obstructed", "thermal"):
        return False
    return dish.terminal in silent or dish.state != CONNECTED or (bool(dish.snr_low) and _is_lossy(dish))


def _shared(dishes: Sequence[Dish], silent: set[str], well: int) -> dict[str, Why]:
    """Terminals of an area that went down together, and by what."""
    hit = [dish for dish in dishes if _is_hit(dish, silent)]
    asked = well + sum(not dish.barred and dish.state not in CHOSEN for dish in dishes)
    needed = max(LEAST_OF_AN_AREA, AREA_SHARE * asked)
    if len(hit) < needed:
        return {}
    since = {dish.terminal: _since(dish, dish.terminal in silent) for dish in hit}
    low = Counter(bool(dish.snr_low) for dish in hit)
    weak = low[True] * 2 > len(hit)
    for window_us, why in _windows(weak):
        together = _together(since.values(), window_us)
        if len(together) >= needed:
            first, last = together[0], together[-1]
            return {terminal: why for terminal, at in since.items() if first <= at <= last}
    return {}


def _windows(weak: bool) -> tuple[tuple[int, Why], ...]:
    if weak:
        return (AT_ONCE_US, Why.JAMMING), (FRONT_US, Why.WEATHER)
    return ((TOGETHER_US, Why.REGION),)


def _together(times: Iterable[int], window_us: int) -> list[int]:
    """The most of these instants that lie within one window, ascending."""
    ordered = sorted(times)
    start = begin = count = 0
    for end, at in enumerate(ordered, 1):
        while at - ordered[start] > window_us:
            start += 1
        if end - start > count:
            begin, count = start, end - start
    return ordered[begin : begin + count]
