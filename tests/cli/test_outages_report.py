"""Reports of recordings: files that open, sentences of both languages, and marks on what is made up."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib import colors
from typer.testing import CliRunner, Result

from skylift.adapters.pictures_outages import COLOURS, ORDINARY_LAND
from skylift.cli.main import app

VENEZUELA = (
    "--time-column time_e --time-zone America/Caracas --entity-columns name_1 --scale-max 100 "
    "--value-column connectivity --baseline pinned:2019-07-20/2019-07-22"
)
MADE_UP = "--time-column time --time-zone UTC --entity-columns who --scale-max 1 --value-column share"


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["outages", *arguments])


def made_up(folder: Path, entities: dict[str, float]) -> Path:
    """Nine days by the hour; on the eighth each falls to its fraction for six hours."""
    file = folder / "made-up.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["time", "who", "share"])
        for hour in range(9 * 24):
            for name, left in entities.items():
                down = 180 <= hour < 186
                writer.writerow([1_645_056_000 + hour * 3600, name, 0.8 * (left if down else 1.0)])
    return file


def has_colour(picture: Path, colour: str) -> bool:
    pixels = matplotlib.image.imread(picture)[..., :3]
    return bool((np.abs(pixels - np.array(colors.to_rgb(colour))) < 0.01).all(axis=-1).sum() > 500)


def test_a_recorded_blackout(shared_file: Callable[[str], Path], tmp_path: Path) -> None:
    file = shared_file("outages/venezuela_2019-07.csv")
    out = tmp_path / "report"
    done = ran("report", str(file), *VENEZUELA.split(), "-o", str(out), "--country", "VE", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["files"], answer["series"]) == (["series.png", "time-line.png", "report.md"], 13)
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "12 of 13 series fell below ordinary" in text
    assert (
        "Connectivity of Distrito Capital fell to 9 % of ordinary levels at 19:00 UTC on 2019-07-22" in text
    )
    assert "Distrito Capital: зв'язність впала до 9 % звичайного рівня о 19:00 UTC 2019-07-22" in text
    assert "| Distrito Capital | 2019-07-22 19:00 | 2019-07-24 03:00 | 32.0 | 9 % | critical |" in text
    assert "1 rows were left out; the first is row 1311: the value -1 is negative" in text
    assert "synthetic" not in text.lower()
    assert has_colour(out / "time-line.png", COLOURS["critical"])


def square(name: str, west: float) -> dict[str, Any]:
    ring = [[west, 48.0], [west + 1, 48.0], [west + 1, 49.0], [west, 49.0], [west, 48.0]]
    return {
        "type": "Feature",
        "properties": {"name": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def test_a_map_is_drawn_where_areas_are_known_and_all_of_it_says_synthetic(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"East": 0.1, "West": 1.0, "Nowhere": 0.4, "$x_1$ *": 0.6})
    areas = tmp_path / "areas.geojson"
    shapes = {"type": "FeatureCollection", "features": [square("East", 31.0), square("West", 29.0)]}
    areas.write_text(json.dumps(shapes))
    out = tmp_path / "report"
    done = ran(
        "report", str(file), *MADE_UP.split(), "-o", str(out), "--areas", str(areas), "--synthetic", "--json"
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["on_map"], answer["events"], answer["synthetic"]) == (2, 3, True)
    assert has_colour(out / "map.png", COLOURS["critical"])
    assert has_colour(out / "map.png", ORDINARY_LAND)
    assert not has_colour(out / "map.png", COLOURS["major"]), "what has no area is not on the map"
    assert has_colour(out / "time-line.png", COLOURS["major"])
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# SYNTHETIC DATA: ")
    assert "(Вигадані дані.)" in text
    assert "fell to 10 % of ordinary" in text
    # A name is no markup, and no formula either.
    assert "$x\\_1$ \\*" in text


def test_names_with_control_characters_reach_no_terminal_report_or_picture(tmp_path: Path) -> None:
    canary = "\x1b]0;owned\x07Ki\u202eev\x9b31m"
    file = made_up(tmp_path, {canary: 0.1, "b": 1.0})
    shown = ran("detect", str(file), *MADE_UP.split())
    told = ran("detect", str(file), *MADE_UP.split(), "--json")
    (tmp_path / "events.json").write_text(told.stdout, encoding="utf-8")
    with warnings.catch_warnings():
        # A glyph that no font has is a warning of matplotlib's.
        warnings.simplefilter("error")
        title = ("--title", canary, "-o", str(tmp_path / "r"))
        report = ran("report", str(file), *MADE_UP.split(), *title)
    square_of = square(canary, 31.0) | {"geometry": square("", 31.0)["geometry"]}
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": [square_of]}))
    need = ran(
        "need", str(tmp_path / "events.json"), "--at", "2022-02-24T14:00Z", "--country", "UA",
        "--areas", str(areas), "--json",
    )  # fmt: skip
    document = json.loads(need.stdout)
    assert document["cells"][0]["entities"] == ["]0;owned Ki ev 31m"], "its area was found by the same name"
    texts = [
        shown.output,
        told.output,
        report.output,
        need.output,
        (tmp_path / "r" / "report.md").read_text(),
    ]
    for text in texts:
        assert "owned" in text or text == report.output
        assert all(letter.isprintable() for letter in text.replace("\n", ""))


def test_an_open_outage_is_told_with_what_was_left_at_the_end(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"East": 0.1, "b": 1.0})
    # It comes back half-way after three hours, and the recording ends seven hours later.
    rows = [line.split(",") for line in file.read_text().splitlines()[: 1 + 2 * 190]]
    for row in rows[1 + 2 * 183 :]:
        row[2] = "0.48" if row[1] == "East" else row[2]
    file.write_text("\n".join(map(",".join, rows)))
    [event] = json.loads(ran("detect", str(file), *MADE_UP.split(), "--json").stdout)["events"]
    assert event["now"] == {"measured_at": "2022-02-24T22:00:00Z", "fraction": 0.6, "low": 0.6, "high": 0.6}
    assert (event["min_fraction"], event["counted"]) == (0.1, False)
    then = ran("detect", str(file), *MADE_UP.split(), "--at", "2022-02-24T14:30Z", "--json")
    assert json.loads(then.stdout)["events"][0]["now"]["fraction"] == 0.1
    refused = ran("detect", str(file), *MADE_UP.split(), "--at", "2022-03-24")
    assert "the recording is from" in str(refused.exception)
    table = ran("detect", str(file), *MADE_UP.split()).stdout
    assert "left at the end" in table
    assert "not known: how many were asked" in table
    done = ran("report", str(file), *MADE_UP.split(), "-o", str(tmp_path / "r"))
    assert "no map: it is not known where entities are" in done.stderr
    text = (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    assert "fell to 10 % of ordinary levels" in text
    assert "and was at 60 % when last measured, at 22:00 UTC on 2022-02-24" in text
    assert "і становила 60 % за останнім вимірюванням о 22:00 UTC 2022-02-24" in text
    assert "| still down, at 60 % | 10.0 | 10 % | critical |" in text
    assert "No interval stands behind a level" in text


def test_countries_have_areas_of_their_own(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"UA": 0.1, "PL": 1.0, "XX": 0.4})
    done = ran(
        "report", str(file), *MADE_UP.split(), "-o", str(tmp_path / "r"), "--kind", "country", "--json"
    )
    assert json.loads(done.stdout)["on_map"] == 2


def test_nothing_fell_is_a_report_as_well(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"a": 1.0, "b": 1.0})
    done = ran("report", str(file), *MADE_UP.split(), "-o", str(tmp_path / "r"), "--json")
    assert json.loads(done.stdout)["files"] == ["report.md"]
    assert "0 of 2 series fell" in (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    done = ran("report", str(file), *MADE_UP.split(), "-o", str(tmp_path / "r"), "--entity", "b", "--json")
    assert json.loads(done.stdout)["files"] == ["series.png", "report.md"]


def test_what_could_not_be_judged_is_not_said_to_have_held(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"a": 1.0, "b": 1.0})
    words = [*MADE_UP.split(), "--baseline", "tow:4w"]
    ran("report", str(file), *words, "-o", str(tmp_path / "r"))
    report = (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    told = "not one of 2 series could be judged: whether anything fell nobody can say"
    assert told in report
    assert "0 of 2" not in report
    assert "recovered" not in report
    assert told in ran("detect", str(file), *words).stdout


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--kind", "planet"], "outages.kind"),
        (["--entity", "nobody"], "outages.entity"),
        (["--areas", "AREAS"], "outages.areas"),
        (["-o", "FILE"], "output.is-file"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, more: list[str], code: str) -> None:
    file = made_up(tmp_path, {"a": 0.5})
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": [square("b", 1.0)]}))
    given = [{"AREAS": str(areas), "FILE": str(file)}.get(one, one) for one in more]
    done = ran("report", str(file), *MADE_UP.split(), "-o", str(tmp_path / "r"), *given)
    assert getattr(done.exception, "code", "") == code


def test_detect_draws_as_well(tmp_path: Path) -> None:
    file = made_up(tmp_path, {"a": 0.5, "b": 1.0})
    picture = tmp_path / "a.png"
    done = ran("detect", str(file), *MADE_UP.split(), "--plot", str(picture), "--json")
    assert len(json.loads(done.stdout)["events"]) == 1
    assert picture.read_bytes()[:4] == b"\x89PNG"
    calm = made_up(tmp_path, {"b": 1.0})
    done = ran("detect", str(calm), *MADE_UP.split(), "--plot", str(picture))
    assert getattr(done.exception, "code", "") == "outages.nothing-to-draw"
