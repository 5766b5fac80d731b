"""What `skylift terminal` makes of histories: files, pictures and sums, from answers like the API's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from skylift.adapters.pictures_telemetry import MOST_POINTS, floats, thinned
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
            return {"terminal": id, "level": "1h", "columns": hours(2.0 if id == "trm_b" else 1.0)}
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


def ask(*words: str, as_csv: bool = False, as_json: bool = False) -> Service:
    service = Service()
    shows = Shows(lambda document, as_json: None, lambda rows, columns: None)
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
    assert capsys.readouterr().out == ""
    lines = table.read_text().splitlines()
    assert lines[0] == "at,span_s,connected_fraction,ping_latency_ms,down_bytes,software"
    assert lines[1] == "2022-03-05T12:00:00Z,3600.0,1.0,30.0,10,'=1+1"
    kept = pq.read_table(parquet).to_pylist()
    assert [row["ping_latency_ms"] for row in kept] == [30.0, 60.0, None]
    assert kept[0]["at"].isoformat() == "2022-03-05T12:00:00+00:00"
    assert picture.read_bytes().startswith(b"\x89PNG")
    ask("history", "trm_a", as_csv=True)
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("history",), "which one"),
        (("history", "trm_a", "colour=red"), "it knows columns, from"),
        (("history", "trm_a", "out=h.doc"), "csv or .parquet"),
        (("compare", *[f"trm_{n}" for n in range(7)], "plot=x.png"), "at most six"),
        (("watch", "trm_a", "every_s=-1"), "number from 0"),
        (("revoke", "trm_a"), "key=KEY"),
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
    columns = {"at_us": [START + n for n in range(count)], "ping_latency_ms": latency}
    few = thinned(columns)
    assert len(few["at_us"]) == MOST_POINTS
    means, most = floats(few, "ping_latency_ms"), floats(few, "ping_latency_max_ms")
    assert str(means[0]) == str(most[0]) == "nan"
    assert (means[1], most[1], means[2]) == (7.0, 9.0, 2.0)
    assert thinned(few) is few
