"""One file, however it came about: any number of workers, killed and resumed, stopped from the keyboard."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from skylift.adapters.packaged import constellation_preset
from skylift.adapters.scenario_files import Sources
from skylift.adapters.simulate import Options, run
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.sky.orbit.tle_write import write_tle
from skylift.sky.orbit.walker import generate

pytestmark = pytest.mark.slow

HOURS = 2
WINDOWS = HOURS * 60 // 5
START_US = int(parse_instant("2022-02-26T12:00:00Z"))

SCENARIO = """
title = "resume"
start = {start}
duration_h = {hours}
seed = {seed}
memory_min = 5
[catalogue]
file = "{catalogue}"
[links]
lasers = "{lasers}"
[ground]
only = ["wola-krobowska", "kaunas"]
[[region]]
id = "ua"
country = "UA"
[[service]]
region = "ua"
from = 2022-02-26T13:01:05Z
[[fleet]]
id = "dish"
count = 30
region = "ua"
[[failure]]
gateways = ["kaunas"]
from = 2022-02-26T13:30:00Z
until = 2022-02-26T14:10:00Z
"""


def scenario(folder: Path, catalogue: Path, **changes: Any) -> Path:
    numbers = {"start": "2022-02-26T12:00:00Z", "hours": HOURS, "seed": 5, "lasers": "as-flown"} | changes
    numbers["catalogue"] = catalogue
    path = folder / f"{'-'.join(str(v) for v in changes.values()) or 'scenario'}.toml".replace(":", "")
    path.write_text(SCENARIO.format(**numbers))
    return path


def command(path: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "skylift", "simulate", str(path), "-o", str(out), "--no-pictures", *more]


def begin(path: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(path, out, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def parts(out: Path) -> int:
    return len(list((out / ".parts").glob("*.parquet")))


def wait_for_parts(process: subprocess.Popen[str], out: Path, wanted: int) -> None:
    until = time.monotonic() + 120.0
    while parts(out) < wanted:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.002)


def sha(out: Path) -> str:
    return hashlib.sha256((out / "links.parquet").read_bytes()).hexdigest()


def finish(path: Path, out: Path, *more: str) -> None:
    done = subprocess.run(command(path, out, *more), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "summary.json").read_text())["complete"] is True
    assert not (out / ".parts").exists()


def children(group: int) -> list[int]:
    """Living processes of the session `group`, by /proc: zombies do not count."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == group and fields[0] not in "ZX":
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A constellation as a file: a preset's satellites depend on the start of the scenario."""
    path = tmp_path_factory.mktemp("catalogue") / "made.tle"
    path.write_text(write_tle(generate(constellation_preset("starlink-2022-02").shells, START_US)))
    return path


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, catalogue: Path) -> tuple[Path, Path]:
    """The scenario, and the folder of a run in one process."""
    folder = tmp_path_factory.mktemp("whole")
    path = scenario(folder, catalogue)
    in_this_process(path, folder / "out")
    return path, folder / "out"


def in_this_process(path: Path, out: Path, resume: bool = False) -> dict[str, Any]:
    return run(Sources(path), Options(out, 1, resume, pictures=False), lambda done, total: None).summary


def test_two_workers_give_the_same_bytes(whole: tuple[Path, Path], tmp_path: Path) -> None:
    path, one = whole
    finish(path, tmp_path / "two", "--workers", "2")
    assert sha(tmp_path / "two") == sha(one)


def test_killed_twice_and_resumed(whole: tuple[Path, Path], tmp_path: Path) -> None:
    path, one = whole
    out = tmp_path / "out"
    for share, more in ((0.3, ["--workers", "2"]), (0.7, ["--workers", "1", "--resume"])):
        process = begin(path, out, *more)
        wait_for_parts(process, out, round(share * WINDOWS))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        # Workers notice within a second that nobody needs them any more.
        until = time.monotonic() + 20.0
        while left := children(process.pid):
            assert time.monotonic() < until, f"{len(left)} workers outlive their parent"
            time.sleep(0.05)
        assert parts(out) < WINDOWS
        assert not (out / "links.parquet").exists()
    assert parts(out) >= round(0.7 * WINDOWS)
    assert in_this_process(path, out, resume=True)["complete"] is True
    assert sha(out) == sha(one)
    assert not (out / ".parts").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_a_partial_result_that_says_so(
    whole: tuple[Path, Path], tmp_path: Path, workers: str
) -> None:
    path, one = whole
    out = tmp_path / "out"
    process = begin(path, out, "--workers", workers)
    wait_for_parts(process, out, WINDOWS // 3)
    # As a terminal does it: the whole group hears it.
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "Traceback" not in said
    hint = said[said.index("go on with: skylift ") :].split()
    assert hint[-1] == "--resume"
    assert ["--workers", workers] == hint[-3:-1]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["complete"] is False
    assert summary["slots"] < summary["slots_asked"] == HOURS * 240
    assert "Partial" in (out / "summary.md").read_text()
    table, all_rows = pq.read_table(out / "links.parquet"), pq.read_table(one / "links.parquet")
    assert 0 < table.num_rows < all_rows.num_rows
    assert summary["slots"] == table.num_rows // 30
    assert table.equals(all_rows.slice(0, table.num_rows))
    assert recomputed(table) == pytest.approx(summary["availability"], abs=1e-12)
    assert in_this_process(path, out, resume=True)["complete"] is True
    assert sha(out) == sha(one)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_before_anything_is_finished(whole: tuple[Path, Path], tmp_path: Path, workers: str) -> None:
    """While workers import and kernels are loaded, an exception would be swallowed or end in tracebacks."""
    path, _ = whole
    out = tmp_path / "out"
    process = begin(path, out, "--workers", workers)
    while not (out / ".parts" / "inputs.json").exists():
        assert process.poll() is None
        time.sleep(0.002)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "Traceback" not in said
    summary = json.loads((out / "summary.json").read_text())
    assert summary["complete"] is False
    assert pq.read_table(out / "links.parquet").num_rows == summary["slots"] * 30


def test_a_worker_that_is_lost(whole: tuple[Path, Path], tmp_path: Path) -> None:
    """As the kernel does it when memory runs out."""
    path, one = whole
    out = tmp_path / "out"
    process = begin(path, out, "--workers", "2", "--json")
    wait_for_parts(process, out, 2)
    workers = [
        pid
        for pid in children(process.pid)
        if pid != process.pid and b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    try:
        out_text, said = process.communicate(timeout=60)
    finally:
        for pid in {*children(process.pid), process.pid} if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
    assert process.returncode == 1
    assert out_text == ""
    assert json.loads(said)["error"]["code"] == "simulate.worker_lost"
    in_this_process(path, out, resume=True)
    assert sha(out) == sha(one)


def recomputed(table: pa.Table) -> dict[str, float]:
    """Availability with pyarrow alone: the share of a terminal's rows that have no reason to be down."""
    groups = (
        pa.table({"terminal": table["terminal"].cast(pa.string()), "up": pc.is_null(table["why_down"])})
        .group_by("terminal")
        .aggregate([("up", "sum"), ("up", "count")])
    )
    return {g["terminal"]: g["up_sum"] / g["up_count"] for g in groups.to_pylist()}


def test_resume_refuses_other_inputs(whole: tuple[Path, Path], tmp_path: Path, catalogue: Path) -> None:
    path, one = whole
    out = tmp_path / "out"
    process = begin(path, out, "--workers", "1")
    wait_for_parts(process, out, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    before = sorted((p.name, p.read_bytes()) for p in (out / ".parts").iterdir())
    other = scenario(tmp_path, catalogue, seed=6)
    with pytest.raises(Refused) as refused:
        in_this_process(other, out, resume=True)
    assert refused.value.code == "simulate.other_inputs"
    assert sorted((p.name, p.read_bytes()) for p in (out / ".parts").iterdir()) == before
    # Without --resume the other scenario begins anew, and nothing of the first one is left in it.
    in_this_process(other, out)
    in_this_process(other, tmp_path / "other")
    assert sha(out) == sha(tmp_path / "other") != sha(one)


def test_a_run_begun_in_the_middle_gives_the_same_rows(
    whole: tuple[Path, Path], tmp_path: Path, catalogue: Path
) -> None:
    """Begun 2 min 20 s into a memory window. Handover alone cannot be known in the very first slot."""
    _, one = whole
    late = scenario(tmp_path, catalogue, start="2022-02-26T13:22:20Z", hours=0.5)
    in_this_process(late, tmp_path / "out")
    got, rows = pq.read_table(tmp_path / "out" / "links.parquet"), pq.read_table(one / "links.parquet")
    first = pc.index(rows["at_us"], got["at_us"][0]).as_py()
    shared = rows.slice(first, got.num_rows)
    for name in got.column_names:
        skip = 30 if name == "handover" else 0
        assert got[name].slice(skip).equals(shared[name].slice(skip)), name
    assert pc.sum(shared["handover"].slice(30)).as_py() > 30


def test_availability_is_that_of_the_file(whole: tuple[Path, Path]) -> None:
    _, one = whole
    summary = json.loads((one / "summary.json").read_text())
    table = pq.read_table(one / "links.parquet")
    assert recomputed(table) == pytest.approx(summary["availability"], abs=1e-12)
    assert summary["slots"] == HOURS * 240 == table.num_rows // 30
    assert summary["seed"] == 5
    assert summary["time_shift_s"] == 0.0
    assert table.schema.metadata[b"time_shift_s"] == b"0.000000"
    assert isinstance(summary["warnings"], list)
    # Service begins at 13:01:05: the first slot that begins after it is that of 13:01:12.
    first_up = pc.min(table.filter(pc.is_null(table["why_down"]))["at_us"]).as_py()
    assert first_up == 1_645_880_472_000_000


@pytest.mark.parametrize("workers", [1, 2])
def test_the_disk_is_full(
    whole: tuple[Path, Path], tmp_path: Path, workers: int, run_limited: Callable[..., Any]
) -> None:
    """Files may grow to 4 kB only: parts cannot be written."""
    path, _ = whole
    done = run_limited(command(path, tmp_path / "out", "--workers", str(workers), "--json"), 4096)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = json.loads(done.stderr)["error"]
    assert set(error) == {"code", "thing", "rule", "way_out"}
    assert done.stdout == ""
    assert not (tmp_path / "out" / "links.parquet").exists()
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.fixture
def run_limited() -> Callable[[list[str], int], Any]:
    """Runs a command whose files may not grow beyond a size (RLIMIT_FSIZE; SIGXFSZ ignored gives EFBIG)."""

    def run_it(words: list[str], size: int) -> Any:
        wrapped = (
            "import resource, signal, os, sys;"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        return subprocess.run(
            [sys.executable, "-c", wrapped, *words], capture_output=True, text=True, timeout=120
        )

    return run_it
