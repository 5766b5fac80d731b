"""The service's store as a port: things with versions, an append-only journal, rows that can be erased."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.things import Room
from skylift.ports.counts import CountsReader, CountsWriter

T = TypeVar("T")


class Conflict(Refused):
    """Somebody else was faster: 409. The caller reads again and decides again."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A thing as it stands, and its version: 1 after its first change."""

    id: str
    thing: T
    version: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which things of a list, and from where on; "" and None do not choose.

    words  each must be among the id, the keys and the words of a thing, as a part
    after  the id that the page before ended with
    newest  the latest id first, and so on backwards
    """

    status: str = ""
    region: str = ""
    owner: str = ""
    words: tuple[str, ...] = ()
    after: str = ""
    limit: int = 100
    newest: bool = False


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One event as it is kept; `hash` is over all the others and the hash of the row before.

    version  of the thing, after the change that the event was part of: several events may be one change
    """

    sequence: int
    event: Event
    hash: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered to a write, for when it comes again. Nothing personal and no secret is in it.

    asked  hash of the whole request: another one under the same key is a mistake
    """

    at: int
    asked: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What a check of the journal found.

    first_bad_row  sequence number of the first row that is not as it was written, or is missing
    differing      (kind, id) of things whose state is not what their events make of them
    """

    rows: int
    valid: bool
    first_bad_row: int | None
    head: str
    why: str = ""
    differing: tuple[tuple[str, str], ...] = ()


class Reader(CountsReader, Protocol):
    """Things as they stood at one instant, whatever is written meanwhile."""

    def get(self, room: Room[T], id: str) -> Stored[T] | None: ...

    def find(self, room: Room[T], key: str, value: str) -> Stored[T] | None:
        """The thing with a unique key, such as the terminal with a serial."""
        ...

    def get_all(self, room: Room[T], ids: Collection[str]) -> Mapping[str, Stored[T]]:
        """The same as `get` of each that is there, by id, but faster: for imports."""
        ...

    def find_all(self, room: Room[T], key: str, values: Collection[str]) -> Mapping[str, Stored[T]]:
        """The same as `find` of each that is there, by its value of the key, but faster."""
        ...

    def list(self, room: Room[T], wanted: Wanted) -> Sequence[Stored[T]]:
        """Ascending by id, or descending where the newest are wanted first."""
        ...

    def personal(self, subject_id: str) -> Mapping[str, Any]:
        """What is kept about a person or a place and can be erased."""
        ...

    def find_login(self, email: str) -> str | None:
        """The id of whoever has this e-mail as their login, exactly so written."""
        ...

    def reply(self, key: str) -> Reply | None:
        """What was answered to a write with this key."""
        ...

    def replies(self, keys: Collection[str]) -> Mapping[str, Reply]:
        """The same as `reply` of each that is there, by key, but faster."""
        ...


class Transaction(Reader, CountsWriter, Protocol):
    """All of it happens, or nothing. Reads see what it has written itself. Writers take turns."""

    def commit(self, room: Room[T], stored: Stored[T], events: Sequence[Event]) -> Stored[T]:
        """Write a thing with the events that made it so. `stored.version` is the version that it was read at.

        Raises Conflict where it has another version by now, or where a key belongs to another thing.
        """
        ...

    def commit_all(
        self, room: Room[T], changes: Sequence[tuple[Stored[T], Sequence[Event]]]
    ) -> Sequence[Stored[T]]:
        """The same as `commit` of each in turn, but faster: for imports. Conflict leaves all unwritten."""
        ...

    def keep_personal(self, subject_id: str, fields: Mapping[str, Any]) -> None:
        """Set these fields; None removes one."""
        ...

    def keep_all_personal(self, fields_of: Mapping[str, Mapping[str, Any]]) -> None:
        """The same as `keep_personal` of each subject, but faster: of new ones, that have none."""
        ...

    def erase_personal(self, subject_id: str) -> bool:
        """Remove all of it; whether there was any. What was there stands in no file afterwards."""
        ...

    def keep_reply(self, key: str, reply: Reply) -> None:
        """Keep it with what it answers. There must be none of this key."""
        ...

    def keep_replies(self, replies: Mapping[str, Reply]) -> None:
        """The same as `keep_reply` of each, by key, but faster."""
        ...

    def drop_replies(self, before: int) -> int:
        """Forget those of before an instant; how many."""
        ...


class Store(Protocol):
    """Where the service's facts live."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """To write. Raises Unavailable where the world does not allow it; then nothing was written.

        A connection that is lost in the very last step leaves it open whether it was: code "store.unsure".
        """
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """To read only: waits for no writer, and no writer waits for it."""
        ...

    def journal(self, after: int = 0, limit: int = 1000, names: Sequence[str] = ()) -> Sequence[JournalRow]:
        """Rows after a sequence number; who wants to know reads here, so that nothing is lost.

        names  only events that are stored under these, such as "region.activated/1"; () for all
        """
        ...

    def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last row; (0, "") before the first."""
        ...

    def verify(self, head: str | None = None, progress: Callable[[int], None] | None = None) -> Audit:
        """Check every hash, that the chain holds `head`, and that state is what the events made of it.

        progress  is told how many more rows have been read
        """
        ...

    def things(self, room: Room[T]) -> Iterator[Stored[T]]:
        """Every thing of a kind."""
        ...

    def close(self) -> None: ...


class Ids(Protocol):
    """Gives ids that nobody can guess."""

    def new(self, prefix: str) -> str: ...
