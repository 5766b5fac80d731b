"""Own terminals as sensors: of each group, how many were online in each bin, of how many that ought to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skylift.adapters.telemetry import heard, sensors_of_rows
from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.heard import BIN_US, BINS_A_DAY, Bytes, Numbers
from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import Online

# Whoever has been silent for a week is gone, rather than down: as long as "ordinary" looks back.
REMEMBERED_US = 7 * US_PER_DAY
WEEK = REMEMBERED_US // BIN_US
MOST_BINS = 2_016

Groups = Mapping[str, tuple[str, ...]]


class _Members(NamedTuple):
    """names: of groups, ascending; who: numbers of terminals; of: thrice the place of each one's group."""

    names: Sequence[str]
    who: Numbers
    of: Numbers


class Sensors:
    """Counts who was online. It keeps in mind which terminals there are, and in which groups they are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._roll = heard.Roll()
        self._looking = threading.Lock()
        self._made: tuple[Groups, int, _Members] | None = None

    def online(
        self, groups: Groups, between_us: tuple[int, int], step_us: int, least: int = 1
    ) -> list[Online]:
        """Groups' terminals in bins that lie in [from, until) as a whole; ascending by bin, then by group.

        groups   which groups a terminal counts in; one that is in none is passed over. The same object says
                 the same: asking with it again is cheaper
        step_us  width of a bin, a multiple of five minutes; a bin begins at a whole multiple of it since 1970
        least    a group of which fewer ought to be online in a bin is left out of it

        A terminal is online in a bin if a row that ends in it says connected. It ought to be if it has
        reported within a week, and is not stowed, asleep, switched off or disabled: in all its rows of the
        bin, or, where it has none, in all of the last five minutes that it was heard of in.
        Rows come up to ten minutes late where links are well, and days late where they are not.
        Raises Refused for a range that is empty, or of more than MOST_BINS bins.
        """
        first, last = -(-between_us[0] // step_us), between_us[1] // step_us
        if not 0 < last - first <= MOST_BINS:
            raise Refused(
                "telemetry.bins",
                "the range",
                f"it holds 1 to {MOST_BINS} whole bins",
                "ask for another range",
            )
        steps = range(first * step_us // BIN_US, last * step_us // BIN_US, step_us // BIN_US)
        least = max(least, 1)
        with self._database.reading() as session:
            if not heard.is_complete(session):
                return sensors_of_rows.online(self._database, session, groups, steps, WEEK, least)
            members = self._members(session, groups)
            return list(_of_bits(session, members, steps, least)) if len(members.who) else []

    def _members(self, session: Session, groups: Groups) -> _Members:
        with self._looking:
            numbers, terminals, version = self._roll.of(session)
            if self._made is None or self._made[0] is not groups or self._made[1] != version:
                self._made = groups, version, _grouped(groups, numbers, terminals)
            return self._made[2]


def _grouped(groups: Groups, numbers: Sequence[int], terminals: Sequence[str]) -> _Members:
    nothing: tuple[str, ...] = ()
    of_each = [groups.get(terminal, nothing) for terminal in terminals]
    kinds = {kind: place for place, kind in enumerate(set(of_each))}
    names = sorted({name for kind in kinds for name in kind})
    places = {name: 3 * place for place, name in enumerate(names)}
    flat = np.array([places[name] for kind in kinds for name in kind], np.int64)
    sizes = np.array([len(kind) for kind in kinds], np.int64)
    kind_of = np.fromiter((kinds[kind] for kind in of_each), np.int64, len(of_each))
    counts = sizes[kind_of]
    # Each terminal as often as it has groups, and beside it those one after the other.
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    of = flat[np.repeat((np.cumsum(sizes) - sizes)[kind_of], counts) + within]
    return _Members(names, np.repeat(np.array(numbers, np.int64), counts), of)


def _of_bits(session: Session, members: _Members, steps: range, least: int) -> Iterator[Online]:
    width = int(members.who.max()) // 8 + 1
    # Before what they may have been put into since: so none is missed, and none counts twice.
    _, marks = heard.noted(session)
    today = steps.start // BINS_A_DAY
    newest = heard.newest(session, range((steps.start - WEEK) // BINS_A_DAY, today), marks, width)
    earlier = range(today * BINS_A_DAY, steps.start)
    _hear(newest, earlier, heard.planes(session, earlier, marks, width))
    # Not more than a week, and not more than fits: whoever was heard of in it is remembered to its end.
    at_once = max(BINS_A_DAY // steps.step, 1)
    for start in range(0, len(steps), at_once):
        some = steps[start : start + at_once]
        bins = range(some.start, some.start + len(some) * steps.step)
        planes = heard.planes(session, bins, marks, width)
        for step, ought, there in _standing(newest, some, planes):
            yield from _counted(members, step, ought, there, least)
        _hear(newest, bins, planes)


def _hear(newest: Numbers, bins: range, planes: Bytes) -> None:
    """Bring what is known of each terminal, as heard.newest gives it, up to the end of these bins."""
    seen = np.zeros(planes.shape[2], np.uint8)
    for bin, (said, _, wanted) in zip(reversed(bins), planes[::-1], strict=True):
        fresh = said & ~seen
        if fresh.any():
            who = np.flatnonzero(np.unpackbits(fresh, bitorder="little"))
            newest[who] = 2 * bin + (wanted[who >> 3] >> (who & 7) & 1)
            seen |= said


def _standing(newest: Numbers, steps: range, planes: Bytes) -> Iterator[tuple[int, Bytes, Bytes]]:
    """(step, who ought to be online in it, and which of them were), as bits.

    newest  as of the first step's beginning
    planes  (bins, 3, width), of all steps
    """
    last_wanted = np.packbits((newest & 1).astype(np.uint8), bitorder="little")
    since = np.zeros_like(last_wanted)
    for step, of_step in zip(steps, planes.reshape(len(steps), steps.step, *planes.shape[1:]), strict=True):
        said, up, wanted = np.bitwise_or.reduce(of_step, axis=0)
        remembered = since | np.packbits(newest >= 2 * (step - WEEK), bitorder="little")
        ought = wanted | (~said & last_wanted & remembered)
        yield step, ought, ought & up
        for said_then, _, wanted_then in of_step:
            last_wanted = (last_wanted & ~said_then) | wanted_then
        since |= said


def _counted(members: _Members, step: int, ought: Bytes, there: Bytes, least: int) -> Iterator[Online]:
    # 0 for whoever is not missed, 1 for whoever is, 2 for whoever is there.
    standing = np.add(*np.unpackbits(np.stack([ought, there]), axis=1, bitorder="little"))
    counts = np.bincount(members.of + standing[members.who], minlength=3 * len(members.names))
    for name, (_, silent, online) in zip(members.names, counts.reshape(-1, 3).tolist(), strict=True):
        if silent + online >= least:
            yield Online(step * BIN_US, name, online, silent + online)
