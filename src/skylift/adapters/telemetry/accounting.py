"""What telemetry owes to the service's store: bytes that were used, and erasures that were decided there.

Both stores cannot commit together. So a report of usage is written here first, with its number and its
figures; told after that, as often as it takes, since a number counts once; and then struck off.
"""

from __future__ import annotations

from dataclasses import dataclass

from skylift.adapters.telemetry.database import Database
from skylift.base.units import US_PER_S

# Numbers of these reports begin here, so that they meet none that somebody sends to the door of usage.
FIRST_NUMBER = 2**60
_ERASED = "erased_through"


@dataclass(frozen=True, slots=True)
class Due:
    """One report of usage; number: of this terminal's reports."""

    terminal: str
    number: int
    at_us: int
    down_bytes: int
    up_bytes: int


_PREPARE = (
    "INSERT INTO telemetry_usage"
    " (terminal, report, at_us, down_bytes, up_bytes, told_down, told_up, pending)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (terminal) DO UPDATE SET report = excluded.report,"
    " at_us = excluded.at_us, down_bytes = excluded.down_bytes, up_bytes = excluded.up_bytes, pending = 1"
)
_UNTOLD = (
    "SELECT t.terminal, t.last_at_us, t.down_bytes - COALESCE(u.told_down, 0),"
    " t.up_bytes - COALESCE(u.told_up, 0), COALESCE(u.told_down, 0), COALESCE(u.told_up, 0)"
    " FROM telemetry_terminals t LEFT JOIN telemetry_usage u ON u.terminal = t.terminal"
    " WHERE COALESCE(u.pending, 0) = 0 AND"
    " (t.down_bytes <> COALESCE(u.told_down, 0) OR t.up_bytes <> COALESCE(u.told_up, 0))"
    " ORDER BY t.terminal LIMIT ?"
)
_DUE = (
    "SELECT terminal, report, at_us, down_bytes, up_bytes FROM telemetry_usage WHERE pending = 1"
    " ORDER BY terminal LIMIT ?"
)


def due(database: Database, now: int, most: int) -> list[Due]:
    """Reports to be told, those first that were written before and may have been told."""
    with database.reading() as session:
        old = session.rows(_DUE, (most,))
    if old:
        return [Due(*row) for row in old]
    number = FIRST_NUMBER + now // US_PER_S
    with database.writing() as session:
        untold = session.rows(_UNTOLD, (most,))
        session.run_many(
            _PREPARE,
            [
                (terminal, number, min(last_at, now), down, up, told_down, told_up)
                for terminal, last_at, down, up, told_down, told_up in untold
            ],
        )
        return [Due(*row) for row in session.rows(_DUE, (most,))]


def told(database: Database, terminals: list[str]) -> None:
    """Strike these off: the service has counted them, or never will."""
    with database.writing() as session:
        session.run_many(
            "UPDATE telemetry_usage SET pending = 0, told_down = told_down + down_bytes,"
            " told_up = told_up + up_bytes WHERE terminal = ? AND pending = 1",
            [(terminal,) for terminal in terminals],
        )


def erased_through(database: Database) -> int:
    """The number of the journal up to which erasures were carried out here."""
    with database.reading() as session:
        found = session.rows("SELECT value FROM telemetry_meta WHERE name = ?", (_ERASED,))
    return int(found[0][0]) if found else 0


def note_erased(database: Database, sequence: int) -> None:
    with database.writing() as session:
        session.run(
            "INSERT INTO telemetry_meta (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_ERASED, str(sequence)),
        )
