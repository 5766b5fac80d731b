"""One of several servers on a database leads; when it is gone, another does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from skylift.adapters.sql.store import SqlStore, open_store
from skylift.service.rooms import ROOMS


@pytest.fixture
def two(postgresql_url: str) -> Iterator[tuple[SqlStore, SqlStore]]:
    with (
        closing(open_store(postgresql_url, ROOMS)) as one,
        closing(open_store(postgresql_url, ROOMS)) as other,
    ):
        yield one, other


def test_one_leads_until_it_gives_up_or_is_gone(two: tuple[SqlStore, SqlStore]) -> None:
    one, other = two
    assert (one.lead.holds(), other.lead.holds()) == (True, False)
    assert (one.lead.holds(), other.lead.holds()) == (True, False)
    one.lead.give_up()
    assert (other.lead.holds(), one.lead.holds()) == (True, False)
    other.close()
    assert one.lead.holds()


def test_a_lost_connection_loses_the_lead(two: tuple[SqlStore, SqlStore]) -> None:
    one, other = two
    assert one.lead.holds()
    with other.engine.connect() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.execute(text(others))
    assert other.lead.holds()
    assert not one.lead.holds()


def test_of_sqlite_whoever_has_it_leads(sqlite_store_url: str) -> None:
    with closing(open_store(sqlite_store_url, ROOMS)) as store:
        assert store.lead.holds()
