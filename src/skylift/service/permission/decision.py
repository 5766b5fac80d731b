"""May this terminal be served in this cell at this time? An AND of what everybody else decided.

A Permissions object is a snapshot: made anew when a fact changes, and asked for every terminal in every slot.
What does not depend on the question (a blocked terminal, a suspended account) is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from skylift.base.instants import format_instant
from skylift.service.permission.reasons import Code, Decision, Why
from skylift.service.region.events import CellMode, Limits
from skylift.service.region.state import Region, RegionState, label

HOUR_US = 3_600_000_000
DAY_HOURS = 24
NEVER_US = 2**62


@dataclass(frozen=True, slots=True)
class TerminalFacts:
    """What permission needs to know of a terminal.

    against   reasons that hold wherever it is (not active, cut off, not on the list); () for none
    listed    whether it stands on the allow-list that its cell may ask for
    home_cell, moves  a terminal that does not move is served at home alone; "" for no home
    """

    account: str
    against: tuple[Why, ...] = ()
    listed: bool = False
    home_cell: str = ""
    moves: bool = False


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What permission needs to know of an account: reasons for all its terminals, its plan's cap."""

    against: tuple[Why, ...] = ()
    cap_bps: float | None = None


@dataclass(frozen=True, slots=True)
class _RegionHere:
    """A region as one of its cells sees it; papers hold within `spans` only."""

    against: tuple[Why, ...]
    spans: tuple[tuple[int, int], ...]
    papers: Why
    mode: CellMode
    limits: Limits
    hours: Why | None
    cell: tuple[Why, ...]


_UNKNOWN_TERMINAL = (Why(Code.TERMINAL_UNKNOWN, "the operator", "register the terminal"),)
_UNKNOWN_ACCOUNT = (Why(Code.ACCOUNT_UNKNOWN, "the operator", "open an account for its owner"),)
_NO_REGION = (
    Why(Code.REGION_NONE, "the operator", "open a region that holds the cell, and have it allowed"),
)
_NOT_LISTED = Why(Code.CELL_LIST, "the authority", "have the terminal put on the allow-list")
_NO_ROAMING = Why(Code.CELL_ROAMING, "the authority", "use it in its home cell, or have roaming allowed")
_AWAY = Why(Code.TERMINAL_FIXED, "the operator", "change its home cell, or its plan to one that moves")


@dataclass(slots=True)
class Permissions:
    """Facts of one moment. Terminals and accounts by id; regions with their cells."""

    terminals: Mapping[str, TerminalFacts]
    accounts: Mapping[str, AccountFacts]
    regions: Iterable[Region]
    _here: dict[str, list[_RegionHere]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for region in self.regions:
            seen: dict[object, _RegionHere] = {}
            spans = allowed_spans(region)
            for name, cell in region.cells.items():
                key = (cell.mode, cell.limits)
                if key not in seen:
                    seen[key] = _as_seen(region, spans, cell.mode, cell.limits)
                self._here.setdefault(name, []).append(seen[key])

    def may_serve(self, terminal_id: str, cell: str, at: int) -> Decision:
        """Whether a terminal may be served in a cell (H3, as the regions have it) at an instant."""
        terminal = self.terminals.get(terminal_id)
        here = self._here.get(cell)
        where = _NO_REGION if here is None else _best(here, terminal, cell, at)
        if terminal is None:
            return Decision(False, (*_UNKNOWN_TERMINAL, *where))
        account = self.accounts.get(terminal.account)
        whose = _UNKNOWN_ACCOUNT if account is None else account.against
        against = (*where, *terminal.against, *whose)
        if not terminal.moves and terminal.home_cell and terminal.home_cell != cell:
            against = (*against, _AWAY)
        if against or here is None or account is None:
            return Decision(False, against)
        caps = [cap for cap in (account.cap_bps, *(h.limits.speed_cap_bps for h in here)) if cap is not None]
        return Decision(True, (), min(caps) if caps else None)

    def holds_until(self, cell: str, at: int) -> int:
        """Until when passing time alone changes no decision about a cell; at the earliest just after `at`."""
        edges = [NEVER_US]
        for here in self._here.get(cell, ()):
            edges += [edge for span in here.spans for edge in span if edge > at]
            if here.hours is not None:
                edges.append((at // HOUR_US + 1) * HOUR_US)
        return min(edges)


def _best(here: list[_RegionHere], terminal: TerminalFacts | None, cell: str, at: int) -> tuple[Why, ...]:
    """What speaks against serving the cell: every region that holds it must allow it."""
    if len(here) == 1:
        return _against(here[0], terminal, cell, at)
    every: list[Why] = []
    for region in here:
        every += _against(region, terminal, cell, at)
    return tuple(dict.fromkeys(every))


def _against(here: _RegionHere, terminal: TerminalFacts | None, cell: str, at: int) -> tuple[Why, ...]:
    against = here.against + here.cell
    if not any(start <= at < end for start, end in here.spans):
        against = (*against, here.papers)
    if here.mode is not CellMode.RESTRICTED:
        return against
    limits = here.limits
    if here.hours is not None and at // HOUR_US % DAY_HOURS not in limits.hours_utc:
        against = (*against, here.hours)
    if limits.allow_list_only and not (terminal and terminal.listed):
        against = (*against, _NOT_LISTED)
    if not limits.roaming and terminal is not None and terminal.home_cell != cell:
        against = (*against, _NO_ROAMING)
    return against


def _as_seen(
    region: Region, spans: tuple[tuple[int, int], ...], mode: CellMode, limits: Limits
) -> _RegionHere:
    until = max((end for _, end in spans), default=None)
    papers = "have the papers granted, or a temporary authorisation"
    if until is not None:
        papers = f"have papers granted beyond those that end at {format_instant(until)}"
    hours = None
    if limits.hours_utc:
        listed = ", ".join(f"{hour:02d}" for hour in limits.hours_utc)
        hours = Why(Code.CELL_HOURS, "the authority", f"wait for one of the hours {listed} (UTC)")
    return _RegionHere(
        against=_of_region(region),
        spans=spans,
        papers=Why(Code.REGION_PAPERS, "the authority", papers),
        mode=mode,
        limits=limits,
        hours=hours,
        cell=_OF_CELL.get(mode, ()),
    )


_OF_CELL = {
    CellMode.DISABLED: (Why(Code.CELL_DISABLED, "the operator", "enable the cell; that takes two people"),),
    CellMode.WAITLIST: (Why(Code.CELL_WAITLIST, "the operator", "wait until the cell has room"),),
}


def _of_region(region: Region) -> tuple[Why, ...]:
    if region.state is RegionState.ACTIVE:
        return ()
    if region.state is RegionState.PROHIBITED:
        why = Why(Code.REGION_PROHIBITED, "the authority", "the authority lifts the prohibition")
        return (why,)
    standing = label(region.state)
    return (Why(Code.REGION_NOT_ACTIVE, "the operator", f"activate the region; now: {standing}"),)


def allowed_spans(region: Region) -> tuple[tuple[int, int], ...]:
    """When its papers allow service: [from, until) in microseconds, ascending, apart from one another."""
    edges = sorted({t for paper in region.papers.values() for t in (paper.valid_from, paper.valid_until)})
    spans: list[tuple[int, int]] = []
    for start, end in pairwise(edges):
        if region.missing_papers(start):
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)
