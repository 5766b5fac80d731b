"""Tables of telemetry: their columns, and how they are cut by time into parts.

A part is a table of its own on SQLite and a partition on PostgreSQL, under the same name: what is too old
goes with its part, at once, whatever its size. What holds the parts is a view on SQLite.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from skylift.base.units import US_PER_S
from skylift.ports.telemetry import DAY, FIVE_MINUTES, HOUR, ROWS

HOUR_US = 3_600 * US_PER_S

# Columns of rows, in the order in which they are written; the first three are the key.
ROW_COLUMNS = (
    "terminal", "at_us", "sequence", "uptime_s", "down_bps", "up_bps", "ping_drop_fraction",
    "ping_latency_ms", "obstructed_fraction", "snr_low", "signal", "state", "software", "alerts",
    "down_bytes", "up_bytes", "span_s", "power_w",
)  # fmt: skip
_ROW_TYPES = {"terminal": "INTEGER", "at_us": "BIGINT", "sequence": "BIGINT", "down_bytes": "BIGINT",
              "up_bytes": "BIGINT", "snr_low": "SMALLINT", "state": "INTEGER", "software": "INTEGER",
              "alerts": "INTEGER"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of buckets. of_rows: SQL over rows; merge: how two become one. :connected is a state's number.

    Means are kept as sums over seconds, as rows are of different length: `x_sum / x_s`.
    """

    name: str
    of_rows: str
    merge: str = "SUM"
    type: str = "DOUBLE PRECISION"


def _mean(name: str, column: str) -> tuple[Measure, Measure]:
    known = f"SUM(CASE WHEN {column} IS NOT NULL THEN span_s ELSE 0 END)"
    return Measure(f"{name}_s", known), Measure(f"{name}_sum", f"SUM({column} * span_s)")


MEASURES: tuple[Measure, ...] = (
    Measure("rows", "COUNT(*)", type="INTEGER"),
    Measure("span_s", "SUM(span_s)"),
    Measure("connected_s", "SUM(CASE WHEN state = :connected THEN span_s ELSE 0 END)"),
    Measure("alerted_s", "SUM(CASE WHEN alerts = :none THEN 0 ELSE span_s END)"),
    *_mean("latency", "ping_latency_ms"),
    Measure("latency_min_ms", "MIN(ping_latency_ms)", "MIN"),
    Measure("latency_max_ms", "MAX(ping_latency_ms)", "MAX"),
    *_mean("drop", "ping_drop_fraction"),
    *_mean("obstructed", "obstructed_fraction"),
    *_mean("down", "down_bps"),
    *_mean("up", "up_bps"),
    Measure("down_max_bps", "MAX(down_bps)", "MAX"),
    Measure("up_max_bps", "MAX(up_bps)", "MAX"),
    *_mean("power", "power_w"),
    Measure("down_bytes", "SUM(down_bytes)", type="BIGINT"),
    Measure("up_bytes", "SUM(up_bytes)", type="BIGINT"),
    Measure("uptime_min_s", "MIN(uptime_s)", "MIN"),
)
BUCKET_COLUMNS = ("terminal", "at_s", *(measure.name for measure in MEASURES))

# Beside them: who reports, which words rows have, what must be rolled, and what was kept out.
FIXED = (
    "telemetry_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "telemetry_words (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)",
    "telemetry_terminals (number INTEGER PRIMARY KEY, terminal TEXT NOT NULL UNIQUE, taken TEXT NOT NULL,"
    " rows BIGINT NOT NULL, last_at_us BIGINT NOT NULL, received_us BIGINT NOT NULL, state TEXT NOT NULL,"
    " down_bytes BIGINT NOT NULL, up_bytes BIGINT NOT NULL)",
    "telemetry_touched (hour INTEGER NOT NULL, terminal INTEGER NOT NULL, PRIMARY KEY (hour, terminal))",
    "telemetry_aside (terminal TEXT NOT NULL, sequence BIGINT NOT NULL, received_us BIGINT NOT NULL,"
    " code TEXT NOT NULL, reason TEXT NOT NULL, row_text TEXT NOT NULL, PRIMARY KEY (terminal, sequence))",
    "telemetry_turned (terminal TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,"
    " times BIGINT NOT NULL, first_us BIGINT NOT NULL, last_us BIGINT NOT NULL,"
    " PRIMARY KEY (terminal, code))",
    # Of whom was heard when, as bits (heard.py).
    "telemetry_heard_notes (number BIGINT PRIMARY KEY, marks BLOB NOT NULL)",
    "telemetry_heard (page INTEGER NOT NULL, bin INTEGER NOT NULL, bits BLOB NOT NULL,"
    " PRIMARY KEY (page, bin))",
    "telemetry_newest (page INTEGER NOT NULL, day INTEGER NOT NULL, bits BLOB NOT NULL,"
    " PRIMARY KEY (page, day))",
    "telemetry_usage (terminal TEXT PRIMARY KEY, report BIGINT NOT NULL, at_us BIGINT NOT NULL,"
    " down_bytes BIGINT NOT NULL, up_bytes BIGINT NOT NULL, told_down BIGINT NOT NULL,"
    " told_up BIGINT NOT NULL, pending INTEGER NOT NULL)",
)
# On a server, where several services may take what dishes post: who wrote of which terminals, by number.
WRITTEN = (
    "telemetry_written (number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer TEXT NOT NULL,"
    " at_us BIGINT NOT NULL, terminals TEXT NOT NULL)"
)
VERSION = "1"

LEVEL_NAMES = {
    ROWS: "telemetry_rows",
    FIVE_MINUTES: "telemetry_5min",
    HOUR: "telemetry_1h",
    DAY: "telemetry_1d",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a level: its table, and the times that it holds, [begin_us, end_us)."""

    level: str
    table: str
    begin_us: int
    end_us: int

    @property
    def key(self) -> str:
        return "at_us" if self.level == ROWS else "at_s"

    @property
    def parent(self) -> str:
        return LEVEL_NAMES[self.level]

    def bounds(self) -> tuple[int, int]:
        """In the units of its time column."""
        unit = 1 if self.level == ROWS else US_PER_S
        return self.begin_us // unit, self.end_us // unit


def part_of(level: str, at_us: int) -> Part:
    """The part that an instant's rows are in: rows by day, buckets by month, by year, and of ten years."""
    at = datetime.fromtimestamp(at_us // US_PER_S, UTC)
    if level == ROWS:
        begin = at.replace(hour=0, minute=0, second=0)
        return _part(level, f"{begin:%Y%m%d}", begin, datetime.fromtimestamp(begin.timestamp() + 86_400, UTC))
    if level == FIVE_MINUTES:
        begin = datetime(at.year, at.month, 1, tzinfo=UTC)
        following = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
        return _part(level, f"{begin:%Y%m}", begin, following)
    years = 1 if level == HOUR else 10
    first = at.year // years * years
    return _part(
        level, str(first), datetime(first, 1, 1, tzinfo=UTC), datetime(first + years, 1, 1, tzinfo=UTC)
    )


def part_named(table: str) -> Part | None:
    """The part that a table is; None for any other table."""
    for level, name in LEVEL_NAMES.items():
        stem, _, period = table.rpartition("_")
        if stem == name and period.isdigit():
            year, month, day = int(period[:4]), int(period[4:6] or 1), int(period[6:8] or 1)
            return part_of(level, int(datetime(year, month, day, tzinfo=UTC).timestamp()) * US_PER_S)
    return None


def _part(level: str, period: str, begin: datetime, end: datetime) -> Part:
    begin_us, end_us = int(begin.timestamp()) * US_PER_S, int(end.timestamp()) * US_PER_S
    return Part(level, f"{LEVEL_NAMES[level]}_{period}", begin_us, end_us)


def columns_of(level: str) -> str:
    """The columns of a level's tables with their types and key, as SQL."""
    if level == ROWS:
        each = [f"{name} {_ROW_TYPES.get(name, 'DOUBLE PRECISION')}" for name in ROW_COLUMNS]
        key = "terminal, at_us, sequence"
    else:
        each = ["terminal INTEGER", "at_s BIGINT", *(f"{m.name} {m.type}" for m in MEASURES)]
        key = "terminal, at_s"
    return f"{', '.join(each)}, PRIMARY KEY ({key})"
