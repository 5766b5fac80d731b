"""What is asked of one thing beside its verbs: what is personal about it, an invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from skylift.base.labels import plural

if TYPE_CHECKING:
    from skylift.client.http import Client

# Kinds of which something personal is kept that some role may read, and may erase.
PERSONAL = frozenset({"request", "account", "person", "terminal", "shipment", "webhook"})
ERASABLE = PERSONAL - {"shipment"}


def needed(kind: str, id: str) -> str:
    """An id as part of a path. Raises Refused for none."""
    from urllib.parse import quote

    from skylift.base.errors import Refused

    if not id:
        raise Refused("command.id", f"skylift {kind}", "it needs to know which one", f"give the {kind}'s id")
    return quote(id, safe="")


def more(client: Client, kind: str, what: str, told: tuple[str, dict[str, str]], sure: bool) -> Any:
    """What a door beside the verbs of a kind answers; None where `what` is no such door."""
    id, given = told
    if what == "personal" and kind in PERSONAL:
        return client.ask("GET", f"{plural(kind)}/{needed(kind, id)}/personal")
    if what == "erase" and kind in ERASABLE:
        path = f"{plural(kind)}/{needed(kind, id)}/personal"
        if not sure:
            typer.confirm(f"Erase all that is personal about {id}, for good?", abort=True, err=True)
        return client.ask("DELETE", path, {"ground": given.get("ground", "asked")})
    if (kind, what) == ("person", "invite"):
        body = {"lasts_s": int(given["lasts_s"])} if "lasts_s" in given else {}
        return client.ask("POST", f"persons/{needed(kind, id)}/invite", body)
    if (kind, what) == ("webhook", "kinds"):
        return client.ask("GET", "webhook-kinds")
    return None
