"""A call for help, and how it is answered: over HTTP, by people with roles, on a simulated clock."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from running import Person, first_operator, hold, invited, journal, service, verified

# Cells of about 250 km2 that hold Kyiv, Kharkiv and Lviv: no place of anybody's is told.
KYIV, KHARKIV, LVIV = "851e6387fffffff", "85119643fffffff", "851e768bfffffff"
CELLS = [KYIV, KHARKIV, LVIV]


@dataclass
class Staff:
    """Who takes part."""

    operator: Person
    approver: Person
    other_approver: Person
    logistics: Person


@dataclass
class Case:
    """What came of the call so far, by id."""

    call: str
    region: str
    account: str = ""
    recipient: Person | None = None
    batches: list[str] = field(default_factory=list)


def main(folder: Path) -> None:
    data = Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    with service(data) as setup_url:
        staff = set_up(setup_url)
        case = called(staff)
        authorised(staff, case)
        switched_on(staff, case)
        told(staff, case, "service-active", "Service is active in Ukraine")
        first = first_terminal(staff, case)
        rest = batch(staff, case, 1, "02-28T16:40", ("KIT-0101", "KIT-0102"))
        rest += batch(staff, case, 2, "03-01T09:15", ("KIT-0201", "KIT-0202", "KIT-0203"), ("KIT-0202",))
        online(staff, case, [first, *rest])
        told(staff, case, "batch-received", "in good order: 2")
        untrue = {"kind": "service-paused", "about": case.region}
        staff.operator.refused("statement.contradiction", "statements", **untrue)
        last = told(staff, case, "terminals-online", "Ukraine: 5")
        rows = journal(staff.operator, last, "statement.published/1")
        measured(rows, case)
    audit = verified(data, rows[-1]["hash"])
    print(f"audit: {audit['rows']} rows, all as they were written, and all state is what they made of it")


def set_up(setup_url: str) -> Staff:
    operator = first_operator(setup_url)
    # Whose word counts. As nobody is an approver yet, one person records it alone; later it takes two.
    whose = {"source": "invented for this example", "countries": ["UA"]}
    operator.post(
        "authorities", code="MINISTRY", title="A ministry", kind="ministry",
        vouches_for=["askers", "terminals"], **whose,
    )  # fmt: skip
    operator.post(
        "authorities",
        code="REGULATOR",
        title="A regulator",
        kind="regulator",
        vouches_for=["licences"],
        **whose,
    )
    approver = invited(operator, "approver", None)
    other = invited(operator, "approver", approver)
    staff = Staff(operator, approver, other, invited(operator, "logistics", other))
    operator.tell("an operator, two approvers and a logistician have their logins")
    return staff


def called(staff: Staff) -> Case:
    """A public post is written down, read, and found to be of whom it says."""
    operator = staff.operator
    operator.until("2022-02-26T12:40:00Z")
    call = operator.post(
        "requests", channel="public-post", site_kind="government", asked_at="2022-02-26T12:06:00Z",
        terminals_wanted=5, link="https://example.org/posts/1", author="a minister", words="We need help.",
    )["id"]  # fmt: skip
    region = operator.post("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    operator.post(f"requests/{call}/place", cell=KYIV, region=region)
    operator.post(f"requests/{call}/acknowledge")
    operator.refused("request.not-verified", f"requests/{call}/accept", terminals=5)
    operator.tell("a public call from 12:06 is read; nothing is promised before its asker is verified")
    operator.until("2022-02-26T13:20:00Z")
    operator.refused("authority.not-known", f"requests/{call}/verify", authority="MINSTRY", how="called back")
    operator.post(f"requests/{call}/verify", authority="MINISTRY", how="called back")
    operator.post(f"requests/{call}/accept", terminals=5)
    operator.tell("the ministry vouches for the asker: five terminals are promised")
    return Case(call, region)


def authorised(staff: Staff, case: Case) -> None:
    """The authority's officer allows it for a month. Nobody else can, and it ends by itself."""
    operator = staff.operator
    officer = invited(operator, "authority", staff.approver, region=case.region)
    operator.post(f"regions/{case.region}/request")
    operator.until("2022-02-26T18:30:00Z")
    paper = {
        "paper": "temporary-authorisation", "authority": "REGULATOR", "document": "decision 1/22",
        "valid_from": "2022-02-26T18:00:00Z", "valid_until": "2022-03-26T18:00:00Z",
    }  # fmt: skip
    operator.refused("actor.not-allowed", f"regions/{case.region}/grant", **paper)
    officer.post(f"regions/{case.region}/grant", **paper)
    operator.tell("the authority's officer grants a temporary authorisation, until 26 March")


def switched_on(staff: Staff, case: Case) -> None:
    """Cells first, then the region; each change is agreed to by another person."""
    operator, region = staff.operator, f"regions/{case.region}"
    operator.until("2022-02-26T21:50:00Z")
    waiting = operator.post(f"{region}/activate")
    operator.refused("approval.people-missing", f"{region}/activate", approval=waiting["approval"])
    operator.tell("the operator alone cannot switch a region on")
    operator.together(staff.approver, f"{region}/cells", cells=CELLS, mode="enabled")
    done = operator.together(staff.other_approver, f"{region}/activate")
    hold(done["status"] == "active", "the region is active")
    operator.tell("two approvers, one change each: three cells are enabled, the region is active")


def first_terminal(staff: Staff, case: Case) -> str:
    """A dish that somebody in the country has already."""
    operator = staff.operator
    plan = operator.post("plans", title="Government", service_class=3, down_bps=50e6, up_bps=10e6)["id"]
    case.account = operator.post("accounts", holder="authority", country="UA", region=case.region)["id"]
    operator.post(f"accounts/{case.account}/verify", authority="MINISTRY", reference="letter 5/22")
    operator.post(f"accounts/{case.account}/plan", plan=plan)
    case.recipient = invited(operator, "subscriber", staff.approver, account=case.account)
    first = operator.post("terminals", hardware="ROUND-2021", kit="KIT-0001", origin="bought-abroad")["id"]
    allowed, why = operator.may(first, KYIV)
    hold(not allowed, "nobody is served unregistered")
    operator.tell(f"may the dish that is in Kyiv already be served? No: {why}")
    registered(staff, case, first, KYIV)
    operator.until("2022-02-26T22:40:00Z")
    link, why = operator.next_link(first)
    hold(link["why_down"] == "terminal_off", f"the sky serves nobody who is not switched on, but: {link}")
    operator.tell(f"registered and verified. The next slot does not serve it: {why}")
    case.recipient.post(f"terminals/{first}/activate")
    link, why = operator.next_link(first)
    hold(link["satellite"] is not None, f"the next slot serves the first terminal, but: {why or link}")
    operator.tell(
        f"activated. The next slot serves it, over satellite {link['satellite']} and {link['gateway']}"
    )
    command = operator.fact(first, "commands", "confirmed")[-1]
    hold(command["enforcer"] == "our-network", "the sky itself says that it is on")
    operator.tell(f"   that it is on, the sky has written down: {command['evidence']}")
    for cell, at, code in (
        (KHARKIV, "", "terminal.away-from-home"),
        (KYIV, "2022-03-26T18:00:00Z", "region.papers-missing"),
    ):
        allowed, why = operator.may(first, cell, at)
        hold(not allowed and why == code, f"{code} is why not, and not {why}")
        operator.tell(f"   and {'when the authorisation has ended' if at else 'in Kharkiv'}? No: {why}")
    return str(first)


def registered(staff: Staff, case: Case, terminal: str, cell: str) -> None:
    """The owner registers it, the operator verifies the right to it."""
    assert case.recipient is not None
    case.recipient.post(f"terminals/{terminal}/register", owner=case.account, cell=cell, region=case.region)
    staff.operator.post(
        f"terminals/{terminal}/verify", basis="authority", authority="MINISTRY", reference="letter 5/22"
    )


def batch(
    staff: Staff, case: Case, number: int, comes: str, kits: Sequence[str], damaged: Sequence[str] = ()
) -> list[str]:
    """One consignment from a depot abroad to its recipient; the terminals that came sound."""
    sender, recipient = staff.logistics, case.recipient
    assert recipient is not None
    ids = {kit: sender.post("terminals", hardware="ROUND-2021", kit=kit)["id"] for kit in kits}
    lines = {kit: {"product": "ROUND-2021", "quantity": 1, "serial": kit} for kit in kits}
    batch = sender.post(
        "shipments", reference=f"BATCH-{number}", origin="DEPOT-PL", destination="DEPOT-UA",
        recipient=case.account, request=case.call, region=case.region, lines=[*lines.values()],
    )["id"]  # fmt: skip
    case.batches.append(batch)
    path = f"shipments/{batch}"
    sender.post(f"{path}/plan-leg", from_place="DEPOT-PL", to_place="DEPOT-UA", carrier="ROAD-1")
    sender.post(f"{path}/set-paper", reference=f"T1-{number}/22", country="UA", standing="accepted")
    for step in ("pack", "depart"):
        sender.post(f"{path}/{step}")
    sender.tell(f"batch {number} departs: {len(kits)} kits")
    sender.post(f"{path}/enter-customs", country="UA")
    staff.operator.until(f"2022-{comes}:00Z")
    for step in ("leave-customs", "arrive"):
        sender.post(f"{path}/{step}")
    sound = [kit for kit in kits if kit not in damaged]
    sender.post(
        f"{path}/receive", sound=[lines[kit] for kit in sound], damaged=[lines[kit] for kit in damaged]
    )
    received = sender.post(f"{path}/complete")
    hold(received["status"] == "received", f"batch {number} is received")
    sender.post(f"{path}/prove", document=f"waybill {number}/22")
    recipient.post(f"{path}/confirm")
    sender.tell(f"batch {number} is received and confirmed: {len(sound)} sound, {len(damaged)} damaged")
    for found in received["discrepancies"]:
        lacks = sender.refused("shipment.not-finished", f"{path}/close")
        sender.post(
            f"{path}/resolve", number=found["number"], resolution="sent-back", document=f"return {number}/22"
        )
        sender.tell(f"   it could not be closed ({lacks}); the kit goes back")
    sender.post(f"{path}/close")
    return [ids[kit] for kit in sound]


def online(staff: Staff, case: Case, terminals: Sequence[str]) -> None:
    """What came sound goes on, and the call is answered."""
    operator = staff.operator
    assert case.recipient is not None
    for number, terminal in enumerate(terminals[1:]):
        registered(staff, case, terminal, CELLS[number % len(CELLS)])
        case.recipient.post(f"terminals/{terminal}/activate")
    operator.next_slot()
    for terminal in terminals:
        link, why = operator.link(terminal)
        hold(link["satellite"] is not None, f"each terminal is served at home, but: {why or link}")
        hold(operator.fact(terminal, "served_at") is not None, "and the sky has written it down")
    operator.post(f"requests/{case.call}/answer", terminals=len(terminals))
    operator.tell(f"all {len(terminals)} sound terminals are served at home; the call is answered")


def told(staff: Staff, case: Case, kind: str, words: str) -> str:
    """A word to the public: it comes from the record, and says what is recorded. Its id."""
    operator, batch = staff.operator, case.batches[-1] if case.batches else ""
    about = {"about": case.region, "place_uk": "Україна", "batch": batch}
    draft = operator.post("statements", kind=kind, **about)
    texts = operator.post(f"statements/{draft['id']}/publish")["texts"]
    hold(words in texts["en"], f"{kind} says: {words}")
    operator.tell(f"published: {texts['en']}")
    operator.tell(f"           {texts['uk']}")
    return str(draft["id"])


def measured(rows: Sequence[dict[str, Any]], case: Case) -> None:
    """Hours from the call, by the journal."""
    firsts: dict[str, int] = {}
    for row in rows:
        if row["subject"] in (case.call, case.region) or row["name"].startswith("terminal."):
            # That it served a terminal, the sky writes down a moment after the slot began that did.
            firsts.setdefault(row["name"], row["told"].get("slot_at", row["at_us"]))
    asked_us = next(row["told"]["asked_at"] for row in rows if row["name"] == "request.received/1")
    print("hours from the call to:")
    last = 0.0
    for words, name in (
        ("acknowledged", "request.acknowledged/1"),
        ("authorised", "region.paper-granted/1"),
        ("active", "region.activated/1"),
        ("first terminal", "terminal.served/1"),
    ):
        hours = (firsts[name] - asked_us) / 3.6e9
        hold(last < hours, f"{words} comes after what leads to it")
        last = hours
        print(f"  {words:<15}{hours:5.1f}")


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    main(out)
