"""Authorities that tests name, as a register that somebody has filled before."""

from __future__ import annotations

from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Store
from skylift.service.authority import decide
from skylift.service.authority.events import Kind, Matter, Terms
from skylift.service.authority.state import ROOM
from skylift.twin.handle import begin

ALL = tuple(Matter)
SOURCE = "the tests themselves"
KNOWN = {
    "MINISTRY": Terms("A ministry", Kind.MINISTRY, (Matter.ASKERS, Matter.TERMINALS), SOURCE, ("PL", "UA")),
    "MDT": Terms("Another ministry", Kind.MINISTRY, (Matter.ASKERS, Matter.TERMINALS), SOURCE, ("UA",)),
    "UA-MDT": Terms("A ministry's office", Kind.MINISTRY, ALL, SOURCE, ("UA",)),
    "REGULATOR": Terms("A regulator", Kind.REGULATOR, ALL, SOURCE, ("PL", "UA")),
    "NCEC": Terms("The commission", Kind.REGULATOR, ALL, SOURCE, ("UA",)),
    "US-1": Terms("An office abroad", Kind.REGULATOR, ALL, SOURCE, ("UA", "US")),
    "OPS": Terms("The operator", Kind.OPERATOR, (Matter.ASKERS, Matter.TERMINALS), SOURCE, everywhere=True),
}


def record_known(store: Store, at: int = 0) -> None:
    """Write them, each with a plain id: aut_ua-mdt."""
    with store.transaction() as transaction:
        for code, terms in KNOWN.items():
            id = f"aut_{code.lower()}"
            who = Who(InstantUs(at), "per_recorder")
            begin(ROOM, transaction, id, decide.recorded(ROOM.empty(id), who, code, terms))
