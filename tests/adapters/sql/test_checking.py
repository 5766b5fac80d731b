"""The check of the journal finds every kind of damage, done with the databases' own tools."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest

from skylift.adapters.sql.store import SqlStore, open_store
from skylift.ports.store import Audit
from skylift.twin.handle import begin, change
from tests.adapters.sql.conftest import Server
from tests.adapters.sql.kits import BOXES, KITS, ROOMS, made, moved, packed, renamed

Damage = Callable[..., None]


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """Eight rows: three kits made, kit_1 moved and renamed in one change, kit_2 moved, a box packed twice."""
    store = open_store(store_url, ROOMS)
    with store.transaction() as transaction:
        for number in (1, 2, 3):
            begin(KITS, transaction, f"kit_{number}", [made(f"kit_{number}", f"S-{number}", ("depot",))])
    with store.transaction() as transaction:
        change(KITS, transaction, "kit_1", lambda kit: [moved(kit.id, "rgn_a"), renamed(kit.id, "S-9")])
        change(KITS, transaction, "kit_2", lambda kit: [moved(kit.id, "rgn_b")])
    with store.transaction() as transaction:
        begin(BOXES, transaction, "box_1", [packed("box_1", "kit_1")])
        change(BOXES, transaction, "box_1", lambda box: [packed(box.id, "kit_2")])
    yield store
    store.close()


@pytest.fixture
def damage(request: pytest.FixtureRequest, store: SqlStore) -> Damage:
    """Runs statements in the database without skylift: sqlite3, or psql."""

    def do(*statements: str) -> None:
        if store.engine.dialect.name == "sqlite":
            with closing(sqlite3.connect(str(store.engine.url.database))) as connection, connection:
                for statement in statements:
                    assert connection.execute(statement).rowcount != 0, statement
        else:
            server: Server = request.getfixturevalue("postgresql_server")
            server.psql(str(store.engine.url.database), *statements)

    return do


def rows_of(store: SqlStore) -> list[dict[str, Any]]:
    with store.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM journal ORDER BY sequence")
        return [dict(row) for row in found.mappings()]


def sealed(row: dict[str, Any]) -> str:
    """A row's hash, written down a second time, as docs/reference/store.md has it."""
    rest = {name: value for name, value in row.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_is_whole_is_valid(store: SqlStore) -> None:
    rows = rows_of(store)
    assert store.verify() == Audit(8, True, None, rows[-1]["hash"])
    told: list[int] = []
    for row in rows:
        assert row["hash"] == sealed(row)
        assert store.verify(row["hash"], told.append).valid
    assert sum(told) == 8 * 8


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE journal SET at_us = at_us + 1 WHERE sequence = 4", 4),
        ("UPDATE journal SET by_id = 'acc_other' WHERE sequence = 4", 4),
        ("UPDATE journal SET cause_id = NULL WHERE sequence = 4", 4),
        ("UPDATE journal SET cause_id = '' WHERE sequence = 1", 1),
        ("UPDATE journal SET subject_id = 'kit_2' WHERE sequence = 4", 4),
        ("UPDATE journal SET name = 'kit.renamed/1' WHERE sequence = 4", 4),
        ("UPDATE journal SET version = 3 WHERE sequence = 4", 4),
        ("UPDATE journal SET payload = replace(payload, 'rgn_a', 'rgn_b') WHERE sequence = 4", 4),
        ("UPDATE journal SET payload = payload || ' ' WHERE sequence = 8", 8),
        ("UPDATE journal SET previous_hash = '' WHERE sequence = 2", 2),
        ("UPDATE journal SET hash = upper(hash) WHERE sequence = 3", 3),
        ("UPDATE journal SET hash = '' WHERE sequence = 8", 8),
        ("DELETE FROM journal WHERE sequence = 1", 1),
        ("DELETE FROM journal WHERE sequence = 5", 5),
        ("DELETE FROM journal WHERE sequence = 8", 8),
        ("DELETE FROM journal WHERE sequence > 5", 6),
        ("DELETE FROM journal", 1),
        ("DELETE FROM journal_head", 9),
        ("UPDATE journal_head SET sequence = 9", 9),
        ("UPDATE journal_head SET sequence = 6", 7),
        ("UPDATE journal_head SET hash = ''", 8),
        ("UPDATE journal SET sequence = -1 WHERE sequence = 1", 1),
        ("UPDATE journal SET sequence = 100 WHERE sequence = 8", 8),
        ("UPDATE journal SET sequence = 0 WHERE sequence = 1", 1),
    ],
)
def test_a_damaged_row_is_found(store: SqlStore, damage: Damage, statement: str, first_bad: int) -> None:
    damage(statement)
    found = store.verify()
    assert (found.valid, found.first_bad_row) == (False, first_bad), found
    assert str(first_bad) in found.why or "head" in found.why


@pytest.mark.parametrize(("one", "other"), [(2, 3), (4, 7)])
def test_swapped_rows_are_found(store: SqlStore, damage: Damage, one: int, other: int) -> None:
    damage(
        f"UPDATE journal SET sequence = 100 WHERE sequence = {one}",
        f"UPDATE journal SET sequence = {one} WHERE sequence = {other}",
        f"UPDATE journal SET sequence = {other} WHERE sequence = 100",
    )
    found = store.verify()
    assert (found.valid, found.first_bad_row, found.rows) == (False, one, 8)


def test_a_closed_gap_is_found(store: SqlStore, damage: Damage) -> None:
    """Deleted, and the rows after it numbered anew."""
    damage("DELETE FROM journal WHERE sequence = 3")
    for sequence in range(4, 9):
        damage(f"UPDATE journal SET sequence = {sequence - 1} WHERE sequence = {sequence}")
    damage("UPDATE journal_head SET sequence = 7")
    assert store.verify().first_bad_row == 3


def test_only_a_head_from_elsewhere_finds_a_cut_tail(store: SqlStore, damage: Damage) -> None:
    """Whoever may write the database can cut the end and mend the head row; not what stands elsewhere."""
    rows = rows_of(store)
    damage(
        "DELETE FROM journal WHERE sequence > 6",
        f"UPDATE journal_head SET sequence = 6, hash = '{rows[5]['hash']}'",
        "DELETE FROM things WHERE kind = 'box'",
    )
    assert store.verify().valid
    assert store.verify(rows[5]["hash"]).valid
    found = store.verify(rows[7]["hash"])
    assert (found.valid, found.first_bad_row, found.rows) == (False, 7, 6)
    assert "cut" in found.why


def test_only_a_head_from_elsewhere_finds_an_exchanged_tail(store: SqlStore, damage: Damage) -> None:
    rows = rows_of(store)
    old_head = rows[-1]["hash"]
    rows[6]["by_id"] = "acc_somebody"
    for before, row in pairwise(rows[5:]):
        row["previous_hash"] = before["hash"]
        row["hash"] = sealed(row)
        damage(
            f"UPDATE journal SET by_id = '{row['by_id']}', previous_hash = '{row['previous_hash']}', "
            f"hash = '{row['hash']}' WHERE sequence = {row['sequence']}"
        )
    damage(f"UPDATE journal_head SET hash = '{rows[-1]['hash']}'")
    assert store.verify().valid
    assert not store.verify(old_head).valid


@pytest.mark.parametrize(
    ("statement", "differing"),
    [
        ("UPDATE things SET version = 3 WHERE id = 'kit_1'", ("kit", "kit_1")),
        ("UPDATE things SET version = 1 WHERE id = 'kit_1'", ("kit", "kit_1")),
        ("UPDATE things SET status = 'made' WHERE id = 'kit_2'", ("kit", "kit_2")),
        ("UPDATE things SET region = 'rgn_a' WHERE id = 'kit_2'", ("kit", "kit_2")),
        ("UPDATE things SET owner = 'acc_1' WHERE id = 'box_1'", ("box", "box_1")),
        ("UPDATE things SET words = '' WHERE id = 'kit_3'", ("kit", "kit_3")),
        ("UPDATE things SET body = replace(body, 'rgn_b', 'rgn_a') WHERE id = 'kit_2'", ("kit", "kit_2")),
        ("UPDATE things SET body = 'not json' WHERE id = 'kit_2'", ("kit", "kit_2")),
        ("DELETE FROM things WHERE id = 'kit_2'", ("kit", "kit_2")),
        ("UPDATE things SET kind = 'crate' WHERE id = 'box_1'", ("box", "box_1")),
        ("UPDATE things SET id = 'kit_4' WHERE id = 'kit_3'", ("kit", "kit_3")),
        ("UPDATE thing_keys SET value = 'S-1' WHERE id = 'kit_1'", ("kit", "kit_1")),
        ("UPDATE thing_keys SET id = 'kit_8' WHERE id = 'kit_3'", ("kit", "kit_3")),
        ("DELETE FROM thing_keys WHERE id = 'kit_3'", ("kit", "kit_3")),
        ("INSERT INTO thing_keys VALUES ('kit', 'serial', 'S-7', 'kit_7')", ("kit", "kit_7")),
        (
            "INSERT INTO things SELECT kind, 'kit_7', version, status, region, owner, words, body FROM things"
            " WHERE id = 'kit_3'",
            ("kit", "kit_7"),
        ),
        (
            "INSERT INTO things SELECT 'box', id, version, status, region, owner, words, body FROM things"
            " WHERE id = 'kit_3'",
            ("box", "kit_3"),
        ),
    ],
)
def test_state_that_is_not_what_the_events_made_is_found(
    store: SqlStore, damage: Damage, statement: str, differing: tuple[str, str]
) -> None:
    damage(statement)
    found = store.verify()
    assert not found.valid
    assert found.first_bad_row is None
    assert differing in found.differing
    assert "events" in found.why


def test_a_body_of_an_older_version_lacks_fields_of_this_one(store: SqlStore, damage: Damage) -> None:
    """A field that states got later is read as its default; what an event had filled may not be missing."""
    damage("UPDATE things SET body = replace(body, '\"owner\":\"\",', '') WHERE kind = 'kit'")
    assert store.verify().valid
    damage("UPDATE things SET body = replace(body, '\"region\":\"rgn_b\",', '') WHERE id = 'kit_2'")
    assert store.verify().differing == (("kit", "kit_2"),)


def test_a_body_with_more_than_the_state_has_is_found(store: SqlStore, damage: Damage) -> None:
    damage("UPDATE things SET body = replace(body, '\"id\"', '\"hue\":1,\"id\"') WHERE id = 'kit_2'")
    assert store.verify().differing == (("kit", "kit_2"),)


def test_an_event_that_this_version_does_not_know_is_found(store: SqlStore) -> None:
    """Such as after going back to an older version: the rows are whole, but nobody can say what they mean."""
    older = open_store(str(store.engine.url), (KITS,)) if store.engine.dialect.name == "sqlite" else None
    if older is None:
        older = SqlStore(store.engine.url.render_as_string(hide_password=False), (KITS,))
    found = older.verify()
    older.close()
    assert (found.valid, found.first_bad_row) == (False, 7)


def test_events_that_cannot_have_happened_are_found(store: SqlStore, damage: Damage) -> None:
    """A chain that is whole, made by something that did not ask the room."""
    rows = rows_of(store)
    row = rows[7] | {"version": 5}
    damage(f"UPDATE journal SET version = 5, hash = '{sealed(row)}' WHERE sequence = 8")
    damage(
        f"UPDATE journal_head SET hash = '{sealed(row)}'", "UPDATE things SET version = 5 WHERE id = 'box_1'"
    )
    found = store.verify()
    assert (found.valid, found.differing) == (False, (("box", "box_1"),))
    assert found.why == "1 thing is not what its events make of it"


def test_more_rows_than_are_read_at_once(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skylift.adapters.sql.checking.ROWS_AT_ONCE", 7)
    store = open_store(store_url, ROOMS)
    for number in range(5):
        with store.transaction() as transaction:
            begin(KITS, transaction, f"kit_{number}", [made(f"kit_{number}")])
        for turn in range(number * 2):
            with store.transaction() as transaction:
                change(KITS, transaction, f"kit_{number}", lambda kit, t=turn: [moved(kit.id, f"rgn_{t}")])
    found = store.verify()
    assert (found.rows, found.valid) == (25, True)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE things SET region = 'rgn_0' WHERE id IN ('kit_0', 'kit_4')")
    found = store.verify()
    assert found.differing == (("kit", "kit_0"), ("kit", "kit_4"))
    assert found.why == "2 things are not what their events make of them"
    store.close()
