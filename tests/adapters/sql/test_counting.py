"""What is counted beside the journal, alike on both databases."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from skylift.adapters.sql import migrating
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.ports.counts import AppDay, Progress, UsageDay, UsageReport, Used
from skylift.ports.store import Conflict
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, ROOMS, made


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    store = open_store(store_url, ROOMS)
    yield store
    store.close()


def report(sequence: int, day: int = 1, down: int = 100, up: int = 10) -> UsageReport:
    return UsageReport(sequence, sequence * 1_000, f"2022-03-{day:02}", "2022-03", down, up)


def add(store: SqlStore, terminal: str, account: str, *reports: UsageReport) -> int:
    with store.transaction() as transaction:
        return transaction.add_usage(terminal, account, reports)


def used(store: SqlStore, account: str) -> int:
    with store.reading() as reader:
        return reader.used_bytes(account, "2022-03")


def test_a_report_counts_once(store: SqlStore) -> None:
    assert add(store, "trm_1", "acc_1", report(1), report(2), report(1)) == 2
    assert add(store, "trm_1", "acc_1", report(2), report(3, day=2)) == 1
    assert add(store, "trm_2", "acc_1", report(1, down=1, up=1)) == 1
    assert used(store, "acc_1") == 332
    assert used(store, "acc_2") == 0
    with store.reading() as reader:
        assert reader.usage_days(terminal="trm_1") == [
            UsageDay("trm_1", "2022-03-01", "acc_1", 200, 20),
            UsageDay("trm_1", "2022-03-02", "acc_1", 100, 10),
        ]
        assert [day.terminal for day in reader.usage_days(account="acc_1", until_day="2022-03-01")] == [
            "trm_1",
            "trm_2",
        ]
        assert reader.usage_days(account="acc_1", from_day="2022-03-03") == []


@pytest.mark.parametrize("other", [report(2, down=101), report(2, up=11), replace(report(2), at=1)])
def test_a_number_that_comes_with_other_figures_changes_nothing(store: SqlStore, other: UsageReport) -> None:
    add(store, "trm_1", "acc_1", report(1), report(2))
    for some in ((report(5), other), (other, report(5)), (report(6), replace(report(6), up_bytes=0))):
        with pytest.raises(Conflict, match="other figures"):
            add(store, "trm_1", "acc_1", *some)
    assert used(store, "acc_1") == 220
    assert add(store, "trm_1", "acc_1", report(5)) == 1


def test_changes_are_found_in_their_order(store: SqlStore) -> None:
    add(store, "trm_1", "acc_1", report(1))
    add(store, "trm_2", "acc_2", report(1))
    with store.reading() as reader:
        first = list(reader.used_since(0, 10))
    assert [one.account for one in first] == ["acc_1", "acc_2"]
    add(store, "trm_1", "acc_1", report(2), replace(report(3), cycle="2022-04"))
    with store.reading() as reader:
        since = list(reader.used_since(first[-1].changed, 10))
        assert {(one.account, one.cycle, one.used_bytes) for one in since} == {
            ("acc_1", "2022-03", 220), ("acc_1", "2022-04", 110)
        }  # fmt: skip
        assert [one.changed for one in since] == sorted({one.changed for one in since})
        assert list(reader.used_since(since[-1].changed, 10)) == []
        assert {one.account for one in reader.used_in("2022-03")} == {"acc_1", "acc_2"}
        assert list(reader.used_since(0, 1)) == [Used("acc_2", "2022-03", 110, 2)]


def test_what_is_forgotten_still_sums(store: SqlStore) -> None:
    add(store, "trm_1", "acc_1", *(report(n) for n in range(1, 5)))
    with store.transaction() as transaction:
        assert transaction.drop_usage(3_000) == 2
    assert used(store, "acc_1") == 440


def test_in_any_order_and_however_often_the_sums_are_the_same(store: SqlStore) -> None:
    """Against a set and a sum: 200 reports of three terminals, doubled, shuffled and cut into parts."""
    chance = random.Random(7)
    every = [
        (f"trm_{t}", report(n, day=1 + n % 28, down=chance.randrange(10**12), up=chance.randrange(10**9)))
        for t in range(3)
        for n in range(70)
    ]
    sent = [*every, *chance.sample(every, 120)]
    chance.shuffle(sent)
    for start in range(0, len(sent), 17):
        parts: defaultdict[str, list[UsageReport]] = defaultdict(list)
        for terminal, one in sent[start : start + 17]:
            parts[terminal].append(one)
        for terminal, some in parts.items():
            add(store, terminal, "acc_1", *some)
    assert used(store, "acc_1") == sum(one.down_bytes + one.up_bytes for _, one in every)
    with store.reading() as reader:
        days = reader.usage_days(account="acc_1")
    assert sum(day.down_bytes for day in days) == sum(one.down_bytes for _, one in every)


def test_erasing_a_terminal_or_an_account_leaves_no_days(store: SqlStore) -> None:
    add(store, "trm_1", "acc_1", report(1))
    add(store, "trm_2", "acc_1", report(1))
    add(store, "trm_3", "acc_2", report(1))
    with store.transaction() as transaction:
        transaction.erase_personal("trm_1")
        transaction.erase_personal("acc_2")
    with store.reading() as reader:
        assert [day.terminal for day in reader.usage_days()] == ["trm_2"]
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT terminal FROM usage ORDER BY terminal")).scalars().all() == [
            "trm_2",
            "trm_3",
        ]
    assert used(store, "acc_1") == 220, "an allowance does not begin anew by it"


def test_copies_of_before_a_migration_lose_them_too(tmp_path: Path) -> None:
    file = tmp_path / "skylift.sqlite"
    store = open_store(f"sqlite:///{file}", ROOMS)
    add(store, "trm_1", "acc_1", report(1))
    add(store, "trm_2", "acc_2", report(1))
    copy = file.with_name("skylift.sqlite.before-0009")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    with store.transaction() as transaction:
        transaction.erase_personal("acc_1")
        transaction.erase_personal("trm_2")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT * FROM usage_days").fetchall() == []
        assert connection.execute("SELECT terminal FROM usage").fetchall() == [("trm_1",)]
    store.close()


def test_progress_is_kept_and_dropped(store: SqlStore) -> None:
    with store.transaction() as transaction:
        assert transaction.progress("a") is None
        transaction.keep_progress("a", Progress(3, '{"x":1}'))
        transaction.keep_progress("b", Progress(4))
        transaction.keep_progress("a", Progress(2**40, "{}"))
        transaction.drop_progress("b")
        assert transaction.progress("a") == Progress(2**40, "{}")
    with store.reading() as reader:
        assert reader.progress("b") is None


def test_uses_of_the_app_add_up(store: SqlStore) -> None:
    with store.transaction() as transaction:
        for country, day, installs in (
            ("UA", "2022-03-13", 1),
            ("UA", "2022-03-13", 0),
            ("PL", "2022-03-12", 1),
        ):
            transaction.add_app_use(AppDay(country, day, installs, 1))
    with store.reading() as reader:
        assert reader.app_days("2022-03-12", "2022-03-13") == [
            AppDay("PL", "2022-03-12", 1, 1), AppDay("UA", "2022-03-13", 1, 2)
        ]  # fmt: skip
        assert reader.app_days("2022-03-13", "2022-03-13") == [AppDay("UA", "2022-03-13", 1, 2)]


def test_what_is_refused_later_in_a_transaction_counts_nothing(store: SqlStore) -> None:
    def fail() -> None:
        with store.transaction() as transaction:
            transaction.add_usage("trm_1", "acc_1", [report(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert used(store, "acc_1") == 0
    assert store.verify().valid


def test_a_database_of_before_has_its_things_and_the_new_tables_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "skylift.sqlite"
    store = open_store(f"sqlite:///{file}", ROOMS)
    with store.transaction() as transaction:
        begin(KITS, transaction, "kit_1", [made("kit_1", "S-1")])
        transaction.keep_personal("acc_1", {"name": "CANARY"})
    head = store.head()
    store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in ("progress", "usage", "usage_days", "usage_cycles", "app_days"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert migrating.upgrade(f"sqlite:///{file}")[0] == "0001"
    store = open_store(f"sqlite:///{file}", ROOMS)
    assert store.head() == head
    assert store.verify().valid
    assert add(store, "trm_1", "acc_1", report(1)) == 1
    with store.reading() as reader:
        assert reader.personal("acc_1") == {"name": "CANARY"}
    store.close()
