"""Something that has happened."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base.instants import InstantUs


@dataclass(frozen=True, slots=True)
class Event:
    """A fact: past tense, never undone. `by` is whose authority it rests on, `cause_id` what led to it."""

    at: InstantUs
    by: str
    subject_id: str
    cause_id: str | None
