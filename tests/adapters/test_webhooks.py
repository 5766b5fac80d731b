"""Signing against the published vector and another library; where a webhook may go, and where it may not."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from skylift.adapters.webhooks import Message, Sender, Told, is_public, new_secret, read_networks, signature
from skylift.base.errors import Refused

HERE = read_networks("127.0.0.1,::1")
NOTHING = Message("whk_1_1", 1, b"{}", ())


class Receiver:
    """An HTTP server on loopback that answers what it is told to, and keeps what it got."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.slow_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                time.sleep(receiver.slow_s)
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/hook?key=1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def send(sender: Sender, url: str, message: Message = NOTHING) -> Told:
    return asyncio.run(sender.send(url, message))


def test_the_published_signature() -> None:
    # libraries/python/tests of github.com/standard-webhooks/standard-webhooks, the same in all its languages
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_another_library_accepts_what_is_sent_and_nothing_else(receiver: Receiver) -> None:
    new, old = new_secret(), new_secret()
    message = Message("whk_1_7", int(time.time()), '{"type":"x","ї":1}'.encode(), (new, old))
    told = send(Sender(HERE), receiver.url(), message)
    assert told.is_taken
    headers, body = receiver.got[0]
    assert body == message.body
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    for secret in (new, old):
        assert Verifier(secret).verify(body, headers) == {"type": "x", "ї": 1}
    for wrong, given in ((new_secret(), headers), (new, headers | {"webhook-id": "whk_1_8"})):
        with pytest.raises(WebhookVerificationError):
            Verifier(wrong).verify(body, given)
    with pytest.raises(WebhookVerificationError):
        Verifier(new).verify(body + b" ", headers)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 410, 500, 503])
def test_what_is_not_2xx_is_not_taken_and_nothing_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"Location": receiver.url(), "Retry-After": "120"})]
    told = send(Sender(HERE), receiver.url())
    assert (told.status, told.is_taken, told.retry_after_s) == (status, False, 120)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("after", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 30, "٣"])
def test_a_wait_that_cannot_be_read_is_none(receiver: Receiver, after: str) -> None:
    receiver.answers = [(503, {"Retry-After": after.encode().decode("latin-1")})]
    assert send(Sender(HERE), receiver.url()).retry_after_s == 0


def test_one_that_does_not_answer_is_left(receiver: Receiver) -> None:
    receiver.slow_s = 2.0
    told = send(Sender(HERE, patience_s=0.2), receiver.url())
    assert (told.status, told.error) == (0, "no answer in time")
    assert told.took_ms < 1500
    receiver.close()
    assert send(Sender(HERE), receiver.url()).error == "it cannot be reached"


# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
NOT_PUBLIC = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_address_of_our_own_surroundings_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender()
    assert not is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused) as told:
        sender.check_url(f"https://{host}/hook")
    assert told.value.code == "webhook.url"
    assert address not in str(told.value)
    # Nor by a name that leads there.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 443))])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it connected"))
    assert send(sender, "https://hook.example.org/").error == "its address is not allowed"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_other_ways_to_write_an_address_lead_nowhere(host: str) -> None:
    told = send(Sender(), f"https://{host}/")
    assert told.status == 0
    assert told.error in {"its address is not allowed", "its name is not known", "its address is none"}


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "http://example.org/", "ftp://example.org/", "https://user:secret@example.org/", "https://",
        "https://example.org/#part", "https://localhost/", "https://a.localhost./", "https://example.org/ x",
        "https://exa\nmple.org/", "https://example.org/" + "x" * 2000, "javascript:alert(1)", "https://ex√.org/",
        "https://[::1", "https://example.org:99999/", "//example.org/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_receiver(url: str) -> None:
    with pytest.raises(Refused) as told:
        Sender().check_url(url)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["https://example.org/hook?a=b", "https://example.org:8443", "https://1.1.1.1/"]
)
def test_what_is_one(url: str) -> None:
    Sender().check_url(url)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert send(Sender(), "https://hook.example.org/").error == "its address is not allowed"


def test_a_name_is_looked_up_once_and_the_connection_goes_where_it_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that says something else the second time (DNS rebinding) leads nowhere else."""
    asked: list[Any] = []
    real = socket.getaddrinfo

    def once(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "hook.example.org":
            asked.append(host)
            where = "127.0.0.1" if len(asked) == 1 else "10.9.9.9"
            return [(2, 1, 6, "", (where, receiver.port))]
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert send(Sender(HERE), receiver.url("hook.example.org")).is_taken
    assert len(asked) == 1
    assert receiver.got[0][0]["host"] == f"hook.example.org:{receiver.port}"


def test_without_tls_only_what_is_named_is_told(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused):
        Sender().check_url("http://example.org/")
    assert send(Sender(), receiver.url()).error == "its address is not allowed"
    # A public address, asked without TLS, because some other network is allowed.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("1.1.1.1", 80))])
    assert send(Sender(HERE), "http://hook.example.org/").error == "its address is not allowed"
    assert receiver.got == []


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(Sender(HERE), receiver.url()).is_taken


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.org", "10.0.0.1/8"])
def test_networks_that_are_none(text: str) -> None:
    with pytest.raises(Refused) as told:
        read_networks(text)
    assert told.value.code == "webhooks.allow"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_the_certificate_must_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out",
         str(certificate), "-days", "2", "-subj", "/CN=hook.example.org", "-addext",
         "subjectAltName=DNS:hook.example.org"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver(context)
    real = socket.getaddrinfo

    def here(host: Any, *rest: Any, **more: Any) -> Any:
        named = isinstance(host, str) and host.endswith(".example.org")
        return [(2, 1, 6, "", ("127.0.0.1", receiver.port))] if named else real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    wrong = "its certificate is not accepted"
    assert send(Sender(HERE), receiver.url("hook.example.org", "https")).error == wrong, (
        "nobody vouches for it"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(Sender(HERE), receiver.url("hook.example.org", "https")).is_taken
    assert send(Sender(HERE), receiver.url("other.example.org", "https")).error == wrong
    assert len(receiver.got) == 1
    receiver.close()
