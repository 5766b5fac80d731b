"""Keys on disk: made once, readable by their owner alone, never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skylift.adapters.keys import KeyPair, is_signed, public_of, text_of
from skylift.base.errors import Refused, Unavailable

# RFC 8032, 7.1, test 2.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_published_vector() -> None:
    pair = KeyPair.of(SECRET)
    assert pair.public == PUBLIC
    assert pair.sign(b"\x72") == SIGNATURE
    assert is_signed(PUBLIC, b"\x72", SIGNATURE)
    assert not is_signed(PUBLIC, b"\x73", SIGNATURE)
    assert not is_signed(b"short", b"\x72", SIGNATURE)
    assert SECRET.hex() not in repr(pair)
    assert text_of(SECRET) not in repr(pair)


def test_a_kept_key_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "agent.key"
    old = os.umask(0o000)
    try:
        first = KeyPair.kept(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyPair.kept(path).public == first.public
    assert [file.name for file in path.parent.iterdir()] == ["agent.key"]


def test_a_key_that_others_may_read_or_that_is_damaged_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "agent.key"
    KeyPair.kept(path)
    path.chmod(0o640)
    with pytest.raises(Unavailable, match="chmod 600"):
        KeyPair.kept(path)
    path.chmod(0o600)
    path.write_bytes(b"half")
    with pytest.raises(Unavailable, match="enrol anew"):
        KeyPair.kept(path)


def test_public_keys_as_text() -> None:
    assert public_of(text_of(PUBLIC)) == PUBLIC
    assert public_of(text_of(PUBLIC) + "=") == PUBLIC
    for bad in ("", "AAAA", "ключ", text_of(PUBLIC) + "AA", "+" * 43):
        with pytest.raises(Refused) as refusal:
            public_of(bad)
        assert refusal.value.code == "key.unreadable"
