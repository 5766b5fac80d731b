"""Numba alone runs old code after a change in an imported file; with the check it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skylift.adapters.compiled import PACKAGE, drop_stale_kernels, imports_of_kernel

KERNEL = """
from numba import njit

from skylift.room.constants import ROW
from skylift.room import (
    helper,
)

@njit(cache=True)
def f():
    return ROW
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    room = tmp_path / "skylift" / "room"
    room.mkdir(parents=True)
    (tmp_path / "skylift" / "__init__.py").write_text("")
    (room / "__init__.py").write_text("")
    (room / "constants.py").write_text("ROW = 1\n")
    (room / "helper.py").write_text("import skylift.room.far\n")
    (room / "far.py").write_text("")
    (room / "a_kernel.py").write_text(KERNEL)
    return tmp_path / "skylift"


def answer(package: Path) -> int:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", "from skylift.room.a_kernel import f; print(f())"],
        cwd=package.parent,
        env={**environment, "PYTHONPATH": str(package.parent)},
        check=True,
        text=True,
        capture_output=True,
    )
    return int(done.stdout)


def test_a_changed_constant_of_another_file_reaches_the_kernel(package: Path) -> None:
    assert drop_stale_kernels(package) == [package / "room" / "a_kernel.py"]
    assert answer(package) == 1
    (package / "room" / "constants.py").write_text("ROW = 22\n")
    # If this fails, Numba has learnt to look at imports, and all of this can go.
    assert answer(package) == 1
    assert drop_stale_kernels(package) == [package / "room" / "a_kernel.py"]
    assert answer(package) == 22


def test_what_is_fresh_stays(package: Path) -> None:
    drop_stale_kernels(package)
    index = package / "room" / "__pycache__" / "a_kernel.f-1.py311.nbi"
    index.write_bytes(b"kept")
    assert drop_stale_kernels(package) == []
    assert index.exists()
    (package / "room" / "far.py").write_text("x = 1\n")  # two imports away
    assert drop_stale_kernels(package) == [package / "room" / "a_kernel.py"]
    assert not index.exists()


def test_a_package_that_cannot_be_written_is_left_alone(package: Path) -> None:
    (package / "room" / "__pycache__").write_text("a file where the folder should be")
    assert drop_stale_kernels(package) == []


def test_imports_are_followed_also_in_brackets_and_in_plain_form(package: Path) -> None:
    names = {path.name for path in imports_of_kernel(package / "room" / "a_kernel.py", package)}
    assert names == {"constants.py", "helper.py", "far.py"}


def test_imports_of_our_own_modules_are_found() -> None:
    assert PACKAGE / "base" / "units.py" in imports_of_kernel(PACKAGE / "base" / "geodesy.py")
