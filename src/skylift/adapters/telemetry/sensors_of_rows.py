"""The same as sensors.online, counted from rows: slow, for stores whose rows are older than their bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.heard import BIN_US, UP, WANTED
from skylift.adapters.telemetry.tables import Part
from skylift.ports.telemetry import ROWS, Online
from skylift.watch.fleet import CHOSEN, CONNECTED, DISABLED


def online(
    database: Database,
    session: Session,
    groups: Mapping[str, Sequence[str]],
    steps: range,
    remembered: int,
    least: int,
) -> list[Online]:
    """steps: in bins of five minutes; remembered: for so many bins a terminal that fell silent is missed."""
    found: list[Online] = []
    parts = [part for part in database.parts(session) if part.level == ROWS]
    words = _words(session)
    heard = dict(_before(session, parts, words, (steps.start - remembered, steps.start)))
    for step in steps:
        here: dict[str, int] = {}
        for bin in range(step, step + steps.step):
            for terminal, flags in _present(
                session, parts, words, (bin * BIN_US, (bin + 1) * BIN_US)
            ).items():
                here[terminal] = here.get(terminal, 0) | flags
                heard[terminal] = (bin, bool(flags & WANTED))
        ought = [
            name
            for name, (bin, wanted) in heard.items()
            if (here[name] & WANTED if name in here else wanted and bin >= step - remembered)
        ]
        up = {terminal for terminal, flags in here.items() if flags & UP}
        found += _counted(groups, step * BIN_US, up, ought, least)
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
    """By terminal of which rows end in the bin: UP if one says connected, WANTED if one says nothing that
    is chosen.
    """
    connected, chosen = words
    found: dict[str, int] = {}
    for part in parts:
        if part.begin_us <= bin_us[1] and part.end_us > bin_us[0]:
            # It stops at the first row that says so, as most do: to read all of a bin is forty times that.
            some = f"WHEN EXISTS (SELECT 1 FROM {part.table} p WHERE p.terminal = t.number"
            some += " AND p.at_us > ? AND p.at_us <= ?"
            sql = (
                f"SELECT terminal, CASE {some} AND p.state = {connected}) THEN {UP | WANTED}"
                f" {some} AND p.state NOT IN ({chosen})) THEN {WANTED} {some}) THEN 0 END"
                " FROM telemetry_terminals t WHERE last_at_us > ?"
            )
            for terminal, flags in session.run(sql, (*bin_us, *bin_us, *bin_us, bin_us[0])):
                if flags is not None:
                    found[terminal] = found.get(terminal, 0) | flags
    return found


def _before(
    session: Session, parts: Sequence[Part], words: tuple[int, str], bins: tuple[int, int]
) -> Iterator[tuple[str, tuple[int, bool]]]:
    """(terminal, (the last bin of these in which it was heard of, whether it was wanted then))."""
    oldest_us, until_us = (bin * BIN_US for bin in bins)
    some = [part for part in parts if part.begin_us <= until_us and part.end_us > oldest_us]
    if not some:
        return
    newest = ", ".join(
        f"(SELECT p.at_us FROM {part.table} p"
        " WHERE p.terminal = t.number AND p.at_us <= ? ORDER BY p.at_us DESC LIMIT 1)"
        for part in sorted(some, key=lambda part: -part.begin_us)
    )
    wanted = " OR ".join(
        f"EXISTS (SELECT 1 FROM {part.table} p WHERE p.terminal = n.number AND p.at_us <= n.newest_us"
        f" AND p.at_us > (n.newest_us - 1) / {BIN_US} * {BIN_US} AND p.state NOT IN ({words[1]}))"
        for part in some
    )
    # COALESCE takes at least two, and looks no further than the first that is there.
    sql = (
        f"SELECT terminal, newest_us, CASE WHEN {wanted} THEN 1 ELSE 0 END FROM"
        f" (SELECT number, terminal, COALESCE({newest}, NULL) AS newest_us FROM telemetry_terminals t"
        " WHERE last_at_us > ?) n WHERE newest_us > ?"
    )
    for terminal, newest_us, is_wanted in session.run(sql, (*(until_us for _ in some), oldest_us, oldest_us)):
        yield str(terminal), ((int(newest_us) - 1) // BIN_US, bool(is_wanted))
