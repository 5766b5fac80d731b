"""Write docs/reference/command-line.md from the command itself, and each docs folder's list of pages.

    python tools/make_reference.py [--check]

With --check nothing is written; the exit code is 1 where the page is not what would be written.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from skylift.cli.main import app

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "reference" / "command-line.md"
# What stands below this line in a folder's README.md is written here.
LIST = "<!-- The list below is written by `make reference` from the pages' titles. -->\n\n"

HEAD = """\
# The command line

<!-- Written by `make reference` from the help texts in src/skylift/cli: edit those, not this page. -->

`skylift COMMAND --help` says the same.

- With `--json` a command prints exactly one JSON document on standard output; diagnostics go to
  standard error.
- Exit codes: 0, done; 2, the caller's error (a wrong option, a broken file); 1, the world's (no network,
  no space).
- An error says what went wrong, which rule it broke and the way out; with `--json` it is
  `{"error": {"code": ..., "thing": ..., "rule": ..., "way_out": ...}}` on standard error.
- Times are ISO 8601, in UTC unless they end in an offset: `2022-02-26T12:00:00Z`.

"""


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command beneath `command` that can be run, by its full name, in alphabetical order."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name in sorted(children):
        if not children[name].hidden:
            yield from commands(children[name], f"{path} {name}")


def section(path: str, command: Any) -> str:
    """One command: what it does, how it is called, its arguments and options as a table."""
    rows = [row for parameter in command.params if (row := _row(parameter))]
    usage = " ".join([path, *_usage(command)])
    text = f"## {path}\n\n{_paragraphs(command.help or '')}\n\n```\n{usage}\n```\n"
    if rows:
        text += "\n| | what | default |\n|---|---|---|\n" + "".join(rows)
    return text


def _usage(command: Any) -> Iterator[str]:
    if any(p.param_type_name == "option" and not p.hidden for p in command.params):
        yield "[OPTIONS]"
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = _argument_name(parameter)
            yield (name if parameter.required else f"[{name}]") + ("..." if parameter.nargs == -1 else "")


def _argument_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _row(parameter: Any) -> str:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    if parameter.param_type_name == "argument":
        names = f"`{_argument_name(parameter)}`"
    else:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if getattr(parameter, "multiple", False):
        names += " (may be repeated)"
    what = [_cell(parameter.help or "")]
    if choices := _choices(parameter.type_descriptor.annotation):
        what.append("One of " + ", ".join(f"`{choice}`" for choice in choices) + ".")
    return f"| {names} | {' '.join(filter(None, what))} | {_default(parameter)} |\n"


def _choices(annotation: Any) -> list[str]:
    """The values of an enumeration or a Literal, also inside a list or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(member.value) for member in annotation]
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or value is False or value == () or value == [] or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _paragraphs(text: str) -> str:
    # Typer's \b and \f marks steer the terminal's help only.
    plain = text.split("\f")[0].replace("\b", "")
    return "\n\n".join(_cell(paragraph) for paragraph in plain.strip().split("\n\n"))


def page() -> str:
    found = list(commands(typer.main.get_command(app), "skylift"))
    index = "".join(f"- [{path}](#{path.replace(' ', '-')})\n" for path, _ in found)
    sections = [section(path, command) for path, command in found]
    return "\n".join([HEAD + index, *sections]) if found else HEAD.rstrip() + "\n"


def listed(index: Path) -> str:
    """A folder's README.md with one link for each other page, in the order of their file names."""
    head, mark, _ = index.read_text(encoding="utf-8").partition(LIST)
    if not mark:
        return head
    pages = sorted(page for page in index.parent.glob("*.md") if page != index)
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in pages]
    return head + mark + "".join(f"- [{t}]({p.name})\n" for t, p in zip(titles, pages, strict=True))


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
    wanted = {PAGE: page(), **{index: listed(index) for index in DOCS.glob("*/README.md")}}
    stale = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(DOCS.parent)} is not what it should be now; run: make reference")
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
