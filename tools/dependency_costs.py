"""What each run-time dependency costs: megabytes on disk and seconds to import, as a Markdown table.

    python tools/dependency_costs.py

Size is that of the package's own files, then of all that would leave with it; the import is timed in fresh
processes, median of 7, with files already in the page cache.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
IMPORTED_AS = {
    "argon2-cffi": "argon2",
    "grpcio": "grpc",
    "grpcio-reflection": "grpc_reflection.v1alpha.reflection_pb2",
    "matplotlib": "matplotlib.pyplot",
    "protobuf": "google.protobuf.descriptor_pool",
    "pyarrow": "pyarrow.parquet",
    "python-calamine": "python_calamine",
    "rich": "rich.table",
    "sgp4": "sgp4.api",
}


def size_mb(name: str) -> float:
    """Megabytes (10^6 bytes) of the files that the wheel brought; compiled caches are left out."""
    files = metadata.files(name) or []
    paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def closure(name: str) -> set[str]:
    """The package and all it needs here, by canonical name."""
    found: set[str] = set()
    waiting = [canonicalize_name(name)]
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        for text in metadata.requires(package) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(needed.name))
    return found


def import_ms(module: str) -> float:
    """Milliseconds of `import module` in a fresh process, median of 7."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(7)
    ]
    return statistics.median(runs) * 1e3


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~ \[]", text)[0] for text in project["dependencies"]]
    everything = {name: closure(name) for name in names}
    print("| package | MB | with what only it needs | import ms |\n|---|---:|---:|---:|")
    for name in names:
        elsewhere = set().union(*(needs for other, needs in everything.items() if other != name))
        own = {canonicalize_name(name)} | (everything[name] - elsewhere)
        # Another dependency may need it too; then it would not leave by itself.
        leaves = sum(map(size_mb, own)) if canonicalize_name(name) not in elsewhere else 0.0
        took_ms = import_ms(IMPORTED_AS.get(name, name))
        print(f"| {name} | {size_mb(name):.1f} | {leaves:.1f} | {took_ms:.0f} |")
    whole = set().union(*everything.values())
    print(f"\n{len(whole)} packages, {sum(map(size_mb, whole)):.0f} MB in all.")


if __name__ == "__main__":
    main()
