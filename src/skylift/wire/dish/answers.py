"""A dish's answers, message by message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from skylift.wire.dish.dish import MINUTES_A_DAY, Dish
from skylift.wire.dish.obstruction import MAX_THETA_DEG, PIXELS
from skylift.wire.dish.reading import GPS_US
from skylift.wire.dish.schema import Schema
from skylift.wire.dish.status import get_context, get_diagnostics, get_status, write_config, write_info
from skylift.wire.dish.view import Cause

# What public clients met in June 2026.
API_VERSION = 42
# gRPC's status codes.
INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 3, 7, 12, 13, 14
# Numbers of EventReason.
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
# Fields of DishConfig, and what they are here.
_SETTINGS = (
    ("snow_melt_mode", "snow_melt_mode"),
    ("location_request_mode", "location_local"),
    ("level_dish_mode", "level_dish_mode"),
    ("power_save_start_minutes", "sleep_start_minutes"),
    ("power_save_duration_minutes", "sleep_duration_minutes"),
    ("power_save_mode", "sleeps"),
    ("swupdate_three_day_deferral_enabled", "three_day_deferral"),
    ("asset_class", "asset_class"),
    ("swupdate_reboot_hour", "reboot_hour"),
)
_MOST = {"snow_melt_mode": 2, "location_local": 1, "level_dish_mode": 1, "reboot_hour": 23}
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

    def request(self, frame: bytes, kind: str = "Request") -> Any:
        """A Request, or another message, of its bytes; fields that we do not know are passed over.

        Raises DishRefuses for bytes that are none.
        """
        try:
            return self.schema.message(kind).FromString(frame)
        except (DecodeError, ValueError):
            # As a dish's own server has it, which is written in Go.
            raise DishRefuses(
                INTERNAL, "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"
            ) from None

    def handle(self, dish: Dish, request: Any, now_us: int) -> Any:
        """The Response to a Request. Raises DishRefuses."""
        dish.advance(now_us)
        if dish.is_dead(now_us):
            raise DishRefuses(UNAVAILABLE, "the dish has no power")
        response = self.schema.message("Response")()
        response.id, response.api_version = request.id, API_VERSION
        response.status.code = 0
        kind = request.WhichOneof("request")
        answer = _ANSWERS.get(kind or "")
        if answer is None:
            raise DishRefuses(UNIMPLEMENTED, "Unimplemented request")
        answer(dish, getattr(request, kind), response, now_us)
        return response


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
        outage.start_timestamp_ns = (trouble.start_us - GPS_US) * 1_000
        event = log.events.add()
        event.start_timestamp_ns, event.duration_ns = trouble.start_us * 1_000, duration_ns
        event.reason = _REASONS.get(trouble.cause, 1)
        event.severity = 3 if trouble.cause in _ADVISORY else 1


def _get_device_info(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    write_info(dish, response.get_device_info.device_info)


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
    location.source, location.sigma_m = 4, dish.identity.sigma_m


def _get_obstruction_map(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    answer = response.dish_get_obstruction_map
    answer.num_rows = answer.num_cols = PIXELS
    answer.snr.extend(dish.map.snr.ravel().tolist())
    answer.min_elevation_deg, answer.max_theta_deg, answer.map_reference_frame = 10.0, MAX_THETA_DEG, 1


def _clear_obstruction_map(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.clear_map()
    response.dish_clear_obstruction_map.SetInParent()


def _stow(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.stowed = not request.unstow
    response.dish_stow.SetInParent()


def _reboot(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.reboot(now_us)
    response.reboot.SetInParent()


def _get_config(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    write_config(dish, response.dish_get_config.dish_config)


def _set_config(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    asked = request.dish_config
    changes: dict[str, object] = {
        mine: getattr(asked, name) for name, mine in _SETTINGS if getattr(asked, f"apply_{name}")
    }
    _check_sleep(changes)
    _check_modes(changes)
    if "location_local" in changes:
        changes["location_local"] = bool(changes["location_local"])
    dish.configure(**changes)
    write_config(dish, response.dish_set_config.updated_dish_config)


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


def _check_modes(changes: dict[str, object]) -> None:
    """What no app can set is refused; of firmware's own answer to it nothing is published."""
    for name, most in _MOST.items():
        value = changes.get(name, 0)
        assert isinstance(value, int)
        if not 0 <= value <= most:
            raise DishRefuses(INVALID_ARGUMENT, f"Invalid {name.replace('_', ' ')}")


def _inhibit_gps(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.gps_inhibited = response.dish_inhibit_gps.inhibit_gps = request.inhibit_gps
    response.dish_inhibit_gps.SetInParent()


def _inhibit_rf(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    dish.radio_inhibited = response.dish_inhibit_rf.inhibit_rf = request.inhibit_rf
    response.dish_inhibit_rf.SetInParent()


_ANSWERS: dict[str, Callable[[Dish, Any, Any, int], None]] = {
    "get_status": get_status,
    "get_history": _get_history,
    "get_device_info": _get_device_info,
    "get_location": _get_location,
    "get_diagnostics": get_diagnostics,
    "dish_get_context": get_context,
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
