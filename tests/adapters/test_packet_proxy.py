"""The proxy with programs that know nothing of it: curl over SOCKS 5, httpx over HTTP and CONNECT."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from skylift.adapters.packet_link import Followed, Overrides
from skylift.adapters.packet_proxy import Proxy
from skylift.adapters.packet_sky import LinkSlot
from skylift.adapters.scenario_files import Sources

DELAY_MS, RATE_MBPS = 30.0, 20.0
BODY = bytes(range(256)) * 4_000


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = BODY if self.path == "/body" else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Running:
    """A proxy in a thread of its own."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(proxy.serve_one, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()


def proxy_of(up: bool = True, loss: float = 0.0) -> Proxy:
    followed = Followed(Sources(None), "kyiv", 0, Overrides(rate_mbps=RATE_MBPS, loss=loss), 3)
    delay_us = (DELAY_MS * 1_000,) * 2
    return Proxy(followed, LinkSlot(0, 3_600_000_000, "" if up else "no_gateway", delay_us, delay_us))


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    one = Running(proxy_of())
    yield one
    one.close()


def curl(*words: str) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    return subprocess.run(["curl", "-sS", "-m", "20", *words], capture_output=True, check=False)


@pytest.mark.parametrize("way", [["-x", "socks5h://{}"], ["-x", "socks5://{}"], ["-x", "http://{}", "-p"]])
def test_curl_gets_the_body_whole_at_the_links_delay_and_rate(
    way: list[str], running: Running, site: int
) -> None:
    words = [word.format(f"127.0.0.1:{running.port}") for word in way]
    began_s = time.monotonic()
    done = curl(*words, f"http://127.0.0.1:{site}/body")
    took_s = time.monotonic() - began_s
    assert done.stdout == BODY, done.stderr
    # A connection and a request are a round trip each; the rate counts 52 bytes of headers on each 1,448.
    least_s = 4 * DELAY_MS / 1_000 + len(BODY) * 8 * 1_500 / 1_448 / (RATE_MBPS * 1e6)
    assert took_s > least_s * 0.98
    assert took_s < least_s + 1.5


def test_httpx_asks_for_http_addresses_and_keeps_bodies_apart(running: Running, site: int) -> None:
    with httpx.Client(proxy=f"http://127.0.0.1:{running.port}", timeout=20) as client:
        for path in ("/one?a=b", "/two"):
            assert client.get(f"http://127.0.0.1:{site}{path}").text == path


def test_httpx_connects_for_https(running: Running, tmp_path: Path) -> None:
    """TLS passes through untouched: the certificate that arrives is the other end's own."""
    import ssl

    certificate = make_certificate(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        trust = ssl.create_default_context(cafile=str(certificate))
        proxy = f"http://127.0.0.1:{running.port}"
        with httpx.Client(proxy=proxy, verify=trust, timeout=20) as client:
            assert client.get(f"https://127.0.0.1:{server.server_address[1]}/x").text == "/x"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> Path:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - datetime.timedelta(1))
    made = made.not_valid_after(now + datetime.timedelta(1)).add_extension(address, critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "site.pem"
    file.write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


def test_what_nobody_answers_is_said_in_the_proxys_words(running: Running) -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    # Bound, but nobody listens: refused.
    with httpx.Client(proxy=f"http://127.0.0.1:{running.port}", timeout=20) as client:
        assert client.get(f"http://127.0.0.1:{port}/").status_code == 502
    assert b"(5)" in curl("-x", f"socks5h://127.0.0.1:{running.port}", f"http://127.0.0.1:{port}/").stderr
    closed.close()


def test_socks_4_is_told_no_at_once(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=5.0) as client:
        client.sendall(struct.pack(">BBHI", 4, 1, 80, 0x7F000001) + b"\0")
        assert client.recv(8) == bytes([0, 91, 0, 0, 0, 0, 0, 0])


def test_a_page_that_aims_at_the_proxy_itself_gets_nothing(running: Running) -> None:
    assert httpx.get(f"http://127.0.0.1:{running.port}/").status_code == 400
    with socket.create_connection(("127.0.0.1", running.port)) as raw:
        raw.sendall(b"\x05\x01\x00" + b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50")
        raw.settimeout(10)
        assert raw.recv(2) == b"\x05\x00"
        # BIND is not offered: "command not supported" (RFC 1928, section 6).
        assert raw.recv(16)[1] == 7


def test_a_link_that_is_down_carries_nothing(site: int) -> None:
    down = Running(proxy_of(up=False))
    try:
        done = curl("-m", "1", "-x", f"socks5h://127.0.0.1:{down.port}", f"http://127.0.0.1:{site}/body")
        assert done.returncode == 28
        assert done.stdout == b""
    finally:
        down.close()


def test_a_report_counts_what_was_sent_again(site: int) -> None:
    lossy = Running(proxy_of(loss=0.02))
    try:
        done = curl("-x", f"socks5h://127.0.0.1:{lossy.port}", f"http://127.0.0.1:{site}/body")
        assert done.stdout == BODY
        slot = lossy.proxy.report()["slots"][0]
    finally:
        lossy.close()
    # 708 segments and more: 2 % of them, within four standard deviations of the binomial.
    assert slot["loss_seen"] == pytest.approx(0.02, abs=0.021)
    assert slot["loss_seen"] > 0
    assert slot["rtt_set_ms"] == pytest.approx(2 * DELAY_MS)


def test_it_loads_nothing_that_other_systems_lack() -> None:
    program = (
        "import sys\n"
        "for name in ('fcntl', 'termios', 'pwd', 'grp', 'pyroute2'): sys.modules[name] = None\n"
        "import skylift.adapters.packet_proxy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("listen", ["0.0.0.0:1080", "192.0.2.1:1080", "here", "127.0.0.1:70000", "[::]:1"])
def test_it_listens_on_loopback_alone(listen: str) -> None:
    from skylift.base.errors import Refused
    from skylift.cli.proxy import _loopback

    with pytest.raises(Refused, match="loopback"):
        _loopback(listen)
    assert _loopback("[::1]:0") == ("::1", 0)
