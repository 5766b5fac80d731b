"""Rates of the 110,000 pairs of one slot over a country: in dry air, in rain, and disturbed."""

from __future__ import annotations

from functools import cache

import numpy as np

from bench.harness import Case, Result
from skylift.adapters.antennas import packaged_antenna
from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.adapters.radio_files import modcods_of, packaged_system
from skylift.base.geodesy import Place
from skylift.base.instants import InstantUs
from skylift.base.randomness import random_stream
from skylift.sky.coverage.sites import sites_of
from skylift.sky.radio.air_over import Air, PairRates, ReturnLink, pair_rates
from skylift.sky.radio.atmosphere import SlantPaths, clear_air_db, climate_at
from skylift.sky.radio.jam_field import Against, GroundJammer, JamField
from skylift.sky.radio.jam_view import jam_view
from skylift.sky.radio.link_budget import Surroundings, link_budget
from skylift.sky.radio.path_loss import slant_range_m
from skylift.sky.radio.rain_field import RainCell

SITES = 2_400
PAIRS = 110_000
# Which pairs are worked out one by one, for the error.
SAMPLE = 200
START, END = InstantUs(0), InstantUs(1)


class Country:
    """Sites over 7 by 18 degrees, and pairs toward the north, as dishes there look."""

    def __init__(self, seed: int) -> None:
        random = random_stream(seed, "pair-rates")
        self.places = [
            Place(float(a), float(b))
            for a, b in zip(random.uniform(45, 52, SITES), random.uniform(22, 40, SITES), strict=True)
        ]
        system = packaged_system("starlink-2022")
        self.link, up = system.links["down"], system.links["up"]
        self.back = ReturnLink(up, modcods_of(up))
        self.sites = sites_of(self.places, [packaged_antenna(self.link.ground_antenna)] * SITES)
        self.site = np.sort(random.integers(0, SITES, PAIRS))
        self.elevation_rad = np.radians(random.uniform(25, 90, PAIRS))
        self.azimuth_rad = random.normal(0.0, 0.8, PAIRS) % (2.0 * np.pi)
        self.range_m = slant_range_m(550e3, self.elevation_rad)
        maps = packaged_atmosphere()
        climate = climate_at(maps, self.sites.latitude_rad, self.sites.longitude_rad)
        self.dry = Air(maps, climate)
        showers = tuple(
            RainCell(self.places[k], float(random.uniform(5e3, 25e3)), 30.0, START, END) for k in range(30)
        )
        self.wet = Air(maps, climate, showers)
        jammers = tuple(
            GroundJammer(self.places[k], Against.DOWNLINK, 40.0, START, END, antenna_height_m=300.0)
            for k in range(100, 104)
        )
        uplink = GroundJammer(self.places[104], Against.UPLINK, 25.0, START, END)
        self.jam = jam_view(JamField((*jammers, uplink)), self.sites)

    def rates(self, air: Air, disturbed: bool = False) -> PairRates:
        return pair_rates(
            self.link,
            modcods_of(self.link),
            self.sites,
            self.site,
            self.elevation_rad,
            self.azimuth_rad,
            self.range_m,
            air=air,
            jam=self.jam if disturbed else None,
            back=self.back if disturbed else None,
        )

    def worst_mbps(self, got: PairRates) -> float:
        """Greatest distance of the dry rates from single budgets."""
        worst = 0.0
        for k in np.linspace(0, PAIRS - 1, SAMPLE).astype(int):
            here = self.dry.climate.take(self.site[k : k + 1])
            path = SlantPaths(self.link.frequency_hz, self.elevation_rad[k])
            loss = clear_air_db(self.dry.maps.gases, here, path).item()
            alone = link_budget(
                self.link,
                modcods_of(self.link),
                self.elevation_rad[k],
                self.range_m[k],
                got.off_boresight_rad[k],
                Surroundings(loss),
            )
            worst = max(worst, abs(float(alone.rate_bps) - float(got.rate_bps[k])) / 1e6)
        return worst


@cache
def country(seed: int) -> Country:
    return Country(seed)


def within(limit_s: float, result: Result) -> bool:
    return result.ours.cpu_s < limit_s and (result.max_error is None or result.max_error < 1e-6)


def cases(seed: int) -> list[Case]:
    def compare(ours: PairRates, _: object) -> float:
        return country(seed).worst_mbps(ours)

    def prepare() -> None:
        country(seed)

    def case(name: str, air: str, limit_s: float, disturbed: bool = False) -> Case:
        text = f"110,000 pairs in {limit_s * 1e3:.0f} ms"
        return Case(
            id=f"pair-rates-{name}",
            ours=lambda: country(seed).rates(getattr(country(seed), air), disturbed),
            peer=None,
            peer_name="",
            peer_version="",
            compare=compare if name == "dry" else None,
            limit=f"{text}, 1e-6 Mbit/s from single budgets" if name == "dry" else text,
            ok=lambda result: within(limit_s, result),
            seed=seed,
            prepare=prepare,
            work=PAIRS,
            unit="pairs",
        )

    return [case("dry", "dry", 0.1), case("rain", "wet", 0.15), case("jammed", "dry", 0.25, disturbed=True)]
