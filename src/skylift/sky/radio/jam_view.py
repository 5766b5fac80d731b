"""What a field of disturbances does to the links of one set of sites: J/S by pair and channel.

view = jam_view(field, sites, catalogue.norad)                       # once: horizons and cells of sites
jammed = view.j_over_s(Against.DOWNLINK, at_us, link, pairs)         # once per slot
jammed.pair (A,), jammed.ratio (A, F)                                # only the pairs that are disturbed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, geodetic_to_ecef_m, geodetic_up
from skylift.base.units import EARTH_MEAN_RADIUS_M, LIGHT_SPEED_M_PER_S, RAD_PER_DEG
from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.antenna_pattern import dish_gain_dbi, satellite_gain_dbi
from skylift.sky.radio.jam_field import Against, GroundJammer, JamField, JamRow, checked_channel
from skylift.sky.radio.jamming import ANY, Jammer, Jamming, jammed_power_dbw, radio_horizon_m
from skylift.sky.radio.power import Floats, decibels, power_ratio
from skylift.sky.radio.systems import Link

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Nearer than this an antenna has no far field to speak of, and the sites of a plan stand for whole cells.
_LEAST_RANGE_M = 10.0
# Half of the 70 wavelengths / diameter between the half-power points, as in dish_gain_dbi.
_HALF_BEAM_WAVELENGTHS = 35.0 * RAD_PER_DEG


@dataclass(frozen=True, slots=True)
class JamPairs:
    """K pairs of sites and satellites, columns (K,), and what arrives at the disturbed receiver of each.

    satellite   index into the view's NORAD numbers; None: not known
    signal_dbw  after the receiver's antenna, as in LinkBudget
    """

    sites: Sites
    site: npt.NDArray[np.integer]
    satellite: npt.NDArray[np.integer] | None
    elevation_rad: Floats
    azimuth_rad: Floats
    range_m: Floats
    signal_dbw: Floats

    def toward_satellite(self, pair: Ints) -> Floats:
        """Unit vectors from the sites of some pairs, (3, A), Earth-fixed."""
        at, elevation, azimuth = self.site[pair], self.elevation_rad[pair], self.azimuth_rad[pair]
        flat = np.cos(elevation)
        return np.asarray(
            self.sites.up[:, at] * np.sin(elevation)
            + self.sites.north[:, at] * (flat * np.cos(azimuth))
            + self.sites.east[:, at] * (flat * np.sin(azimuth))
        )


@dataclass(frozen=True, slots=True)
class Jammed:
    """A of K pairs that something disturbs.

    pair   int64 (A,), ascending
    ratio  (A, U) J/S, as powers, on each of U kinds of channels that are disturbed alike
    kind   (F,): of which kind each channel of the link is
    """

    pair: Ints
    ratio: Floats
    kind: Ints

    def __len__(self) -> int:
        return len(self.pair)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The sites that a jammer sees: index (B,), range_m (B,), toward it (3, B) unit vectors."""

    site: Ints
    range_m: Floats
    toward: Floats


@dataclass(frozen=True, slots=True)
class JamView:
    """A field of disturbances as one set of sites meets it; made by `jam_view`.

    norad     int (N,), of the satellites that pairs name; None: nothing may name any
    reaches   one for each jammer of the field; None for those against satellites
    cells     H3 cell of each site, int64 (M,), at each resolution that a row names
    """

    field: JamField
    norad: Ints | None
    reaches: tuple[_Reach | None, ...]
    cells: Mapping[int, Ints]

    def is_active(self, against: Against, at_us: int) -> bool:
        return self.field.is_active(against, at_us)

    def j_over_s_db(self, against: Against, at_us: int, link: Link, pairs: JamPairs) -> Floats:
        """J/S of each pair on each of the link's channels, (K, F) dB; -inf where nothing disturbs it."""
        jammed = self.j_over_s(against, at_us, link, pairs)
        full = np.zeros((len(pairs.site), link.channels))
        full[jammed.pair] = jammed.ratio[:, jammed.kind]
        return decibels(full)

    def j_over_s(self, against: Against, at_us: int, link: Link, pairs: JamPairs) -> Jammed:
        """J/S of the pairs that anything disturbs at this instant; disturbances add up as powers.

        link  the one whose receiver is disturbed: "down" against dishes, "up" against satellites
        Raises Refused for a channel that the link does not have, and for satellites that are not known.
        """
        rows = [r for r in self.field.rows if r.against is against and r.from_us <= at_us < r.until_us]
        parts = list(self._of_jammers(against, at_us, link, pairs))
        shares = [jammer.share_in_channels(link) for jammer, _, _ in parts]
        named = {checked_channel(r.channel, link) for r in rows if r.channel is not None}
        kind, sample = _kinds(shares, named, link.channels)
        touched = np.zeros(len(pairs.site), dtype=bool)
        for _, pair, _ in parts:
            touched[pair] = True
        if rows:
            touched |= self._near_rows(rows, pairs)
        at = np.flatnonzero(touched)
        ratio = np.zeros((at.size, sample.size))
        for (_, pair, alone), share in zip(parts, shares, strict=True):
            ratio[np.searchsorted(at, pair)] += alone[:, np.newaxis] * share[sample]
        if rows and at.size:
            ratio += self._of_rows(rows, pairs, at, sample)
        kept = ratio.any(axis=1)
        return Jammed(at[kept], ratio[kept], kind)

    def _of_jammers(
        self, against: Against, at_us: int, link: Link, pairs: JamPairs
    ) -> list[tuple[GroundJammer, Ints, Floats]]:
        """Each active jammer, the pairs it disturbs, and the J/S of all of its power there."""
        found = []
        for jammer, reach in zip(self.field.jammers, self.reaches, strict=True):
            if jammer.against is not against or not jammer.from_us <= at_us < jammer.until_us:
                continue
            if reach is not None:
                pair, power_dbw = _into_dishes(jammer, reach, link, pairs)
            else:
                pair, power_dbw = _into_satellites(jammer, self._pointed_at(jammer, pairs), link, pairs)
            found.append((jammer, pair, power_ratio(power_dbw - pairs.signal_dbw[pair])))
        return found

    def _pointed_at(self, jammer: GroundJammer, pairs: JamPairs) -> Ints:
        if not jammer.satellites:
            return np.arange(len(pairs.site))
        return np.flatnonzero(np.isin(self._norad_of(pairs), jammer.satellites))

    def _norad_of(self, pairs: JamPairs) -> Ints:
        if self.norad is None or pairs.satellite is None:
            raise Refused(
                "jam.satellite",
                "jam file",
                "it names satellites by NORAD number, and those of the pairs are not known",
                'write "any", or hand the numbers in',
            )
        return np.asarray(self.norad[pairs.satellite], dtype=np.int64)

    def _near_rows(self, rows: Sequence[JamRow], pairs: JamPairs) -> Bools:
        """Pairs whose site and whose satellite some row names, (K,)."""
        sites = np.zeros(len(pairs.sites), dtype=bool)
        for resolution, group in _by_resolution(rows).items():
            wanted = np.array([ANY if row.cell is None else row.cell for row in group])
            sites |= True if resolution < 0 else np.isin(self.cells[resolution], wanted)
        near = sites[pairs.site]
        satellites = {row.satellite for row in rows}
        if None not in satellites:
            near &= np.isin(self._norad_of(pairs), [s for s in satellites if s is not None])
        return np.asarray(near)

    def _of_rows(self, rows: Sequence[JamRow], pairs: JamPairs, at: Ints, sample: Ints) -> Floats:
        """J/S, as powers, that the rows give the pairs `at` on the channels `sample`, (A, U)."""
        known = any(row.satellite is not None for row in rows)
        norad = self._norad_of(pairs)[at] if known else np.zeros(at.size, dtype=np.int64)
        total = np.zeros((at.size, sample.size))
        for resolution, group in _by_resolution(rows).items():
            cell = np.zeros(at.size, dtype=np.int64)
            if resolution >= 0:
                cell = self.cells[resolution][pairs.site[at]]
            table = Jamming(
                _column([row.satellite for row in group]),
                _column([row.cell for row in group]),
                _column([row.channel for row in group]),
                np.array([row.j_over_s_db for row in group]),
            )
            for place, channel in enumerate(sample):
                total[:, place] += power_ratio(table.at(norad, cell, np.full(at.size, channel)))
        return total


def jam_view(field: JamField, sites: Sites, norad: npt.NDArray[np.integer] | None = None) -> JamView:
    """A field as these sites meet it.

    norad  of the satellites that pairs will name, (N,); needed where the field names satellites
    """
    reaches = tuple(
        _reach(jammer, sites, field.dish_height_m) if jammer.against is Against.DOWNLINK else None
        for jammer in field.jammers
    )
    cells = {}
    for resolution in _by_resolution(field.rows):
        if resolution >= 0:
            cells[resolution] = np.array(
                [
                    h3.str_to_int(h3.latlng_to_cell(latitude, longitude, resolution))
                    for latitude, longitude in zip(
                        np.degrees(sites.latitude_rad), np.degrees(sites.longitude_rad), strict=True
                    )
                ],
                dtype=np.int64,
            )
    return JamView(field, None if norad is None else np.asarray(norad, dtype=np.int64), reaches, cells)


def _reach(jammer: GroundJammer, sites: Sites, dish_height_m: float) -> _Reach:
    """The sites within the radio horizon. The ground beneath the jammer is taken as high as each site's."""
    latitude, longitude = _radians(jammer.place)
    chord = np.linalg.norm(sites.up - geodetic_up(latitude, longitude)[:, np.newaxis], axis=0)
    apart_m = 2.0 * EARTH_MEAN_RADIUS_M * np.arcsin(np.minimum(0.5 * chord, 1.0))
    site = np.flatnonzero(apart_m <= radio_horizon_m(jammer.antenna_height_m, dish_height_m))
    antenna_m = sites.altitude_m[site] + jammer.antenna_height_m - dish_height_m
    toward_m = geodetic_to_ecef_m(latitude, longitude, antenna_m) - sites.position_ecef_m[:, site]
    range_m = np.maximum(np.linalg.norm(toward_m, axis=0), _LEAST_RANGE_M)
    return _Reach(site, range_m, toward_m / range_m)


def _into_dishes(jammer: GroundJammer, reach: _Reach, link: Link, pairs: JamPairs) -> tuple[Ints, Floats]:
    """The pairs of sites that the jammer sees, and its power behind their dishes, off their beams."""
    place = np.full(len(pairs.sites), -1)
    place[reach.site] = np.arange(reach.site.size)
    of_pair = place[pairs.site]
    pair = np.flatnonzero(of_pair >= 0)
    near = of_pair[pair]
    off_rad = _angle_rad(pairs.toward_satellite(pair), reach.toward[:, near])
    wavelengths = link.receive_diameter_m * link.frequency_hz / LIGHT_SPEED_M_PER_S
    gain_dbi = dish_gain_dbi(off_rad, link.receive_gain_dbi, wavelengths)
    return pair, _whole_power_dbw(jammer, reach.range_m[near], gain_dbi, link)


def _into_satellites(
    jammer: GroundJammer, pointed_at: Ints, link: Link, pairs: JamPairs
) -> tuple[Ints, Floats]:
    """Those of the pairs whose satellite the jammer sees, and its power in the beam on the pair's site."""
    latitude, longitude = _radians(jammer.place)
    beam_m = pairs.toward_satellite(pointed_at) * pairs.range_m[pointed_at]
    satellite_m = pairs.sites.position_ecef_m[:, pairs.site[pointed_at]] + beam_m
    jammer_m = geodetic_to_ecef_m(latitude, longitude, jammer.place.altitude_m)
    ray_m = satellite_m - jammer_m[:, np.newaxis]
    seen = geodetic_up(latitude, longitude) @ ray_m > 0.0
    beam_m, ray_m, pair = beam_m[:, seen], ray_m[:, seen], pointed_at[seen]
    range_m = np.linalg.norm(ray_m, axis=0)
    off_rad = _angle_rad(beam_m / pairs.range_m[pair], ray_m / range_m)
    half_beam_rad = (
        _HALF_BEAM_WAVELENGTHS * LIGHT_SPEED_M_PER_S / (link.receive_diameter_m * link.frequency_hz)
    )
    gain_dbi = satellite_gain_dbi(off_rad, link.receive_gain_dbi, half_beam_rad)
    return pair, _whole_power_dbw(jammer, range_m, gain_dbi, link)


def _whole_power_dbw(jammer: GroundJammer, range_m: Floats, gain_dbi: Floats, link: Link) -> Floats:
    """All of a jammer's power, as if it fell into one channel: what does not is the share's to take off."""
    narrow = Jammer(jammer.eirp_dbw, link.bandwidth_hz)
    return jammed_power_dbw(narrow, range_m, gain_dbi, link.frequency_hz, link.bandwidth_hz)


def _angle_rad(a: Floats, b: Floats) -> Floats:
    """Between unit vectors (3, A): by the chord, which keeps its digits for small angles."""
    return np.asarray(2.0 * np.arcsin(np.minimum(0.5 * np.linalg.norm(a - b, axis=0), 1.0)))


def _radians(place: Place) -> tuple[float, float]:
    return place.latitude_deg * RAD_PER_DEG, place.longitude_deg * RAD_PER_DEG


def _kinds(shares: Sequence[Floats], named: set[int], channels: int) -> tuple[Ints, Ints]:
    """Which channels are disturbed alike: the kind of each (F,), and one channel of each kind (U,)."""
    looks = [
        (*(share[channel] for share in shares), channel if channel in named else ANY)
        for channel in range(channels)
    ]
    first = {look: channel for channel, look in reversed(list(enumerate(looks)))}
    samples = sorted(first.values())
    kind = np.array([samples.index(first[look]) for look in looks], dtype=np.int64)
    return kind, np.array(samples, dtype=np.int64)


def _by_resolution(rows: Sequence[JamRow]) -> dict[int, list[JamRow]]:
    """Rows by the resolution of their cell; -1 for those of any cell."""
    groups: dict[int, list[JamRow]] = {}
    for row in rows:
        resolution = -1 if row.cell is None else h3.get_resolution(h3.int_to_str(row.cell))
        groups.setdefault(resolution, []).append(row)
    return groups


def _column(values: Sequence[int | None]) -> Ints:
    return np.array([ANY if value is None else value for value in values], dtype=np.int64)
