"""`python -m bench [--only ID] [--seed N]`: runs the measurements and writes build/bench.json.

Each case runs in a fresh process, so that none inherits another's memory, threads or warm caches.
Exit code 1 if any case misses its bound, 2 for an unknown id.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.harness import Case, child_environment, limit_cpus, measure

ROOT = Path(__file__).resolve().parent.parent
NOT_BENCHES = {"__init__", "__main__", "harness"}


def find_cases(seed: int) -> dict[str, Case]:
    """Every case of every bench module, by id."""
    found: dict[str, Case] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in NOT_BENCHES:
            continue
        module = import_module(f"bench.{path.stem}")
        for case in module.cases(seed) if hasattr(module, "cases") else []:
            if case.id in found:
                raise SystemExit(f"two benches are called {case.id}")
            found[case.id] = case
    return found


def run_apart(case: Case) -> dict[str, Any]:
    """Measures one case in a fresh process; its line of build/bench.json."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "result.json"
        arguments = ["--only", case.id, "--seed", str(case.seed), "--child", str(answer)]
        ended = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            cwd=ROOT,
            env=child_environment(case.threads),
            stdout=sys.stderr,
            check=False,
        )
        if ended.returncode == 0 and answer.exists():
            line: dict[str, Any] = json.loads(answer.read_text())
            return line
    # A case that could not run has missed its bound; its text is on stderr.
    return {
        "id": case.id,
        "seed": case.seed,
        "command": f"python -m bench --only {case.id} --seed {case.seed}",
        "ours": None,
        "peer": None,
        "ratio_cpu": None,
        "max_error": None,
        "limit": case.limit,
        "ok": False,
    }


def machine() -> dict[str, Any]:
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit measured, with -dirty where the checkout differs from it; "unknown" outside a checkout."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def table(lines: list[dict[str, Any]], cases: dict[str, Case]) -> Table:
    shown = Table(title="ours and the peer's, medians of 5")
    for title in (
        "bench",
        "ours CPU ms",
        "peer",
        "peer CPU ms",
        "peer / ours",
        "rate",
        "max error",
        "peak MB",
        "limit",
        "",
    ):
        shown.add_column(
            title, justify="left" if title in ("bench", "peer", "limit", "") else "right", overflow="fold"
        )
    for line in lines:
        case, ours, peer = cases[line["id"]], line["ours"], line["peer"]
        rate = ""
        if ours and case.work:
            rate = f"{case.work / ours['cpu_s'] / 1e6:.3g} M{case.unit}/s"
        shown.add_row(
            line["id"],
            f"{ours['cpu_s'] * 1e3:.4g}" if ours else "failed",
            f"{peer['name']} {peer['version']}" if peer else "",
            f"{peer['cpu_s'] * 1e3:.4g}" if peer else "",
            "" if line["ratio_cpu"] is None else f"{line['ratio_cpu']:.2f}",
            rate,
            "" if line["max_error"] is None else f"{line['max_error']:.2g}",
            f"{ours['peak_rss_bytes'] / 1e6:.0f}" if ours else "",
            line["limit"],
            "[green]ok" if line["ok"] else "[red]missed",
        )
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="ID", help="run this one measurement")
    parser.add_argument("--seed", type=int, default=1, help="seed of all generated input (default 1)")
    parser.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    cases = find_cases(chosen.seed)
    if chosen.only is not None and chosen.only not in cases:
        ids = "".join(f"\n  {name}" for name in sorted(cases)) or "\n  (there are none)"
        sys.stderr.write(f"no bench is called {chosen.only!r}; there are:{ids}\n")
        return 2
    if chosen.child:
        limit_cpus(cases[chosen.only].threads)
        Path(chosen.child).write_text(json.dumps(measure(cases[chosen.only]).as_dict(), allow_nan=False))
        return 0
    return run([cases[chosen.only]] if chosen.only else finished(cases.values()))


def finished(cases: Iterable[Case]) -> list[Case]:
    """All cases but the unfinished ones, which are named, so that nobody takes them for passed."""
    whole: list[Case] = []
    left_out: list[Case] = []
    for case in cases:
        (left_out if case.unfinished else whole).append(case)
    for case in left_out:
        sys.stderr.write(f"left out, its part is unfinished: {case.id} (--only {case.id} measures it)\n")
    return whole


def run(cases: list[Case]) -> int:
    """Runs the cases one after the other, shows the table, writes build/bench.json; the exit code."""
    console = Console(stderr=True)
    lines = []
    columns = (SpinnerColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:
            progress.update(task, description=case.id)
            lines.append(run_apart(case))
            progress.advance(task)
    document = {"schema": 1, "commit": commit(), "machine": machine(), "results": lines}
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    part.replace(target)
    # A file or a pipe has no width of its own, and a narrow table is unreadable.
    out = Console() if sys.stdout.isatty() else Console(width=170)
    out.print(table(lines, {case.id: case for case in cases}))
    out.print(f"written to {target.relative_to(ROOT)}")
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
