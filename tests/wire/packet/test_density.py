"""When packets are dense: their rate decides, however they are spread over turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.packet.density import Density

US = 1_000


def turned(per_s: int, turns: list[tuple[int, int]]) -> list[bool]:
    """turns: nanoseconds since the one before, packets that came."""
    one, now_ns, seen = Density(per_s, 150 * US), 0, []
    one.turn(0)
    for gap_ns, packets in turns:
        now_ns += gap_ns
        one.came += packets
        seen.append(one.turn(now_ns))
    return seen


@given(st.integers(1, 40), st.integers(150 * US, 5_000 * US))
def test_a_steady_stream_is_dense_if_and_only_if_its_rate_is_above(packets: int, gap_ns: int) -> None:
    per_s = packets * 1_000_000_000 / gap_ns
    assert all(turned(int(per_s * 0.99), [(gap_ns, packets)] * 5))
    assert not any(turned(int(per_s * 1.01) + 1, [(gap_ns, packets)] * 5))


def test_it_ends_when_they_end() -> None:
    assert turned(20_000, [(150 * US, 6), (150 * US, 5), (150 * US, 1), (20_000 * US, 1)]) == [
        True,
        True,
        False,
        False,
    ]


def test_one_packet_after_a_long_silence_is_none_however_short_the_turn() -> None:
    assert turned(20_000, [(500_000 * US, 1), (US, 30), (US, 30)]) == [False, False, False]
