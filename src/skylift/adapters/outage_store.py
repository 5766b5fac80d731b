"""The store of the outage monitor: samples, what detectors keep, and events, in one SQLite file.

A bin is judged in one transaction: what changed, what the detector keeps, and how far it has come. So a
monitor that is killed, or whose disk is full, goes on where it was, and neither invents nor loses an event.
"""

from __future__ import annotations

import io
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skylift.base.errors import Refused, Unavailable
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.probes import Gathered, Left, Measured, Sample, Signal
from skylift.watch.samples import Arrays, Floats

_SCHEMA = """
create table if not exists about (name text primary key, value text not null);
create table if not exists signal (
  id integer primary key, name text not null, prober text not null, step_us integer not null,
  full_scale real not null, synthetic integer not null, baseline text not null default '',
  origin integer, judged integer, complete integer, unique (name, prober));
create table if not exists series (
  id integer primary key, signal integer not null references signal, place integer not null,
  kind text not null, code text not null, country text not null, title text not null,
  unique (signal, kind, code), unique (signal, place));
create table if not exists sample (
  signal integer not null, bin integer not null, place integer not null, value real not null, targets real,
  primary key (signal, bin, place)) without rowid;
create table if not exists rolled (
  signal integer not null, hour integer not null, place integer not null, count integer not null,
  mean real not null, least real not null, primary key (signal, hour, place)) without rowid;
create table if not exists kept (signal integer primary key, arrays blob not null);
create table if not exists learnt (
  signal integer not null, bin integer not null, levels blob not null, primary key (signal, bin)
  ) without rowid;
create table if not exists event (
  id text primary key, signal integer not null, place integer not null, opened integer not null,
  confirmed integer not null, closed integer, fraction real not null, low real not null, high real not null,
  sent text not null default '');
"""
_VERSION = "1"
_HOUR_US = 3_600 * US_PER_S
# What was judged is kept as it came for five weeks, then hour by hour for somewhat over a year.
KEPT_DAYS, ROLLED_DAYS = 35, 400
# Rows that one import names; more are counted.
_MOST_LEFT = 10_000


@dataclass(slots=True)
class Put:
    """What became of samples: new ones, the same again, and those left out with row and reason."""

    new: int = 0
    repeated: int = 0
    left: list[Left] = field(default_factory=list)
    more_left: int = 0

    def leave(self, row: int, reason: str) -> None:
        if len(self.left) < _MOST_LEFT:
            self.left.append(Left(row, reason))
        else:
            self.more_left += 1


@dataclass(frozen=True, slots=True)
class Known:
    """A signal as the store has it; bins count from 1970.

    origin    the first bin that was ever judged;  judged  the last one
    complete  the first bin of which more may come
    baseline  by which it is judged; a signal keeps it for good
    """

    id: int
    signal: Signal
    baseline: str
    origin: int | None
    judged: int | None
    complete: int | None


@dataclass(frozen=True, slots=True)
class Hour:
    """One entity's samples of an hour: how many, their mean and the least of them."""

    at_us: int
    signal: str
    of: Measured
    count: int
    mean: float
    least: float


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An outage of one signal, as the store has it; bins count from 1970.

    sent  what the service was told of it last
    """

    id: str
    signal: int
    place: int
    opened: int
    confirmed: int
    closed: int | None
    fraction: float
    low: float
    high: float
    sent: str = ""


class OutageStore:
    """One file. Methods raise Unavailable where it cannot be read or written; nothing is half done then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(_SCHEMA)
            self._db.execute("insert or ignore into about values ('version', ?)", (_VERSION,))
            (version,) = self._db.execute("select value from about where name = 'version'").fetchone()
        except sqlite3.Error as error:
            raise self._away(error) from None
        if version != _VERSION:
            raise Refused(
                "outages.store-version",
                path.name,
                f"it was written by another version of skylift ({version[:20]})",
                "use that version, or begin a new store",
            )

    def close(self) -> None:
        self._db.close()

    def _away(self, error: sqlite3.Error) -> Refused | Unavailable:
        if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
            return Refused("outages.store", self._path.name, "it is no store of outages", "name another file")
        return Unavailable(
            "outages.store",
            self._path.name,
            f"it cannot be read or written ({error})",
            "check the disk and the file's rights; what was committed before is kept",
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; others who write wait."""
        try:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise self._away(error) from None

    # --- signals and samples

    def signals(self) -> list[Known]:
        rows = self._rows(
            "select id, name, prober, step_us, full_scale, synthetic, baseline, origin, judged, complete "
            "from signal order by id"
        )
        return [
            Known(id, Signal(name, prober, step_us, scale, bool(synthetic)), baseline, *bins)
            for id, name, prober, step_us, scale, synthetic, baseline, *bins in rows
        ]

    def known(self, signal: Signal) -> Known | None:
        return next(
            (
                one
                for one in self.signals()
                if (one.signal.name, one.signal.prober) == (signal.name, signal.prober)
            ),
            None,
        )

    def put(self, signal: Signal, gathered: Gathered, now_us: int) -> Put:
        """Keep samples; of several in one bin of an entity the first counts; late ones are left out."""
        done = Put()
        with self.transaction():
            known = self._signal(signal)
            places = {(kind, code): place for place, kind, code in self._places(known.id)}
            new: list[tuple[int, int, int, float, float | None]] = []
            there: dict[tuple[int, int], float] = {}
            for sample in gathered.samples:
                bin = sample.at_us // signal.step_us
                why = self._unusable(sample, bin, known, now_us)
                if why:
                    done.leave(sample.row, why)
                    continue
                place = places.get((sample.of.kind, sample.of.code))
                if place is None:
                    place = places[sample.of.kind, sample.of.code] = len(places)
                    self._add_series(known.id, place, sample.of)
                before = there.get((bin, place), self._value(known.id, bin, place))
                if before is not None:
                    if before == sample.value:
                        done.repeated += 1
                    else:
                        done.leave(sample.row, "another value of this bin came before")
                    continue
                there[bin, place] = sample.value
                targets = None if math.isnan(sample.targets) else sample.targets
                new.append((known.id, bin, place, sample.value, targets))
            self._db.executemany("insert into sample values (?, ?, ?, ?, ?)", new)
            done.new = len(new)
            complete = max(known.complete or 0, min(gathered.complete_until_us, now_us) // signal.step_us)
            self._db.execute("update signal set complete = ? where id = ?", (complete, known.id))
        for left in gathered.left:
            done.leave(left.row, left.reason)
        return done

    def _unusable(self, sample: Sample, bin: int, known: Known, now_us: int) -> str:
        if not math.isfinite(sample.value) or sample.value < 0:
            return "the value is negative or no number"
        if 0 < known.signal.full_scale < sample.value:
            return f"the value is above the scale's {known.signal.full_scale:g}"
        if sample.at_us > now_us:
            return "it is of the future"
        if known.judged is not None and bin <= known.judged:
            before = self._value_of(known.id, bin, sample.of)
            # What came already and comes again is no news, and not late.
            return "" if before == sample.value else "too late: its bin has been judged"
        return ""

    def _signal(self, signal: Signal) -> Known:
        known = self.known(signal)
        if known is None:
            self._db.execute(
                "insert into signal (name, prober, step_us, full_scale, synthetic) values (?, ?, ?, ?, ?)",
                (signal.name, signal.prober, signal.step_us, signal.full_scale, int(signal.synthetic)),
            )
            known = self.known(signal)
            assert known is not None
        if known.signal != signal:
            raise Refused(
                "outages.signal",
                f"signal {signal.name[:40]!r} of {signal.prober[:40]!r}",
                f"the store has it every {known.signal.step_us / 1e6:g} s with a scale to "
                f"{known.signal.full_scale:g}, {'made up' if known.signal.synthetic else 'measured'}: "
                "that does not change within a series",
                "declare it the same, or give it another name",
            )
        return known

    def _add_series(self, signal: int, place: int, of: Measured) -> None:
        self._db.execute(
            "insert into series (signal, place, kind, code, country, title) values (?, ?, ?, ?, ?, ?)",
            (signal, place, of.kind, of.code, of.country, of.title),
        )

    def _value(self, signal: int, bin: int, place: int) -> float | None:
        found = self._db.execute(
            "select value from sample where signal = ? and bin = ? and place = ?", (signal, bin, place)
        ).fetchone()
        return None if found is None else float(found[0])

    def _value_of(self, signal: int, bin: int, of: Measured) -> float | None:
        found = self._db.execute(
            "select value from sample join series using (signal, place) "
            "where signal = ? and bin = ? and kind = ? and code = ?",
            (signal, bin, of.kind, of.code),
        ).fetchone()
        return None if found is None else float(found[0])

    def _places(self, signal: int) -> list[tuple[int, str, str]]:
        return self._db.execute("select place, kind, code from series where signal = ?", (signal,)).fetchall()

    def series(self, signal: int) -> list[Measured]:
        """By place."""
        rows = self._rows(
            "select kind, code, country, title from series where signal = ? order by place", (signal,)
        )
        return [Measured(*row) for row in rows]

    def first_bin(self, signal: int) -> int | None:
        (found,) = self._rows("select min(bin) from sample where signal = ?", (signal,))[0]
        return None if found is None else int(found)

    def bins(self, signal: int, first: int, until: int, series: int) -> tuple[Floats, Floats]:
        """Values and targets of the bins [first, until), (T, S) each; nan where there is none."""
        values, targets = (np.full((until - first, series), np.nan) for _ in range(2))
        rows = self._rows(
            "select bin, place, value, targets from sample where signal = ? and bin >= ? and bin < ?",
            (signal, first, until),
        )
        for bin, place, value, asked in rows:
            values[bin - first, place] = value
            if asked is not None:
                targets[bin - first, place] = asked
        return values, targets

    # --- what a detector keeps

    def begin(self, signal: int, origin: int, baseline: str) -> None:
        self._db.execute(
            "update signal set origin = ?, baseline = ? where id = ?", (origin, baseline, signal)
        )

    def keep(
        self, signal: int, judged: int, arrays: Arrays, learnt: Mapping[int, Floats], from_bin: int
    ) -> None:
        """Part of a transaction. from_bin: learnt rows before it are needed no more."""
        self._db.execute("insert or replace into kept values (?, ?)", (signal, _packed(arrays)))
        rows = [(signal, bin, row.tobytes()) for bin, row in learnt.items() if not np.isnan(row).all()]
        self._db.executemany("insert or replace into learnt values (?, ?, ?)", rows)
        self._db.execute("delete from learnt where signal = ? and bin < ?", (signal, from_bin))
        self._db.execute("update signal set judged = ? where id = ?", (judged, signal))

    def judged(self, signal: int) -> int | None:
        """The last bin that was judged."""
        (found,) = self._rows("select judged from signal where id = ?", (signal,))[0]
        return None if found is None else int(found)

    def kept(self, signal: int) -> Arrays | None:
        rows = self._rows("select arrays from kept where signal = ?", (signal,))
        return _unpacked(rows[0][0]) if rows else None

    def learnt(self, signal: int) -> Iterator[tuple[int, Floats]]:
        for bin, levels in self._rows("select bin, levels from learnt where signal = ?", (signal,)):
            yield int(bin), np.frombuffer(levels)

    # --- what is long over

    def tidy(self, known: Known) -> int:
        """Make hours of judged samples that are old, forget hours that are very old; how many samples went.

        Whole days alone, so that an hour is made once. What no detector has judged stays.
        """
        if known.judged is None:
            return 0
        step_us, judged_us = known.signal.step_us, (known.judged + 1) * known.signal.step_us
        day_us = (judged_us // US_PER_DAY - KEPT_DAYS) * US_PER_DAY
        older = (known.id, -(-day_us // step_us))
        with self.transaction():
            self._db.execute(
                "insert or ignore into rolled select signal, bin * ? / ?, place, count(*), avg(value), "
                "min(value) from sample where signal = ? and bin < ? group by 1, 2, 3",
                (step_us, _HOUR_US, *older),
            )
            gone = self._db.execute("delete from sample where signal = ? and bin < ?", older).rowcount
            oldest = (judged_us // US_PER_DAY - ROLLED_DAYS) * US_PER_DAY // _HOUR_US
            self._db.execute("delete from rolled where signal = ? and hour < ?", (known.id, oldest))
        return int(gone)

    def hours(self) -> Iterator[Hour]:
        """Every hour that is known, by signal, time and entity: rolled up, or of samples as they came."""
        for known in self.signals():
            series, name = self.series(known.id), known.signal.name
            rows = self._rows(
                "select hour, place, count, mean, least from rolled where signal = ? union all "
                "select bin * ? / ?, place, count(*), avg(value), min(value) from sample where signal = ? "
                "group by 1, 2 order by 1, 2",
                (known.id, known.signal.step_us, _HOUR_US, known.id),
            )
            for hour, place, count, mean, least in rows:
                yield Hour(hour * _HOUR_US, name, series[place], count, mean, least)

    # --- events

    def write_event(self, event: KeptEvent) -> None:
        """Part of a transaction: new, or as it stands now."""
        self._db.execute(
            "insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, '') on conflict (id) do update set "
            "closed = excluded.closed, fraction = excluded.fraction, low = excluded.low, "
            "high = excluded.high",
            (
                event.id, event.signal, event.place, event.opened, event.confirmed, event.closed,
                event.fraction, event.low, event.high,
            ),
        )  # fmt: skip

    def events(self) -> list[KeptEvent]:
        """By signal, opening and place."""
        return [KeptEvent(*row) for row in self._rows("select * from event order by signal, opened, place")]

    def crowds(self, kind: str) -> dict[str, int]:
        """Of each outage of such an entity: the fewest asked in a bin of it, as far as it is kept."""
        rows = self._rows(
            "select event.id, min(sample.targets) from event join series using (signal, place) "
            "join sample on sample.signal = event.signal and sample.bin >= event.opened "
            "and sample.bin < coalesce(event.closed, 9e18) and sample.place = event.place "
            "where series.kind = ? group by event.id",
            (kind,),
        )
        return {id: int(fewest) for id, fewest in rows if fewest is not None}

    def asked(self) -> dict[str, int]:
        """Of each outage how many were asked when it began, as far as that is known and kept."""
        rows = self._rows(
            "select event.id, sample.targets from event join sample on sample.signal = event.signal "
            "and sample.bin = event.opened and sample.place = event.place where sample.targets is not null"
        )
        return {id: int(targets) for id, targets in rows}

    def mark_sent(self, id: str, sent: str) -> None:
        with self.transaction():
            self._db.execute("update event set sent = ? where id = ?", (sent, id))

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._away(error) from None


def _packed(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _unpacked(blob: bytes) -> Arrays:
    with np.load(io.BytesIO(blob), allow_pickle=False) as found:
        return dict(found)
