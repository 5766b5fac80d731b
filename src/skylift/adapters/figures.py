"""Figures as bytes, for those who hand them on instead of keeping them."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


def png_bytes(figure: Figure, dpi: float) -> bytes:
    """One at a time: the library shares its fonts between pictures."""
    out = io.BytesIO()
    figure.savefig(out, dpi=dpi, format="png")
    return out.getvalue()
