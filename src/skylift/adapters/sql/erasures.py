"""The list of erasures, beside the store: whose data was erased, and when. It holds nothing else about them.

A backup holds what was erased after it was made. When it has been put back, this list says what has to be
erased once more; that happens whenever a store is opened, before anybody can read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from skylift.base.errors import Unavailable
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.ports.store import Stored, Transaction
from skylift.service import erasure
from skylift.service.erasure import Ground

# Whose word an erasure is that is carried out again.
AGAIN_BY = "restore"


@dataclass(frozen=True, slots=True)
class Erased:
    """One line of the list."""

    subject: str
    at: int
    ground: str


def list_beside(file: Path) -> Path:
    """Where the list of a database of SQLite is."""
    return file.with_name(f"{file.name}.erased")


def read_list(path: Path) -> dict[str, Erased]:
    """The last erasure of each subject. A line that was cut off by a crash is passed over."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from None
    found: dict[str, Erased] = {}
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            said = json.loads(line)
            one = Erased(str(said["subject"]), int(said["at_us"]), str(said["ground"]))
            if one.subject not in found or found[one.subject].at < one.at:
                found[one.subject] = one
    return found


def add_to_list(path: Path, erased: Iterable[Erased]) -> None:
    """Append them, for this user alone; on the disk when it returns. Raises Unavailable."""
    lines = "".join(
        json.dumps({"subject": one.subject, "at_us": one.at, "ground": one.ground}) + "\n" for one in erased
    )
    try:
        number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(number).st_size
            # What a crash cut off stays a line of its own.
            whole = size == 0 or os.pread(number, 1, size - 1) == b"\n"
            os.write(number, (lines if whole else f"\n{lines}").encode())
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        raise _unusable(path, error) from None


def in_journal(rows: Sequence[Mapping[str, Any]]) -> list[Erased]:
    """The erasures among rows that were just written."""
    return [
        Erased(row["subject_id"], row["at_us"], str(json.loads(row["payload"])["ground"]))
        for row in rows
        if row["name"] == erasure.Erased.NAME
    ]


class _Store(Protocol):
    """Of a store, what is needed here."""

    def things(self, room: Room[Any]) -> Iterable[Stored[Any]]: ...

    def transaction(self) -> AbstractContextManager[Transaction]: ...


def carry_out(store: _Store, path: Path) -> int:
    """Bring store and list together: what either has not heard of, it is told. How many were erased again."""
    listed = read_list(path)
    known = {
        stored.id: Erased(stored.id, stored.thing.last_at, stored.thing.ground.value)
        for stored in store.things(erasure.ROOM)
        if stored.thing.ground is not None
    }
    again = [one for one in listed.values() if one.subject not in known or known[one.subject].at < one.at]
    if again:
        with store.transaction() as transaction:
            for one in again:
                _erase_again(transaction, one)
    unlisted = [one for id, one in known.items() if id not in listed or listed[id].at < one.at]
    if unlisted:
        add_to_list(path, unlisted)
    return len(again)


def _erase_again(transaction: Transaction, one: Erased) -> None:
    kept = transaction.personal(one.subject)
    transaction.erase_personal(one.subject)
    # With the time of the first: so it is known that this very erasure has been carried out.
    who = Who(InstantUs(one.at), AGAIN_BY)
    stored = transaction.get(erasure.ROOM, one.subject)
    before = stored or Stored(one.subject, erasure.ROOM.empty(one.subject), 0)
    events = erasure.erased(one.subject, who, Ground(one.ground), kept)
    after = erasure.ROOM.apply(before.thing, events[0])
    transaction.commit(erasure.ROOM, Stored(one.subject, after, before.version), events)


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "store.erasures",
        f"the list of erasures {path}",
        f"it must be a file that can be read and written ({error.strerror})",
        "check its rights and the space there: a restored backup brings nothing back as long as it is kept",
    )
