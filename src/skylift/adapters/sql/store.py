"""The service's store on SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import DBAPIError

from skylift.adapters.sql.checking import check
from skylift.adapters.sql.engine import BUSY_TIMEOUT_S, WRITES, make_engine, sqlite_file
from skylift.adapters.sql.erasing import erase_in_copies, has_traces, scrub
from skylift.adapters.sql.erasures import Erased, add_to_list, carry_out, in_journal, list_beside
from skylift.adapters.sql.faults import corrupt, locked, told
from skylift.adapters.sql.journal import read_history, read_journal
from skylift.adapters.sql.leading import Lead
from skylift.adapters.sql.migrating import make_ready
from skylift.adapters.sql.reading import SqlReader, to_stored
from skylift.adapters.sql.ready import Ready
from skylift.adapters.sql.schema import JOURNAL_HEAD, THING_KEYS, THINGS
from skylift.adapters.sql.writing import SqlTransaction
from skylift.base.errors import Unavailable
from skylift.base.events import EventTypes
from skylift.base.things import Room
from skylift.ports.store import Audit, JournalRow, Reader, Stored, Transaction
from skylift.service import erasure

T = TypeVar("T")

THINGS_AT_ONCE = 1000

_HEAD = Ready(select(JOURNAL_HEAD.c.sequence, JOURNAL_HEAD.c.hash))
_PAGE = Ready(
    select(THINGS.c.id, THINGS.c.version, THINGS.c.body)
    .where(THINGS.c.kind == bindparam("of_kind"), THINGS.c.id > bindparam("after"))
    .order_by(THINGS.c.id)
    .limit(THINGS_AT_ONCE)
)


def open_store(
    url: str,
    rooms: Sequence[Room[Any]],
    migrate: bool = True,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    demo: bool | None = False,
    erasures: Path | None = None,
) -> SqlStore:
    """The store at a URL (`sqlite_url`, or postgresql://...), ready for use.

    rooms    every kind of thing that it holds
    migrate  bring an older SQLite database up to date; PostgreSQL waits for `upgrade`
    demo     a demo's store; False for a real one, None for either. Which of them a store is, is written with
             its tables and never changes
    erasures the list of erasures; beside SQLite's file by itself. What it says and the store does not know
             of is erased again, as after a backup was put back

    Raises Refused for a database of another version of skylift or of the other kind, Unavailable where it
    cannot be opened.
    """
    store = SqlStore(url, rooms, busy_timeout_s)
    try:
        store.is_demo = make_ready(store.engine, migrate, demo)
        if migrate:
            store.list_erasures(erasures)
        store.scrub()
    except BaseException:
        store.close()
        raise
    return store


def sqlite_file_in(data_dir: Path) -> Path:
    """The database in a data directory."""
    return data_dir / "skylift.sqlite"


def sqlite_url(data_dir: Path) -> str:
    """Its URL."""
    return f"sqlite:///{sqlite_file_in(data_dir)}"


class SqlStore:
    """The Store port. It may be used by several threads; those that write take turns."""

    def __init__(self, url: str, rooms: Sequence[Room[Any]], busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.engine = make_engine(url, busy_timeout_s)
        self.lead = Lead(self.engine)
        self.rooms = tuple(rooms)
        self.is_demo = False
        self.event_types = EventTypes(kind for room in rooms for kind in room.events)
        self._known_events = frozenset(self.event_types)
        self._busy_timeout_s = busy_timeout_s
        # Fair among the threads of this process, where the database's own waiting is by chance.
        self._turn = threading.Lock()
        self._writing = self.engine.execution_options(**{WRITES: True})
        self._has_traces = True
        # Where erasures are listed, and those that could not be yet.
        self._list: Path | None = None
        self._unlisted: list[Erased] = []
        # New things that PostgreSQL's planner was told of by this process, and those that it was not.
        self._known_things = self._unknown_things = 0

    def transaction(self) -> AbstractContextManager[Transaction]:
        return self.writing()

    @contextlib.contextmanager
    def writing(self) -> Iterator[SqlTransaction]:
        """As `transaction`, with savepoints."""
        if not self._turn.acquire(timeout=self._busy_timeout_s):
            raise locked()
        try:
            with told():
                connection = self._writing.connect()
            with contextlib.closing(connection):
                transaction = self._begun(connection)
                try:
                    with told():
                        yield transaction
                    transaction.finish()
                    # Before the commit: a copy that lost it too early harms nobody.
                    for subject_id in transaction.erased_subjects:
                        erase_in_copies(sqlite_file(self.engine), subject_id)
                except BaseException:
                    _roll_back(connection)
                    raise
                _commit(connection)
            self._note_erasures(transaction)
            self._has_traces |= transaction.erased
            if self._has_traces:
                self._has_traces = not scrub(self.engine)
            self._count(transaction.written)
        finally:
            self._turn.release()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._read() as connection:
            yield SqlReader(connection)

    def journal(self, after: int = 0, limit: int = 1000, names: Sequence[str] = ()) -> Sequence[JournalRow]:
        with self._read() as connection:
            return read_journal(connection, self.event_types, after, limit, names)

    def history(self, subject_id: str, before: int | None = None, limit: int = 100) -> Sequence[JournalRow]:
        """What happened to one subject, the newest first; `before`: only rows of a lower sequence number."""
        with self._read() as connection:
            return read_history(connection, self.event_types, subject_id, before, limit)

    def head(self) -> tuple[int, str]:
        with self._read() as connection:
            row = _HEAD.first(connection, {})
        if row is None:
            raise corrupt()
        return row[0], row[1]

    def verify(self, head: str | None = None, progress: Callable[[int], None] | None = None) -> Audit:
        with self._read() as connection:
            return check(connection, self.rooms, head, progress or (lambda rows: None))

    def things(self, room: Room[T]) -> Iterator[Stored[T]]:
        """Page by page, each as it stands then: no long transaction holds up the write-ahead log."""
        after = ""
        while True:
            with self._read() as connection:
                rows = _PAGE.all(connection, {"of_kind": room.kind, "after": after})
            for row in rows:
                yield to_stored(room, row)
            if len(rows) < THINGS_AT_ONCE:
                return
            after = rows[-1][0]

    def scrub(self) -> bool:
        """Remove from the files what was erased from tables; whether nothing is left of it.

        Every transaction that erases ends with it. It can be held up by a long read: then it is tried again
        after each later change, and when the store is opened.
        """
        with self._turn:
            with self._read() as connection:
                self._has_traces = has_traces(connection)
            if self._has_traces:
                self._has_traces = not scrub(self.engine)
            return not self._has_traces

    def list_erasures(self, path: Path | None) -> int:
        """Keep the list of erasures there, and carry out what it says; how many were erased again."""
        file = sqlite_file(self.engine)
        if erasure.ROOM not in self.rooms or (path is None and file is None):
            return 0
        self._list = path or list_beside(file)  # type: ignore[arg-type]
        return carry_out(self, self._list)

    def _note_erasures(self, transaction: SqlTransaction) -> None:
        self._unlisted += in_journal(transaction.written_rows)
        if self._list is None or not self._unlisted:
            return
        # What cannot be listed now is with the next, or when the store is opened: the journal has it.
        with contextlib.suppress(Unavailable):
            add_to_list(self._list, self._unlisted)
            self._unlisted = []

    def close(self) -> None:
        self.lead.give_up()
        with told():
            self.engine.dispose()

    def _count(self, written: int) -> None:
        """On PostgreSQL, see to its statistics whenever things have doubled.

        It does so itself once a minute; until then an import looks ids up by reading all things of the kind.
        """
        self._unknown_things += written
        if self.engine.dialect.name != "postgresql" or self._unknown_things < max(1000, self._known_things):
            return
        self._known_things, self._unknown_things = self._known_things + self._unknown_things, 0
        # A help, no duty: what was written stands.
        with contextlib.suppress(DBAPIError), self._writing.begin() as connection:
            connection.exec_driver_sql(f"ANALYZE {THINGS.name}, {THING_KEYS.name}")

    def _begun(self, connection: Connection) -> SqlTransaction:
        try:
            with told():
                connection.begin()
                return SqlTransaction(connection, self._known_events)
        except BaseException:
            _roll_back(connection)
            raise

    @contextlib.contextmanager
    def _read(self) -> Iterator[Connection]:
        with told():
            connection = self.engine.connect()
        with contextlib.closing(connection), told():
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            connection.begin()
            try:
                yield connection
            finally:
                # It has only read: there is nothing to commit that could fail.
                _roll_back(connection)


def _commit(connection: Connection) -> None:
    try:
        with told(last_step=True):
            connection.commit()
    except BaseException:
        # SQLAlchemy takes the transaction for ended, and SQLite may still be in it: the next to get this
        # connection could not begin one.
        connection.invalidate()
        raise


def _roll_back(connection: Connection) -> None:
    # The failure that led here says more than one of the rollback, such as that the server is gone.
    try:
        connection.rollback()
    except Exception:
        with contextlib.suppress(Exception):
            connection.invalidate()
