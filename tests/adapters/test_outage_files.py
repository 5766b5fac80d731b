"""Recordings as they come: zones, scales, dirty rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from skylift.adapters.outage_files import read_recording
from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.watch.recording import Declared

DECLARED = Declared("time", "UTC", "level", ("place",), 100)


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "recording.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_a_dirty_file_gives_its_good_rows_and_names_the_others(tmp_path: Path) -> None:
    text = (
        "time,place,level,empty\n"
        "2020-08-24T00:00:00Z,A,90,\n"
        "2020-08-24T02:00:00Z,A,91,\n"  # out of order is no fault
        "2020-08-24T01:00:00Z,A,92,\n"
        "2020-08-24T01:00:00Z,A,92,\n"
        "2020-08-24T01:00:00Z,A,12,\n"
        "2020-08-24T03:00:00Z,A,-1,\n"
        "2020-08-24T03:00:00Z,A,,\n"
        "2020-08-24T03:00:00Z,A,NaN,\n"
        "2020-08-24T03:00:00Z,A,101,\n"
        "yesterday,A,90,\n"
        "2020-08-24T03:00:00Z,,90,\n"
        "2020-08-24T03:00:00Z,A,many,\n"
        ",A,90,\n"
        "1598238000000,A,90,\n"
    )
    recording = read_recording(written(tmp_path, text, "utf-8-sig"), DECLARED)
    assert recording.grid.values[:, 0].tolist() == [90, 92, 91]
    assert {one.row: one.reason for one in recording.rejected} == {
        5: "repeats row 4",
        6: "contradicts row 4",
        7: "the value -1 is negative",
        8: "the value is empty",
        9: "the value is not finite",
        10: "the value 101 is above the scale's 100",
        11: "the time is neither an epoch nor ISO 8601, nor like 20-Jul-2019 00:00:00",
        12: "the entity is empty",
        13: "the value is no number",
        14: "the time is empty",
        15: "the time is before 1990 or after 2100; is --time-unit right?",
    }


def test_an_epoch_of_local_time_is_turned_back(tmp_path: Path) -> None:
    # 2019-07-20 00:00 in Caracas was 04:00 UTC; the file writes the clock on the wall as an epoch.
    text = "time,place,level\n1563580800,A,1\n1563584400,A,2\n"
    caracas = Declared("time", "America/Caracas", "level", ("place",), 100)
    assert (
        format_instant(read_recording(written(tmp_path, text), caracas).grid.start_us)
        == "2019-07-20T04:00:00Z"
    )


def test_hours_that_the_clock_skips_or_repeats_are_rejected(tmp_path: Path) -> None:
    text = (
        "time,place,level\n"
        "2022-03-27T02:30:00,A,1\n"
        "2022-03-27T03:30:00,A,2\n"  # Kyiv went from 03:00 to 04:00
        "2022-03-27T04:30:00,A,4\n"
        "2022-10-30T03:30:00,A,3\n"  # and back from 04:00 to 03:00
        "2022-03-27T00:30:00Z,A,1\n"  # the first one, written with its offset
        "2022-03-27 04:50:00,A,1\n"
    )
    kyiv = Declared("time", "Europe/Kyiv", "level", ("place",), 100)
    recording = read_recording(written(tmp_path, text), kyiv, 3_600_000_000)
    assert {one.row: one.reason for one in recording.rejected} == {
        3: "this local time does not exist: the clock was put forward",
        5: "this local time exists twice: the clock was put back",
        6: "repeats row 2",
        7: "a second sample in one bin",
    }
    assert recording.grid.values[:, 0].tolist() == [1, 4]


@pytest.mark.parametrize(
    ("text", "declared", "code"),
    [
        ("time,place\n1,2\n", DECLARED, "outages.columns"),
        ("time,place,level\n", DECLARED, "outages.nothing"),
        (
            "time,place,level\n2020-01-01,A,1\n2020-01-02,A,2\n",
            Declared("time", "Mars", "level", ("place",), 100),
            "outages.zone",
        ),
        ("time,place,level\n2020-01-01,A,1\n", DECLARED, "outages.one-sample"),
        (
            "time,place,level\n2020-01-01,A,70\n2020-01-02,A,80\n",
            Declared("time", "UTC", "level", ("place",), 10),
            "outages.scale",
        ),
        (
            "time,place,level\n2020-01-01,A,1\n",
            Declared("time", "UTC", "level", ("place",), 0),
            "outages.scale",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_way_out(
    tmp_path: Path, text: str, declared: Declared, code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        read_recording(written(tmp_path, text), declared)
    assert refusal.value.code == code
    assert refusal.value.way_out


def test_a_finer_step_than_the_samples_have_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "time,place,level\n2020-01-01T00:00Z,A,1\n2020-01-01T01:00Z,A,2\n")
    with pytest.raises(Refused) as refusal:
        read_recording(path, DECLARED, 600_000_000)
    assert refusal.value.code == "outages.step"


def test_a_file_that_never_comes_near_its_scale_is_remarked_on(tmp_path: Path) -> None:
    path = written(tmp_path, "time,place,level\n2020-01-01T00:00Z,A,9\n2020-01-01T01:00Z,A,10\n")
    assert "is --scale-max right?" in read_recording(path, DECLARED).warnings[0]


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table({"time": [1598238000, 1598241600], "place": ["A", "A"], "level": [90.0, -1.0]})
    parquet.write_table(table, tmp_path / "r.parquet")
    text = "time,place,level\n1598238000,A,90\n1598241600,A,50\n1598245200,A,-1\n"
    from_csv = read_recording(written(tmp_path, text), DECLARED)
    table = pa.table(
        {"time": [1598238000, 1598241600, 1598245200], "place": ["A"] * 3, "level": [90.0, 50.0, -1.0]}
    )
    parquet.write_table(table, tmp_path / "r.parquet")
    from_parquet = read_recording(tmp_path / "r.parquet", DECLARED)
    assert from_parquet.grid.values.tolist() == from_csv.grid.values.tolist()
    assert [one.reason for one in from_parquet.rejected] == [one.reason for one in from_csv.rejected]


def test_columns_that_name_no_series_are_refused_as_a_wrong_scale_is(tmp_path: Path) -> None:
    """Ten counties of one state, told by the state alone: nearly every row contradicts another."""
    rows = [f"2020-08-24T{hour:02}:00:00Z,A,{10 * k + hour % 3}" for k in range(10) for hour in range(24)]
    with pytest.raises(Refused) as refusal:
        read_recording(written(tmp_path, "time,place,level\n" + "\n".join(rows)), DECLARED)
    assert refusal.value.code == "outages.entities"
    assert "216 of 240 rows" in refusal.value.rule
    # A file that was put together from three copies of itself says nothing against its columns.
    whole = [f"2020-08-24T{hour:02}:00:00Z,A,{hour}" for hour in range(24)] * 3
    assert (
        read_recording(written(tmp_path, "time,place,level\n" + "\n".join(whole)), DECLARED).grid.bins == 24
    )


def test_many_rows_left_out_are_told_as_a_warning(tmp_path: Path) -> None:
    rows = ["2020-08-24T00:00:00Z,A,90", "2020-08-24T01:00:00Z,A,90", *["2020-08-24T02:00:00Z,A,"] * 3]
    recording = read_recording(written(tmp_path, "time,place,level\n" + "\n".join(rows)), DECLARED)
    assert recording.warnings == ("3 of 5 rows were left out",)


TEN_MINUTES = "time,place,level,asked\n" + "\n".join(
    f"2020-08-24T{k // 6:02}:{k % 6}0:00Z,A,{90 if k % 6 else 30},{100 + k % 6}" for k in range(18)
)


def test_a_coarser_step_needs_to_be_told_how_a_bin_is_made_of_several_samples(tmp_path: Path) -> None:
    file = written(tmp_path, TEN_MINUTES)
    with pytest.raises(Refused) as refusal:
        read_recording(file, DECLARED, 3_600_000_000)
    assert (refusal.value.code, "every 600 s" in refusal.value.rule) == ("outages.step", True)
    assert "--aggregate" in refusal.value.way_out
    hourly = {
        how: read_recording(
            file, Declared("time", "UTC", "level", ("place",), 100, "s", "asked", how), 3_600_000_000
        )
        for how in ("mean", "median", "least")
    }
    assert {how: one.grid.values[:, 0].tolist() for how, one in hourly.items()} == {
        "mean": [80.0] * 3, "median": [90.0] * 3, "least": [30.0] * 3
    }  # fmt: skip
    # How many were asked: of each bin the fewest, so that nothing looks surer than it is.
    assert hourly["mean"].grid.targets is not None
    assert hourly["mean"].grid.targets[:, 0].tolist() == [100.0] * 3
    assert hourly["mean"].rejected == ()
    with pytest.raises(Refused, match="whole number"):
        read_recording(file, Declared("time", "UTC", "level", ("place",), 100, "s", "", "mean"), 900_000_000)
    with pytest.raises(Refused, match="mean, median"):
        read_recording(
            file, Declared("time", "UTC", "level", ("place",), 100, "s", "", "best"), 3_600_000_000
        )


def test_a_stray_quote_costs_its_own_row_and_no_other(tmp_path: Path) -> None:
    text = (
        "time,place,level\n"
        '2020-08-24T00:00:00Z,"A,90\n'
        "2020-08-24T01:00:00Z,A,91\r\n"
        '2020-08-24T02:00:00Z,"A",92\n'
        "2020-08-24T03:00:00Z,A,93,7\n"
        '2020-08-24T04:00:00Z,"A"x,94\n'
        "2020-08-24T05:00:00Z,A\n"
        "\n"
        "2020-08-24T03:00:00Z,A,95\n"
    )
    recording = read_recording(written(tmp_path, text), DECLARED)
    assert recording.grid.values[:, 0].tolist() == [91, 92, 95]
    assert {one.row: one.reason for one in recording.rejected} == {
        2: "a quotation mark is not closed in its row",
        5: "it has 4 cells under 3 columns",
        6: "a quotation mark is not closed in its row",
        7: "the value is empty",
    }


@pytest.mark.parametrize(
    ("header", "columns", "names"),
    [
        ("time,place,level,level", ("place",), "level"),
        ("time,place,level", (), "--entity-columns"),
        ("time,place,level", ("place", "place"), "place"),
        ("time,place,level", ("",), "--entity-columns"),
    ],
)
def test_columns_that_are_none_or_twice_are_refused(
    tmp_path: Path, header: str, columns: tuple[str, ...], names: str
) -> None:
    rows = "\n2020-08-24T00:00:00Z,A,90,9\n2020-08-24T01:00:00Z,A,90,9\n"
    with pytest.raises(Refused) as refusal:
        read_recording(written(tmp_path, header + rows), Declared("time", "UTC", "level", columns, 100))
    assert refusal.value.code == "outages.columns"
    assert names in refusal.value.thing


def test_a_day_with_the_month_in_letters_is_read(tmp_path: Path) -> None:
    """As the recordings of 2019 and 2020 write it; digits alone may be a month or a day, and are refused."""
    text = (
        "time,place,level\n20-Jul-2019 00:00:00,A,1\n20-jul-2019 01:00,A,2\n20-Jul-2019T02:00:00,A,2\n"
        "2-Aug-2019,A,3\n"
        "07/20/2019 00:00,A,4\n31-Jun-2019,A,5\n20-Xyz-2019,A,6\n"
    )
    caracas = Declared("time", "America/Caracas", "level", ("place",), 100)
    recording = read_recording(written(tmp_path, text), caracas, 3_600_000_000)
    assert format_instant(recording.grid.start_us) == "2019-07-20T04:00:00Z"
    assert format_instant(recording.grid.at_us(recording.grid.bins - 1)) == "2019-08-02T04:00:00Z"
    assert [one.row for one in recording.rejected] == [6, 7, 8]
    assert "20-Jul-2019" in recording.rejected[0].reason


def test_names_reach_nobody_with_control_characters(tmp_path: Path) -> None:
    text = "time,place,level\n2020-08-24T00:00:00Z,\x1b[31mA\x07\u202e,1\n2020-08-24T01:00:00Z,[31mA,2\n"
    assert read_recording(written(tmp_path, text), DECLARED).entities == ("[31mA",)
