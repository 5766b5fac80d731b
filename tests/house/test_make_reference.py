"""The reference page says of each command all that its help says."""

from __future__ import annotations

import enum
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer


class Frame(enum.StrEnum):
    TEME = "teme"
    ITRS = "itrs"


@pytest.fixture(scope="module")
def reference(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", root / "tools" / "make_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def command() -> Any:
    app = typer.Typer()
    group = typer.Typer()
    app.add_typer(group, name="catalogue")

    @group.command()
    def info(
        file: Annotated[Path, typer.Argument(help="The file to read.")],
        at: Annotated[list[str] | None, typer.Option("--at", help="This | or that.")] = None,
        frame: Annotated[Frame, typer.Option(help="The frame.")] = Frame.TEME,
        count: Annotated[int, typer.Option("--count", "-n")] = 5,
        as_json: Annotated[bool, typer.Option("--json", help="One document.")] = False,
    ) -> None:
        """Say what it holds.

        In a second
        paragraph.
        """

    @group.command(hidden=True)
    def secret() -> None:
        """Not for people."""

    @app.command()
    def sky(latitude: Annotated[float, typer.Option("--lat", help="Latitude.")]) -> None:
        """Say what is up."""

    return typer.main.get_command(app)


def test_every_command_that_is_not_hidden_is_found(reference: ModuleType, command: Any) -> None:
    assert [path for path, _ in reference.commands(command, "skylift")] == [
        "skylift catalogue info",
        "skylift sky",
    ]


def test_a_section_holds_all_that_help_holds(reference: ModuleType, command: Any) -> None:
    (path, info), (_, sky) = reference.commands(command, "skylift")
    assert (
        reference.section(path, info)
        == """\
## skylift catalogue info

Say what it holds.

In a second paragraph.

```
skylift catalogue info [OPTIONS] FILE
```

| | what | default |
|---|---|---|
| `FILE` | The file to read. | required |
| `--at` (may be repeated) | This \\| or that. |  |
| `--frame` | The frame. One of `teme`, `itrs`. | `teme` |
| `--count`, `-n` |  | `5` |
| `--json` | One document. |  |
"""
    )
    assert "| `--lat` | Latitude. | required |" in reference.section("skylift sky", sky)


def test_the_list_of_pages_is_made_of_their_titles(reference: ModuleType, tmp_path: Path) -> None:
    index = tmp_path / "README.md"
    index.write_text(f"# Why\n\nText.\n\n{reference.LIST}- [gone](gone.md)\n")
    (tmp_path / "002-b.md").write_text("# 002 Second\n\ntext\n")
    (tmp_path / "001-a.md").write_text("# 001 First\n")
    made = reference.listed(index)
    assert made == f"# Why\n\nText.\n\n{reference.LIST}- [001 First](001-a.md)\n- [002 Second](002-b.md)\n"
    index.write_text("# Without a list\n")
    assert reference.listed(index) == "# Without a list\n"
