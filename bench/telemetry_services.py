"""What telemetry is loaded on: a `skylift run` and a PostgreSQL of its own, and what they cost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

STARTS_WITHIN_S = 120.0


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
        database = "CREATE DATABASE skylift"
        self._run("psql", "-qX", "-U", "skylift", "-h", str(folder), "-d", "postgres", "-c", database)

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
    """`skylift run`, in a process of its own. more: its options; authority: who signed its certificate."""

    def __init__(
        self,
        folder: Path,
        port: int,
        store_url: str | None,
        more: Sequence[str] = (),
        authority: Path | None = None,
    ) -> None:
        self._folder, self.port, self._store_url, self._more = folder, port, store_url, more
        self.url = f"http{'' if authority is None else 's'}://127.0.0.1:{port}"
        self._trusts = True if authority is None else ssl.create_default_context(cafile=authority)
        self.setup_code = ""
        self.cpu_s = self.sky_cpu_s = 0.0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("skylift")), "run", "--port", str(self.port),
                   "--data-dir", str(self._folder), *self._more]  # fmt: skip
        if self._store_url:
            command += ["--store-url", self._store_url]
        with (self._folder / "log").open("a") as log:
            # A session of its own: Ctrl-C is the measurement's, which then ends all of it.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, text=True, start_new_session=True
            )
        until_s = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"it does not start: {self.log()[-2000:]}")
            time.sleep(0.1)
        found = re.search(r"setup\?code=(\S+)", self.log())
        self.setup_code = found[1] if found else self.setup_code

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", verify=self._trusts).status_code == 200
        except httpx.HTTPError:
            return False

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def keys(self) -> int:
        """How many keys of agents it knows by now."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30.0).text
        except httpx.HTTPError:
            return 0
        found = re.search(r"^skylift_agent_keys (\S+)", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

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

    def end(self) -> None:
        """Whatever has happened, none of its processes is left."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


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
