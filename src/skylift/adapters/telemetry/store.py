"""Takes what terminals post: each row once, by its number, whatever comes twice or in whatever order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from skylift.adapters.sql.engine import BUSY_TIMEOUT_S
from skylift.adapters.telemetry import heard, history, rolling
from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.others import Others, newest_rows
from skylift.adapters.telemetry.sensors import Sensors
from skylift.adapters.telemetry.tables import HOUR_US, ROW_COLUMNS, part_of
from skylift.ports.telemetry import ROWS, History, Keep, Online, Posted, PutAside, Taken, Turned
from skylift.wire.telemetry.reading import Aside
from skylift.wire.telemetry.rows import Quarantined, Row
from skylift.wire.telemetry.states import encoded
from skylift.wire.telemetry.taken import Numbers

# Words beyond these are kept as this one: nobody fills the table with inventions.
MOST_WORDS = 100_000
OTHER_WORD = "(other)"
_TERMINAL_COLUMNS = ("number", "terminal", "taken", "rows", "last_at_us", "received_us", "state",
                     "down_bytes", "up_bytes")  # fmt: skip
_UPSERT = (
    f"INSERT INTO telemetry_terminals ({', '.join(_TERMINAL_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _TERMINAL_COLUMNS[2:])
)
_TOUCH = (
    "INSERT INTO telemetry_touched (hour, terminal) VALUES (?, ?) ON CONFLICT (hour, terminal) DO NOTHING"
)
_ASIDE = (
    "INSERT INTO telemetry_aside (terminal, sequence, received_us, code, reason, row_text)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (terminal, sequence) DO NOTHING"
)
_TURNED = (
    "INSERT INTO telemetry_turned (terminal, code, reason, times, first_us, last_us)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (terminal, code) DO UPDATE SET"
    " times = telemetry_turned.times + excluded.times, reason = excluded.reason, last_us = excluded.last_us"
)


@dataclass(slots=True)
class _Reporter:
    """A terminal as it stands while a transaction goes on."""

    number: int
    terminal: str
    taken: Numbers = field(default_factory=Numbers)
    rows: int = 0
    last_at_us: int = 0
    received_us: int = 0
    state: str = ""
    down_bytes: int = 0
    up_bytes: int = 0

    def values(self) -> tuple[Any, ...]:
        taken = msgspec.json.encode(self.taken.plain()).decode()
        return (self.number, self.terminal, taken, self.rows, self.last_at_us, self.received_us, self.state,
                self.down_bytes, self.up_bytes)  # fmt: skip


@dataclass(slots=True)
class _Gathered:
    """What a transaction will write."""

    rows: defaultdict[int, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    touched: set[tuple[int, int]] = field(default_factory=set)
    heard: set[tuple[int, int, int]] = field(default_factory=set)
    aside: list[tuple[Any, ...]] = field(default_factory=list)


def telemetry_file_in(data_dir: Path) -> Path:
    """The database of telemetry in a data directory, beside the service's own."""
    return data_dir / "skylift-telemetry.sqlite"


class TelemetrySql:
    """The TelemetryStore port."""

    def __init__(self, url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """url: sqlite:///FILE or postgresql://...  Raises Unavailable where it cannot be opened."""
        self.database = Database(url, busy_timeout_s)
        self._words: dict[str, int] = {}
        self._others = Others(self.database)
        self._sensors = Sensors(self.database)
        try:
            with self.database.writing():
                pass
        except BaseException:
            self.database.close()
            raise

    def take(self, posted: Sequence[Posted]) -> Sequence[Taken]:
        try:
            with self.database.writing() as session:
                reporters = self._reporters(session, {one.terminal for one in posted})
                gathered = _Gathered()
                done = [self._one(session, reporters[one.terminal], one, gathered) for one in posted]
                self._write(session, reporters, gathered)
                newest_us = max((one.received_us for one in posted), default=0)
                self._others.note(session, newest_us, (one.number for one in reporters.values()))
        except BaseException:
            # Words that were numbered in it may not be there.
            self._words.clear()
            raise
        return done

    def turned(self, refused: Sequence[Turned]) -> None:
        """Add to the counts of what was refused as a whole."""
        values = [(r.terminal, r.code, r.reason, r.times, r.first_us, r.last_us) for r in refused]
        with self.database.writing() as session:
            session.run_many(_TURNED, values)

    def last_states(self) -> Iterator[tuple[str, bytes]]:
        with self.database.reading() as session:
            yield from newest_rows(session)

    def others_states(self) -> Iterator[tuple[str, bytes]]:
        return self._others.states()

    def next_sequence(self, terminal: str) -> int:
        """One more than any number that came from it."""
        with self.database.reading() as session:
            found = session.rows("SELECT taken FROM telemetry_terminals WHERE terminal = ?", (terminal,))
        return _numbers(found[0][0]).highest + 1 if found else 1

    def history(self, terminal: str, from_us: int, until_us: int, level: str) -> History:
        return history.history(self.database, terminal, from_us, until_us, level)

    def online(
        self, groups: Mapping[str, tuple[str, ...]], between_us: tuple[int, int], step_us: int, least: int = 1
    ) -> Sequence[Online]:
        return self._sensors.online(groups, between_us, step_us, least)

    def put_aside(self, terminal: str, limit: int) -> Sequence[PutAside]:
        return history.put_aside(self.database, terminal, limit)

    def refused(self, terminal: str, limit: int) -> Sequence[Turned]:
        return history.turned(self.database, terminal, limit)

    def roll(self, now: int, most: int) -> int:
        left = heard.fold(self.database) + heard.make(self.database)
        return int(rolling.roll(self.database, now, most) + left > 0)

    def tidy(self, now: int, keep: Keep) -> int:
        return rolling.tidy(self.database, now, keep)

    def erase(self, terminals: Sequence[str]) -> int:
        return rolling.erase(self.database, terminals)

    def close(self) -> None:
        self.database.close()

    # --- within a transaction

    def _reporters(self, session: Session, terminals: set[str]) -> dict[str, _Reporter]:
        names = sorted(terminals)
        marks = ", ".join("?" * len(names))
        columns = ", ".join(_TERMINAL_COLUMNS)
        sql = f"SELECT {columns} FROM telemetry_terminals WHERE terminal IN ({marks})"
        found = {
            row[1]: _Reporter(row[0], row[1], _numbers(row[2]), *row[3:]) for row in session.rows(sql, names)
        }
        new = [name for name in names if name not in found]
        if new:
            [(highest,)] = session.rows("SELECT COALESCE(MAX(number), 0) FROM telemetry_terminals")
            for number, name in enumerate(new, highest + 1):
                found[name] = _Reporter(number, name)
        return found

    def _one(self, session: Session, reporter: _Reporter, posted: Posted, gathered: _Gathered) -> Taken:
        taken, word, said_by, otherwise = reporter.taken, self._word, heard.SAID.get, heard.OTHERWISE
        new = again = 0
        skipped: list[int] = []
        newest: Row | None = None
        for row in posted.rows:
            number = row.sequence
            if number <= taken.given_up and number not in taken:
                gathered.aside.append(_given_up(posted, row))
                skipped.append(number)
                continue
            if not taken.add(number):
                again += 1
                continue
            new += 1
            values = msgspec.structs.astuple(row)
            at_us = row.at_us
            gathered.rows[at_us // (24 * HOUR_US)].append(
                (
                    reporter.number, at_us, number, *values[2:8],
                    None if values[8] is None else int(values[8]), values[9],
                    word(session, values[10]), word(session, values[11]), word(session, ",".join(values[12])),
                    *values[13:],
                )
            )  # fmt: skip
            gathered.touched.add((at_us // HOUR_US, reporter.number))
            gathered.heard.add(((at_us - 1) // heard.BIN_US, reporter.number, said_by(values[10], otherwise)))
            reporter.down_bytes += row.down_bytes or 0
            reporter.up_bytes += row.up_bytes or 0
            if newest is None or at_us > newest.at_us:
                newest = row
        aside = self._put_aside(reporter, posted, gathered)
        reporter.rows += new
        reporter.received_us = max(reporter.received_us, posted.received_us)
        if newest is not None and newest.at_us > reporter.last_at_us:
            reporter.last_at_us = newest.at_us
            reporter.state = encoded(posted.terminal, posted.received_us, newest).decode()
        return Taken(new, again, aside, tuple(skipped), reporter.state)

    def _put_aside(self, reporter: _Reporter, posted: Posted, gathered: _Gathered) -> int:
        aside = 0
        for one in posted.aside:
            number = one.quarantined.sequence
            if number > reporter.taken.given_up and reporter.taken.add(number):
                gathered.aside.append(_aside(posted, one))
                aside += 1
        return aside

    def _write(self, session: Session, reporters: dict[str, _Reporter], gathered: _Gathered) -> None:
        for day, values in gathered.rows.items():
            table = self.database.part(session, part_of(ROWS, day * 24 * HOUR_US))
            session.write(table, ROW_COLUMNS, values)
        session.run_many(_TOUCH, sorted(gathered.touched))
        heard.note(session, gathered.heard)
        if gathered.aside:
            session.run_many(_ASIDE, gathered.aside)
        session.run_many(_UPSERT, [reporter.values() for reporter in reporters.values()])

    def _word(self, session: Session, word: str) -> int:
        number = self._words.get(word)
        return self._new_word(session, word) if number is None else number

    def _new_word(self, session: Session, word: str) -> int:
        found = session.rows("SELECT number FROM telemetry_words WHERE word = ?", (word,))
        if not found:
            [(highest,)] = session.rows("SELECT COALESCE(MAX(number), 0) FROM telemetry_words")
            if highest >= MOST_WORDS and word != OTHER_WORD:
                return self._word(session, OTHER_WORD)
            session.run("INSERT INTO telemetry_words (number, word) VALUES (?, ?)", (highest + 1, word))
            found = [(highest + 1,)]
        number = self._words[word] = int(found[0][0])
        return number


def _numbers(text: str) -> Numbers:
    given_up, ranges = msgspec.json.decode(text)
    return Numbers(ranges, given_up)


def _aside(posted: Posted, one: Aside) -> tuple[Any, ...]:
    said = one.quarantined
    text = one.raw.decode(errors="replace").replace("\0", "")
    return (posted.terminal, said.sequence, posted.received_us, said.code, said.reason, text)


def _given_up(posted: Posted, row: Row) -> tuple[Any, ...]:
    said = skipped(row.sequence)
    text = msgspec.json.encode(row).decode()
    return (posted.terminal, said.sequence, posted.received_us, said.code, said.reason, text)


def skipped(sequence: int) -> Quarantined:
    """What is said of a number that came after it had been given up."""
    reason = "it came after its number had been given up, as thousands of gaps were open"
    return Quarantined(sequence, "row.given-up", reason)
