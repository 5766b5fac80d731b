"""What every test may ask for. Larger published files stay outside the repository, in `../shared/data`."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

from skylift.adapters.compiled import drop_stale_kernels
from tests.stores import (
    new_database,
    postgresql_server,
    postgresql_url,
    sqlite_store_url,
    store_url,
    upgraded_database,
)

__all__ = [
    "new_database",
    "postgresql_server",
    "postgresql_url",
    "sqlite_store_url",
    "store_url",
    "upgraded_database",
]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# Pictures are drawn into files; no test opens a window.
os.environ.setdefault("MPLBACKEND", "Agg")

# No deadline per example: the first one may compile a kernel, and tests are not timed. Where CI is set,
# hypothesis loads a profile of its own, which has no deadline either and always draws the same examples.
settings.register_profile("house", deadline=None, print_blob=True)
if not os.environ.get("CI"):
    settings.load_profile("house")

# Before any worker of pytest-xdist starts; they would take the code away from one another.
if "PYTEST_XDIST_WORKER" not in os.environ:
    drop_stale_kernels()


def _shared(path: str) -> Path:
    wanted = SHARED / "data" / path
    if not wanted.exists():
        pytest.skip(f"needs ../shared/data/{path}, which is not part of the repository")
    return wanted


# Files that take longest, or that compile what most others use: they begin, so that no worker waits for one
# at the end, and two do not compile the same kernels at the same time.
FIRST = (
    "tests/twin/test_capacity_again.py",
    "tests/faults/test_simulation.py",
    "tests/api/office/test_openapi.py",
    "tests/faults/test_simulation_finds.py",
    "tests/faults/test_killed_server.py",
)
# Folders whose tests run kernels.
KERNELS = ("sky", "twin", "study", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files, in an order in which workers share the work; within one it stays as it was."""
    files = dict.fromkeys(item.path for item in items)
    places = {path: _place(path.relative_to(ROOT)) for path in files if path.is_relative_to(ROOT)}
    items.sort(key=lambda item: places.get(item.path, (3, 0)))


def _place(path: Path) -> tuple[int, int]:
    if str(path) in FIRST:
        return 0, FIRST.index(str(path))
    return (2, 0) if path.parts[1] in KERNELS else (1, 0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder `../shared/data`; the test is skipped, with the reason, where it is absent."""
    return _shared("")


@pytest.fixture(scope="session")
def shared_file() -> Callable[[str], Path]:
    """A function that gives one file of `../shared/data` by its path there; skips where it is absent."""
    return _shared


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test skipped for want of what CI has fails: what never runs proves nothing.

    That is ../shared, and the parts that .ci/run has installed and names in SKYLIFT_TEST_PARTS.
    """
    report = yield
    if report.skipped and os.environ.get("CI"):
        parts = [
            *os.environ.get("SKYLIFT_TEST_PARTS", "").split(),
            *(["../shared"] if SHARED.exists() else []),
        ]
        for part in parts:
            if part.lower() in str(report.longrepr).lower():
                report.outcome = "failed"
                report.longrepr = f"skipped although CI has {part}: {report.longrepr}"
    return report
