"""Scenarios: the reference lists every key, and links.parquet's page every column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.links_file import Names, links_schema
from skylift.base.errors import Refused
from skylift.base.link import WhyDown
from skylift.twin.scenario import read_scenario

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "scenario.md").read_text()
LINKS_PAGE = (ROOT / "docs" / "reference" / "links-parquet.md").read_text()

GOOD = """
start = 2022-02-26T12:00:00Z
[[region]]
id = "ua"
country = "UA"
[[terminal]]
id = "kyiv"
latitude_deg = 50.45
longitude_deg = 30.52
"""

TABLES = {
    "": "",
    "catalogue": "[catalogue]",
    "links": "[links]",
    "lasers": "[lasers]",
    "capacity": "[capacity]",
    "ground": "[ground]",
    "delay": "[delay]",
    "region": '[[region]]\nid = "x"\ncountry = "UA"',
    "service": '[[service]]\nregion = "ua"',
    "terminal": '[[terminal]]\nid = "x"\nlatitude_deg = 1.0\nlongitude_deg = 1.0',
    "fleet": '[[fleet]]\nid = "x"\ncount = 1\nregion = "ua"',
    "failure": '[[failure]]\ngateways = ["x"]',
    "connectivity": '[[connectivity]]\nentity = "UA"',
    "site": '[[site]]\nid = "x"\ncell = "851e6387fffffff"\nkind = "hospital"',
}
LISTS = {"region", "service", "terminal", "fleet", "failure", "connectivity", "site"}


def known_keys(table: str) -> set[str]:
    """What the reader itself says that a table may hold, when it is given a key like no other."""
    text = "zzzzzzzz = 1\n" + GOOD if not table else f"{GOOD}{TABLES[table]}\nzzzzzzzz = 1\n"
    with pytest.raises(Refused) as refused:
        read_scenario(text, "scenario.toml")
    listed = re.fullmatch(r"the keys here are (.+)", refused.value.way_out)
    assert listed, refused.value.way_out
    return set(listed.group(1).split(", "))


def documented(table: str) -> set[str]:
    """Keys in the first column of the table's section."""
    heading = f"## `[[{table}]]`" if table in LISTS else f"## `[{table}]`" if table else "## The run"
    assert heading in PAGE
    section = PAGE.split(heading, 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_table_is_known_here() -> None:
    """A new table without documentation fails here; the root's keys are those of the run and the tables."""
    assert known_keys("") - documented("") == set(TABLES) - {""}
    assert documented("") <= known_keys("")


@pytest.mark.parametrize("table", [t for t in TABLES if t])
def test_every_key_is_documented(table: str) -> None:
    assert known_keys(table) == documented(table)


def test_the_example_of_the_page_is_a_scenario() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    assert read_scenario(example.group(1), "example").title == "Two dishes over Poland"


def test_defaults_are_those_of_the_page() -> None:
    got = read_scenario(GOOD, "good.toml")
    assert (got.title, got.seed, got.shift_to_start) == ("good.toml", 1, False)
    assert got.end_us - got.start_us == 24 * 3_600_000_000
    assert got.memory_us == 15 * 60_000_000
    assert (got.policy, got.laser_mode) == ("sticky", "none")
    assert got.terminals[0].antenna == "starlink-round-2021"
    assert got.terminals[0].place.altitude_m == 0.0
    assert got.ground.antenna == "starlink-gateway"


@settings(max_examples=300)
@given(st.text(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 30))
def test_no_text_breaks_the_reader(noise: str, at: int, cut: int) -> None:
    """Whatever is done to a scenario, it is read or refused in words."""
    error = refusal(GOOD[:at] + noise + GOOD[at + cut :], "noisy.toml")
    assert error is None or all((error.thing, error.rule, error.way_out))


@pytest.mark.parametrize(("text", "says"), [("", "the key start"), (f"title = 3\n{GOOD}", "title")])
def test_what_lacks_or_is_odd_is_named(text: str, says: str) -> None:
    error = refusal(text, "odd.toml")
    assert error is not None
    assert says in f"{error.thing} {error.rule}"


def refusal(text: str, source: str) -> Refused | None:
    try:
        read_scenario(text, source)
    except Refused as error:
        return error
    return None


VALUES = st.sampled_from(
    ["1", "-1", "1.5", "nan", "inf", "1e308", '""', '"x"', "[]", "[1]", '["x"]', "{}", "true", "1979-05-27",
     "07:32:00", "2022-02-26T12:00:00Z", "9" * 30, "[[1]]", "[nan]", "[1e300]", "0001-01-01T00:00:00+23:00"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.data(), VALUES)
def test_no_value_of_any_key_breaks_the_reader(data: st.DataObject, value: str) -> None:
    table = data.draw(st.sampled_from(sorted(TABLES)))
    key = data.draw(st.sampled_from(sorted(documented(table))))
    head = re.sub(rf"^{key} = .*\n", "", GOOD, flags=re.MULTILINE) if not table else GOOD
    body = re.sub(rf"^{key} = .*$", "", TABLES[table], flags=re.MULTILINE)
    text = f"{key} = {value}\n{head}" if not table else f"{head}{body}\n{key} = {value}\n"
    error = refusal(text, "odd.toml")
    assert error is None or ("odd.toml" in error.thing and error.way_out)


def test_links_page_lists_columns_in_order_with_their_nulls() -> None:
    import numpy as np
    import pyarrow as pa

    nothing = pa.array([], pa.string())
    schema = links_schema(Names(np.zeros(0, np.int32), nothing, nothing, nothing, 1_500_000))
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \|[^|]*\| ([^|]+) \|", LINKS_PAGE.split("## why_down")[0], re.MULTILINE
    )
    assert [name for name, _, _ in rows] == schema.names
    for name, kind, null in rows:
        field = schema.field(name)
        value = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        expected = {"string": "text", "double": "float64", "float": "float32"}.get(str(value), str(value))
        if pa.types.is_list(value):
            expected = f"list of {value.value_type}"
        assert kind == expected, name
        # A path is an empty list while down, never null, though the format would allow it.
        assert field.nullable == (null != "never") or name == "path"
    assert schema.metadata == {b"time_shift_s": b"1.500000"}


def test_links_page_lists_every_reason() -> None:
    reasons = set(
        re.findall(r"^\| `(\w+)` \|", LINKS_PAGE.split("## why_down")[1].split("\n## ")[0], re.MULTILINE)
    )
    assert reasons == {why.label for why in WhyDown if why is not WhyDown.UP}
