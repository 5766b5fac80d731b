"""Which of the kept slots is asked for."""

from __future__ import annotations

from skylift.api.state import Kept, LiveState, not_ready
from skylift.base.errors import Refused
from skylift.base.instants import format_instant, parse_instant


def slot_of(state: LiveState, at: str | None) -> Kept:
    """The slot that an instant falls in (ISO 8601, or microseconds since 1970); without one, the present.

    Raises Refused where it is not kept, Unavailable where there is none yet.
    """
    state.need_hello()
    if at is None:
        present = state.present()
        if present is None:
            raise not_ready(state.why_not_ready() or "no slot yet")
        return present
    kept = state.slot_at(int(at) if at.isdecimal() and at.isascii() else parse_instant(at, "at"))
    if kept is not None:
        return kept
    oldest, newest = state.oldest_us, state.newest_us
    held = f"from {format_instant(oldest)} to {format_instant(newest)}" if oldest and newest else "none yet"
    raise Refused(
        "slot.not_kept",
        "the slot at the instant asked for",
        f"only recent slots are kept: {held}",
        "ask for one of these, or compute it with `skylift simulate`",
    )


def event_id(text: str | None) -> int | None:
    """The id that a reader of the live stream had last; None for none. Raises Refused."""
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Refused(
            "stream.event_id",
            "Last-Event-ID",
            "an event's id is a whole number",
            "send the id as it was received",
        )
    return int(text)
