"""Signed requests, held against the library http-message-signatures both ways."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.keys import KeyPair, is_signed
from skylift.base.errors import Refused
from skylift.wire.telemetry import signing

PAIR = KeyPair.of(bytes(range(32)))
PATH = "/api/v1/telemetry"
TYPE = "application/msgpack"


class Keys(HTTPSignatureKeyResolver):  # type: ignore[misc]
    def resolve_private_key(self, key_id: str) -> Any:
        return PAIR._private

    def resolve_public_key(self, key_id: str) -> Any:
        assert key_id == "key_1"
        return PAIR._private.public_key()


def ours(body: bytes, created_s: int = 1_700_000_000) -> dict[str, str]:
    return signing.signed_headers(("POST", PATH, TYPE), body, "key_1", created_s, PAIR.sign)


def message(headers: dict[str, str]) -> Any:
    return SimpleNamespace(method="POST", url=f"https://sky.example{PATH}", headers=dict(headers))


def theirs_verify(headers: dict[str, str], body: bytes) -> Any:
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys())
    return verifier.verify(message(headers), max_age=None, require_components=signing.COMPONENTS, body=body)


@given(st.binary(max_size=200), st.integers(0, 1_750_000_000))
def test_the_library_takes_what_we_sign(body: bytes, created_s: int) -> None:
    (result,) = theirs_verify(ours(body, created_s), body)
    assert result.parameters["keyid"] == "key_1"


@given(st.binary(max_size=200))
def test_we_take_what_the_library_signs(body: bytes) -> None:
    sent = message({"content-type": TYPE})
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys()).sign(
        sent, key_id="key_1", label="sky", covered_component_ids=signing.COMPONENTS, body=body
    )
    headers = {name.lower(): value for name, value in sent.headers.items()}
    got = signing.read("POST", PATH, headers, body)
    assert got.key_id == "key_1"
    assert is_signed(PAIR.public, got.base, got.signature)


@pytest.mark.parametrize("change", ["method", "path", "type", "created", "key", "body"])
def test_nothing_that_is_covered_can_be_changed(change: str) -> None:
    body, headers = b"rows", ours(b"rows")
    method, path = ("PUT" if change == "method" else "POST"), PATH + ("/x" if change == "path" else "")
    if change == "type":
        headers["content-type"] = "application/json"
    if change == "created":
        headers["signature-input"] = headers["signature-input"].replace("1700000000", "1700000001")
    if change == "key":
        headers["signature-input"] = headers["signature-input"].replace("key_1", "key_2")
    if change == "body":
        body = b"more"
        with pytest.raises(Refused) as refusal:
            signing.read(method, path, headers, body)
        assert refusal.value.code == "signature.digest"
        with pytest.raises(InvalidSignature):
            theirs_verify(headers, body)
        headers["content-digest"] = signing.digest(body)
    got = signing.read(method, path, headers, body)
    assert not is_signed(PAIR.public, got.base, got.signature)


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("signature-input", "sky=", "sig1="),
        ("signature-input", '"@method" ', ""),  # less is covered
        ("signature-input", '"@method" "@path"', '"@path" "@method"'),
        ("signature-input", ";alg=", ";nonce="),
        ("signature-input", ';alg="ed25519"', ';keyid="key_2"'),  # a parameter twice
        ("signature-input", ';alg="ed25519"', ""),
        ("signature-input", "ed25519", "hmac-sha256"),
        ("signature-input", "key_1", "key\\n1"),
        ("signature-input", "created=", "created=-"),
        ("signature-input", "key_1", "к1"),
        ("signature", "sky=:", "sky=:AA"),
        ("signature", "sky=", "sig1="),
        ("content-digest", "sha-256", "md5"),
        ("content-digest", "sha-256=:", "sha-256=:A"),
    ],
)
def test_only_one_way_of_writing_it_is_taken(header: str, old: str, new: str) -> None:
    headers = ours(b"rows")
    assert old in headers[header]
    headers[header] = headers[header].replace(old, new, 1)
    with pytest.raises(Refused) as refusal:
        signing.read("POST", PATH, headers, b"rows")
    assert refusal.value.code == "signature.malformed"


@pytest.mark.parametrize("name", ["signature-input", "signature", "content-digest", "content-type"])
def test_each_header_is_needed(name: str) -> None:
    headers = ours(b"rows")
    del headers[name]
    with pytest.raises(Refused, match=name) as refusal:
        signing.read("POST", PATH, headers, b"rows")
    assert refusal.value.code == "signature.missing"


@given(
    st.dictionaries(
        st.sampled_from(["signature-input", "signature", "content-digest", "content-type"]), st.text()
    ),
    st.text(),
)
def test_no_text_makes_it_fall(headers: dict[str, str], path: str) -> None:
    good = ours(b"")
    for mixed in (headers, good | headers):
        try:
            got = signing.read("POST", path, mixed, b"")
        except Refused:
            continue
        assert path.startswith("/")
        assert len(got.signature) == 64


@pytest.mark.parametrize(
    ("path", "kind", "key"), [("/a?b", TYPE, "k"), ("/a", "x\ny", "k"), ("/a", TYPE, "k y")]
)
def test_what_cannot_be_signed_is_not(path: str, kind: str, key: str) -> None:
    with pytest.raises(Refused):
        signing.signed_headers(("POST", path, kind), b"", key, 0, PAIR.sign)
