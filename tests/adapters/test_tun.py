"""What is no TUN interface is refused, with what to do instead."""

from __future__ import annotations

import sys

import pytest

from skylift.adapters.tun import check_tun
from skylift.base.errors import Refused


@pytest.mark.parametrize("name", ["nothere0", "", "../lo", "lo/queues"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="ip tuntap add"):
        check_tun(name)


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces are looked for as Linux shows them")
def test_a_card_is_refused_with_the_way_to_join_it() -> None:
    with pytest.raises(Refused, match="ip link set lo netns sky"):
        check_tun("lo")
