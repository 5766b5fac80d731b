"""What a list would do, before it does anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from skylift.service.terminal.allow_list.rows import NAMES, Entry
from skylift.service.terminal.allow_list.rules import Limit, Rules


@dataclass(frozen=True, slots=True)
class KnownTerminal:
    """One of our terminals that the list is about: of its country, and registered.

    owner       account; owner_kind: as the rules name it, "" where not known
    serves      kind of site that it serves, as requests name it; "" where not known
    """

    id: str
    serial: str = ""
    kit: str = ""
    dish_id: str = ""
    owner: str = ""
    owner_kind: str = ""
    serves: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """An owner with more than the rules allow. rule: at-most or at-most-unseen; rows: all that are the
    owner's.

    by  "reference" (rows of one case) or "account" (several cases, but one account of ours)
    """

    owner_kind: str
    rule: str
    allowed: int
    found: int
    rows: tuple[int, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Clash:
    """A row that cannot be believed as it stands. why: two-terminals, names-differ or listed-twice."""

    row: int
    why: str
    terminals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Ids of terminals are ours; rows are numbers of the table.

    stays           on the list, or not in its domain
    cut_off         not on the list; flagged: those of them that serve a watched kind of site, or are
    critical's unnamed         of those cut off, the ones that no list could name, for we know no serial of
    theirs unmatched_rows  rows that name none of our terminals
    elsewhere       of those that stay, the ones that another channel looks after
    """

    stays: tuple[str, ...]
    cut_off: tuple[str, ...]
    flagged: tuple[str, ...]
    unnamed: tuple[str, ...]
    elsewhere: tuple[str, ...]
    unmatched_rows: tuple[int, ...]
    clashes: tuple[Clash, ...]
    breaches: tuple[Breach, ...]


class Index:
    """Entries by what is printed on a terminal."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_name: dict[tuple[str, str], Entry] = {}
        for entry in entries:
            for name in names_of(entry):
                self._by_name.setdefault(name, entry)

    def entry_for(self, serial: str, kit: str, dish_id: str) -> Entry | None:
        """The entry that allows a terminal: it names the terminal, and contradicts none of its names."""
        own = {"serial": serial, "kit": kit, "dish_id": dish_id}
        for what, name in own.items():
            entry = self._by_name.get((what, name)) if name else None
            if entry is not None and not _differ(entry, own):
                return entry
        return None


def names_of(thing: Entry | KnownTerminal) -> Iterator[tuple[str, str]]:
    for what in NAMES:
        name = getattr(thing, what)
        if name:
            yield what, name


def preview(
    entries: Sequence[Entry], numbers: Sequence[int], terminals: Iterable[KnownTerminal], rules: Rules
) -> Preview:
    """What the entries, in rows `numbers`, would do to the terminals."""
    ours = {terminal.id: terminal for terminal in terminals}
    id_of = {name: terminal.id for terminal in ours.values() for name in names_of(terminal)}
    matched: dict[str, list[int]] = {}
    unmatched, clashes = [], []
    for place, entry in enumerate(entries):
        ids = tuple(sorted({id_of[name] for name in names_of(entry) if name in id_of}))
        why = _clash(entry, ids, ours, matched)
        if not ids:
            unmatched.append(numbers[place])
        elif why:
            clashes.append(Clash(numbers[place], why, ids))
        else:
            matched.setdefault(ids[0], []).append(place)
    doubtful = {id for clash in clashes for id in clash.terminals} - set(matched)
    elsewhere = sorted(
        t.id for t in ours.values() if t.owner_kind in rules.limits and rules.limits[t.owner_kind].elsewhere
    )
    # A terminal whose row clashes is neither safe nor cut off: such a list is not accepted.
    cut_off = sorted(set(ours) - set(matched) - set(elsewhere) - doubtful)
    critical = {kind for kind, limit in rules.limits.items() if limit.at_most is None and not limit.elsewhere}
    return Preview(
        stays=tuple(sorted(set(matched) | set(elsewhere))),
        cut_off=tuple(cut_off),
        flagged=tuple(
            id for id in cut_off if ours[id].serves in rules.watched or ours[id].owner_kind in critical
        ),
        unnamed=tuple(id for id in cut_off if not any(names_of(ours[id]))),
        elsewhere=tuple(elsewhere),
        unmatched_rows=tuple(unmatched),
        clashes=tuple(clashes),
        breaches=_breaches(entries, numbers, matched, ours, rules),
    )


def _differ(entry: Entry, own: dict[str, str]) -> bool:
    return any(own[what] and own[what] != name for what, name in names_of(entry))


def _clash(
    entry: Entry, ids: tuple[str, ...], ours: dict[str, KnownTerminal], matched: dict[str, list[int]]
) -> str:
    if len(ids) > 1:
        return "two-terminals"
    if not ids:
        return ""
    if _differ(entry, {what: getattr(ours[ids[0]], what) for what in NAMES}):
        # Its kit number is ours and its dish id is not: a dish swapped into a verified kit looks like this.
        return "names-differ"
    return "listed-twice" if ids[0] in matched else ""


def _breaches(
    entries: Sequence[Entry],
    numbers: Sequence[int],
    matched: dict[str, list[int]],
    ours: dict[str, KnownTerminal],
    rules: Rules,
) -> tuple[Breach, ...]:
    cases: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        cases["reference", entry.owner_kind, entry.reference].append(place)
    for id, places in matched.items():
        if ours[id].owner:
            cases["account", entries[places[0]].owner_kind, ours[id].owner] += places
    found: dict[tuple[str, tuple[int, ...]], Breach] = {}
    for (by, kind, _), places in cases.items():
        rows = tuple(numbers[place] for place in places)
        unseen = sum(not entries[place].shown for place in places)
        for rule, allowed, count in _broken(rules.limits[kind], len(places), unseen):
            found.setdefault((rule, rows), Breach(kind, rule, allowed, count, rows, by))
    return tuple(found.values())


def _broken(limit: Limit, total: int, unseen: int) -> Iterator[tuple[str, int, int]]:
    if limit.at_most is not None and total > limit.at_most:
        yield "at-most", limit.at_most, total
    if limit.at_most_unseen is not None and unseen > limit.at_most_unseen:
        yield "at-most-unseen", limit.at_most_unseen, unseen
