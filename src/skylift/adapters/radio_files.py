"""Radio systems and MODCOD tables: the packaged ones, and a caller's own TOML."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

from skylift.adapters.antennas import packaged_antennas
from skylift.adapters.packaged import packaged_names, packaged_text
from skylift.base.errors import Refused, Unavailable
from skylift.sky.radio.modcod import ModcodTable, modcod_table
from skylift.sky.radio.systems import Link, RadioSystem, radio_system

_FOLDER = "radio/systems"


def system_names() -> tuple[str, ...]:
    """The packaged systems."""
    return packaged_names(_FOLDER, ".toml")


@cache
def packaged_system(name: str) -> RadioSystem:
    """A packaged system, such as "starlink-2022". Raises Refused, with the near names, for any other."""
    names = system_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        raise Refused(
            "radio.unknown-system",
            f"system {name!r}" if len(name) <= 40 else "system",
            f"the systems are {', '.join(names)}",
            f"did you mean {' or '.join(near)}?" if near else "choose one, or give a .toml file of your own",
        )
    return radio_system(packaged_text(f"{_FOLDER}/{name}.toml"), f"{name}.toml")


def read_system(name: str) -> RadioSystem:
    """A packaged system by name, or a file of the caller's that ends in .toml."""
    if not name.endswith(".toml"):
        return packaged_system(name)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Refused("radio.file", Path(name).name, "there is no such file", "check the path") from None
    except UnicodeDecodeError:
        raise Refused("radio.file", Path(name).name, "it is not UTF-8 text", "give a TOML file") from None
    except OSError as error:
        raise Unavailable(
            "radio.file", Path(name).name, f"it cannot be read ({error.strerror})", "check the rights"
        ) from None
    found = radio_system(text, Path(name).name)
    for direction, link in found.links.items():
        check_antenna(link, f"{Path(name).name}: link.{direction}")
    return found


def check_antenna(link: Link, where: str) -> None:
    """Refuses a link whose antenna on the ground is not among the packaged models; `where` names its file."""
    names = tuple(packaged_antennas())
    if link.ground_antenna in names:
        return
    near = difflib.get_close_matches(link.ground_antenna, names, n=1, cutoff=0.4)
    raise Refused(
        "radio.antenna",
        f"{where}{': ' if where.endswith('set') else '.'}ground_antenna",
        f"ground_antenna is one of {', '.join(names)}",
        f"did you mean {near[0]}?" if near else "choose one of them",
    )


@cache
def _table(name: str, modulations: tuple[str, ...]) -> ModcodTable:
    file = f"modcod-{name}.csv"
    return modcod_table(packaged_text(f"radio/{file}"), file, modulations)


def modcods_of(link: Link) -> ModcodTable:
    """The table that a link uses, with its modulations only. Raises Refused where none is left."""
    return _table(link.modcod_table, link.modulations)
