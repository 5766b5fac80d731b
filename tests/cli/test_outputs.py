"""Outputs that cannot be written are refused at once, and nothing else is written either."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.cli.main import app
from skylift.cli.outputs import check_output

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
    assert (error.code, error.thing, error.exit_code) == ("output.folder", "-o", 2)


# Commands whose files name their format, with the option and what it may be.
NAMED = [
    (["ephemeris", "FILE", "--at", AT], "-o", ".parquet"),
    (["cells", "--country", "MT"], "-o", ".csv, .geojson or .txt"),
    (["plan", "capacity", "--region", "MT"], "-o", ".json, .csv or .geojson"),
    (["plan", "gateways", "--region", "MT", "--candidates", "FILE"], "-o", ".json"),
    (["plan", "terminals", "--sites", "FILE"], "-o", ".json"),
    (["simulate", "FILE", "-o", "NEW"], "--schedule", ".parquet or .csv"),
    (["outages", "export", "--store", "FILE"], "-o", ".csv"),
    (["outages", "need", "FILE", "--at", AT], "-o", ".json"),
    (["netreport", "run.json"], "--out", ".json"),
    (["exec", "kyiv"], "--report", ".json"),
    (["exec", "kyiv"], "--capture", ".pcap"),
    (["emulate", "--terminals", "kyiv"], "--namespaces", ".json"),
]


@pytest.mark.parametrize(("command", "option", "endings"), NAMED, ids=lambda words: " ".join(words[:2]))
def test_a_file_of_another_ending_is_refused_before_the_work(
    command: list[str], option: str, endings: str, tmp_path: Path
) -> None:
    """A document under the name of a table would be found out by whoever opens it, far away."""
    named = [str(tmp_path / word) if word == "NEW" else word for word in command]
    more = [] if command[0] not in ("exec", "emulate") else ["--", "true"]
    error = refused([*named, option, str(tmp_path / "beams.xlsx"), *more], tmp_path)
    assert (error.code, error.thing) == ("output.format", option)
    assert error.rule.endswith(f"is {endings}")
    assert error.way_out == f"name it beams{endings.split(',')[0].split()[0]}"


def test_one_format_needs_no_ending_and_a_device_has_none(tmp_path: Path) -> None:
    check_output(tmp_path / "report", endings=(".json",))
    check_output(Path("/dev/null"), endings=(".json",))
    for endings in ((".json", ".csv"), (".csv",)):
        with pytest.raises(Refused, match=r"\.csv"):
            check_output(tmp_path / "report.2022", endings=endings)
    with pytest.raises(Refused, match=r"name it report\.json"):
        check_output(tmp_path / "report", endings=(".json", ".csv"))


def test_a_route_is_written_as_its_file_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.tle").write_text(ELEMENTS)
    for name, begins in (("a.csv", "at_us,"), ("a.json", "[{"), ("a.txt", "   ")):
        words = [str(tmp_path / "a.tle") if word == "FILE" else word for word in WITH_OUTPUT["route"]]
        CliRunner().invoke(app, [*words, "-o", str(tmp_path / name)], catch_exceptions=False)
        assert (tmp_path / name).read_text().startswith(begins)
    words += ["--format", "json", "-o", str(tmp_path / "b.csv")]
    CliRunner().invoke(app, words, catch_exceptions=False)
    assert (tmp_path / "b.csv").read_text().startswith("[{"), "a format that is named goes before"


@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_an_output_that_is_a_folder_is_refused(command: str, tmp_path: Path) -> None:
    assert refused([*WITH_OUTPUT[command], "-o", str(tmp_path)], tmp_path).code == "output.is-folder"


@pytest.mark.parametrize("command", WITH_PICTURE)
def test_a_picture_that_cannot_be_is_refused_before_anything_is_written(command: str, tmp_path: Path) -> None:
    for name, code in (("x.doc", "format"), ("x", "format"), ("no/x.png", "folder")):
        error = refused([*WITH_PICTURE[command], "--plot", str(tmp_path / name)], tmp_path)
        assert error.code == f"picture.{code}"


def failed(arguments: list[str], folder: Path) -> SkyliftError:
    (folder / "a.tle").write_text(ELEMENTS)
    result = CliRunner().invoke(app, [{"FILE": str(folder / "a.tle")}.get(word, word) for word in arguments])
    assert isinstance(result.exception, SkyliftError), result.output
    assert result.stdout == ""
    return result.exception


PLANS = {
    "capacity": ["plan", "capacity", "--region", "MT"],
    "gateways": ["plan", "gateways", "--region", "MT", "--candidates", "none.json", "--add", "1"],
    "terminals": ["plan", "terminals", "--region", "MT", "--sites", "none.json"],
}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc, in which no file can be made")
@pytest.mark.parametrize("command", [*WITH_OUTPUT, *PLANS])
def test_an_output_where_no_file_can_be_made_is_told_before_the_work(command: str, tmp_path: Path) -> None:
    """Also for those who may write anywhere: rights say nothing about a file system that makes no files."""
    arguments = {**WITH_OUTPUT, **PLANS}[command]
    ending = ".parquet" if command == "ephemeris" else ".csv" if command == "cells" else ".json"
    error = failed([*arguments, "-o", f"/proc/x{ending}"], tmp_path)
    assert isinstance(error, Unavailable)
    assert (error.code, error.exit_code) == ("output.unwritable", 1)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc, in which no file can be made")
@pytest.mark.parametrize("command", ["info", "sky", "passes"])
def test_a_picture_where_no_file_can_be_made_is_told_before_the_work(command: str, tmp_path: Path) -> None:
    assert failed([*WITH_PICTURE[command], "--plot", "/proc/x.png"], tmp_path).code == "output.unwritable"


def piped(arguments: list[str]) -> tuple[int, bytes, bytes]:
    """Exit code, the first byte, and what went to stderr, of a command whose reader stops after that byte."""
    with subprocess.Popen(
        [sys.executable, "-m", "skylift", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # A page: so small that the command cannot put all into the pipe and be gone.
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        first = process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
        return process.wait(), first, said


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have one size here")
@pytest.mark.parametrize("arguments", [["gateways"], ["gateways", "--json"], ["catalogue", "presets"]])
def test_a_reader_who_has_seen_enough_is_nobodys_fault(arguments: list[str]) -> None:
    """`skylift ... | head -1`: more than the pipe holds is still to come."""
    code, first, said = piped(arguments)
    assert first
    assert (code, said) == (0, b"")


@pytest.mark.parametrize("columns", [60, 80])
def test_no_id_is_cut_in_a_table(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    document = json.loads(CliRunner().invoke(app, ["gateways", "--json"]).stdout)
    shown = CliRunner().invoke(app, ["gateways"]).stdout
    ids = [site["id"] for key in ("gateways", "pops") for site in document[key]]
    assert len(ids) > 50
    words = set(shown.split())
    assert [one for one in ids if one not in words] == []


@pytest.mark.parametrize("option", ["--region", "--except"])
def test_a_region_file_of_another_kind_says_which_it_must_be(option: str, tmp_path: Path) -> None:
    area = tmp_path / "area.kml"
    area.write_text("<kml/>")
    region = [] if option == "--region" else ["--region", "MT"]
    error = failed(["plan", "capacity", *region, option, str(area)], tmp_path)
    assert error.code == "area.suffix"
    assert "area.kml" in error.thing
    assert ".geojson" in error.rule


def test_no_id_of_the_office_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from skylift.cli.office_tables import table

    monkeypatch.setenv("COLUMNS", "60")
    one = "trm_01hzx4q7m8k2v9p3r5t6w7y8za"
    table([dict.fromkeys(("id", "region", "account"), one)], ("id", "region", "account"))
    shown = "".join(
        line.strip("│┃ \n").split("│")[0].strip() for line in capsys.readouterr().out.splitlines()
    )
    assert one in shown


def test_lists_of_the_office_hold_what_fits_and_pipes_hold_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from skylift.cli.office_tables import show_list

    one = "req_01hzx4q7m8k2v9p3r5t6w7y8za"
    call = {"id": one, "state": "received", "channel": "phone", "site_kind": "hospital", "version": 3}
    items = [{**call, "asked_at": 1_645_876_955_708_233, "note": "n" * 30, "status": "received"}]
    monkeypatch.setenv("COLUMNS", "80")
    show_list("request", items)
    narrow = capsys.readouterr()
    assert all(len(line) <= 80 for line in narrow.out.splitlines())
    assert {one, "hospital", "received"} <= set(narrow.out.split())
    assert "left out" in narrow.err
    assert "note" in narrow.err
    monkeypatch.delenv("COLUMNS")
    show_list("request", items)
    piped = capsys.readouterr()
    assert len(piped.out.splitlines()) == 5, "no row is broken where no terminal is"
    assert {one, "2022-02-26T12:02:35Z", "n" * 30} <= set(piped.out.split())
    assert not piped.err


def test_a_value_of_the_office_is_read_by_people() -> None:
    from skylift.cli.office_tables import plain

    at = 1_645_876_955_708_233
    assert plain("asked_at", at) == plain("needed_by", at) == "2022-02-26T12:02:35Z"
    assert plain("looked_at", 3) == "3"
    assert plain("down_bytes", at) == str(at)
    paper = {"spectrum": {"authority": "UA-NCEC", "document": "", "valid_until": at}}
    assert plain("papers", paper) == "spectrum: authority UA-NCEC, valid_until 2022-02-26T12:02:35Z"
    came = {"number": 1, "kind": "damaged", "left": 0, "resolutions": ["sent-back"]}
    assert plain("discrepancies", [came]) == (
        "number 1, kind damaged, left 0, resolutions To be sent back"
    ), "as pages say it: nobody has sent it back yet"
    assert plain("region", "rgn_1") == "rgn_1"
    assert plain("parts", [{"what": "Deadline", "points": 12.51, "most": 15.0}]) == "Deadline: 12.5 of 15"
