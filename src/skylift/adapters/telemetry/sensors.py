"""Own terminals as sensors: of each group, how many were online in each bin, of how many that ought to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.tables import Part
from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import ROWS, Online
from skylift.watch.fleet import CHOSEN, CONNECTED, DISABLED

# Whoever has been silent for a week is gone, rather than down: as long as "ordinary" looks back.
REMEMBERED_US = 7 * US_PER_DAY
MOST_BINS = 2_016
_UP, _WANTED = 1, 2


def online(
    database: Database,
    groups: Mapping[str, Sequence[str]],
    between_us: tuple[int, int],
    step_us: int,
    least: int = 1,
) -> list[Online]:
    """Groups' terminals in bins that lie in [from, until) as a whole; ascending by bin, then by group.

    groups   which groups a terminal counts in; one that is in none is passed over
    step_us  width of a bin; a bin begins at a whole multiple of it since 1970
    least    a group of which fewer ought to be online in a bin is left out of it

    A terminal is online in a bin if a row that ends in it says connected. It ought to be if it has reported
    within a week, and is not stowed, asleep, switched off or disabled: in all its rows of the bin,
    or when last heard of.
    Rows come up to ten minutes late where links are well, and days late where they are not.
    Raises Refused for a range that is empty, or of more than MOST_BINS bins.
    """
    first, last = -(-between_us[0] // step_us), between_us[1] // step_us
    if not 0 < last - first <= MOST_BINS:
        raise Refused(
            "telemetry.bins", "the range", f"it holds 1 to {MOST_BINS} whole bins", "ask for another range"
        )
    found: list[Online] = []
    with database.reading() as session:
        parts = [part for part in database.parts(session) if part.level == ROWS]
        words = _words(session)
        heard = dict(_before(session, parts, words, first * step_us))
        for at_us in range(first * step_us, last * step_us, step_us):
            here = _present(session, parts, words, (at_us, at_us + step_us))
            heard |= {terminal: (at_us, bool(flags & _WANTED)) for terminal, flags in here.items()}
            oldest_us = at_us - REMEMBERED_US
            ought = [name for name, (heard_us, wanted) in heard.items() if wanted and heard_us >= oldest_us]
            up = {terminal for terminal, flags in here.items() if flags & _UP}
            found += _counted(groups, at_us, up, ought, least)
    return found


def _counted(
    groups: Mapping[str, Sequence[str]], at_us: int, up: set[str], ought: Sequence[str], least: int
) -> Iterator[Online]:
    counts: dict[str, list[int]] = {}
    for terminal in ought:
        for group in groups.get(terminal, ()):
            count = counts.setdefault(group, [0, 0])
            count[0] += terminal in up
            count[1] += 1
    for group in sorted(counts):
        if counts[group][1] >= least:
            yield Online(at_us, group, *counts[group])


def _words(session: Session) -> tuple[int, str]:
    """The number of "connected", and those of what is chosen, as SQL has a list."""
    found = dict(session.rows("SELECT word, number FROM telemetry_words"))
    chosen = [int(found[word]) for word in sorted(CHOSEN | {DISABLED}) if word in found]
    return int(found.get(CONNECTED, -1)), ", ".join(map(str, chosen)) or "-1"


def _present(
    session: Session, parts: Sequence[Part], words: tuple[int, str], bin_us: tuple[int, int]
) -> dict[str, int]:
    """By terminal of which rows end in the bin: _UP if one says connected, _WANTED if one says nothing that
    is chosen.
    """
    connected, chosen = words
    found: dict[str, int] = {}
    for part in parts:
        # A row is of what was before its end: one that ends with a bin is in it.
        if part.begin_us <= bin_us[1] and part.end_us > bin_us[0]:
            # It stops at the first row that says so, as most do: to read all of a bin is forty times that.
            some = f"WHEN EXISTS (SELECT 1 FROM {part.table} p WHERE p.terminal = t.number"
            some += " AND p.at_us > ? AND p.at_us <= ?"
            sql = (
                f"SELECT terminal, CASE {some} AND p.state = {connected}) THEN {_UP | _WANTED}"
                f" {some} AND p.state NOT IN ({chosen})) THEN {_WANTED} {some}) THEN 0 END"
                " FROM telemetry_terminals t WHERE last_at_us > ?"
            )
            for terminal, flags in session.run(sql, (*bin_us, *bin_us, *bin_us, bin_us[0])):
                if flags is not None:
                    found[terminal] = found.get(terminal, 0) | flags
    return found


def _before(
    session: Session, parts: Sequence[Part], words: tuple[int, str], from_us: int
) -> Iterator[tuple[str, tuple[int, bool]]]:
    """(terminal, (when it was last heard of until then, whether it was wanted then))."""
    oldest_us = from_us - REMEMBERED_US
    some = [part for part in parts if part.begin_us <= from_us and part.end_us > oldest_us]
    if not some:
        return
    newest = ", ".join(
        f"(SELECT p.at_us * 2 + (CASE WHEN p.state IN ({words[1]}) THEN 0 ELSE 1 END) FROM {part.table} p"
        " WHERE p.terminal = t.number AND p.at_us <= ? ORDER BY p.at_us DESC LIMIT 1)"
        for part in sorted(some, key=lambda part: -part.begin_us)
    )
    # COALESCE takes at least two, and looks no further than the first that is there.
    sql = f"SELECT terminal, COALESCE({newest}, NULL) FROM telemetry_terminals t WHERE last_at_us >= ?"
    for terminal, newest_row in session.run(sql, (*(from_us for _ in some), oldest_us)):
        if newest_row is not None:
            yield str(terminal), (int(newest_row) // 2, bool(newest_row % 2))
