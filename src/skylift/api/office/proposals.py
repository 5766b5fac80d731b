"""What was proposed, word for word, for those who are asked to agree to it and for whoever then does it.

An agreement holds the hash of its change alone. What the hash is of, stands beside it for a week, and is
shown only as long as it still gives that hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from skylift.ports.store import Reader, Reply, Stored, Transaction
from skylift.service.approval.change import change_hash
from skylift.service.approval.state import Approval


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change as it was asked for. version: of the thing that it is about, as it was then."""

    version: int
    arguments: dict[str, Any]


def keep_proposal(
    transaction: Transaction, approval: Stored[Approval], version: int, arguments: Mapping[str, Any], at: int
) -> None:
    """Keep it with the agreement that it waits for; arguments: as the office was asked."""
    body = msgspec.json.encode(Proposed(version, dict(arguments))).decode()
    transaction.keep_reply(_key(approval.id), Reply(at, approval.thing.change, 202, body))


def proposal_of(reader: Reader, approval: Stored[Approval]) -> Proposed | None:
    """What an agreement is about; None where it is not known any more, or gives another hash."""
    kept = reader.reply(_key(approval.id))
    if kept is None:
        return None
    found = msgspec.json.decode(kept.body, type=Proposed)
    thing = approval.thing
    same = change_hash(thing.verb, thing.about, found.version, found.arguments) == thing.change
    return found if same else None


def _key(approval_id: str) -> str:
    # No person's key is of this kind: theirs begin with the person's id.
    return hashlib.sha256(f"proposal\0{approval_id}".encode()).hexdigest()
