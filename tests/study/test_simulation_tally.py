"""Sums over a run, against plain Python over the same small table."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.link import WhyDown
from skylift.study.tally import SlotColumns, concatenated, rate_tally, span_s, tally

SLOT_S = 15.0


def columns(why: list[list[int]], rtt_us: list[list[float]], handover: list[list[bool]]) -> SlotColumns:
    shape = np.array(why).shape
    codes = np.array(why, dtype=np.uint8)
    # Any rates will do; half of all runs know none.
    rates = np.where(codes == 0, np.array(rtt_us, dtype=np.float32) * 1e3, np.float32(np.nan))
    known = {"down_bps": rates, "up_bps": rates / 5} if shape[0] % 2 else {}
    return SlotColumns(
        at_us=np.arange(shape[0], dtype=np.int64) * 15_000_000,
        rtt_us=np.where(codes == 0, np.array(rtt_us, dtype=np.float32), np.float32(np.nan)),
        handover=np.array(handover, dtype=np.bool_),
        why_down=codes,
        in_view=np.zeros(shape, np.int16),
        usable=np.zeros(shape, np.int16),
        gateway=np.where(codes == 0, 0, -1).astype(np.int16),
        **known,
    )


@st.composite
def runs(draw: st.DrawFn) -> SlotColumns:
    slots, terminals = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    why = st.sampled_from([0, 0, 0, 1, 4, 5])

    def table(values: st.SearchStrategy[object]) -> list[list[object]]:
        return [[draw(values) for _ in range(terminals)] for _ in range(slots)]

    return columns(
        table(why),
        table(st.integers(20_000, 60_000).map(float)),
        table(st.booleans()),  # type: ignore[arg-type]
    )


@given(runs())
def test_as_counted_by_hand(run: SlotColumns) -> None:
    for m in range(run.why_down.shape[1]):
        why = [WhyDown(int(code)) for code in run.why_down[:, m]]
        up = [w is WhyDown.UP for w in why]
        rtt_ms = [float(r) / 1e3 for r, u in zip(run.rtt_us[:, m], up, strict=True) if u]
        active = [u for u, w in zip(up, why, strict=True) if w is not WhyDown.REGION_NOT_ACTIVE]
        got = tally(run, m, SLOT_S)
        assert got.availability_fraction == pytest.approx(sum(up) / len(up))
        if active:
            assert got.availability_while_active_fraction == pytest.approx(sum(active) / len(active))
        else:
            assert got.availability_while_active_fraction is None
        if rtt_ms:
            assert got.rtt_ms_median == pytest.approx(statistics.median(rtt_ms))
            # Per hour of being up, not per hour of the run.
            assert got.handovers_per_hour == pytest.approx(
                int(run.handover[:, m].sum()) / (sum(up) * SLOT_S / 3600)
            )
        else:
            assert got.rtt_ms_median is got.rtt_ms_p95 is got.handovers_per_hour is None
        longest = current = 0
        for w in why:
            current = 0 if w in (WhyDown.UP, WhyDown.REGION_NOT_ACTIVE) else current + 1
            longest = max(longest, current)
        assert got.longest_gap_s == longest * SLOT_S
        assert got.why_down == {w.label: why.count(w) for w in WhyDown if w is not WhyDown.UP and w in why}


@given(runs(), st.data())
def test_put_together_from_parts(run: SlotColumns, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(run.at_us)))
    fields = SlotColumns.__dataclass_fields__
    parts = [
        SlotColumns(*(None if getattr(run, name) is None else getattr(run, name)[part] for name in fields))
        for part in (slice(0, cut), slice(cut, None))
    ]
    whole = concatenated(parts, run.why_down.shape[1])
    for name in fields:
        assert (getattr(whole, name) is None) == (getattr(run, name) is None)
        if getattr(run, name) is not None:
            np.testing.assert_array_equal(getattr(whole, name), getattr(run, name))
    assert span_s(whole, 15_000_000) == len(run.at_us) * SLOT_S


@given(runs(), st.data())
def test_rates_as_counted_by_hand(run: SlotColumns, data: st.DataObject) -> None:
    terminals = run.why_down.shape[1]
    asked = np.array([data.draw(st.floats(1e6, 1e9)) for _ in range(terminals)])
    who = data.draw(st.lists(st.integers(0, terminals - 1), min_size=1, unique=True))
    if run.down_bps is None or run.up_bps is None:
        return
    got = rate_tally(run, asked, np.array(who))
    down, up, wanted = [], [], 0.0
    for slot in range(len(run.at_us)):
        for m in who:
            if run.why_down[slot, m] == WhyDown.UP:
                down.append(float(run.down_bps[slot, m]))
                up.append(float(run.up_bps[slot, m]))
            if run.why_down[slot, m] != WhyDown.REGION_NOT_ACTIVE:
                wanted += asked[m]
    assert got.down_bps_median == (pytest.approx(statistics.median(down)) if down else None)
    assert got.down_bps_least == (min(down) if down else None)
    assert got.up_bps_median == (pytest.approx(statistics.median(up)) if up else None)
    if wanted:
        assert got.unserved_fraction == pytest.approx(max(1 - sum(down) / wanted, 0.0))
    else:
        assert got.unserved_fraction is None


def test_nothing_is_put_together_to_nothing() -> None:
    nothing = concatenated([], 2)
    assert nothing.why_down.shape == (0, 2)
    assert span_s(nothing, 15_000_000) == 0.0
    assert tally(nothing, 1, SLOT_S).rtt_ms_median is None
