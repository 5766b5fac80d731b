"""When the world fails under a running server: a clear 503, nothing half-written, and it goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from skylift.adapters.sql.store import open_store
from skylift.service.rooms import ROOMS
from tests.faults.test_killed_server import ROOT, TOKEN, add_operator
from tests.stores import Server

CALL = {"channel": "phone", "site_kind": "hospital"}


class Served:
    """A server over a store, and a client of its operator."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60.0,
        )

    def call(self, **more: Any) -> httpx.Response:
        return self.client.post("/api/v1/requests", json=CALL | more)

    def calls(self) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            page = self.client.get(f"/api/v1/requests?limit=1000&cursor={cursor}").json()
            found |= {item["id"] for item in page["items"]}
            if page["next"] is None:
                return found
            cursor = page["next"]

    def refused(self, response: httpx.Response, *codes: str) -> dict[str, str]:
        """A 503 that says why, how to get out of it, and when to come again."""
        assert response.status_code == 503, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        error: dict[str, str] = response.json()["error"]
        assert error["code"] in codes, error
        assert error["way_out"]
        return error


@contextlib.contextmanager
def serving(url: str, busy_s: float = 2.0, before: tuple[str, ...] = ()) -> Iterator[Served]:
    """A server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.faults.killed_server", str(listening.fileno()), url,
             str(busy_s)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[listening.fileno()], text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            word, pid = process.stdout.readline().split()
            assert word == "pid"
            served = Served(int(pid), listening.getsockname()[1])
            with served.client:
                assert served.client.get("/healthz").status_code == 200
                yield served
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def prepared(url: str) -> None:
    store = open_store(url, ROOMS)
    add_operator(store)
    store.close()


def audited(url: str) -> None:
    store = open_store(url, ROOMS)
    found = store.verify()
    assert found.valid, found
    store.close()


def eventually(works: Callable[[], bool], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not works():
        assert time.monotonic() < until, "it has not come back"
        time.sleep(0.1)


# --- PostgreSQL


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_server_that_goes_and_comes_back(
    postgresql_server: Server, postgresql_url: str, mode: str
) -> None:
    prepared(postgresql_url)
    with serving(postgresql_url) as served:
        made = {served.call().json()["id"] for _ in range(3)}
        ready = served.client.get("/readyz").json()["error"]
        assert ready["code"] == "service.not_ready", "there is no sky here; the store answers"
        stop = threading.Event()
        answered: list[httpx.Response] = []

        def write() -> None:
            # Some of these are under way as it goes.
            while not stop.is_set():
                answered.append(served.call())

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(write)
            time.sleep(0.3)
            postgresql_server.stop(mode)
            try:
                time.sleep(0.3)
                stop.set()
                pool.shutdown()
                served.refused(served.call(), "store.lost")
                served.refused(served.client.get("/api/v1/requests"), "store.lost")
                served.refused(served.client.post("/api/v1/requests/req_1/close", json={}), "store.lost")
                question = {"terminal": "trm_1", "cell": "851e5227fffffff"}
                served.refused(served.client.post("/api/v1/may-serve", json=question), "store.lost")
                served.refused(served.client.get("/readyz"), "store.lost")
                assert served.client.get("/healthz").status_code == 200
            finally:
                postgresql_server.start()
        eventually(lambda: served.call().status_code == 201)
        assert served.client.get("/readyz").json()["error"]["code"] == "service.not_ready"
        for response in answered:
            if response.status_code == 201:
                made.add(response.json()["id"])
            else:
                served.refused(response, "store.lost", "store.unsure")
        assert made <= served.calls()
    audited(postgresql_url)


def test_a_pool_with_no_connection_left(postgresql_url: str) -> None:
    prepared(postgresql_url)
    from skylift.base.errors import Unavailable

    store = open_store(postgresql_url, ROOMS, busy_timeout_s=0.3)
    taken = [store.engine.connect() for _ in range(15)]
    for attempt in (store.head, store.verify, lambda: store.transaction().__enter__()):
        with pytest.raises(Unavailable) as told:
            attempt()
        assert told.value.code == "store.busy"
    for connection in taken:
        connection.close()
    assert store.verify().valid
    store.close()


def test_a_database_server_with_no_connection_left(postgresql_server: Server, postgresql_url: str) -> None:
    """Others have taken them all; psycopg learns of it as it connects."""
    prepared(postgresql_url)
    database = postgresql_url.partition("?")[0].rpartition("/")[2]
    postgresql_server.psql("postgres", "DROP ROLE IF EXISTS poor", "CREATE ROLE poor LOGIN SUPERUSER")
    with serving(postgresql_url.replace("skylift@", "poor@", 1)) as served:
        assert served.call().status_code == 201
        # A superuser's connections are not limited: it stops being one, and has what it needs besides.
        postgresql_server.psql(
            database,
            "ALTER ROLE poor NOSUPERUSER CONNECTION LIMIT 0",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO poor",
        )
        postgresql_server.psql(
            "postgres",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            " AND usename = 'poor'",
        )
        served.refused(served.call(), "store.lost", "store.busy")
        postgresql_server.psql(database, "ALTER ROLE poor CONNECTION LIMIT 10")
        eventually(lambda: served.call().status_code == 201)
    audited(postgresql_url)


# --- SQLite


def test_a_file_that_another_process_holds(sqlite_store_url: str, tmp_path: Path) -> None:
    prepared(sqlite_store_url)
    with serving(sqlite_store_url, busy_s=0.5) as served:
        first = served.call().json()["id"]
        with contextlib.closing(sqlite3.connect(tmp_path / "skylift.sqlite", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(8) as pool:
                for response in pool.map(lambda _: served.call(), range(8)):
                    served.refused(response, "store.locked")
            assert served.calls() == {first}, "readers wait for nobody"
            holder.execute("ROLLBACK")
        assert served.call().status_code == 201
        assert len(served.calls()) == 2
    audited(sqlite_store_url)


def test_a_file_that_may_not_grow(sqlite_store_url: str, tmp_path: Path) -> None:
    """A quota, set from outside while it serves: the system refuses to write beyond a size."""
    prepared(sqlite_store_url)
    with serving(sqlite_store_url) as served:
        made = {served.call().json()["id"] for _ in range(3)}
        log = tmp_path / "skylift.sqlite-wal"
        resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 9_000, -1))
        statuses = set()
        for _ in range(40):
            response = served.call(words="x" * 5_000)
            statuses.add(response.status_code)
            if response.status_code == 201:
                made.add(response.json()["id"])
            else:
                served.refused(response, "store.disk", "store.full")
        assert 503 in statuses
        assert served.calls() == made, "what was refused is nowhere, what was promised is there"
        resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (-1, -1))
        after = served.call(words="x" * 5_000)
        assert after.status_code == 201
        assert served.calls() == made | {after.json()["id"]}
    audited(sqlite_store_url)


def test_a_disk_without_space(tmp_path: Path) -> None:
    """A file system of 4 MB, which the server alone sees; we look in through /proc."""
    folder = tmp_path / "disk"
    folder.mkdir()
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    mount = f"mount -t tmpfs -o size=4m none {folder}"
    try:
        tried = subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare (util-linux)")
    if tried.returncode:
        pytest.skip(f"needs the right to mount a small file system: {tried.stderr.strip()[:100]}")
    url = f"sqlite:///{folder / 'skylift.sqlite'}"
    prepared(url)
    original = (folder / "skylift.sqlite").read_bytes()
    seed = tmp_path / "seed.sqlite"
    seed.write_bytes(original)
    start = f'{mount} && cp {seed} {folder}/skylift.sqlite && exec "$@"'
    with serving(url, before=(*unshare, "sh", "-c", start, "server")) as served:
        inside = Path(f"/proc/{served.pid}/root{folder}")
        made = {served.call().json()["id"] for _ in range(3)}
        filler = inside / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        refused = 0
        for _ in range(20):
            response = served.call(words="x" * 5_000)
            if response.status_code == 201:
                made.add(response.json()["id"])
            else:
                served.refused(response, "store.full", "store.disk")
                refused += 1
        assert refused > 0
        assert served.calls() == made
        filler.unlink()
        made.add(served.call(words="x" * 5_000).json()["id"])
        assert served.calls() == made
        kept = tmp_path / "kept"
        kept.mkdir()
        for file in inside.iterdir():
            (kept / file.name).write_bytes(file.read_bytes())
    audited(f"sqlite:///{kept / 'skylift.sqlite'}")
