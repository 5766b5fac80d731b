"""What a dish says of itself: status, context, diagnostics and what is set."""

from __future__ import annotations

import zlib
from typing import Any

from skylift.wire.dish.conditions import Kind
from skylift.wire.dish.disablement import CELL_IS_DISABLED, IN_DIAGNOSTICS, TOO_FAR, UNKNOWN, disablement
from skylift.wire.dish.dish import BOOT_US, SEARCH_US, Dish
from skylift.wire.dish.history import SECONDS, US_PER_S
from skylift.wire.dish.reading import GPS_US
from skylift.wire.dish.update import UpdateState
from skylift.wire.dish.view import Cause

_DEG_PER_RAD = 57.29577951308232
_NO_ACTUATORS = 2


def get_status(dish: Dish, request: Any, response: Any, now_us: int) -> None:
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
    _alerts(dish, status.alerts, trouble, now_us)
    status.stow_requested = dish.stowed
    _attitude(dish, status, booting)
    _gps(dish, status.gps_stats, booting, now_us)
    status.eth_speed_mbps = 100 if dish.conditions.holds(Kind.SLOW_ETHERNET, now_us) else 1000
    status.is_snr_above_noise_floor = trouble is None
    for name in ("cady", "scp", "l1l2", "xphy", "aap", "rf"):
        setattr(status.ready_states, name, not booting and (name != "rf" or not dish.radio_inhibited))
    _software(dish, status, now_us)
    _started(dish, status.initialization_duration_seconds, now_us)
    status.has_actuators, status.has_signed_cals = _NO_ACTUATORS, True
    status.disablement_code = disablement(view)
    status.is_cell_disabled = status.disablement_code == CELL_IS_DISABLED
    status.alerts.unexpected_location = status.disablement_code == TOO_FAR
    write_config(dish, status.config)


def _alerts(dish: Dish, alerts: Any, trouble: Cause | None, now_us: int) -> None:
    holds = dish.conditions.holds
    alerts.is_heating = dish.heats(now_us)
    alerts.is_power_save_idle = trouble == Cause.SLEEPING
    alerts.thermal_shutdown = holds(Kind.HOT, now_us)
    alerts.thermal_throttle = holds(Kind.WARM, now_us)
    alerts.dish_water_detected = holds(Kind.WATER, now_us)
    alerts.slow_ethernet_speeds_100 = holds(Kind.SLOW_ETHERNET, now_us)
    # Snow that is not melted lies before the antenna.
    alerts.lower_signal_than_predicted = holds(Kind.SNOW, now_us) and not alerts.is_heating
    alerts.install_pending = dish.update.state == UpdateState.REBOOT_REQUIRED
    alerts.obstruction_map_reset = dish.map_was_reset


def _gps(dish: Dish, stats: Any, booting: bool, now_us: int) -> None:
    lost = dish.conditions.holds(Kind.NO_GPS, now_us)
    stats.gps_valid = not dish.gps_inhibited and not booting and not lost
    # How many it hears, nobody models: the least number that makes a fix with some to spare.
    stats.gps_sats = 8 if stats.gps_valid else 0
    stats.no_sats_after_ttff = lost and not dish.gps_inhibited
    stats.inhibit_gps = dish.gps_inhibited


def _software(dish: Dish, status: Any, now_us: int) -> None:
    update, stats = dish.update, status.software_update_stats
    ready = update.state == UpdateState.REBOOT_REQUIRED
    status.software_update_state = stats.software_update_state = update.state
    stats.software_update_progress = update.progress
    stats.update_requires_reboot = status.swupdate_reboot_ready = ready
    if ready and update.reboot_us is not None:
        stats.reboot_scheduled_utc_time = update.reboot_us // US_PER_S
    # A real dish that has none ready says -1.
    status.seconds_until_swupdate_reboot_possible = 0 if ready else -1


def _started(dish: Dish, started: Any, now_us: int) -> None:
    """How long the steps of the start took, as far as they are done; of an older start nothing is known."""
    if dish.warm:
        return
    boot_s, found_s = BOOT_US // US_PER_S, (BOOT_US + SEARCH_US) // US_PER_S
    steps = {"rf_ready": boot_s, "gps_valid": boot_s, "burst_detected": found_s}
    steps |= {"initial_network_entry": found_s, "network_schedule": found_s, "first_pop_ping": found_s}
    steps |= {"stable_connection": found_s, "first_cplane": found_s, "attitude_initialization": boot_s}
    steps |= {"ekf_converged": boot_s}
    uptime_s = (now_us - dish.booted_us) // US_PER_S
    for name, after_s in steps.items():
        if uptime_s >= after_s:
            setattr(started, name, after_s)


def _attitude(dish: Dish, status: Any, booting: bool) -> None:
    """Azimuths from -180 to 180 degrees, as real dishes have them; zeros until it knows."""
    azimuth, elevation = (angle * _DEG_PER_RAD for angle in dish.identity.boresight)
    azimuth = azimuth - 360.0 if azimuth > 180.0 else azimuth
    alignment = status.alignment_stats
    alignment.has_actuators = _NO_ACTUATORS
    alignment.tilt_angle_deg = 90.0 - elevation
    if booting:
        # Seen of a real dish that was just switched on.
        alignment.attitude_uncertainty_deg = 51.756836
        return
    status.boresight_azimuth_deg, status.boresight_elevation_deg = azimuth, elevation
    alignment.boresight_azimuth_deg = alignment.desired_boresight_azimuth_deg = azimuth
    alignment.boresight_elevation_deg = alignment.desired_boresight_elevation_deg = elevation
    alignment.attitude_estimation_state = 2
    alignment.attitude_uncertainty_deg = 0.5


def _obstruction(dish: Dish, stats: Any, trouble: Cause | None, now_us: int) -> None:
    stats.fraction_obstructed = max(dish.identity.obstructed_fraction, dish.map.fraction_obstructed)
    stats.valid_s = (now_us - dish.booted_us) / US_PER_S
    stats.currently_obstructed = trouble == Cause.OBSTRUCTED
    stats.patches_valid = dish.map.patches
    seconds = min(dish.history.count, SECONDS)
    blocked = [t for t in dish.history.troubles if t.cause == Cause.OBSTRUCTED]
    lasted = [((t.end_us or now_us) - t.start_us) / US_PER_S for t in blocked]
    since_us = now_us - seconds * US_PER_S
    lately_us = (max(0, (t.end_us or now_us) - max(t.start_us, since_us)) for t in blocked)
    stats.time_obstructed = min(1.0, sum(lately_us) / US_PER_S / seconds) if seconds else 0.0
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
    outage.start_timestamp_ns = (start_us - GPS_US) * 1_000
    outage.duration_ns = max(0, now_us - start_us) * 1_000


def get_diagnostics(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    diagnostics = response.dish_get_diagnostics
    who = dish.identity
    diagnostics.id, diagnostics.hardware_version = who.id, who.hardware_version
    diagnostics.software_version = dish.software_version
    alerts, holds = diagnostics.alerts, dish.conditions.holds
    alerts.dish_is_heating = dish.heats(now_us)
    alerts.dish_thermal_throttle = holds(Kind.WARM, now_us)
    alerts.dish_thermal_shutdown = holds(Kind.HOT, now_us)
    alerts.software_install_pending = dish.update.state == UpdateState.REBOOT_REQUIRED
    alerts.obstructed = dish.trouble_at(now_us) == Cause.OBSTRUCTED
    code = disablement(dish.slot_at(now_us))
    diagnostics.disablement_code = code if code in IN_DIAGNOSTICS else UNKNOWN
    diagnostics.hardware_self_test = 1
    diagnostics.stowed = dish.stowed
    if dish.config.location_local and not dish.gps_inhibited:
        location = diagnostics.location
        location.enabled, location.uncertainty_meters_valid, location.uncertainty_meters = (
            True,
            True,
            who.sigma_m,
        )
        location.latitude, location.longitude = who.place.latitude_deg, who.place.longitude_deg
        location.altitude_meters = who.place.altitude_m
        location.gps_time_s = (now_us - GPS_US) / US_PER_S


def get_context(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    context = response.dish_get_context
    _device(dish, context, now_us)
    view = dish.slot_at(now_us)
    if view is not None:
        context.seconds_to_slot_end = (view.end_us - now_us) / US_PER_S
        if dish.trouble_at(now_us) is None:
            context.initial_satellite_id = view.satellite
            context.initial_gateway_id = zlib.crc32(view.gateway.encode())
            context.pop_rack_id = zlib.crc32(view.pop.encode())


def _device(dish: Dish, message: Any, now_us: int) -> None:
    write_info(dish, message.device_info)
    message.device_state.uptime_s = (now_us - dish.booted_us) // US_PER_S


def write_info(dish: Dish, info: Any) -> None:
    who = dish.identity
    info.id, info.hardware_version, info.software_version = (
        who.id,
        who.hardware_version,
        dish.software_version,
    )
    info.country_code, info.bootcount, info.generation_number = who.country_code, dish.boots, 1
    info.software_partitions_equal, info.build_id = dish.partitions_equal, dish.software_version


CONFIG = (
    "snow_melt_mode",
    "location_request_mode",
    "level_dish_mode",
    "power_save_start_minutes",
    "power_save_duration_minutes",
    "power_save_mode",
    "swupdate_three_day_deferral_enabled",
    "asset_class",
    "swupdate_reboot_hour",
)


def write_config(dish: Dish, config: Any) -> None:
    mine = dish.config
    config.snow_melt_mode, config.location_request_mode = mine.snow_melt_mode, int(mine.location_local)
    config.level_dish_mode = mine.level_dish_mode
    config.power_save_start_minutes = mine.sleep_start_minutes
    config.power_save_duration_minutes = mine.sleep_duration_minutes
    config.power_save_mode = mine.sleeps
    config.swupdate_three_day_deferral_enabled = mine.three_day_deferral
    config.asset_class, config.swupdate_reboot_hour = mine.asset_class, mine.reboot_hour
    for name in CONFIG:
        setattr(config, f"apply_{name}", True)
