"""The live sky with an office: whom it serves, and what it tells of each terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest

from skylift.adapters.antennas import packaged_antenna, packaged_antennas
from skylift.adapters.gateways_file import packaged_ground_segment
from skylift.adapters.links_file import Names
from skylift.adapters.live import LiveSky, OfficeAsking, hello, link_rows
from skylift.adapters.office_rows import first_rows, office_columns
from skylift.adapters.sky_messages import OfficeRows, Permits, SlotReport
from skylift.api import models
from skylift.api.office_slot import Ground, OfficeSlots
from skylift.base.geodesy import Place
from skylift.base.ids import TerminalId
from skylift.base.instants import InstantUs, parse_instant
from skylift.base.link import WhyDown
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms
from skylift.twin.permit import Permit, Serve, columns_of
from skylift.twin.roster import Antennas, Roster
from skylift.twin.tick import Twin
from skylift.twin.world import Period, ServicePeriod, Terminal, Timeline, World

AT = int(parse_instant("2024-03-09T10:00:00Z"))
SLOT_US = 15_000_000
HERE, THERE = "851e5227fffffff", "851e5237fffffff"
PLACES = {"town": Place(49.3, 25.1), "barred": Place(46.9, 32.2), "far": Place(-10.0, 100.0)}
ANTENNAS = Antennas(packaged_antennas(), packaged_antenna("starlink-standard-v2"))
SANCTIONED = (("account.sanctioned", "NSDC", "NSDC takes it off list 1"),)
PROHIBITED = (("region.prohibited", "the authority", "the authority lifts the prohibition"),)


class FakeClock:
    speed = 1.0

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> InstantUs:
        return InstantUs(self.at)

    def sleep_until(self, at: InstantUs) -> None:
        self.at = max(self.at, at)


@pytest.fixture(scope="module")
def world() -> World:
    return World(
        generate([Shell("s", 36, 20, 550e3, 53.0, 11.0)], AT),
        tuple(Terminal(TerminalId(name), place, ANTENNAS.otherwise, 0) for name, place in PLACES.items()),
        packaged_ground_segment(AT),
        Timeline((ServicePeriod(Period(), (0, 2)),)),
        packaged_antenna("starlink-gateway"),
        DelayTerms(),
        memory_us=2 * 60 * 1_000_000,
    )


def permit(id: str, cell: str = HERE, barred: int = 0, why: int = 0, scenario: str = "") -> Permit:
    return Permit(id, cell, scenario, "MINI", 1e8, 1e7, 4, barred, why, 2**62)


class Office:
    """Answers what it is given for the slots in turn; nothing where there is nothing left."""

    def __init__(self, *answers: Sequence[Permit] | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, bool]] = []

    def __call__(self, at_us: int, anew: bool) -> Sequence[Permits]:
        self.asked.append((at_us, anew))
        said = self.answers.pop(0) if self.answers else ()
        if said is None:
            return []
        number = len(self.asked)
        return [
            Permits(
                at_us,
                anew,
                7,
                number,
                columns_of(said),
                ((), SANCTIONED, PROHIBITED) if anew else (),
            )
        ]


def reports(world: World, office: Office, count: int, at: int = AT) -> list[SlotReport]:
    asking = OfficeAsking(Roster(world, Serve.BOTH, ANTENNAS), office)
    return list(islice(LiveSky(world, FakeClock(at), asking).slots(), count))  # type: ignore[arg-type]


def why_down(report: SlotReport) -> dict[str, str | None]:
    return {link["terminal"]: link["why_down"] for link in json.loads(report.links)["links"]}


def test_each_slot_is_asked_for_once_and_in_turn(world: World) -> None:
    office = Office()
    first, *rest = reports(world, office, 5)
    assert office.asked[0] == (first.at_us, True)
    assert office.asked[1:] == [(report.at_us, False) for report in rest]


def test_as_long_as_the_office_says_nothing_nobody_is_served(world: World) -> None:
    office = Office(None, None, [permit("trm_1")], [])
    silent, still, told, after = reports(world, office, 4)
    for report in (silent, still):
        assert set(why_down(report).values()) == {"not_permitted"}
        reasons = json.loads(report.links)["reasons"]
        assert {r["code"] for why in reasons.values() for r in why} == {"office.silent"}
        assert report.office is not None
        assert report.office.terminals == () or report.office.terminals is None
    assert [anew for _, anew in office.asked] == [True, True, True, False]
    for report in (told, after):
        assert why_down(report)["town"] is None
        assert why_down(report)["barred"] == "region_not_active"


def test_a_permit_counts_in_the_slot_that_it_was_asked_for(world: World) -> None:
    barred = int(WhyDown.NOT_PERMITTED)
    office = Office(
        [permit("trm_1", barred=barred, why=1)], [permit("trm_1")], [permit("trm_1", barred=barred, why=1)]
    )
    slots = OfficeSlots()
    slots.told(7, [(), SANCTIONED, PROHIBITED])
    seen = []
    for report in reports(world, office, 4):
        slot = slots.take(report)
        assert slot is not None
        seen.append((slot.why_down("trm_1"), [why["code"] for why in slot.reasons_of("trm_1")]))
    assert seen == [
        (barred, ["account.sanctioned"]),
        (WhyDown.UP, []),
        (barred, ["account.sanctioned"]),
        (barred, ["account.sanctioned"]),
    ]


def test_what_concerns_somebodys_account_is_not_shown_to_all(world: World) -> None:
    barred = int(WhyDown.NOT_PERMITTED)
    told = [
        permit("trm_1", barred=barred, why=1, scenario="town"),
        permit("trm_2", barred=barred, why=2, scenario="far"),
    ]
    [report] = reports(world, Office(told), 1)
    assert why_down(report)["town"] == "not_permitted"
    reasons = json.loads(report.links)["reasons"]
    assert "town" not in reasons
    assert [why["code"] for why in reasons["far"]] == ["region.prohibited"]
    models.Links.model_validate_json(report.links)
    slots = OfficeSlots()
    slots.told(7, [(), SANCTIONED, PROHIBITED])
    slot = slots.take(report)
    assert slot is not None
    assert [why["code"] for why in slot.reasons_of("trm_1")] == ["account.sanctioned"]
    assert slot.why_down("trm_2") == barred
    # Of a sky that has begun anew, numbers mean nothing.
    slots.told(8, [PROHIBITED])
    other = slots.take(report)
    assert other is not None
    assert other.reasons_of("trm_1") == []


class TwoCells:
    """Everything of the world, and two terminals of the office."""

    def __init__(self, world: World) -> None:
        self.roster = Roster(world, Serve.BOTH, ANTENNAS)
        self.roster.take([permit("trm_1"), permit("trm_2", THERE, int(WhyDown.NOT_PERMITTED))], [()], AT)

    def at(self, at_us: int) -> Any:
        return self.roster.world, self.roster.asks(AT)[0]


def test_columns_give_the_rows_that_arrow_gives(world: World) -> None:
    """The same slots by way of the file's own conversion, with the office's terminals among the others."""
    asking = TwoCells(world)
    names = Names.of(asking.roster.world)
    first = len(world.terminals)
    ground = Ground([str(g.id) for g in world.ground.gateways], [str(p.id) for p in world.ground.pops])
    slots, before = OfficeSlots(), None
    compared: list[dict[str, Any]] = []
    for sky, links in Twin(world, asking).links(AT, AT + 8 * SLOT_US):
        columns = office_columns(sky, links, before, names, first)
        rows = OfficeRows(1, 1, ("trm_1", "trm_2"), ("",) * first, b"", b"", columns)
        slot = slots.take(_report(links.at_us, rows))
        assert slot is not None
        got = slot.links(links.at_us, ["trm_1", "trm_2"], ground)
        expected = link_rows(sky, links, before, names)[first:]
        assert got == expected
        few = link_rows(*first_rows(sky, links, first), before, Names.of(world))
        assert few == link_rows(sky, links, before, names)[:first]
        before, compared = links, compared + got
    assert any(row["handover"] for row in compared)
    assert {row["why_down"] for row in compared} == {None, "not_permitted"}
    assert all(row["path"] for row in compared if row["why_down"] is None)


def _report(at_us: int, rows: OfficeRows) -> SlotReport:
    return SlotReport(at_us, False, b"{}", b"", b"", b"", b"", b"", b"", b"", b"", rows)


def test_hello_says_in_which_cell_each_terminal_is(world: World) -> None:
    said = hello(world, {})
    shown = json.loads(said.terminals_document)["terminals"]
    assert list(said.cells) == [terminal["cell"] for terminal in shown]
    assert len(np.unique(said.cells)) == len(PLACES)
