"""When the world fails: clear words, nothing half-written, and it goes on afterwards."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from skylift.adapters.sql.group import GroupWriter
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.errors import SkyliftError, Unavailable
from skylift.ports.store import Transaction, Wanted
from skylift.twin.handle import begin, change
from tests.adapters.sql.conftest import Server, unprivileged
from tests.adapters.sql.kits import KITS, ROOMS, made, moved

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'skylift.sqlite'}"


def make(store: SqlStore, id: str, words: tuple[str, ...] = ()) -> None:
    with store.transaction() as transaction:
        begin(KITS, transaction, id, [made(id, words=words)])


def refused_with(code: str, store: SqlStore, id: str, words: tuple[str, ...] = ()) -> SkyliftError:
    with pytest.raises(Unavailable) as told:
        make(store, id, words)
    assert told.value.code == code
    assert told.value.__cause__ is None
    assert id not in str(told.value)
    return told.value


def test_a_full_database_takes_nothing_half_and_goes_on(url: str) -> None:
    store = open_store(url, ROOMS)
    make(store, "kit_1")
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def allow(more: int) -> None:
        store.engine.dispose()

        @event.listens_for(store.engine, "connect")
        def _limit(connection: object, _: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages + more}")  # type: ignore[attr-defined]

    allow(2)
    refused_with("store.full", store, "kit_2", ("x" * 100_000,))
    make(store, "kit_3")
    found = store.verify()
    assert (found.rows, found.valid) == (2, True)
    allow(1000)
    make(store, "kit_2", ("x" * 100_000,))
    assert store.verify().valid
    store.close()


def test_a_group_on_a_full_database_fails_together_or_one_by_one(url: str) -> None:
    store = open_store(url, ROOMS)
    make(store, "kit_0")
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with store.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 30}")
    writer = GroupWriter(store)
    waits = threading.Event()
    writer.submit(lambda transaction: waits.wait(30))

    def making(number: int, size: int) -> object:
        id = f"kit_{number}"
        return writer.submit(lambda t: begin(KITS, t, id, [made(id, words=("x" * size,))]))

    futures = {number: making(number, 10 if number % 5 else 300_000) for number in range(1, 20)}
    waits.set()
    kept = set()
    for number, future in futures.items():
        error = future.exception(30)  # type: ignore[attr-defined]
        assert error is None or (isinstance(error, Unavailable) and error.code == "store.full"), error
        if error is None:
            kept.add(f"kit_{number}")
    writer.close()
    assert {stored.id for stored in store.things(KITS)} == kept | {"kit_0"}
    assert not {"kit_5", "kit_10", "kit_15"} & kept
    assert store.verify().valid
    make(store, "kit_after")
    store.close()


CHILD = """
import resource, sys
from skylift.adapters.sql.store import open_store
from skylift.base.errors import Unavailable
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, ROOMS, made

store = open_store(sys.argv[1], ROOMS)
def make(id, size=10):
    with store.transaction() as transaction:
        begin(KITS, transaction, id, [made(id, words=("x" * size,))])
make("kit_1")
{limit}
said = []
for number in range(40):
    try:
        make(f"kit_a{{number}}", 30_000)
    except Unavailable as error:
        said.append(error.code)
print("SAID", *sorted(set(said)))
{unlimit}
make("kit_2")
found = store.verify()
print("FOUND", found.valid, found.rows == 42 - len(said), found.why)
store.close()
"""


def run_child(url: str, limit: str, unlimit: str, *before: str) -> tuple[list[str], list[str]]:
    done = subprocess.run(
        [*before, sys.executable, "-c", CHILD.format(limit=limit, unlimit=unlimit), url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, found = (line.split()[1:] for line in done.stdout.splitlines())
    return said, found


def test_a_file_that_may_not_grow(url: str) -> None:
    """A quota: the system refuses to write beyond a size, amid a transaction."""
    said, found = run_child(
        url,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    )
    assert said == ["store.disk"]
    assert found[:2] == ["True", "True"]
    store = open_store(url, ROOMS)
    assert store.verify().valid
    store.close()


def test_a_disk_without_space(tmp_path: Path) -> None:
    """A file system of 2 MB, seen by the child process alone."""
    unshare = ["unshare", "--mount", "--map-root-user"] if os.geteuid() else ["unshare", "--mount"]
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=1536k none {folder}"
    try:
        tried = subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare (util-linux)")
    if tried.returncode:
        pytest.skip(f"needs the right to mount a small file system: {tried.stderr.strip()[:100]}")
    filler = folder / "filler"
    said, found = run_child(
        f"sqlite:///{folder / 'skylift.sqlite'}",
        f"open({str(filler)!r}, 'wb').write(b'x' * 700_000)",
        f"import os; os.unlink({str(filler)!r})",
        *unshare,
        "sh",
        "-c",
        f'{mount} && exec "$@"',
        "child",
    )
    assert set(said) <= {"store.full", "store.disk"}
    assert said
    assert found[:2] == ["True", "True"]


def test_a_second_process_that_holds_the_lock(url: str) -> None:
    store = open_store(url, ROOMS, busy_timeout_s=0.3)
    make(store, "kit_1")
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    file = str(store.engine.url.database)
    with subprocess.Popen(
        [sys.executable, "-c", code, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        refused_with("store.locked", store, "kit_2")
        with store.reading() as reader:
            assert len(reader.list(KITS, Wanted())) == 1
        holder.stdin.write("\n")
        holder.stdin.close()
        holder.wait(30)
    make(store, "kit_2")
    assert store.verify().valid
    store.close()


def test_a_commit_that_the_disk_refuses_leaves_no_transaction_behind(url: str) -> None:
    """Found by the fault simulation: the pool got a connection that was still in its transaction."""
    store = open_store(url, ROOMS)
    store.engine.dispose()
    failing = True

    class Failing(sqlite3.Connection):
        def commit(self) -> None:
            nonlocal failing
            if failing and self.in_transaction:
                failing = False
                error = sqlite3.OperationalError("injected")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            super().commit()

    @event.listens_for(store.engine, "do_connect")
    def _connect(dialect: object, record: object, arguments: object, more: dict[str, object]) -> None:
        more["factory"] = Failing

    refused_with("store.disk", store, "kit_1")
    make(store, "kit_2")
    assert [stored.id for stored in store.things(KITS)] == ["kit_2"]
    assert store.verify().valid
    store.close()


def test_a_damaged_file(url: str, tmp_path: Path) -> None:
    store = open_store(url, ROOMS)
    for number in range(200):
        make(store, f"kit_{number}", ("x" * 200,))
    store.close()
    file = tmp_path / "skylift.sqlite"
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[4096 * 3 :] = os.urandom(len(damaged) - 4096 * 3)
    file.write_bytes(damaged)
    with pytest.raises(Unavailable) as told:
        open_store(url, ROOMS).verify()
    assert told.value.code == "store.corrupt"
    file.write_bytes(b"no database at all" * 1000)
    with pytest.raises(Unavailable) as told:
        open_store(url, ROOMS)
    assert told.value.code == "store.corrupt"
    file.write_bytes(whole)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    store = open_store(url, ROOMS)
    assert store.verify().valid
    store.close()


def test_a_body_that_is_not_one_is_a_damaged_file(store_url: str) -> None:
    store = open_store(store_url, ROOMS)
    make(store, "kit_1")
    for body in ("[1]", "{", '{"id": 3}'):
        with store.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE things SET body = '{body}'")
        with store.reading() as reader, pytest.raises(Unavailable) as told:
            reader.get(KITS, "kit_1")
        assert told.value.code == "store.corrupt"
    store.close()


READ_ONLY = """
import sys
from skylift.adapters.sql.store import open_store
from skylift.base.errors import SkyliftError
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, ROOMS, made
try:
    store = open_store(sys.argv[1], ROOMS)
    with store.transaction() as transaction:
        begin(KITS, transaction, "kit_2", [made("kit_2")])
except SkyliftError as error:
    print(error.code)
"""


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o444, "store.read-only"), (0o000, "store.unusable"), (0o644, "store.read-only")]
)
def test_a_file_that_may_not_be_written(url: str, tmp_path: Path, mode: int, expected: str) -> None:
    """As another user than root, who may write everything; 0644 is the file of somebody else."""
    user = unprivileged()
    if user is None or (not user[0] and mode == 0o644):
        pytest.skip("needs root and setpriv, to be another user")
    store = open_store(url, ROOMS)
    make(store, "kit_1")
    store.close()
    file = tmp_path / "skylift.sqlite"
    before = file.read_bytes()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    file.chmod(mode)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [*user[0], sys.executable, "-c", READ_ONLY, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    file.chmod(0o600)
    assert done.stdout.strip() == expected, done.stderr
    assert file.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as told:
        open_store(f"sqlite:///{tmp_path / 'none' / 'skylift.sqlite'}", ROOMS)
    assert told.value.code == "store.unusable"
    with pytest.raises(Unavailable):
        open_store(f"sqlite:///{tmp_path}", ROOMS)


@pytest.fixture
def postgresql(postgresql_server: Server, postgresql_url: str) -> Iterator[SqlStore]:
    store = open_store(postgresql_url, ROOMS, busy_timeout_s=2.0)
    yield store
    store.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_goes_and_comes_back(
    postgresql_server: Server, postgresql: SqlStore, mode: str
) -> None:
    make(postgresql, "kit_1")
    writer = GroupWriter(postgresql)
    postgresql_server.stop(mode)
    try:
        refused_with("store.lost", postgresql, "kit_2")
        for attempt in (postgresql.verify, postgresql.head, postgresql.journal):
            with pytest.raises(Unavailable) as told:
                attempt()
            assert told.value.code == "store.lost"
        with pytest.raises(Unavailable):
            writer.write(lambda t: begin(KITS, t, "kit_3", [made("kit_3")]))
        with pytest.raises(Unavailable):
            open_store(postgresql.engine.url.render_as_string(hide_password=False), ROOMS)
    finally:
        postgresql_server.start()
    make(postgresql, "kit_2")
    assert writer.write(lambda t: begin(KITS, t, "kit_3", [made("kit_3")])).version == 1
    writer.close()
    found = postgresql.verify()
    assert (found.rows, found.valid) == (3, True)


def end_sessions(server: Server, database: str) -> None:
    server.psql(
        "postgres",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
    )


def test_a_connection_that_is_lost_amid_a_transaction(
    postgresql_server: Server, postgresql: SqlStore
) -> None:
    database = str(postgresql.engine.url.database)
    make(postgresql, "kit_1")

    def interrupted(at_the_end: bool) -> None:
        with postgresql.transaction() as transaction:
            begin(KITS, transaction, "kit_2", [made("kit_2")])
            if at_the_end:
                # After the last statement: only the commit itself is left.
                original = transaction.finish  # type: ignore[attr-defined]

                def finish() -> None:
                    original()
                    end_sessions(postgresql_server, database)

                transaction.finish = finish  # type: ignore[attr-defined]
                return
            end_sessions(postgresql_server, database)
            change(KITS, transaction, "kit_1", lambda kit: [moved(kit.id, "rgn_1")])

    with pytest.raises(Unavailable) as told:
        interrupted(at_the_end=False)
    assert told.value.code == "store.lost"
    with pytest.raises(Unavailable) as told:
        interrupted(at_the_end=True)
    assert told.value.code == "store.unsure"
    make(postgresql, "kit_3")
    assert [stored.id for stored in postgresql.things(KITS)] == ["kit_1", "kit_3"]
    assert postgresql.verify().valid


def test_a_group_whose_connection_is_lost_fails_whole(
    postgresql_server: Server, postgresql: SqlStore
) -> None:
    database = str(postgresql.engine.url.database)
    writer = GroupWriter(postgresql)
    waits = threading.Event()
    writer.submit(lambda transaction: waits.wait(30))

    def making(id: str) -> object:
        return lambda transaction: begin(KITS, transaction, id, [made(id)])

    def lose(transaction: Transaction) -> None:
        end_sessions(postgresql_server, database)
        begin(KITS, transaction, "kit_lost", [made("kit_lost")])

    works = [making("kit_1"), making("kit_2"), lose, making("kit_3")]
    futures = [writer.submit(work) for work in works]  # type: ignore[arg-type]
    waits.set()
    assert [type(future.exception(30)) for future in futures] == [Unavailable] * 4
    assert writer.write(making("kit_4")).version == 1  # type: ignore[arg-type]
    writer.close()
    assert [stored.id for stored in postgresql.things(KITS)] == ["kit_4"]
    assert postgresql.verify().valid


def test_a_server_that_only_reads(postgresql_server: Server, postgresql: SqlStore) -> None:
    database = str(postgresql.engine.url.database)
    postgresql_server.psql("postgres", f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    postgresql.engine.dispose()
    refused_with("store.read-only", postgresql, "kit_1")
    postgresql_server.psql("postgres", f"ALTER DATABASE {database} SET default_transaction_read_only = off")
    postgresql.engine.dispose()
    make(postgresql, "kit_1")


def test_a_server_set_up_to_acknowledge_early_is_overruled(
    postgresql_server: Server, postgresql: SqlStore
) -> None:
    database = str(postgresql.engine.url.database)
    for wanted, got in (("off", "on"), ("local", "local")):
        postgresql_server.psql("postgres", f"ALTER DATABASE {database} SET synchronous_commit = {wanted}")
        postgresql.engine.dispose()
        with postgresql.engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == got


def test_a_database_or_user_that_is_not_there_is_said_without_names(postgresql_server: Server) -> None:
    with pytest.raises(Unavailable) as told:
        open_store(postgresql_server.url("nowhere"), ROOMS)
    assert told.value.code == "store.lost"
    assert "nowhere" not in str(told.value)


def test_waiting_is_not_for_ever(url: str) -> None:
    """Threads of one process: the one that waits longer than agreed is told."""
    store = open_store(url, ROOMS, busy_timeout_s=0.2)
    began = time.monotonic()
    with store.transaction():
        thread_said: list[str] = []

        def other() -> None:
            try:
                make(store, "kit_1")
            except Unavailable as error:
                thread_said.append(error.code)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert thread_said == ["store.locked"]
    assert time.monotonic() - began < 10
    store.close()


def test_the_limit_on_files_is_undone() -> None:
    """The quota of the test above held in its child process alone."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
