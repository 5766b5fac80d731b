"""Measures a terminal's link with packets, and reads what was measured before."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from skylift.adapters.netreport_shape import NetReport, RunReport
from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_network import POP4
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Wanted
from skylift.base.errors import Refused, Unavailable
from skylift.study.netreport import Train, of_run, of_train, voices
from skylift.study.voice import G711, Codec

FORMAT = "skylift-netreport/1"
_MODULE = (sys.executable, "-m", "skylift.adapters.packet_probe")


def measured(followed: Followed, seconds: float, transfer_s: float, codec: Codec = G711) -> dict[str, Any]:
    """Measure a terminal's link now. Raises Refused or Unavailable."""
    with tempfile.TemporaryDirectory(prefix="skylift-netreport-") as folder:
        file = Path(folder) / "measured.json"
        words = " ".join((*_MODULE, "measure", POP4, str(seconds), str(transfer_s)))
        # The far end may still be starting: the first packets would be lost to nobody's fault.
        command = ("/bin/sh", "-c", f"sleep 0.5; exec {words} > {file}")
        outcome = run(Wanted(followed, command, (*_MODULE, "serve")))
        if outcome.status:
            raise Unavailable(
                "netreport.probe", "the measurement", "its program ended early", "see what it said above"
            )
        said = json.loads(file.read_text(encoding="utf-8"))
    report = outcome.report
    first_us = followed.at_us + (said["began_ns"] - outcome.began_ns) // 1_000
    starts_ms = [(slot["at_us"] - first_us) / 1_000 for slot in report["slots"]]
    train = _train(said["train"])
    figures = of_train(train, starts_ms, 15_000.0, said["rates"], codec)
    return {
        "format": FORMAT,
        "terminal": followed.terminal,
        "trustworthy": report["trustworthy"],
        **figures,
        "run": report,
        "train": said["train"],
        "starts_ms": [round(start, 3) for start in starts_ms],
    }


def read_report(file: Path, codec: Codec | None = None) -> dict[str, Any]:
    """A net report from a file: of its own, or from what exec, shell and proxy wrote. Raises Refused.

    codec  scores voice anew, of a run always; None: as the file has it, or G.711
    """
    document = _json_of(file)
    try:
        if isinstance(document, dict) and document.get("format") == FORMAT:
            kept = msgspec.convert(document, NetReport)
            if codec is not None and kept.train is not None:
                document |= voices(_train(document["train"]), codec)
            return document
        run_report = msgspec.convert(document, RunReport)
    except msgspec.ValidationError as error:
        raise _refused("shape", f"it is no whole net report nor a run's report ({error})") from None
    if not any(slot.rtt_seen_ms is not None or slot.loss_seen is not None for slot in run_report.slots):
        raise _refused("nothing", "no packet went in that run, so it says nothing of the link")
    figures = of_run(document, codec or G711)
    trustworthy = run_report.trustworthy
    return {"format": FORMAT, "terminal": None, "trustworthy": trustworthy, **figures, "run": document}


def _json_of(file: Path) -> Any:
    if file.exists() and not file.is_file():
        raise _refused("file", "it is a folder or a device")
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise _refused("file", f"it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise _refused("file", "it is not JSON, or cut off") from None


def _refused(code: str, rule: str) -> Refused:
    return Refused(
        f"netreport.{code}",
        "the report's file",
        rule,
        "name one that skylift exec --report or skylift netreport --out wrote",
    )


def _train(said: dict[str, list[float | None]]) -> Train:
    return Train(*(np.array(said[name], dtype=np.float64) for name in ("sent_ms", "up_ms", "down_ms")))


def train_of(document: dict[str, Any]) -> Train | None:
    """The small packets of a document that has them."""
    return _train(document["train"]) if "train" in document else None
