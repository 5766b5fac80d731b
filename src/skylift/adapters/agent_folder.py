"""The agent's folder: keys, who it is, what its owner allows, its buffer. For one user, and one agent."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

from skylift.adapters.atomic import write_atomically
from skylift.adapters.dish_router import DEFAULT_ROUTER
from skylift.adapters.keys import KeyPair, read_secret, write_secret
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.wire.agent.orders import Permits
from skylift.wire.agent.permits import BLANK, permits_of
from skylift.wire.agent.sharing import Shares, Told, shares_of, text_of

AGENT_KEY: Final = "agent.key"
BUFFER_KEY: Final = "buffer.key"
BUFFER: Final = "rows.sqlite"
ALLOW: Final = "allow.toml"
_WHO: Final = "agent.json"
SHARE: Final = "share.toml"
_TROUBLE: Final = "trouble.json"
_TOLD: Final = "shared.json"
_SHARE_TROUBLE: Final = "share-trouble"
_SHOWN: Final = "safety-shown"
_BESIDE: Final = "beside.json"
_LOCK: Final = "lock"
_BUFFER_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who the agent is to which service. reserved: numbers of rows up to it may have been used."""

    server: str
    terminal: str
    key_id: str
    server_public_key: str
    enrolled_at: str
    interval_s: float = 15.0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Beside:
    """What the agent was told to stand beside, so that it need not be told again.

    dish, router  HOST:PORT
    ca            PEM file of the authority that signs the service's certificate; None for the system's
    """

    dish: str = "192.168.100.1:9200"
    router: str = DEFAULT_ROUTER
    ca: str | None = None

    @property
    def authority(self) -> Path | None:
        return None if self.ca is None else Path(self.ca)


class AgentFolder:
    """Raises Unavailable where the disk refuses, or others may read a key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def made(self) -> AgentFolder:
        """The folder, for this user alone."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)
        except OSError as error:
            raise self._unavailable(error) from None
        return self

    @contextlib.contextmanager
    def locked(self):  # type: ignore[no-untyped-def]
        """While one agent runs, no second one does: two would use the same numbers for different rows."""
        with (self.path / _LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused(
                    "agent.running",
                    f"folder {self.path}",
                    "an agent runs with it already",
                    "stop that one, or give each dish a folder of its own with --state-dir",
                ) from None
            yield

    # --- who it is

    def enrolment(self) -> Enrolment | None:
        file = self.path / _WHO
        if not file.exists():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=Enrolment)
        except (OSError, msgspec.DecodeError):
            raise Unavailable(
                "agent.damaged",
                f"file {_WHO} of the agent",
                "it cannot be read",
                "run skylift agent wipe, and enrol anew with a new code",
            ) from None

    def was_enrolled(self) -> bool:
        """Whether a service knows its key, though what it says of that be damaged."""
        return (self.path / _WHO).exists()

    def keep_enrolment(self, enrolment: Enrolment) -> None:
        write_atomically(self.path / _WHO, json.dumps(asdict(enrolment)))
        (self.path / _WHO).chmod(0o600)

    def beside(self) -> Beside:
        """As it was told last; what every dish has, where it never was or that cannot be read."""
        try:
            return msgspec.json.decode((self.path / _BESIDE).read_bytes(), type=Beside)
        except (OSError, msgspec.DecodeError):
            return Beside()

    def keep_beside(self, beside: Beside) -> None:
        write_atomically(self.path / _BESIDE, msgspec.json.encode(beside))
        (self.path / _BESIDE).chmod(0o600)

    def agent_key(self) -> KeyPair:
        return KeyPair.kept(self.path / AGENT_KEY)

    def buffer_key(self) -> bytes:
        path = self.path / BUFFER_KEY
        if not path.exists():
            write_secret(path, os.urandom(_BUFFER_KEY_BYTES))
        return read_secret(path)

    # --- what its owner allows

    def permits(self) -> Permits:
        """Raises Refused for a list that cannot be read; Unavailable for one that others may write."""
        path = self.path / ALLOW
        if not path.exists():
            write_atomically(path, BLANK)
            path.chmod(0o600)
        return permits_of(self._owners(path, "nothing is allowed"))

    def _owners(self, path: Path, without: str) -> str:
        """What an owner wrote, where nobody else can have."""
        try:
            if path.stat().st_mode & 0o022:
                raise Unavailable(
                    f"agent.{path.stem}-open",
                    f"the owner's list {path.name}",
                    "others on this machine may write it",
                    "run chmod 600 on it, and look what it says",
                )
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise Unavailable(
                f"agent.{path.stem}-unreadable",
                f"the owner's list {path.name}",
                "it cannot be read as text",
                f"write it anew; without it {without}",
            ) from None

    # --- what its owner shares of the dish's place

    def shares(self) -> Shares:
        """As `permits`; without a list nothing."""
        path = self.path / SHARE
        return shares_of(self._owners(path, "nothing is shared")) if path.exists() else Shares()

    def shares_or_none(self) -> Shares:
        """Nothing, where the list cannot be read: then nothing is shared."""
        try:
            return self.shares()
        except SkyliftError:
            return Shares()

    def keep_shares(self, shares: Shares) -> None:
        write_atomically(self.path / SHARE, text_of(shares))
        (self.path / SHARE).chmod(0o600)

    def told(self) -> Told:
        """The owner's word as it was told last.

        Where that is not known any more, all is taken back by a later word than any that counted so far.
        """
        file = self.path / _TOLD
        if not file.exists():
            return Told()
        try:
            return msgspec.json.decode(file.read_bytes(), type=Told)
        except (OSError, msgspec.DecodeError):
            return Told(int(time.time()))

    def keep_told(self, told: Told) -> None:
        write_atomically(self.path / _TOLD, msgspec.json.encode(told))
        (self.path / _TOLD).chmod(0o600)

    def share_trouble(self) -> str:
        """What kept it from being told when it was tried last; "" nothing."""
        try:
            return (self.path / _SHARE_TROUBLE).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def keep_share_trouble(self, trouble: str) -> None:
        if trouble:
            write_atomically(self.path / _SHARE_TROUBLE, trouble)
        else:
            (self.path / _SHARE_TROUBLE).unlink(missing_ok=True)

    # --- what is remembered for people

    def trouble(self) -> dict[str, str]:
        """What was wrong last, and since when; nothing where all was well."""
        try:
            found = json.loads((self.path / _TROUBLE).read_text())
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def keep_trouble(self, code: str, since: str) -> None:
        file = self.path / _TROUBLE
        if code:
            write_atomically(file, json.dumps({"code": code, "since": since}))
        else:
            file.unlink(missing_ok=True)

    def safety_was_shown(self) -> bool:
        return (self.path / _SHOWN).exists()

    def keep_safety_shown(self) -> None:
        (self.path / _SHOWN).touch()

    # --- leaving nothing

    def wipe(self) -> int:
        """Overwrite the keys, then remove everything; how many files there were.

        The folder stays, empty, where only root may remove it (systemd's StateDirectory).
        """
        if not self.path.exists():
            return 0
        files = [file for file in self.path.rglob("*") if file.is_file()]
        for name in (AGENT_KEY, BUFFER_KEY):
            with contextlib.suppress(OSError):
                _overwrite(self.path / name)
        try:
            shutil.rmtree(self.path)
        except OSError as error:
            if str(error.filename) != str(self.path) or any(self.path.iterdir()):
                raise self._unavailable(error) from None
        return len(files)

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(
            "agent.folder",
            f"folder {self.path}",
            f"it cannot be used ({error.strerror or type(error).__name__})",
            "run as its owner, or name another with --state-dir",
        )


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
