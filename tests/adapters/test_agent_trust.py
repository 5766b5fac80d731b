"""Whom an agent trusts without --ca: the system's authorities, looked up in their folder."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skylift.adapters.agent_http import SignedHttp
from skylift.adapters.keys import KeyPair

from .test_packet_proxy import make_certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to name a certificate")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A service's address, and its certificate, which signs itself."""
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", certificate
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("known", "status", "code"), [(True, 404, ""), (False, 0, "agent.certificate")])
def test_the_folder_of_authorities_decides(
    site: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
    status: int,
    code: str,
) -> None:
    url, certificate = site
    folder = tmp_path / "authorities"
    folder.mkdir()
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(certificate)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(certificate, folder / (f"{name}.0" if known else "00000000.0"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    answered = SignedHttp(url, KeyPair.made()).get("/nothing-here")
    assert (answered.status, answered.code) == (status, code)
    # A file that is named goes before it.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert SignedHttp(url, KeyPair.made()).get("/nothing-here").status == 404
