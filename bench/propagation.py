"""SGP4 for 10,000 satellites x 100 instants, Earth-fixed positions, one thread, against `sgp4` and astroz.

The catalogue is generated from the seed: shells of low orbits with the spread of eccentricity and drag that
real ones have. All sides read the same TLEs. Errors are ours against the `sgp4` package, on the timed output,
in metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.harness import Case, Result
from skylift.base.instants import parse_instant
from skylift.base.randomness import random_stream
from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

Floats = npt.NDArray[np.float64]

SATELLITES = 10_000
INSTANTS = 100
STEP_US = 15_000_000
START_US = parse_instant("2026-03-01T00:00:00Z")
# (share, altitude in km, inclination in degrees): shells in the manner of the large constellations.
SHELLS = ((0.4, 485, 43.0), (0.25, 475, 53.0), (0.15, 540, 53.2), (0.1, 570, 70.0), (0.1, 1_200, 87.9))
MM_M = 1e-3


@dataclass(frozen=True, slots=True)
class Input:
    catalogue: Catalogue
    records: list[Any]
    text: str
    at_us: npt.NDArray[np.int64]

    def julian(self) -> tuple[Floats, Floats]:
        days, rest_us = np.divmod(self.at_us, US_PER_DAY)
        return days + 2_440_587.5, rest_us / US_PER_DAY


@cache
def build(seed: int) -> Input:
    """The catalogue, as TLE text and as everybody's own records, and the instants."""
    from sgp4.api import Satrec
    from sgp4.exporter import export_tle

    lines = [export_tle(record) for record in _generated(seed)]
    records = [Satrec.twoline2rv(*pair) for pair in lines]
    at_us = START_US + np.arange(INSTANTS, dtype=np.int64) * STEP_US
    return Input(_catalogue(records), records, "\n".join("\n".join(pair) for pair in lines), at_us)


def _generated(seed: int) -> list[Any]:
    from sgp4.api import WGS72, Satrec

    random = random_stream(seed, "bench.propagation")
    shells = random.choice(len(SHELLS), SATELLITES, p=[share for share, _, _ in SHELLS])
    records = []
    for i, shell in enumerate(shells):
        _, altitude_km, inclination_deg = SHELLS[shell]
        axis_km = 6_378.135 + altitude_km + random.normal(0.0, 2.0)
        record = Satrec()
        record.sgp4init(
            WGS72,
            "i",
            i + 1,
            START_US / US_PER_DAY + 7_306.0 - random.uniform(0.0, 2.0),
            random.lognormal(-8.0, 1.0),
            0.0,
            0.0,
            random.lognormal(-8.5, 0.8),
            random.uniform(0.0, 2.0 * math.pi),
            math.radians(inclination_deg + random.normal(0.0, 0.02)),
            random.uniform(0.0, 2.0 * math.pi),
            60.0 * math.sqrt(398_600.8 / axis_km**3),
            random.uniform(0.0, 2.0 * math.pi),
        )
        record.classification, record.intldesg = "U", "26001A"
        records.append(record)
    return records


def _catalogue(records: list[Any]) -> Catalogue:
    def column(name: str) -> Floats:
        return np.array([getattr(record, name) for record in records])

    number, nothing = len(records), np.zeros(len(records))
    days = np.round(column("jdsatepoch") - 2_440_587.5).astype(np.int64)
    if np.any(days + 2_440_587.5 != column("jdsatepoch")):
        days = np.floor(column("jdsatepoch") - 2_440_587.5).astype(np.int64)
    rest = column("jdsatepoch") - 2_440_587.5 - days + column("jdsatepochF")
    return Catalogue(
        norad=column("satnum").astype(np.int32),
        name=("",) * number,
        shell=np.full(number, -1, dtype=np.int32),
        epoch_us=days * US_PER_DAY + np.round(rest * US_PER_DAY).astype(np.int64),
        inclination_rad=column("inclo"),
        raan_rad=column("nodeo"),
        eccentricity=column("ecco"),
        arg_perigee_rad=column("argpo"),
        mean_anomaly_rad=column("mo"),
        mean_motion_rad_per_s=column("no_kozai") / 60.0,
        bstar_per_earth_radius=column("bstar"),
        ndot_rev_per_day2=nothing,
        nddot_rev_per_day3=nothing,
        cospar=("",) * number,
        classification=("U",) * number,
        element_set=np.zeros(number, dtype=np.int32),
        revolution=np.zeros(number, dtype=np.int32),
    )


@dataclass(slots=True)
class Sides:
    """The callables of all cases, sharing one input; nothing is built before the first `prepare`."""

    seed: int
    parts: dict[str, Any]

    def prepare(self) -> None:
        from sgp4.api import SatrecArray

        from skylift.sky.orbit.frames import gmst_rad
        from skylift.sky.orbit.propagate import Propagator

        given = build(self.seed)
        propagator = Propagator(given.catalogue)
        angle = gmst_rad(given.at_us)
        self.parts.update(
            given=given,
            propagator=propagator,
            out=propagator.empty(INSTANTS),
            out_teme=propagator.empty(INSTANTS, "teme"),
            out_one=propagator.empty(1),
            array=SatrecArray(given.records),
            julian=given.julian(),
            cos=np.cos(angle),
            sin=np.sin(angle),
        )

    def prepare_astroz(self) -> None:
        self.prepare()
        from astroz import Constellation

        given: Input = self.parts["given"]
        constellation = Constellation(given.text)
        jd, fraction = self.parts["julian"]
        # astroz counts minutes from one reference; its epochs are single float64s.
        start = float(jd[0] + fraction[0])
        self.parts.update(
            astroz=constellation._zig,
            minutes=(given.at_us - given.at_us[0]) / 60e6,
            offsets=(start - np.array(constellation.epochs)) * 1_440.0,
            start=start,
            filled=np.empty((INSTANTS, SATELLITES, 3)),
        )

    def ours(self) -> Floats:
        parts = self.parts
        filled = parts["propagator"].ephemeris(parts["given"].at_us, out=parts["out"])
        return np.asarray(filled.position_ecef_m)

    def ours_teme(self) -> Floats:
        parts = self.parts
        filled = parts["propagator"].ephemeris(parts["given"].at_us, frame="teme", out=parts["out_teme"])
        return np.asarray(filled.position_ecef_m)

    def ours_one(self) -> Floats:
        parts = self.parts
        filled = parts["propagator"].ephemeris(parts["given"].at_us[:1], out=parts["out_one"])
        return np.asarray(filled.position_ecef_m)

    def library_teme(self) -> Floats:
        """SatrecArray as it comes: (N, T, 3) km. It always computes the velocities too."""
        _, position_km, _ = self.parts["array"].sgp4(*self.parts["julian"])
        return np.asarray(position_km)

    def library(self) -> Floats:
        """SatrecArray and the Earth's turn, in place, in NumPy."""
        position_km = self.library_teme()
        x, y = position_km[:, :, 0], position_km[:, :, 1]
        cos, sin = self.parts["cos"], self.parts["sin"]
        turned_x = cos * x + sin * y
        position_km[:, :, 1] = cos * y - sin * x
        position_km[:, :, 0] = turned_x
        return position_km

    def astroz(self) -> Floats:
        """Its fastest call: its own batches, positions alone, Earth-fixed, into memory that is there."""
        parts = self.parts
        parts["astroz"].propagate_into(
            parts["minutes"],
            parts["filled"],
            None,
            epoch_offsets=parts["offsets"],
            output="ecef",
            reference_jd=parts["start"],
            time_major=True,
        )
        return np.asarray(parts["filled"])

    def error_m(self, ours: Floats, peer: Floats) -> float:
        """Ours against the peer's (N, T, 3) km."""
        return float(np.max(np.abs(ours - np.transpose(peer, (1, 2, 0)) * 1e3)))

    def error_from_library_m(self, ours: Floats, _: object) -> float:
        """Ours, as timed, against sgp4: astroz itself is up to some decimetres off it."""
        return self.error_m(ours, self.library()[:, : len(ours)])


def _at_least(ratio: float) -> Any:
    def ok(result: Result) -> bool:
        return (
            result.ratio_cpu is not None
            and result.ratio_cpu >= ratio
            and result.max_error is not None
            and result.max_error <= MM_M
        )

    return ok


def cases(seed: int) -> list[Case]:
    sides = Sides(seed, {})
    sgp4 = version("sgp4")
    against_sgp4 = Case(
        id="propagation-sgp4",
        ours=sides.ours,
        peer=sides.library,
        peer_name="sgp4 SatrecArray + NumPy rotation",
        peer_version=sgp4,
        compare=sides.error_m,
        limit=">= 15x, Earth-fixed, error <= 1e-3 m",
        ok=_at_least(15.0),
        seed=seed,
        prepare=sides.prepare,
        work=float(SATELLITES * INSTANTS),
        unit="prop",
    )
    without_rotation = replace(
        against_sgp4,
        id="propagation-sgp4-teme",
        ours=sides.ours_teme,
        peer=sides.library_teme,
        peer_name="sgp4 SatrecArray",
        limit="TEME, no rotation on either side (no bound asked), error <= 1e-3 m",
        ok=_at_least(0.0),
    )
    against_astroz = replace(
        against_sgp4,
        id="propagation-astroz",
        peer=sides.astroz,
        peer_name="astroz",
        peer_version=version("astroz"),
        compare=sides.error_from_library_m,
        limit=">= 1.5x, Earth-fixed, error (ours from sgp4) <= 1e-3 m",
        ok=_at_least(1.5),
        prepare=sides.prepare_astroz,
    )
    one_instant = replace(
        against_sgp4,
        id="propagation-one-instant",
        ours=sides.ours_one,
        peer=None,
        peer_name="",
        peer_version="",
        compare=sides.error_from_library_m,
        limit="10,000 satellites at one instant <= 1 ms CPU, error <= 1e-3 m",
        ok=_one_instant_is_quick,
        work=float(SATELLITES),
    )
    return [against_sgp4, without_rotation, against_astroz, one_instant]


def _one_instant_is_quick(result: Result) -> bool:
    return result.ours.cpu_s <= 1e-3 and result.max_error is not None and result.max_error <= MM_M
