"""Own terminals as sensors: who was online, of those who ought to have been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skylift.adapters.telemetry import sensors
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.telemetry import Online, Posted
from skylift.wire.telemetry.rows import Row

# Ten minutes before midnight: bins lie in two parts.
START = int(parse_instant("2022-02-25T23:50:00Z"))
STEP, SPAN = 600 * US_PER_S, 150 * US_PER_S
EVERYWHERE = {f"trm_{n}": ("country/UA", "region/rgn_1" if n < 4 else "region/rgn_2") for n in range(1, 6)}
ALL = slice(0, 3)


@pytest.fixture
def store(store_url: str) -> Iterator[TelemetrySql]:
    opened = TelemetrySql(store_url)
    yield opened
    opened.close()


def tell(store: TelemetrySql, terminal: str, states: str, at_us: int = START) -> None:
    """A row at the end of every span, by first letters; a dot is silence."""
    words = {"c": "connected", "s": "stowed", "n": "no-pings", "d": "disabled"}
    rows = [
        Row(number, at_us + number * SPAN, state=words[letter], span_s=150.0)
        for number, letter in enumerate(states, 1)
        if letter != "."
    ]
    store.take([Posted(terminal, rows[-1].at_us, rows)])


def counted(store: TelemetrySql, group: str, bins: slice = ALL, least: int = 1) -> list[tuple[int, int]]:
    between = (START + bins.start * STEP, START + bins.stop * STEP)
    found = store.online(EVERYWHERE, between, STEP, least)
    return [(one.online, one.expected) for one in found if one.group == group]


def test_bins_count_who_was_online_of_those_who_ought_to_be(store: TelemetrySql) -> None:
    tell(store, "trm_1", "cccccccccccc")
    tell(store, "trm_2", "cccc...c....")
    # One good span is enough; the last of a bin ends where the next begins.
    tell(store, "trm_3", "nnncnnnnnnnn")
    # Whoever chose to be off, or was switched off, is not missed, from then on.
    tell(store, "trm_4", "ccccccssssss")
    tell(store, "trm_5", "ccccdddd....")
    assert counted(store, "region/rgn_1") == [(3, 3), (2, 3), (1, 3)]
    assert counted(store, "region/rgn_2") == [(2, 2), (1, 1)]
    assert counted(store, "country/UA") == [(5, 5), (3, 4), (1, 3)]
    assert counted(store, "country/UA", slice(2, 3)) == [(1, 3)]
    assert counted(store, "region/rgn_2", least=2) == [(2, 2)]


def test_whoever_was_heard_of_is_missed_for_a_week_and_not_longer(store: TelemetrySql) -> None:
    tell(store, "trm_1", "c")
    tell(store, "trm_9", "c")
    week = sensors.REMEMBERED_US // STEP
    assert counted(store, "country/UA", slice(week - 1, week + 2)) == [(0, 1), (0, 1)]
    assert counted(store, "country/UA", slice(week + 1, week + 2)) == []
    tell(store, "trm_2", "c", START + 3 * US_PER_DAY)
    tell(store, "trm_3", "ss", START + 3 * US_PER_DAY)
    assert counted(store, "country/UA", slice(week, week + 1)) == [(0, 2)]


def test_it_is_what_a_look_at_every_row_finds(store: TelemetrySql) -> None:
    told = {
        f"trm_{number}": ("ccnnss......dddcnscccc" * 4)[5 * number : 5 * number + 24]
        for number in range(1, 6)
    }
    for terminal, states in told.items():
        tell(store, terminal, states)
    wanted: list[Online] = []
    heard: dict[str, bool] = {}
    for bin in range(6):
        online = 0
        for terminal, states in told.items():
            some = states[4 * bin : 4 * bin + 4].replace(".", "")
            online += "c" in some
            if some:
                heard[terminal] = any(letter in "cn" for letter in some)
        wanted.append(Online(START + bin * STEP, "country/UA", online, sum(heard.values())))
    found = store.online(EVERYWHERE, (START, START + 6 * STEP), STEP)
    assert [one for one in found if one.group == "country/UA"] == wanted
    assert min(len({one.online for one in wanted}), len({one.expected for one in wanted})) > 1


@pytest.mark.parametrize("bins", [0.9, sensors.MOST_BINS + 1])
def test_a_range_holds_some_bins(store: TelemetrySql, bins: float) -> None:
    with pytest.raises(Refused, match="whole bins"):
        store.online(EVERYWHERE, (START, START + int(bins * STEP)), STEP)
