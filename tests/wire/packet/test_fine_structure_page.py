"""The page of the presets says what they are."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from skylift.wire.packet.texture import PRESETS, Texture

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "fine-structure.md"


def test_the_page_has_every_behaviour_with_the_presets_values_and_a_source() -> None:
    rows = [line.strip("|\n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    written = {row[0].strip(" `"): row for row in rows if len(row) == 7 and "`" in row[0]}
    assert list(written) == [one.name for one in fields(Texture)]
    sides = [side for name, both in PRESETS.items() if name != "ideal" for side in both]
    for name, row in written.items():
        assert [float(text) for text in row[2:6]] == [getattr(side, name) for side in sides]
        assert row[6].strip()
    assert all(side.plain for side in PRESETS["ideal"])
