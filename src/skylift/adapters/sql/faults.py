"""What a database says when it fails, in the words of this house. No value of a row is ever in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from skylift.base.errors import Refused, SkyliftError, Unavailable

THING = "the store"

FULL = ("store.full", "there is no space left; nothing of it was written", "free some space, and try again")
LOCKED = (
    "store.locked",
    "another process holds it; nothing of it was written",
    "try again; if it lasts, end the other process",
)
READ_ONLY = (
    "store.read-only",
    "it cannot be written; nothing of it was",
    "give the user that runs skylift the right to write it and its folder",
)
CORRUPT = (
    "store.corrupt",
    "it is damaged, or no database of skylift",
    "stop skylift, keep the files, and restore a backup; see docs/reference/store.md",
)
DISK = ("store.disk", "the disk refuses; nothing of it was written", "check the disk, then try again")
LOST = (
    "store.lost",
    "the database cannot be reached; nothing of it was written",
    "start the database or mend the network, then try again",
)
UNSURE = (
    "store.unsure",
    "the connection was lost in the last step; the change is either kept whole or not at all",
    "read it again before you repeat it",
)
OTHER = ("store.failed", "the database refused a statement; nothing of it was written", "report this")

_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: CORRUPT,
    sqlite3.SQLITE_NOTADB: CORRUPT,
    sqlite3.SQLITE_FORMAT: CORRUPT,
    sqlite3.SQLITE_IOERR: DISK,
}

# https://www.postgresql.org/docs/15/errcodes-appendix.html; the longest beginning that fits
_POSTGRESQL = {
    "53100": FULL,
    "53": LOST,
    "55P03": LOCKED,
    "57014": LOCKED,
    "25006": READ_ONLY,
    "42501": READ_ONLY,
    "XX001": CORRUPT,
    "XX002": CORRUPT,
    "58": DISK,
    "57P": LOST,
    "08": LOST,
    "28": LOST,
    "3D000": LOST,
}


@contextmanager
def told(last_step: bool = False) -> Iterator[None]:
    """Turns what the database raises into Unavailable or Refused.

    last_step  a connection lost now leaves open whether the change was kept
    """
    try:
        yield
    except DBAPIError as error:
        raise translated(error, last_step) from None
    except UnicodeEncodeError:
        raise _unkept() from None
    except PoolTimeout:
        raise Unavailable(
            "store.busy", THING, "all its connections are in use", "try again a little later"
        ) from None


def locked() -> Unavailable:
    return _unavailable(LOCKED)


def corrupt() -> Unavailable:
    return _unavailable(CORRUPT)


def translated(error: DBAPIError, last_step: bool = False) -> SkyliftError:
    """What the database raised, in words of this house."""
    cause = error.orig
    if type(cause).__name__ in {"DataError", "OverflowError"}:
        return _unkept()
    if isinstance(cause, sqlite3.Error):
        # The low byte is the kind; the rest says more than anybody can act on.
        return _unavailable(_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, OTHER))
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # psycopg has no code where no server answered.
        return _unavailable(UNSURE if last_step else LOST)
    for length in (5, 3, 2):
        if state[:length] in _POSTGRESQL:
            found = _POSTGRESQL[state[:length]]
            return _unavailable(UNSURE if last_step and found is LOST else found)
    return _unavailable(OTHER)


def _unkept() -> Refused:
    return Refused("store.value", "a value", "the database cannot hold it", "correct the value")


def _unavailable(said: tuple[str, str, str]) -> Unavailable:
    code, rule, way_out = said
    return Unavailable(code, THING, rule, way_out)
