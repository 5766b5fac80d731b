"""A dish's answers, message by message."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skylift.base.link import WhyDown
from skylift.wire.dish.dish import MINUTES_A_DAY, Dish
from skylift.wire.dish.history import US_PER_S
from skylift.wire.dish.obstruction import MAX_THETA_DEG, PIXELS
from skylift.wire.dish.schema import Schema
from skylift.wire.dish.view import Cause

# What public clients met in June 2026.
API_VERSION = 42
# GPS time began 1980-01-06 and has not counted the 18 leap seconds since (none after 2016).
_GPS_US = (315_964_800 - 18) * US_PER_S
_RAD = 57.29577951308232
# gRPC's status codes.
INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED = 3, 7, 12
# Disablement codes.
_OKAY, _NO_ACTIVE_ACCOUNT, _CELL_IS_DISABLED = 1, 2, 8
_REASONS = {
    Cause.BOOTING: 2,
    Cause.STOWED: 3,
    Cause.THERMAL_SHUTDOWN: 4,
    Cause.NO_SCHEDULE: 5,
    Cause.NO_SATS: 6,
    Cause.OBSTRUCTED: 7,
    Cause.NO_DOWNLINK: 8,
    Cause.NO_PINGS: 9,
    Cause.SLEEPING: 10,
    Cause.SKY_SEARCH: 19,
}
# What the owner did is no warning.
_ADVISORY = {Cause.BOOTING, Cause.STOWED, Cause.SLEEPING, Cause.INHIBIT_RF}


class DishRefuses(Exception):
    """A request that is answered by a gRPC status instead of a message."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers requests to any emulated dish of one schema."""

    schema: Schema

    def handle(self, dish: Dish, request: Any, now_us: int) -> Any:
        """The Response to a Request. Raises DishRefuses."""
        dish.advance(now_us)
        response = self.schema.message("Response")()
        response.id, response.api_version = request.id, API_VERSION
        response.status.code = 0
        kind = request.WhichOneof("request")
        answer = _ANSWERS.get(kind or "")
        if answer is None:
            raise DishRefuses(UNIMPLEMENTED, "Unimplemented request")
        answer(dish, getattr(request, kind), response, now_us)
        return response


def _get_status(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    status = response.dish_get_status
    _device(dish, status, now_us)
    view, trouble = dish.slot_at(now_us), dish.trouble_at(now_us)
    booting = trouble == Cause.BOOTING
    next_us = dish.next_link_us(now_us)
    status.seconds_to_first_nonempty_slot = (
        -1.0 if next_us is None or booting else (next_us - now_us) / US_PER_S
    )
    status.pop_ping_drop_rate, status.pop_ping_latency_ms = 1.0, -1.0
    if trouble is None and view is not None:
        status.pop_ping_drop_rate = view.drop_fraction
        status.pop_ping_latency_ms = view.rtt_ms(now_us)
        # nan is "not modelled": the dish then says that nothing flows.
        status.downlink_throughput_bps = view.down_bps if view.down_bps == view.down_bps else 0.0
        status.uplink_throughput_bps = view.up_bps if view.up_bps == view.up_bps else 0.0
    elif trouble is not None:
        _outage(dish, status.outage, trouble, now_us)
    _obstruction(dish, status.obstruction_stats, trouble, now_us)
    status.alerts.is_heating = dish.heating
    status.alerts.is_power_save_idle = trouble == Cause.SLEEPING
    status.stow_requested = dish.stowed
    _attitude(dish, status, booting)
    status.gps_stats.gps_valid = not dish.gps_inhibited and not booting
    status.gps_stats.inhibit_gps = dish.gps_inhibited
    status.eth_speed_mbps = 1000
    status.is_snr_above_noise_floor = trouble is None
    for name in ("cady", "scp", "l1l2", "xphy", "aap", "rf"):
        setattr(status.ready_states, name, not booting and (name != "rf" or not dish.radio_inhibited))
    status.software_update_state = status.software_update_stats.software_update_state = 1
    status.has_actuators = 2
    status.disablement_code = _disablement(dish, now_us)
    status.is_cell_disabled = status.disablement_code == _CELL_IS_DISABLED
    _config(dish, status.config)


def _attitude(dish: Dish, status: Any, booting: bool) -> None:
    azimuth, elevation = (angle * _RAD for angle in dish.identity.boresight)
    status.boresight_azimuth_deg, status.boresight_elevation_deg = azimuth, elevation
    alignment = status.alignment_stats
    alignment.has_actuators = 2
    alignment.boresight_azimuth_deg = alignment.desired_boresight_azimuth_deg = azimuth
    alignment.boresight_elevation_deg = alignment.desired_boresight_elevation_deg = elevation
    alignment.tilt_angle_deg = 90.0 - elevation
    alignment.attitude_estimation_state = 0 if booting else 2
    # Seen of a real dish that was just switched on.
    alignment.attitude_uncertainty_deg = 51.756836 if booting else 0.5


def _obstruction(dish: Dish, stats: Any, trouble: Cause | None, now_us: int) -> None:
    stats.fraction_obstructed = dish.map.fraction_obstructed
    stats.valid_s = (now_us - dish.booted_us) / US_PER_S
    stats.currently_obstructed = trouble == Cause.OBSTRUCTED
    stats.patches_valid = dish.map.patches
    seconds = min(dish.history.count, 900)
    blocked = [t for t in dish.history.troubles if t.cause == Cause.OBSTRUCTED]
    lasted = [((t.end_us or now_us) - t.start_us) / US_PER_S for t in blocked]
    stats.time_obstructed = min(1.0, sum(lasted) / seconds) if seconds else 0.0
    stats.avg_prolonged_obstruction_valid = bool(blocked)
    stats.avg_prolonged_obstruction_duration_s = sum(lasted) / len(lasted) if lasted else 0.0
    # Real dishes say "not a number" until they have seen two.
    apart = (
        (blocked[-1].start_us - blocked[0].start_us) / US_PER_S / (len(blocked) - 1)
        if len(blocked) > 1
        else None
    )
    stats.avg_prolonged_obstruction_interval_s = float("nan") if apart is None else apart


def _outage(dish: Dish, outage: Any, cause: Cause, now_us: int) -> None:
    outage.cause = cause
    if cause == Cause.BOOTING:
        outage.start_timestamp_ns = -1
        return
    last = dish.history.troubles[-1] if dish.history.troubles else None
    start_us = last.start_us if last is not None and last.end_us is None and last.cause == cause else now_us
    outage.start_timestamp_ns = (start_us - _GPS_US) * 1_000
    outage.duration_ns = max(0, now_us - start_us) * 1_000


def _get_history(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    history = response.dish_get_history
    history.ParseFromString(dish.history.packed())
    log = history.event_log
    log.start_timestamp_ns, log.current_timestamp_ns = dish.booted_us * 1_000, now_us * 1_000
    for trouble in dish.history.troubles:
        duration_ns = max(0, (trouble.end_us or now_us) - trouble.start_us) * 1_000
        outage = history.outages.add()
        outage.cause, outage.did_switch, outage.duration_ns = trouble.cause, trouble.switched, duration_ns
        # The same instant twice, in two ways of counting time, as real dishes have it.
        outage.start_timestamp_ns = (trouble.start_us - _GPS_US) * 1_000
        event = log.events.add()
        event.start_timestamp_ns, event.duration_ns = trouble.start_us * 1_000, duration_ns
        event.reason = _REASONS.get(trouble.cause, 1)
        event.severity = 3 if trouble.cause in _ADVISORY else 1


def _get_device_info(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    _info(dish, response.get_device_info.device_info)


def _get_location(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    if not dish.config.location_local:
        raise DishRefuses(PERMISSION_DENIED, "GetLocation requests are not enabled on this device")
    if dish.gps_inhibited:
        raise DishRefuses(PERMISSION_DENIED, "Failed to get location: Disabled due to policy")
    place, location = dish.identity.place, response.get_location
    location.lla.lat, location.lla.lon, location.lla.alt = (
        place.latitude_deg,
        place.longitude_deg,
        place.altitude_m,
    )
    location.source, location.sigma_m = 4, 5.0


def _get_diagnostics(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    diagnostics = response.dish_get_diagnostics
    who = dish.identity
    diagnostics.id, diagnostics.hardware_version = who.id, who.hardware_version
    diagnostics.software_version = who.software_version
    diagnostics.alerts.dish_is_heating = dish.heating
    diagnostics.alerts.obstructed = dish.trouble_at(now_us) == Cause.OBSTRUCTED
    diagnostics.disablement_code = _disablement(dish, now_us)
    diagnostics.hardware_self_test = 1
    diagnostics.stowed = dish.stowed
    if dish.config.location_local and not dish.gps_inhibited:
        location = diagnostics.location
        location.enabled, location.uncertainty_meters_valid, location.uncertainty_meters = True, True, 5.0
        location.latitude, location.longitude = who.place.latitude_deg, who.place.longitude_deg
        location.altitude_meters = who.place.altitude_m
        location.gps_time_s = (now_us - _GPS_US) / US_PER_S


def _get_context(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    context = response.dish_get_context
    _device(dish, context, now_us)
    view = dish.slot_at(now_us)
    if view is not None:
        context.seconds_to_slot_end = (view.end_us - now_us) / US_PER_S
        if dish.trouble_at(now_us) is None:
            context.initial_satellite_id = view.satellite
            context.initial_gateway_id = zlib.crc32(view.gateway.encode())
            context.pop_rack_id = zlib.crc32(view.pop.encode())


def _get_obstruction_map(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    answer = response.dish_get_obstruction_map
    answer.num_rows = answer.num_cols = PIXELS
    answer.snr.extend(dish.map.snr.ravel().tolist())
    answer.min_elevation_deg, answer.max_theta_deg, answer.map_reference_frame = 10.0, MAX_THETA_DEG, 1


def _clear_obstruction_map(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.map.clear()
    response.dish_clear_obstruction_map.SetInParent()


def _stow(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.stowed = not request.unstow
    response.dish_stow.SetInParent()


def _reboot(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.reboot(now_us)
    response.reboot.SetInParent()


def _get_config(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    _config(dish, response.dish_get_config.dish_config)


def _set_config(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    asked = request.dish_config
    changes: dict[str, object] = {}
    if asked.apply_snow_melt_mode:
        changes["snow_melt_mode"] = asked.snow_melt_mode
    if asked.apply_location_request_mode:
        changes["location_local"] = asked.location_request_mode == 1
    if asked.apply_level_dish_mode:
        changes["level_dish_mode"] = asked.level_dish_mode
    if asked.apply_power_save_start_minutes:
        changes["sleep_start_minutes"] = asked.power_save_start_minutes
    if asked.apply_power_save_duration_minutes:
        changes["sleep_duration_minutes"] = asked.power_save_duration_minutes
    if asked.apply_power_save_mode:
        changes["sleeps"] = asked.power_save_mode
    if asked.apply_swupdate_three_day_deferral_enabled:
        changes["three_day_deferral"] = asked.swupdate_three_day_deferral_enabled
    if asked.apply_asset_class:
        changes["asset_class"] = asked.asset_class
    if asked.apply_swupdate_reboot_hour:
        changes["reboot_hour"] = asked.swupdate_reboot_hour
    _check_sleep(changes)
    dish.configure(**changes)
    _config(dish, response.dish_set_config.updated_dish_config)


def _power_save(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    changes: dict[str, object] = {
        "sleep_start_minutes": request.power_save_start_minutes,
        "sleep_duration_minutes": request.power_save_duration_minutes,
        "sleeps": request.enable_power_save,
    }
    _check_sleep(changes)
    dish.configure(**changes)


def _check_sleep(changes: dict[str, object]) -> None:
    start, duration = changes.get("sleep_start_minutes", 0), changes.get("sleep_duration_minutes", 1)
    assert isinstance(start, int)
    assert isinstance(duration, int)
    # A duration of 0 is refused even where sleep is switched off, as real dishes do.
    if start >= MINUTES_A_DAY or not 1 <= duration <= MINUTES_A_DAY:
        raise DishRefuses(INVALID_ARGUMENT, "Invalid power save schedule")


def _inhibit_gps(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.gps_inhibited = response.dish_inhibit_gps.inhibit_gps = request.inhibit_gps
    response.dish_inhibit_gps.SetInParent()


def _inhibit_rf(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.radio_inhibited = response.dish_inhibit_rf.inhibit_rf = request.inhibit_rf
    response.dish_inhibit_rf.SetInParent()


def _device(dish: Dish, message: Any, now_us: int) -> None:
    _info(dish, message.device_info)
    message.device_state.uptime_s = (now_us - dish.booted_us) // US_PER_S


def _info(dish: Dish, info: Any) -> None:
    who = dish.identity
    info.id, info.hardware_version, info.software_version = who.id, who.hardware_version, who.software_version
    info.country_code, info.bootcount, info.generation_number = who.country_code, dish.boots, 1
    info.software_partitions_equal, info.build_id = True, who.software_version


def _config(dish: Dish, config: Any) -> None:
    mine = dish.config
    config.snow_melt_mode, config.location_request_mode = mine.snow_melt_mode, int(mine.location_local)
    config.level_dish_mode = mine.level_dish_mode
    config.power_save_start_minutes = mine.sleep_start_minutes
    config.power_save_duration_minutes = mine.sleep_duration_minutes
    config.power_save_mode = mine.sleeps
    config.swupdate_three_day_deferral_enabled = mine.three_day_deferral
    config.asset_class, config.swupdate_reboot_hour = mine.asset_class, mine.reboot_hour
    for name in (
        "snow_melt_mode",
        "location_request_mode",
        "level_dish_mode",
        "power_save_start_minutes",
        "power_save_duration_minutes",
        "power_save_mode",
        "swupdate_three_day_deferral_enabled",
        "asset_class",
        "swupdate_reboot_hour",
    ):
        setattr(config, f"apply_{name}", True)


def _disablement(dish: Dish, now_us: int) -> int:
    view = dish.slot_at(now_us)
    if view is None:
        return 0
    if view.why_down == WhyDown.REGION_NOT_ACTIVE:
        return _CELL_IS_DISABLED
    return _NO_ACTIVE_ACCOUNT if view.why_down == WhyDown.NOT_PERMITTED else _OKAY


_ANSWERS: dict[str, Callable[[Dish, Any, Any, int], None]] = {
    "get_status": _get_status,
    "get_history": _get_history,
    "get_device_info": _get_device_info,
    "get_location": _get_location,
    "get_diagnostics": _get_diagnostics,
    "dish_get_context": _get_context,
    "dish_get_obstruction_map": _get_obstruction_map,
    "dish_clear_obstruction_map": _clear_obstruction_map,
    "dish_stow": _stow,
    "reboot": _reboot,
    "dish_get_config": _get_config,
    "dish_set_config": _set_config,
    "dish_power_save": _power_save,
    "dish_inhibit_gps": _inhibit_gps,
    "dish_inhibit_rf": _inhibit_rf,
}
