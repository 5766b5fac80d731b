"""What every store does alike: the same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from skylift.adapters.sql.reading import _FIND_ALL, _GET_ALL, _REPLIES, listing
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.adapters.sql.writing import _STANDING, _TAKEN
from skylift.base.errors import Refused, Unavailable
from skylift.ports.store import Conflict, Reply, Stored, Wanted
from skylift.twin.handle import begin, change, load
from tests.adapters.sql.kits import BOXES, KITS, ROOMS, Kit, made, moved, packed, renamed


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    store = open_store(store_url, ROOMS)
    yield store
    store.close()


def make(
    store: SqlStore, id: str, serial: str = "", words: tuple[str, ...] = (), owner: str = ""
) -> Stored[Kit]:
    with store.transaction() as transaction:
        return begin(KITS, transaction, id, [made(id, serial, words, owner)])


def test_a_thing_is_kept_with_its_events(store: SqlStore) -> None:
    made_kit = make(store, "kit_1", "S-1", ("Depot", "Rzeszów"))
    assert made_kit.version == 1
    with store.transaction() as transaction:
        moved_kit = change(
            KITS, transaction, "kit_1", lambda kit: [moved(kit.id, "rgn_ua"), renamed(kit.id, "S-2")]
        )
    assert moved_kit.version == 2
    with store.reading() as reader:
        assert reader.get(KITS, "kit_1") == moved_kit
        assert reader.find(KITS, "serial", "S-2") == moved_kit
        assert reader.find(KITS, "serial", "S-1") is None
        assert reader.find(KITS, "other", "S-2") is None
        assert reader.get(BOXES, "kit_1") is None
    assert list(store.things(KITS)) == [moved_kit]
    rows = store.journal()
    assert [row.event for row in rows] == [
        made("kit_1", "S-1", ("Depot", "Rzeszów")),
        moved("kit_1", "rgn_ua"),
        renamed("kit_1", "S-2"),
    ]
    assert [(row.sequence, row.version) for row in rows] == [(1, 1), (2, 2), (3, 2)]
    assert store.head() == (3, rows[-1].hash)
    assert store.journal(after=1, limit=1) == rows[1:2]
    assert store.verify().valid


def test_the_chain_can_be_checked_without_skylift(store: SqlStore) -> None:
    make(store, "kit_1", "S-1", ("Київ", "\U0001f6f0", 'a"\\b'))
    make(store, "kit_2", "S-2")
    previous = ""
    with store.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM journal ORDER BY sequence")).mappings().all()
    for row in rows:
        columns = {name: value for name, value in row.items() if name != "hash"}
        written = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert row["hash"] == hashlib.sha256(written.encode()).hexdigest()
        assert row["previous_hash"] == previous
        previous = row["hash"]


def test_both_databases_make_the_same_chain(store: SqlStore) -> None:
    make(store, "kit_1", "S-1", ("Київ", "1e16", "0.1"))
    with store.transaction() as transaction:
        change(KITS, transaction, "kit_1", lambda kit: [moved(kit.id, "rgn_ua")])
    # Written down once, of SQLite: what one database gives, the other gives as well.
    assert store.head() == (2, EXPECTED_HEAD)


EXPECTED_HEAD = "9ec38f5cbb1fb8f44c260d3d2ca25a3d17a03e510d1d2215bfe6e91075e956bc"


def test_nothing_is_there_before_anything_happened(store: SqlStore) -> None:
    assert store.head() == (0, "")
    assert store.journal() == []
    assert list(store.things(KITS)) == []
    found = store.verify()
    assert (found.rows, found.valid, found.first_bad_row, found.head) == (0, True, None, "")


def test_the_later_of_two_changes_is_told_what_it_is_now(store: SqlStore) -> None:
    old = make(store, "kit_1", "S-1")
    with store.transaction() as transaction:
        change(KITS, transaction, "kit_1", lambda kit: [moved(kit.id, "rgn_ua", "arrived")])
    with (
        store.transaction() as transaction,
        pytest.raises(Conflict, match="version 2, not 1; it is arrived now") as told,
    ):
        transaction.commit(KITS, old, [moved("kit_1", "rgn_pl")])
    assert told.value.code == "kit.changed"
    with pytest.raises(Conflict, match="there already"):
        make(store, "kit_1")
    with store.transaction() as transaction, pytest.raises(Conflict, match="not there"):
        transaction.commit(KITS, Stored("kit_9", Kit("kit_9"), 3), [moved("kit_9", "rgn_pl")])
    assert store.head()[0] == 2
    assert store.verify().valid


def test_a_key_belongs_to_one_thing(store: SqlStore) -> None:
    make(store, "kit_1", "S-1")
    with pytest.raises(Conflict) as told:
        make(store, "kit_2", "S-1")
    assert told.value.code == "kit.duplicate"
    assert "serial" in str(told.value)
    assert "S-1" not in str(told.value)
    with store.transaction() as transaction:
        # Given up and taken within one transaction.
        change(KITS, transaction, "kit_1", lambda kit: [renamed(kit.id, "S-3")])
        begin(KITS, transaction, "kit_2", [made("kit_2", "S-1")])
    with store.reading() as reader:
        found = reader.find(KITS, "serial", "S-1")
    assert found is not None
    assert found.id == "kit_2"
    assert store.verify().valid


def test_all_of_a_transaction_or_nothing(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:  # noqa: PT012
        begin(KITS, transaction, "kit_1", [made("kit_1", "S-1")])
        transaction.keep_personal("kit_1", {"name": "nobody"})
        assert load(KITS, transaction, "kit_1").version == 1
        assert transaction.personal("kit_1") == {"name": "nobody"}
        raise ZeroDivisionError
    with store.reading() as reader:
        assert reader.get(KITS, "kit_1") is None
        assert reader.personal("kit_1") == {}
    assert store.head() == (0, "")
    make(store, "kit_1", "S-1")


def test_a_part_that_fails_leaves_the_rest(store: SqlStore) -> None:
    with store.writing() as transaction:
        begin(KITS, transaction, "kit_1", [made("kit_1", "S-1")])
        with pytest.raises(Conflict), transaction.savepoint():  # noqa: PT012
            begin(KITS, transaction, "kit_2", [made("kit_2", "S-2")])
            begin(KITS, transaction, "kit_3", [made("kit_3", "S-1")])
        with transaction.savepoint():
            begin(KITS, transaction, "kit_4", [made("kit_4", "S-2")])
    assert [stored.id for stored in store.things(KITS)] == ["kit_1", "kit_4"]
    assert [row.event.subject_id for row in store.journal()] == ["kit_1", "kit_4"]
    assert store.verify().valid


def test_a_refused_commit_can_be_passed_over(store: SqlStore) -> None:
    make(store, "kit_1", "S-1")
    with store.transaction() as transaction:
        with pytest.raises(Conflict):
            begin(KITS, transaction, "kit_2", [made("kit_2", "S-1")])
        begin(KITS, transaction, "kit_3", [made("kit_3", "S-3")])
    assert [stored.id for stored in store.things(KITS)] == ["kit_1", "kit_3"]
    assert store.verify().valid


@pytest.mark.parametrize("many", [3, 1203])
def test_many_at_once(store: SqlStore, many: int) -> None:
    changes = []
    for number in range(many):
        id = f"kit_{number:05}"
        event = made(id, f"S-{number}")
        changes.append((Stored(id, KITS.replayed(id, (event,)), 0), [event]))
    with store.transaction() as transaction:
        written = transaction.commit_all(KITS, changes)
    assert [stored.version for stored in written] == [1] * many
    assert list(store.things(KITS)) == list(written)
    twice = [*changes[:1], *((Stored(f"new_{s.id}", s.thing, 0), [made(f"new_{s.id}")]) for s, _ in changes)]
    with store.transaction() as transaction, pytest.raises(Conflict):
        transaction.commit_all(KITS, twice[::-1])
    assert store.head()[0] == many
    found = store.verify()
    assert found.valid, found


def test_one_thing_twice_in_a_batch(store: SqlStore) -> None:
    first = made("kit_1", "S-1")
    second = renamed("kit_1", "S-2")
    third = made("kit_2", "S-1")
    one = KITS.replayed("kit_1", (first,))
    changes = [
        (Stored("kit_1", one, 0), [first]),
        (Stored("kit_1", KITS.apply(one, second), 1), [second]),
        (Stored("kit_2", KITS.replayed("kit_2", (third,)), 0), [third]),
    ]
    with store.transaction() as transaction:
        transaction.commit_all(KITS, changes)
    with store.reading() as reader:
        found = [reader.find(KITS, "serial", serial) for serial in ("S-1", "S-2")]
    assert [stored and (stored.id, stored.version) for stored in found] == [("kit_2", 1), ("kit_1", 2)]
    assert store.verify().valid


def test_lists_are_filtered_searched_and_turned_page_by_page(store: SqlStore) -> None:
    for number in range(12):
        owner = f"acc_{number % 3}"
        make(
            store,
            f"kit_{number:02}",
            f"KIT-{number:03}",
            ("Śnieżka" if number % 2 else "depot 50%_", "x"),
            owner,
        )
        if number % 4 == 0:
            with store.transaction() as transaction:
                change(KITS, transaction, f"kit_{number:02}", lambda kit: [moved(kit.id, "rgn_ua")])

    def ids(wanted: Wanted) -> list[int]:
        with store.reading() as reader:
            return [int(stored.id[4:]) for stored in reader.list(KITS, wanted)]

    assert ids(Wanted()) == list(range(12))
    assert ids(Wanted(limit=5)) == [0, 1, 2, 3, 4]
    assert ids(Wanted(after="kit_04", limit=2)) == [5, 6]
    assert ids(Wanted(limit=3, newest=True)) == [11, 10, 9]
    assert ids(Wanted(after="kit_09", limit=2, newest=True)) == [8, 7]
    assert ids(Wanted(words=("kit-00",), limit=2, newest=True)) == [9, 8]
    assert ids(Wanted(owner="acc_2", words=("x",), status="made", newest=True)) == [11, 5, 2]
    assert ids(Wanted(status="moving")) == [0, 4, 8]
    assert ids(Wanted(region="rgn_ua", owner="acc_1")) == [4]
    assert ids(Wanted(words=("kit-00",))) == list(range(10))
    assert ids(Wanted(words=("NIEŻ", "t-011"))) == [11]
    assert ids(Wanted(words=("50%_", "KIT_1"))) == [10]
    assert ids(Wanted(words=("5%",))) == []
    assert ids(Wanted(words=("_0%",))) == []
    assert ids(Wanted(words=("x\nk",))) == []
    assert ids(Wanted(owner="acc_2", words=("śnieżka",), status="made")) == [5, 11]
    assert ids(Wanted(words=("",), owner="acc_2", limit=1)) == [2]
    assert ids(Wanted(region="rgn_us")) == []


def test_ids_are_sorted_byte_by_byte(store: SqlStore) -> None:
    ids = ["B", "_", "a", "b", "kit_1", "kit_10", "kit_2", "ä", "Ω", "ﬀ", "\U0001f6f0"]
    for id in reversed(ids):
        make(store, id)
    assert [stored.id for stored in store.things(KITS)] == sorted(ids, key=str.encode)
    with store.reading() as reader:
        assert [stored.id for stored in reader.list(KITS, Wanted(after="a"))] == ids[3:]


def test_personal_rows_are_kept_changed_and_erased(store: SqlStore) -> None:
    with store.transaction() as transaction:
        transaction.keep_personal("acc_1", {"name": "Іван", "place": {"latitude_deg": 50.45}, "gone": 1})
        transaction.keep_personal("acc_2", {"name": "other"})
    with store.transaction() as transaction:
        transaction.keep_personal("acc_1", {"gone": None, "never": None, "name": "Ivan"})
        assert transaction.personal("acc_1") == {"name": "Ivan", "place": {"latitude_deg": 50.45}}
    with store.transaction() as transaction:
        assert transaction.erase_personal("acc_1")
        assert not transaction.erase_personal("acc_1")
    with store.reading() as reader:
        assert reader.personal("acc_1") == {}
        assert reader.personal("acc_2") == {"name": "other"}
    assert store.head() == (0, "")


@pytest.mark.parametrize("bad", ["a\0b", "half \ud800"])
def test_what_a_database_cannot_hold_is_refused_alike(store: SqlStore, bad: str) -> None:
    for attempt in (
        lambda t: begin(KITS, t, "kit_1", [made("kit_1", bad)]),
        lambda t: begin(KITS, t, bad, [made(bad)]),
        lambda t: t.keep_personal(bad, {"name": "x"}),
        lambda t: t.keep_personal("acc_1", {bad: "x"}),
    ):
        with store.transaction() as transaction, pytest.raises(Refused) as told:
            attempt(transaction)
        assert told.value.exit_code == 2
    assert store.head() == (0, "")


def test_not_a_number_is_refused(store: SqlStore) -> None:
    kit = Kit("kit_1", weight_kg=float("nan"))
    with store.transaction() as transaction, pytest.raises(Refused, match="finite"):
        transaction.commit(KITS, Stored("kit_1", kit, 0), [made("kit_1")])
    with store.transaction() as transaction, pytest.raises(Refused, match="finite"):
        transaction.keep_personal("kit_1", {"place": float("inf")})


def test_an_event_about_something_else_is_a_slip(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="no event"), store.transaction() as transaction:
        transaction.commit(KITS, Stored("kit_1", Kit("kit_1"), 0), [made("kit_2")])
    with pytest.raises(ValueError, match="with the events"), store.transaction() as transaction:
        transaction.commit(KITS, Stored("kit_1", Kit("kit_1"), 0), [])


def test_a_reader_sees_one_instant_and_holds_nobody_up(store: SqlStore) -> None:
    make(store, "kit_1")
    with store.reading() as reader:
        assert len(reader.list(KITS, Wanted())) == 1
        make(store, "kit_2")
        assert len(reader.list(KITS, Wanted())) == 1
    with store.reading() as reader:
        assert len(reader.list(KITS, Wanted())) == 2


def test_two_things_may_share_an_id_but_not_a_kind(store: SqlStore) -> None:
    make(store, "both")
    with store.transaction() as transaction:
        begin(BOXES, transaction, "both", [packed("both", "kit_1")])
        change(BOXES, transaction, "both", lambda box: [packed("both", "kit_2")])
    with store.reading() as reader:
        stored = reader.get(BOXES, "both")
    assert stored is not None
    assert (stored.version, stored.thing.holds) == (2, ("kit_1", "kit_2"))
    assert store.verify().valid


def test_threads_write_in_turn(store: SqlStore) -> None:
    make(store, "kit_1")
    refused: list[str] = []

    def write(name: str) -> None:
        for number in range(15):
            with store.transaction() as transaction:
                begin(KITS, transaction, f"{name}_{number}", [made(f"{name}_{number}")])
                change(KITS, transaction, "kit_1", lambda kit: [moved(kit.id, f"rgn_{name}")])
            try:
                with store.reading() as reader:
                    seen = load(KITS, reader, "kit_1")
                with store.transaction() as transaction:
                    event = moved("kit_1", "rgn_x")
                    transaction.commit(
                        KITS, Stored("kit_1", KITS.apply(seen.thing, event), seen.version), [event]
                    )
            except Conflict as conflict:
                refused.append(conflict.code)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as reader:
        assert load(KITS, reader, "kit_1").version == 1 + 2 * 60 - len(refused)
    assert set(refused) <= {"kit.changed"}
    found = store.verify()
    assert found.valid, found


def test_two_stores_on_one_database_take_turns(store_url: str) -> None:
    with_one, with_other = open_store(store_url, ROOMS), open_store(store_url, ROOMS, busy_timeout_s=0.3)
    make(with_one, "kit_1")
    make(with_other, "kit_2")
    make(with_one, "kit_3")
    assert with_other.verify().valid
    with with_one.transaction() as transaction:
        begin(KITS, transaction, "kit_4", [made("kit_4")])
        with pytest.raises(Unavailable) as told:
            make(with_other, "kit_5")
        assert told.value.code == "store.locked"
    make(with_other, "kit_5")
    assert with_one.head()[0] == 5
    assert with_one.verify().valid
    with_one.close()
    with_other.close()


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (Wanted(), "things_pk|autoindex_things|things_search"),
        (Wanted(status="made", after="kit_2"), "things_status .*status=. AND id>"),
        (Wanted(status="made", after="kit_2", newest=True), "things_status .*status=. AND id<"),
        (Wanted(region="rgn_1"), "things_region .*region="),
        (Wanted(owner="acc_1", words=("s-1",)), "things_owner .*owner="),
        (Wanted(status="made", region="rgn_1", words=("s-1",)), "COVERING INDEX things_search"),
        (Wanted(words=("s-1", "x"), after="kit_2"), r"COVERING INDEX things_search .kind=. AND id>"),
        (Wanted(words=("s-1",), newest=True), "COVERING INDEX things_search"),
    ],
)
def test_sqlite_never_fetches_what_it_then_leaves_out(tmp_path: Path, wanted: Wanted, plan: str) -> None:
    """No list is sorted or walks over bodies: with 100,000 things that would take seconds."""
    store = open_store(f"sqlite:///{tmp_path / 'skylift.sqlite'}", ROOMS)
    statement = listing("kit", wanted, "sqlite").compile(store.engine, compile_kwargs={"literal_binds": True})
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    store.close()
    steps = " ; ".join(row[3] for row in rows)
    assert re.search(plan, steps), steps
    assert "TEMP B-TREE" not in steps
    assert "SCAN" not in steps


def test_many_are_looked_up_and_kept_at_once_as_one_by_one(store: SqlStore) -> None:
    ids = [f"kit_{number:04}" for number in range(1100)]
    things = [(id, made(id, f"S-{id[4:]}")) for id in ids]
    replies = {f"key-{number}": Reply(number, "asked", 201, "{}") for number in range(1100)}
    personal = {id: {"name": f"Іван {id}", "gone": None, "place": {"latitude_deg": 50.45}} for id in ids}
    with store.transaction() as transaction:
        changes = [(Stored(id, KITS.replayed(id, (event,)), 0), [event]) for id, event in things]
        transaction.commit_all(KITS, changes)
        transaction.keep_all_personal(personal)
        transaction.keep_replies(replies)
        transaction.keep_replies({})
    with store.reading() as reader:
        assert reader.get_all(KITS, [*ids, "kit_absent"]) == {id: reader.get(KITS, id) for id in ids}
        serials = [f"S-{id[4:]}" for id in ids]
        found = reader.find_all(KITS, "serial", [*serials, "absent"])
        assert found == {serial: reader.find(KITS, "serial", serial) for serial in serials}
        assert reader.find_all(KITS, "other", serials) == reader.get_all(BOXES, ids) == {}
        assert reader.replies([*replies, "absent"]) == replies
        assert reader.personal(ids[7]) == {"name": f"Іван {ids[7]}", "place": {"latitude_deg": 50.45}}
    with store.transaction() as transaction, pytest.raises(Refused):
        transaction.keep_all_personal({"kit_x": {"name": "half \ud800"}})
    assert store.verify().valid


def test_sqlite_looks_up_the_keys_of_a_batch_by_its_index(tmp_path: Path) -> None:
    """Pairs of name and value were looked for among all keys: each thousand took longer than the last."""
    store = open_store(f"sqlite:///{tmp_path / 'skylift.sqlite'}", ROOMS)
    statements = (
        (_TAKEN, {"of_kind": "kit", "of_name": "serial", "values": ["S-1", "S-2"]}),
        (_FIND_ALL, {"of_kind": "kit", "of_name": "serial", "values": ["S-1", "S-2"]}),
        (_GET_ALL, {"of_kind": "kit", "ids": ["kit_1", "kit_2"]}),
        (_STANDING, {"of_kind": "kit", "ids": ["kit_1", "kit_2"]}),
        (_REPLIES, {"keys": ["a", "b"]}),
    )
    with store.engine.connect() as connection:
        connection.begin()
        for statement, given in statements:
            steps = [row[3] for row in statement.explained(connection, given)]
            # The list itself, and that it is gone through.
            for step in (step for step in steps if "json_each" not in step and "LIST SUBQUERY" not in step):
                assert re.search(r"\((?:kind=\? AND (?:name=\? AND value|id|name)|key)=\?", step), step
    store.close()


def test_what_a_search_is_given_is_taken_as_it_is(store_url: str) -> None:
    """No sign in it means anything: not those of a pattern, nor those of a statement."""
    store = open_store(store_url, ROOMS)
    texts = ("a%b", "a_b", "axb", "a/b", "a'b", 'a"b', "a\\b", "a:b", "100%", "%(x)s", "é", "школа")
    with store.transaction() as transaction:
        for number, text in enumerate(texts):
            begin(KITS, transaction, f"kit_{number:02d}", [made(f"kit_{number:02d}", words=(text,))])
    with store.reading() as reader:
        for number, text in enumerate(texts):
            for word in (text, text.upper()):
                found = [stored.id for stored in reader.list(KITS, Wanted(words=(word,)))]
                assert found == [f"kit_{number:02d}"], text
        for word in ("%", "_", "/", "'", "\\", ":"):
            held = [f"kit_{n:02d}" for n, text in enumerate(texts) if word in text or word == "_"]
            assert [stored.id for stored in reader.list(KITS, Wanted(words=(word,)))] == held, word
        for many in ("b", "a b"):
            assert reader.list(KITS, Wanted(words=tuple(many.split()), limit=3))
    store.close()
