"""Strict TOML: the line, the rule and the way out of every mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.strict import StrictTable, read_toml

TEXT = '''# a constellation
name = "toy"   # with a comment = sign
note = """
altitude_km = "inside a text of several lines"
"""
numbers = [
  1.0,
  2.0, # planes = 3
]
epoch = 2022-02-26T12:00:00Z

[ground]
minimum_elevation_deg = 25

[[shell]]
planes = 3
altitude_km = 550.0

[[shell]]
planes = 4
altitude_km = "550 km"
inline = { a = 1, b = "two" }
dotted.key = 1
'''
ROOT = ("name", "note", "numbers", "epoch", "ground", "shell")
SHELL = ("planes", "altitude_km", "inline", "dotted")


def shells() -> tuple[StrictTable, ...]:
    return read_toml(TEXT, "toy.toml").table(ROOT).tables("shell", SHELL)


def test_values_come_back_with_their_types() -> None:
    root = read_toml(TEXT, "toy.toml").table(ROOT)
    assert root.text("name") == "toy"
    assert root.numbers("numbers") == (1.0, 2.0)
    assert root.instant("epoch") == parse_instant("2022-02-26T12:00:00Z")
    assert root.table("ground", ("minimum_elevation_deg",)).number("minimum_elevation_deg") == 25.0
    assert [shell.whole("planes") for shell in shells()] == [3, 4]
    assert shells()[0].number("altitude_km", minimum=100) == 550.0


def test_a_number_with_its_unit_in_the_text_is_answered_with_the_unit() -> None:
    with pytest.raises(Refused) as caught:
        shells()[1].number("altitude_km")
    line = TEXT.splitlines().index('altitude_km = "550 km"') + 1
    assert caught.value.thing == f"toy.toml line {line}: shell[2].altitude_km"
    assert "kilometres" in caught.value.rule
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "text", "right"),
    [
        (2, 'name = "x"\nepok = 2022-01-01T00:00:00Z\n', "epoch"),
        (3, '\n\n"shel" = 1\n', "shell"),
        (2, "[ground]\nminimum_elevation_rad = 0.4\n", "minimum_elevation_deg"),
        (2, "[ground]\nminimum_elevation = 25\n", "minimum_elevation_deg"),
        (4, "[[shell]]\nplanes = 1\n[[shell]]\nplains = 2\n", "planes"),
        (2, "[[shell]]\naltitude_m = 550000\n", "altitude_km"),
        (1, "ground = { minimum_elevation_dge = 25 }\n", "minimum_elevation_deg"),
        (3, 'note = """\nepok = 1"""\nepok = 2\n', "epoch"),
        (5, 'note = "#"\nnumbers = [1, # epok = [\n 2]\n# epok = 3\nepok = 4\n', "epoch"),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_right_one(
    line: int, text: str, right: str
) -> None:
    def read() -> None:
        root = read_toml(text, "x.toml").table(ROOT)
        root.table("ground", ("minimum_elevation_deg",))
        root.tables("shell", SHELL)

    with pytest.raises(Refused) as caught:
        read()
    assert caught.value.thing.startswith(f"x.toml line {line}: ")
    assert right in caught.value.way_out


def test_a_wrong_unit_says_which_unit_is_right() -> None:
    with pytest.raises(Refused, match="altitude is given in kilometres") as caught:
        read_toml("altitude_m = 550000", "x.toml").table(("altitude_km",))
    assert caught.value.code == "toml.unit"


@pytest.mark.parametrize("text", ["planes = 0", "planes = 1.5", 'planes = "1"', "planes = true", ""])
def test_a_wrong_or_missing_whole_number_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_toml(text, "x.toml").table(("planes",)).whole("planes", minimum=1)


@pytest.mark.parametrize("text", ["x_km = nan", "x_km = inf", "x_km = 200", "x_km = true", "x_km = [1]"])
def test_a_wrong_number_is_refused_and_not_printed(text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_toml(text, "x.toml").table(("x_km",)).number("x_km", maximum=100)
    assert "200" not in str(caught.value)


def test_a_rate_of_rain_is_not_taken_for_hours() -> None:
    with pytest.raises(Refused) as refused:
        read_toml("peak_mm_per_h = nan", "x.toml").table(("peak_mm_per_h",)).number("peak_mm_per_h")
    assert refused.value.way_out == "write a number in millimetres per hour"


def test_named_tables_keep_their_names_and_lines() -> None:
    text = "[site.kyiv]\nx_km = 1\n[site.lviv]\ny_km = 1\n"
    with pytest.raises(Refused, match=r"line 4: site\.lviv\.y_km"):
        read_toml(text, "x.toml").table(("site",)).subtables("site", ("x_km",))
    sites = read_toml(text, "x.toml").table(("site",)).subtables("site", ("x_km", "y_km"))
    assert list(sites) == ["kyiv", "lviv"]
    assert sites["lviv"].number("y_km") == 1.0


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(Refused, match="line 2"):
        read_toml('a = 1\nb = "open\n', "x.toml")


def test_a_choice_offers_the_nearest() -> None:
    table = read_toml('pattern = "detla"', "x.toml").table(("pattern",))
    with pytest.raises(Refused, match="did you mean 'delta'"):
        table.choice("pattern", ("delta", "star"))


def test_reading_a_key_that_is_not_declared_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        read_toml("", "x.toml").table(("a",)).has("b")


@given(st.text(alphabet="ab.[]{}=\"'# \n\\1,", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read_toml(text, "x.toml")
        document.table(("a", "b"))
    except Refused:
        return
    assert set(document.content) <= {"a", "b"}


@given(st.lists(st.sampled_from(["planes", "altitude_km"]), min_size=1, max_size=6), st.integers(0, 5))
def test_lines_are_right_in_any_list_of_tables(keys: list[str], at: int) -> None:
    at %= len(keys)
    blocks = [f"# comment\n[[shell]]\n{key} = 1\n" for key in keys]
    blocks[at] += "wrong_key = 1\n"
    text = "".join(blocks)
    line = text.splitlines().index("wrong_key = 1") + 1
    with pytest.raises(Refused, match=rf"line {line}: shell\[{at + 1}\]\.wrong_key"):
        read_toml(text, "x.toml").table(ROOT).tables("shell", SHELL)


def test_a_whole_number_or_a_word_and_lists_of_whole_numbers() -> None:
    table = read_toml('a = 3\nb = "any"\nc = [1, 2]\nd = 2.5\ne = [1, "x"]\nf = 7\n', "w.toml").table(
        tuple("abcdefg")
    )
    assert table.whole_or("a", "any", minimum=1, maximum=5) == 3
    assert table.whole_or("b", "any") is None
    assert table.wholes("c", minimum=0, maximum=2) == (1, 2)
    for key, hint in (("d", "line 4.*'any'"), ("f", "line 6.*at most 5"), ("g", "needs the key g")):
        with pytest.raises(Refused, match=hint):
            table.whole_or(key, "any", maximum=5)
    with pytest.raises(Refused, match=r"line 2.*'all'"):
        table.whole_or("b", "all")
    for key, hint in (("e", "line 5.*list of whole"), ("a", "list of whole"), ("c", "line 3.*at least 2")):
        with pytest.raises(Refused, match=hint):
            table.wholes(key, minimum=2)


def test_a_least_number_that_stands_for_not_zero_is_told_as_such() -> None:
    with pytest.raises(Refused, match="x_mhz is more than 0, up to 10"):
        read_toml("x_mhz = 0", "x.toml").table(("x_mhz",)).number("x_mhz", minimum=1e-6, maximum=10)
