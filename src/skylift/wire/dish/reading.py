"""What is read from a dish, real or emulated: its words turned into ours, place and pointing kept apart.

Loads no NumPy: a small board beside a dish reads by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from skylift.base.units import US_PER_S
from skylift.wire.dish.fields import Fields, number, text, truth, whole

# GPS time began 1980-01-06 and has not counted the 18 leap seconds since (none after 2016).
GPS_US = (315_964_800 - 18) * US_PER_S
_STATES = {
    "booting": "booting",
    "stowed": "stowed",
    "thermal_shutdown": "thermal",
    # The public tools have always said "searching" for it.
    "no_schedule": "searching",
    "sky_search": "searching",
    "actuator_activity": "searching",
    "no_sats": "no-satellites",
    "no_downlink": "no-satellites",
    "obstructed": "obstructed",
    "no_pings": "no-pings",
    "sleeping": "sleeping",
    "inhibit_rf": "radio-off",
}
_CONFIG = (
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


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who a dish says it is; "" and None for what it does not say."""

    id: str
    hardware_version: str
    software_version: str
    country_code: str
    boots: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """One time without a link; start_us is UTC, None where the dish does not know it."""

    cause: str
    start_us: int | None
    duration_us: int
    switched: bool | None = None


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where it looks. With a compass and a sky this tells its place: it goes nowhere unasked."""

    azimuth_deg: float | None
    elevation_deg: float | None
    tilt_deg: float | None


@dataclass(frozen=True, slots=True)
class DishStatus:
    """A dish as it says it is now; None and "" for what it does not say.

    state          connected, searching, booting, stowed, sleeping, radio-off, thermal, obstructed,
                   no-satellites, no-pings, disabled or unknown
    radio_off      True where it says that its transmitter is switched off, False where it says that it is not
    latency_ms     None while there is none
    disablement    "okay", or why the network does not serve it; "" unknown
    alerts         names of those that are on
    config         what its owner has set, by the names of the interface
    """

    device: DeviceInfo
    state: str
    outage: Outage | None
    uptime_s: int | None
    drop_fraction: float | None
    latency_ms: float | None
    down_bps: float | None
    up_bps: float | None
    obstructed_fraction: float | None
    obstructed_now: bool | None
    snr_above_noise: bool | None
    snr_low: bool | None
    alerts: tuple[str, ...]
    disablement: str
    stowed: bool | None
    radio_off: bool | None
    gps_valid: bool | None
    gps_satellites: int | None
    gps_inhibited: bool | None
    ethernet_mbps: int | None
    next_slot_s: float | None
    software_update: str
    reboot_ready: bool | None
    config: dict[str, object]
    pointing: Pointing | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class DishHistory:
    """Seconds newer than the ones read before.

    count       seconds since boot that the dish has counted; hand it in as `since` next time
    first       number of the first second here, from 0
    missed      seconds that were in no ring any more
    rebooted    it counts fewer seconds than before
    columns     (K,) each, oldest first; nan and -1 as a dish has them are None; () where it has no such ring
    """

    count: int
    first: int
    missed: int
    rebooted: bool
    drop_fraction: Sequence[float | None]
    latency_ms: Sequence[float | None]
    down_bps: Sequence[float | None]
    up_bps: Sequence[float | None]
    power_w: Sequence[float | None]
    outages: tuple[Outage, ...]
    events: tuple[Outage, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """Where a dish says it is. Its repr hides the numbers."""

    latitude_deg: float = field(repr=False)
    longitude_deg: float = field(repr=False)
    altitude_m: float | None = field(repr=False)
    source: str = ""
    sigma_m: float | None = None


def device_of(info: Fields | None) -> DeviceInfo:
    return DeviceInfo(
        text(info, "id"),
        text(info, "hardware_version"),
        text(info, "software_version"),
        text(info, "country_code"),
        whole(info, "bootcount"),
    )


def status_of(status: Fields) -> DishStatus:
    """From a DishGetStatusResponse."""
    outage = _outage_now(status.child("outage"))
    disablement = status.word("disablement_code")
    disablement = "" if disablement in ("unknown_state", "0") else disablement
    obstruction, gps = status.child("obstruction_stats"), status.child("gps_stats")
    latency_ms = number(status, "pop_ping_latency_ms")
    drop_fraction = number(status, "pop_ping_drop_rate")
    # JSON may leave out a share of 0; a latency says as much.
    has_link = drop_fraction is not None or (latency_ms or 0.0) > 0.0
    next_s = number(status, "seconds_to_first_nonempty_slot")
    update = status.child("software_update_stats")
    return DishStatus(
        device=device_of(status.child("device_info")),
        state=_state(outage, disablement, has_link),
        outage=outage,
        uptime_s=whole(status.child("device_state"), "uptime_s"),
        drop_fraction=drop_fraction,
        latency_ms=None if latency_ms is None or latency_ms < 0 else latency_ms,
        down_bps=number(status, "downlink_throughput_bps"),
        up_bps=number(status, "uplink_throughput_bps"),
        obstructed_fraction=number(obstruction, "fraction_obstructed"),
        obstructed_now=truth(obstruction, "currently_obstructed"),
        snr_above_noise=truth(status, "is_snr_above_noise_floor"),
        snr_low=truth(status, "is_snr_persistently_low"),
        alerts=alerts_of(status.child("alerts")),
        disablement=disablement,
        stowed=truth(status, "stow_requested"),
        radio_off=_radio_off(outage, status),
        gps_valid=truth(gps, "gps_valid"),
        gps_satellites=whole(gps, "gps_sats"),
        gps_inhibited=truth(gps, "inhibit_gps"),
        ethernet_mbps=whole(status, "eth_speed_mbps"),
        next_slot_s=None if next_s is None or next_s < 0 else next_s,
        software_update=(update or status).word("software_update_state"),
        reboot_ready=truth(status, "swupdate_reboot_ready"),
        config=config_of(status.child("config")),
        pointing=_pointing(status),
    )


def alerts_of(alerts: Fields | None) -> tuple[str, ...]:
    """Names of the alerts that are on, those of firmware that we do not know included."""
    return () if alerts is None else tuple(name for name in alerts.names() if alerts.raw(name) is True)


def config_of(config: Fields | None) -> dict[str, object]:
    """What is set, by the interface's names; enumerations in words."""
    found: dict[str, object] = {}
    for name in _CONFIG if config is not None else ():
        assert config is not None
        value = (
            config.word(name) if name.endswith("_mode") and name != "power_save_mode" else config.raw(name)
        )
        if value is not None and value != "":
            found[name] = value
    return found


def location_of(answer: Fields) -> Location | None:
    """From a GetLocationResponse; None where it holds no place."""
    lla = answer.child("lla")
    latitude, longitude = number(lla, "lat"), number(lla, "lon")
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, number(lla, "alt"), answer.word("source"), number(answer, "sigma_m"))


def history_of(history: Fields, since: int | None) -> DishHistory:
    """From a DishGetHistoryResponse: what is newer than second number `since`, at most one ring.

    The newest of `current` seconds is at index (current - 1) % length, whatever the length is.
    """
    count = max(whole(history, "current") or 0, 0)
    rebooted = since is not None and count < since
    before = 0 if since is None or rebooted else since
    rings = {name: _ring(history, name) for name in _RINGS}
    length = max(map(len, rings.values()))
    first = max(before, count - length, 0)
    drop, latency, down, up, power = (
        _unrolled(rings[name], length, first, count, -1.0 if name == "pop_ping_latency_ms" else None)
        for name in _RINGS
    )
    return DishHistory(
        count=count,
        first=first,
        missed=first - before if since is not None else 0,
        rebooted=rebooted,
        drop_fraction=drop,
        latency_ms=latency,
        down_bps=down,
        up_bps=up,
        power_w=power,
        outages=tuple(_outage(one, "cause", GPS_US) for one in history.children("outages")),
        events=_events(history.child("event_log")),
    )


_RINGS = (
    "pop_ping_drop_rate",
    "pop_ping_latency_ms",
    "downlink_throughput_bps",
    "uplink_throughput_bps",
    "power_in",
)


def _ring(history: Fields, name: str) -> Sequence[object]:
    values = history.raw(name)
    return values if values is not None and hasattr(values, "__len__") else ()  # type: ignore[return-value]


def _unrolled(
    ring: Sequence[object], length: int, first: int, count: int, none: float | None
) -> tuple[float | None, ...]:
    if len(ring) != length or not ring:
        return ()
    return tuple(_sample(ring[second % length], none) for second in range(first, count))


def _sample(value: object, none: float | None) -> float | None:
    # value != value: not a number. Infinite ones are nobody's measurement either.
    if not isinstance(value, int | float) or value != value or value in (float("inf"), float("-inf")):
        return None
    return None if value == none else float(value)


def _events(log: Fields | None) -> tuple[Outage, ...]:
    if log is None:
        return ()
    found = (_outage(one, "reason", 0) for one in log.children("events"))
    prefixes = ("event_reason_outage_", "event_reason_")
    return tuple(
        Outage(_without(one.cause, prefixes), one.start_us, one.duration_us, one.switched) for one in found
    )


def _without(word: str, prefixes: Sequence[str]) -> str:
    return next((word.removeprefix(prefix) for prefix in prefixes if word.startswith(prefix)), word)


def _outage(one: Fields, cause: str, epoch_us: int) -> Outage:
    start_ns = whole(one, "start_timestamp_ns")
    return Outage(
        one.word(cause) or "unknown",
        # Of 63 bits, as it is on the wire: until the year 2262.
        None if start_ns is None or not 0 < start_ns < 2**63 else start_ns // 1_000 + epoch_us,
        max(whole(one, "duration_ns") or 0, 0) // 1_000,
        truth(one, "did_switch"),
    )


def _outage_now(outage: Fields | None) -> Outage | None:
    return None if outage is None else _outage(outage, "cause", GPS_US)


def _state(outage: Outage | None, disablement: str, has_link: bool) -> str:
    if disablement not in ("", "okay") and (outage is None or outage.cause == "no_schedule"):
        return "disabled"
    if outage is not None:
        return _STATES.get(outage.cause, "unknown")
    return "connected" if has_link else "unknown"


def _radio_off(outage: Outage | None, status: Fields) -> bool | None:
    """What the dish itself says of its transmitter; None where it does not say."""
    if outage is not None and outage.cause == "inhibit_rf":
        return True
    # Firmware without the switch knows no such cause, and says nothing by not naming it.
    return False if outage is None and number(status, "pop_ping_drop_rate") is not None else None


def _pointing(status: Fields) -> Pointing | None:
    alignment = status.child("alignment_stats")
    azimuth = number(status, "boresight_azimuth_deg")
    elevation = number(status, "boresight_elevation_deg")
    if azimuth is None and elevation is None:
        azimuth = number(alignment, "boresight_azimuth_deg")
        elevation = number(alignment, "boresight_elevation_deg")
    tilt = number(alignment, "tilt_angle_deg")
    return (
        None if azimuth is None and elevation is None and tilt is None else Pointing(azimuth, elevation, tilt)
    )
