"""The owner's list at the dish: allow.toml. What is not readable allows nothing."""

from __future__ import annotations

from typing import Final

from skylift.base.errors import Refused
from skylift.base.strict import read_toml
from skylift.wire.agent.orders import Kind, Permits

MOST_MINUTES: Final = 7 * 24 * 60

BLANK: Final = f"""\
# What may be done to this dish from afar. Nothing, unless you write it here. The owner of the dish decides.
# It may hold: {", ".join(kind.value for kind in Kind)}
allow = []

# A radio that was switched off from afar stays off until somebody switches it on. Other than 0: the agent
# switches it on again after so many minutes, whether or not anybody can be asked.
radio_on_again_after_min = 0

# A reboot may switch on a radio that is off.
reboot_while_off = false
"""


def permits_of(text: str) -> Permits:
    """Raises Refused that names the line."""
    root = read_toml(text, "allow.toml").table(
        known=("allow", "radio_on_again_after_min", "reboot_while_off")
    )
    known = {kind.value: kind for kind in Kind}
    names = root.texts("allow", default=())
    for name in names:
        if name not in known:
            raise Refused(
                "agent.allow",
                "allow in allow.toml",
                "it holds what no dish knows",
                f"known: {', '.join(known)}",
            )
    return Permits(
        frozenset(known[name] for name in names),
        root.whole("radio_on_again_after_min", minimum=0, maximum=MOST_MINUTES, default=0),
        root.flag("reboot_while_off", default=False),
    )
