"""What the engine is measured against: iperf3 over a bare pair of veth interfaces, plain or by wireguard-go.

`python -m bench.packets_bare veth|wireguard BYTES` prints Mbit/s. Its namespaces end with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from skylift.adapters import packet_wireguard, tun
from skylift.adapters.packet_wireguard import Tunnel

NEAR, FAR = "100.127.8.1", "100.127.9.1"
INNER_NEAR, INNER_FAR = "100.127.0.2", "198.51.100.1"
MTU = 1_500
_PATIENCE_S = 10.0


def received_mbps(said: dict[str, Any]) -> float:
    """Of iperf3's document: what came, in Mbit/s."""
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def main(kind: str, size: int) -> None:
    near, far = _veth()
    tunnels = _wireguard(near, far) if kind == "wireguard" else []
    target = INNER_FAR if tunnels else FAR
    server = _inside(far, ["iperf3", "-s", "-1"])
    try:
        until = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(
                ["iperf3", "-J", "-c", target, "-n", str(size)],
                capture_output=True,
                text=True,
                check=False,
                preexec_fn=lambda: tun.set_namespace(near, tun.CLONE_NEWNET),
            )
            if '"error"' not in done.stdout or time.monotonic() > until:
                break
            time.sleep(0.05)
        print(received_mbps(json.loads(done.stdout)))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
        for tunnel in tunnels:
            tunnel.close()


def _inside(namespace: int, words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: tun.set_namespace(namespace, tun.CLONE_NEWNET),
    )


def _veth() -> tuple[int, int]:
    """Two namespaces with a veth interface each."""
    if os.geteuid() != 0:
        tun.become_root_of_own()
    from pyroute2 import IPRoute

    tun.unshare(tun.CLONE_NEWNET)
    far = os.open("/proc/self/ns/net", os.O_RDONLY)
    tun.unshare(tun.CLONE_NEWNET)
    near = os.open("/proc/self/ns/net", os.O_RDONLY)
    with IPRoute() as ip:
        ip.link("add", ifname="near0", kind="veth", peer="far0")
        ip.link("set", index=ip.link_lookup(ifname="far0")[0], net_ns_fd=far)
    for namespace, name, own, other in ((far, "far0", FAR, NEAR), (near, "near0", NEAR, FAR)):
        tun.set_namespace(namespace, tun.CLONE_NEWNET)
        configure(name, own, other, MTU)
    return near, far


def _wireguard(near: int, far: int) -> list[Tunnel]:
    interfaces = []
    for namespace, name, own, other in (
        (far, "wg1", INNER_FAR, INNER_NEAR),
        (near, "wg0", INNER_NEAR, INNER_FAR),
    ):
        tun.set_namespace(namespace, tun.CLONE_NEWNET)
        interfaces.append(packet_wireguard.make(name))
        configure(name, own, other, packet_wireguard.MTU)
    port = packet_wireguard.PORT
    tunnel = Tunnel(interfaces[1], interfaces[0], (f"{NEAR}:{port}", f"{FAR}:{port}"))
    tunnel.renew((f"{INNER_NEAR}/32",))
    return [tunnel]


def configure(name: str, own: str, other: str, mtu: int) -> None:
    """An interface's address, and a route to the other end."""
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        loopback, interface = ip.link_lookup(ifname="lo")[0], ip.link_lookup(ifname=name)[0]
        ip.link("set", index=loopback, state="up")
        ip.link("set", index=interface, mtu=mtu, state="up")
        ip.addr("add", index=interface, address=own, prefixlen=32)
        ip.route("add", dst=f"{other}/32", oif=interface)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
