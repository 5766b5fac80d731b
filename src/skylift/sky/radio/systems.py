"""Systems and their radio links, from TOML; and settings of a caller laid over a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.strict import Document, StrictTable, read_toml
from skylift.sky.radio.antenna_pattern import directivity_dbi
from skylift.sky.radio.band import channels_of, check_carrier
from skylift.sky.radio.generations import Generation, arrays_of, read_generations
from skylift.sky.radio.noise import COSMIC_BACKGROUND_K, g_over_t_db_k
from skylift.sky.radio.power import MASKS, PowerFluxMask, ka_mask
from skylift.sky.radio.waveform import Ofdm, SingleCarrier, Waveform

# By table, the modulations that it has rows of; a test compares them with the packaged tables.
MODULATIONS = {
    "dvb-s2x": ("QPSK", "8PSK", "8APSK", "16APSK", "32APSK", "64APSK", "128APSK", "256APSK"),
    "qam": ("4QAM", "16QAM", "64QAM", "256QAM"),
}
MODCOD_TABLES = tuple(MODULATIONS)
_MASK_NAMES = ("none", *MASKS, "17.7-19.3 GHz")

_SYSTEM_KEYS = ("name", "year", "source", "altitude_km", "minimum_elevation_deg", "satellite", "link")
_SATELLITE_KEYS = ("source", "beams_per_polarisation", "flux_polarisations", "generation")
LINK_KEYS = (
    "source",
    "ground_antenna",
    "ground_receives",
    "altitude_km",
    "frequency_ghz",
    "bandwidth_mhz",
    "channels",
    "band_mhz",
    "polarisations",
    "eirp_dbw",
    "eirp_range_dbw",
    "power_flux_mask",
    "flux_polarisations",
    "satellites_in_system",
    "receive_gain_dbi",
    "receive_diameter_m",
    "noise_temperature_k",
    "g_over_t_db_k",
    "scan_exponent",
    "other_losses_db",
    "atmosphere_loss_db",
    "c_aci_db",
    "c_asi_db",
    "c_xpi_db",
    "c_3im_db",
    "j_over_s_db",
    "waveform",
    "roll_off_fraction",
    "framing_fraction",
    "subcarriers",
    "gutter_subcarriers",
    "cyclic_prefix_samples",
    "symbol_intervals",
    "data_symbols",
    "pilot_fraction",
    "modcod_table",
    "modulations",
    "implementation_loss_db",
    "margin_db",
    "duty_fraction",
)
_OFDM_KEYS = LINK_KEYS[LINK_KEYS.index("subcarriers") : LINK_KEYS.index("pilot_fraction") + 1]
_SINGLE_KEYS = ("roll_off_fraction", "framing_fraction")
# A ratio that disturbs nothing; inf is no number for TOML's readers.
_QUIET_DB = 200.0


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of one system. A number that a document gave has its source there.

    eirp_dbw             per channel, as the transmitter could radiate it; the mask may allow less
    mask                 None where no power-flux mask holds (uplinks)
    flux_polarisations   how many polarisations light one place at once and share what the mask allows: it
                         limits all that a satellite sends there (docs/why/009)
    g_over_t_db_k        of the receiver, toward its boresight, under a clear sky
    noise_temperature_k  of the receiver; what rain adds is relative to it
    scan_exponent        of the ground antenna, about its boresight; 0 for a steered dish
    c_*_db               carrier to adjacent-channel, adjacent-satellite, cross-polar, intermodulation power
    duty_fraction        greatest share of the time that one terminal may send
    band_hz              all of the spectrum, on each polarisation; the channels need not fill it
    """

    name: str
    ground_antenna: str
    ground_receives: bool
    altitude_m: float
    frequency_hz: float
    bandwidth_hz: float
    channels: int
    band_hz: float
    polarisations: int
    eirp_dbw: float
    mask: PowerFluxMask | None
    flux_polarisations: int
    satellites_in_system: int
    receive_gain_dbi: float
    receive_diameter_m: float
    noise_temperature_k: float
    g_over_t_db_k: float
    scan_exponent: float
    other_losses_db: float
    atmosphere_loss_db: float
    c_aci_db: float
    c_asi_db: float
    c_xpi_db: float
    c_3im_db: float
    j_over_s_db: float
    waveform: Waveform
    modcod_table: str
    modulations: tuple[str, ...]
    implementation_loss_db: float
    margin_db: float
    duty_fraction: float


@dataclass(frozen=True, slots=True)
class RadioSystem:
    """One system in one year; `links` by direction (down, up, gateway-up, gateway-down, ...).

    beams_per_polarisation  of one satellite toward users, at once; one channel is lit once in a polarisation
    flux_polarisations      how many of these may light one place on one channel at once (`Link`)
    generations             of satellites that have more than one array of so many beams
    """

    name: str
    year: int
    source: str
    minimum_elevation_deg: float
    links: Mapping[str, Link]
    beams_per_polarisation: tuple[int, int]
    flux_polarisations: int
    generations: tuple[Generation, ...]

    def arrays_of(self, names: Sequence[str]) -> npt.NDArray[np.int32] | None:
        """(N,) how many arrays satellites of these names have; None where all have one."""
        return arrays_of(self.generations, names)

    def link(self, direction: str) -> Link:
        """One of its links. Raises Refused with the directions that there are."""
        if direction not in self.links:
            raise Refused(
                "radio.direction",
                f"{self.name} {self.year}",
                f"it has no link {direction!r}, only {', '.join(self.links)}",
                "add it to the system's file",
            )
        return self.links[direction]


def radio_system(text: str, source: str) -> RadioSystem:
    """A system from its TOML text; `source` names the file in errors."""
    root = read_toml(text, source).table(_SYSTEM_KEYS)
    altitude_km = root.number("altitude_km", minimum=100, maximum=50_000)
    links = {
        name: _link(name, table, None, altitude_km)
        for name, table in root.subtables("link", LINK_KEYS).items()
    }
    if not links:
        raise root.refused(None, "a system has at least one link", "write [link.down]", code="missing")
    return RadioSystem(
        name=root.text("name"),
        year=root.whole("year", minimum=1990, maximum=2100),
        source=root.text("source"),
        minimum_elevation_deg=root.number("minimum_elevation_deg", minimum=0, maximum=90),
        links=links,
        beams_per_polarisation=_beams(root, links),
        flux_polarisations=_flux_polarisations(root, links),
        generations=read_generations(root.table("satellite", _SATELLITE_KEYS)),
    )


def _beams(root: StrictTable, links: Mapping[str, Link]) -> tuple[int, int]:
    """Beams of a satellite in either polarisation; without a table as many as the downlink has channels."""
    table = root.table("satellite", _SATELLITE_KEYS)
    down = links.get("down")
    most = down.channels if down else 1
    table.text("source", "")
    if not table.has("beams_per_polarisation"):
        return most, most if down and down.polarisations == 2 else 0
    beams = table.numbers("beams_per_polarisation", minimum=0, maximum=1000)
    whole = all(float(n).is_integer() for n in beams)
    if len(beams) != 2 or not whole or max(beams) > most or sum(beams) == 0:
        raise table.refused(
            "beams_per_polarisation",
            f"it is two whole numbers, each at most the downlink's channels ({most}), and not both 0",
            "write for example [8, 8]",
        )
    return int(beams[0]), int(beams[1])


def _flux_polarisations(root: StrictTable, links: Mapping[str, Link]) -> int:
    """As the file says; else as many as have beams."""
    lit = sum(beams > 0 for beams in _beams(root, links))
    return root.table("satellite", _SATELLITE_KEYS).whole("flux_polarisations", lit, minimum=1, maximum=2)


def overridden(link: Link, settings: Mapping[str, Any], source: str) -> Link:
    """`link` with keys of its document set anew; they are read as strictly as the document's own.

    Raises Refused, naming `source` and the key.
    """
    content = dict(settings)
    table = StrictTable(Document(content, source, {}, ()), content, (), LINK_KEYS)
    for key in ("source", "ground_receives", "eirp_range_dbw"):
        if key in settings:
            raise table.refused(key, f"{key} cannot be set", "copy the system's file and change it there")
    return _link(link.name, table, link, link.altitude_m / 1e3)


def _link(name: str, table: StrictTable, base: Link | None, altitude_km: float) -> Link:
    number = _Numbers(table, base)
    frequency_hz = number.scaled("frequency_ghz", "frequency_hz", 1e9, (0.1, 300.0))
    gain_dbi = number("receive_gain_dbi", -10.0, 100.0)
    diameter_m = number("receive_diameter_m", 0.01, 100.0)
    # Half a tenth of a decibel for rounding in the sources.
    if gain_dbi > float(directivity_dbi(diameter_m, frequency_hz)) + 0.05:
        key = "receive_gain_dbi" if base is None or table.has("receive_gain_dbi") else "receive_diameter_m"
        if base is not None and not (table.has("receive_gain_dbi") or table.has("receive_diameter_m")):
            key = "frequency_ghz"
        raise table.refused(
            key,
            f"receive_gain_dbi {gain_dbi:.1f} is above the directivity of its aperture, "
            f"{float(directivity_dbi(diameter_m, frequency_hz)):.1f} dBi",
            "lower receive_gain_dbi, or give the true receive_diameter_m",
        )
    # No receiver under the sky is colder than the sky is.
    temperature_k = number("noise_temperature_k", COSMIC_BACKGROUND_K, 100_000.0)
    satellites = table.whole(
        "satellites_in_system", base.satellites_in_system if base else 1, minimum=1, maximum=100_000
    )
    _eirp_range(table)
    bandwidth_hz = number.scaled("bandwidth_mhz", "bandwidth_hz", 1e6, (1e-6, 10_000.0))
    channels, band_hz = channels_of(
        table, bandwidth_hz, base.channels if base else None, base.band_hz if base else None
    )
    check_carrier(table, frequency_hz, band_hz)
    return Link(
        name=name,
        ground_antenna=table.text("ground_antenna", base.ground_antenna if base else "open-sky"),
        ground_receives=base.ground_receives if base else table.flag("ground_receives"),
        altitude_m=table.number("altitude_km", altitude_km, minimum=100, maximum=50_000) * 1e3,
        frequency_hz=frequency_hz,
        bandwidth_hz=bandwidth_hz,
        channels=channels,
        band_hz=band_hz,
        polarisations=table.whole("polarisations", base.polarisations if base else 1, minimum=1, maximum=2),
        eirp_dbw=number("eirp_dbw", -60.0, 120.0),
        mask=_mask(table, base, satellites),
        flux_polarisations=table.whole(
            "flux_polarisations", base.flux_polarisations if base else 1, minimum=1, maximum=2
        ),
        satellites_in_system=satellites,
        receive_gain_dbi=gain_dbi,
        receive_diameter_m=diameter_m,
        noise_temperature_k=temperature_k,
        g_over_t_db_k=_figure_of_merit(table, base, gain_dbi, temperature_k),
        scan_exponent=number("scan_exponent", 0.0, 3.0, 0.0),
        other_losses_db=number("other_losses_db", 0.0, 100.0, 0.0),
        atmosphere_loss_db=number("atmosphere_loss_db", 0.0, 300.0, 0.0),
        c_aci_db=number("c_aci_db", -50.0, _QUIET_DB, _QUIET_DB),
        c_asi_db=number("c_asi_db", -50.0, _QUIET_DB, _QUIET_DB),
        c_xpi_db=number("c_xpi_db", -50.0, _QUIET_DB, _QUIET_DB),
        c_3im_db=number("c_3im_db", -50.0, _QUIET_DB, _QUIET_DB),
        j_over_s_db=number("j_over_s_db", -_QUIET_DB, 200.0, -_QUIET_DB),
        waveform=_waveform(table, base),
        modcod_table=_modcod_table(table, base),
        modulations=_modulations(table, base),
        implementation_loss_db=number("implementation_loss_db", 0.0, 20.0, 0.0),
        margin_db=number("margin_db", 0.0, 50.0, 0.0),
        duty_fraction=number("duty_fraction", 1e-6, 1.0, 1.0),
    )


class _Numbers:
    """Reads a number whose default is the base link's; without a base, `default` or required."""

    def __init__(self, table: StrictTable, base: Link | None) -> None:
        self._table = table
        self._base = base

    def __call__(self, key: str, minimum: float, maximum: float, default: float | None = None) -> float:
        if self._base is not None:
            default = getattr(self._base, key)
        if default is None:
            return self._table.number(key, minimum=minimum, maximum=maximum)
        return self._table.number(key, default, minimum=minimum, maximum=maximum)

    def scaled(self, key: str, field: str, scale: float, bounds: tuple[float, float]) -> float:
        """A number of the file in another unit than the link's field."""
        if self._base is None or self._table.has(key):
            return self._table.number(key, minimum=bounds[0], maximum=bounds[1]) * scale
        return float(getattr(self._base, field))


def _modcod_table(table: StrictTable, base: Link | None) -> str:
    if base is None:
        return table.choice("modcod_table", MODCOD_TABLES)
    return table.choice("modcod_table", MODCOD_TABLES, base.modcod_table)


def _modulations(table: StrictTable, base: Link | None) -> tuple[str, ...]:
    """Those of the table that the link keeps to; none for all of them."""
    chosen = table.texts("modulations", base.modulations if base else ())
    name = _modcod_table(table, base)
    unknown = [word for word in chosen if word not in MODULATIONS[name]]
    if unknown:
        raise table.refused(
            "modulations" if table.has("modulations") or base is None else "modcod_table",
            f"the table {name} has the modulations {', '.join(MODULATIONS[name])}",
            f'write for example modulations = ["{MODULATIONS[name][0]}"], or [] for all of them',
        )
    return chosen


def _figure_of_merit(table: StrictTable, base: Link | None, gain_dbi: float, temperature_k: float) -> float:
    """G/T as given, else of gain and temperature; a new gain or temperature undoes a G/T of the base."""
    given = table.has("receive_gain_dbi") or table.has("noise_temperature_k")
    if base is not None and not given:
        computed = base.g_over_t_db_k
    else:
        computed = float(g_over_t_db_k(gain_dbi, temperature_k))
    found = table.number("g_over_t_db_k", computed, minimum=-60.0, maximum=80.0)
    most = float(g_over_t_db_k(gain_dbi, COSMIC_BACKGROUND_K))
    if found > most + 0.05:
        raise table.refused(
            "g_over_t_db_k" if table.has("g_over_t_db_k") else "receive_gain_dbi",
            f"a gain of {gain_dbi:.1f} dBi makes at most {most:.1f} dB/K: no receiver is colder than "
            f"the sky, {COSMIC_BACKGROUND_K:g} K",
            "lower g_over_t_db_k, or give the true receive_gain_dbi",
        )
    return found


def _mask(table: StrictTable, base: Link | None, satellites: int) -> PowerFluxMask | None:
    default = "none" if base is None or base.mask is None else base.mask.name
    name = table.choice("power_flux_mask", _MASK_NAMES, default)
    if name == "none":
        return None
    return MASKS.get(name) or ka_mask(satellites)


def _eirp_range(table: StrictTable) -> None:
    """What the sources say, where they conflict; checked, and read by people."""
    if not table.has("eirp_range_dbw"):
        return
    ends = table.numbers("eirp_range_dbw", minimum=-60.0, maximum=120.0)
    if len(ends) != 2 or not ends[0] <= table.number("eirp_dbw") <= ends[1]:
        raise table.refused(
            "eirp_range_dbw", "it is [lowest, highest] and holds eirp_dbw", "write the ends of the sources"
        )


def _waveform(table: StrictTable, base: Link | None) -> Waveform:
    old = base.waveform if base else None
    default = "ofdm" if isinstance(old, Ofdm) else "single-carrier"
    options = ("ofdm", "single-carrier")
    kind = table.choice("waveform", options, default) if base else table.choice("waveform", options)
    for key in _SINGLE_KEYS if kind == "ofdm" else _OFDM_KEYS:
        if table.has(key):
            raise table.refused(key, f"{key} has no meaning for {kind}", f"remove {key}, or set waveform")
    if kind == "ofdm":
        return _ofdm(table, old if isinstance(old, Ofdm) else None)
    was = old if isinstance(old, SingleCarrier) else None
    roll_off = (
        table.number("roll_off_fraction", was.roll_off, minimum=0, maximum=1)
        if was
        else table.number("roll_off_fraction", minimum=0, maximum=1)
    )
    framing = table.number("framing_fraction", was.framing_fraction if was else 1.0, minimum=0.01, maximum=1)
    return SingleCarrier(roll_off, framing)


def _ofdm(table: StrictTable, was: Ofdm | None) -> Ofdm:
    def whole(key: str, default: int | None, least: int) -> int:
        if default is None:
            return table.whole(key, minimum=least, maximum=1_000_000)
        return table.whole(key, default, minimum=least, maximum=1_000_000)

    wave = Ofdm(
        subcarriers=whole("subcarriers", was.subcarriers if was else None, 1),
        gutter=whole("gutter_subcarriers", was.gutter if was else None, 0),
        cyclic_prefix=whole("cyclic_prefix_samples", was.cyclic_prefix if was else None, 0),
        intervals=whole("symbol_intervals", was.intervals if was else None, 1),
        data_symbols=whole("data_symbols", was.data_symbols if was else None, 1),
        pilots=table.number("pilot_fraction", was.pilots if was else 0.0, minimum=0, maximum=0.99),
    )
    if wave.cyclic_prefix > wave.subcarriers:
        raise table.refused(
            "cyclic_prefix_samples" if table.has("cyclic_prefix_samples") or was is None else "subcarriers",
            "a prefix repeats a symbol's end, and is no longer than its symbol",
            f"write at most {wave.subcarriers}, as many as subcarriers",
        )
    if wave.gutter >= wave.subcarriers:
        raise table.refused("gutter_subcarriers", "some subcarriers carry data", "lower the gutter")
    if wave.data_symbols > wave.intervals:
        raise table.refused("data_symbols", "a frame has no more data symbols than intervals", "lower it")
    return wave
