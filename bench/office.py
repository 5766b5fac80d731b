"""The office over HTTP: writes with login, journal and synchronous=FULL; lists; permission.

Server and clients share one core; the server is a process of its own. What a core can do is counted in CPU
seconds of both together, as other work on the machine is not ours; the wait for the disk is shared by all who
write together. BENCH_STORE_URL and BENCH_STORE_URL_FULL name empty, up-to-date databases of PostgreSQL to
measure instead. No peer: none of the usual ones keeps a journal that is hash-chained.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.filled import SHIPMENTS, TERMINALS
from bench.harness import Case, Result

WRITERS, WRITES = 32, 1500
LISTS = 120
QUESTIONS = 1500
LEAST_WRITES_PER_S = 300
MOST_LIST_S = 0.100
CELL = "851e5227fffffff"


@dataclass(frozen=True)
class Server:
    """A service in a process of its own, and the token of its operator."""

    port: int
    token: str


def _fill(url: str, full: bool) -> None:
    from bench.filled import fill
    from skylift.adapters.sql.store import open_store
    from skylift.service.rooms import ROOMS

    store = open_store(url, ROOMS)
    if full:
        fill(store)
    store.close()


def _serve(url: str, port: int, code: str) -> None:
    import uvicorn

    from skylift.adapters.clock import WallClock
    from skylift.adapters.sql.store import open_store
    from skylift.api.app import create_app
    from skylift.api.office.desk import Desk
    from skylift.api.state import LiveState
    from skylift.service.rooms import ROOMS

    async def go() -> None:
        desk = Desk(open_store(url, ROOMS), WallClock())
        desk.setup_code = code
        app = create_app(LiveState(WallClock()), desk)
        config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off", ws="none")
        await uvicorn.Server(config).serve()

    asyncio.run(go())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@cache
def server(full: bool) -> Server:
    """Begun once in a measuring process, and ended with it."""
    from skylift.adapters.sql.store import sqlite_url

    folder = tempfile.mkdtemp(prefix="skylift-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = os.environ.get("BENCH_STORE_URL_FULL" if full else "BENCH_STORE_URL", sqlite_url(Path(folder)))
    _fill(url, full)
    port, code = _free_port(), "bench-setup-code"
    context = multiprocessing.get_context("spawn")
    context.Process(target=_serve, args=(url, port, code), daemon=True).start()
    for _ in range(300):
        time.sleep(0.1)
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            continue
    body = json.dumps({"code": code, "email": "a@example.org", "password": "correct horse battery"})
    [(_, status, answer)] = asyncio.run(_ask(port, "", [[("POST", "/api/v1/setup", body)]]))
    assert status == 201, answer
    return Server(port, json.loads(answer)["token"])


def servers_s() -> float:
    """CPU seconds of the servers, which are the only children; 0 where the system does not tell."""
    ticks = 0
    for process in multiprocessing.active_children():
        with contextlib.suppress(OSError):
            # utime and stime, the 14th and 15th field (proc(5)), counted after the name in brackets.
            stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


Asked = tuple[str, str, str]


async def _ask(port: int, token: str, each: Sequence[Sequence[Asked]]) -> list[tuple[float, int, bytes]]:
    """Ask on as many connections as there are lists: seconds, status and body of every answer."""
    parts = await asyncio.gather(*(_connection(port, token, asked) for asked in each))
    return [answer for part in parts for answer in part]


async def _connection(port: int, token: str, asked: Sequence[Asked]) -> list[tuple[float, int, bytes]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for method, path, body in asked:
        began = time.perf_counter()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        writer.write(f"{head}\r\n{body}".encode())
        said = await reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        answer = await reader.readexactly(length)
        found.append((time.perf_counter() - began, int(said.split(b" ", 2)[1]), answer))
    writer.close()
    return found


def writes() -> list[tuple[float, int, bytes]]:
    """WRITES calls for help by 32 clients, each acknowledged only once it is on the disk."""
    running = server(False)
    body = json.dumps({"channel": "phone", "site_kind": "hospital", "cell": CELL, "asker": "somebody"})
    asked = [[("POST", "/api/v1/requests", body)] * (WRITES // WRITERS) for _ in range(WRITERS)]
    return asyncio.run(_ask(running.port, running.token, asked))


def lists(seed: int) -> list[tuple[float, int, bytes]]:
    """Pages and searches among all that a large service has, one after the other."""
    running = server(True)
    chosen = random.Random(seed)
    asked: list[Asked] = []
    for i in range(LISTS):
        n = chosen.randrange(TERMINALS)
        query = (
            f"terminals?q=KIT{n:08d}",
            f"terminals?q={n % 1000:03d}&limit=50",
            "terminals?status=manufactured&limit=100",
            "terminals?q=nothing-such",
            "terminals?q=q&limit=50",
            f"terminals?owner=acc_{n % 100}&q=std",
            f"requests?q=hospital&region=rgn_{n % 4}",
            "requests?q=zz",
            f"shipments?q=SL-{n % SHIPMENTS:06d}",
            f"shipments?q=BOX{n:08d}",
        )
        asked.append(("GET", f"/api/v1/{query[i % len(query)]}", ""))
    return asyncio.run(_ask(running.port, running.token, [asked]))


def questions() -> list[tuple[float, int, bytes]]:
    """Questions to may-serve, by eight clients."""
    running = server(True)
    asked = [
        [("POST", "/api/v1/may-serve", json.dumps({"terminal": f"trm_{i:06d}", "cell": CELL}))]
        * (QUESTIONS // 8)
        for i in range(8)
    ]
    return asyncio.run(_ask(running.port, running.token, asked))


class Measured:
    """What was answered, and the CPU seconds of each call: of the server, and of its clients."""

    def __init__(self, id: str, ask: Callable[[], list[tuple[float, int, bytes]]]) -> None:
        self.id, self.ask = id, ask
        self.answers: list[tuple[float, int, bytes]] = []
        self.spent_s: list[tuple[float, float]] = []

    def __call__(self) -> object:
        began_s = servers_s(), time.process_time()
        self.answers = self.ask()
        self.spent_s.append((servers_s() - began_s[0], time.process_time() - began_s[1]))
        return self.answers

    def per_s(self, result: Result) -> float:
        """Answers of one core in a second; by the clock where the servers' time is not told."""
        last = sorted(self.spent_s[-3:], key=sum)
        server_s, clients_s = last[len(last) // 2]
        many = len(self.answers)
        core_s = server_s + clients_s if server_s else result.ours.wall_s
        core, clock = many / core_s, many / result.ours.wall_s
        of_server_ms, of_clients_ms = 1e3 * server_s / many, 1e3 * clients_s / many
        print(
            f"{self.id}: {core:,.0f}/s on one core, {clock:,.0f}/s by the clock; CPU time of each: "
            f"{of_server_ms:.2f} ms of the server, {of_clients_ms:.2f} ms of its client",
            flush=True,
        )
        return many / core_s

    def p95_s(self) -> float:
        return float(statistics.quantiles([answer[0] for answer in self.answers], n=20)[-1])


def cases(seed: int) -> list[Case]:
    def case(measured: Measured, status: int, limit: str, good: Callable[[Measured, Result], bool]) -> Case:
        def ok(result: Result) -> bool:
            return {answer[1] for answer in measured.answers} == {status} and good(measured, result)

        # No rate: the harness counts our own CPU time, and most of the work is the server's.
        return Case(
            id=measured.id, ours=measured, peer=None, peer_name="", peer_version="", compare=None,
            limit=limit, ok=ok, seed=seed, rounds=3,
        )  # fmt: skip

    return [
        case(
            Measured("office-writes", writes), 201,
            f"server and clients on one core: at least {LEAST_WRITES_PER_S} writes/s",
            lambda measured, result: measured.per_s(result) >= LEAST_WRITES_PER_S,
        ),
        case(
            Measured("office-lists", lambda: lists(seed)), 200, "95 of 100 within 100 ms",
            lambda measured, result: measured.per_s(result) > 0 and measured.p95_s() < MOST_LIST_S,
        ),
        case(
            Measured("office-may-serve", questions), 200, "at least 300 answers/s",
            lambda measured, result: measured.per_s(result) >= 300,
        ),
    ]  # fmt: skip
