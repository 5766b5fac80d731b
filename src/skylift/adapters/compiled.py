"""Compiled kernels that no longer match their source are thrown away, so that old code never runs on.

Numba keeps what it compiled (`cache=True`) and compiles anew when the kernel's own file changes. It does not
look at other files: a constant, or a function of another module, stays compiled in. Here each kernel
gets a digest of all skylift modules that it imports, directly or not; where that has changed, its cached code
is removed. This looks in `__pycache__` only: who sets NUMBA_CACHE_DIR keeps it fresh.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

_IMPORT = re.compile(
    r"^\s*from (skylift[\w.]*) import (\([^)]*\)|[^\n]*)|^\s*import (skylift[\w.]*)", re.MULTILINE
)


def drop_stale_kernels(package: Path = PACKAGE) -> list[Path]:
    """Remove cached code of kernels whose imports have changed; returns the kernel modules it was removed of.

    A folder that cannot be written (an installed package) holds nothing of ours, and is left alone.
    """
    stale = []
    for kernel in sorted(package.rglob("*_kernel.py")):
        cache = kernel.parent / "__pycache__"
        mark = cache / f"{kernel.stem}.imports"
        digest = _digest(kernel, package)
        with contextlib.suppress(OSError):
            if mark.is_file() and mark.read_text(encoding="ascii") == digest:
                continue
            # Numba's index files; without one, the code that it names is compiled and written anew.
            for index in cache.glob(f"{kernel.stem}.*.nbi"):
                index.unlink(missing_ok=True)
            cache.mkdir(exist_ok=True)
            mark.write_text(digest, encoding="ascii")
            stale.append(kernel)
    return stale


def imports_of_kernel(kernel: Path, package: Path = PACKAGE) -> list[Path]:
    """The files beneath `package` that a module imports, directly or not, itself not among them."""
    found: set[Path] = set()
    waiting = [kernel]
    while waiting:
        for module, names, plain in _IMPORT.findall(waiting.pop().read_text(encoding="utf-8")):
            for dotted in [module or plain, *(f"{module}.{name}" for name in re.findall(r"\w+", names))]:
                path = package.parent.joinpath(*dotted.split(".")).with_suffix(".py")
                if path.is_file() and path not in found and path != kernel:
                    found.add(path)
                    waiting.append(path)
    return sorted(found)


def _digest(kernel: Path, package: Path) -> str:
    digest = hashlib.sha256()
    for path in imports_of_kernel(kernel, package):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    drop_stale_kernels()
