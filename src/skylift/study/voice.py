"""How a telephone call sounds: the E-model of ITU-T G.107 (06/2015), narrowband, with its defaults.

R = Ro - Is - Id - Ie,eff + A, 0 to 100; MOS by annex B. What a network can change is the delay, the losses
and how they clump; all else is at the defaults of table 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Table 2 of G.107.
_SLR, _RLR, _STMR, _DS, _DR, _TELR, _WEPL, _QDU = 8.0, 2.0, 15.0, 3.0, 3.0, 65.0, 110.0, 1.0
_NC, _NFOR, _PS, _PR = -70.0, -64.0, 35.0, 35.0
# Its delay sensitivity: sT = 1, mT = 100 ms.
_ST, _MT_MS = 1.0, 100.0


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec's own impairment and how well it bears losses.

    ie, bpl       G.113 appendix I
    frame_ms      speech in one packet;  lookahead_ms  of the next that the coder waits for
    """

    name: str
    ie: float
    bpl: float
    frame_ms: float = 20.0
    lookahead_ms: float = 0.0


# G.113, appendix I, provisional planning values, each as two others quote them; its own text we have not.
# G.711: OPAL (rtp/metrics.cxx), and sipral, which names table I.4 of 09/2024 and packets of 10 ms. G.729A:
# OPAL, and table I.2 of 02/2001, which it meets within 0.7; without VAD Ie is 10 (table I.1, by sipnab).
# G.723.1 at 6.3 kbit/s: the same two, within 1.3; sipmon has a Bpl of 13. Lookahead: OPAL. Not here: AMR and
# Opus, of which the narrowband tables have no row, and GSM-EFR, whose Ie is 5 but whose Bpl none gives twice.
G711 = Codec("G.711 with concealment", 0.0, 25.1)
CODECS = {
    "g711": G711,
    "g711-plain": Codec("G.711 without concealment", 0.0, 4.3),
    "g729a": Codec("G.729A with VAD", 11.0, 19.0, 20.0, 5.0),
    "g723.1": Codec("G.723.1 at 6.3 kbit/s with VAD", 15.0, 16.1, 30.0, 7.5),
}


def rating(
    delay_ms: float, loss_percent: float = 0.0, burst_ratio: float = 1.0, codec: Codec = G711
) -> float:
    """R of a call, 0 to 100.

    delay_ms      mouth to ear, one way (Ta; T and Tr follow from it)
    loss_percent  Ppl;  burst_ratio  BurstR: how much longer losses in a row are than if they fell at random;
                  one that quotes G.107 (sipral) has it for codecs of a Bpl of 16 or more alone, and else 1
    """
    noise_db = _noise_db()
    base = 15.0 - 1.5 * (_SLR + noise_db)
    equipment = codec.ie
    if loss_percent > 0:
        # The formula passes 95, which is all, where losses are many and come in a row.
        lost = min(1.0, loss_percent / (loss_percent / burst_ratio + codec.bpl))
        equipment += (95.0 - codec.ie) * lost
    undelayed = base - _simultaneous(base, noise_db, delay_ms) - equipment
    return max(0.0, undelayed - _delay(base, noise_db, delay_ms))


def opinion(rating_r: float) -> float:
    """The mean opinion score (MOS-CQE, 1 to 4.5) that goes with an R (annex B)."""
    if rating_r <= 0:
        return 1.0
    if rating_r >= 100:
        return 4.5
    return 1.0 + 0.035 * rating_r + rating_r * (rating_r - 60.0) * (100.0 - rating_r) * 7e-6


def _noise_db() -> float:
    """No, the sum of all noise (clause 7.2)."""
    olr = _SLR + _RLR
    room_s = _PS - _SLR - _DS - 100.0 + 0.004 * (_PS - olr - _DS - 14.0) ** 2
    room = _PR + 10.0 * math.log10(1.0 + 10.0 ** ((10.0 - (_STMR + _DR)) / 10.0))
    room_r = _RLR - 121.0 + room + 0.008 * (room - 35.0) ** 2
    parts = (_NC, room_s, room_r, _NFOR + _RLR)
    return 10.0 * math.log10(sum(10.0 ** (part / 10.0) for part in parts))


def _sidetone(delay_ms: float) -> float:
    """Ist, with STMRo (clause 7.3)."""
    masked = 10.0 ** (-_STMR / 10.0) + math.exp(-delay_ms / 4.0) * 10.0 ** (-_TELR / 10.0)
    stmr = -10.0 * math.log10(masked)
    impairment: float = (
        12.0 * (1.0 + ((stmr - 13.0) / 6.0) ** 8) ** (1 / 8)
        - 28.0 * (1.0 + ((stmr + 1.0) / 19.4) ** 35) ** (1 / 35)
        - 13.0 * (1.0 + ((stmr - 3.0) / 33.0) ** 13) ** (1 / 13)
        + 29.0
    )
    return impairment


def _simultaneous(base: float, noise_db: float, delay_ms: float) -> float:
    """Is: loudness, sidetone, quantisation (clause 7.3)."""
    loud = (_SLR + _RLR + 0.2 * (64.0 + noise_db - _RLR)) / 8.0
    loudness = 20.0 * ((1.0 + loud**8) ** (1 / 8) - loud)
    quality = 37.0 - 15.0 * math.log10(_QDU)
    grain = 1.07 + 0.258 * quality + 0.0602 * quality**2
    y = (base - 100.0) / 15.0 + 46.0 / 8.4 - grain / 9.0
    z = 46.0 / 30.0 - grain / 40.0
    impairment: float = loudness + _sidetone(delay_ms) + 15.0 * math.log10(1.0 + 10.0**y + 10.0**z)
    return impairment


def _delay(base: float, noise_db: float, delay_ms: float) -> float:
    """Id: talker echo, listener echo, and too long a way (clause 7.4)."""
    terv = _TELR - 40.0 * math.log10((1.0 + delay_ms / 10.0) / (1.0 + delay_ms / 150.0))
    terv += 6.0 * math.exp(-0.3 * delay_ms**2)
    half = (-1.5 * (noise_db - _RLR) - (80.0 + 2.5 * (terv - 14.0))) / 2.0
    talker = (half + math.sqrt(half**2 + 100.0) - 1.0) * (1.0 - math.exp(-delay_ms))
    if delay_ms < 1.0:
        talker = 0.0
    half = (base - 10.5 * (_WEPL + 7.0) * (2.0 * delay_ms + 1.0) ** -0.25) / 2.0
    listener = half + math.sqrt(half**2 + 169.0)
    far = 0.0
    if delay_ms > _MT_MS:
        x, six = math.log2(delay_ms / _MT_MS), 6.0 * _ST
        far = 25.0 * ((1 + x**six) ** (1 / six) - 3 * (1 + (x / 3) ** six) ** (1 / six) + 2)
    impairment: float = talker + listener + far
    return impairment
