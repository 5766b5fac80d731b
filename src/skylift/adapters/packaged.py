"""Loads what is packaged with skylift under skylift/data; the rooms inside know of no files."""

from __future__ import annotations

import difflib
from importlib import resources

from skylift.base.errors import Refused
from skylift.sky.orbit.constellation import Constellation, constellation_from_toml

_CONSTELLATIONS = "constellations"


def packaged_text(name: str) -> str:
    """The text of a packaged file, named by its path under skylift/data: "constellations/kuiper.toml".

    Raises Refused where there is none.
    """
    return packaged_bytes(name).decode("utf-8")


def packaged_bytes(name: str) -> bytes:
    """The bytes of a packaged file, named by its path under skylift/data. Raises Refused for none."""
    parts = name.split("/")
    file = resources.files("skylift.data").joinpath(*parts)
    if ".." in parts or "" in parts or not file.is_file():
        raise Refused("packaged.missing", name, "no such file is packaged with skylift", "check the name")
    return file.read_bytes()


def packaged_names(folder: str, suffix: str) -> tuple[str, ...]:
    """Names, without `suffix`, of the files in a folder under skylift/data, sorted."""
    entries = resources.files("skylift.data").joinpath(folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(suffix) for entry in entries if entry.name.endswith(suffix)))


def constellation_names() -> tuple[str, ...]:
    """The presets that `constellation_preset` knows."""
    return tuple(name for name in packaged_names(_CONSTELLATIONS, ".toml") if name != "SOURCE")


def constellation_preset(name: str) -> Constellation:
    """A packaged constellation, such as "kuiper". Raises Refused, with the nearest name, for any other."""
    names = constellation_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        raise Refused(
            "constellation.unknown",
            f"preset {name!r}",
            f"the presets are {', '.join(names)}",
            f"did you mean {near[0]}?" if near else "choose one, or give a .toml file of your own",
        )
    file = f"{_CONSTELLATIONS}/{name}.toml"
    return constellation_from_toml(packaged_text(file), f"{name}.toml")
