"""Writes packets into a pcap file, as tcpdump and Wireshark read it."""

from __future__ import annotations

import struct
from pathlib import Path

from skylift.wire.packet.frame import HEADER, Frame

# Nanosecond pcap (draft-ietf-opsawg-pcap), version 2.4; LINKTYPE_RAW: IP packets as they are.
_MAGIC, _SNAP_BYTES, _LINKTYPE_RAW = 0xA1B23C4D, 262_144, 101


class Capture:
    """One file. A superpacket is written whole, as tcpdump on an interface with offload would see it."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._file.write(struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAP_BYTES, _LINKTYPE_RAW))

    def note(self, frame: Frame, at_ns: int) -> None:
        """A frame (virtio-net header first) at an instant, nanoseconds since 1970."""
        packet = frame[HEADER.size :]
        seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
        self._file.write(struct.pack("<IIII", seconds, nanoseconds, len(packet), len(packet)) + packet)

    def close(self) -> None:
        self._file.close()
