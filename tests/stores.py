"""Stores to test with: SQLite in a folder of its own, and one PostgreSQL server for all tests of a process.

The fixtures are every test's: tests/conftest.py takes them in.

The server is started from the binaries that are installed, in a folder of its own, on a Unix socket alone.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

MOST_CONNECTIONS = 40
MEMORY_WANTED_BYTES = 2 * 1024**3


@dataclass
class Server:
    """A PostgreSQL server of the tests' own."""

    binaries: Path
    folder: Path
    as_user: list[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        return f"postgresql://skylift@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str, **more: str) -> str:
        done = subprocess.run(
            [*self.as_user, str(self.binaries / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | more,
        )
        assert done.returncode == 0, f"{program}: {done.stderr or done.stdout}"
        return done.stdout

    def psql(self, database: str, *statements: str) -> str:
        each = [word for statement in statements for word in ("-c", statement)]
        return self.run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "skylift", "-h", str(self.folder),
                        "-d", database, *each)  # fmt: skip

    def start(self) -> None:
        # No TCP; fsync is off as no test cuts the power, and a crash of a process loses nothing by it.
        # Segments of the log are removed and not kept for reuse, as docs/reference/store.md asks for.
        options = (
            f"-c listen_addresses='' -k {self.folder} -c fsync=off -c full_page_writes=on "
            f"-c max_connections={MOST_CONNECTIONS} -c shared_buffers=32MB -c autovacuum=off "
            "-c wal_recycle=off"
        )
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def is_running(self) -> bool:
        return (self.data / "postmaster.pid").exists()


def find_binaries() -> Path | None:
    """The newest PostgreSQL here, 15 or later."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return max(found, key=lambda path: (path.parent.name.zfill(4), str(path)), default=None)


def unprivileged() -> tuple[list[str], int, int] | None:
    """How to run as a user that PostgreSQL accepts, which root is not; None where there is none."""
    if os.geteuid() != 0:
        return [], os.geteuid(), os.getegid()
    setpriv = shutil.which("setpriv")
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if setpriv:
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            return [setpriv, *ids], user.pw_uid, user.pw_gid
    return None


def roomy_memory() -> str | None:
    """A file system in memory with room for a server; None where there is none, as in many containers."""
    memory = Path("/dev/shm")
    if (
        memory.is_dir()
        and os.access(memory, os.W_OK)
        and shutil.disk_usage(memory).free > MEMORY_WANTED_BYTES
    ):
        return str(memory)
    return None


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of one's own, gone afterwards; skips the test, with the reason, where there can be none."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'skylift[postgres]'")
    binaries, user = find_binaries(), unprivileged()
    if binaries is None:
        pytest.skip("needs PostgreSQL 15 or later: initdb was not found")
    if user is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv with a user to run it as")
    as_user, uid, gid = user
    # Not pytest's own folder: another user could not reach it, and the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="skylift-pg-", dir=roomy_memory()))
    server = Server(binaries, folder, as_user)
    try:
        os.chown(folder, uid, gid)
        server.run("initdb", "-D", str(server.data), "-U", "skylift", "-A", "trust", "-E", "UTF8",
                   "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        server.start()
        yield server
    finally:
        if server.is_running():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    with running_server() as server:
        yield server


_numbers = count()


@pytest.fixture
def sqlite_store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'skylift.sqlite'}"


@pytest.fixture
def new_database(postgresql_server: Server) -> Callable[[], str]:
    """A function that makes an empty database and gives its name."""

    def make() -> str:
        name = f"t{os.getpid()}_{next(_numbers)}"
        postgresql_server.psql("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    return make


@pytest.fixture(scope="session")
def upgraded_database(postgresql_server: Server) -> str:
    """An up-to-date, empty database to copy: that is quicker than to bring each up to date."""
    from skylift.adapters.sql.migrating import upgrade

    name = f"upgraded{os.getpid()}"
    postgresql_server.psql("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
    upgrade(postgresql_server.url(name))
    return name


@pytest.fixture
def postgresql_url(postgresql_server: Server, upgraded_database: str) -> Iterator[str]:
    """The URL of an up-to-date, empty database."""
    name = f"c{os.getpid()}_{next(_numbers)}"
    postgresql_server.psql("postgres", f"CREATE DATABASE {name} TEMPLATE {upgraded_database}")
    yield postgresql_server.url(name)
    if postgresql_server.is_running():
        postgresql_server.psql("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    name = "sqlite_store_url" if request.param == "sqlite" else "postgresql_url"
    return str(request.getfixturevalue(name))
