"""The emulated dish's own rules: what it says of a slot, what it does when told to, what it remembers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.dish_grpc import dish_schema
from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.wire.dish.answers import Answers, DishRefuses
from skylift.wire.dish.dish import BOOT_US, SEARCH_US, Dish, Identity
from skylift.wire.dish.obstruction import MAX_THETA_DEG, PIXELS, ObstructionMap, pixel
from skylift.wire.dish.view import CAUSES, Cause, SlotView

S = 1_000_000
SLOT_US = 15 * S
T0 = 1_645_963_200 * S  # 2022-02-27T12:00:00Z
SCHEMA = dish_schema()
ANSWERS = Answers(SCHEMA)
PLACE = Place(10.0, 20.0, 100.0)


def dish(booted_us: int = T0) -> Dish:
    return Dish(Identity("ut-test", PLACE), booted_us)


def up(number: int, **changes: Any) -> SlotView:
    fields: dict[str, Any] = {
        "rtt_start_ms": 30.0,
        "rtt_end_ms": 45.0,
        "satellite": 44713,
        "track": ((0.1, 1.0), (0.2, 1.1), (0.3, 1.2)),
        "gateway": "somewhere",
        "pop": "city",
    }
    return SlotView(T0 + number * SLOT_US, SLOT_US, WhyDown.UP, **(fields | changes))


def down(number: int, why: WhyDown) -> SlotView:
    return SlotView(T0 + number * SLOT_US, SLOT_US, why)


def ask(one: Dish, now_us: int, kind: str, **fields: Any) -> Any:
    request = SCHEMA.message("Request")(id=7)
    getattr(request, kind).SetInParent()
    for name, value in fields.items():
        setattr(getattr(request, kind), name, value)
    response = ANSWERS.handle(one, request, now_us)
    assert response.id == 7
    answer = response.WhichOneof("response")
    return getattr(response, answer) if answer else None


def test_latency_is_the_slots_and_moves_within_it() -> None:
    one = dish()
    one.tell(up(0))
    assert ask(one, T0, "get_status").pop_ping_latency_ms == pytest.approx(30.0)
    assert ask(one, T0 + 5 * S, "get_status").pop_ping_latency_ms == pytest.approx(35.0)
    status = ask(one, T0 + 14 * S, "get_status")
    assert status.pop_ping_latency_ms == pytest.approx(44.0)
    assert status.pop_ping_drop_rate == 0
    assert status.seconds_to_first_nonempty_slot == 0
    assert not status.HasField("outage")
    assert status.disablement_code == 1


@pytest.mark.parametrize("why", [why for why in WhyDown if why != WhyDown.UP])
def test_every_reason_for_no_link_has_a_cause_and_a_stamp_in_gps_time(why: WhyDown) -> None:
    one = dish()
    one.tell(down(0, why))
    one.tell(up(1))
    status = ask(one, T0 + 4 * S, "get_status")
    assert status.outage.cause == CAUSES[why]
    # 2022-02-27T12:00:00Z is 1330000 ... seconds of GPS time: Unix time less 315964800, plus 18 leap seconds.
    assert status.outage.start_timestamp_ns == (1_645_963_200 - 315_964_800 + 18) * 10**9
    assert status.outage.duration_ns == 4 * 10**9
    assert status.pop_ping_latency_ms == -1
    assert status.pop_ping_drop_rate == 1
    assert status.seconds_to_first_nonempty_slot == pytest.approx(11.0)


def test_one_outage_is_stamped_in_two_ways_of_counting_time() -> None:
    """The recorded pair of a real dish differs by 315964800 - 18 seconds; so must ours."""
    one = dish()
    one.tell(down(0, WhyDown.NO_SATELLITE))
    one.tell(up(1))
    history = ask(one, T0 + 20 * S, "get_history")
    (outage,), (event,) = history.outages, history.event_log.events
    assert event.start_timestamp_ns - outage.start_timestamp_ns == 1790614511960339711 - 1474649729960339711
    assert outage.duration_ns == event.duration_ns == 15 * 10**9
    assert event.reason == SCHEMA.number("EventReason", "EVENT_REASON_OUTAGE_NO_SATS")


def test_history_is_a_ring_of_seconds_since_boot() -> None:
    one = dish()
    for number in range(100):
        one.advance(T0 + number * SLOT_US)
        one.tell(up(number, rtt_start_ms=float(number), rtt_end_ms=float(number)))
    history = ask(one, T0 + 1500 * S, "get_history")
    assert history.current == 1500
    assert len(history.pop_ping_latency_ms) == len(history.power_in) == 900
    newest = (1500 - 1) % 900
    assert history.pop_ping_latency_ms[newest] == 99
    assert history.pop_ping_latency_ms[(newest + 1) % 900] == 40  # the oldest: second 600 of slot 40
    for back in range(0, 900, 37):
        assert history.pop_ping_latency_ms[(newest - back) % 900] == (1499 - back) // 15


@settings(max_examples=25)
@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=6))
def test_however_often_it_is_asked_the_history_is_the_same(steps_s: list[int]) -> None:
    once, often = dish(), dish()
    now_us = T0
    for step in steps_s:
        now_us += step * S
        often.advance(now_us)
    once.advance(now_us)
    assert once.history.count == often.history.count == sum(steps_s)
    assert np.array_equal(once.history.rings, often.history.rings)


def test_a_fresh_dish_boots_searches_and_is_there() -> None:
    one = dish(T0 - 3600 * S)
    one.reboot(T0)
    for number in range(10):
        if number < 8:
            one.tell(up(number))
    status = ask(one, T0 + 10 * S, "get_status")
    assert status.outage.cause == Cause.BOOTING
    assert (status.outage.start_timestamp_ns, status.outage.duration_ns) == (-1, 0)
    assert status.pop_ping_latency_ms == status.seconds_to_first_nonempty_slot == -1
    assert math.isnan(status.obstruction_stats.avg_prolonged_obstruction_interval_s)
    assert status.alignment_stats.attitude_uncertainty_deg == pytest.approx(51.756836)
    assert status.device_info.bootcount == 2
    assert one.off_at(T0 + BOOT_US) == Cause.SKY_SEARCH
    assert one.off_at(T0 + BOOT_US + SEARCH_US) is None
    assert ask(one, T0 + 80 * S, "get_status").pop_ping_drop_rate == 0


@pytest.mark.parametrize(
    ("kind", "fields", "cause"),
    [
        ("dish_stow", {}, Cause.STOWED),
        ("dish_inhibit_rf", {"inhibit_rf": True}, Cause.INHIBIT_RF),
        (
            "dish_power_save",
            {"power_save_start_minutes": 710, "power_save_duration_minutes": 30, "enable_power_save": True},
            Cause.SLEEPING,
        ),
    ],
)
def test_what_is_switched_off_has_no_link_and_says_so(
    kind: str, fields: dict[str, Any], cause: Cause
) -> None:
    one = dish()
    one.tell(up(0))
    ask(one, T0 + 2 * S, kind, **fields)
    assert one.off_at(T0 + SLOT_US) == cause
    status = ask(one, T0 + 3 * S, "get_status")
    assert status.outage.cause == cause
    history = ask(one, T0 + 9 * S, "get_history")
    assert list(history.pop_ping_drop_rate[:9]) == [0, 0] + [1] * 7


def test_unstowing_brings_it_back() -> None:
    one = dish()
    one.tell(up(0))
    ask(one, T0, "dish_stow")
    ask(one, T0 + S, "dish_stow", unstow=True)
    assert one.trouble_at(T0 + 2 * S) is None


def test_a_night_that_goes_over_midnight() -> None:
    one = dish()
    one.configure(sleeps=True, sleep_start_minutes=1380, sleep_duration_minutes=120)
    midnight = T0 + 12 * 3600 * S
    asleep = [
        one.off_at(midnight + int(hours * 3600) * S) == Cause.SLEEPING for hours in (-1.5, -1, 0, 0.9, 1, 2)
    ]
    assert asleep == [False, True, True, True, False, False]


@pytest.mark.parametrize(("start", "duration"), [(1440, 10), (0, 0), (0, 1441)])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_sleep_that_cannot_be_is_refused_even_switched_off(
    start: int, duration: int, enabled: bool
) -> None:
    one = dish()
    with pytest.raises(DishRefuses):
        ask(
            one,
            T0,
            "dish_power_save",
            power_save_start_minutes=start,
            power_save_duration_minutes=duration,
            enable_power_save=enabled,
        )
    assert one.config.sleep_duration_minutes == 1


def test_location_is_told_only_where_the_owner_allows_it() -> None:
    one = dish()
    with pytest.raises(DishRefuses) as refusal:
        ask(one, T0, "get_location")
    assert refusal.value.text == "GetLocation requests are not enabled on this device"
    assert not ask(one, T0, "get_diagnostics").location.enabled
    one.configure(location_local=True)
    assert ask(one, T0, "get_location").lla.lat == PLACE.latitude_deg
    ask(one, T0, "dish_inhibit_gps", inhibit_gps=True)
    with pytest.raises(DishRefuses):
        ask(one, T0, "get_location")


def test_only_what_is_marked_is_configured() -> None:
    one = dish()
    request = SCHEMA.message("Request")()
    config = request.dish_set_config.dish_config
    config.snow_melt_mode, config.apply_snow_melt_mode = 1, True
    config.power_save_mode = True
    answer = ANSWERS.handle(one, request, T0).dish_set_config.updated_dish_config
    assert (answer.snow_melt_mode, answer.power_save_mode) == (1, False)
    assert ask(one, T0, "get_status").alerts.is_heating


def test_what_is_not_known_is_unimplemented() -> None:
    with pytest.raises(DishRefuses) as refusal:
        ANSWERS.handle(dish(), SCHEMA.message("Request")(), T0)
    assert refusal.value.code == 12


@given(st.floats(0, 2 * math.pi), st.floats(math.radians(10), math.pi / 2))
def test_pixels_lie_where_a_plain_polar_picture_has_them(azimuth: float, elevation: float) -> None:
    row, column = pixel(azimuth, elevation)
    right, upward = column - 61, 61 - row
    assert math.hypot(right, upward) / 61 * MAX_THETA_DEG == pytest.approx(
        90 - math.degrees(elevation), abs=1e-9
    )
    if elevation < 1.5:
        assert math.cos(math.atan2(right, upward) - azimuth) == pytest.approx(1.0)


def test_the_map_is_traced_slot_by_slot_and_cleared() -> None:
    one = dish()
    one.tell(up(0))
    one.advance(T0 + S)
    seen = ask(one, T0 + S, "dish_get_obstruction_map")
    values = np.array(seen.snr).reshape(PIXELS, PIXELS)
    assert set(np.unique(values)) == {-1.0, 1.0}
    for azimuth, elevation in up(0).track:
        row, column = pixel(azimuth, elevation)
        assert values[round(row), round(column)] == 1
    ask(one, T0 + 2 * S, "dish_clear_obstruction_map")
    assert ask(one, T0 + 3 * S, "get_status").obstruction_stats.patches_valid == 0


def test_what_lies_beyond_the_rim_is_left_out() -> None:
    one = ObstructionMap()
    one.trace([(0.0, 0.0), (0.0, math.radians(5))])
    assert one.patches == 0
