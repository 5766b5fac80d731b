"""The text of a signed request: a strict subset of HTTP Message Signatures, the same for agent and server.

RFC 9421 with one label (`sky`), exactly the components below, the parameters created, keyid and
alg="ed25519", and Content-Digest sha-256 (RFC 9530) over the body as sent. Whatever differs is refused, so
that there is one way to write a request and nothing to argue about. No key is touched here: adapters/keys.py
signs the base and checks it.

    unsigned = base(method, path, content_type, digest(body), parameters)
    headers = signed_headers(...)             # the agent
    given = read(method, path, headers, body) # the server; then verify given.signature over given.base

The query is not covered: no signed door takes one. Freshness comes from sequences, not from `created`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from skylift.base.errors import Refused

LABEL: Final = "sky"
COMPONENTS: Final = ("@method", "@path", "content-digest", "content-type")
SIGNATURE_BYTES: Final = 64  # RFC 8032, Ed25519

_COVERED = "(" + " ".join(f'"{name}"' for name in COMPONENTS) + ")"
# The parameters are taken in any order, and signed in the order they came: RFC 9421, 2.3.
_PARAMETER = r';(?:created=\d{1,15}|keyid="[A-Za-z0-9_.-]{1,80}"|alg="ed25519")'
_INPUT = re.compile(rf"{LABEL}=({re.escape(_COVERED)}((?:{_PARAMETER}){{3}}))", re.ASCII)
_ONE_PARAMETER = re.compile(r';(created|keyid|alg)="?([A-Za-z0-9_.-]+)"?', re.ASCII)
_SIGNATURE = re.compile(rf"{LABEL}=:([A-Za-z0-9+/]{{86}}==):", re.ASCII)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.ASCII)
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)
# Field values of visible ASCII and spaces, RFC 9110, 5.5; a path as it stands in the request line.
_TYPE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
_PATH = re.compile(r"/[\x21\x22\x24-\x3e\x40-\x7e]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request's signature as read: by which key, when, over which bytes. Not yet verified."""

    key_id: str
    created_s: int
    base: bytes
    signature: bytes


def digest(body: bytes) -> str:
    """The Content-Digest field of a body, as sent (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def base(method: str, path: str, content_type: str, content_digest: str, parameters: str) -> bytes:
    """What is signed (RFC 9421, 2.5); `parameters` is what stands behind the label in Signature-Input."""
    lines = (method, path, content_digest, content_type)
    text = "".join(f'"{name}": {line}\n' for name, line in zip(COMPONENTS, lines, strict=True))
    return f'{text}"@signature-params": {parameters}'.encode("ascii")


def parameters(key_id: str, created_s: int) -> str:
    """The covered components and parameters as we write them."""
    if not _KEY_ID.fullmatch(key_id):
        raise _malformed("a key's id", "it has 1 to 80 letters, digits, dots, dashes and underscores")
    return f'{_COVERED};created={created_s};keyid="{key_id}";alg="ed25519"'


def signed_headers(
    request: tuple[str, str, str],
    body: bytes,
    key_id: str,
    created_s: int,
    sign: Callable[[bytes], bytes],
) -> dict[str, str]:
    """The headers of a signed request; `request` is (method, path, content type), `sign` gives 64 bytes."""
    method, path, content_type = request
    if not _PATH.fullmatch(path) or not _TYPE.fullmatch(content_type):
        raise _malformed("the request", "its path and content type are visible ASCII, and it has no query")
    written, content_digest = parameters(key_id, created_s), digest(body)
    signature = base64.b64encode(sign(base(method, path, content_type, content_digest, written))).decode()
    return {
        "content-type": content_type,
        "content-digest": content_digest,
        "signature-input": f"{LABEL}={written}",
        "signature": f"{LABEL}=:{signature}:",
    }


def read(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Signed:
    """Reads a request's signature and holds the digest against the body; `headers` by lower-case name.

    Raises Refused: signature.missing, signature.malformed or signature.digest; what came is never printed.
    """
    names = ("signature-input", "signature", "content-digest", "content-type")
    for name in names:
        if not headers.get(name):
            raise Refused(
                "signature.missing",
                "the request",
                f"it lacks the header {name}",
                "sign it as docs/reference/telemetry.md says; `skylift agent` does",
            )
    stated = _INPUT.fullmatch(headers["signature-input"].strip())
    signature = _SIGNATURE.fullmatch(headers["signature"].strip())
    content_type = headers["content-type"].strip(" \t")
    if stated is None or not _PATH.fullmatch(path) or not _TYPE.fullmatch(content_type):
        raise _malformed(
            "Signature-Input", f"it reads {LABEL}={_COVERED} with created, keyid and alg=ed25519"
        )
    found = _ONE_PARAMETER.findall(stated.group(2))
    values = dict(found)
    if len(values) != len(found):
        raise _malformed("Signature-Input", "each of created, keyid and alg stands there once")
    raw = _bytes(signature.group(1)) if signature else b""
    if len(raw) != SIGNATURE_BYTES:
        raise _malformed("Signature", f"it reads {LABEL}=:...: with {SIGNATURE_BYTES} bytes in base64")
    content_digest = headers["content-digest"].strip(" \t")
    _hold_digest(content_digest, body)
    signing = base(method, path, content_type, content_digest, stated.group(1))
    return Signed(values["keyid"], int(values["created"]), signing, raw)


def _hold_digest(content_digest: str, body: bytes) -> None:
    match = _DIGEST.fullmatch(content_digest)
    if match is None:
        raise _malformed("Content-Digest", "it reads sha-256=:...: with 32 bytes in base64")
    if not hmac.compare_digest(_bytes(match.group(1)), hashlib.sha256(body).digest()):
        raise Refused(
            "signature.digest",
            "the request's body",
            "it is not what its Content-Digest says",
            "it was changed on the way, or cut short; send it again",
        )


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _malformed(thing: str, rule: str) -> Refused:
    return Refused("signature.malformed", thing, rule, "see docs/reference/telemetry.md")
