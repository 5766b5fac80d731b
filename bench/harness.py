"""One measurement, done fairly: same input and threads, ours and the peer's in turn, median of five.

A bench module has `cases(seed) -> list[Case]`. Building the list must be cheap: put what is dear into
`prepare`.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

ROUNDS = 5
# One timed sample lasts at least this long: shorter calls are repeated within the sample and averaged.
LEAST_SAMPLE_S = 0.02
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs. cpu_s counts every thread, and child processes that have ended."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    threads: int


@dataclass(frozen=True, slots=True)
class PeerCost:
    name: str
    version: str
    wall_s: float
    cpu_s: float
    threads: int


@dataclass(frozen=True, slots=True)
class Result:
    """One line of build/bench.json. ratio_cpu is the peer's CPU time over ours: above 1 we are the faster."""

    id: str
    seed: int
    command: str
    ours: Cost
    peer: PeerCost | None
    ratio_cpu: float | None
    max_error: float | None
    limit: str
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Case:
    """A thing to measure.

    ours, peer  called without arguments; their return values, as timed, go to `compare`
    compare     (ours, peer or None) -> greatest error, in the unit that `limit` names; nan fails the case
    limit       the asked-for bound, in words; `ok` judges it
    threads     CPUs that the child process may use, ours and the peer's alike
    prepare     builds the input once, before anything is timed
    work, unit  how many units one call does: the table shows the rate per CPU second
    rounds      how often each side is timed; 1 for what takes minutes, and then without a warm-up
    peak_of     peak memory told by our output, where more than one process shares the work
    unfinished  of a part that no command uses yet: measured only when it is asked for by its id
    """

    id: str
    ours: Callable[[], object]
    peer: Callable[[], object] | None
    peer_name: str
    peer_version: str
    compare: Callable[[Any, Any], float] | None
    limit: str
    ok: Callable[[Result], bool]
    seed: int
    threads: int = 1
    prepare: Callable[[], None] | None = None
    work: float | None = None
    unit: str = ""
    rounds: int = ROUNDS
    peak_of: Callable[[Any], int] | None = None
    unfinished: bool = False


def child_environment(threads: int) -> dict[str, str]:
    """The environment of a measuring process; libraries read these when they are imported."""
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))


def limit_cpus(threads: int) -> None:
    """Holds this process to `threads` CPUs where the system can: some libraries heed no variable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def measure(case: Case) -> Result:
    """Runs one case in this process. Peak memory is read after our first call, before the peer's first."""
    if case.prepare is not None:
        case.prepare()
    sides = [case.ours] if case.peer is None else [case.ours, case.peer]
    peak_rss_bytes, repeats = 0, [1] * len(sides)
    if case.rounds > 1:
        case.ours()
        peak_rss_bytes = _peak_rss_bytes()
        repeats = [_repeats(side) for side in sides]
    walls: list[list[float]] = [[] for _ in sides]
    cpus: list[list[float]] = [[] for _ in sides]
    outputs: list[object] = [None, None]
    for _ in range(case.rounds):
        for i, side in enumerate(sides):
            # Dropped first, so that no round pays for the memory of the round before.
            outputs[i] = None
            wall_s, cpu_s, outputs[i] = _timed(side, repeats[i])
            walls[i].append(wall_s)
            cpus[i].append(cpu_s)
    if case.peak_of is not None:
        peak_rss_bytes = case.peak_of(outputs[0])
    elif case.rounds == 1:
        peak_rss_bytes = _peak_rss_bytes()
    error = None if case.compare is None else float(case.compare(outputs[0], outputs[1]))
    wall_s, cpu_s = statistics.median(walls[0]), statistics.median(cpus[0])
    peer = None
    if case.peer is not None:
        peer = PeerCost(
            case.peer_name,
            case.peer_version,
            statistics.median(walls[1]),
            statistics.median(cpus[1]),
            case.threads,
        )
    result = Result(
        id=case.id,
        seed=case.seed,
        command=f"python -m bench --only {case.id} --seed {case.seed}",
        ours=Cost(wall_s, cpu_s, peak_rss_bytes, case.threads),
        peer=peer,
        ratio_cpu=None if peer is None else peer.cpu_s / cpu_s,
        max_error=error,
        limit=case.limit,
        ok=False,
    )
    if error is not None and not math.isfinite(error):
        return replace(result, max_error=None)
    return replace(result, ok=bool(case.ok(result)))


def _repeats(side: Callable[[], object]) -> int:
    """Calls per sample. Calls each side twice as a warm-up: the first may still compile or fault pages in."""
    side()
    wall_s, _, _ = _timed(side, 1)
    return max(1, math.ceil(LEAST_SAMPLE_S / max(wall_s, 1e-9)))


def _timed(side: Callable[[], object], repeats: int) -> tuple[float, float, object]:
    output: object = None
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    for _ in range(repeats):
        output = side()
    return (time.perf_counter() - wall_s) / repeats, (_cpu_s() - cpu_s) / repeats, output


def _cpu_s() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _peak_rss_bytes() -> int:
    # macOS counts bytes, Linux kibibytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
