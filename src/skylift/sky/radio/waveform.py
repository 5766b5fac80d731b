"""How many symbols a second a channel carries: roll-off, or cyclic prefix, gutter, pilots and framing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SingleCarrier:
    """A carrier with square-root raised-cosine filters, as DVB-S2X.

    framing_fraction  symbols that are left for data beyond what the MODCOD table already counts (pilots)
    """

    roll_off: float
    framing_fraction: float = 1.0

    def symbols_per_s(self, bandwidth_hz: float) -> float:
        """Data symbols per second in a channel of `bandwidth_hz`, roll-off included in it."""
        return bandwidth_hz / (1.0 + self.roll_off) * self.framing_fraction

    def symbols_on_air_per_s(self, bandwidth_hz: float) -> float:
        """Symbols of any kind per second: what the carrier's power is spread over."""
        return bandwidth_hz / (1.0 + self.roll_off)


@dataclass(frozen=True, slots=True)
class Ofdm:
    """Orthogonal frequency division: `subcarriers` over the channel's bandwidth.

    gutter         subcarriers left empty
    cyclic_prefix  samples before each symbol of `subcarriers` samples
    intervals      symbol intervals of a frame; of which data_symbols carry data
    pilots         fraction of the data symbols' subcarriers that are pilots
    """

    subcarriers: int
    gutter: int
    cyclic_prefix: int
    intervals: int
    data_symbols: int
    pilots: float

    def symbols_per_s(self, bandwidth_hz: float) -> float:
        """Data symbols (of one subcarrier) per second; the sample rate is the bandwidth."""
        used = (self.subcarriers - self.gutter) / (self.subcarriers + self.cyclic_prefix)
        return bandwidth_hz * used * (self.data_symbols / self.intervals) * (1.0 - self.pilots)

    def symbols_on_air_per_s(self, bandwidth_hz: float) -> float:
        """The channel: a subcarrier has its share of power and of noise. The gutter's 0.02 dB is let go."""
        return bandwidth_hz


Waveform = SingleCarrier | Ofdm
