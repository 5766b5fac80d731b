"""What permission knows in memory: that a list came into force is known at once, and that it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.office.facts import Facts
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.service.account import account as account_room
from skylift.service.permission.reasons import Code
from skylift.service.rooms import ROOMS
from skylift.service.terminal import decide as terminals
from skylift.service.terminal.allow_list import events as lists
from skylift.service.terminal.allow_list import state as list_room
from skylift.service.terminal.allow_list.rows import Entry
from skylift.service.terminal.decide import Home, Names
from skylift.service.terminal.events import Basis, Network, Origin
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.twin.handle import begin, change

CELL = "851e5227fffffff"
WHO = Who(InstantUs(1_000_000), "per_1")


def test_a_list_that_comes_into_force_bars_who_is_not_on_it_before_each_is_blocked(tmp_path: Path) -> None:
    store = open_store(sqlite_url(tmp_path), ROOMS)
    with store.transaction() as transaction:
        account = account_room.Account("acc_a")
        opened = account_room.opened(account, WHO, account_room.Holder.COMPANY, "UA")
        begin(account_room.ROOM, transaction, "acc_a", opened)
        for id in ("trm_1", "trm_2"):
            names = Names(serial=f"KIT000000{id[-1]}")
            made = terminals.declared(
                TERMINALS.empty(id), WHO, names, "ROUND-2021", Network.OURS, Origin.GIFT
            )
            begin(TERMINALS, transaction, id, made)
            for decide in (
                lambda t: terminals.registered(t, WHO, "acc_a", Home(CELL)),
                lambda t: terminals.verified(t, WHO, Basis.OPERATOR, "US-1", "check 1"),
                lambda t: terminals.activated(t, WHO, "cmd_1"),
            ):
                change(TERMINALS, transaction, id, decide)
    facts = Facts(store)

    def codes(id: str) -> set[Code]:
        permissions = asyncio.run(facts.permissions())
        return {why.code for why in permissions.may_serve(id, CELL, 3_000_000).reasons}

    assert Code.TERMINAL_NOT_LISTED not in codes("trm_2")
    at = InstantUs(2_000_000)
    entry = Entry("KIT0000001", "", "", "company", True, "7/26")
    events: list[Event] = [
        lists.AllowListAccepted(
            at, "per_1", "alw_1", None, "ua-2026", 1, "UA", "UA-MDT", "list 1", (entry,), at, 1, 0
        ),
        lists.AllowListApplied(at, "per_1", "alw_1", None, ("trm_2",), ("trm_1",)),
    ]
    with store.transaction() as transaction:
        begin(list_room.ROOM, transaction, "alw_1", events)
    facts.behind = True
    assert Code.TERMINAL_NOT_LISTED in codes("trm_2")
    assert Code.TERMINAL_NOT_LISTED not in codes("trm_1")
    with store.transaction() as transaction:
        gone = lists.AllowListWithdrawn(InstantUs(2_500_000), "per_1", "alw_1", None, "UA-MDT", "order 9")
        change(list_room.ROOM, transaction, "alw_1", lambda _: [gone])
    facts.behind = True
    assert Code.TERMINAL_NOT_LISTED not in codes("trm_2")
    facts.close()
    store.close()
