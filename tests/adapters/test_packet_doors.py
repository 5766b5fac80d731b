"""Real packets from a recorded link: encryption, withdrawn keys, a second way out, replay, a shell."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import sys
import time
from pathlib import Path

import pytest

from skylift.adapters.packet_link import Followed, Overrides
from skylift.adapters.packet_replay import Replay, replay_of
from skylift.adapters.packet_run import run
from skylift.adapters.packet_tunnel import MOST_NS
from skylift.adapters.packet_wanted import Outcome, Wanted
from skylift.adapters.packet_wireguard import KeyKeeper
from skylift.wire.packet.trace import TracedSlot, header_line, slot_line
from skylift.wire.packet.uplinks import Fibre
from tests.packet_runs import needs

S = 1_000_000_000
MARK = b"LIGHTHOUSE"
RTT_MS = 40.0


def slots(*why_down: str, length_s: float = 15.0) -> tuple[TracedSlot, ...]:
    """One slot after another, of so much delay, up or down."""
    length_us, made = int(length_s * 1e6), []
    for k, why in enumerate(why_down):
        edges = (k * length_us * 1_000, (k + 1) * length_us * 1_000)
        piece = (*edges, int(RTT_MS / 2 * 1e6), int(RTT_MS / 2 * 1e6), 1e8, 0.0, not why)
        made.append(TracedSlot(k * length_us, length_us, why, RTT_MS, 0.0, ((piece,), (piece,))))
    return tuple(made)


def behind(command: str, link: tuple[TracedSlot, ...] = (), **wanted: object) -> Outcome:
    followed = Followed(Replay(link or slots("")), "any", 0, Overrides())
    return run(Wanted(followed, ("/bin/sh", "-c", command), **wanted))  # type: ignore[arg-type]


def marked(tmp_path: Path, encrypt: bool, then: str = "true") -> tuple[bytes, Outcome]:
    """What crossed the underlay while a marker was sent and something else done, and the run's outcome."""
    capture, heard = tmp_path / "under.pcap", tmp_path / "heard"
    serve = (
        "import socket,sys; s=socket.create_server(('0.0.0.0',9000)); c,_=s.accept(); "
        f"open({str(heard)!r},'wb').write(c.recv(99)); c.close()"
    )
    send = (
        "import socket,time\n"
        "for k in range(100):\n"
        f"    try: c=socket.create_connection(('pop',9000)); c.sendall({MARK!r}); c.recv(1); break\n"
        "    except ConnectionRefusedError: time.sleep(0.05)\n"
    )
    outcome = behind(
        f'{sys.executable} -c "{send}" && {then}',
        pop_command=(sys.executable, "-c", serve),
        encrypt=encrypt,
        capture=capture,
    )
    assert outcome.status == 0
    assert heard.read_bytes() == MARK
    return capture.read_bytes(), outcome


def test_what_is_sent_is_never_seen_between_terminal_and_gateway(tmp_path: Path) -> None:
    """Packets whose TTL ends on the way never enter the tunnel, nor the underlay; they are answered."""
    needs("wireguard-go")
    hops = tmp_path / "hops"
    trace = "true"
    if shutil.which("traceroute") is not None and shutil.which("nft") is not None:
        trace = f"(traceroute -4 -q 1 pop; traceroute -6 -q 1 pop) > {hops}"
    seen, outcome = marked(tmp_path, encrypt=True, then=trace)
    assert outcome.report["encrypted"] in ("wireguard-go", "kernel")
    assert 0 < outcome.report["tunnel_ms"] <= 2 * MOST_NS / 1e6
    # UDP between the two ends of the tunnel, and nothing in clear.
    assert bytes([100, 127, 8, 1, 100, 127, 9, 1]) in seen
    assert MARK not in seen
    assert bytes([100, 127, 0, 2]) not in seen
    if trace != "true":
        names = re.findall(r"^ *\d+ +(\S+) \(", hops.read_text(encoding="utf-8"), re.MULTILINE)
        assert names == ["satellite", "gateway", "pop-router", "pop"] * 2


def test_without_encryption_the_same_capture_holds_it(tmp_path: Path) -> None:
    """So that the test above can fail."""
    needs()
    seen, outcome = marked(tmp_path, encrypt=False)
    assert outcome.report["encrypted"] is None
    assert outcome.report["tunnel_ms"] is None
    assert MARK in seen
    assert "NaN" not in json.dumps(outcome.report)
    assert outcome.report["slots"][0]["rtt_set_ms"] == RTT_MS


def times_answered(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", output)]


def test_a_blocked_terminals_key_is_withdrawn_within_a_slot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The link stays up, so that only the key can stop the packets; new keys let them through again."""
    needs("wireguard-go", "ping")
    plan = [(1.0, KeyKeeper.WITHDRAW), (2.5, KeyKeeper.RENEW)]
    began: list[int] = []

    def due(self: KeyKeeper, now_ns: int) -> list[bytes]:
        began[:] = began or [now_ns]
        ready = [word for at, word in plan if now_ns - began[0] >= at * S]
        plan[:] = plan[len(ready) :]
        return ready

    monkeypatch.setattr(KeyKeeper, "due", due)
    monkeypatch.setattr(KeyKeeper, "next_ns", lambda self: time.monotonic_ns() + S // 20)
    out = tmp_path / "out"
    outcome = behind(f"ping -c 50 -i 0.1 -W 1 pop > {out}", encrypt=True)
    assert [one["what"] for one in outcome.report["keys"]] == ["withdrawn", "renewed"]
    answered = times_answered(out.read_text(encoding="utf-8"))
    assert [number for number in answered if number < 5]
    assert not [number for number in answered if 16 <= number <= 22]
    assert [number for number in answered if number > 40]


def test_keys_go_and_come_as_slots_begin_and_every_so_often() -> None:
    keeper = KeyKeeper(0, 100 * S)
    for k, why in enumerate(["", "no_satellite", "not_permitted", "not_permitted", "", "region_not_active"]):
        keeper.told(k * 15 * S, why)
    assert keeper.due(0) == []
    assert keeper.due(30 * S - 1) == []
    assert keeper.next_ns() == 30 * S
    assert keeper.due(30 * S) == [KeyKeeper.WITHDRAW]
    assert keeper.due(59 * S) == []
    assert keeper.due(60 * S) == [KeyKeeper.RENEW]
    assert keeper.due(75 * S) == [KeyKeeper.WITHDRAW]
    # Nobody gets new keys who may not be served.
    assert keeper.due(100 * S) == []
    keeper.told(110 * S, "")
    assert keeper.due(110 * S) == [KeyKeeper.RENEW]
    assert keeper.due(200 * S) == [KeyKeeper.RENEW]


def test_traffic_moves_to_the_terminal_when_the_fibre_dies_and_back(tmp_path: Path) -> None:
    needs("ping")
    out = tmp_path / "out"
    fibre = Fibre(1e8, 2_000_000, 0.0, ((0.8 * S, 1.6 * S),))
    outcome = behind(f"ping -c 60 -i 0.1 pop > {out}", fibre=fibre)
    said = outcome.report["switchovers"]
    assert [one["to"] for one in said] == ["terminal", "fibre"]
    assert 200 <= said[0]["detected_ms"] <= 450
    assert 200 <= said[0]["gap_ms"] <= 700
    text = out.read_text(encoding="utf-8")
    rtts = {int(n): float(ms) for n, ms in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+)", text)}
    slow = sorted(number for number, ms in rtts.items() if ms >= RTT_MS)
    assert slow
    assert all(ms < RTT_MS for number, ms in rtts.items() if number < slow[0] or number > slow[-1])
    assert 1 <= 60 - len(rtts) <= 8


def test_a_replay_is_the_same_to_the_bit(tmp_path: Path) -> None:
    needs()
    first, again = tmp_path / "first", tmp_path / "again"
    lines = [header_line(9, None), *(slot_line(slot, False) for slot in slots("", "no_gateway", ""))]
    first.write_text("\n".join(lines) + "\n", encoding="ascii")
    followed = Followed(replay_of(first), "any", 0, Overrides(), 9, trace=again)
    assert run(Wanted(followed, ("/bin/sh", "-c", "exit 5"))).status == 5
    # What had begun by the end: the first slot.
    assert again.read_text(encoding="ascii").splitlines() == lines[:2]


def test_a_shell_behind_a_terminal(tmp_path: Path) -> None:
    needs("ping")
    import pty

    trace = tmp_path / "trace"
    lines = [header_line(9, None), *(slot_line(slot, False) for slot in slots(""))]
    trace.write_text("\n".join(lines) + "\n", encoding="ascii")
    skylift = str(Path(sys.executable).with_name("skylift"))
    child, terminal = pty.fork()
    if child == 0:
        os.environ["SHELL"] = "/bin/sh"
        os.execv(skylift, [skylift, "shell", "any", "--replay", str(trace), "--no-encrypt"])
    said = b""
    # What is typed when what has been said; Ctrl-C is for what runs in the shell, not for the run.
    typed = [(b"other end", b"ping -c 1 pop\n"), (b"1 received", b"echo be''gun; sleep 50\n")]
    typed += [(b"begun", b"\x03"), (b"^C", b"exit 3\n")]
    until = time.monotonic() + 60
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
    assert not typed, said.decode(errors="replace")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 3, said.decode(errors="replace")


@pytest.mark.parametrize(
    "words",
    [
        ("--fibre", "100,5"),
        ("--fibre", "0,5,0"),
        ("--fibre", "100,5,0", "--fibre-cut", "5-3"),
        ("--fibre", "100,5,0", "--fibre-cut", "5-9", "--fibre-cut", "7-12"),
        ("--fibre-cut", "5-9"),
        ("--replay", "nowhere"),
        ("--mahimahi", "one"),
        ("--mahimahi", "no,where"),
        ("--server", "ftp://x"),
        ("--server", "http://127.0.0.1:1", "--at", "2022-02-27T03:05:00Z"),
        ("--preset", "none-such"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...]) -> None:
    from typer.testing import CliRunner

    from skylift.base.errors import Refused
    from skylift.cli.main import app

    done = CliRunner().invoke(app, ["exec", "kyiv", *words, "--", "true"])
    assert isinstance(done.exception, Refused), done.output
