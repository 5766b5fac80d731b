"""Outputs that cannot be written are refused at once, and nothing else is written either."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.cli.main import app

# SGP4 verification set (AIAA 2006-6753).
ELEMENTS = """\
1 28057U 03049A   06177.78615833  .00000060  00000-0  35940-4 0  1836
2 28057  98.4283 247.6961 0000884  88.1964 271.9322 14.35478080140550
"""
AT, PLACE = "2006-06-26T03:00:00Z", ["--lat", "50.45", "--lon", "30.52"]
WITH_OUTPUT = {
    "generate": ["catalogue", "generate", "telesat", "--format", "tle"],
    "convert": ["catalogue", "convert", "FILE", "--format", "omm-json"],
    "fetch": ["catalogue", "fetch", "--offline"],
    "ephemeris": ["ephemeris", "FILE", "--at", AT],
    "cells": ["cells", "--country", "MT"],
    "route": ["route", "--catalogue", "FILE", "--start", AT, "--from", "50,30", "--to", "51,30"],
}
WITH_PICTURE = {
    "info": ["catalogue", "info", "FILE"],
    "sky": ["sky", "FILE", "--at", AT, *PLACE],
    "passes": ["passes", "FILE", "--start", AT, "--hours", "1", *PLACE],
    "cells": ["cells", "--country", "MT", "-o", "OUT"],
    "route": [*WITH_OUTPUT["route"], "-o", "OUT"],
}


def refused(arguments: list[str], folder: Path) -> Refused:
    """The refusal; what lay in the folder before is all that lies there after."""
    (folder / "a.tle").write_text(ELEMENTS)
    named = {"FILE": str(folder / "a.tle"), "OUT": str(folder / "out.csv")}
    result = CliRunner().invoke(app, [named.get(word, word) for word in arguments])
    assert isinstance(result.exception, Refused), result.output
    assert result.stdout == ""
    assert [path.name for path in folder.iterdir()] == ["a.tle"]
    return result.exception


@pytest.mark.parametrize("option", ["-o", "--out", "--output"])
@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_an_output_in_no_folder_is_refused(command: str, option: str, tmp_path: Path) -> None:
    error = refused([*WITH_OUTPUT[command], option, str(tmp_path / "no" / "x.csv")], tmp_path)
    assert (error.code, error.exit_code) == ("output.folder", 2)


@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_an_output_that_is_a_folder_is_refused(command: str, tmp_path: Path) -> None:
    assert refused([*WITH_OUTPUT[command], "-o", str(tmp_path)], tmp_path).code == "output.is-folder"


@pytest.mark.parametrize("command", WITH_PICTURE)
def test_a_picture_that_cannot_be_is_refused_before_anything_is_written(command: str, tmp_path: Path) -> None:
    for name, code in (("x.doc", "format"), ("x", "format"), ("no/x.png", "folder")):
        error = refused([*WITH_PICTURE[command], "--plot", str(tmp_path / name)], tmp_path)
        assert error.code == f"picture.{code}"
