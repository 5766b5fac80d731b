"""What an agent costs the board beside a dish: memory at its peak and CPU, over TLS, through days offline.

A real `skylift run` with a certificate of its own, `skylift dish serve` and an agent, whose time
goes SPEED times as fast. It finds days of rows on its disk, and nobody who answers; then the service again,
and delivers as much as that takes. No peer: other exporters for dishes keep and sign nothing.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import math
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from bench.harness import Case
from bench.telemetry_services import Service, cpu_s
from skylift.adapters import agent_process
from skylift.adapters.agent_folder import BUFFER, AgentFolder, Enrolment
from skylift.adapters.agent_http import SignedHttp, enrol
from skylift.adapters.agent_shelf import MOST_ROWS, SqlShelf
from skylift.wire.telemetry.rows import Row

PASSWORD = "a fleet of dishes"
MOST_BYTES, MOST_CORE = 60_000_000, 0.02
SPEED = 60.0
# More than is kept whole, so that some of it is thinned: eight days of rows of 15 s.
ROWS_BEFORE = MOST_ROWS + 6_000
SPAN_US = 15_000_000
OFFLINE_S, ONLINE_S = 15.0, 180.0
# A service takes 400 batches at once, and then one each second by its own clock.
LEAST_DELIVERED = 8_000


@dataclass(frozen=True, slots=True)
class Clock:
    """What an agent's wall clock showed when the machine's monotonic one was at `began_ns`, and its speed."""

    at_us: int
    speed: float
    began_ns: int


def enrolled(folder: Path, url: str, code: str) -> AgentFolder:
    """An agent's folder, once a service has taken its code."""
    made = AgentFolder(folder).made()
    keys = made.agent_key()
    told = enrol(SignedHttp(url, keys), keys, code)
    made.keep_enrolment(
        Enrolment(url, told.terminal, told.key_id, told.server_public_key, told.at, told.interval_s)
    )
    return made


def start_agent(folder: AgentFolder, dish: str, clock: Clock) -> subprocess.Popen[bytes]:
    """Its process; what it says goes into `log` of its folder."""
    options = agent_process.Options(str(folder.path), dish, None, clock.at_us, clock.speed, clock.began_ns)
    command, environment = agent_process.launch(options)
    with (folder.path / "log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def start_dishes(
    stack: ExitStack, url: str, token: str, count: int, environment: dict[str, str]
) -> list[str]:
    """So many emulated dishes of a service's scenario, ended with the stack; their addresses."""
    command = [sys.executable, "-m", "skylift", "dish", "serve", "--server", url, "--count", str(count)]
    serving = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"SKYLIFT_TOKEN": token} | environment,
    )
    stack.callback(serving.wait)
    stack.callback(serving.kill)
    assert serving.stdout is not None
    return [dish["address"] for dish in json.loads(serving.stdout.readline())["dishes"]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def make_certificate(folder: Path) -> Path:
    """One that signs itself, for 127.0.0.1, with its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
    made = made.not_valid_after(now + datetime.timedelta(1)).add_extension(address, critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "site.pem"
    file.write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


@dataclass(frozen=True, slots=True)
class Found:
    """peak_bytes: the most that the process held; core: its share of one; delivered: rows of before."""

    peak_bytes: int
    core: float
    delivered: int


@cache
def lived_through() -> Found:
    """An agent that is offline with days of rows, delivers them, and goes on."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="skylift-agent-"))
        stack.callback(shutil.rmtree, folder, True)
        site, port = make_certificate(folder), free_port()
        os.environ["SSL_CERT_DIR"] = str(_authorities(folder / "authorities", site))
        tls = ("--tls-cert", str(site), "--tls-key", str(site))
        service = Service(folder, port, None, tls, site)
        stack.callback(service.end)
        service.start()
        dish, agent = _beside(stack, service, site)
        now_us = time.time_ns() // 1_000
        # Its time never comes up with the service's, which would put rows of the future aside.
        begins_us = now_us - round((OFFLINE_S + ONLINE_S) * SPEED * 2e6)
        waiting = _fill(agent, begins_us)
        clock = Clock(begins_us, SPEED, time.monotonic_ns())
        service.stop()
        process = start_agent(agent, dish, clock)
        stack.callback(process.wait)
        stack.callback(process.kill)
        time.sleep(OFFLINE_S)
        service.start()
        before_s, began_s = cpu_s(process.pid), time.monotonic()
        time.sleep(ONLINE_S)
        share = (cpu_s(process.pid) - before_s) / (time.monotonic() - began_s) / SPEED
        delivered = waiting - _waiting(agent)
        print(f"{delivered:,} of {waiting:,} rows delivered", file=sys.stderr)
        return Found(_peak_bytes(process.pid), share, delivered)


def _authorities(folder: Path, site: Path) -> Path:
    """What an agent without --ca trusts: all that this system does, and the service's own certificate."""
    folder.mkdir()
    for link in Path(ssl.get_default_verify_paths().capath or "").glob("*.[0-9]"):
        (folder / link.name).symlink_to(link.resolve())
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(site)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").symlink_to(site)
    return folder


def _beside(stack: ExitStack, service: Service, site: Path) -> tuple[str, AgentFolder]:
    """A dish's address, and an enrolled agent."""
    with httpx.Client(base_url=service.url, verify=ssl.create_default_context(cafile=site)) as client:
        body = {"code": service.setup_code, "email": "bench@example.org", "password": PASSWORD}
        token = str(client.post("/api/v1/setup", json=body).json()["token"])
        client.headers["Authorization"] = f"Bearer {token}"
        terminal = {"hardware": "MINI", "serial": "KIT0000001", "origin": "gift"}
        id = client.post("/api/v1/terminals", json=terminal).json()["id"]
        code = client.post(f"/api/v1/terminals/{id}/enrolment-codes").json()["code"]
    (dish,) = start_dishes(stack, service.url, token, 1, {"SSL_CERT_FILE": str(site)})
    return dish, enrolled(site.parent / "agent", service.url, code)


def _fill(agent: AgentFolder, until_us: int) -> int:
    """Days of rows on its disk, as if it had been cut off; how many are left of them."""
    shelf = SqlShelf(agent.path / BUFFER, agent.buffer_key(), durable=False)
    for first in range(0, ROWS_BEFORE, 100):
        ago = range(ROWS_BEFORE - first, ROWS_BEFORE - first - 100, -1)
        shelf.keep([_row(until_us - spans * SPAN_US) for spans in ago], None)
    left = shelf.waiting()
    shelf.close()
    return left


def _row(at_us: int) -> Row:
    return Row(
        1, at_us, 86_400.0, 2e6, 2e5, 0.01, 40.0, 0.0, False, 0.9, "connected", "2026.11.04.mr71234", (),
        3_000_000, 300_000, 15.0, 45.0,
    )  # fmt: skip


def _waiting(agent: AgentFolder) -> int:
    shelf = SqlShelf(agent.path / BUFFER, agent.buffer_key(), durable=False)
    try:
        return shelf.waiting()
    finally:
        shelf.close()


def _peak_bytes(pid: int) -> int:
    lines: Sequence[str] = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1_024 for line in lines if line.startswith("VmHWM"))


def cases(seed: int) -> list[Case]:
    return [
        Case(
            id="agent-tls",
            ours=lived_through,
            peer=None,
            peer_name="",
            peer_version="",
            compare=lambda ours, peer: float(ours.core) if ours.delivered >= LEAST_DELIVERED else math.nan,
            limit=f"an agent over TLS, days offline <= {MOST_BYTES / 1e6:g} MB, <= {MOST_CORE:.0%} of a core "
            "(column error: share of a core)",
            ok=lambda result: (
                0 < result.ours.peak_rss_bytes <= MOST_BYTES
                and result.max_error is not None
                and result.max_error <= MOST_CORE
            ),
            seed=seed,
            rounds=1,
            threads=2,
            peak_of=lambda found: int(found.peak_bytes),
        )
    ]
