"""What is said on stderr of how well the machine kept up."""

from __future__ import annotations

from typing import Any

import pytest

from skylift.cli.packet_options import write_report


def said(capsys: pytest.CaptureFixture[str], **differing: Any) -> str:
    kept = {"trustworthy": True, "lateness_us": {"p50": 90.0, "p99": 200.0}, "tun_dropped": 0}
    write_report({**kept, "cpu_starved": False, "encrypted": None, **differing}, None)
    out, errors = capsys.readouterr()
    assert out == ""
    return errors


def test_a_machine_that_kept_up_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == ""


def test_a_loop_that_waited_says_whose_a_rate_may_be_and_what_encryption_has_to_do_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = said(capsys, cpu_starved=True)
    assert "may be this machine's" in plain
    assert "--no-encrypt" not in plain
    assert "--no-encrypt" in said(capsys, cpu_starved=True, encrypted="wireguard-go")


def test_what_cannot_be_trusted_is_said_alone(capsys: pytest.CaptureFixture[str]) -> None:
    errors = said(capsys, trustworthy=False, cpu_starved=True)
    assert errors.startswith("not to be trusted")
    assert len(errors.splitlines()) == 1
