"""Write src/skylift/data/radio/modcod-qam.csv: coded square QAM for systems whose code is not public.

    python tools/make_qam_modcods.py

What a good code needs is taken as the constellation's own limit (mutual information of evenly used points
in white Gaussian noise, by Gauss-Hermite quadrature) plus GAP_DB. The gap is that of the published DVB-S2X
codes, as tests/sky/radio/test_modcod.py measures it.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[1] / "src/skylift/data/radio/modcod-qam.csv"
GAP_DB = 1.0
CODE_RATES = tuple(
    Fraction(text) for text in ("1/4", "1/3", "2/5", "1/2", "3/5", "2/3", "3/4", "5/6", "9/10")
)
NODES, WEIGHTS = np.polynomial.hermite.hermgauss(96)

HEAD = """\
# Coded square QAM, for systems whose modulation is known and whose code is not (Starlink).
# Es/N0 (dB) is the constellation's own limit for that many bits plus 1.0 dB. Written by
# tools/make_qam_modcods.py.
name,bits_per_symbol,es_n0_db
"""


def mutual_information_bits(points: int, es_n0_db: float) -> float:
    """Bits per symbol that evenly used square QAM of `points` can carry: twice a pulse-amplitude axis."""
    levels = round(points**0.5)
    amplitude = np.arange(levels) * 2.0 - (levels - 1)
    amplitude *= np.sqrt(0.5 * 10.0 ** (es_n0_db / 10.0) / np.mean(amplitude**2))
    # Noise of variance 1/2 on each axis: N0 = 1.
    difference = amplitude[:, None, None] - amplitude[None, :, None] + NODES
    inner = np.sum(np.exp(NODES**2 - difference**2), axis=1)
    lost = np.mean(np.sum(WEIGHTS * np.log2(inner), axis=1)) / np.sqrt(np.pi)
    return float(2.0 * (np.log2(levels) - lost))


def needed_db(points: int, bits: float) -> float:
    """Es/N0 at which the constellation just carries `bits`, by bisection."""
    low, high = -20.0, 40.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mutual_information_bits(points, middle) < bits else (low, middle)
    return high


def main() -> None:
    rows = []
    for points in (4, 16, 64, 256):
        for rate in CODE_RATES:
            bits = float(rate) * np.log2(points)
            rows.append(f"{points}QAM {rate},{bits:.6f},{needed_db(points, bits) + GAP_DB:.2f}\n")
    OUT.write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
