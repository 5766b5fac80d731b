"""Ed25519 keys on disk, mode 0600, and what is signed with them; the cryptography is the library's."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from skylift.base.errors import Refused, Unavailable

RAW_BYTES: Final = 32
_PUBLIC = re.compile(r"[A-Za-z0-9_-]{43}=?", re.ASCII)


class KeyPair:
    """One Ed25519 key pair. Its repr shows the public half alone."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"KeyPair({text_of(self.public)})"

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    @classmethod
    def made(cls) -> KeyPair:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, raw: bytes) -> KeyPair:
        """From the private half's 32 bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    @classmethod
    def kept(cls, path: Path) -> KeyPair:
        """The pair whose private half `path` holds; made there (mode 0600) if there is none."""
        if not path.exists():
            pair = cls.made()
            write_secret(path, pair._private.private_bytes_raw())
        return cls.of(read_secret(path))


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made with the private half of `public` (32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def text_of(raw: bytes) -> str:
    """base64url without padding: 43 letters for a public key."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_of(text: str) -> bytes:
    """The 32 bytes of a public key from base64url, padded or not. Raises Refused("key.unreadable")."""
    if not _PUBLIC.fullmatch(text):
        raise Refused(
            "key.unreadable",
            "the public key",
            "an Ed25519 key is 32 bytes in base64url",
            "send the 43 letters that the agent shows",
        )
    return base64.urlsafe_b64decode(text[:43] + "=")


def write_secret(path: Path, raw: bytes) -> None:
    """Writes a new file of mode 0600, whatever the umask; never over an existing one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails where another process was first: then that one's key is the key
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(
            "key.unwritable",
            f"the key file {path.name}",
            f"it could not be written ({error.strerror or type(error).__name__})",
            "check that the state folder is writable and has space",
        ) from None


def read_secret(path: Path) -> bytes:
    """The 32 bytes of a secret file. Raises Unavailable where others may read it, or it is damaged."""
    try:
        mode = path.stat().st_mode & 0o777
        raw = path.read_bytes()
    except OSError as error:
        raise Unavailable(
            "key.unreadable",
            f"the key file {path.name}",
            f"it could not be read ({error.strerror or type(error).__name__})",
            "run as the user that the file belongs to",
        ) from None
    if mode & 0o077:
        raise Unavailable(
            "key.open-to-others",
            f"the key file {path.name}",
            f"others on this machine may read it (mode {mode:04o})",
            "run chmod 600 on it; if others had access, enrol anew and revoke the old key",
        )
    if len(raw) != RAW_BYTES:
        raise Unavailable(
            "key.damaged",
            f"the key file {path.name}",
            "it does not hold 32 bytes",
            "remove it and enrol anew",
        )
    return raw
