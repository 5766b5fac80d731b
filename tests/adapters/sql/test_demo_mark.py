"""A demo's store says so from its first transaction on; it is never opened as a real one, nor the reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.sql import migrating
from skylift.adapters.sql.store import open_store
from skylift.base.errors import Refused
from skylift.twin.handle import begin
from tests.adapters.sql.conftest import Server
from tests.adapters.sql.kits import KITS, ROOMS, made


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    """A database without any tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/any.sqlite"
    server: Server = request.getfixturevalue("postgresql_server")
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return server.url(make())


def refused(url: str, demo: bool) -> Refused:
    with pytest.raises(Refused) as told:
        open_store(url, ROOMS, demo=demo)
    return told.value


def test_a_demo_is_made_in_an_empty_database_and_stays_one(empty_url: str) -> None:
    store = open_store(empty_url, ROOMS, demo=True)
    assert store.is_demo
    with store.transaction() as transaction:
        begin(KITS, transaction, "kit_1", [made("kit_1")])
    store.close()
    error = refused(empty_url, demo=False)
    assert (error.code, error.exit_code) == ("store.demo", 2)
    assert "--demo" in error.way_out
    # It is no matter of how the tables are brought up to date either.
    migrating.upgrade(empty_url)
    assert refused(empty_url, demo=False).code == "store.demo"
    for demo in (True, None):
        again = open_store(empty_url, ROOMS, demo=demo)
        assert again.is_demo
        with again.reading() as reader:
            assert reader.get(KITS, "kit_1") is not None
        assert again.verify().valid
        again.close()


def test_a_real_store_is_never_a_demo_even_while_it_is_empty(empty_url: str) -> None:
    migrating.upgrade(empty_url)
    error = refused(empty_url, demo=True)
    assert (error.code, error.exit_code) == ("store.real", 2)
    assert "SKYLIFT_DATA_DIR" in error.way_out
    store = open_store(empty_url, ROOMS)
    assert not store.is_demo
    store.close()


def test_the_mark_comes_with_the_tables_or_neither_does(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):
        pass

    def stop(*_: object) -> object:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(migrating, "insert", stop)
        with pytest.raises(Stopped):
            open_store(empty_url, ROOMS, demo=True)
    # Nothing was made: it may still become either.
    with migrating.make_engine(empty_url).connect() as connection:
        assert migrating.revision(connection) is None


def test_whoever_makes_the_tables_first_says_what_it_is(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = migrating._upgrade

    def late(*arguments: object) -> None:
        # Between our look and our turn another process has made a real one.
        monkeypatch.setattr(migrating, "_upgrade", original)
        migrating.upgrade(empty_url)
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(migrating, "_upgrade", late)
    assert refused(empty_url, demo=True).code == "store.real"
    store = open_store(empty_url, ROOMS)
    assert not store.is_demo
    store.close()


@pytest.mark.slow
def test_a_story_is_played_and_goes_on_in_postgresql(
    postgresql_server: Server, new_database: Callable[[], str], tmp_path: Path
) -> None:
    from tests.api.test_demo import theatre

    url = postgresql_server.url(new_database())

    async def evening(steps: int) -> dict[str, Any]:
        async with theatre(tmp_path, url=url) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: house.stage.kept.steps_done >= steps)
            if not house.stage.has_ended:
                playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            found: dict[str, Any] = await house.get("demo")
            return found

    half = asyncio.run(evening(8))
    whole = asyncio.run(evening(half["steps"]))
    assert (whole["ended"], whole["failed"]) == (True, 0)
    assert whole["names"]["region"] == half["names"]["region"]
    assert refused(url, demo=False).code == "store.demo"


def test_postgresql_is_not_made_for_a_real_store_unasked(
    postgresql_server: Server, new_database: Callable[[], str]
) -> None:
    assert refused(postgresql_server.url(new_database()), demo=False).code == "store.older"
