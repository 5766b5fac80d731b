"""Tables of this version, of an earlier, of a later, and of something else."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine

from skylift.adapters.sql import migrating
from skylift.adapters.sql.engine import make_engine
from skylift.adapters.sql.schema import METADATA, REVISION
from skylift.adapters.sql.store import open_store
from skylift.base.errors import Refused, Unavailable
from skylift.twin.handle import begin
from tests.adapters.sql.conftest import Server
from tests.adapters.sql.kits import KITS, ROOMS, made

LATER = f"{int(REVISION) + 1:04d}"


def test_the_migrations_make_exactly_the_schema(store_url: str) -> None:
    migrating.upgrade(store_url)
    engine = make_engine(store_url)
    # Alembic does not heed which database an index is for.
    elsewhere = {"things_search"} if engine.dialect.name == "postgresql" else set()
    options = {"include_object": lambda thing, name, *_: name not in elsewhere}
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    engine.dispose()
    assert differences == []


def test_there_is_one_chain_and_its_end_is_the_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def set_revision(file: Path, revision: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with one kit and somebody's name."""
    store = open_store(f"sqlite:///{tmp_path / 'skylift.sqlite'}", ROOMS)
    with store.transaction() as transaction:
        begin(KITS, transaction, "kit_1", [made("kit_1")])
        transaction.keep_personal("acc_1", {"name": "CANARY"})
    store.close()
    return tmp_path / "skylift.sqlite"


def test_a_later_version_is_refused_and_left_alone(file: Path) -> None:
    set_revision(file, "0999")
    before = file.read_bytes()
    for attempt in (
        lambda: open_store(f"sqlite:///{file}", ROOMS),
        lambda: migrating.upgrade(f"sqlite:///{file}"),
    ):
        with pytest.raises(Refused) as told:
            attempt()
        assert told.value.code == "store.newer"
    assert file.read_bytes() == before


@pytest.fixture
def second_migration(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Pretends that this version's tables are one migration on: the function given is that migration."""

    def pretend(migration: Callable[[], None]) -> None:
        original = ScriptDirectory.from_config

        def from_config(config: Config) -> ScriptDirectory:
            script = original(config)
            module = ModuleType(f"s{LATER}_later")
            vars(module).update(
                revision=LATER, down_revision=REVISION, branch_labels=None, depends_on=None, upgrade=migration
            )
            script.revision_map.add_revision(Script(module, LATER, f"s{LATER}_later.py"))
            return script

        monkeypatch.setattr(ScriptDirectory, "from_config", staticmethod(from_config))
        monkeypatch.setattr(migrating, "REVISION", LATER)

    return pretend


def add_a_column() -> None:
    op.add_column("meta", sa.Column("more", sa.Text))


def test_an_older_file_is_migrated_after_a_copy_was_taken(
    file: Path, second_migration: Callable[[Callable[[], None]], None]
) -> None:
    older = file.with_name("skylift.sqlite.before-0000")
    older.write_text("an older copy")
    second_migration(add_a_column)
    with pytest.raises(Refused) as told:
        open_store(f"sqlite:///{file}", ROOMS, migrate=False)
    assert told.value.code == "store.older"
    store = open_store(f"sqlite:///{file}", ROOMS)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT more FROM meta").all() == []
    assert store.verify().valid
    copy = file.with_name(f"skylift.sqlite.before-{REVISION}")
    assert not older.exists()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM things").fetchall() == [("kit_1",)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    assert b"CANARY" in copy.read_bytes()
    with store.transaction() as transaction:
        transaction.erase_personal("acc_1")
    for path in file.parent.iterdir():
        assert b"CANARY" not in path.read_bytes()
    store.close()
    open_store(f"sqlite:///{file}", ROOMS).close()
    assert migrating.upgrade(f"sqlite:///{file}") == (LATER, LATER)


def test_a_migration_that_fails_leaves_all_as_it_was(
    file: Path, second_migration: Callable[[Callable[[], None]], None]
) -> None:
    def fail_half_way() -> None:
        add_a_column()
        op.execute("DROP TABLE journal")
        raise ZeroDivisionError

    second_migration(fail_half_way)
    with pytest.raises(ZeroDivisionError):
        open_store(f"sqlite:///{file}", ROOMS)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
        assert connection.execute("SELECT count(*) FROM journal").fetchall() == [(1,)]
        assert len(connection.execute("SELECT * FROM pragma_table_info('meta')").fetchall()) == 2


def test_without_a_copy_nothing_is_changed(
    file: Path, second_migration: Callable[[Callable[[], None]], None]
) -> None:
    second_migration(add_a_column)
    file.with_name(f"skylift.sqlite.before-{REVISION}").mkdir()
    with pytest.raises(Unavailable) as told:
        migrating.upgrade(f"sqlite:///{file}")
    assert told.value.code == "store.copy"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def test_postgresql_waits_for_an_upgrade(postgresql_server: Server, new_database: Callable[[], str]) -> None:
    name = new_database()
    url = postgresql_server.url(name)
    with pytest.raises(Refused) as told:
        open_store(url, ROOMS)
    assert told.value.code == "store.older"
    assert "skylift upgrade" in told.value.way_out
    assert migrating.upgrade(url) == (None, REVISION)
    assert migrating.upgrade(url) == (REVISION, REVISION)
    store = open_store(url, ROOMS)
    assert store.verify().valid
    store.close()
    postgresql_server.psql(name, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(Refused) as told:
        open_store(url, ROOMS)
    assert told.value.code == "store.newer"


def test_two_upgrades_at_once_do_it_once(postgresql_server: Server, new_database: Callable[[], str]) -> None:
    url = postgresql_server.url(new_database())
    failed: list[BaseException] = []

    def run() -> None:
        try:
            migrating.upgrade(url)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = open_store(url, ROOMS)
    assert store.head() == (0, "")
    store.close()


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE photographs (id INTEGER)")
    with pytest.raises(Refused) as told:
        open_store(f"sqlite:///{file}", ROOMS)
    assert told.value.code == "store.foreign"
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all() == ["photographs"]
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://user:secret@host/x", "sqlite://", "postgresql://h", "file:x"]
)
def test_what_is_no_url_of_a_store_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Refused) as told:
        open_store(url, ROOMS)
    assert told.value.code == "store.url"
    assert "secret" not in str(told.value)
