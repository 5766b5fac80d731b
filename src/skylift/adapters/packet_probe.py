"""What `skylift netreport` runs at the two ends of a link: small packets all along, transfers at the end.

    python -m skylift.adapters.packet_probe serve
    python -m skylift.adapters.packet_probe measure HOST SECONDS TRANSFER_SECONDS > measured.json

Both ends share this machine's monotonic clock, so that each way is timed by itself.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

_UDP_PORT, _TCP_PORT = 47_001, 47_002
# G.711: 160 bytes of speech and 12 of RTP, every 20 ms.
_SPEECH, _EVERY_NS = 172, 20_000_000
_STAMP = struct.Struct(">IQQ")
# Long enough for the last to come back.
_LAST_WAIT_S = 1.0
_CONTROLS = ("cubic", "bbr", "reno")
_CHUNK = bytes(256 * 1024)
_CONNECT_WITHIN_S = 10.0


def serve() -> None:
    """Answer until the process is ended."""
    threading.Thread(target=_echo, daemon=True).start()
    listening = socket.create_server(("0.0.0.0", _TCP_PORT), reuse_port=True)
    while True:
        one, _ = listening.accept()
        threading.Thread(target=_transfer, args=(one,), daemon=True).start()


# The way up of each packet of the train, by its number: also of those that were lost on the way down.
_heard: dict[int, float] = {}


def _echo() -> None:
    talking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talking.bind(("0.0.0.0", _UDP_PORT))
    while True:
        packet, whence = talking.recvfrom(2_048)
        number, sent_ns, _ = _STAMP.unpack_from(packet)
        now_ns = time.monotonic_ns()
        _heard[number] = round((now_ns - sent_ns) / 1e6, 4)
        talking.sendto(_STAMP.pack(number, sent_ns, now_ns) + packet[_STAMP.size :], whence)


def _transfer(one: socket.socket) -> None:
    with one:
        try:
            words = one.makefile("rb").readline(100).split()
            if words == [b"heard"]:
                one.sendall(json.dumps(_heard).encode() + b"\n")
                return
            way, control, seconds = words[0], words[1], float(words[2])
            if way == b"down":
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control)
                _send(one, seconds)
            else:
                one.sendall(json.dumps(_receive(one, seconds)).encode() + b"\n")
        except (OSError, ValueError, IndexError):
            return


def _send(one: socket.socket, seconds: float) -> None:
    until = time.monotonic() + seconds
    one.settimeout(seconds + _CONNECT_WITHIN_S)
    while time.monotonic() < until:
        one.send(_CHUNK)


def _receive(one: socket.socket, seconds: float) -> dict[str, float]:
    """Bytes that came in so long after the first; what comes later is read as well, until the sender ends."""
    one.settimeout(seconds + _CONNECT_WITHIN_S)
    began = last = 0.0
    got = 0
    while part := one.recv(256 * 1024):
        now = time.monotonic()
        if not began:
            # What has gathered by then came earlier.
            began = last = now
        elif now - began <= seconds:
            got, last = got + len(part), now
    return {"bytes": float(got), "seconds": max(1e-3, last - began)}


def measure(host: str, seconds: float, transfer_s: float) -> dict[str, Any]:
    """The train for so long, then transfers of so long each; all times in monotonic nanoseconds."""
    began_ns = time.monotonic_ns()
    idle = _train(host, seconds)
    rates: dict[str, dict[str, float]] = {}
    for control in available_controls():
        if transfer_s <= 0:
            break
        both: dict[str, float] = {}
        for way in ("down", "up"):
            try:
                both[f"{way}_bps"] = round(_rate(host, way, control, transfer_s))
            except OSError:
                both[f"{way}_bps"] = 0.0
        rates[control] = both
    return {"began_ns": began_ns, "train": idle, "rates": rates}


def available_controls() -> list[str]:
    """Those of cubic, bbr and reno that this kernel has."""
    try:
        text = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text(encoding="ascii")
    except OSError:
        return ["cubic"]
    return [name for name in _CONTROLS if name in text.split()]


def _train(host: str, seconds: float) -> dict[str, list[float | None]]:
    talking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talking.connect((host, _UDP_PORT))
    count = max(1, int(seconds * 1e9 / _EVERY_NS))
    up: list[float | None] = [None] * count
    down: list[float | None] = [None] * count
    sent: list[float | None] = [None] * count
    began_ns = time.monotonic_ns()
    ended = threading.Event()
    hearing = threading.Thread(target=_hear, args=(talking, up, down, ended))
    hearing.start()
    for number in range(count):
        wait_ns = began_ns + number * _EVERY_NS - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        now_ns = time.monotonic_ns()
        sent[number] = (now_ns - began_ns) / 1e6
        try:
            talking.send(_STAMP.pack(number, now_ns, 0).ljust(_SPEECH, b"\0"))
        except OSError:
            # No way out at this moment: as good as lost.
            continue
    time.sleep(_LAST_WAIT_S)
    ended.set()
    hearing.join()
    talking.close()
    for told, up_ms in _told_heard(host).items():
        up[int(told)] = up_ms
    return {"sent_ms": sent, "up_ms": up, "down_ms": down}


def _told_heard(host: str) -> dict[str, float]:
    try:
        with socket.create_connection((host, _TCP_PORT), _CONNECT_WITHIN_S) as one:
            one.sendall(b"heard\n")
            return dict(json.loads(one.makefile("rb").readline() or b"{}"))
    except (OSError, ValueError):
        return {}


def _hear(
    talking: socket.socket, up: list[float | None], down: list[float | None], ended: threading.Event
) -> None:
    talking.settimeout(0.1)
    while not ended.is_set():
        try:
            packet = talking.recv(2_048)
        except OSError:
            continue
        now_ns = time.monotonic_ns()
        number, sent_ns, far_ns = _STAMP.unpack_from(packet)
        up[number] = round((far_ns - sent_ns) / 1e6, 4)
        down[number] = round((now_ns - far_ns) / 1e6, 4)


def _rate(host: str, way: str, control: str, seconds: float) -> float:
    with socket.create_connection((host, _TCP_PORT), _CONNECT_WITHIN_S) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
        one.sendall(f"{way} {control} {seconds}\n".encode())
        if way == "down":
            got = _receive(one, seconds)
        else:
            _send(one, seconds + 0.5)
            one.shutdown(socket.SHUT_WR)
            got = json.loads(one.makefile("rb").readline(1_000) or b'{"bytes": 0, "seconds": 1}')
        return float(got["bytes"]) * 8.0 / float(got["seconds"])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        sys.stdout.write(json.dumps(measure(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
