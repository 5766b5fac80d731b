"""What an agent reports of its dish: batches of rows, and what is answered to them.

Without NumPy: the agent reads and writes these on a small board. What firmware adds is passed over, and what
it drops is null; so every field but the number and the time of a row has a default.
"""

from __future__ import annotations

import msgspec

# A batch has at most so many rows, and so many bytes once it is unpacked.
MOST_ROWS = 100
MOST_BYTES = 1024 * 1024
# Rows are of this many seconds, unless they were thinned.
USUAL_SPAN_S = 15.0

CONNECTED = "connected"
STATES = (
    CONNECTED,
    "searching",
    "booting",
    "stowed",
    "sleeping",
    "radio-off",
    "thermal",
    "obstructed",
    "no-satellites",
    "no-pings",
    "disabled",
    "unknown",
)


class Row(msgspec.Struct, frozen=True, gc=False):
    """One span of a dish's life; null where it was not known.

    sequence             1, 2, 3 ... of its terminal, never used again for another row
    at_us                the span's end by the agent's clock, microseconds since 1970
    down_bytes, up_bytes since the row before
    span_s               longer where rows were thinned into one
    """

    sequence: int
    at_us: int
    uptime_s: float | None = None
    down_bps: float | None = None
    up_bps: float | None = None
    ping_drop_fraction: float | None = None
    ping_latency_ms: float | None = None
    obstructed_fraction: float | None = None
    snr_low: bool | None = None
    signal: float | None = None
    state: str = "unknown"
    software: str = ""
    alerts: tuple[str, ...] = ()
    down_bytes: int | None = None
    up_bytes: int | None = None
    span_s: float = USUAL_SPAN_S
    power_w: float | None = None


class Batch(msgspec.Struct, frozen=True):
    """What POST /api/v1/telemetry takes. sent_at: ISO 8601 or microseconds since 1970, agent's clock."""

    terminal: str
    sent_at: int | str
    rows: list[Row]
    place: msgspec.Raw | None = None


class LooseBatch(msgspec.Struct, frozen=True):
    """A batch of which some row is not as it should be: each row is then read alone."""

    terminal: str
    sent_at: int | str
    rows: list[msgspec.Raw]
    place: msgspec.Raw | None = None


class Quarantined(msgspec.Struct, frozen=True):
    """A row that was kept aside for good; it need not be sent again."""

    sequence: int
    code: str
    reason: str


class SignedCommand(msgspec.Struct, frozen=True):
    """A command's document as base64url, and the service's Ed25519 signature over the document's bytes."""

    payload: str
    signature: str


class Answer(msgspec.Struct, frozen=True):
    """What is answered to a batch. acknowledged: first and last of sequences that need not be sent again."""

    acknowledged: list[tuple[int, int]]
    quarantined: list[Quarantined] = []
    commands: list[SignedCommand] = []
    interval_s: float = USUAL_SPAN_S


class Enrolment(msgspec.Struct, frozen=True):
    """What POST /api/v1/agent/enrol takes. public_key: base64url of the 32 bytes of an Ed25519 key."""

    code: str
    public_key: str
    agent_version: str = ""


class Enrolled(msgspec.Struct, frozen=True):
    """What is answered to it."""

    terminal: str
    key_id: str
    next_sequence: int
    server_public_key: str
    interval_s: float
    at: str


def as_ranges(sequences: list[int]) -> list[tuple[int, int]]:
    """Numbers, in any order and however often, as (first, last) ascending: [1, 2, 5] is [(1, 2), (5, 5)]."""
    found: list[tuple[int, int]] = []
    for number in sorted(sequences):
        if found and number <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(number, found[-1][1]))
        else:
            found.append((number, number))
    return found
