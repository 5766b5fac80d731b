"""Of whom was heard in each five minutes, as bits: kept as rows come, so that nobody counts rows.

The transaction that writes rows writes a note of what they said beside them, one for all of it. Notes are
put into bits a little later; whoever reads in between reads both. What is noted is only ever joined (OR), so
that it does not matter when a row comes, nor what is read twice.

A page is of PAGE terminals by their numbers, cut off after the last of whom was heard.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from skylift.adapters.telemetry.database import UNMADE, Database, Session
from skylift.adapters.telemetry.tables import Part, part_named
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.telemetry import BUCKET_S, FIVE_MINUTES
from skylift.watch.fleet import CHOSEN, CONNECTED, DISABLED

# A row is of what was before its end: one that ends with a bin is in it. Bin 0 begins with 1970.
BIN_US = BUCKET_S[FIVE_MINUTES] * US_PER_S
BINS_A_DAY = US_PER_DAY // BIN_US
PAGE = 32_768
PAGE_BYTES = PAGE // 8

# What rows of a terminal said in a bin, as flags of a mark and as planes of a page: something; that it was
# connected; something else than that it is off by choice, or switched off.
HEARD, UP, WANTED = 1, 2, 4
PLANES = (HEARD, UP, WANTED)
SAID = {CONNECTED: HEARD | UP | WANTED} | dict.fromkeys(CHOSEN | {DISABLED}, HEARD)
OTHERWISE = HEARD | WANTED
# In telemetry_meta: how often terminals were erased.
_ERASED = "heard_erasures"
# What is made of rows at once where a store has none of it yet.
ROWS_AT_ONCE = 30_000
NOTES_AT_ONCE = 200

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


def note(session: Session, marks: Iterable[tuple[int, int, int]]) -> None:
    """Keep (bin, number of a terminal, flags) until they are put into bits."""
    flat = tuple(chain.from_iterable(marks))
    if flat:
        # Who writes has the turn: no two give the same number.
        next_one = "SELECT COALESCE(MAX(number), 0) + 1, ? FROM telemetry_heard_notes"
        session.run(f"INSERT INTO telemetry_heard_notes {next_one}", (struct.pack(f"<{len(flat)}I", *flat),))


def noted(session: Session, most: int = -1) -> tuple[int, Numbers]:
    """(the last note's number, their marks: (K, 3) of bin, number, flags); most: so many notes, or all."""
    sql = "SELECT number, marks FROM telemetry_heard_notes ORDER BY number"
    rows = session.rows(f"{sql} LIMIT {most}" if most >= 0 else sql)
    data = b"".join(bytes(marks) for _, marks in rows)
    return (int(rows[-1][0]) if rows else 0), np.frombuffer(data, "<u4").reshape(-1, 3).astype(np.int64)


def fold(database: Database) -> int:
    """Put some notes into bits; 1 where more are left, else 0."""
    with database.reading() as session:
        if not session.rows("SELECT 1 FROM telemetry_heard_notes LIMIT 1"):
            return 0
    with database.writing() as session:
        return int(_fold(session, NOTES_AT_ONCE) == NOTES_AT_ONCE)


def _fold(session: Session, most: int = -1) -> int:
    last, marks = noted(session, most)
    put(session, marks)
    return int(session.run("DELETE FROM telemetry_heard_notes WHERE number <= ?", (last,)).rowcount)


def put(session: Session, marks: Numbers) -> None:
    """Join marks, (K, 3), to the bits that are kept."""
    for (page, bin), (_, local, flags) in _by_page(marks, marks[:, 0]):
        _change(session, "telemetry_heard", (page, bin), partial(_joined, local, flags))
    for (page, day), (bins, local, flags) in _by_page(marks, marks[:, 0] // BINS_A_DAY):
        values = 1 + 2 * (bins % BINS_A_DAY) + (flags & WANTED > 0)
        _change(session, "telemetry_newest", (page, day), partial(_newer, local, values))


def _by_page(marks: Numbers, times: Numbers) -> Iterator[tuple[tuple[int, int], Sequence[Numbers]]]:
    """((page, time), (bins, places on the page, flags)), each once."""
    if not len(marks):
        return
    pages = marks[:, 1] // PAGE
    order = np.lexsort((times, pages))
    pages, times, marks = pages[order], times[order], marks[order]
    starts = np.flatnonzero(np.diff(pages, prepend=-1) | np.diff(times, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(marks)], strict=True):
        some = marks[start:end]
        yield (int(pages[start]), int(times[start])), (some[:, 0], some[:, 1] % PAGE, some[:, 2])


def _change(session: Session, table: str, key: tuple[int, int], change: Callable[[bytes], bytes]) -> None:
    time = "bin" if table == "telemetry_heard" else "day"
    found = session.rows(f"SELECT bits FROM {table} WHERE page = ? AND {time} = ?", key)
    old = bytes(found[0][0]) if found else b""
    new = change(old)
    if new != old:
        session.run(
            f"INSERT INTO {table} (page, {time}, bits) VALUES (?, ?, ?)"
            f" ON CONFLICT (page, {time}) DO UPDATE SET bits = excluded.bits",
            (*key, new),
        )


def _joined(local: Numbers, flags: Numbers, old: bytes) -> bytes:
    """A page's planes with more set in them. local: places on the page; flags: of each."""
    before = np.frombuffer(old, np.uint8).reshape(len(PLANES), -1)
    width = max(before.shape[1], int(local.max()) // 8 + 1)
    planes = np.zeros((len(PLANES), width), np.uint8)
    planes[:, : before.shape[1]] = before
    join(planes, local, flags)
    return planes.tobytes()


def join(planes: Bytes, places: Numbers, flags: Numbers) -> None:
    """Set bits in planes, (3, bytes)."""
    bits = (1 << (places & 7)).astype(np.uint8)
    for plane, flag in zip(planes, PLANES, strict=True):
        some = flags & flag > 0
        np.bitwise_or.at(plane, places[some] >> 3, bits[some])


def _newer(local: Numbers, values: Numbers, old: bytes) -> bytes:
    before = np.frombuffer(old, "<u2")
    newest = np.zeros(max(len(before), int(local.max()) + 1), "<u2")
    newest[: len(before)] = before
    np.maximum.at(newest, local, values.astype(np.uint16))
    return newest.tobytes()


# --- reading


def planes(session: Session, bins: range, marks: Numbers, width: int) -> Bytes:
    """(bins, 3, width) bits of terminals by their numbers; marks: what is noted beside."""
    found = np.zeros((len(bins), len(PLANES), width), np.uint8)
    sql = "SELECT page, bin, bits FROM telemetry_heard WHERE page = ? AND bin >= ? AND bin < ?"
    for number in range(-(-width // PAGE_BYTES)):
        for page, bin, bits in session.run(sql, (number, bins.start, bins.stop)):
            some = np.frombuffer(bits, np.uint8).reshape(len(PLANES), -1)
            start = page * PAGE_BYTES
            room = found[bin - bins.start, :, start : start + some.shape[1]]
            room |= some[:, : room.shape[1]]
    here = marks[(marks[:, 0] >= bins.start) & (marks[:, 0] < bins.stop) & (marks[:, 1] < 8 * width)]
    for bin in np.unique(here[:, 0]):
        some_marks = here[here[:, 0] == bin]
        join(found[int(bin) - bins.start], some_marks[:, 1], some_marks[:, 2])
    return found


def newest(session: Session, days: range, marks: Numbers, width: int) -> Numbers:
    """(8 width,) of each terminal 2 x the last bin of these days that it was heard of in, and 1 more if it
    was wanted then; -1 where it was not heard of.
    """
    found = np.full(8 * width, -1, np.int64)
    sql = "SELECT page, day, bits FROM telemetry_newest WHERE day >= ? AND day < ? ORDER BY day"
    for page, day, bits in session.run(sql, (days.start, days.stop)):
        room = found[page * PAGE : page * PAGE + len(bits) // 2]
        some = np.frombuffer(bits, "<u2")[: len(room)].astype(np.int64)
        np.copyto(room, 2 * day * BINS_A_DAY + some - 1, where=some > 0)
    first, end = days.start * BINS_A_DAY, days.stop * BINS_A_DAY
    here = marks[(marks[:, 0] >= first) & (marks[:, 0] < end) & (marks[:, 1] < 8 * width)]
    np.maximum.at(found, here[:, 1], 2 * here[:, 0] + (here[:, 2] & WANTED > 0))
    return found


class Roll:
    """Terminals by their numbers, kept in mind: to read the names takes longer than a day's bits."""

    def __init__(self) -> None:
        self._terminals: list[str] = []
        self._numbers: list[int] = []
        self._erased = ""
        self._version = 0

    def of(self, session: Session) -> tuple[Sequence[int], Sequence[str], int]:
        """(numbers, ascending; the terminal of each; a number that is another once any of it is)."""
        found = session.rows("SELECT value FROM telemetry_meta WHERE name = ?", (_ERASED,))
        erased = str(found[0][0]) if found else ""
        if erased != self._erased:
            self._numbers, self._terminals, self._erased = [], [], erased
            self._version += 1
        last = self._numbers[-1] if self._numbers else 0
        sql = "SELECT number, terminal FROM telemetry_terminals WHERE number > ? ORDER BY number"
        new = session.rows(sql, (last,))
        if new:
            self._numbers += [number for number, _ in new]
            self._terminals += [terminal for _, terminal in new]
            self._version += 1
        return self._numbers, self._terminals, self._version


# --- what goes


def erase(session: Session, numbers: Collection[int]) -> None:
    """Of these terminals nothing is left: their numbers may be another's one day."""
    session.run(
        "INSERT INTO telemetry_meta (name, value) VALUES (?, '1') ON CONFLICT (name) DO UPDATE SET"
        " value = CAST(CAST(telemetry_meta.value AS INTEGER) + 1 AS TEXT)",
        (_ERASED,),
    )
    _fold(session)
    for page in sorted({number // PAGE for number in numbers}):
        local = np.array([number % PAGE for number in numbers if number // PAGE == page], np.int64)
        times = session.rows("SELECT bin FROM telemetry_heard WHERE page = ?", (page,))
        for (bin,) in times:
            _change(session, "telemetry_heard", (page, bin), partial(_without, local))
        for (day,) in session.rows("SELECT day FROM telemetry_newest WHERE page = ?", (page,)):
            _change(session, "telemetry_newest", (page, day), partial(_forgotten, local))


def _without(local: Numbers, old: bytes) -> bytes:
    found = np.frombuffer(old, np.uint8).reshape(len(PLANES), -1).copy()
    here = local[local < 8 * found.shape[1]]
    gone = np.zeros(found.shape[1], np.uint8)
    np.bitwise_or.at(gone, here >> 3, (1 << (here & 7)).astype(np.uint8))
    return (found & ~gone).tobytes()


def _forgotten(local: Numbers, old: bytes) -> bytes:
    found = np.frombuffer(old, "<u2").copy()
    found[local[local < len(found)]] = 0
    return found.tobytes()


def tidy(session: Session, before_us: int) -> int:
    """Forget bins and days that ended before; how many."""
    bins, days = before_us // BIN_US, before_us // US_PER_DAY
    gone: int = session.run("DELETE FROM telemetry_heard WHERE bin < ?", (bins,)).rowcount
    gone += session.run("DELETE FROM telemetry_newest WHERE day < ?", (days,)).rowcount
    return gone


# --- what an older version left


def is_complete(session: Session) -> bool:
    """Whether the bits tell of every row: not yet, where a store had rows before it had bits."""
    return not _unmade(session)


def _unmade(session: Session) -> list[tuple[str, int]]:
    """Tables of rows whose bits are not made yet, and up to which terminal they are."""
    found = session.rows("SELECT value FROM telemetry_meta WHERE name = ?", (UNMADE,))
    return [(str(table), int(number)) for table, number in json.loads(found[0][0])] if found else []


def make(database: Database) -> int:
    """Make bits of some more rows that are there from before, the newest first; 1 where more are left."""
    with database.reading() as session:
        if is_complete(session):
            return 0
    with database.writing() as session:
        left = sorted(_unmade(session))
        there = {part.table for part in database.parts(session)}
        table, after = left.pop() if left else ("", 0)
        part = part_named(table)
        if part is not None and table in there:
            last = _make_some(session, part, after)
            left += [(table, last)] if last is not None else []
        session.run("UPDATE telemetry_meta SET value = ? WHERE name = ?", (json.dumps(left), UNMADE))
    return int(bool(left))


def _make_some(session: Session, part: Part, after: int) -> int | None:
    """The last terminal that was done; None where none is left."""
    numbers: dict[int, list[str]] = {SAID[CONNECTED]: [], HEARD: []}
    for number, word in session.rows("SELECT number, word FROM telemetry_words"):
        if word in SAID:
            numbers[SAID[word]].append(str(number))
    up, off = (", ".join(some) or "-1" for some in numbers.values())
    sql = f"SELECT terminal FROM {part.table} WHERE terminal > ? ORDER BY terminal LIMIT 1 OFFSET ?"
    found = session.rows(sql, (after, ROWS_AT_ONCE))
    last = int(found[0][0]) if found else None
    marks = session.rows(
        f"SELECT (at_us - 1) / {BIN_US}, terminal, {HEARD}"
        f" + MAX(CASE WHEN state IN ({up}) THEN {UP} ELSE 0 END)"
        f" + MAX(CASE WHEN state IN ({off}) THEN 0 ELSE {WANTED} END)"
        f" FROM {part.table} WHERE terminal > ?{f' AND terminal <= {last}' if last else ''} GROUP BY 1, 2",
        (after,),
    )
    put(session, np.array(marks, np.int64).reshape(-1, 3))
    return last
