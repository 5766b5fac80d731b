"""Own probing: what is never asked, what is believed, and real packets on the loopback interface alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from skylift.adapters.outage_probe import Probing, read_blocks, read_networks
from skylift.adapters.outage_store import OutageStore
from skylift.adapters.ping import Pinger, checksum
from skylift.base.errors import Refused, Unavailable
from skylift.cli.main import app
from skylift.cli.outages_probe import _round as one_round
from skylift.ports.probes import Signal
from skylift.watch.trinocular import PROBES_A_ROUND, after_reply, begin, take_round, wants_more

STEP_US = 600_000_000
SIGNAL = Signal("ping-own", "own", STEP_US, 1.0)
HEAD = "block,addresses,availability,kind,entity,country\n"


def written(folder: Path, rows: str, allow: str = "192.0.2.0/23\n", opt_out: str = "") -> None:
    (folder / "blocks.csv").write_text(HEAD + rows)
    (folder / "allow.txt").write_text(allow)
    (folder / "opt-out.txt").write_text(opt_out)


class World:
    """Answers as each block's availability has it; notes who was asked."""

    def __init__(self, down: Sequence[str] = ()) -> None:
        self.down, self.asked = tuple(down), []  # type: ignore[var-annotated]
        self.random = np.random.default_rng(7)

    def __call__(self, addresses: Sequence[str]) -> list[bool]:
        self.asked += addresses
        return [
            not any(one.startswith(net) for net in self.down) and bool(self.random.uniform() < 0.8)
            for one in addresses
        ]


def probing(folder: Path, world: World, **more: Any) -> Probing:
    blocks, allow = read_blocks(folder / "blocks.csv"), read_networks(folder / "allow.txt")
    return Probing(SIGNAL, blocks, world, allow, folder / "opt-out.txt", **more)


ROWS = "192.0.2.0/24,1-100,0.8,as,AS64500,UA\n192.0.3.0/24,1 5 20-60,0.8,as,AS64500,UA\n"


def test_a_round_that_asked_nobody_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, ROWS, opt_out="192.0.0.0/16\n")
    store = OutageStore(tmp_path / "s.sqlite")
    try:
        said = one_round(probing(tmp_path, World()), store, STEP_US, False)
    finally:
        store.close()
    assert said == {"levels": [], "kept": 0, "not_counted": []}
    assert "opted out" in capsys.readouterr().err


def test_what_is_down_is_believed_down_and_the_share_of_blocks_is_told(tmp_path: Path) -> None:
    written(tmp_path, ROWS)
    world = World()
    ours = probing(tmp_path, world, state=tmp_path / "beliefs.json")
    [up] = ours.gather(0, 5 * STEP_US + 1).samples
    assert (up.at_us, up.of.code, up.value, up.targets) == (5 * STEP_US, "AS64500", 1.0, 2.0)
    # One round a bin, however often it is asked.
    count = len(world.asked)
    assert ours.gather(0, 5 * STEP_US + 2).samples == []
    assert len(world.asked) == count
    world.down = ("192.0.3.",)
    [half] = ours.gather(0, 6 * STEP_US).samples
    assert (half.value, half.targets) == (0.5, 2.0)
    # What is believed is kept over a restart, and whose turn it is.
    world.asked.clear()
    again = probing(tmp_path, world, state=tmp_path / "beliefs.json")
    [still] = again.gather(0, 7 * STEP_US).samples
    assert still.value == 0.5
    assert world.asked[0] != "192.0.2.1"
    # Down, and silent: one packet says all there is to say.
    assert sum(one.startswith("192.0.3.") for one in world.asked) == 1


def test_whoever_is_started_anew_asks_nobody_twice_in_a_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, ROWS)
    world, state = World(), tmp_path / "beliefs.json"
    assert probing(tmp_path, world, state=state).gather(0, 5 * STEP_US).samples
    count = len(world.asked)
    again = probing(tmp_path, world, state=state)
    store = OutageStore(tmp_path / "s.sqlite")
    try:
        assert one_round(again, store, 6 * STEP_US - 1, False)["kept"] == 0
    finally:
        store.close()
    assert "nothing was sent" in capsys.readouterr().err
    assert len(world.asked) == count
    # Another list of blocks has a round of its own, and forgets nothing of the first.
    written(tmp_path, "192.0.3.0/24,1-100,0.8,as,AS64500,UA\n")
    kept = json.loads(state.read_text())
    del kept["192.0.3.0/24"]
    state.write_text(json.dumps(kept))
    assert probing(tmp_path, world, state=state).gather(0, 5 * STEP_US).samples
    assert len(world.asked) > count
    assert json.loads(state.read_text())["192.0.2.0/24"] == kept["192.0.2.0/24"]

    def crash(_: Sequence[str]) -> list[bool]:
        raise OSError

    with pytest.raises(OSError):
        probing(tmp_path, crash, state=state).gather(0, 7 * STEP_US)  # type: ignore[arg-type]
    assert probing(tmp_path, world, state=state).had_round(7 * STEP_US)


def test_nobody_is_asked_who_was_not_allowed_or_does_not_want_it(tmp_path: Path) -> None:
    written(tmp_path, ROWS, allow="192.0.2.0/24\n")
    with pytest.raises(Refused, match="1 of 2 blocks"):
        probing(tmp_path, World())
    written(tmp_path, ROWS, allow="0.0.0.0/0\n")
    with pytest.raises(Refused, match="nobody's to allow"):
        probing(tmp_path, World())
    written(tmp_path, ROWS, opt_out="192.0.2.1 # a person\n192.0.3.0/24\n")
    world = World()
    ours = probing(tmp_path, world)
    [said] = ours.gather(0, STEP_US).samples
    assert said.targets == 1.0
    assert world.asked
    assert not any(one.startswith("192.0.3.") or one == "192.0.2.1" for one in world.asked)
    # Read anew before every round: whoever asks is left alone from the next one on.
    (tmp_path / "opt-out.txt").write_text("192.0.0.0/16\n")
    world.asked.clear()
    assert ours.gather(0, 2 * STEP_US).samples == []
    assert world.asked == []
    # A list that cannot be read is no empty one.
    (tmp_path / "opt-out.txt").unlink()
    with pytest.raises(Refused):
        ours.gather(0, 3 * STEP_US)
    assert world.asked == []


def test_a_round_without_an_uplink_is_not_counted(tmp_path: Path) -> None:
    written(tmp_path, ROWS)
    world = World(down=("192.0.", "198.51.100."))
    ours = probing(tmp_path, world, control=("198.51.100.1",))
    gathered = ours.gather(0, STEP_US)
    assert gathered.samples == []
    assert "our own uplink" in gathered.left[0].reason
    assert world.asked == ["198.51.100.1"]


@given(
    st.floats(0.1, 1.0), st.floats(0.01, 0.99), st.lists(st.booleans(), min_size=PROBES_A_ROUND,
                                                         max_size=PROBES_A_ROUND)
)  # fmt: skip
def test_packet_by_packet_comes_to_what_a_whole_round_does(
    availability: float, belief: float, answers: list[bool]
) -> None:
    whole = begin(np.array([availability]))
    whole.belief_down[:] = belief
    used = take_round(whole, np.array([answers], dtype=np.int8))
    one = np.array([belief])
    count = 0
    for answered in answers:
        before = one
        one = after_reply(before, np.array([availability]), np.array([answered]))
        count += 1
        if not wants_more(before, one)[0]:
            break
    assert count == used[0]
    if count < PROBES_A_ROUND:
        assert abs(one[0] - whole.belief_down[0]) < 1e-9


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("192.0.2.0/25,1-100,0.8,as,A,UA", "a block is a /24"),
        ("224.0.1.0/24,1-100,0.8,as,A,UA", "a block is a /24"),
        ("192.0.2.1/24,1-100,0.8,as,A,UA", "cannot be read"),
        ("192.0.2.0/24,1-100,0,as,A,UA", "availability is above 0"),
        ("192.0.2.0/24,1-100,nan,as,A,UA", "availability is above 0"),
        ("192.0.2.0/24,1-5,0.8,as,A,UA", "15 addresses"),
        ("192.0.2.0/24,0-100,0.8,as,A,UA", "from 1 to 254"),
        ("192.0.2.0/24,1-99999999999999,0.8,as,A,UA", "from 1 to 254"),
        ("192.0.2.0/24,1;2,0.8,as,A,UA", "last numbers"),
        ("192.0.2.0/24,1-100,0.8,as,,UA", "of which entity"),
        (ROWS + "192.0.2.0/24,1-100,0.8,as,A,UA", "stands twice"),
        ("", "holds no block"),
    ],
)
def test_a_bad_block_is_named_with_its_line(tmp_path: Path, row: str, says: str) -> None:
    written(tmp_path, row)
    with pytest.raises(Refused, match=says):
        read_blocks(tmp_path / "blocks.csv")


def test_the_checksum_is_that_of_the_standard() -> None:
    # RFC 1071, section 3: these words sum to 0xddf2.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    packet = bytes.fromhex("0800000012340001") + b"odd"
    whole = packet[:2] + checksum(packet).to_bytes(2, "big") + packet[4:]
    assert checksum(whole) == 0


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    written(tmp_path, ROWS, opt_out="192.0.2.1\n")
    words = ["outages", "probe", *(str(tmp_path / "blocks.csv"), "--allow", str(tmp_path / "allow.txt"))]
    words += [
        "--contact",
        "noc@example.org",
        "--opt-out",
        str(tmp_path / "opt-out.txt"),
        "--dry-run",
        "--json",
    ]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    said = json.loads(done.stdout)
    assert (said["blocks"], said["addresses"], said["opted_out"]) == (2, 142, 1)
    assert (said["packets_a_round"], said["seconds_a_round_at_least"]) == ([2, 30], 0.1)
    # Whoever tries it out learns then that nobody could ask not to be probed.
    nameless = CliRunner().invoke(app, ["" if word == "noc@example.org" else word for word in words])
    assert isinstance(nameless.exception, Refused)
    assert nameless.exception.code == "probe.contact"
    with pytest.raises(Refused, match="told in every packet"):
        Pinger("", 10.0)


def test_real_packets_on_the_loopback_interface(tmp_path: Path) -> None:
    """127.0.1.0/24 answers wherever Linux does; of 0.0.0.0/8 and others nobody is ever asked."""
    written(tmp_path, "127.0.1.0/24,1-40,0.9,polygon,loopback,\n", allow="127.0.0.0/16\n")
    try:
        Pinger("noc@example.org", 100.0).close()
    except Unavailable as why:
        pytest.skip(f"no ICMP here: {why.rule}")
    store = str(tmp_path / "s.sqlite")
    words = ["outages", "probe", *(str(tmp_path / "blocks.csv"), "--allow", str(tmp_path / "allow.txt"))]
    words += [
        "--contact",
        "noc@example.org",
        "--store",
        store,
        "--control",
        "127.0.0.1",
        "--rate",
        "200",
        "--json",
    ]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    if not json.loads(done.stdout)["rounds"][0]["levels"]:
        pytest.skip("this machine does not answer its own loopback")
    [round] = json.loads(done.stdout)["rounds"]
    assert round["levels"] == [{"kind": "polygon", "entity": "loopback", "level": 1.0, "blocks": 1}]
    assert round["kept"] == 1
