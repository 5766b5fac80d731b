"""The office's terminals in one slot, from the sky's columns to rows as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skylift.adapters.sky_messages import COLUMNS, OfficeRows, SlotReport
from skylift.base.link import WhyDown
from skylift.twin.permit import OWN_REASONS, Reasons

_LABELS = {int(why): why.label for why in WhyDown}
BARRED = frozenset({WhyDown.REGION_NOT_ACTIVE, WhyDown.TERMINAL_OFF, WhyDown.NOT_PERMITTED})
_NUMBERS = (
    "elevation_deg",
    "azimuth_deg",
    "one_way_delay_up_us",
    "one_way_delay_down_us",
    "one_way_delay_up_end_us",
    "one_way_delay_down_end_us",
    "propagation_us",
    "fibre_us",
    "down_bps",
    "up_bps",
    "loss_fraction",
)


@dataclass(frozen=True, slots=True)
class OfficeSlot:
    """One slot: its columns, where each of the office's terminals stands in them, the reasons by number.

    terminals  ids of those that are the office's alone, ascending
    row  of each terminal, by id, counting from the office's first; below 0: the scenario's, from its last
    """

    rows: OfficeRows
    row: Mapping[str, int]
    terminals: Sequence[str]
    reasons: Sequence[Reasons]

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(map(len, self.rows.columns.values())) + len(self.rows.why)

    def why_down(self, terminal: str) -> int | None:
        """WhyDown of one of the office's; None for one that this sky does not have."""
        row = self.row.get(terminal)
        if row is None:
            return None
        if row < 0:
            return self.rows.matched_why_down[row]
        return self.rows.columns["why_down"][row]

    def reasons_of(self, terminal: str) -> list[dict[str, str]]:
        """Why it was barred in this slot; nothing where it was not."""
        row = self.row.get(terminal)
        if row is None or self.why_down(terminal) == WhyDown.UP:
            return []
        number = memoryview(self.rows.why).cast("i")[row + len(self.rows.matched)]
        return _shown(_reasons(self.reasons, number))

    def links(self, at_us: int, terminals: Iterable[str], ground: Ground) -> list[dict[str, Any]]:
        """Rows of links for those of the office's alone, with the names and digits of the scenario's rows."""
        columns = {
            name: memoryview(self.rows.columns[name]).cast(code) if self.rows.columns[name] else b""
            for name, code in COLUMNS.items()
        }
        return [
            _row(at_us, id, self.row[id], columns, ground) for id in terminals if self.row.get(id, -1) >= 0
        ]


@dataclass(frozen=True, slots=True)
class Ground:
    """Ids of gateways and of PoPs, in the sky's order."""

    gateways: Sequence[str]
    pops: Sequence[str]


def _row(at_us: int, id: str, row: int, columns: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    down = columns["why_down"][row]
    first, last = columns["path_offset"][row], columns["path_offset"][row + 1]
    numbers = {name: columns[name][row] for name in _NUMBERS}
    told = {name: None if down or math.isnan(value) else value for name, value in numbers.items()}
    return {
        "at_us": at_us,
        "terminal": id,
        "satellite": None if down else columns["satellite"][row],
        "gateway": None if down else ground.gateways[columns["gateway"][row]],
        "pop": None if down else ground.pops[columns["pop"][row]],
        "path": list(columns["path"][first:last]),
        **told,
        "handover": bool(columns["handover"][row]),
        "why_down": _LABELS[down] if down else None,
        "satellites_in_view": columns["satellites_in_view"][row],
        "satellites_usable": columns["satellites_usable"][row],
    }


def _reasons(told: Sequence[Reasons], number: int) -> Reasons:
    if number < len(OWN_REASONS):
        return OWN_REASONS[number]
    number -= len(OWN_REASONS)
    # Of a sky that has begun anew meanwhile, the numbers mean nothing any more.
    return told[number] if number < len(told) else ()


def _shown(reasons: Reasons) -> list[dict[str, str]]:
    return [{"code": c, "authority": a, "would_change": w} for c, a, w in reasons]


class OfficeSlots:
    """What the sky says of a slot leans on what it said before: it names who is there when that changes."""

    def __init__(self) -> None:
        self._life = 0
        self._reasons: list[Reasons] = []
        self._terminals: tuple[str, ...] = ()
        self._matched: tuple[str, ...] = ()
        self._row: dict[str, int] = {}
        self._ids: list[str] = []

    def told(self, life: int, reasons: list[Reasons]) -> None:
        """The list of reasons of one life of the sky; it grows while that lasts."""
        self._life, self._reasons = life, reasons

    def take(self, report: SlotReport) -> OfficeSlot | None:
        """The office's part of a slot; None where no office is obeyed."""
        rows = report.office
        if rows is None:
            return None
        if rows.terminals is not None or rows.matched != self._matched:
            self._terminals = self._terminals if rows.terminals is None else rows.terminals
            self._matched = rows.matched
            self._row = {id: row for row, id in enumerate(self._terminals) if id}
            self._ids = sorted(self._row)
            self._row |= {id: row - len(self._matched) for row, id in enumerate(self._matched) if id}
        reasons = self._reasons if rows.life == self._life else []
        return OfficeSlot(replace(rows, terminals=self._terminals), self._row, self._ids, reasons)
