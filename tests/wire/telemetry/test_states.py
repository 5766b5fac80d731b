"""The newest state of a terminal as it is sent: short, and near enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import decoded, encoded


def test_numbers_are_sent_as_fine_as_they_are_measured() -> None:
    row = Row(
        7, 9, 86_400.0, 1.23456e7, 0.0, 1 / 3, 25.0 + 1 / 3, 0.00004, False, 0.9, "connected", "v1", ("heat",)
    )
    wanted = b'["trm_1",9,12,7,"connected",86400,12345600,0,0.3333,25.33,0,false,0.9,null,["heat"],"v1"]'
    assert encoded("trm_1", 12, row) == wanted


@given(st.floats(0, 60_000), st.floats(0, 1), st.floats(0, 1e11), st.none() | st.floats(0, 1e4))
def test_what_is_read_is_what_was_meant(ms: float, share: float, rate: float, power: float | None) -> None:
    found = decoded(encoded("trm_1", 1, Row(1, 1, None, rate, None, share, ms, power_w=power)))
    assert found.ping_latency_ms is not None
    assert abs(found.ping_latency_ms - ms) <= 0.005
    assert found.ping_drop_fraction is not None
    assert abs(found.ping_drop_fraction - share) <= 0.00005
    assert found.down_bps is not None
    assert abs(found.down_bps - rate) <= 0.5
    assert (found.power_w is None) == (power is None)
    assert found.uptime_s is None
