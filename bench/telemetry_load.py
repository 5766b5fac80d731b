"""`python -m bench.telemetry_load`: a fleet posts to a real `skylift run`, and every row is counted.

    --full           150,000 terminals, 500 requests/s for 10 minutes: on SQLite; then on PostgreSQL, where
                     the server and PostgreSQL are killed and started again; half an hour in all
    --store, --kill, --terminals, --rate, --seconds   one run of another size

Requests are signed before a run, and leave by the clock, whether or not earlier ones were answered; the time
to an answer counts from when a request was due. What gets no answer is sent again until it has one.
build/telemetry_load.json says how far it is, and in the end what was found. Exit code 1 where a bound is
missed, 130 where it was interrupted; neither leaves a process or a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from bench.telemetry_fleet import enrol_all, members_of
from bench.telemetry_sender import Prepared, Sender, Tally, prepare
from bench.telemetry_services import Postgres, Service, children_of, cpu_s

SEED = 5
P99_MS, STATE_MS = 500.0, 150.0
SAY_EVERY_S = 10.0
KEYS_WITHIN_S = 300.0
COUNTS = (
    "SELECT COUNT(*) FROM telemetry_rows",
    ("SELECT COUNT(*) FROM (SELECT DISTINCT terminal, sequence FROM telemetry_rows) AS each"),
)


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


class Report:
    """build/telemetry_load.json, and a line to whoever waits."""

    def __init__(self, runs: Sequence[argparse.Namespace]) -> None:
        self._path = Path("build") / "telemetry_load.json"
        self._path.parent.mkdir(exist_ok=True)
        self._runs = runs
        self._said_s = 0.0
        self.found: list[dict[str, Any]] = []

    def write(self, underway: dict[str, Any] | None = None) -> None:
        text = json.dumps([*self.found, *([underway] if underway else [])], indent=1) + "\n"
        part = self._path.with_suffix(".part")
        part.write_text(text)
        part.replace(self._path)

    def step(self, what: str, share: float = 1.0, left_s: float | None = None, **known: Any) -> None:
        """At most one line in ten seconds, and one at the end of each step."""
        now_s = time.monotonic()
        if share < 1.0 and now_s < self._said_s + SAY_EVERY_S:
            return
        self._said_s = now_s
        store = self._runs[min(len(self.found), len(self._runs) - 1)].store
        eta = "" if left_s is None else f", {int(left_s // 60)} min {int(left_s % 60)} s of this step left"
        said = ", ".join(f"{name} {value}" for name, value in known.items())
        line = f"run {len(self.found) + 1} of {len(self._runs)} ({store}): {what} {share:.0%}{eta}"
        print(f"{time.strftime('%H:%M:%S')} {line}{'; ' if said else ''}{said}", file=sys.stderr, flush=True)
        self.write({"status": "running", "store": store, "step": what, "share": round(share, 4), **known})


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
        # With the 4 MB that a query has by default, telling millions of rows apart takes longer than the run.
        server.execute("SET work_mem = '1GB'")
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


async def load(sender: Sender, service: Service, postgres: Postgres | None, kill_s: float) -> None:
    """kill_s: for how long requests become due where something is killed meanwhile; else 0."""
    sending = asyncio.create_task(sender.run())
    if kill_s:
        # What does not come back ends the measurement: nobody would answer any more.
        killing = asyncio.create_task(kills(service, postgres, kill_s))
        await asyncio.wait((sending, killing), return_when=asyncio.FIRST_EXCEPTION)
        for task in (sending, killing):
            if not task.done():
                task.cancel()
        await killing
    await sending


def run(options: argparse.Namespace, folder: Path, prepared: Prepared, report: Report) -> Outcome:
    fleet = list(members_of(SEED, options.terminals))
    folder.mkdir()
    folder.chmod(0o755)
    postgres = Postgres(folder / "pg") if options.store == "postgresql" else None
    data = folder / "data"
    data.mkdir()
    url = postgres.url if postgres else f"sqlite:///{data / 'skylift.sqlite'}"
    service = Service(data, options.port, postgres.url if postgres else None)
    try:
        if postgres:
            from skylift.adapters.sql.migrating import upgrade

            upgrade(url)
        began_s = time.monotonic()
        enrol_all(url, fleet, int(time.time() * 1e6))
        report.step("terminals enrolled", seconds=round(time.monotonic() - began_s))
        service.start()
        _await_keys(service, len(fleet), report)
        time.sleep(options.settle)
        return _measured(options, (service, postgres, data), prepared, report)
    finally:
        service.end()
        if postgres:
            postgres.stop("immediate")


def _await_keys(service: Service, wanted: int, report: Report) -> None:
    until_s = time.monotonic() + KEYS_WITHIN_S
    while (known := service.keys()) < wanted:
        if time.monotonic() > until_s:
            raise SystemExit(f"it knows {known} of {wanted} keys: {service.log()[-2000:]}")
        report.step("keys read", known / wanted)
        time.sleep(1.0)
    report.step("keys read")


def _measured(
    options: argparse.Namespace,
    running: tuple[Service, Postgres | None, Path],
    prepared: Prepared,
    report: Report,
) -> Outcome:
    service, postgres, data = running
    token = token_of(service)
    pids = [postgres.pid, *children_of(postgres.pid)] if postgres else []
    before = {pid: cpu_s(pid) for pid in pids}
    assert service.process is not None
    service.cpu_s = -cpu_s(service.process.pid)
    service.sky_cpu_s = -sum(cpu_s(pid) for pid in children_of(service.process.pid))

    def say(tally: Tally) -> None:
        share = len(tally.answers) / len(prepared)
        newest = sorted(tally.answers[-5000:])
        p99_ms = round(newest[int(0.99 * len(newest))] * 1000) if newest else 0
        left_s = (1.0 - share) * options.seconds
        report.step("answered", share, left_s, p99_ms=p99_ms, sent_again=tally.again, statuses=tally.statuses)

    own = time.process_time()
    sender = Sender(options.port, prepared, options.rate, say)
    asyncio.run(load(sender, service, postgres, options.seconds if options.kill else 0.0))
    own = time.process_time() - own
    service.count()
    tally = sender.tally
    say(tally)
    requests = len(tally.answers)
    in_order = sorted(tally.answers)
    if postgres:
        pids = [postgres.pid, *children_of(postgres.pid)]
    database_s = sum(cpu_s(pid) - before.get(pid, 0.0) for pid in pids)
    times, size_mb = state_times(service, token, min(options.terminals, requests))
    rss = service.rss_mb()
    cpu, sky = service.cpu_s, service.sky_cpu_s
    report.step("stopping and counting")
    service.stop()
    rows, distinct = stored(data, postgres.url if postgres else None)

    def at(share: float) -> float:
        return round(in_order[min(requests - 1, int(share * requests))] * 1000, 1)

    return Outcome(
        options.store, options.kill, options.terminals, options.rate, options.seconds, requests, at(0.5),
        at(0.99), at(1.0), tally.again, tally.statuses, tally.acknowledged, rows, distinct,
        round(cpu / requests * 1000, 3), round(database_s / requests * 1000, 3), round(sky, 1),
        round(own / requests * 1000, 3), round(rss, 1), times, round(size_mb, 1),
    )  # fmt: skip


def _options() -> list[argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--terminals", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--settle", type=float, default=10.0, help="seconds between the start and the load")
    parser.add_argument("--port", type=int, default=8599)
    options = parser.parse_args()
    if not options.full:
        return [options]
    options.terminals, options.rate, options.seconds, options.settle = 150_000, 500.0, 600.0, 30.0
    options.store, options.kill = "sqlite", False
    return [options, argparse.Namespace(**{**vars(options), "store": "postgresql", "kill": True})]


def _interrupted(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    runs = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    report = Report(runs)
    folder = Path(tempfile.mkdtemp(prefix="skylift-load-"))
    folder.chmod(0o755)
    missed: list[str] = []
    try:
        shape = SEED, runs[0].terminals, int(runs[0].rate * runs[0].seconds)
        prepared = prepare(
            folder / "requests", shape, runs[0].rate, lambda share: report.step("requests signed", share)
        )
        for one in runs:
            outcome = run(one, folder / one.store, prepared, report)
            shutil.rmtree(folder / one.store)
            missed += outcome.missed()
            report.found.append({**asdict(outcome), "missed": outcome.missed()})
            report.write()
            print(json.dumps(report.found[-1], indent=1), flush=True)
    except KeyboardInterrupt:
        report.write({"status": "interrupted"})
        return 130
    except BaseException as error:
        report.write({"status": "failed", "why": str(error)[:2000]})
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
