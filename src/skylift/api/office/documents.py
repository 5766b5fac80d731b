"""Things as they are handed out, and who may see them."""

from __future__ import annotations

from typing import Any

from skylift.api.office.shapes import Agreement
from skylift.base.labels import plural
from skylift.base.things import Room
from skylift.ports.store import Stored
from skylift.service.account.roles import Subject
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.service.approval.state import Approval
from skylift.service.command import state as command
from skylift.service.command.state import ROOM as COMMANDS
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Actor

__all__ = ["agreement", "document", "etag", "plural", "readable", "thing_name"]


def document(room: Room[Any], stored: Stored[Any]) -> dict[str, Any]:
    """A thing as it is handed out."""
    plain = room.to_plain(stored.thing)
    plain["version"] = stored.version
    plain["status"] = room.at_a_glance(stored.thing).status
    if room is APPROVALS:
        plain |= {"approval": stored.id, "needed": stored.thing.people_needed}
    if room is COMMANDS:
        plain["means"] = command.meaning(stored.thing)
    return plain


def agreement(stored: Stored[Approval]) -> Agreement:
    a = stored.thing
    return Agreement(
        stored.id, stored.id, stored.version, a.state.value, a.verb, a.about, a.change, a.people,
        a.people_needed, a.lapses_at,
    )  # fmt: skip


def etag(version: int) -> str:
    return f'"{version}"'


def readable(office: Office, actor: Actor, room: Room[Any], thing: Any) -> bool:
    facets = room.at_a_glance(thing)
    return office.allows(actor, f"{room.kind}.read", Subject(facets.region, facets.owner))


def thing_name(room: Room[Any]) -> str:
    """What OpenAPI calls a thing of a room."""
    return f"{room.kind.title().replace('-', '')}Document"
