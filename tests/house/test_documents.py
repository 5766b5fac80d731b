"""What is written down stays true: links lead somewhere, data has a source, commands exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {".git", ".venv", "build", "out", "node_modules", ".hypothesis", ".pytest_cache"}
PAGES = sorted(path for path in ROOT.rglob("*.md") if not OUTSIDE & set(path.relative_to(ROOT).parts[:-1]))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The names that headings of a page can be linked by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_of_docs_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_file():
                waiting.append(target)
    assert {p for p in PAGES if p.is_relative_to(ROOT / "docs")} - seen == set()


def test_every_packaged_file_has_a_source() -> None:
    """A SOURCE.toml beside it, or above it within data/, that names the file or the folder it covers."""
    data = ROOT / "src" / "skylift" / "data"
    for file in sorted(data.rglob("*")):
        if not file.is_file() or file.suffix in {".py", ".pyc"} or file.name == "SOURCE.toml":
            continue
        folders = [f for f in [file.parent, *file.parent.parents] if f.is_relative_to(data)]
        sources = [f / "SOURCE.toml" for f in folders if (f / "SOURCE.toml").is_file()]
        assert sources, f"{file.relative_to(ROOT)} has no SOURCE.toml beside or above it"


def test_every_source_says_where_from_and_under_which_licence() -> None:
    for source in sorted((ROOT / "src" / "skylift" / "data").rglob("SOURCE.toml")):
        said = tomllib.loads(source.read_text(encoding="utf-8"))
        where_from = said.get("where_from") or said.get("source")
        for what in (where_from, said.get("licence"), said.get("made")):
            assert what, f"{source.relative_to(ROOT)} says where_from, licence and made (how), each in full"


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "why" / "001-the-house.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([\w-]+) \|(?: [\d.]+ \|){3} \w", page, re.MULTILINE))
    assert {re.split(r"[<>=!~ \[]", d)[0] for d in project["dependencies"]} == rows


def test_the_version_is_one() -> None:
    from skylift import __version__

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named: dict[str, Path] = {}
    for page in PAGES:
        code = re.findall(r"```.*?```|`[^`]+`", page.read_text(encoding="utf-8"), re.DOTALL)
        named |= {name: page for block in code for name in re.findall(r"\bmake ([a-z-]+)", block)}
    assert {"run", "test"} <= set(named)
    assert {name: page for name, page in named.items() if name not in targets} == {}


def test_every_skylift_command_that_a_page_names_exists() -> None:
    import typer

    from skylift.cli.main import app

    root = typer.main.get_command(app)
    for page in PAGES:
        # CHANGELOG and decisions tell of the past and of the future too.
        if page.name == "CHANGELOG.md" or "why" in page.parts:
            continue
        text = page.read_text(encoding="utf-8")
        code = re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL)
        for name in {n for block in code for n in re.findall(r"\bskylift ([a-z][a-z-]*)\b", block)}:
            assert name in root.commands, f"{page.relative_to(ROOT)}: skylift {name}"  # type: ignore[attr-defined]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("target", ["run", "test", "setup", "check", "bench", "lock", "reference", "format"])
def test_make_knows_what_to_do(target: str) -> None:
    """A dry run: every target can be made from what is in the repository."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, text=True, capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
