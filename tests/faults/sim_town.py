"""The town that every seed begins with: people, and things in most of the states that things can be in.

It is made once in a process, without faults, and by the same doors as everything else.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import pickle
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from skylift.adapters.passwords import token_hash
from skylift.api.office.documents import plural
from skylift.base.events import Who
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.roles import Grant, Role
from skylift.service.account.token import LONGEST_TOKEN_US, Issue, TokenKind
from skylift.twin.handle import begin, change
from skylift.twin.office.table import TABLE
from tests.faults.sim_checker import Ledger
from tests.faults.sim_clients import KINDS, Clients, Command, Persona
from tests.faults.sim_service import DATABASE, START_US, Answer, Clock, Ids, Service, simulated
from tests.faults.sim_wants import CELLS, DAY_US, RULES, SPARE_CELLS, Known

# On a disk of memory where there is one: what is tested is order, not the disk.
ROOT = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
# The town is older than the grace of its allow-lists.
OLD_US = 6 * DAY_US
HOUR_US = DAY_US // 24


@dataclass(frozen=True)
class Template:
    """A database with a town in it, what is known of it, and what the checker has read of it."""

    folder: Path
    personas: tuple[Persona, ...]
    known: Known
    canaries: dict[str, str]
    read: bytes

    def ledger(self) -> Ledger:
        """As the checker has it after the town's rows, of its own for each seed."""
        found: Ledger = pickle.loads(self.read)
        return found


@cache
def template() -> Template:
    """Made once in a process."""
    folder = home() / "template"
    folder.mkdir()
    clock, ids = Clock(START_US - OLD_US), Ids("t")
    with simulated(clock, ids):
        service = Service(folder, 0, clock, ids, fault_free=True)
        try:
            town = asyncio.run(_make_town(service))
        finally:
            service.close()
    ledger = Ledger()
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        ledger.read(connection)
    # What is there by now stays: nobody looks through it for garbage, seed after seed.
    gc.collect()
    gc.freeze()
    return Template(folder, town.personas, town.known, town.canaries, pickle.dumps(ledger))


@cache
def home() -> Path:
    """Where this process has its databases."""
    folder = Path(tempfile.mkdtemp(prefix="skylift-sim-", dir=ROOT))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# Who there is: name, roles, and how many tokens.
STAFF = (
    ("operator", ("operator",), 2),
    ("operator", ("operator",), 1),
    ("approver", ("approver",), 1),
    ("approver", ("approver",), 1),
    ("both", ("operator", "approver"), 2),
    ("logistics", ("logistics",), 1),
    ("field", ("field",), 1),
    ("auditor", ("auditor",), 1),
    ("viewer", ("viewer",), 1),
    ("newcomer", ("viewer", "field"), 0),
    ("locked", ("viewer",), 0),
)
# What these reach must be there before them.
OTHERS = (
    ("authority", ("authority",), 1),
    ("neighbour", ("authority",), 1),
    ("subscriber", ("subscriber",), 1),
    ("subscriber", ("subscriber",), 1),
)


async def _make_town(service: Service) -> Town:
    known = Known()
    staff = _make_people(service, STAFF, (), ())
    town = Town(service, Clients(staff, known, random.Random(0)), staff)
    await _places(town)
    await _terminals(town)
    await _requests(town)
    await _shipments(town)
    await _commands(town)
    await _words(town)
    await _list_and_tables(town)
    service.clock.us = START_US
    for kind in KINDS:
        listed = await town.ask(town.who("operator"), "GET", f"{plural(kind)}?limit=100")
        for document in listed.document["items"]:
            known.learn(kind, document)
    await _under_way(town)
    return town


@dataclass
class Town:
    """Does one thing after another, each of which must work."""

    service: Service
    clients: Clients
    personas: tuple[Persona, ...]

    def __post_init__(self) -> None:
        self.known = self.clients.known
        self.canaries: dict[str, str] = {}
        self.ua = self.pl = self.plan = ""
        self.accounts: list[str] = []

    def who(self, role: str) -> Persona:
        return next(p for p in self.personas if p.roles == (role,))

    async def ask(self, by: Persona, method: str, path: str, body: Any = None) -> Answer:
        return await self.answer(self.clients.made(by, method, path, body))

    async def answer(self, command: Command) -> Answer:
        asking = self.begin(command)
        while not asking.done():
            await asyncio.sleep(0)
            self.service.writer.step(100)
        return asking.result()

    def begin(self, command: Command) -> asyncio.Task[Answer]:
        asked = self.service.ask(command.method, command.path, command.text(), command.headers)
        return asyncio.ensure_future(asked)

    async def made(self, role: str, verb: str, about: str = "", /, **body: Any) -> str:
        """The id of the thing that a verb was done to."""
        answer = await self.ask(self.who(role), "POST", _path(verb, about), body)
        assert answer.status in (200, 201), (verb, answer)
        return str(answer.document["id"])

    async def each(self, role: str, about: str, /, *verbs: str, **body: Any) -> None:
        """Several verbs one after the other."""
        for verb in verbs:
            await self.made(role, verb, about, **body)

    async def proposed(self, verb: str, about: str, /, **body: Any) -> str:
        """The agreement that a change waits for."""
        path = _path(verb, about)
        operator = self.who("operator")
        waiting = await self.ask(operator, "POST", path, body)
        assert waiting.status == 202, waiting
        approval = str(waiting.document["approval"])
        self.known.waiting[approval] = self.clients.made(operator, "POST", path, body, (), verb, about)
        self.known.changes[approval] = waiting.document["change"]
        self.known.learn("approval", waiting.document)
        return approval

    async def by_two(self, verb: str, about: str = "", /, **body: Any) -> str:
        approval = await self.proposed(verb, about, **body)
        exact = {"change": self.known.changes.pop(approval)}
        agreed = await self.ask(self.who("approver"), "POST", f"approvals/{approval}/agree", exact)
        assert agreed.status == 200, agreed
        command = self.known.waiting.pop(approval)
        done = await self.ask(command.by, "POST", command.path, {**body, "approval": approval})
        assert done.status in (200, 201), done
        return str(done.document["id"])


def _path(verb: str, about: str) -> str:
    kind, _, action = verb.partition(".")
    return f"{plural(kind)}/{about}/{action}" if about else plural(kind)


def _make_people(
    service: Service, people: Sequence[Any], regions: Sequence[str], accounts: Sequence[str]
) -> tuple[Persona, ...]:
    found: list[Persona] = []
    account_of = iter(accounts)
    who = Who(service.clock.now(), "setup")
    with service.store.transaction() as transaction:
        for number, (name, roles, many) in enumerate(people):
            id = f"per_{name}_{number}"
            account = next(account_of) if name == "subscriber" else ""
            begin(persons.ROOM, transaction, id, persons.added(persons.ROOM.empty(id), who, account))
            for role in roles:
                territory = tuple(regions) if role == "authority" else ()
                if name == "neighbour":
                    territory = territory[1:2]
                grant = Grant(Role(role), territory)
                change(persons.ROOM, transaction, id, lambda p, g=grant: persons.granted(p, who, g))
            for token in range(many):
                secret = f"sky_{id}_{token}_of_a_simulation"
                issue = Issue(TokenKind.PROGRAM, id, token_hash(secret), LONGEST_TOKEN_US)
                token_id = f"tok_{id}_{token}"
                empty = tokens.ROOM.empty(token_id)
                begin(tokens.ROOM, transaction, token_id, tokens.issued(empty, Who(who.at, id), issue))
                found.append(Persona(id, secret, roles, account))
    return tuple(found)


async def _places(town: Town) -> None:
    """A region that is on, others that are not, accounts, and who belongs to these."""
    made = town.made
    town.ua = await made("operator", "region.create", country="UA", title="Ukraine", cells=CELLS[:3])
    town.pl = await made("operator", "region.create", country="PL", title="Poland", cells=CELLS[3:])
    spare = [
        await made("operator", "region.create", country="PL", title=f"Part {n}", cells=[SPARE_CELLS[n]])
        for n in range(3)
    ]
    in_ua = {"holder": "company", "country": "UA", "region": town.ua}
    accounts = [await made("operator", "account.create", **in_ua) for _ in range(4)]
    town.accounts = accounts
    await _authorities(town)
    town.personas += _make_people(town.service, OTHERS, (town.ua, town.pl, *spare), accounts)
    await made("operator", "person.lock", "per_locked_10", reason="REF-1")
    now = town.service.clock.us
    paper = {
        "paper": "temporary-authorisation",
        "authority": "REGULATOR",
        "document": "REF-1",
        "valid_from": now - DAY_US,
        "valid_until": START_US + 20 * DAY_US,
    }
    for region in (town.ua, town.pl):
        await made("authority", "region.grant", region, **paper)
    await made("operator", "region.request", spare[1])
    await made("authority", "region.prohibit", spare[2], authority="REGULATOR", reason="REF-1")
    await town.by_two("region.cells", town.ua, cells=sorted(CELLS[:3]), mode="enabled")
    await town.by_two("region.activate", town.ua)
    offer = {"service_class": 1, "down_bps": 5e7, "up_bps": 1e7}
    town.plan = await made("operator", "plan.create", title="Help", **offer)
    await made("operator", "plan.create", title="Other", **offer)
    for account in accounts[:3]:
        await made("operator", "account.verify", account, authority="MINISTRY", reference="REF-1")
        await made("operator", "account.plan", account, plan=town.plan)
    await made("operator", "account.suspend", accounts[2], reason="REF-1")
    await made("authority", "account.sanction", accounts[3], authority="REGULATOR", list_name="LIST-1")


async def _authorities(town: Town) -> None:
    """On the register, where there is one: those that the town's people name, and one that is withdrawn."""
    if "authority.create" not in TABLE.verbs:
        return
    entry = {
        "title": "An authority of this town",
        "vouches_for": ["askers", "licences", "customs", "terminals"],
        "source": "REF-1",
        "everywhere": True,
    }
    for code, kind in (
        ("REGULATOR", "regulator"),
        ("MINISTRY", "ministry"),
        ("UA-MDT", "ministry"),
        ("OPS", "operator"),
    ):
        await town.by_two("authority.create", code=code, kind=kind, **entry)
    gone = await town.by_two("authority.create", code="GONE", kind="customs", **entry)
    await town.made("operator", "authority.withdraw", gone, reason="REF-1")


async def _terminals(town: Town) -> None:
    """Three that are on, and one in each other state and of each other standing."""

    async def new(serial: str, network: str = "ours", **more: Any) -> str:
        names = {"serial": serial, "kit": "", "dish_id": ""}
        return await town.made(
            "operator", "terminal.create", hardware="STD-V2", network=network, **names, **more
        )

    async def owned(n: int, *then: str, network: str = "ours") -> str:
        terminal = await new(f"TWN{n:04d}", network, origin="gift")
        home = {"owner": town.accounts[n % 2], "cell": CELLS[n % 2], "region": town.ua, "mobility": "fixed"}
        await town.made("operator", "terminal.register", terminal, **home)
        basis = {"basis": "operator", "authority": "OPS", "reference": "REF-1", "list_id": ""}
        if then:
            await town.made("operator", "terminal.verify", terminal, **basis)
        await town.each("operator", terminal, *then[1:])
        return terminal

    for n in range(3):
        await owned(n, "verified", "terminal.activate")
    await owned(3, "verified")
    await new("TWN0004", origin="gift")
    await owned(5)
    await owned(6, "verified", "terminal.activate", "terminal.pause")
    # What an operator's network was asked, people say is so.
    for n in (14, 15, 16):
        await owned(n, "verified", "terminal.activate", network="operator")
    await owned(17, "verified", "terminal.activate", "terminal.pause", network="operator")
    offered = await owned(7, "verified")
    await town.made("operator", "terminal.hand-over", offered, to=town.accounts[0])
    await town.each("operator", await new("TWN0008", origin="gift"), "terminal.report-lost")
    blocked = await new("TWN0009", origin="gift")
    order = {"why": "authority-order", "authority": "REGULATOR", "document": "REF-1"}
    await town.made("operator", "terminal.block", blocked, **order, for_ever=False)
    retired = await new("TWN0010", origin="gift")
    await town.made("operator", "terminal.retire", retired, why="broken")
    await new("TWN0011")
    exported = await new("TWN0012")
    border = {"country": "PL", "document": "REF-1"}
    await town.made("logistics", "terminal.export", exported, **border)
    held = await new("TWN0013")
    for verb in ("terminal.export", "terminal.enter-customs"):
        await town.made("logistics", verb, held, **border)


async def _requests(town: Town) -> None:
    call = {"channel": "phone", "site_kind": "hospital", "people": 0, "cell": CELLS[0]}
    found = []
    for number in range(7):
        canary = f"CANARY-T{number}-"
        found.append(await town.made("operator", "request.create", asker=canary, **call))
        town.canaries[found[-1]] = canary
    for id in found[2:6]:
        await town.made("operator", "request.acknowledge", id)
    for id in found[3:6]:
        await town.made("operator", "request.verify", id, authority="MINISTRY", how="letter")
    for id in found[4:6]:
        await town.made("operator", "request.accept", id, terminals=1)
    await town.made("operator", "request.answer", found[5], terminals=1)
    await town.made("operator", "request.refuse", found[6], reason="no-terminals-left")
    for _ in range(2):
        await town.made("operator", "request.create", draft=True, **call)
    again = await town.made("operator", "request.create", **call)
    await town.made("operator", "request.merge", again, into=found[0])


async def _shipments(town: Town) -> None:
    """One in each state from a draft to one that could be closed."""
    stages: tuple[tuple[str, dict[str, Any]], ...] = (
        ("shipment.plan-leg", {"from_place": "WAW-1", "to_place": "KBP-1", "carrier": "CAR-1"}),
        ("shipment.pack", {}),
        ("shipment.depart", {}),
        ("shipment.arrive", {}),
        ("shipment.receive", {}),
        ("shipment.complete", {}),
        ("shipment.prove", {"document": "REF-1"}),
    )
    for n, stage in enumerate((0, 2, 3, 3, 3, 4, 6, 7)):
        lines = [{"product": "DISH-GEN2", "quantity": 1, "serial": f"SHP{n}{i}"} for i in range(3)]
        shipment = await town.made(
            "logistics", "shipment.create", reference=f"TRK-{n}", origin="WAW-1", destination="KBP-1",
            recipient=town.accounts[n % 2], region=town.ua, request="", lines=lines,
        )  # fmt: skip
        for verb, told in stages[:stage]:
            came = {"sound": lines, "damaged": []} if n == 7 else {"sound": lines[:2], "damaged": lines[2:]}
            more = came if verb == "shipment.receive" else {}
            await town.made("logistics", verb, shipment, **told, **more)
        if n == 3:
            paper = {"reference": "REF-1", "country": "PL", "standing": "accepted"}
            await town.made("logistics", "shipment.set-paper", shipment, **paper)
            await town.made("logistics", "shipment.enter-customs", shipment, country="PL")
        if n == 4:
            await town.made("logistics", "shipment.lose", shipment)
        if n == 7:
            recipient = next(p for p in town.personas if p.account == town.accounts[1])
            confirmed = await town.ask(recipient, "POST", f"shipments/{shipment}/confirm", {})
            assert confirmed.status == 200, confirmed


async def _commands(town: Town) -> None:
    """One that waits for a dish, an owner's consent, and the first stage of a rollout."""
    if "rollout.create" not in TABLE.verbs:
        return
    listed = await town.ask(town.who("operator"), "GET", "terminals?q=twn000")
    terminal, *others = [one["id"] for one in listed.document["items"]]
    await town.made("operator", "command.create", terminal=terminal, command="reboot")
    await town.made("operator", "consent.create", terminal=terminal, kinds=["stow"], document="REF-1")
    await town.by_two("rollout.create", terminals=others[:3], command="reboot", reason="REF-1")


async def _words(town: Town) -> None:
    """What the public is told, what was measured, and who is told of events."""
    about = {"kind": "service-active", "about": town.ua, "batch": "", "place_uk": "Україна"}
    await town.made("operator", "statement.create", **about)
    await town.made("operator", "statement.publish", await town.made("operator", "statement.create", **about))
    figure = {"country": "UA", "day": "2026-02-20", "what": "rank", "value": 1.0, "source": "REF-1"}
    await town.made("operator", "app-figure.create", **figure)
    now = town.service.clock.us
    level = {"fraction": 0.4, "low": 0.3, "high": 0.5}
    for n in range(3):
        entity = {"kind": "country", "code": f"X{n}", "title": "Somewhere"}
        times = {"began_at": now - 2 * HOUR_US, "confirmed_at": now - HOUR_US}
        outage = await town.made("operator", "outage.create", entity=entity, level=level, **times)
    await town.made("operator", "outage.hold", outage, reason="REF-1")
    await town.made("operator", "outage.close", outage, ended_at=now)
    for n in range(2):
        hook = await town.made("operator", "webhook.create", url=f"https://hooks.example/{n}", after=0)
    await town.made("operator", "webhook.pause", hook)


async def _list_and_tables(town: Town) -> None:
    """A list that was taken back, one whose grace ends before the seed begins, and a table half written."""

    async def listed(*numbers: int) -> str:
        rows = "".join(f"TWN{n:04d},company,yes,CASE-{n}\n" for n in numbers)
        given = {"rules": RULES, "region": town.ua, "csv": f"serial,owner_kind,shown,reference\n{rows}"}
        taken = await town.made("operator", "allow-list.create", **given, document="REF-1")
        town.service.clock.us += 2 * DAY_US
        look = await town.ask(town.who("operator"), "GET", f"allow-lists/{taken}/look")
        town.known.looks[taken] = seen(look.document)
        return taken

    old = await listed(0, 1, 2, 3, 5, 6, 7)
    await town.made("operator", "allow-list.apply", old, **town.known.looks[old])
    taken_back = {"authority": "UA-MDT", "document": "REF-1"}
    await town.made("operator", "allow-list.withdraw", old, **taken_back)
    await listed(0, 1, 3, 5, 6, 7)
    rows = "".join(f"TWN02{n:02d},STD-V2\n" for n in range(5))
    by, path, table = town.who("logistics"), "terminals/imports", f"serial,hardware\n{rows}"
    plan = await town.answer(town.clients.table(by, path, table))
    path = f"{path}?apply={plan.document['hash']}"
    asking = town.begin(town.clients.table(by, path, table))
    # Whoever handed it in is gone after the first part.
    while not any(head.startswith("import.part-written") for head in _events(town)):
        await asyncio.sleep(0)
        town.service.writer.step(1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    town.service.writer.waiting.clear()
    town.known.plans.append((path, table))


def _events(town: Town) -> list[str]:
    sequence, _ = town.service.store.head()
    return [row.event.NAME for row in town.service.store.journal(max(0, sequence - 8), 8)]


async def _under_way(town: Town) -> None:
    """What waits for another person when a seed begins."""
    await town.proposed("region.activate", town.pl)
    await town.proposed("person.grant", "per_newcomer_9", role="operator", regions=[])


def seen(look: dict[str, Any]) -> dict[str, Any]:
    """What `apply` and `schedule` are told of what an allow-list would do."""
    return {"seen": look["seen"], "cut_off": len(look["cut_off"]), "flagged": len(look["flagged"])}


def states() -> dict[str, set[str]]:
    """The kinds of things that the town has, and the states that they are in."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    known = template().known
    for kind, ids in known.ids.items():
        found[kind] |= {known.shown[id]["status"] for id in ids}
    return found
