"""The twin on a clock: slot after slot, each as the documents that the service hands out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import h3
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skylift import __version__
from skylift.adapters.clock import AnyClock
from skylift.adapters.dish_view import boresight_of, slot_view
from skylift.adapters.links_file import Names, links_to_arrow
from skylift.adapters.office_rows import first_rows, office_columns
from skylift.adapters.sky_messages import Hello, OfficeRows, Permits, SlotReport
from skylift.base.geodesy import Place, ecef_to_geodetic
from skylift.base.instants import InstantUs, format_instant
from skylift.base.link import LinkTable, WhyDown
from skylift.base.units import DEG_PER_RAD, US_PER_S
from skylift.sky.coverage.visible import PairFinder
from skylift.twin.look import Sky
from skylift.twin.permit import Reasons, permits_of
from skylift.twin.roster import Roster
from skylift.twin.tick import Twin
from skylift.twin.world import FOREVER_US, Asks, World, working_at
from skylift.wire.dish.told import DishSeen

# A slot is computed on what is known this long before it begins (HOUSE: facts committed up to 3 s before).
LEAD_US = 3 * US_PER_S
# Exact places are not exported: a terminal is shown by its H3 cell of this resolution, about 250 km2.
CELL_RESOLUTION = 5

_OF_ALL = ("region.", "cell.", "office.")

NOT_MODELLED = ("down_bps", "up_bps", "loss_fraction")

# One decimal less than a satellite moves in a hundredth of a second; finer digits would only cost space.
_DEGREE_DECIMALS = 3
_KM_DECIMALS = 2


# What asks the office for a slot: (its start, whether nothing is known yet) -> what came, perhaps nothing.
Ask = Callable[[int, bool], Sequence[Permits]]


class OfficeAsking:
    """The scenario's terminals and the office's, as the office says for each slot."""

    def __init__(self, roster: Roster, ask: Ask) -> None:
        self.roster = roster
        self.life = self.sequence = -1
        self.why: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        # By terminal, of those that have an emulated dish: why it is off the air, "" where it is not.
        self.dishes: dict[str, str] = {}
        self._ask = ask
        self._asked_us: int | None = None

    def refresh(self, at_us: int) -> None:
        """Ask the office for the slot at `at_us`. What it is late in saying, counts for a later one."""
        self._asked_us = at_us
        for said in self._ask(at_us, self.life < 0):
            self.dishes = dict(said.dishes)
            if not said.heard:
                continue
            if said.anew:
                self.roster.begin_anew()
            elif said.life != self.life:
                # Meant for a sky before this one.
                continue
            self.life, self.sequence = said.life, said.sequence
            self.roster.take(permits_of(said.columns), said.reasons, said.at_us)

    def at(self, at_us: int) -> tuple[World, Asks]:
        if self._asked_us is None or at_us > self._asked_us:
            self.refresh(at_us)
        # Slots that are worked through again only fill the memory: for them it is as it is now.
        asks, self.why = self.roster.asks(max(at_us, self._asked_us or at_us))
        return self.roster.world, self._without_off(asks)

    def _without_off(self, asks: Asks) -> Asks:
        """Dishes that are off the air ask for nothing."""
        rows = [self.roster.row_of(id) for id, off in self.dishes.items() if off]
        if not rows:
            return asks
        barred = asks.barred.copy()
        for row in rows:
            if row is not None and barred[row] == WhyDown.UP:
                barred[row] = WhyDown.TERMINAL_OFF
        return replace(asks, barred=barred)


class LiveSky:
    """The slots of one world from now on, at the pace of a clock; `office` where one is obeyed."""

    def __init__(self, world: World, clock: AnyClock, office: OfficeAsking | None = None) -> None:
        self.world = world
        self.clock = clock
        self._office = office
        self._twin = Twin(world, office)
        self._documents = SlotDocuments(world, office)

    def slots(self) -> Iterator[SlotReport]:
        """The slot that is under way, then each following one, computed LEAD_US before it begins.

        Gives a slot as soon as it is computed. After a leap of the clock (a machine that slept) it begins
        anew at the slot that is then under way.
        """
        while True:
            first_us = self.world.slots.start(self.clock.now())
            if self._office is not None:
                self._office.refresh(first_us)
            yield from self._until_leap(first_us)

    def _until_leap(self, first_us: int) -> Iterator[SlotReport]:
        length_us = self.world.slots.length_us
        lead_us = min(length_us, LEAD_US * max(1.0, self.clock.speed))
        before: LinkTable | None = None
        # One slot early: the first slot's handovers need the slot before it.
        following = first_us - length_us
        for sky, links in self._twin.links(following, FOREVER_US):
            following = links.at_us + length_us
            if links.at_us >= first_us:
                late = self.clock.now() > links.at_us
                yield self._documents.report(sky, links, before, late)
            before = links
            ahead_us = following - self.clock.now()
            # To begin anew costs one memory window at most: further behind than that, catching up costs more.
            if following > first_us and not -self.world.memory_us <= ahead_us <= 3 * length_us:
                return
            self.clock.sleep_until(InstantUs(int(following - lead_us)))


class SlotDocuments:
    """Turns a slot into what is sent and shown."""

    def __init__(self, world: World, office: OfficeAsking | None = None) -> None:
        self.world = world
        self._office = office
        self._told: tuple[str, ...] | None = None
        self._names = Names.of(world)
        self._finder = PairFinder(world.terminal_sites())

    def report(self, sky: Sky, links: LinkTable, before: LinkTable | None, late: bool) -> SlotReport:
        office = None if self._office is None else self._office_rows(self._office, sky, links, before)
        seen = {} if self._office is None else seen_by_dishes(self._office, sky, links)
        count = len(self.world.terminals)
        sky, links = first_rows(sky, links, count)
        latitude, longitude, altitude_m = ecef_to_geodetic(sky.position_start_m)
        working = working_at(self.world, sky.at_us).satellites
        # The finder's columns are its own, so they are copied (as bytes) before its next find.
        pairs = self._finder.find(sky.position_start_m, working)
        return SlotReport(
            at_us=links.at_us,
            late=late,
            links=self._links(sky, links, before, late),
            latitude_deg=_bytes(np.round(latitude * DEG_PER_RAD, _DEGREE_DECIMALS), np.float64),
            longitude_deg=_bytes(np.round(longitude * DEG_PER_RAD, _DEGREE_DECIMALS), np.float64),
            altitude_km=_bytes(np.round(altitude_m / 1000.0, _KM_DECIMALS), np.float64),
            pair_offset=_bytes(pairs.site_offset, np.int64),
            pair_satellite=_bytes(pairs.satellite, np.int32),
            pair_elevation_deg=_angles(pairs.elevation_rad),
            pair_azimuth_deg=_angles(pairs.azimuth_rad),
            pair_usable=_bytes(self._usable(sky, pairs.site_offset, pairs.satellite), np.uint8),
            office=office,
            seen=seen,
        )

    def _office_rows(
        self, office: OfficeAsking, sky: Sky, links: LinkTable, before: LinkTable | None
    ) -> OfficeRows:
        count = len(self.world.terminals)
        there = office.roster.offices
        told, self._told = self._told, there
        return OfficeRows(
            life=office.life,
            sequence=office.sequence,
            terminals=None if there == told else there,
            matched=office.roster.matched,
            matched_why_down=_bytes(links.why_down[:count], np.uint8),
            why=_bytes(office.why, np.int32),
            columns=office_columns(sky, links, before, self._names, count),
        )

    def _usable(
        self, sky: Sky, offset: npt.NDArray[np.int64], satellite: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.bool_]:
        n = len(self.world.catalogue)

        def keys(offset: npt.NDArray[np.int64], satellite: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
            return np.repeat(np.arange(len(offset) - 1) * n, np.diff(offset)) + satellite

        return np.isin(keys(offset, satellite), keys(sky.users.site_offset, sky.users.satellite))

    def _links(self, sky: Sky, links: LinkTable, before: LinkTable | None, late: bool) -> bytes:
        document = {
            "at": format_instant(links.at_us),
            "at_us": links.at_us,
            "slot_length_s": self.world.slots.length_us / US_PER_S,
            "late": late,
            "time_shift_s": self._names.time_shift_us / US_PER_S,
            "links": link_rows(sky, links, before, self._names),
            "reasons": self._reasons(links),
            "journal_sequence": None if self._office is None else max(self._office.sequence, 0),
        }
        return msgspec.json.encode(document)

    def _reasons(self, links: LinkTable) -> dict[str, list[dict[str, str]]]:
        """Why the office bars any of the scenario's terminals, as far as that is everybody's business."""
        if self._office is None:
            return {}
        roster, why = self._office.roster, self._office.why
        found = (
            (str(terminal.id), public(roster.reasons_of(int(why[row])), bool(roster.matched[row])))
            for row, terminal in enumerate(self.world.terminals)
            if links.why_down[row] != WhyDown.UP
        )
        return {terminal: reasons for terminal, reasons in found if reasons}


def seen_by_dishes(office: OfficeAsking, sky: Sky, links: LinkTable) -> dict[str, DishSeen]:
    """What the emulated dishes see in a slot, by terminal."""
    world = office.roster.world
    rows = {id: office.roster.row_of(id) for id in office.dishes}
    there = {id: row for id, row in rows.items() if row is not None and row < len(links.why_down)}
    if not there:
        return {}
    sites = replace(world, terminals=tuple(world.terminals[row] for row in there.values())).terminal_sites()
    found: dict[str, DishSeen] = {}
    for site, (id, row) in enumerate(there.items()):
        terminal = world.terminals[row]
        found[id] = DishSeen(
            slot_view(world, sites, sky, links, row, site),
            boresight_of(sites, site),
            terminal.antenna.name,
            h3.latlng_to_cell(terminal.place.latitude_deg, terminal.place.longitude_deg, CELL_RESOLUTION),
        )
    return found


def public(reasons: Reasons, somebodys: bool) -> list[dict[str, str]]:
    """Reasons that may be shown without a login: of somebody's terminal, those of its place alone."""
    return [
        {"code": code, "authority": authority, "would_change": would_change}
        for code, authority, would_change in reasons
        if not somebodys or code.startswith(_OF_ALL)
    ]


def link_rows(sky: Sky, links: LinkTable, before: LinkTable | None, names: Names) -> list[dict[str, Any]]:
    """One slot's rows with the names, units and digits of links.parquet, through the same conversion.

    before  the slot before, by which handovers are told also across the border of two memory windows
    """
    table = links_to_arrow([(sky, links)], names)
    if before is not None:
        then = before.satellite[: len(links.satellite)]
        handover = (links.satellite >= 0) & (then >= 0) & (links.satellite != then)
        field = table.schema.get_field_index("handover")
        table = table.set_column(field, table.schema.field(field), pa.array(handover))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def hello(world: World, origin: dict[str, Any]) -> Hello:
    """What does not change while the service runs; `origin` says where the world comes from."""
    catalogue = world.catalogue
    terminals = [_terminal(world, i) for i in range(len(world.terminals))]
    return Hello(
        norad=_bytes(catalogue.norad, np.int32),
        names=catalogue.name,
        terminals=tuple(t.id for t in world.terminals),
        slot_length_us=world.slots.length_us,
        terminals_document=msgspec.json.encode({"terminals": terminals}),
        gateways_document=msgspec.json.encode(_ground(world)),
        about={
            "version": __version__,
            **origin,
            "satellites": len(catalogue),
            "terminals": len(world.terminals),
            "gateways": len(world.ground.gateways),
            "policy": world.policy,
            "lasers": world.lasers is not None,
            "slot_length_s": world.slots.length_us / US_PER_S,
            "time_shift_s": catalogue.time_shift_us / US_PER_S,
            "not_modelled": list(NOT_MODELLED) if world.capacity is None else [],
        },
        cells=tuple(str(terminal["cell"]) for terminal in terminals),
    )


def _terminal(world: World, index: int) -> dict[str, Any]:
    terminal = world.terminals[index]
    antenna = terminal.antenna
    cell = h3.latlng_to_cell(terminal.place.latitude_deg, terminal.place.longitude_deg, CELL_RESOLUTION)
    latitude_deg, longitude_deg = h3.cell_to_latlng(cell)
    return {
        "terminal": terminal.id,
        "cell": cell,
        "cell_latitude_deg": round(latitude_deg, 4),
        "cell_longitude_deg": round(longitude_deg, 4),
        "pop": world.ground.pops[terminal.pop].id,
        "antenna": antenna.name,
        "minimum_elevation_deg": antenna.minimum_elevation_deg,
        "boresight_tilt_deg": antenna.boresight_tilt_deg,
        "boresight_azimuth_deg": antenna.boresight_azimuth_deg,
        "field_of_view_deg": antenna.field_of_view_deg,
    }


def _ground(world: World) -> dict[str, Any]:
    return {
        "gateways": [
            {
                "gateway": g.id,
                "name": g.name,
                **_site(g.place, g.source, g.accuracy_m),
                "antennas": g.antennas,
                "minimum_elevation_deg": g.minimum_elevation_deg,
                "pop": g.pop,
            }
            for g in world.ground.gateways
        ],
        "pops": [
            {"pop": p.id, "name": p.name, **_site(p.place, p.source, p.accuracy_m)} for p in world.ground.pops
        ],
    }


def _site(place: Place, source: str, accuracy_m: float) -> dict[str, Any]:
    return {
        "latitude_deg": place.latitude_deg,
        "longitude_deg": place.longitude_deg,
        "source": source,
        "accuracy_m": accuracy_m,
    }


def _bytes(values: npt.NDArray[Any], kind: type[Any]) -> bytes:
    return np.ascontiguousarray(values, dtype=kind).tobytes()


def _angles(values_rad: npt.NDArray[np.float32]) -> bytes:
    return _bytes(np.round(values_rad.astype(np.float64) * DEG_PER_RAD, 2), np.float64)
