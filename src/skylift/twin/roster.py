"""Who is there, and who may be served: the scenario's terminals and the office's, as rows of one world.

Rows only ever come at the end, so that who is there already keeps its satellite; a terminal that moves gets
a new one, and its old one serves nobody. What the office does not say, nobody gets: before it has said
anything, when what it said has run out, and when it has been silent for too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import h3
import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place, place_to_ecef_m
from skylift.base.ids import TerminalId
from skylift.base.link import WhyDown
from skylift.sky.coverage.sites import AntennaModel
from skylift.twin.permit import NOT_BARRED, NOT_KNOWN, OFFICE_SILENT, OWN_REASONS, Permit, Reasons, Serve
from skylift.twin.world import FOREVER_US, Asks, Needs, Terminal, World, asks_at, needs_of

# An office that says nothing for four slots is taken to be gone.
SILENT_FOR_US = 60 * 1_000_000
# So many rows of nobody may stand about before all are written anew.
MOST_GONE = 1_000


@dataclass(frozen=True, slots=True)
class Antennas:
    """What a terminal's hardware sees by: the models by name; the one for hardware that none is known of."""

    models: Mapping[str, AntennaModel]
    otherwise: AntennaModel

    def of(self, hardware: str) -> AntennaModel:
        """By its name, in any case, with or without its maker's."""
        name = hardware.lower()
        return self.models.get(name) or self.models.get(f"starlink-{name}") or self.otherwise


class Roster:
    """The rows of one sky. `world` is another object whenever there are other rows."""

    def __init__(self, world: World, serve: Serve, antennas: Antennas) -> None:
        self.scenario = world
        self.world = world
        self.serve = serve
        self._antennas = antennas
        self._pops_ecef_m = np.array([place_to_ecef_m(pop.place) for pop in world.ground.pops])
        self._of_scenario = {str(t.id): row for row, t in enumerate(world.terminals)}
        self._row: dict[str, int] = {}
        self._permit: list[Permit | None] = [None] * len(world.terminals)
        self._needs = needs_of(world.terminals)
        self._own_needs = needs_of(world.terminals)
        self._gone = 0
        self._columns = _Columns.of(len(world.terminals))
        self._reasons: list[Reasons] = []
        self._heard_us: int | None = None

    # --- what the office says

    def begin_anew(self) -> None:
        """Forget what the office said: all of it comes again."""
        self.__init__(self.scenario, self.serve, self._antennas)  # type: ignore[misc]

    def take(self, permits: Iterable[Permit], reasons: Sequence[Reasons], heard_us: int) -> None:
        """What the office says for the slot at `heard_us`."""
        self._heard_us = heard_us
        self._reasons += reasons
        new: list[Permit] = []
        for permit in permits:
            row = self._row.get(permit.terminal)
            before = None if row is None else self._permit[row]
            if row is not None and before is not None and not _same_place(before, permit):
                self._leave(row)
                row = None
            if row is None and permit.scenario:
                row = self._of_scenario[permit.scenario]
            if row is not None:
                self._write(row, permit)
            elif permit.cell:
                new.append(permit)
            else:
                self._row.pop(permit.terminal, None)
        if new and self._gone > max(MOST_GONE, len(self._permit) // 10):
            new = [*self._without_gone(), *new]
        if new:
            self._join(new)

    def _without_gone(self) -> list[Permit]:
        """Give up the office's rows; who still had one joins anew."""
        count = len(self.scenario.terminals)
        there = [permit for permit in self._permit[count:] if permit is not None]
        self.world, self._gone = self.scenario, 0
        del self._permit[count:]
        self._columns, self._needs = self._columns.first(count), _first(self._needs, count)
        return there

    def _leave(self, row: int) -> None:
        self._permit[row] = None
        self._columns.barred[row] = WhyDown.NOT_PERMITTED
        self._columns.why[row] = NOT_KNOWN
        self._columns.until_us[row] = FOREVER_US
        if row >= len(self.scenario.terminals):
            self._gone += 1
            return
        needs, own = self._needs, self._own_needs
        needs.down_bps[row], needs.up_bps[row] = own.down_bps[row], own.up_bps[row]
        needs.priority[row] = own.priority[row]

    def _write(self, row: int, permit: Permit) -> None:
        self._row[permit.terminal] = row
        self._permit[row] = permit
        columns, needs = self._columns, self._needs
        columns.barred[row] = permit.barred
        columns.why[row] = permit.why + len(OWN_REASONS)
        columns.until_us[row] = permit.until_us
        if row < len(self.scenario.terminals):
            own = self._own_needs
            needs.down_bps[row] = min(own.down_bps[row], permit.down_bps)
            needs.up_bps[row] = min(own.up_bps[row], permit.up_bps)
        else:
            own_need = self.world.terminals[row].need
            needs.down_bps[row] = min(own_need.wanted_down_bps, permit.down_bps)
            needs.up_bps[row] = min(own_need.wanted_up_bps, permit.up_bps)
        needs.priority[row] = permit.priority

    def _join(self, permits: Sequence[Permit]) -> None:
        first = len(self.world.terminals)
        places = {cell: self._stands(cell) for cell in {permit.cell for permit in permits}}
        added = [
            Terminal(
                TerminalId(permit.terminal),
                places[permit.cell][0],
                self._antennas.of(permit.hardware),
                places[permit.cell][1],
            )
            for permit in permits
        ]
        self.world = replace(self.world, terminals=(*self.world.terminals, *added))
        self._permit += [None] * len(added)
        self._columns = self._columns.longer(len(added))
        self._needs = _longer(self._needs, needs_of(added))
        for row, permit in enumerate(permits, first):
            self._write(row, permit)

    def _stands(self, cell: str) -> tuple[Place, int]:
        """The middle of a cell, and the nearest PoP."""
        place = Place(*h3.cell_to_latlng(cell))
        distance_m = np.linalg.norm(self._pops_ecef_m - place_to_ecef_m(place), axis=1)
        return place, int(np.argmin(distance_m))

    # --- what the sky asks

    def row_of(self, terminal: str) -> int | None:
        """The row of one of the office's or the scenario's, by its id there; None where there is none."""
        row = self._row.get(terminal)
        return self._of_scenario.get(terminal) if row is None else row

    @property
    def offices(self) -> tuple[str, ...]:
        """The office's terminal in each row after the scenario's; "" where there is none any more."""
        permits = self._permit[len(self.scenario.terminals) :]
        return tuple("" if permit is None else permit.terminal for permit in permits)

    @property
    def matched(self) -> tuple[str, ...]:
        """The office's terminal that each of the scenario's is; "" for none."""
        permits = self._permit[: len(self.scenario.terminals)]
        return tuple("" if permit is None else permit.terminal for permit in permits)

    def asks(self, at_us: int) -> tuple[Asks, npt.NDArray[np.int32]]:
        """Who may be served in the slot at `at_us`, and the number of the reasons (`reasons_of`), (M,)."""
        scenario = asks_at(self.scenario, at_us, self._own_needs).barred
        if self.serve is Serve.SCENARIO:
            return Asks(scenario, self._needs), np.zeros(len(scenario), np.int32)
        rows = len(self.world.terminals)
        barred, why = self._columns.barred.copy(), self._columns.why.copy()
        silent = self._columns.until_us <= at_us
        if self._heard_us is None or not -SILENT_FOR_US <= at_us - self._heard_us <= SILENT_FOR_US:
            silent = np.ones(rows, dtype=np.bool_)
        own = np.arange(rows) < len(scenario)
        if self.serve is Serve.BOTH:
            # Who the office has never heard of is the scenario's alone, once it is known who that is.
            strange = own & (why == NOT_KNOWN)
            if self._heard_us is not None:
                silent &= ~strange
            barred[strange] = WhyDown.UP
            why[strange] = NOT_BARRED
            off = np.flatnonzero((barred[: len(scenario)] == WhyDown.UP) & (scenario != WhyDown.UP))
            barred[off] = scenario[off]
        barred[silent], why[silent] = WhyDown.NOT_PERMITTED, OFFICE_SILENT
        return Asks(barred, self._needs), why

    def reasons_of(self, number: int) -> Reasons:
        """The reasons that have a number in `asks`."""
        return OWN_REASONS[number] if number < len(OWN_REASONS) else self._reasons[number - len(OWN_REASONS)]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the office says of each row: barred, the number of its reasons, until when that holds."""

    barred: npt.NDArray[np.uint8]
    why: npt.NDArray[np.int32]
    until_us: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: int) -> _Columns:
        return cls(
            np.full(rows, WhyDown.NOT_PERMITTED, np.uint8),
            np.full(rows, NOT_KNOWN, np.int32),
            np.full(rows, FOREVER_US, np.int64),
        )

    def first(self, count: int) -> _Columns:
        return _Columns(self.barred[:count].copy(), self.why[:count].copy(), self.until_us[:count].copy())

    def longer(self, by: int) -> _Columns:
        more = _Columns.of(by)
        return _Columns(
            np.concatenate([self.barred, more.barred]),
            np.concatenate([self.why, more.why]),
            np.concatenate([self.until_us, more.until_us]),
        )


def _first(needs: Needs, count: int) -> Needs:
    return Needs(
        needs.down_bps[:count].copy(),
        needs.up_bps[:count].copy(),
        needs.priority[:count].copy(),
        needs.obstructed_fraction[:count].copy(),
    )


def _longer(needs: Needs, more: Needs) -> Needs:
    return Needs(
        np.concatenate([needs.down_bps, more.down_bps]),
        np.concatenate([needs.up_bps, more.up_bps]),
        np.concatenate([needs.priority, more.priority]),
        np.concatenate([needs.obstructed_fraction, more.obstructed_fraction]),
    )


def _same_place(before: Permit, permit: Permit) -> bool:
    return (before.cell, before.scenario, before.hardware) == (permit.cell, permit.scenario, permit.hardware)
