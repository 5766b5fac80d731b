"""Any sequence of what a store can do, against a dictionary that does the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.events import Event
from skylift.ports.store import Conflict, Stored, Wanted
from tests.adapters.sql.kits import KITS, ROOMS, Kit, made, moved, renamed

IDS = st.sampled_from(["kit_a", "kit_b", "kit_c", "kit_Ä"])
SERIALS = st.sampled_from(["", "S-1", "S-2", "S-3"])
REGIONS = st.sampled_from(["", "rgn_1", "rgn_2"])
FIELDS = st.dictionaries(
    st.sampled_from(["name", "contact", "place"]),
    st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.integers(0, 9),
    max_size=3,
)


class Model(RuleBasedStateMachine):
    """`things`: id -> (thing, version); `events` as in the journal; `personal`: subject -> fields."""

    open_empty: Callable[[], SqlStore]

    @initialize()
    def begin(self) -> None:
        self.store = type(self).open_empty()
        self.things: dict[str, tuple[Kit, int]] = {}
        self.events: list[Event] = []
        self.personal: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            found = self.store.verify()
            assert found.valid, found
            assert found.rows == len(self.events)
            self.store.close()

    def change(self, id: str, off_by: int, make_events: Callable[[Kit], list[Event]]) -> None:
        """Writes; expects a Conflict exactly where the model has one."""
        thing, version = self.things.get(id, (Kit(id), 0))
        events = make_events(thing)
        for event in events:
            thing = KITS.apply(thing, event)
        taken = {k.serial: i for i, (k, _) in self.things.items() if k.serial}
        clash = off_by or taken.get(thing.serial, id) != id
        with self.store.transaction() as transaction:
            if clash:
                with pytest.raises(Conflict):
                    transaction.commit(KITS, Stored(id, thing, version + off_by), events)
                return
            transaction.commit(KITS, Stored(id, thing, version), events)
            assert transaction.get(KITS, id) == Stored(id, thing, version + 1)
        self.things[id] = thing, version + 1
        self.events += events

    @rule(id=IDS, serial=SERIALS, off_by=st.sampled_from([0, 0, 0, 1]))
    def make(self, id: str, serial: str, off_by: int) -> None:
        self.change(id, off_by, lambda kit: [made(id, serial, (serial.lower(), "word"))])

    @rule(id=IDS, region=REGIONS, serial=SERIALS, off_by=st.sampled_from([0, 0, 0, 2]))
    def move_and_rename(self, id: str, region: str, serial: str, off_by: int) -> None:
        self.change(id, off_by, lambda kit: [moved(id, region), renamed(id, serial)])

    @rule(id=IDS, serial=SERIALS)
    def give_up(self, id: str, serial: str) -> None:
        """A transaction that raises, or a part of one."""
        ignored = contextlib.suppress(ZeroDivisionError, Conflict)
        with self.store.writing() as transaction, ignored, transaction.savepoint():
            stored = transaction.get(KITS, id) or Stored(id, Kit(id), 0)
            event = renamed(id, serial)
            transaction.commit(KITS, Stored(id, KITS.apply(stored.thing, event), stored.version), [event])
            transaction.keep_personal(id, {"name": "never"})
            raise ZeroDivisionError

    @rule(id=IDS, fields=FIELDS)
    def keep(self, id: str, fields: dict[str, Any]) -> None:
        with self.store.transaction() as transaction:
            transaction.keep_personal(id, fields)
        kept = {**self.personal.get(id, {}), **fields}
        self.personal[id] = {name: value for name, value in kept.items() if value is not None}

    @rule(id=IDS)
    def erase(self, id: str) -> None:
        with self.store.transaction() as transaction:
            assert transaction.erase_personal(id) == bool(self.personal.pop(id, {}))

    @rule(region=REGIONS, word=st.sampled_from(["", "S-", "s-1", "KIT_", "ä", "no"]), limit=st.integers(1, 3))
    def look(self, region: str, word: str, limit: int) -> None:
        expected = [
            Stored(id, thing, version)
            for id, (thing, version) in sorted(self.things.items(), key=lambda item: item[0].encode())
            if (not region or thing.region == region)
            and any(word.casefold() in part.casefold() for part in (id, thing.serial, *thing.words))
        ]
        with self.store.reading() as reader:
            words = (word,) if word else ()
            assert (
                list(reader.list(KITS, Wanted(region=region, words=words, limit=limit))) == expected[:limit]
            )

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        assert [row.event for row in self.store.journal()] == self.events
        with self.store.reading() as reader:
            for id, (thing, version) in self.things.items():
                assert reader.get(KITS, id) == Stored(id, thing, version)
                if thing.serial:
                    assert reader.find(KITS, "serial", thing.serial) == Stored(id, thing, version)
            for id in ("kit_a", "kit_b", "kit_c", "kit_Ä"):
                assert reader.personal(id) == self.personal.get(id, {})


EMPTY = ("things", "thing_keys", "journal", "personal", "meta")


def test_a_store_is_a_dictionary(store_url: str) -> None:
    def open_empty() -> SqlStore:
        store = open_store(store_url, ROOMS)
        with store.engine.begin() as connection:
            for table in EMPTY:
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text("UPDATE journal_head SET sequence = 0, hash = ''"))
        return store

    class OneStore(Model):
        pass

    OneStore.open_empty = staticmethod(open_empty)
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    run_state_machine_as_test(
        OneStore,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=checks
        ),
    )
