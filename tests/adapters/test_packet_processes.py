"""What a command leaves running ends with the run, also after a kill; a shell keeps terminal and jobs."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import skylift
from skylift.wire.packet.trace import TracedSlot, header_line, slot_line
from tests.packet_runs import needs

SKYLIFT = str(Path(sys.executable).with_name("skylift"))
S = 1_000_000_000


@pytest.fixture(scope="module")
def link() -> Iterator[list[str]]:
    """The options of a link of 10 ms each way, in a file that every user may read."""
    needs()
    edges = (0, 15 * S, S // 100, S // 100, 1e8, 0.0, True)
    slot = TracedSlot(0, 15_000_000, "", 20.0, 0.0, ((edges,), (edges,)))
    with tempfile.NamedTemporaryFile("w", encoding="ascii", prefix="skylift-test-") as file:
        file.write(header_line(1, None) + "\n" + slot_line(slot, False) + "\n")
        file.flush()
        os.chmod(file.name, 0o644)
        yield ["any", "--replay", file.name, "--no-encrypt"]


def marked(marker: str) -> list[int]:
    """Processes whose environment has this marker: whatever they have become since."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MARKER={marker}".encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def test_what_runs_on_in_the_background_ends_with_the_command(link: list[str], tmp_path: Path) -> None:
    """Also what has a session of its own, and what was begun at the PoP. The folder and the status stay."""
    leave = "sleep 1000 >&2 & setsid sleep 1000 & pwd; exit 7"
    at_pop = "sh -c 'setsid sleep 1000 & sleep 1000'"
    environment = {**os.environ, "MARKER": tmp_path.name}
    done = subprocess.run(
        [SKYLIFT, "exec", *link, "--pop-run", at_pop, "--", "sh", "-c", leave],
        stdout=subprocess.PIPE, cwd=tmp_path, env=environment, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stdout.decode().strip() == str(tmp_path)
    # At once: none is left when it returns.
    assert marked(tmp_path.name) == []


def user() -> int:
    """Who has no rights: we, or where we are root, nobody."""
    return os.geteuid() or 65_534


def nobody() -> list[str]:
    """What begins skylift without rights, also where root's Python lies in a folder that is root's alone."""
    if os.geteuid() != 0:
        return [SKYLIFT]
    drop = f"setpriv --reuid={user()} --regid={user()} --clear-groups"
    if subprocess.run([*drop.split(), "unshare", "--user", "true"], check=False).returncode:
        pytest.skip("user namespaces are not allowed here")
    python = f"/srv/{Path(os.path.realpath(sys.executable)).relative_to(sys.base_prefix)}"
    paths = f"{Path(skylift.__file__).parents[1]}:{Path(pytest.__file__).parents[1]}"
    run = f"exec {drop} env HOME=/tmp LD_LIBRARY_PATH=/srv/lib PYTHONPATH={paths} {python} -m skylift"
    script = f'mount --bind "$0" /srv && {run} "$@"'
    return ["unshare", "--mount", "sh", "-c", script, sys.base_prefix]


@pytest.mark.parametrize("unprivileged", [False, True])
def test_after_a_kill_nothing_runs_on(link: list[str], tmp_path: Path, unprivileged: bool) -> None:
    begins = nobody() if unprivileged else [SKYLIFT]
    script = "setsid sleep 1000 & sleep 1000 & id -u; cat /proc/self/uid_map; wait"
    killed = subprocess.Popen(
        [*begins, "exec", *link, "--", "sh", "-c", script],
        stdout=subprocess.PIPE, cwd="/", env={**os.environ, "MARKER": tmp_path.name},
    )  # fmt: skip
    assert killed.stdout is not None
    try:
        said = [killed.stdout.readline() for _ in range(2)]
        # In a user namespace of its own it is root, and nobody outside.
        assert not unprivileged or said[1].split() == [b"0", str(user()).encode(), b"1"], said
        # skylift, the sky, the namespaces' process, the first of the commands', the shell, both behind it.
        assert len(marked(tmp_path.name)) >= 7
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait(30)
        killed.stdout.close()
    until = time.monotonic() + 3
    while marked(tmp_path.name) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(tmp_path.name) == []


def test_emulate_too_leaves_a_command_its_folder(tmp_path: Path) -> None:
    needs()
    scenario = Path(__file__).resolve().parents[2] / "scenarios" / "ukraine-2022.toml"
    words = ["--scenario", str(scenario), "--at", "2022-02-27T03:05:00Z", "--terminals", "kyiv"]
    done = subprocess.run(
        [SKYLIFT, "emulate", *words, "--", "pwd"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode().strip() == str(tmp_path)


def type_in(child: int, terminal: int, typed: list[tuple[bytes, bytes]]) -> str:
    """Type each when what comes before it has been said; all that was said. Everything must be typed."""
    said, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                said += os.read(terminal, 4_096)
            except OSError:
                break
        if typed and typed[0][0] in said:
            # The shell is given the time to begin what it was told.
            time.sleep(0.3)
            os.write(terminal, typed.pop(0)[1])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)
    assert not typed, said.decode(errors="replace")
    return said.decode(errors="replace")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_has_its_jobs_and_gives_the_terminal_back(link: list[str], shell: str) -> None:
    """Ctrl-Z stops what runs in it, not the run; afterwards the one who began it reads what is typed."""
    found = shutil.which(shell)
    if found is None or shutil.which("script") is None:
        pytest.skip(f"{shell} and script are not installed")
    after = f"{SKYLIFT} shell {' '.join(link)}; echo st''atus $?; read word; echo got $word"
    child, terminal = pty.fork()
    if child == 0:
        os.environ["SHELL"] = found
        os.execvp("script", ["script", "-qc", f"sh -c '{after}'", "/dev/null"])
    typed = [(b"exit ends it", b"echo be''gun; sleep 50\n"), (b"begun", b"\x1a")]
    typed += [(b"topped", b"kill %1; fg; echo en''ded\n"), (b"ended", b"exit 5\n"), (b"status 5", b"word\n")]
    assert "got word" in type_in(child, terminal, typed)


def test_ctrl_z_stops_the_run_of_a_command_and_it_goes_on(link: list[str], tmp_path: Path) -> None:
    """The shell that began it stops, and continues, the whole of its group: the command is in it."""
    marker = tmp_path.name
    script = "echo running; read word; echo got $word"
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(MARKER=marker, PS1="> ")
        os.execvp("sh", ["sh", "-i"])
    typed = [
        (b"> ", f"{SKYLIFT} exec {' '.join(link)} -- sh -c '{script}'\n".encode()),
        (b"\nrunning", b"\x1a"),
    ]
    typed += [(b"topped", b"fg\n"), (b"fg", b"word\n"), (b"got word", b"exit\n")]
    type_in(child, terminal, typed)
    assert marked(marker) == []
