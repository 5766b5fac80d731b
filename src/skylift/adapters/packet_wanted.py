"""What is asked of a run of real packets, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skylift.adapters.packet_link import Followed
from skylift.wire.packet.pipe import QueueRules
from skylift.wire.packet.uplinks import Fibre

# WireGuard makes keys of its own for each session, every two minutes; these are those of the two ends.
KEYS_LAST_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Join:
    """What of others gets the link: a network namespace by its file, or a TUN interface by its name."""

    namespace: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run: whose link, from when, with what set by hand, and what to run at both ends.

    encrypt      WireGuard from the terminal to the gateway
    keys_last_s  after so long both ends get new keys
    fibre        a second way out
    internet     whether the PoP reaches this machine's network
    join         namespace (a file) or TUN interface of others that gets the link; then there is no command
    capture      file for all that enters the link, as it would be seen between terminal and gateway
    offload      superpackets and checksums left to be made; without it each packet comes by itself
    """

    followed: Followed
    command: tuple[str, ...]
    pop_command: tuple[str, ...] = ()
    queue: QueueRules = field(default_factory=QueueRules)
    encrypt: bool = False
    keys_last_s: float = KEYS_LAST_S
    fibre: Fibre | None = None
    capture: Path | None = None
    internet: bool = False
    join: Join = Join()
    offload: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """The command's exit status, the report as a document, the monotonic instant at which it began."""

    status: int
    report: dict[str, Any]
    began_ns: int = 0
