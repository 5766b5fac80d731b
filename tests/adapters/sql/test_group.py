"""Group commit: shared transactions, each change answered for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import event

from skylift.adapters.sql import ready
from skylift.adapters.sql.group import GroupWriter
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.errors import Unavailable
from skylift.ports.store import Conflict, Stored, Transaction
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, ROOMS, Kit, made


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    store = open_store(store_url, ROOMS)
    yield store
    store.close()


def making(id: str, serial: str = "") -> Callable[[Transaction], Stored[Kit]]:
    return lambda transaction: begin(KITS, transaction, id, [made(id, serial)])


def held_up(writer: GroupWriter) -> threading.Event:
    """Keeps the writer busy until the event is set, so that what comes meanwhile is written together."""
    started, goes_on = threading.Event(), threading.Event()

    def wait(transaction: Transaction) -> None:
        started.set()
        assert goes_on.wait(30)

    writer.submit(wait)
    assert started.wait(30)
    return goes_on


def test_changes_that_wait_are_written_together_and_answered_each(store: SqlStore) -> None:
    writer = GroupWriter(store)
    goes_on = held_up(writer)
    commits: list[str] = []
    event.listen(store.engine, "commit", lambda connection: commits.append("commit"))
    futures: list[Future[Stored[Kit]]] = [writer.submit(making(f"kit_{n}", f"S-{n % 8}")) for n in range(10)]
    slipped = writer.submit(lambda transaction: 1 / 0)
    taken_back = writer.submit(making("kit_never"))
    assert taken_back.cancel()
    goes_on.set()
    assert [future.result(30).id for future in futures[:8]] == [f"kit_{n}" for n in range(8)]
    for late in futures[8:]:
        assert isinstance(late.exception(30), Conflict)
    assert isinstance(slipped.exception(30), ZeroDivisionError)
    writer.close()
    assert len(commits) <= 2  # the one that was held up, and all others
    assert [stored.id for stored in store.things(KITS)] == [f"kit_{n}" for n in range(8)]
    assert store.verify().valid


def test_a_refused_change_leaves_nothing_of_itself(store: SqlStore) -> None:
    writer = GroupWriter(store)
    goes_on = held_up(writer)

    def half(transaction: Transaction) -> None:
        begin(KITS, transaction, "kit_1", [made("kit_1", "S-1")])
        transaction.keep_personal("kit_1", {"name": "half"})
        begin(KITS, transaction, "kit_2", [made("kit_2", "S-1")])

    refused = writer.submit(half)
    after = writer.submit(making("kit_3", "S-1"))
    goes_on.set()
    assert isinstance(refused.exception(30), Conflict)
    assert after.result(30).version == 1
    writer.close()
    with store.reading() as reader:
        assert reader.personal("kit_1") == {}
        assert reader.get(KITS, "kit_1") is None
    assert store.head()[0] == 1
    assert store.verify().valid


def test_when_the_transaction_fails_all_are_told(store_url: str) -> None:
    if not store_url.startswith("sqlite"):
        pytest.skip("a lost server is tested in test_faults.py")
    store = open_store(store_url, ROOMS, busy_timeout_s=0.2)
    writer = GroupWriter(store)
    other = open_store(store_url, ROOMS)
    goes_on = held_up(writer)
    goes_on.set()
    with other.transaction():
        futures = [writer.submit(making(f"kit_{n}")) for n in range(5)]
        for future in futures:
            assert isinstance(future.exception(30), Unavailable)
    assert writer.write(making("kit_5")).version == 1
    writer.close()
    assert [stored.id for stored in store.things(KITS)] == ["kit_5"]
    store.close()
    other.close()


def test_a_closed_writer_has_written_all_and_takes_no_more(store: SqlStore) -> None:
    writer = GroupWriter(store)
    futures = [writer.submit(making(f"kit_{n}")) for n in range(200)]
    writer.close()
    assert all(future.done() for future in futures)
    assert store.head()[0] == 200
    with pytest.raises(Unavailable, match="closed"):
        writer.submit(making("kit_late"))
    writer.close()


def test_too_many_that_wait_are_sent_away(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skylift.adapters.sql.group.MOST_WAITING", 3)
    writer = GroupWriter(store)
    goes_on = held_up(writer)
    futures = [writer.submit(making(f"kit_{n}")) for n in range(3)]
    with pytest.raises(Unavailable) as told:
        writer.submit(making("kit_3"))
    assert told.value.code == "store.busy"
    goes_on.set()
    assert [future.result(30).version for future in futures] == [1, 1, 1]
    writer.close()


@pytest.mark.parametrize("statement", ["SAVEPOINT", "RELEASE"])
def test_a_savepoint_that_cannot_be_set_or_let_go_fails_the_group_in_clear_words(
    store: SqlStore, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the fault simulation: the changes after it were told of SQLAlchemy's inner state."""
    writer = GroupWriter(store)
    failing = True
    asked = ready._asked

    def fail(connection: Any, said: str, values: Any, take: Any) -> Any:
        nonlocal failing
        if failing and said.startswith(statement):
            failing, said = False, "NO SUCH STATEMENT"
        return asked(connection, said, values, take)

    monkeypatch.setattr(ready, "_asked", fail)
    waits = threading.Event()
    writer.submit(lambda transaction: waits.wait(30))
    futures = [
        writer.submit(lambda t, id=f"kit_{n}": begin(KITS, t, id, [made(id)]))  # type: ignore[misc]
        for n in range(3)
    ]
    waits.set()
    assert [type(future.exception(30)) for future in futures] == [Unavailable] * 3
    assert writer.write(lambda t: begin(KITS, t, "kit_after", [made("kit_after")])).version == 1
    writer.close()
    assert [stored.id for stored in store.things(KITS)] == ["kit_after"]
    assert store.verify().valid
