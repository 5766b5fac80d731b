"""Disturbances that an operator plans against: who, where, on which frequency, from when until when.

    field = jam_field(text, "jam.toml")
    view = jam_view(field, sites, catalogue.norad)      # skylift.sky.radio.jam_view: once per set of sites

What they do to links is in jam_view.py; what to do about it is decided elsewhere.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import h3
import numpy as np

from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.instants import InstantUs
from skylift.base.strict import StrictTable, read_toml
from skylift.sky.radio.power import Floats
from skylift.sky.radio.systems import Link

# The words of a schedule have a bit for each channel.
MOST_CHANNELS = 32
DEFAULT_DISH_HEIGHT_M = 10.0
_MOST_NORAD = 999_999_999


class Against(enum.Enum):
    """Whose receiver is disturbed: a dish's on the ground, or a satellite's."""

    DOWNLINK = "downlink"
    UPLINK = "uplink"


@dataclass(frozen=True, slots=True)
class GroundJammer:
    """One transmitter near the ground.

    eirp_dbw          all of its power, toward whatever receiver it is that sees it; with `channels`, on each
    from_us, until_us it sends from the first to before the second
    bandwidth_hz      over which the power is spread evenly; nan: one channel's
    frequency_hz      of the middle of its band; nan: in the middle of each of `channels`
    channels          of the link; empty: every one (where no frequency is given)
    antenna_height_m  above the ground: how far it sees dishes. Without meaning against satellites
    satellites        NORAD numbers that it points at; empty: every one that it sees
    """

    place: Place
    against: Against
    eirp_dbw: float
    from_us: InstantUs
    until_us: InstantUs
    bandwidth_hz: float = np.nan
    frequency_hz: float = np.nan
    channels: tuple[int, ...] = ()
    antenna_height_m: float = DEFAULT_DISH_HEIGHT_M
    satellites: tuple[int, ...] = ()

    def share_in_channels(self, link: Link) -> Floats:
        """What of its power falls into each of the link's F channels, (F,).

        Channel f lies in the middle of the f-th of F equal parts of the link's band. Raises Refused for a
        channel that the link does not have.
        """
        width_hz = link.bandwidth_hz if np.isnan(self.bandwidth_hz) else self.bandwidth_hz
        if np.isnan(self.frequency_hz):
            share = np.zeros(link.channels)
            for channel in self.channels or range(link.channels):
                share[checked_channel(channel, link)] = min(1.0, link.bandwidth_hz / width_hz)
            return share
        centre_hz = channel_centres_hz(link)
        upper = np.minimum(self.frequency_hz + width_hz / 2.0, centre_hz + link.bandwidth_hz / 2.0)
        lower = np.maximum(self.frequency_hz - width_hz / 2.0, centre_hz - link.bandwidth_hz / 2.0)
        return np.asarray(np.maximum(upper - lower, 0.0) / width_hz)


@dataclass(frozen=True, slots=True)
class JamRow:
    """J/S as such: of one satellite, H3 cell (as a whole number) and channel; None stands for every one."""

    against: Against
    satellite: int | None
    cell: int | None
    channel: int | None
    j_over_s_db: float
    from_us: InstantUs
    until_us: InstantUs


@dataclass(frozen=True, slots=True)
class JamField:
    """All disturbances of one file. dish_height_m  of every dish above its ground."""

    jammers: tuple[GroundJammer, ...] = ()
    rows: tuple[JamRow, ...] = ()
    dish_height_m: float = DEFAULT_DISH_HEIGHT_M

    def is_active(self, against: Against, at_us: int) -> bool:
        """Whether anything is sent against such receivers at this instant."""
        return any(j.against is against and j.from_us <= at_us < j.until_us for j in self.jammers) or any(
            r.against is against and r.from_us <= at_us < r.until_us for r in self.rows
        )

    @property
    def names_satellites(self) -> bool:
        return any(j.satellites for j in self.jammers) or any(r.satellite is not None for r in self.rows)


def channel_centres_hz(link: Link) -> Floats:
    """Middle of each channel, (F,): of F equal parts of the link's band about its frequency.

    Starlink's user channels lie so: 8 of 240 MHz on a raster of 250 MHz over 10.7 to 12.7 GHz (Humphreys et
    al. 2023), but for 0.1 MHz. Where a band has a gap, as the gateways', it is an approximation.
    """
    raster_hz = link.band_hz / link.channels
    number = np.arange(link.channels) - (link.channels - 1) / 2.0
    return np.asarray(link.frequency_hz + number * raster_hz)


def checked_channel(channel: int, link: Link) -> int:
    if channel >= link.channels:
        raise Refused(
            "jam.channel",
            f"channel {channel} of a disturbance",
            f"the link {link.name} has the channels 0 to {link.channels - 1}",
            "name one of them, or give frequency_ghz",
        )
    return channel


_TIMES = ("from", "until")
_JAMMER_KEYS = (
    "kind",
    "against",
    "latitude_deg",
    "longitude_deg",
    "eirp_dbw",
    "bandwidth_mhz",
    "frequency_ghz",
    "channels",
    "antenna_height_m",
    "satellites",
    *_TIMES,
)
_ROW_KEYS = ("against", "satellite", "cell", "channel", "j_over_s_db", *_TIMES)


def jam_field(text: str, source: str) -> JamField:
    """Disturbances from TOML; `source` names the file in errors. See docs/reference/jam-file.md.

    Raises Refused with the line of what is wrong; no error names a place.
    """
    root = read_toml(text, source).table(known=("dish_height_m", "jammer", "jamming"))
    return JamField(
        tuple(_jammer(table) for table in root.tables("jammer", known=_JAMMER_KEYS)),
        tuple(_row(table) for table in root.tables("jamming", known=_ROW_KEYS)),
        root.number("dish_height_m", DEFAULT_DISH_HEIGHT_M, minimum=0.0, maximum=1_000.0),
    )


def _against(table: StrictTable) -> Against:
    return Against(table.choice("against", [one.value for one in Against]))


def _period(table: StrictTable) -> tuple[InstantUs, InstantUs]:
    starts, ends = table.instant("from"), table.instant("until")
    if ends <= starts:
        raise table.refused("until", "a disturbance ends after it began", "give a later until")
    return starts, ends


def _jammer(table: StrictTable) -> GroundJammer:
    table.choice("kind", ("ground",), "ground")
    against = _against(table)
    _meaningless(table, against)
    starts, ends = _period(table)
    frequency_hz, bandwidth_hz = np.nan, np.nan
    if table.has("frequency_ghz"):
        frequency_hz = 1e9 * table.number("frequency_ghz", minimum=0.1, maximum=300.0)
        if table.has("channels"):
            raise table.refused(
                "channels", "a jammer has channels or a frequency, not both", "remove one of the two keys"
            )
    if table.has("bandwidth_mhz"):
        bandwidth_hz = 1e6 * table.number("bandwidth_mhz", minimum=1e-3, maximum=100e3)
    elif table.has("frequency_ghz"):
        raise table.refused(
            None, "a jammer with a frequency has a bandwidth", "add bandwidth_mhz = ...", code="missing"
        )
    height_m = DEFAULT_DISH_HEIGHT_M
    if against is Against.DOWNLINK:
        height_m = table.number("antenna_height_m", minimum=0.0, maximum=20_000.0)
    return GroundJammer(
        Place(
            table.number("latitude_deg", minimum=-90.0, maximum=90.0),
            table.number("longitude_deg", minimum=-180.0, maximum=180.0),
        ),
        against,
        table.number("eirp_dbw", minimum=-60.0, maximum=120.0),
        starts,
        ends,
        bandwidth_hz,
        frequency_hz,
        _listed(table, "channels", MOST_CHANNELS - 1),
        height_m,
        _listed(table, "satellites", _MOST_NORAD),
    )


def _meaningless(table: StrictTable, against: Against) -> None:
    key = "satellites" if against is Against.DOWNLINK else "antenna_height_m"
    if table.has(key):
        raise table.refused(
            key, f"{key} has no meaning against the {against.value}", f"remove {key}, or set against"
        )


def _listed(table: StrictTable, key: str, most: int) -> tuple[int, ...]:
    """A list that names at least one, without repeats; empty where the file leaves it out: every one."""
    if not table.has(key):
        return ()
    listed = table.wholes(key, minimum=0, maximum=most)
    if not listed:
        raise table.refused(key, f"{key} names at least one", f"remove {key} for every one")
    return tuple(dict.fromkeys(listed))


def _row(table: StrictTable) -> JamRow:
    starts, ends = _period(table)
    return JamRow(
        _against(table),
        table.whole_or("satellite", "any", minimum=1, maximum=_MOST_NORAD),
        _cell(table),
        table.whole_or("channel", "any", minimum=0, maximum=MOST_CHANNELS - 1),
        table.number("j_over_s_db", minimum=-100.0, maximum=100.0),
        starts,
        ends,
    )


def _cell(table: StrictTable) -> int | None:
    # Some tools write hexadecimal in capitals.
    text = table.text("cell").lower()
    if text == "any":
        return None
    if not is_cell(text):
        raise table.refused(
            "cell", "cell is the index of an H3 cell, 15 hexadecimal digits, or 'any'", "copy it from a table"
        )
    return int(h3.str_to_int(text))
