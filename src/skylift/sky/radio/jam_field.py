"""Jamming at a place and a time: who disturbs which receiver, from a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JamView:
    """A field of disturbances as one set of sites meets it."""
