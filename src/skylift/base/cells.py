"""Whether a text is an H3 cell."""

from __future__ import annotations

import re

import h3

# As h3 writes them; of longer texts its own check fails instead of saying no.
_CELL = re.compile(r"[0-9a-f]{15,16}", re.ASCII)


def is_cell(text: str, finest: int = 15) -> bool:
    """An H3 cell, as h3 writes it, of this resolution or a coarser one."""
    return _CELL.fullmatch(text) is not None and h3.is_valid_cell(text) and h3.get_resolution(text) <= finest
