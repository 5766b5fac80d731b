"""Earth-orientation tables from disk."""

from __future__ import annotations

from pathlib import Path

from skylift.base.errors import Refused
from skylift.sky.orbit.earth_orientation import EarthOrientation, parse_earth_orientation


def read_earth_orientation(path: Path) -> EarthOrientation:
    """Reads finals2000A of the IERS or CelesTrak's EOP CSV; refuses what is neither, naming file and line."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise Refused(
            "earth_orientation.unreadable",
            str(path),
            error.strerror or "it cannot be read",
            "give the path of finals2000A.all or EOP-All.csv",
        ) from None
    except UnicodeDecodeError:
        raise Refused(
            "earth_orientation.unreadable",
            str(path),
            "it is not a text file",
            "give the path of finals2000A.all or EOP-All.csv, unpacked",
        ) from None
    return parse_earth_orientation(text, str(path))
