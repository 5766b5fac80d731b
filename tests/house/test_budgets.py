"""Each budget is broken on purpose in a small repository, and the check must see it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Plant = Callable[[dict[str, str]], list[str]]


@pytest.fixture(scope="session")
def budgets(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("budgets", root / "tools" / "budgets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["budgets"] = module  # dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def plant(tmp_path: Path, budgets: ModuleType) -> Plant:
    """Write these files into a new repository and give the breaches found there."""

    def write(files: dict[str, str]) -> list[str]:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return [str(breach) for breach in budgets.check(tmp_path)]

    return write


def lines(count: int) -> str:
    return "".join(f"x{i} = {i}\n" for i in range(count))


def function(count: int, decorator: str = "") -> str:
    return f"{decorator}def f():\n" + "".join(f"    x{i} = {i}\n" for i in range(count - 1))


KERNEL = "from numba import njit\n\n\n"
NAMED = {"tests/test_k.py": "from skylift.sky.orbit.a_kernel import f\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"src/skylift/a.py": lines(401)}, ["src/skylift/a.py: 401 lines of code, a budget of 400"]),
        ({"src/skylift/a.py": lines(400)}, []),
        ({"src/skylift/a.py": '"""Text.\n' + "\n" * 500 + '"""\n' + "# why\n" * 500 + lines(400)}, []),
        ({"src/skylift/a.py": "x = '''\n" + "text\n" * 400 + "'''\n"}, ["402 lines of code"]),
        ({"src/skylift/a.py": function(61)}, ["src/skylift/a.py:1: f has 61 lines of code"]),
        ({"src/skylift/a.py": function(60)}, []),
        ({"src/skylift/a.py": function(61, "@cache\n@twice\n")}, ["src/skylift/a.py:3: f has 61"]),
        ({"src/skylift/a.py": "async " + function(61)}, ["f has 61"]),
        ({"tests/test_a.py": lines(900) + function(200)}, []),
        ({"src/skylift/twin/tick.py": lines(151)}, ["151 lines of code, a budget of 150"]),
        ({"src/skylift/twin/tick.py": lines(150)}, []),
        ({"src/skylift/sky/orbit/a_kernel.py": KERNEL + function(200, "@njit(cache=True)\n"), **NAMED}, []),
        (
            {"src/skylift/sky/orbit/a_kernel.py": KERNEL + function(201, "@njit\n"), **NAMED},
            ["f has 201 lines of code, a budget of 200"],
        ),
        (
            {"src/skylift/sky/orbit/a_kernel.py": KERNEL + function(2), **NAMED},
            ["only @njit functions"],
        ),
        (
            {"src/skylift/sky/orbit/a_kernel.py": KERNEL + "class A:\n    pass\n", **NAMED},
            ["only @njit functions"],
        ),
        (
            {
                "src/skylift/sky/orbit/a_kernel.py": KERNEL
                + "LIMIT = 3\n_FAST = {1}\nFloats = int\nX, Y = range(2)\n",
                **NAMED,
            },
            [],
        ),
        ({"src/skylift/sky/orbit/a_kernel.py": KERNEL + "cache = {}\n", **NAMED}, ["only @njit functions"]),
        ({"src/skylift/sky/orbit/a_kernel.py": KERNEL + "X[0] = 1\n", **NAMED}, ["only @njit functions"]),
        (
            {"src/skylift/sky/orbit/a_kernel.py": KERNEL + function(2, "@njit\n")},
            ["no test names it; test it against an independent oracle"],
        ),
        (  # a kernel of the same name in another room
            {
                "src/skylift/sky/orbit/a_kernel.py": KERNEL + function(2, "@njit\n"),
                "tests/test_k.py": "from skylift.sky.routing.a_kernel import f\n",
            },
            ["no test names it"],
        ),
        (
            {
                "src/skylift/sky/orbit/a_kernel.py": KERNEL + function(2, "@njit\n"),
                "tests/test_k.py": '"""Oracle of sky/orbit/a_kernel.py: brute force."""\n',
            },
            [],
        ),
        ({"src/skylift/a.py": "def f(:\n"}, ["src/skylift/a.py:1: it does not parse"]),
        (
            {
                "src/skylift/__init__.py": "",
                "src/skylift/a.py": "from skylift import b\n",
                "src/skylift/b.py": "import skylift.c\n",
                "src/skylift/c.py": "def f():\n    from skylift.a import g\n",
            },
            ["an import cycle: skylift.a <-> skylift.b <-> skylift.c"],
        ),
        (
            {
                "src/skylift/__init__.py": "",
                "src/skylift/room/__init__.py": "from .a import f\n",
                "src/skylift/room/a.py": "from . import b\n",
                "src/skylift/room/b.py": "from .. import room\n",
            },
            ["an import cycle: skylift.room <-> skylift.room.a <-> skylift.room.b"],
        ),
        (
            {
                "src/skylift/__init__.py": "",
                "src/skylift/a.py": "from skylift import b, c\nimport numpy\n",
                "src/skylift/b.py": "from skylift import c\n",
                "src/skylift/c.py": "",
            },
            [],
        ),
        (
            {"src/skylift/sky/a.py": "x = open('f')\n"},
            ["src/skylift/sky/a.py:1: open in a room that touches no"],
        ),
        ({"src/skylift/base/a.py": "x = np.load('f')\n"}, ["np.load in a room"]),
        ({"src/skylift/twin/a.py": "x = bank.open()\ny = json.load(z)\n"}, []),
        ({"src/skylift/adapters/a.py": "x = open('f')\n"}, []),
        ({"docs/a.md": "see /ho" + "me/ann/x\n"}, ["docs/a.md:1: a path of one machine"]),
        ({"a.sh": "cat /tm" + "p/x\n"}, ["a.sh:1: a path of one machine"]),
        ({"a.sh": "#!/usr/bin/env bash\ncat $HOME/tmp/x ./tmp/x\ncurl https://a.org/home/x\n"}, []),
        ({"a.txt": "--extra-" + "index-url https://a.org\n"}, ["a package registry of one machine"]),
        ({"a.txt": "# pip compile --no-emit-index-url\n"}, []),
        ({"a.txt": "https://files.python" + "hosted.org/x\n"}, ["a package registry of one machine"]),
        ({"a.txt": "http://10." + "2.3.4/simple or http://mirror." + "corp/x\n"}, ["a host of one network"]),
        ({"a.txt": "http://127.0.0.1:8480 and https://celestrak.org\n"}, []),
        ({"src/skylift/a.py": "# TO" + "DO: later\n"}, ["src/skylift/a.py:1: an unfinished mark"]),
    ],
)
def test_a_planted_breach_is_found_and_nothing_else(
    plant: Plant, files: dict[str, str], expected: list[str]
) -> None:
    found = plant(files)
    assert len(found) == len(expected), found
    for breach, words in zip(found, expected, strict=True):
        assert words in breach
        assert "; " in breach  # the way out


def test_binary_files_and_ignored_ones_are_not_read(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0/ho" + b"me/ann/x")
    assert plant({".gitignore": "out/\n", "out/a.txt": "/ho" + "me/ann/x\n"}) == []


def test_the_exit_code_tells(
    budgets: ModuleType, plant: Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant({"a.sh": "true\n"})
    assert budgets.main([str(tmp_path)]) == 0
    plant({"a.sh": "cat /tm" + "p/x\n"})
    assert budgets.main([str(tmp_path)]) == 1
    assert "a.sh:1: a path of one machine" in capsys.readouterr().out
