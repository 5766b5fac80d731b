"""What dishes draw: the middle of the bands that the maker publishes for each model, measured at the wall.

As https://nexustelemetry.com/guides/starlink-power-consumption/ cites them (average, idle): Mini 20 to 40 W,
15 W; with motor (2022) 50 to 75 W, 20 W; Standard 75 to 100 W, 20 W; performance models 110 to 150 W, 45 W.
For round dishes the maker gives none. Melting snow takes 10 to 20 W more, says
https://starlinkrefer.com/guides/starlink-power-consumption.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Power:
    """Watts: on the air, asleep or switched off for heat, and what melting snow adds."""

    on_w: float
    idle_w: float
    heating_w: float = 15.0


USUAL = Power(60.0, 20.0)
_OF_MODEL = (
    ("starlink-mini", Power(30.0, 15.0)),
    ("starlink-standard-v2", Power(62.5, 20.0)),
    ("starlink-standard", Power(87.5, 20.0)),
    ("starlink-high-performance", Power(130.0, 45.0)),
)


def power_of(antenna: str) -> Power:
    """By the name of the antenna model; for one that is not known, an assumed 60 W and 20 W."""
    return next((power for name, power in _OF_MODEL if antenna.startswith(name)), USUAL)
