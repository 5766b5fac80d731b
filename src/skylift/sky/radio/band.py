"""What a link's channels may take: they fit into its band, and its band fits around its carrier."""

from __future__ import annotations

from skylift.base.strict import StrictTable

# Rounding of what a file gives in megahertz.
_ROUNDING = 1e-9


def channels_of(
    table: StrictTable, bandwidth_hz: float, base_channels: int | None, base_band_hz: float | None
) -> tuple[int, float]:
    """How many channels a link has, and its whole band in hertz.

    A document without `channels` has one, and without `band_mhz` as much as its channels take. Laid over a
    link, a wider channel leaves room for fewer of them, and one that does not fit at all is refused; what the
    caller names himself is never changed. Raises Refused, naming the key.
    """
    channels = table.whole("channels", base_channels or 1, minimum=1, maximum=1_000)
    if table.has("band_mhz"):
        band_hz = table.number("band_mhz", minimum=1e-6, maximum=100_000) * 1e6
    else:
        band_hz = channels * bandwidth_hz if base_band_hz is None else base_band_hz
    room = int(band_hz / bandwidth_hz * (1.0 + _ROUNDING))
    if base_channels is not None and table.has("bandwidth_mhz") and not table.has("channels"):
        channels = min(channels, max(room, 1))
    if channels <= room:
        return channels, band_hz
    key = next((k for k in ("band_mhz", "channels", "bandwidth_mhz") if table.has(k)), "bandwidth_mhz")
    if base_band_hz is not None and key == "channels" and table.has("bandwidth_mhz") and room == 0:
        key = "bandwidth_mhz"
    raise table.refused(
        key,
        f"channels x bandwidth_mhz fit into band_mhz; {channels} x {bandwidth_hz / 1e6:g} MHz are more than "
        f"its {band_hz / 1e6:g} MHz",
        "lower channels or bandwidth_mhz, or widen band_mhz",
    )


def check_carrier(table: StrictTable, frequency_hz: float, band_hz: float) -> None:
    """Refuses a band that would reach below 0 Hz around its middle."""
    if band_hz <= 2.0 * frequency_hz:
        return
    key = next((k for k in ("band_mhz", "frequency_ghz", "channels") if table.has(k)), "bandwidth_mhz")
    raise table.refused(
        key,
        f"frequency_ghz is the middle of the band: around {frequency_hz / 1e9:g} GHz there is no room for "
        f"{band_hz / 1e6:g} MHz",
        "raise frequency_ghz, or narrow the band",
    )
