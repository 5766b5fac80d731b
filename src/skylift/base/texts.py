"""Texts that came from elsewhere, fit to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line without control characters: each is a space, as are marks that nobody sees or that turn the
    direction of reading; spaces at the ends and in a row are gone.

    A terminal obeys an escape sequence, and a name that hides characters passes for another name.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
