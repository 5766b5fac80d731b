"""Batches as agents send them, as broken agents send them, and as nobody should."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import math
import re
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY
from skylift.wire.telemetry import reading
from skylift.wire.telemetry.reading import JSON, MSGPACK
from skylift.wire.telemetry.rows import MOST_BYTES, Batch, Row, as_ranges

NOW = int(parse_instant("2022-03-05T12:00:00Z"))
GOOD = Row(
    1, NOW, 10.0, 1e7, 1e6, 0.01, 41.5, 0.0, False, 0.9, "connected", "2022.03", ("mast",), 5, 6, 15.0, 50.0
)


def batch(*rows: Any, **more: Any) -> dict[str, Any]:
    plain = [msgspec.to_builtins(row) if isinstance(row, Row) else row for row in rows]
    return {"terminal": "trm_1", "sent_at": NOW, "rows": plain, **more}


def read(document: Any, kind: str = JSON) -> reading.Sorted:
    coder = msgspec.json if kind == JSON else msgspec.msgpack
    return reading.read(coder.encode(document), kind, NOW)


@pytest.mark.parametrize("kind", [JSON, MSGPACK])
def test_good_rows_come_out_as_they_went_in(kind: str) -> None:
    second = msgspec.structs.replace(GOOD, sequence=2, ping_latency_ms=None, snr_low=None, alerts=())
    found = read(batch(GOOD, second), kind)
    assert [msgspec.structs.astuple(row) for row in found.rows] == [
        msgspec.structs.astuple(GOOD),
        msgspec.structs.astuple(second),
    ]
    assert (found.terminal, found.sent_at, found.aside) == ("trm_1", NOW, ())


def test_what_firmware_adds_or_drops_is_no_fault() -> None:
    found = read(batch({"sequence": 3, "at_us": NOW, "warp_factor": [9], "state": "searching"}))
    assert found.aside == ()
    assert (found.rows[0].state, found.rows[0].down_bps, found.rows[0].span_s) == ("searching", None, 15.0)


@pytest.mark.parametrize(
    ("field", "value", "code", "words"),
    [
        ("ping_latency_ms", -1.0, "row.range", "ping_latency_ms is -1; .* or null"),
        ("ping_latency_ms", 1e30, "row.range", "1e[+]30"),
        ("down_bps", -5.0, "row.range", "down_bps is -5"),
        ("down_bps", math.nan, "row.range", "not a number"),
        ("up_bps", math.inf, "row.range", "not a number"),
        ("ping_drop_fraction", 1.5, "row.range", "from 0 to 1"),
        ("span_s", 0.0, "row.range", "span_s is 0"),
        ("down_bytes", 10**17, "row.range", "down_bytes"),
        ("down_bytes", 2**70, "row.range", "down_bytes"),
        ("power_w", "much", "row.malformed", "float"),
        ("state", "on-fire", "row.state", "none of"),
        ("software", "x\0y", "row.text", "plain letters"),
        ("software", "x" * 81, "row.text", "80"),
        ("alerts", ["a"] * 33, "row.text", "32 alerts"),
        ("at_us", NOW - 41 * US_PER_DAY, "row.clock", "41.0 days behind"),
        ("at_us", NOW + 3 * 365 * US_PER_DAY, "row.clock", "3.0 years ahead"),
        ("at_us", 5, "row.clock", "52.2 years behind"),
    ],
)
def test_one_bad_row_is_kept_aside_and_spoils_no_other(field: str, value: Any, code: str, words: str) -> None:
    bad = {**msgspec.to_builtins(GOOD), "sequence": 2, field: value}
    # JSON has no NaN, and msgpack no number beyond 64 bits.
    kind = MSGPACK if isinstance(value, float) and not math.isfinite(value) else JSON
    found = read(batch(GOOD, bad), kind)
    assert [row.sequence for row in found.rows] == [1]
    [aside] = found.aside
    assert (aside.quarantined.sequence, aside.quarantined.code) == (2, code)
    assert re.search(words, aside.quarantined.reason)


def test_what_is_kept_of_a_bad_row_holds_no_place() -> None:
    bad = {"sequence": 2, "at_us": "noon", "latitude": 50.45, "place": {"lat": 50.45}, "software": "v"}
    [aside] = read(batch(GOOD, bad)).aside
    assert b"50.45" not in aside.raw
    assert msgspec.json.decode(aside.raw) == {"sequence": 2, "at_us": "noon", "software": "v"}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (batch(), "telemetry.rows"),
        (batch(*[{"sequence": n + 1, "at_us": NOW} for n in range(101)]), "telemetry.rows"),
        (batch(GOOD, GOOD), "telemetry.twice"),
        (batch({"at_us": NOW}), "telemetry.unreadable"),
        (batch(GOOD, place={"lat": 50.0}), "telemetry.place"),
        ({**batch(GOOD), "sent_at": "noon"}, "telemetry.unreadable"),
        ({"rows": []}, "telemetry.unreadable"),
        ([1, 2], "telemetry.unreadable"),
    ],
)
def test_what_cannot_be_taken_at_all(document: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read(document)
    assert refused.value.code == code
    assert "50.0" not in str(refused.value)


def test_deep_nesting_and_other_types_are_refused() -> None:
    with pytest.raises(Refused, match="not readable"):
        reading.read(b'{"rows":' + b"[" * 200_000, JSON, NOW)
    with pytest.raises(Refused, match="content-type"):
        reading.read(b"{}", "text/plain", NOW)


_SENT = {
    JSON: msgspec.json.encode(batch(GOOD, {**msgspec.to_builtins(GOOD), "sequence": 2})),
    MSGPACK: msgspec.msgpack.encode(batch(GOOD, {**msgspec.to_builtins(GOOD), "sequence": 2})),
}
_changes = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3), st.binary(max_size=3)), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([JSON, MSGPACK]), _changes)
@example(JSON, [(_SENT[JSON].index(b"mast"), 1, b"\xfd")])
def test_a_batch_that_was_damaged_on_the_way_is_sorted_or_refused(
    kind: str, changes: list[tuple[int, int, bytes]]
) -> None:
    data = _SENT[kind]
    for place, length, instead in changes:
        data = data[:place] + instead + data[place + length :]
    with contextlib.suppress(Refused):
        found = reading.read(data, kind, NOW)
        assert all(reading.strange(row, NOW) is None for row in found.rows)
        assert all(len(one.raw) <= reading.KEPT_BYTES for one in found.aside)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([JSON, MSGPACK]))
@example(b'{"terminal":"t","sent_at":0,"rows":[{"sequence":1e400,"at_us":0}]}', JSON)
@example(b"\x83\xa8terminal\xa1t\xa7sent_at\x00\xa4rows\xdd\xff\xff\xff\xff", MSGPACK)
def test_no_bytes_break_the_decoder(data: bytes, kind: str) -> None:
    # Refused, or read: nothing else is ever raised.
    with contextlib.suppress(Refused):
        assert reading.read(data, kind, NOW).terminal is not None


_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=12)
_values = (
    _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(st.text(max_size=4), _scalars, max_size=2)
)
_rows = st.fixed_dictionaries(
    {"sequence": st.integers(1, 50), "at_us": st.just(NOW) | _values},
    optional=dict.fromkeys(Row.__struct_fields__[2:], _values),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_rows, min_size=1, max_size=5, unique_by=lambda row: row["sequence"]))
def test_every_row_of_a_batch_is_taken_or_kept_aside_with_a_reason(rows: list[dict[str, Any]]) -> None:
    found = read(batch(*rows), MSGPACK)
    numbers = [row.sequence for row in found.rows] + [one.quarantined.sequence for one in found.aside]
    assert sorted(numbers) == sorted(row["sequence"] for row in rows)
    assert all(reading.strange(row, NOW) is None for row in found.rows)
    assert all(one.quarantined.reason and "\n" not in one.quarantined.reason for one in found.aside)


def test_gzip_is_unpacked_and_a_bomb_is_not() -> None:
    data = msgspec.json.encode(batch(GOOD))
    assert reading.unpacked(gzip.compress(data), "gzip") == data
    assert reading.unpacked(reading.packed(data), "gzip") == data
    assert reading.unpacked(data, "") == data
    bomb = gzip.compress(b"\0" * 20 * MOST_BYTES)
    with pytest.raises(Refused, match="1024 KiB"):
        reading.unpacked(bomb, "gzip")
    for broken in (
        b"",
        b"\x1f\x8b",
        gzip.compress(data)[:-4],
        gzip.compress(data) + b"x",
        zlib.compress(data),
    ):
        with pytest.raises(Refused, match="gzip"):
            reading.unpacked(broken, "gzip")
    with pytest.raises(Refused, match="content-encoding"):
        reading.unpacked(data, "br")


@given(st.lists(st.integers(1, 60)))
def test_ranges_name_just_the_numbers_given(numbers: list[int]) -> None:
    ranges = as_ranges(numbers)
    named = [number for first, last in ranges for number in range(first, last + 1)]
    assert named == sorted(set(numbers))
    assert all(first - 1 > last for (_, last), (first, _) in itertools.pairwise(ranges))


def test_rows_survive_the_way_there() -> None:
    sent = Batch("trm_1", NOW, [GOOD])
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Batch) == sent
