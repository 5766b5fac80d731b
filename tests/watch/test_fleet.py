"""Why a dish is down: each rule with dishes that it is about, and with dishes that it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from skylift.base.units import US_PER_S
from skylift.watch.fleet import (
    LOSSY_FRACTION,
    NO_ORDER,
    OBSTRUCTED_FRACTION,
    ORDER_SENT,
    ORDERED_OFF,
    SILENT_AFTER_US,
    WHYS,
    WORDS,
    Dishes,
    Verdicts,
    Why,
    judged,
    number_of,
)

NOW = 1_700_000_000 * US_PER_S
MINUTE = 60 * US_PER_S


@dataclass(frozen=True)
class Dish:
    """One of them, in words."""

    terminal: str
    area: str
    barred: str
    state: str
    received_us: int
    since_us: int
    ping_drop_fraction: float = 0.0
    obstructed_fraction: float = 0.0
    snr_low: bool = False
    ordered: int = NO_ORDER
    lapsed: bool = False


def dish(number: int, state: str = "connected", since_min: float = 600, **more: object) -> Dish:
    since = int(NOW - since_min * MINUTE)
    one = Dish(f"trm_{number}", "a1", "", state, NOW - MINUTE, since)
    return replace(one, **more)  # type: ignore[arg-type]


def silent(number: int, for_min: float, **more: object) -> Dish:
    at = int(NOW - for_min * MINUTE)
    return dish(number, received_us=at, **more)  # type: ignore[arg-type]


def verdicts(*dishes: Dish) -> Verdicts:
    areas = sorted({one.area for one in dishes} - {""})
    columns = Dishes(
        np.array([areas.index(one.area) if one.area else -1 for one in dishes], dtype=np.int64),
        np.array([bool(one.barred) for one in dishes], dtype=np.bool_),
        np.array([one.lapsed for one in dishes], dtype=np.bool_),
        np.array([number_of(one.state) for one in dishes], dtype=np.int8),
        np.array([one.received_us for one in dishes], dtype=np.int64),
        np.array([one.since_us for one in dishes], dtype=np.int64),
        np.array([one.ping_drop_fraction > LOSSY_FRACTION for one in dishes], dtype=np.bool_),
        np.array([one.obstructed_fraction > OBSTRUCTED_FRACTION for one in dishes], dtype=np.bool_),
        np.array([one.snr_low for one in dishes], dtype=np.bool_),
        np.array([one.ordered for one in dishes], dtype=np.int8),
    )
    return judged(columns, NOW)


def whys(*dishes: Dish) -> list[Why]:
    found = verdicts(*dishes)
    names = [WHYS[code] for code in found.why]
    assert {why: names.count(why) for why in names} == found.by_why()
    assert list(found.is_down) == [why not in (Why.UP, Why.CHOSEN) for why in names]
    return names


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (dish(1), Why.UP),
        (dish(1, "stowed"), Why.CHOSEN),
        (dish(1, "sleeping"), Why.CHOSEN),
        (dish(1, "radio-off"), Why.CHOSEN),
        (dish(1, "disabled"), Why.NO_ACCOUNT),
        (dish(1, "searching", barred="terminal.lost"), Why.NO_ACCOUNT),
        (dish(1, "thermal"), Why.HEAT),
        (dish(1, "booting"), Why.STARTING),
        (dish(1, "obstructed"), Why.OBSTRUCTION),
        (dish(1, "no-pings", obstructed_fraction=0.1), Why.OBSTRUCTION),
        (dish(1, obstructed_fraction=0.1, ping_drop_fraction=0.4), Why.OBSTRUCTION),
        (dish(1, obstructed_fraction=0.1, ping_drop_fraction=0.01), Why.UP),
        (dish(1, "no-satellites"), Why.NETWORK),
        (dish(1, "no-pings"), Why.NETWORK),
        (silent(1, 30), Why.POWER),
        (silent(1, 9), Why.UP),
        (silent(1, 30, state="stowed"), Why.CHOSEN),
        (silent(1, 30, lapsed=True), Why.NO_ACCOUNT),
        (dish(1, "disabled", lapsed=True), Why.NO_ACCOUNT),
        (dish(1, "searching", lapsed=True), Why.NO_ACCOUNT),
        # Connected on a line that is over on paper, off by somebody's choice, or hot: it is not the line.
        (dish(1, lapsed=True), Why.UP),
        (dish(1, "thermal", lapsed=True), Why.HEAT),
        (dish(1, "obstructed", lapsed=True), Why.OBSTRUCTION),
        (silent(1, 9, lapsed=True), Why.UP),
        (silent(1, 30, state="stowed", lapsed=True), Why.CHOSEN),
    ],
)
def test_a_dish_alone(one: Dish, why: Why) -> None:
    others = [dish(number) for number in range(2, 12)]
    assert whys(one, *others) == [why] + [Why.UP] * 10


def test_since_when() -> None:
    found = verdicts(
        silent(1, 30), dish(2, "no-pings", since_min=5), silent(3, 20, state="booting", since_min=25)
    )
    assert list(NOW - found.since_us) == [30 * MINUTE, 5 * MINUTE, 25 * MINUTE]
    assert list(found.silent) == [True, False, True]


def test_most_of_an_area_within_ten_minutes_is_the_region_and_its_neighbours_are_not() -> None:
    down = [dish(n, "no-pings", since_min=20 + n) for n in range(4)]
    well = [dish(n) for n in range(4, 8)]
    elsewhere = [dish(n, "no-pings", since_min=20, area="b2") for n in range(8, 10)]
    calm = [dish(n, area="b2") for n in range(10, 14)]
    assert whys(*down, *well, *elsewhere, *calm) == (
        [Why.REGION] * 4 + [Why.UP] * 4 + [Why.NETWORK] * 2 + [Why.UP] * 4
    )
    # Less than half of them, or days apart: each for itself.
    assert whys(*down, *well, *[dish(n) for n in range(20, 25)])[:4] == [Why.NETWORK] * 4
    apart = [dish(n, "no-pings", since_min=600 * n) for n in range(1, 5)]
    assert whys(*apart) == [Why.NETWORK] * 4
    # Silent ones count as well: mains power of a town.
    dark = [silent(n, 30 + n / 10) for n in range(4)]
    assert whys(*dark, *[dish(n) for n in range(4, 8)])[:4] == [Why.REGION] * 4


def test_one_dish_in_trouble_of_its_own_stays_so_in_an_areas_outage() -> None:
    down = [dish(n, "no-pings", since_min=20) for n in range(4)]
    longer = dish(9, "no-pings", since_min=3000)
    assert whys(*down, longer, dish(10, "stowed"), dish(11, "obstructed")) == (
        [Why.REGION] * 4 + [Why.NETWORK, Why.CHOSEN, Why.OBSTRUCTION]
    )


def test_signals_lost_at_once_may_be_jamming_and_one_after_another_weather() -> None:
    at_once = [dish(n, "no-satellites", since_min=30 + n / 4, snr_low=True) for n in range(5)]
    assert whys(*at_once) == [Why.JAMMING] * 5
    front = [dish(n, "no-satellites", since_min=10 + 9 * n, snr_low=True) for n in range(5)]
    assert whys(*front) == [Why.WEATHER] * 5
    lossy = [dish(n, since_min=10 + 9 * n, snr_low=True, ping_drop_fraction=0.5) for n in range(5)]
    assert whys(*lossy) == [Why.WEATHER] * 5
    strong = [dish(n, "no-satellites", since_min=30, snr_low=False) for n in range(5)]
    assert whys(*strong) == [Why.REGION] * 5


def test_lines_that_ended_are_neither_an_areas_trouble_nor_our_own_ear() -> None:
    over = [silent(n, 40 + n / 10, lapsed=True) for n in range(12)]
    assert whys(*over) == [Why.NO_ACCOUNT] * 12
    # With dishes of others in the same area that are well, or that have a trouble of their own.
    assert whys(*over, silent(20, 30), *[dish(n) for n in range(21, 24)]) == (
        [Why.NO_ACCOUNT] * 12 + [Why.POWER] + [Why.UP] * 3
    )
    # Where nearly all others fell silent at once as well, silence tells nothing of any of them.
    others = [silent(n, 40 + n / 100) for n in range(30, 40)]
    assert whys(*over[:2], *others) == [Why.PROBER] * 12


def test_all_silent_at_once_is_our_own_ear() -> None:
    gone = [silent(n, 40 + n / 10, area=f"a{n % 3}") for n in range(12)]
    assert whys(*gone) == [Why.PROBER] * 12
    # One that still talks is one too many only among few.
    assert whys(*gone, dish(50)) == [Why.PROBER] * 12 + [Why.UP]
    talk = [dish(50 + n, area=f"a{n % 3}") for n in range(12)]
    assert Why.PROBER not in whys(*gone, *talk)
    slowly = [silent(n, 40 + 30 * n, area="") for n in range(12)]
    assert whys(*slowly) == [Why.POWER] * 12


def test_silence_begins_after_ten_minutes() -> None:
    edge = dish(1, received_us=NOW - SILENT_AFTER_US)
    assert whys(edge) == [Why.UP]
    assert whys(replace(edge, received_us=edge.received_us - 1)) == [Why.POWER]


def test_every_verdict_has_its_words_and_none_tells_how_to_find_a_jammer() -> None:
    assert set(WORDS) == set(Why)
    assert whys() == []


def test_a_dish_that_fell_silent_on_an_order_is_not_called_without_power() -> None:
    assert whys(silent(1, 30, ordered=ORDERED_OFF), silent(2, 30, ordered=ORDER_SENT), silent(3, 30)) == [
        Why.RADIO_OFF,
        Why.MAY_TRANSMIT,
        Why.POWER,
    ]
    # What is heard of speaks for itself, and a block does not say whether a radio is on.
    assert whys(dish(1, ordered=ORDER_SENT), dish(2, "stowed", ordered=ORDERED_OFF)) == [Why.UP, Why.CHOSEN]
    assert whys(silent(1, 30, ordered=ORDER_SENT, barred="terminal.cut-off")) == [Why.MAY_TRANSMIT]


def test_an_order_to_many_is_neither_an_areas_trouble_nor_the_probers() -> None:
    ordered = [silent(n, 30, ordered=ORDER_SENT) for n in range(12)]
    others = [dish(n) for n in range(12, 15)]
    assert whys(*ordered, *others) == [Why.MAY_TRANSMIT] * 12 + [Why.UP] * 3
    assert whys(*ordered) == [Why.MAY_TRANSMIT] * 12
    # Two that fall silent beside them are still two.
    assert whys(*ordered, silent(20, 30), *others)[12] is Why.POWER
