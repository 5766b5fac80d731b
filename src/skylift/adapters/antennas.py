"""The antenna models that skylift is shipped with."""

from __future__ import annotations

from functools import cache
from importlib import resources

from skylift.base.errors import Refused
from skylift.sky.coverage.antennas import antenna_models
from skylift.sky.coverage.sites import AntennaModel


@cache
def packaged_antennas() -> dict[str, AntennaModel]:
    """Models by name; see data/antennas/antennas.toml for the source of each number."""
    file = resources.files("skylift.data").joinpath("antennas", "antennas.toml")
    return antenna_models(file.read_text("utf-8"), "antennas.toml")


def packaged_antenna(name: str) -> AntennaModel:
    """One of them; raises Refused, naming those there are."""
    models = packaged_antennas()
    if name not in models:
        raise Refused(
            "antenna.unknown",
            f"antenna {name!r}" if len(name) <= 40 else "antenna",
            "it is not among the packaged models",
            f"choose one of {', '.join(models)}",
        )
    return models[name]
