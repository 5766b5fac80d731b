"""What befalls an emulated dish: weather, heat, a cut of power, new software; and what it then says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from skylift.adapters.dish_schema import dish_schema
from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.wire.dish.answers import Answers, DishRefuses
from skylift.wire.dish.conditions import Conditions, Happening, Kind
from skylift.wire.dish.disablement import OF_REASON
from skylift.wire.dish.dish import BOOT_US, SEARCH_US, Dish, Identity
from skylift.wire.dish.power import power_of
from skylift.wire.dish.update import FETCH_S, POST_CHECK_S, PRE_CHECK_S, WRITE_S, UpdateState
from skylift.wire.dish.view import Cause, SlotView

S = 1_000_000
HOUR = 3_600 * S
SLOT_US = 15 * S
T0 = 1_645_963_200 * S  # 2022-02-27T12:00:00Z
SCHEMA = dish_schema()
ANSWERS = Answers(SCHEMA)
POWER = power_of("starlink-mini")


def dish(*happenings: Happening, **changes: Any) -> Dish:
    one = Dish(
        Identity("ut-test", Place(10.0, 20.0, 100.0), power=POWER), T0, conditions=Conditions(happenings)
    )
    one.configure(**changes)
    return one


def ask(one: Dish, now_us: int, kind: str) -> Any:
    request = SCHEMA.message("Request")()
    getattr(request, kind).SetInParent()
    response = ANSWERS.handle(one, request, now_us)
    return getattr(response, response.WhichOneof("response"))


def run(one: Dish, until_us: int, from_us: int = T0, why: WhyDown = WhyDown.UP) -> None:
    """Slots one after another, each told as it begins."""
    for at_us in range(from_us, until_us, SLOT_US):
        one.advance(at_us)
        one.tell(SlotView(at_us, SLOT_US, why, rtt_start_ms=30.0, rtt_end_ms=30.0))


def status(one: Dish, now_us: int) -> Any:
    return ask(one, now_us, "get_status")


@pytest.mark.parametrize(
    ("mode", "snows", "heats"), [(0, False, False), (0, True, True), (1, False, True), (2, True, False)]
)
def test_snow_is_melted_as_the_owner_has_set_it(mode: int, snows: bool, heats: bool) -> None:
    snow = [Happening(Kind.SNOW, T0, T0 + HOUR)] if snows else []
    one = dish(*snow, snow_melt_mode=mode)
    run(one, T0 + 60 * S)
    said = status(one, T0 + 60 * S)
    assert said.alerts.is_heating == heats
    assert said.alerts.lower_signal_than_predicted == (snows and not heats)
    power = ask(one, T0 + 60 * S, "get_history").power_in[10]
    assert power == POWER.on_w + (POWER.heating_w if heats else 0)


def test_too_hot_it_is_off_the_air_and_searches_the_sky_when_it_has_cooled() -> None:
    one = dish(Happening(Kind.HOT, T0 + 30 * S, T0 + 90 * S))
    run(one, T0 + 120 * S)
    assert status(one, T0 + 119 * S).pop_ping_drop_rate == 0
    assert [one.off_at(T0 + s * S) for s in (29, 30, 89)] == [None, *[Cause.THERMAL_SHUTDOWN] * 2]
    assert one.off_at(T0 + 90 * S) == Cause.SKY_SEARCH
    assert one.off_at(T0 + 90 * S + SEARCH_US) is None
    history = ask(one, T0 + 120 * S, "get_history")
    causes = [(outage.cause, outage.duration_ns // 10**9) for outage in history.outages]
    assert causes == [(Cause.THERMAL_SHUTDOWN, 60), (Cause.SKY_SEARCH, 15)]
    assert list(history.power_in[29:31]) == [POWER.on_w, POWER.idle_w]
    assert [event.reason for event in history.event_log.events] == [4, 19]


def test_alerts_come_and_go_with_what_they_are_about() -> None:
    during = [Kind.WARM, Kind.WATER, Kind.SLOW_ETHERNET, Kind.NO_GPS]
    one = dish(*(Happening(kind, T0 + 15 * S, T0 + 30 * S) for kind in during))
    for second, there in ((10, False), (20, True), (30, False)):
        said = status(one, T0 + second * S)
        alerts = said.alerts
        got = (alerts.thermal_throttle, alerts.dish_water_detected, alerts.slow_ethernet_speeds_100)
        assert got == (there, there, there)
        assert said.eth_speed_mbps == (100 if there else 1000)
        assert (said.gps_stats.gps_valid, said.gps_stats.gps_sats) == (not there, 0 if there else 8)
        assert ask(one, T0 + second * S, "get_diagnostics").alerts.dish_thermal_throttle == there


def test_without_power_it_answers_nothing_and_boots_when_it_is_back() -> None:
    one = dish(Happening(Kind.POWER_CUT, T0 + 300 * S, T0 + 600 * S))
    run(one, T0 + 700 * S)
    assert one.off_at(T0 + 400 * S) == Cause.BOOTING
    with pytest.raises(DishRefuses) as refusal:
        status(dish(Happening(Kind.POWER_CUT, T0, T0 + HOUR)), T0 + 5 * S)
    assert refusal.value.code == 14
    said = status(one, T0 + 685 * S)
    assert (said.device_state.uptime_s, said.device_info.bootcount) == (85, 2)
    history = ask(one, T0 + 700 * S, "get_history")
    assert history.current == 100
    assert list(history.pop_ping_drop_rate[:100]) == [1.0] * 75 + [0.0] * 25


def test_booting_says_what_a_real_dish_was_seen_to_say() -> None:
    one = dish()
    one.reboot(T0)
    said = status(one, T0 + 10 * S)
    assert (said.pop_ping_latency_ms, said.seconds_to_first_nonempty_slot, said.pop_ping_drop_rate) == (
        -1,
        -1,
        1,
    )
    assert (said.outage.cause, said.outage.start_timestamp_ns, said.outage.duration_ns) == (1, -1, 0)
    assert math.isnan(said.obstruction_stats.avg_prolonged_obstruction_interval_s)
    assert (said.boresight_azimuth_deg, said.boresight_elevation_deg) == (0, 0)
    assert said.initialization_duration_seconds.first_pop_ping == 0
    run(one, T0 + 90 * S)
    started = status(one, T0 + 90 * S).initialization_duration_seconds
    assert (started.rf_ready, started.first_pop_ping) == (BOOT_US // S, (BOOT_US + SEARCH_US) // S)


def test_new_software_is_fetched_written_and_runs_after_the_night() -> None:
    offer = Happening(Kind.UPDATE, T0 + 15 * S, T0 + 40 * HOUR, "2026.06.12.mr81164")
    one = dish(offer, reboot_hour=3)
    steps: list[tuple[int, float]] = []
    for at_us in range(T0, T0 + 300 * S, SLOT_US):
        run(one, at_us + SLOT_US, at_us)
        said = status(one, at_us)
        assert said.software_update_stats.software_update_state == said.software_update_state
        if not steps or steps[-1][0] != said.software_update_state:
            steps.append((said.software_update_state, (at_us - T0) / S))
    assert [state for state, _ in steps] == [1, 2, 4, 5, 6]  # the first check falls between two slots
    assert steps[-1][1] == pytest.approx(15 + FETCH_S + PRE_CHECK_S + WRITE_S + POST_CHECK_S, abs=15)
    said = status(one, T0 + 300 * S)
    assert said.alerts.install_pending
    assert said.swupdate_reboot_ready
    assert said.software_update_stats.update_requires_reboot
    night_us = T0 + 15 * HOUR
    assert said.software_update_stats.reboot_scheduled_utc_time == night_us // S
    assert said.device_info.software_version == "skylift.emulated"
    run(one, night_us + 60 * S, night_us - 60 * S)
    said = status(one, night_us + 60 * S)
    assert said.device_info.software_version == "2026.06.12.mr81164"
    assert (said.device_state.uptime_s, said.software_update_state) == (60, 1)
    assert not said.device_info.software_partitions_equal


def test_an_update_needs_a_link_and_a_reboot_before_its_end_begins_it_anew() -> None:
    one = dish(Happening(Kind.UPDATE, T0, T0 + HOUR, "new"))
    run(one, T0 + 300 * S, why=WhyDown.NO_SATELLITE)
    one.advance(T0 + 300 * S)
    assert (one.update.state, one.update.progress) == (UpdateState.FETCHING, 0.0)
    run(one, T0 + 360 * S, T0 + 300 * S)
    assert 0 < one.update.progress < 1
    one.reboot(T0 + 361 * S)
    assert (one.software_version, one.update.state) == ("skylift.emulated", UpdateState.IDLE)


def test_whoever_defers_gets_it_three_days_later_and_an_owner_may_reboot_at_once() -> None:
    one = dish(Happening(Kind.UPDATE, T0, T0 + HOUR, "new"), reboot_hour=3, three_day_deferral=True)
    run(one, T0 + 300 * S)
    one.advance(T0 + 300 * S)
    assert one.update.reboot_us == T0 + (15 + 72) * HOUR
    one.configure(three_day_deferral=False, reboot_hour=12)
    one.advance(T0 + 302 * S)
    assert one.update.reboot_us == T0 + 24 * HOUR
    one.reboot(T0 + 310 * S)
    assert one.software_version == "new"


@pytest.mark.parametrize(
    ("why", "reasons", "code", "in_diagnostics"),
    [
        (WhyDown.UP, (), 1, 1),
        (WhyDown.NO_GATEWAY, (), 1, 1),
        (WhyDown.TERMINAL_OFF, (), 1, 1),
        (WhyDown.REGION_NOT_ACTIVE, (), 8, 8),
        (WhyDown.NOT_PERMITTED, (), 2, 2),
        (WhyDown.REGION_NOT_ACTIVE, ("region.prohibited",), 6, 6),
        (WhyDown.REGION_NOT_ACTIVE, ("cell.no-roaming",), 10, 0),
        (WhyDown.NOT_PERMITTED, ("terminal.cut-off", "account.suspended"), 12, 12),
        (WhyDown.NOT_PERMITTED, ("terminal.away-from-home",), 3, 3),
        (WhyDown.NOT_PERMITTED, ("office.silent",), 0, 0),
    ],
)
def test_a_refusal_of_the_office_is_told_in_the_dishes_code(
    why: WhyDown, reasons: tuple[str, ...], code: int, in_diagnostics: int
) -> None:
    one = dish()
    one.tell(SlotView(T0, SLOT_US, why, reasons=reasons))
    said = status(one, T0)
    assert (said.disablement_code, said.is_cell_disabled) == (code, code == 8)
    assert said.alerts.unexpected_location == (code == 3)
    assert ask(one, T0, "get_diagnostics").disablement_code == in_diagnostics


def test_every_reason_of_the_office_has_a_code() -> None:
    from skylift.service.permission.reasons import Code

    assert {code.value for code in Code} <= OF_REASON.keys()
