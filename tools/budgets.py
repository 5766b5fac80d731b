"""The house's budgets, as a check: sizes, kernels, import cycles, and what must not stand in a tracked file.

    python tools/budgets.py [ROOT]

Each breach says what, where and the way out; the exit code is 1 if there is one. Read the reason before you
split a file to satisfy a number: a module that is hard to cut usually holds two things.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_LINES = 400
FUNCTION_LINES = 60
KERNEL_FUNCTION_LINES = 200
TICK_LINES = 150

# The sources that the line budgets hold for; tests are long tables and go free.
BUDGETED = ("src", "bench", "tools", "examples")
# Locked by a tool, or somebody else's words.
UNREAD = {"LICENSE"}

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
# A decorator by one of these names compiles what it stands on.
COMPILERS = {"njit", "jit", "vectorize", "guvectorize", "cfunc"}

# Rooms that compute and touch nothing; import-linter sees imports, but these calls need none.
PURE_ROOMS = tuple(f"src/skylift/{room}/" for room in ("base", "ports", "sky", "twin", "study"))
IMPURE_CALLS = {"open", "input", "eval", "exec", "__import__", "breakpoint"}
IMPURE_NUMPY = {"load", "save", "savez", "savetxt", "loadtxt", "genfromtxt", "fromfile", "memmap"}

FORBIDDEN_TEXT = (
    (
        "a path of one machine",
        re.compile(r"(?<![\w.:/$~{}-])/(?:home|root|tmp|work|farm|mnt|opt|Users)/\w|[A-Z]:\\Users\\"),
        "use a path relative to the repository, an argument or tempfile",
    ),
    (
        "a package registry of one machine",
        re.compile(
            r"(?<![\w-])--(?:extra-)?index-url\b|(?<![\w-])--find[-]links\b|\bfile:[/]//"
            r"|files[.]pythonhosted[.]org|registry[.]npmjs[.]org"
        ),
        "leave the registry to the user's own settings; `make lock` writes none",
    ),
    (
        "a host of one network",
        re.compile(
            r"https?://(?:10\.\d|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\."
            r"|[\w.-]+\.(?:internal|local|lan|corp|intranet)\b)"
        ),
        "name a public host, or 127.0.0.1",
    ),
    (
        "an unfinished mark",
        re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX)\b"),
        "finish it, or write an issue and name it",
    ),
)


@dataclass(frozen=True, order=True)
class Breach:
    """One broken rule: where, what, and what to do."""

    where: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.way_out}"


def code_lines(source: str) -> set[int]:
    """The numbers of the lines that hold code: no blank line, no comment, no docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        # A text that stands alone as a statement: a docstring, or one beneath a field.
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def check_sizes(name: str, source: str) -> Iterator[Breach]:
    """Lines of code of the module and of each function, decorators not counted."""
    lines = code_lines(source)
    limit = TICK_LINES if name.endswith("twin/tick.py") else MODULE_LINES
    if len(lines) > limit:
        yield Breach(
            name,
            f"{len(lines)} lines of code, a budget of {limit}",
            "find the two things it holds and give each a module",
        )
    most = KERNEL_FUNCTION_LINES if name.endswith("_kernel.py") else FUNCTION_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = sum(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
            if length > most:
                yield Breach(
                    f"{name}:{node.lineno}",
                    f"{node.name} has {length} lines of code, a budget of {most}",
                    "name its steps and make them functions",
                )


def check_kernel(name: str, source: str, test_texts: dict[str, str]) -> Iterator[Breach]:
    """A *_kernel.py holds compiled functions and the constants they read, and a test names it."""
    for node in ast.parse(source).body:
        if not _belongs_in_a_kernel(node):
            yield Breach(
                f"{name}:{node.lineno}",
                "a kernel module holds only @njit functions, imports and constants",
                "move this to a module without _kernel in its name",
            )
    room, module = Path(name).parent.name, Path(name).stem
    # Two rooms may each have a search_kernel: the room is part of the name.
    named = re.compile(rf"\b{room}[./]{module}\b|\b{room} import [^\n]*\b{module}\b")
    if not any(named.search(text) for text in test_texts.values()):
        yield Breach(
            name,
            "no test names it",
            f"test it against an independent oracle, in a test that imports or names {room}.{module}",
        )


def _belongs_in_a_kernel(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return any(_compiles(decorator) for decorator in node.decorator_list)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        # Constants in capitals, types in CapWords; `X, Y, Z = range(3)` too.
        names = [
            leaf
            for t in targets
            for leaf in ast.walk(t)
            if not isinstance(leaf, ast.Tuple | ast.expr_context)
        ]
        return all(isinstance(name, ast.Name) and name.id.lstrip("_")[:1].isupper() for name in names)
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _compiles(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in COMPILERS


def check_pure(name: str, source: str) -> Iterator[Breach]:
    """No call in a computing room that opens a file or runs a text, which no import gives away."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _is_impure(node.func):
            yield Breach(
                f"{name}:{node.lineno}",
                f"{ast.unparse(node.func)} in a room that touches no files",
                "read it in adapters/ and hand the content in",
            )


def _is_impure(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.value.id in {"np", "numpy"} and called.attr in IMPURE_NUMPY
    return isinstance(called, ast.Name) and called.id in IMPURE_CALLS


def imports_of(module: str, is_package: bool, source: str, known: set[str]) -> set[str]:
    """Which of the `known` modules this one imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                stem = parts[: len(parts) - node.level + is_package]
                base = ".".join([*stem, base] if base else stem)
            names = {f"{base}.{alias.name}" for alias in node.names}
            # `from room import module` imports the module; what is no module is a name inside `base`.
            found.update(names & known or {base})
    return (found & known) - {module}


def find_cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another in a ring (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[-len(group) :]
            if len(group) > 1:
                cycles.append(sorted(group))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return cycles


def check_cycles(sources: dict[str, str]) -> Iterator[Breach]:
    """No ring of imports among the modules beneath src/."""
    modules: dict[str, str] = {}
    for name in sources:
        if name.startswith("src/"):
            dotted = name.removeprefix("src/").removesuffix(".py").replace("/", ".")
            modules[dotted.removesuffix(".__init__")] = name
    known = set(modules)
    graph = {
        module: imports_of(module, name.endswith("/__init__.py"), sources[name], known)
        for module, name in modules.items()
    }
    for group in find_cycles(graph):
        yield Breach(
            modules[group[0]],
            "an import cycle: " + " <-> ".join(group),
            "move what both need into a module beneath them",
        )


def check_text(name: str, text: str) -> Iterator[Breach]:
    """What only makes sense on one machine, and marks of unfinished work."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern, way_out in FORBIDDEN_TEXT:
            if pattern.search(line):
                yield Breach(f"{name}:{number}", what, way_out)


def tracked_files(root: Path) -> list[str]:
    """What git tracks or would track: a new file is checked before its first commit too."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def check(root: Path) -> list[Breach]:
    """All breaches beneath `root`, which is a git checkout."""
    texts: dict[str, str] = {}
    for name in tracked_files(root):
        raw = (root / name).read_bytes()
        if b"\0" not in raw[:8_192] and Path(name).name not in UNREAD:
            texts[name] = raw.decode("utf-8", errors="replace")
    return sorted(set(_all_breaches(texts)))


def _all_breaches(texts: dict[str, str]) -> Iterable[Breach]:
    tests = {name: text for name, text in texts.items() if name.startswith("tests/") and name.endswith(".py")}
    sources: dict[str, str] = {}
    for name, text in texts.items():
        yield from check_text(name, text)
        if name.endswith(".py") and name.split("/")[0] in BUDGETED:
            try:
                ast.parse(text)
            except SyntaxError as error:
                yield Breach(f"{name}:{error.lineno}", "it does not parse", "mend the syntax")
                continue
            sources[name] = text
    for name, text in sources.items():
        yield from check_sizes(name, text)
        if name.startswith(PURE_ROOMS):
            yield from check_pure(name, text)
        if name.startswith("src/") and name.endswith("_kernel.py"):
            yield from check_kernel(name, text, tests)
    yield from check_cycles(sources)


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    breaches = check(root)
    for breach in breaches:
        print(breach)
    print(f"budgets: {len(breaches)} broken" if breaches else "budgets: all kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
