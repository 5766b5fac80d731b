"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skylift.adapters.atomic import save_atomically, write_atomically
from skylift.base.errors import Unavailable


def test_text_and_bytes_are_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "Київ\n")
    assert path.read_bytes() == "Київ\n".encode()
    write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_goes_wrong_half_way_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_atomically(path, "old")

    def save(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        save_atomically(path, save)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_is_not_there_is_the_worlds_fault(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="folder"):
        write_atomically(tmp_path / "no" / "a.txt", "x")


def test_modes_follow_the_umask_and_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    before = os.umask(0o027)
    try:
        write_atomically(path, "x")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o600)
        write_atomically(path, "y")
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_device_or_pipe_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        write_atomically(pipe, "text")
        assert reader.read() == b"text"
    assert pipe.is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
