"""What the sky is told of the office, and what it did as facts: over a real store, without a sky."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.sky_messages import Hello, OfficeRows, Permits, PermitsWanted, SlotReport
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.obeying import SKY, Obedience
from skylift.api.office.desk import Desk
from skylift.api.state import LiveState
from skylift.base.errors import Unavailable
from skylift.base.events import Who
from skylift.base.instants import InstantUs, parse_instant
from skylift.base.link import WhyDown
from skylift.service.rooms import ROOMS
from skylift.service.terminal import decide, trouble
from skylift.service.terminal import events as e
from skylift.service.terminal.decide import Home, Names
from skylift.service.terminal.events import CommandKind
from skylift.service.terminal.state import ROOM, Terminal
from skylift.twin.handle import begin, change

START_US = int(parse_instant("2022-02-26T12:00:12Z"))
SLOT_US = 15_000_000
CELL = "851e5227fffffff"
UP, OFF, BARRED = int(WhyDown.UP), int(WhyDown.TERMINAL_OFF), int(WhyDown.NOT_PERMITTED)


class Town:
    """A desk, a state of the sky, and a sky that is played by hand."""

    def __init__(self, folder: Path) -> None:
        clock, self.leap = SimulatedClock(START_US - 10_000_000).leaping()
        self.desk = Desk(open_store(sqlite_url(folder), ROOMS), clock)
        self.state = LiveState(clock)
        self.state.take(Hello(b"", (), (), SLOT_US, b"", b"", {}))
        self.told: list[Permits] = []
        self.obedience = Obedience(self.desk, self.state, self.told.append)
        self.commands = 0

    async def do(self, decision: Any, *arguments: Any, id: str = "trm_1") -> None:
        """Decide something about a terminal; ids of commands are handed in."""
        self.commands += 1
        who = Who(InstantUs(self.desk.clock.now()), "per_1")
        given = [f"cmd_{self.commands}" if a is CMD else a for a in arguments]
        await self.desk.write(lambda t: change(ROOM, t, id, lambda thing: decision(thing, who, *given)))

    async def made(self, id: str = "trm_1") -> None:
        """An active terminal of our own network, to which nothing was confirmed yet."""
        who = Who(InstantUs(self.desk.clock.now()), "per_1")
        names = Names(f"KIT-{id[4:]}001")
        new = decide.declared(Terminal(id), who, names, "MINI", e.Network.OURS, e.Origin.GIFT)
        await self.desk.write(lambda t: begin(ROOM, t, id, new))
        await self.do(decide.registered, "acc_1", Home(CELL), id=id)
        await self.do(decide.verified, e.Basis.OPERATOR, "OPS", "case 1", id=id)
        await self.do(decide.activated, CMD, id=id)

    async def ask(self, at_us: int, anew: bool = False) -> Permits:
        """The sky asks, and is answered."""
        before = len(self.told)
        self.obedience.take(PermitsWanted(at_us, anew))
        while len(self.told) == before:
            await asyncio.sleep(0.005)
        return self.told[-1]

    async def slot(self, permits: Permits, why_down: dict[str, int]) -> None:
        """A slot that was computed from these permits, and has begun."""
        columns = {"why_down": bytes(why_down.values())}
        rows = OfficeRows(permits.life, permits.sequence, tuple(why_down), (), b"", b"", columns)
        self.state.take(SlotReport(permits.at_us, False, b"{}", *(b"",) * 8, office=rows))
        kept = self.state.slot_at(permits.at_us)
        assert kept is not None
        await self.obedience._record(kept)

    def thing(self, id: str = "trm_1") -> Terminal:
        with self.desk.store.reading() as reader:
            stored = reader.get(ROOM, id)
        assert stored is not None
        return stored.thing

    async def close(self) -> None:
        self.state.close()
        assert self.desk.store.verify().valid
        await asyncio.to_thread(self.desk.close)


CMD = object()


def played(folder: Path, play: Any) -> None:
    async def go() -> None:
        town = Town(folder)
        try:
            await play(town)
        finally:
            await town.close()

    asyncio.run(go())


def test_what_a_slot_did_is_a_fact_by_the_sky_and_only_once(tmp_path: Path) -> None:
    async def play(town: Town) -> None:
        await town.made()
        permits = await town.ask(START_US, anew=True)
        assert (permits.anew, permits.columns[0]) == (True, ["trm_1"])
        await town.slot(permits, {"trm_1": UP})
        thing = town.thing()
        [confirmed] = thing.commands.confirmed
        assert (confirmed.kind, confirmed.evidence) == (CommandKind.ACTIVATE, "slot 2022-02-26T12:00:12Z")
        assert thing.served_at == START_US
        head = town.desk.store.head()
        again = await town.ask(START_US + SLOT_US)
        await town.slot(again, {"trm_1": UP})
        assert town.desk.store.head() == head
        rows = town.desk.store.journal(0, 100)
        by = {type(row.event): row.event.by for row in rows}
        assert by[e.CommandConfirmed] == by[e.TerminalServed] == SKY
        served = next(row.event for row in rows if isinstance(row.event, e.TerminalServed))
        assert served.at >= served.slot_at == START_US

    played(tmp_path, play)


def test_a_slot_confirms_nothing_that_came_after_its_permits(tmp_path: Path) -> None:
    """Also where the clock says that it was asked before the slot began."""

    async def play(town: Town) -> None:
        await town.made()
        permits = await town.ask(START_US, anew=True)
        await town.do(trouble.lost, CMD)
        await town.slot(permits, {"trm_1": UP})
        thing = town.thing()
        assert thing.commands.confirmed == ()
        assert thing.served_at is None
        # The next slot knows, and keeps it out.
        after = await town.ask(START_US + SLOT_US)
        await town.slot(after, {"trm_1": BARRED})
        [confirmed] = town.thing().commands.confirmed
        assert confirmed.kind is CommandKind.BLOCK

    played(tmp_path, play)


def test_what_a_slot_did_not_do_is_not_in_force(tmp_path: Path) -> None:
    async def play(town: Town) -> None:
        await town.made()
        permits = await town.ask(START_US, anew=True)
        # Its region is not active: let in by nobody.
        await town.slot(permits, {"trm_1": int(WhyDown.REGION_NOT_ACTIVE)})
        assert town.thing().in_force(START_US) is None
        # Let in, and no satellite for it: that it is on, is in force; served it was not.
        again = await town.ask(START_US + SLOT_US)
        await town.slot(again, {"trm_1": int(WhyDown.NO_SATELLITE)})
        assert len(town.thing().commands.confirmed) == 1
        assert town.thing().served_at is None
        third = await town.ask(START_US + 2 * SLOT_US)
        await town.slot(third, {"trm_1": UP})
        assert town.thing().served_at == START_US + 2 * SLOT_US

    played(tmp_path, play)


def test_a_terminal_that_the_sky_does_not_have_is_cut_off_there(tmp_path: Path) -> None:
    async def play(town: Town) -> None:
        await town.made()
        await town.do(trouble.lost, CMD)
        permits = await town.ask(START_US, anew=True)
        await town.slot(permits, {})
        assert town.thing().commands.confirmed[-1].kind is CommandKind.BLOCK

    played(tmp_path, play)


def test_what_is_told_is_what_is_new(tmp_path: Path) -> None:
    async def play(town: Town) -> None:
        await town.made("trm_1")
        await town.made("trm_2")
        assert sorted((await town.ask(START_US, anew=True)).columns[0]) == ["trm_1", "trm_2"]
        assert (await town.ask(START_US + SLOT_US)).columns[0] == []
        await town.do(trouble.lost, CMD, id="trm_2")
        told = await town.ask(START_US + 2 * SLOT_US)
        assert (told.anew, told.columns[0]) == (False, ["trm_2"])
        # A sky that begins anew is told everything.
        anew = await town.ask(START_US + 2 * SLOT_US, anew=True)
        assert anew.life == told.life + 1
        assert sorted(anew.columns[0]) == ["trm_1", "trm_2"]

    played(tmp_path, play)


def test_a_store_that_is_away_is_told_at_once_and_then_everything_comes_again(tmp_path: Path) -> None:
    async def play(town: Town) -> None:
        await town.made()
        await town.ask(START_US, anew=True)

        async def away(*_: Any) -> Any:
            raise Unavailable("store.away", "the store", "it does not answer", "wait")

        ask, town.desk.facts.ask = town.desk.facts.ask, away  # type: ignore[method-assign, assignment]
        told = await town.ask(START_US + SLOT_US)
        assert not told.heard
        town.desk.facts.ask = ask  # type: ignore[method-assign]
        told = await town.ask(START_US + 2 * SLOT_US)
        assert (told.heard, told.anew, told.columns[0]) == (True, True, ["trm_1"])

    played(tmp_path, play)
