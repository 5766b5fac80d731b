"""What `skylift terminal` makes of histories: files, pictures and sums, from answers like the API's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from skylift.adapters.pictures_telemetry import MOST_POINTS, _figure, floats, thinned, times, with_gaps
from skylift.adapters.telemetry_files import write_history
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.cli.telemetry_reports import Shows, reports

START = int(parse_instant("2022-03-05T12:00:00Z"))
HOUR_US = 3_600_000_000


class Service:
    """Answers as GET .../history, .../state and the rest do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        self.asked.append(f"{method} {path}")
        id = path.split("/")[1]
        if "/state" in path:
            return {"terminal": id, "cut_off": False, "row": {"sequence": len(self.asked), "at_us": START}}
        if "/history" in path:
            columns = {} if id == "trm_silent" else hours(2.0 if id == "trm_b" else 1.0)
            return {"terminal": id, "level": "1h", "columns": columns}
        return {"id": id}


def hours(factor: float) -> dict[str, list[Any]]:
    return {
        "at_us": [START + n * HOUR_US for n in range(3)],
        "span_s": [3600.0, 1800.0, 3600.0],
        "connected_fraction": [1.0, 0.5, 1.0],
        "ping_latency_ms": [30.0 * factor, 60.0 * factor, None],
        "down_bytes": [10, None, 30],
        "software": ["=1+1", "v", "v"],
    }


Printed = list[tuple[list[dict[str, Any]], tuple[str, ...]]]


def ask(*words: str, as_csv: bool = False, as_json: bool = False, printed: Printed | None = None) -> Service:
    service = Service()
    kept = [] if printed is None else printed
    shows = Shows(lambda document, as_json: None, lambda rows, columns: kept.append((rows, columns)))
    reports(service, shows, words[0], list(words[1:]), (as_csv, as_json))  # type: ignore[arg-type]
    return service


def test_compared_are_means_over_time_and_sums(capsys: pytest.CaptureFixture[str]) -> None:
    service = ask("compare", "trm_a", "trm_b", "level=1h", "from=2022-03-05", as_json=True)
    assert service.asked[0] == "GET terminals/trm_a/history?from=2022-03-05&level=1h"
    one, two = json.loads(capsys.readouterr().out)
    # (30 x 3600 + 60 x 1800) / 5400; the third hour's latency was not known.
    assert (one["ping_latency_ms"], two["ping_latency_ms"]) == (40.0, 80.0)
    assert one["connected_fraction"] == pytest.approx(0.9)
    assert (one["down_bytes"], one["power_w"], one["reported_s"]) == (40, None, 9000.0)


def test_a_history_goes_into_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, parquet, picture = tmp_path / "h.csv", tmp_path / "h.parquet", tmp_path / "h.png"
    ask("history", "trm_a", f"out={table}", f"plot={picture}")
    ask("history", "trm_a", f"out={parquet}")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0].startswith("3 rows in ")
    lines = table.read_text().splitlines()
    assert lines[0] == "at,span_s,connected_fraction,ping_latency_ms,down_bytes,software"
    assert lines[1] == "2022-03-05T12:00:00Z,3600.0,1.0,30.0,10,'=1+1"
    kept = pq.read_table(parquet).to_pylist()
    assert [row["ping_latency_ms"] for row in kept] == [30.0, 60.0, None]
    assert kept[0]["at"].isoformat() == "2022-03-05T12:00:00+00:00"
    assert picture.read_bytes().startswith(b"\x89PNG")
    ask("history", "trm_a", as_csv=True)
    assert capsys.readouterr().out.splitlines() == lines


def test_people_read_units_and_dashes() -> None:
    printed: Printed = []
    ask("history", "trm_a", printed=printed)
    ask("compare", "trm_a", "trm_silent", printed=printed)
    (rows, columns), (compared, headings) = printed
    assert columns == ("at", "up %", "ping ms")
    assert [rows[1][name] for name in columns] == ["2022-03-05T13:00:00Z", "50", "60"]
    assert rows[2]["ping ms"] == "-"
    assert headings[:4] == ("terminal", "heard h", "ping ms", "lost %")
    assert [one["heard h"] for one in compared] == ["2.5", "0"]
    assert compared[1]["ping ms"] == "-"
    printed.clear()
    ask("history", "trm_silent", printed=printed)
    assert printed == []


def test_alerts_have_their_type_though_there_were_none(tmp_path: Path) -> None:
    write_history(tmp_path / "h.parquet", {"at_us": [START], "alerts": [[]]})
    assert str(pq.read_schema(tmp_path / "h.parquet").field("alerts").type).startswith(
        "list<element: string>"
    )


def test_no_line_is_drawn_over_a_bucket_that_is_not_there() -> None:
    at = times({"at_us": [START + n * HOUR_US for n in (0, 1, 2, 4, 5)]})
    _, values = with_gaps(at, np.arange(5.0))
    assert [str(value) for value in values] == ["0.0", "1.0", "2.0", "nan", "3.0", "4.0"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("history",), "which one"),
        (("history", "trm_a", "colour=red"), "it knows columns, from"),
        (("history", "trm_a", "out=h.doc"), "csv or .parquet"),
        (("compare", *[f"trm_{n}" for n in range(7)], "plot=x.png"), "at most six"),
        (("watch", "trm_a", "every_s=-1"), "number from 0"),
        (("revoke", "trm_a"), "key=KEY"),
        (("history", "trm_silent", "plot=x.png"), "nothing to draw"),
        (("compare", "trm_silent", "plot=x.png"), "nothing to draw"),
    ],
)
def test_what_cannot_be_asked(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(Refused, match=told):
        ask(*words)


def test_watching_ends_after_so_many_rows(capsys: pytest.CaptureFixture[str]) -> None:
    ask("watch", "trm_a", as_json=True)
    [row] = json.loads(capsys.readouterr().out)
    assert row["sequence"] == 1


def test_a_thinned_picture_keeps_means_and_extremes() -> None:
    count = 5 * MOST_POINTS
    latency: list[float | None] = [float(n % 10) for n in range(count)]
    latency[0:5] = [None] * 5
    columns: dict[str, list[Any]] = {"at_us": [START + n for n in range(count)], "ping_latency_ms": latency}
    few = thinned(columns)
    assert len(few["at_us"]) == MOST_POINTS
    means, most = floats(few, "ping_latency_ms"), floats(few, "ping_latency_max_ms")
    assert str(means[0]) == str(most[0]) == "nan"
    assert (means[1], most[1], means[2]) == (7.0, 9.0, 2.0)
    assert thinned(few) is few


@pytest.mark.parametrize("heard", [[0], [0, 1], [0, 1, 2, 5, 9, 10]])
def test_the_first_hours_of_a_dish_are_seen(heard: list[int]) -> None:
    """On an axis of about their length, and each hour that has no neighbour as a dot."""
    at_us = [START + hour * HOUR_US for hour in heard]
    figure = _figure("new", {"new": {"at_us": at_us, "ping_latency_ms": [30.0] * len(heard)}})
    (axes,) = figure.axes
    first, last = axes.get_xlim()
    assert heard[-1] / 24 < last - first < (heard[-1] + 4) / 24
    dots = [list(np.asarray(line.get_xdata())) for line in axes.get_lines() if line.get_marker() == "."]
    alone = [at for hour, at in zip(heard, at_us, strict=True) if not {hour - 1, hour + 1} & set(heard)]
    assert dots == ([list(times({"at_us": alone}))] if alone else [])
