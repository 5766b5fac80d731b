"""The H3 cell of a place, asked of another process: h3 takes 8 MB that the agent does not have.

python -m skylift.adapters.agent_cell     a JSON list [latitude, longitude, resolution] on stdin -> the cell
"""

from __future__ import annotations

import json
import sys
from typing import Final

from skylift.base.errors import Unavailable

PATIENCE_S: Final = 60.0


def cell_of(latitude_deg: float, longitude_deg: float, resolution: int) -> str:
    """Raises Unavailable where the board cannot say."""
    # Whoever shares no place needs none of it.
    import subprocess

    asked = json.dumps([latitude_deg, longitude_deg, resolution])
    try:
        # The place goes by a pipe: what stands in a command everybody on the machine can read.
        found = subprocess.run(
            [sys.executable, "-m", __name__],
            input=asked,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        # Without a cause: its text could hold the place.
        raise Unavailable(
            "agent.cell",
            "the cell of the dish",
            "this board cannot reckon it",
            "look whether the package h3 is installed, or share no location",
        ) from None
    return found.stdout.strip()


def main() -> None:
    import h3

    latitude_deg, longitude_deg, resolution = json.load(sys.stdin)
    sys.stdout.write(h3.latlng_to_cell(latitude_deg, longitude_deg, resolution))


if __name__ == "__main__":
    main()
