"""Own terminals as sensors: who was online, of those who ought to have been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.telemetry import heard, sensors
from skylift.adapters.telemetry.database import UNMADE
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.telemetry import Keep, Online, Posted
from skylift.wire.telemetry.reading import Aside
from skylift.wire.telemetry.rows import Quarantined, Row

# Ten minutes before midnight: bins lie in two parts.
START = int(parse_instant("2022-02-25T23:50:00Z"))
STEP, SPAN = 600 * US_PER_S, 150 * US_PER_S
EVERYWHERE = {f"trm_{n}": ("country/UA", "region/rgn_1" if n < 4 else "region/rgn_2") for n in range(1, 6)}
ALL = slice(0, 3)
NONE = np.empty((0, 3), np.int64)


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
    for bin in range(6):
        online = expected = 0
        for states in told.values():
            some = states[4 * bin : 4 * bin + 4].replace(".", "")
            online += "c" in some
            # Five minutes are two spans.
            fives = [states[place : place + 2].replace(".", "") for place in range(0, 4 * bin, 2)]
            last = some or next((five for five in reversed(fives) if five), "")
            expected += any(letter in "cn" for letter in last)
        wanted.append(Online(START + bin * STEP, "country/UA", online, expected))
    found = store.online(EVERYWHERE, (START, START + 6 * STEP), STEP)
    assert [one for one in found if one.group == "country/UA"] == wanted
    assert min(len({one.online for one in wanted}), len({one.expected for one in wanted})) > 1


@pytest.mark.parametrize("bins", [0.9, sensors.MOST_BINS + 1])
def test_a_range_holds_some_bins(store: TelemetrySql, bins: float) -> None:
    with pytest.raises(Refused, match="whole bins"):
        store.online(EVERYWHERE, (START, START + int(bins * STEP)), STEP)


# --- bits against rows

TERMINALS = tuple(EVERYWHERE)
# On the edges of bins and beside them, on days that one another's week just holds, and just does not.
TIMES = st.builds(
    lambda day, span, beside: START + day * US_PER_DAY + span * SPAN + beside,
    st.sampled_from([0, 0, 0, 6, 7, 8]),
    st.integers(-6, 12),
    st.sampled_from([0, 0, 1, -1]),
)
ROWS_TOLD = st.lists(
    st.tuples(TIMES, st.sampled_from(["connected", "connected", "no-pings", "stowed", "disabled"])),
    min_size=1,
    max_size=6,
)
STEPS_TAKEN = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.sampled_from(TERMINALS), ROWS_TOLD),
        # Late and repeated: numbers that came before, with whatever else; or kept aside.
        st.tuples(st.just("again"), st.sampled_from(TERMINALS), ROWS_TOLD),
        st.tuples(st.just("aside"), st.sampled_from(TERMINALS), ROWS_TOLD),
        st.tuples(st.just("erase"), st.sampled_from(TERMINALS), st.none()),
        st.tuples(st.sampled_from(["roll", "restart", "older"]), st.none(), st.none()),
    ),
    min_size=1,
    max_size=12,
)


def asked(store: TelemetrySql) -> list[Online]:
    windows = [(START - 2 * STEP, STEP // 2, 10), (START + 7 * US_PER_DAY, STEP, 4)]
    if store.database.is_sqlite:
        # From one day to the next and over.
        windows.append((START - 12 * STEP, 60 * STEP, 4))
    found: list[Online] = []
    for from_us, step_us, count in windows:
        begin_us = from_us // step_us * step_us
        found += store.online(EVERYWHERE, (begin_us, begin_us + count * step_us), step_us)
    return found


def equal(store: TelemetrySql) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heard, "is_complete", lambda session: False)
        of_rows = asked(store)
    return asked(store) == of_rows


def as_an_older_version_left_it(store: TelemetrySql) -> None:
    with store.database.writing() as session:
        for table in ("telemetry_heard", "telemetry_heard_notes", "telemetry_newest"):
            session.run(f"DROP TABLE {table}")
        session.run("DELETE FROM telemetry_meta WHERE name = ?", (UNMADE,))


def tell_all(store: TelemetrySql, what: str, terminal: str, told: Any) -> None:
    first = 1 if what == "again" else store.next_sequence(terminal)
    rows = [Row(first + place, at_us, state=state) for place, (at_us, state) in enumerate(told)]
    aside = [Aside(Quarantined(row.sequence, "row.clock", "a test"), b"{}") for row in rows]
    posted = Posted(terminal, START + 9 * US_PER_DAY, *(((), aside) if what == "aside" else (rows, ())))
    store.take([posted])


def check_bits_against_rows(store_url: str, taken: Sequence[tuple[str, str, Any]]) -> None:
    store = TelemetrySql(store_url)
    try:
        store.erase(TERMINALS)
        assert asked(store) == []
        for what, terminal, told in taken:
            if what == "erase":
                store.erase([terminal])
            elif what == "roll":
                store.roll(START + 10 * US_PER_DAY, 5)
            elif what in ("restart", "older"):
                if what == "older":
                    as_an_older_version_left_it(store)
                store.close()
                store = TelemetrySql(store_url)
                assert equal(store)
            else:
                tell_all(store, what, terminal, told)
        assert equal(store)
        while store.roll(START + 10 * US_PER_DAY, 100):
            pass
        with store.database.reading() as session:
            assert heard.is_complete(session)
            assert session.rows("SELECT 1 FROM telemetry_heard_notes") == []
        assert equal(store)
    finally:
        store.close()


def test_bits_say_what_rows_say_whatever_happens(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(heard, "NOTES_AT_ONCE", 2)
    # What is erased on a server is put into fresh pages there, table by table.
    examples = 12 if store_url.startswith("sqlite") else 2

    @settings(max_examples=examples, deadline=None, database=None)
    @given(taken=STEPS_TAKEN)
    def check(taken: Sequence[tuple[str, str, Any]]) -> None:
        check_bits_against_rows(store_url, taken)

    check()


def test_nothing_of_an_erased_terminal_is_in_the_bits_and_its_number_may_be_anothers(
    store: TelemetrySql,
) -> None:
    tell(store, "trm_1", "cccc")
    tell(store, "trm_2", "cccc")
    store.roll(START, 1)
    tell(store, "trm_2", "cccccccc")
    store.erase(["trm_2"])
    with store.database.reading() as session:
        assert session.rows("SELECT 1 FROM telemetry_heard_notes") == []
        planes = heard.planes(session, range(START // heard.BIN_US, START // heard.BIN_US + 9), NONE, 1)
        assert set(planes.ravel().tolist()) == {0, 1 << 1}
    tell(store, "trm_3", "n")
    assert counted(store, "country/UA", slice(0, 1)) == [(1, 2)]


def test_bits_are_kept_as_long_as_buckets_of_five_minutes(store: TelemetrySql) -> None:
    tell(store, "trm_1", "cccc")
    keep = Keep()
    while store.roll(START + US_PER_DAY, 100):
        pass
    store.tidy(START + keep.rows * US_PER_DAY + 2 * US_PER_DAY, keep)
    assert counted(store, "country/UA", slice(0, 1)) == [(1, 1)]
    store.tidy(START + keep.five_minutes * US_PER_DAY + 2 * US_PER_DAY, keep)
    assert counted(store, "country/UA", slice(0, 1)) == []
