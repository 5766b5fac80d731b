"""`python -m bench.telemetry_load`: a fleet posts to a real `skylift run`, and every row is counted.

    --full           150,000 terminals, 500 requests/s for 10 minutes: on SQLite; then on PostgreSQL, where
                     the server and PostgreSQL are killed and started again
    --store, --kill, --terminals, --rate, --seconds   one run of another size

Requests leave by the clock, whether or not earlier ones were answered; the time to an answer counts from when
a request was due. What gets no answer is sent again until it has one. Exit code 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.telemetry_fleet import ROWS_A_BATCH, Member, enrol_all, members_of, request_of

SEED = 5
CONNECTIONS = 64
RETRY_S, LONGEST_RETRY_S = 0.5, 8.0
P99_MS, STATE_MS = 500.0, 150.0
COUNTS = (
    "SELECT COUNT(*) FROM telemetry_rows",
    ("SELECT COUNT(*) FROM (SELECT DISTINCT terminal, sequence FROM telemetry_rows) AS each"),
)


@dataclass(slots=True)
class Tally:
    """What the sender saw. answers: seconds from when each was due to its answer."""

    answers: list[float] = field(default_factory=list)
    acknowledged: int = 0
    again: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """One run, as it is written to build/telemetry_load.json."""

    store: str
    killed: bool
    terminals: int
    rate: float
    seconds: float
    requests: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    sent_again: int
    statuses: dict[str, int]
    acknowledged_rows: int
    stored_rows: int
    distinct_rows: int
    server_cpu_ms_per_request: float
    database_cpu_ms_per_request: float
    sky_cpu_s: float
    sender_cpu_ms_per_request: float
    server_rss_mb: float
    state_ms: list[float]
    state_mb: float

    @property
    def equal(self) -> bool:
        return self.stored_rows == self.distinct_rows == self.acknowledged_rows

    def missed(self) -> list[str]:
        found = [] if self.equal else ["stored = distinct = acknowledged"]
        if not self.killed and self.p99_ms >= P99_MS:
            found.append(f"p99 < {P99_MS:g} ms")
        if self.state_ms and statistics.median(self.state_ms) >= STATE_MS:
            found.append(f"state < {STATE_MS:g} ms")
        return found


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or self._answer is None or self._answer.done():
            return
        length = re.search(rb"content-length: (\d+)", head)
        if length is not None and len(body) >= int(length[1]):
            self._buffer = b""
            self._answer.set_result((int(head[9:12]), body))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        if self.transport is None:
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self._answer, 30.0)


class Sender:
    """Posts by the clock over a few connections."""

    def __init__(self, port: int, fleet: list[Member], rate: float) -> None:
        self._port = port
        self._fleet = fleet
        self._rate = rate
        self._idle: deque[Connection] = deque()
        self._free = asyncio.Semaphore(CONNECTIONS)
        self.tally = Tally()

    async def run(self, seconds: float) -> None:
        began = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(seconds * self._rate)):
            due = began + number / self._rate
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            round_number, place = divmod(number, len(self._fleet))
            request = request_of(self._fleet[place], round_number, int(time.time() * 1e6))
            first = round_number * ROWS_A_BATCH + 1
            task = asyncio.create_task(self._one(request, first, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, request: bytes, first: int, due: float) -> None:
        wanted = b'{"acknowledged":[[%d,%d]]' % (first, first + ROWS_A_BATCH - 1)
        wait_s = RETRY_S
        while True:
            try:
                async with self._free:
                    status, body = await self._ask(request)
            except (OSError, TimeoutError, ConnectionError):
                status, body = 0, b""
            self.tally.statuses[str(status)] = self.tally.statuses.get(str(status), 0) + 1
            if status == 200 and body.startswith(wanted):
                self.tally.answers.append(time.monotonic() - due)
                self.tally.acknowledged += ROWS_A_BATCH
                return
            if status in (400, 401, 403, 422):
                raise SystemExit(f"refused: {status} {body[:300]!r}")
            self.tally.again += 1
            # As agents do: whoever waits for a server that is away must not keep it from coming back.
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        connection = self._idle.popleft() if self._idle else None
        if connection is None or connection.transport is None:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer


class Postgres:
    """A server of the measurement's own, that keeps to the disk as one in service does."""

    def __init__(self, folder: Path) -> None:
        from tests.stores import find_binaries, unprivileged

        binaries, user = find_binaries(), unprivileged()
        if binaries is None or user is None:
            raise SystemExit("needs PostgreSQL 15 or later, and a user to run it as")
        self._binaries, (self._as_user, uid, gid) = binaries, user
        self._folder = folder
        folder.mkdir()
        os.chown(folder, uid, gid)
        self._run(
            "initdb", "-D", f"{folder}/data", "-U", "skylift", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )
        self.start()
        self._run(
            "psql",
            "-qX",
            "-U",
            "skylift",
            "-h",
            str(folder),
            "-d",
            "postgres",
            "-c",
            "CREATE DATABASE skylift",
        )

    @property
    def url(self) -> str:
        return f"postgresql://skylift@/skylift?host={self._folder}"

    @property
    def pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self._folder} -c max_connections=40 -c shared_buffers=256MB"
        self._run(
            "pg_ctl", "-D", f"{self._folder}/data", "-l", f"{self._folder}/log", "-w", "-o", options, "start"
        )

    def stop(self, mode: str) -> None:
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._binaries / program), *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{program}: {done.stderr or done.stdout}")


class Service:
    """`skylift run`, in a process of its own."""

    def __init__(self, folder: Path, port: int, store_url: str | None) -> None:
        self._folder, self.port, self._store_url = folder, port, store_url
        self.setup_code = ""
        self.cpu_s = self.sky_cpu_s = 0.0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("skylift")), "run", "--port", str(self.port),
                   "--data-dir", str(self._folder)]  # fmt: skip
        if self._store_url:
            command += ["--store-url", self._store_url]
        log = (self._folder / "log").open("a")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, text=True)
        for _ in range(600):
            time.sleep(0.1)
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200:
                    break
            except httpx.HTTPError:
                if self.process.poll() is not None:
                    raise SystemExit((self._folder / "log").read_text()[-2000:]) from None
        found = re.search(r"setup\?code=(\S+)", (self._folder / "log").read_text())
        self.setup_code = found[1] if found else self.setup_code

    def count(self) -> None:
        """Note the processor time of its processes so far, before they end."""
        assert self.process is not None
        own, children = cpu_s(self.process.pid), sum(cpu_s(pid) for pid in children_of(self.process.pid))
        self.cpu_s += own
        self.sky_cpu_s += children

    def rss_mb(self) -> float:
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) / 1024 if found else 0.0

    def kill(self) -> None:
        assert self.process is not None
        self.count()
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.count()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Processes below it, at any depth."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, left = [], [pid]
    while left:
        above = left.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        left += below
    return found


def token_of(service: Service) -> str:
    """The first operator's: made by the code that the service says at its first start."""
    login = {"code": service.setup_code, "email": "bench@example.org", "password": "a fleet of dishes"}
    answered = httpx.post(f"http://127.0.0.1:{service.port}/api/v1/setup", json=login)
    return str(answered.json()["token"])


def state_times(service: Service, token: str, count: int) -> tuple[list[float], float]:
    """Milliseconds of GET /api/v1/terminals/state as a client sees it, and the answer's size in MB."""
    times, size = [], 0
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30.0) as client:
        for _ in range(7):
            began = time.perf_counter()
            answer = client.get("/api/v1/terminals/state", headers={"Authorization": f"Bearer {token}"})
            size = len(answer.content)
            times.append(round((time.perf_counter() - began) * 1000, 1))
    found = len(answer.json()["terminals"])
    if found != count:
        raise SystemExit(f"{found} terminals have a state, and {count} have posted")
    return times, size / 1e6


def stored(folder: Path, store_url: str | None) -> tuple[int, int]:
    """Rows, and distinct (terminal, sequence), as the database itself counts them."""
    if store_url is None:
        with sqlite3.connect(folder / "skylift-telemetry.sqlite") as connection:
            rows, distinct = (int(connection.execute(sql).fetchone()[0]) for sql in COUNTS)
        return rows, distinct
    import psycopg

    with psycopg.connect(store_url) as server:
        rows, distinct = (int((server.execute(sql).fetchone() or (0,))[0]) for sql in COUNTS)
    return rows, distinct


async def kills(service: Service, postgres: Postgres | None, seconds: float) -> None:
    """The server dies after a third of the time, PostgreSQL after two."""
    await asyncio.sleep(seconds / 3)
    service.kill()
    await asyncio.to_thread(service.start)
    await asyncio.sleep(seconds / 3)
    if postgres is not None:
        await asyncio.to_thread(postgres.stop, "immediate")
        await asyncio.to_thread(postgres.start)


async def load(
    service: Service, sender: Sender, postgres: Postgres | None, killed: bool, seconds: float
) -> None:
    killing = asyncio.create_task(kills(service, postgres, seconds)) if killed else None
    await sender.run(seconds)
    if killing is not None:
        await killing


def run(options: argparse.Namespace, folder: Path) -> Outcome:
    fleet = list(members_of(SEED, options.terminals))
    postgres = Postgres(folder / "pg") if options.store == "postgresql" else None
    data = folder / "data"
    data.mkdir()
    url = postgres.url if postgres else f"sqlite:///{data / 'skylift.sqlite'}"
    try:
        if postgres:
            from skylift.adapters.sql.migrating import upgrade

            upgrade(url)
        began = time.monotonic()
        enrol_all(url, fleet, int(time.time() * 1e6))
        print(f"{len(fleet)} terminals enrolled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        service = Service(data, options.port, postgres.url if postgres else None)
        service.start()
        try:
            return _measured(options, fleet, service, postgres, data)
        finally:
            if service.process is not None and service.process.poll() is None:
                service.process.kill()
                service.process.wait()
    finally:
        if postgres:
            postgres.stop("immediate")


def _measured(
    options: argparse.Namespace, fleet: list[Member], service: Service, postgres: Postgres | None, data: Path
) -> Outcome:
    token = token_of(service)
    # Let the first slots be computed, and the keys be read.
    time.sleep(options.settle)
    pids = [postgres.pid, *children_of(postgres.pid)] if postgres else []
    before = {pid: cpu_s(pid) for pid in pids}
    service.cpu_s = -cpu_s(service.process.pid if service.process else 0)
    service.sky_cpu_s = -sum(cpu_s(pid) for pid in children_of(service.process.pid if service.process else 0))
    own = time.process_time()
    sender = Sender(options.port, fleet, options.rate)
    asyncio.run(load(service, sender, postgres, options.kill, options.seconds))
    own = time.process_time() - own
    service.count()
    tally = sender.tally
    requests = len(tally.answers)
    in_order = sorted(tally.answers)
    if postgres:
        pids = [postgres.pid, *children_of(postgres.pid)]
    database_s = sum(cpu_s(pid) - before.get(pid, 0.0) for pid in pids)
    count = min(len(fleet), int(options.seconds * options.rate))
    times, size_mb = state_times(service, token, count)
    rss = service.rss_mb()
    cpu, sky = service.cpu_s, service.sky_cpu_s
    service.stop()
    rows, distinct = stored(data, postgres.url if postgres else None)

    def at(share: float) -> float:
        return round(in_order[min(requests - 1, int(share * requests))] * 1000, 1)

    return Outcome(
        options.store, options.kill, len(fleet), options.rate, options.seconds, requests, at(0.5), at(0.99),
        at(1.0), tally.again, tally.statuses, tally.acknowledged, rows, distinct,
        round(cpu / requests * 1000, 3), round(database_s / requests * 1000, 3), round(sky, 1),
        round(own / requests * 1000, 3), round(rss, 1), times, round(size_mb, 1),
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--terminals", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--settle", type=float, default=10.0)
    parser.add_argument("--port", type=int, default=8599)
    options = parser.parse_args()
    runs = [options]
    if options.full:
        options.terminals, options.rate, options.seconds, options.settle = 150_000, 500.0, 600.0, 30.0
        options.store, options.kill = "sqlite", False
        runs.append(argparse.Namespace(**{**vars(options), "store": "postgresql", "kill": True}))
    missed = []
    found: list[dict[str, Any]] = []
    for one in runs:
        folder = Path(tempfile.mkdtemp(prefix="skylift-load-"))
        folder.chmod(0o755)
        try:
            outcome = run(one, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        found.append({**asdict(outcome), "missed": outcome.missed()})
        missed += outcome.missed()
        print(json.dumps(found[-1], indent=1))
    out = Path("build") / "telemetry_load.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
