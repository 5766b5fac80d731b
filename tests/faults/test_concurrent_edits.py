"""Many change one thing at one moment, over HTTP: one of them does, the others are told what it is now."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from skylift.adapters.passwords import token_hash
from skylift.adapters.sql.store import open_store
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.roles import Grant, Role
from skylift.service.account.token import LONGEST_TOKEN_US, Issue, TokenKind
from skylift.service.rooms import ROOMS
from skylift.twin.handle import begin, change
from tests.faults.test_faults_over_http import CALL, Served, audited, serving
from tests.faults.test_killed_server import add_operator

MANY = 12
CELLS = ["851e5227fffffff", "851e5237fffffff"]
APPROVERS = ("per_a", "per_b", "per_c")


@pytest.fixture
def served(store_url: str) -> Iterator[Served]:
    store = open_store(store_url, ROOMS)
    add_operator(store)
    who = Who(InstantUs(time.time_ns() // 1000), "setup")
    approver = Grant(Role.APPROVER)
    with store.transaction() as transaction:
        for id in APPROVERS:
            begin(persons.ROOM, transaction, id, persons.added(persons.ROOM.empty(id), who))
            change(persons.ROOM, transaction, id, lambda p: persons.granted(p, who, approver))
            # Two tokens of each: they are one person all the same.
            for number in range(2):
                issue = Issue(TokenKind.PROGRAM, id, token_hash(token_of(id, number)), LONGEST_TOKEN_US)
                empty = tokens.ROOM.empty(f"tok_{id}_{number}")
                begin(tokens.ROOM, transaction, empty.id, tokens.issued(empty, who, issue))
    store.close()
    with serving(store_url, busy_s=30.0) as server:
        yield server
    audited(store_url)


def token_of(person: str, number: int) -> str:
    return f"sky_of_{person}_{number}_in_this_test"


def at_once(asks: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """All of them at the same moment, each on a connection of its own."""
    ready = threading.Barrier(len(asks))

    def go(ask: Callable[[], httpx.Response]) -> httpx.Response:
        ready.wait(30)
        return ask()

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(go, asks))


def post(served: Served, path: str, body: object, token: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    return served.client.post(f"/api/v1/{path}", json=body, headers=named)


def test_one_of_many_edits_of_a_version_is_taken(served: Served) -> None:
    id = served.call().json()["id"]
    # Each of them could be done to it as it is.
    steps = [("acknowledge", {}), ("place", {"cell": CELLS[0]}), ("place", {"cell": CELLS[1]})]
    asks: list[Callable[[], httpx.Response]] = [
        lambda step=steps[number % 3]: post(served, f"requests/{id}/{step[0]}", step[1], If_Match='"1"')
        for number in range(MANY)
    ]
    answers = at_once(asks)
    taken = [answer for answer in answers if answer.status_code == 200]
    assert len(taken) == 1, Counter(answer.status_code for answer in answers)
    now = {"version": 2, "status": taken[0].json()["status"]}
    for answer in answers:
        if answer is taken[0]:
            continue
        assert answer.status_code == 409, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["now"] == now
        assert answer.json()["error"]["code"] == "request.changed"
    assert served.client.get(f"/api/v1/requests/{id}").json()["version"] == 2


def test_a_write_that_comes_many_times_at_once_is_done_once(served: Served) -> None:
    answers = at_once([lambda: post(served, "requests", CALL, Idempotency_Key="one") for _ in range(MANY)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(served.calls()) == 1


def test_an_agreement_is_given_once_by_each_person_and_used_once(served: Served) -> None:
    region = post(served, "regions", {"country": "UA", "title": "Ukraine", "cells": CELLS}).json()["id"]
    body = {"cells": CELLS, "mode": "enabled"}
    first, second = (post(served, f"regions/{region}/cells", body).json() for _ in range(2))

    def agree(approval: dict[str, str], person: str, number: int) -> Callable[[], httpx.Response]:
        path, told = f"approvals/{approval['approval']}/agree", {"change": approval["change"]}
        return lambda: post(served, path, told, token_of(person, number))

    asks = [agree(first, person, number) for person in APPROVERS for number in (0, 1, 0)]
    answers = at_once(asks)
    assert Counter(answer.status_code for answer in answers) == {200: len(APPROVERS), 409: len(asks) - 3}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "approval.same-person"
    people = served.client.get(f"/api/v1/approvals/{first['approval']}").json()["people"]
    assert sorted(people) == sorted(["per_1", *APPROVERS])
    assert agree(second, "per_a", 0)().status_code == 200
    # Both are agreed to, and bind the region as it is: whichever is used first, the other is void by it.
    path, both = f"regions/{region}/cells", (first["approval"], second["approval"])
    uses: list[Callable[[], httpx.Response]] = [
        lambda id=id: post(served, path, body | {"approval": id}) for id in both for _ in range(4)
    ]
    answers = at_once(uses)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: len(uses) - 1}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] in {"approval.other-change", "approval.wrong-state"}
            assert answer.json()["now"] == {"version": 2, "status": "closed"}
    assert served.client.get(f"/api/v1/regions/{region}").json()["version"] == 2
