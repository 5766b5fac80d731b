"""Statements that are given to the driver itself fail as SQLAlchemy's own do, and say no value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from skylift.adapters.sql.engine import WRITES
from skylift.adapters.sql.ready import Ready, among, say
from skylift.adapters.sql.schema import META
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, ROOMS, made

PUT = Ready(insert(META))
GET = Ready(select(META.c.value).where(META.c.name == bindparam("of_name")).limit(1))


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    store = open_store(store_url, ROOMS)
    yield store
    store.close()


def test_what_was_put_is_got_and_is_gone_with_the_transaction(store: SqlStore) -> None:
    with store.engine.execution_options(**{WRITES: True}).connect() as connection:
        connection.begin()
        PUT.run_each(connection, [{"name": "a", "value": "1"}])
        assert PUT.run(connection, {"name": "b", "value": "2%"}) == 1
        assert GET.all(connection, {"of_name": "b"}) == [("2%",)]
        say(connection, "SAVEPOINT here")
        PUT.run_each(connection, [{"name": "c", "value": "3"}, {"name": "d", "value": "4"}])
        say(connection, "ROLLBACK TO SAVEPOINT here")
        assert GET.first(connection, {"of_name": "a"}) == ("1",)
        assert GET.first(connection, {"of_name": "c"}) is None
        connection.rollback()
        connection.begin()
        assert GET.first(connection, {"of_name": "a"}) is None


def test_a_failure_is_sqlalchemys_and_says_no_value(store: SqlStore) -> None:
    secret = {"name": "CANARY-1", "value": "CANARY-2"}
    with store.engine.execution_options(**{WRITES: True}).connect() as connection:
        connection.begin()
        say(connection, "SAVEPOINT here")
        with pytest.raises(IntegrityError) as failed:
            PUT.run_each(connection, [secret, secret])
        assert failed.value.params is None
        assert not failed.value.connection_invalidated
        say(connection, "ROLLBACK TO SAVEPOINT here")
        with pytest.raises(StatementError):
            say(connection, "NO SUCH STATEMENT")
        connection.rollback()


def test_a_connection_that_is_gone_is_used_no_more(postgresql_url: str) -> None:
    store = open_store(postgresql_url, ROOMS)
    with store.engine.connect() as connection:
        assert GET.all(connection, {"of_name": "-"}) == []
        with pytest.raises(OperationalError) as failed:
            say(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert failed.value.connection_invalidated
        assert connection.invalidated
    with store.engine.connect() as connection:
        assert GET.all(connection, {"of_name": "-"}) == []
    store.close()


def test_a_list_of_any_length_is_one_value(store: SqlStore) -> None:
    of_names = Ready(select(META.c.name).where(among(META.c.name, "names")).order_by(META.c.name))
    each = [f"n{number:04d} \"'\\ школа" for number in range(3000)]
    with store.engine.execution_options(**{WRITES: True}).connect() as connection:
        connection.begin()
        PUT.run_each(connection, [{"name": name, "value": ""} for name in each])
        assert of_names.all(connection, {"names": []}) == []
        assert of_names.all(connection, {"names": ["n0000", *each[7:8]]}) == [(each[7],)]
        assert [name for (name,) in of_names.all(connection, {"names": [*each[::-1], "-"]})] == each


def test_a_name_with_a_zero_in_it_is_nobodys(store: SqlStore) -> None:
    with store.transaction() as transaction:
        begin(KITS, transaction, "kit_1", [made("kit_1", serial="S-1")])
    with store.reading() as reader:
        assert list(reader.get_all(KITS, ["kit_1\0", "kit_1\0x"])) == []
        assert list(reader.find_all(KITS, "serial", ["S-1", "S-1\0", "\0S-1"])) == ["S-1"]
        assert reader.replies(["\0"]) == {}
