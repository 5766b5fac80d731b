"""Telemetry on both databases: each row once, buckets as a plain sum has them, nothing after an erasure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skylift.adapters.telemetry.store import TelemetrySql
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.telemetry import DAY, FIVE_MINUTES, HOUR, ROWS, Keep, Posted
from skylift.wire.telemetry.reading import Aside
from skylift.wire.telemetry.rows import Quarantined, Row

START = int(parse_instant("2022-03-05T22:59:12Z"))
SPAN = 15 * US_PER_S


@pytest.fixture
def store(store_url: str) -> Iterator[TelemetrySql]:
    opened = TelemetrySql(store_url)
    yield opened
    opened.close()


def row(number: int, **more: Any) -> Row:
    fields = {
        "ping_latency_ms": 30.0 + number % 7,
        "down_bps": 1e6 * (number % 5),
        "state": "connected" if number % 10 else "obstructed",
        "alerts": () if number % 4 else ("mast", "heat"),
        "down_bytes": number,
        "up_bytes": 1,
        "software": "2022.03",
        "uptime_s": 15.0 * number,
    }
    return Row(number, START + (number - 1) * SPAN, **{**fields, **more})


def post(store: TelemetrySql, *rows: Row, terminal: str = "trm_1", aside: tuple[Aside, ...] = ()) -> Any:
    received = max((one.at_us for one in rows), default=START)
    return store.take([Posted(terminal, received, rows, aside)])[0]


def stored(store: TelemetrySql) -> list[tuple[Any, ...]]:
    with store.database.reading() as session:
        return session.rows("SELECT terminal, sequence FROM telemetry_rows ORDER BY terminal, sequence")


def test_a_history_is_never_cut_short_silently(store: TelemetrySql, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of two days, each a table of its own.
    post(store, row(1), row(2), row(3), row(6000))
    monkeypatch.setattr("skylift.adapters.telemetry.history.MOST_ROWS_AT_ONCE", 4)
    assert len(store.history("trm_1", START, START + 2 * US_PER_DAY, ROWS)) == 4
    monkeypatch.setattr("skylift.adapters.telemetry.history.MOST_ROWS_AT_ONCE", 3)
    with pytest.raises(Refused, match="level=5min"):
        store.history("trm_1", START, START + 2 * US_PER_DAY, ROWS)


def test_a_row_that_comes_again_in_any_company_is_kept_once(store: TelemetrySql) -> None:
    assert (post(store, row(1), row(2)).new, len(stored(store))) == (2, 2)
    # Late, out of order, twice in one group, and with another time than before.
    moved = msgspec.structs.replace(row(2), at_us=START + 999)
    done = store.take(
        [
            Posted("trm_1", START, (row(5), row(1), moved)),
            Posted("trm_2", START, (row(1),)),
            Posted("trm_1", START, (row(4), row(5), row(3))),
        ]
    )
    assert [(one.new, one.again) for one in done] == [(1, 2), (1, 0), (2, 1)]
    assert stored(store) == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 1)]
    assert store.next_sequence("trm_1") == 6
    assert store.next_sequence("trm_9") == 1


def test_what_was_written_is_there_for_the_next_process(store: TelemetrySql, store_url: str) -> None:
    post(store, row(1), row(2))
    other = TelemetrySql(store_url)
    try:
        # Two servers on one database: whoever writes sees what the other wrote.
        assert post(other, row(2), row(3)).new == 1
        assert post(store, row(3), row(4)).new == 1
        assert dict(other.last_states()).keys() == {"trm_1"}
    finally:
        other.close()
    assert [number for _, number in stored(store)] == [1, 2, 3, 4]


def test_a_connection_that_died_while_nobody_wrote_is_replaced(store: TelemetrySql, store_url: str) -> None:
    post(store, row(1))
    if store_url.startswith("sqlite"):
        store.database._writer.driver_connection.close()
    else:
        with store.database.reading() as session:
            session.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
    with pytest.raises(Unavailable):
        post(store, row(2))
    assert post(store, row(2)).new == 1


def test_services_on_one_database_hear_of_each_others_rows(
    store: TelemetrySql, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store_url.startswith("sqlite"):
        post(store, row(1))
        assert list(store.others_states()) == [], "one process alone has the file"
        return
    other = TelemetrySql(store_url)
    try:
        assert list(store.others_states()) == []
        post(store, row(1))
        post(other, row(1), row(2), terminal="trm_2")
        post(other, row(1), terminal="trm_3")
        assert dict(store.others_states()).keys() == {"trm_2", "trm_3"}
        assert list(store.others_states()) == []
        post(other, row(3), terminal="trm_2")
        [(terminal, text)] = store.others_states()
        assert (terminal, msgspec.json.decode(text)[3]) == ("trm_2", 3)
        # After a long while all of it is read, as notes are kept for an hour.
        store.tidy(START + US_PER_DAY, Keep())
        monkeypatch.setattr("skylift.adapters.telemetry.others.TRUSTED_S", -1.0)
        assert dict(store.others_states()).keys() == {"trm_1", "trm_2", "trm_3"}
        with store.database.reading() as session:
            assert session.rows("SELECT COUNT(*) FROM telemetry_written") == [(0,)]
    finally:
        other.close()


def test_the_last_state_is_of_the_newest_row_not_of_the_last_to_come(store: TelemetrySql) -> None:
    post(store, row(3, state="connected"))
    late = post(store, row(1, state="booting"))
    assert '"connected"' in late.state
    [(terminal, text)] = store.last_states()
    assert (terminal, msgspec.json.decode(text)[3]) == ("trm_1", 3)


def test_rows_kept_aside_count_as_come_and_say_why(store: TelemetrySql) -> None:
    aside = Aside(Quarantined(2, "row.range", "down_bps is -5"), b'{"sequence":2,"x":"\\u0000\x00"}')
    assert post(store, row(1), aside=(aside,)).aside == 1
    assert post(store, row(2), aside=()).again == 1
    [kept] = store.put_aside("trm_1", 10)
    assert (kept.sequence, kept.code, kept.reason) == (2, "row.range", "down_bps is -5")
    assert store.put_aside("trm_2", 10) == []


def _plainly(rows: list[Row], seconds: int) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for one in rows:
        at_s = one.at_us // US_PER_S
        found.setdefault(at_s - at_s % seconds, []).append(one)
    return found


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize(("level", "seconds"), [(FIVE_MINUTES, 300), (HOUR, 3600), (DAY, 86_400)])
def test_buckets_are_what_a_plain_sum_over_rows_says(
    store: TelemetrySql, rolled: bool, level: str, seconds: int
) -> None:
    # Over midnight, with a thinned row, an unknown latency, and another terminal's rows between.
    rows = [row(n) for n in range(1, 400)]
    rows[7] = msgspec.structs.replace(rows[7], span_s=60.0, ping_latency_ms=None)
    for start in range(0, len(rows), 100):
        post(store, *rows[start : start + 100])
    post(store, row(1), terminal="trm_2")
    if rolled:
        while store.roll(rows[-1].at_us + US_PER_DAY, 2):
            pass
        # One comes late, after its hour was rolled.
        rows.append(msgspec.structs.replace(row(400), at_us=START + 3 * SPAN + 1))
        post(store, rows[-1])
    history = store.history("trm_1", START - US_PER_DAY, rows[-2].at_us + US_PER_DAY, level)
    expected = _plainly(rows, seconds)
    columns = history.columns
    assert columns["at_us"] == [at_s * US_PER_S for at_s in sorted(expected)]
    for place, at_s in enumerate(sorted(expected)):
        some = expected[at_s]
        known = [one for one in some if one.ping_latency_ms is not None]
        span = sum(one.span_s for one in some)
        assert columns["rows"][place] == len(some)
        assert columns["span_s"][place] == pytest.approx(span)
        mean = sum((one.ping_latency_ms or 0) * one.span_s for one in known) / sum(o.span_s for o in known)
        assert columns["ping_latency_ms"][place] == pytest.approx(mean)
        assert columns["ping_latency_max_ms"][place] == max(one.ping_latency_ms or 0 for one in known)
        connected = sum(one.span_s for one in some if one.state == "connected")
        assert columns["connected_fraction"][place] == pytest.approx(connected / span)
        alerted = sum(one.span_s for one in some if one.alerts)
        assert columns["alerted_fraction"][place] == pytest.approx(alerted / span)
        assert columns["down_bytes"][place] == sum(one.down_bytes or 0 for one in some)
        assert columns["power_w"][place] is None


def test_rows_come_back_as_they_were_sent(store: TelemetrySql) -> None:
    post(store, row(4), row(5, snr_low=True, power_w=44.5))
    columns = store.history("trm_1", START, START + US_PER_DAY, ROWS).columns
    assert columns["sequence"] == [4, 5]
    assert columns["alerts"] == [["mast", "heat"], []]
    assert columns["state"] == ["connected", "connected"]
    assert columns["snr_low"] == [None, True]
    assert columns["power_w"] == [None, 44.5]
    assert len(store.history("trm_7", START, START + US_PER_DAY, ROWS)) == 0


def test_old_rows_go_with_their_day_once_they_are_rolled(store: TelemetrySql) -> None:
    post(store, row(1))
    later = START + 9 * US_PER_DAY
    keep = Keep(rows=5, five_minutes=30, hours=400, days=4000, aside=1)
    # What has not been rolled is not forgotten.
    store.tidy(later, keep)
    assert len(stored(store)) == 1
    assert store.roll(later, 10) == 0
    assert store.tidy(later, keep) == 1
    assert stored(store) == []
    assert len(store.history("trm_1", START - US_PER_DAY, later, HOUR)) == 1
    # Its number is known for ever, and a new row makes its day anew.
    assert post(store, row(1)).again == 1
    assert post(store, row(2)).new == 1


def test_nothing_of_an_erased_terminal_is_left(store: TelemetrySql, store_url: str) -> None:
    post(store, row(1, software="marked-canary"), row(2), terminal="trm_gone")
    post(store, row(1), terminal="trm_stays")
    store.roll(START + US_PER_DAY, 10)
    assert store.erase(["trm_gone"]) > 0
    assert dict(store.last_states()).keys() == {"trm_stays"}
    for level in (ROWS, FIVE_MINUTES, HOUR, DAY):
        assert len(store.history("trm_gone", 0, START + US_PER_DAY, level)) == 0
        assert len(store.history("trm_stays", 0, START + US_PER_DAY, level)) == 1
    assert store.erase(["trm_gone"]) == 0
    if store_url.startswith("sqlite"):
        file = Path(store_url.removeprefix("sqlite:///"))
        store.close()
        for path in file.parent.glob(f"{file.name}*"):
            assert b"trm_gone" not in path.read_bytes()


def test_a_database_that_holds_still_is_told_and_then_used_again(tmp_path: Path) -> None:
    file = tmp_path / "t.sqlite"
    store = TelemetrySql(f"sqlite:///{file}", busy_timeout_s=0.1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another process holds it"):
        post(store, row(1))
    other.execute("ROLLBACK")
    other.close()
    assert post(store, row(1)).new == 1
    store.close()
