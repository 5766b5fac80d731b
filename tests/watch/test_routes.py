"""Routes: MRT and BGP bytes by the standards, what peers see, sessions that break, customer cones."""

from __future__ import annotations

import io
import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.outage_bgp import read_ris_live
from skylift.watch.mrt import Prefix, Told, Unread, read_mrt, read_update
from skylift.watch.routes import Routes, customer_cone

T = 1_645_833_600
PEER = (b"\xc0\x00\x02\x01", 64510)


def prefix(text: str) -> Prefix:
    network = ipaddress.ip_network(text)
    return Prefix(
        network.version, network.prefixlen, network.network_address.packed[: -(-network.prefixlen // 8)]
    )


def nlri(text: str) -> bytes:
    one = prefix(text)
    return bytes([one.length]) + one.network


def attributes(path: list[int], extra: bytes = b"") -> bytes:
    hops = bytes([2, len(path)]) + b"".join(struct.pack("!I", hop) for hop in path)
    return b"\x40\x01\x01\x00" + bytes([0x40, 2, len(hops)]) + hops + b"\x40\x03\x04\xc0\x00\x02\x01" + extra


def record(kind: int, subtype: int, body: bytes, at: int = T) -> bytes:
    return struct.pack("!IHHI", at, kind, subtype, len(body)) + body


def table(peers: list[int], routes: dict[str, dict[int, list[int]]], at: int = T) -> bytes:
    """A TABLE_DUMP_V2 of peers (by AS) and their paths to each prefix (RFC 6396, section 4.3)."""
    index = b"\xc0\x00\x02\xfe" + b"\x00\x00" + struct.pack("!H", len(peers))
    for number, asn in enumerate(peers):
        index += b"\x02" + b"\x00" * 4 + bytes([192, 0, 2, number + 1]) + struct.pack("!I", asn)
    data = record(13, 1, index, at)
    for sequence, (text, paths) in enumerate(routes.items()):
        body = struct.pack("!I", sequence) + nlri(text) + struct.pack("!H", len(paths))
        for peer, path in paths.items():
            said = attributes(path)
            body += struct.pack("!HIH", peer, at, len(said)) + said
        data += record(13, 2 if ":" not in text else 4, body, at)
    return data


def update(announced: list[str], withdrawn: list[str], path: list[int]) -> bytes:
    gone = b"".join(nlri(text) for text in withdrawn)
    said = attributes(path) if announced else b""
    body = struct.pack("!H", len(gone)) + gone + struct.pack("!H", len(said)) + said
    body += b"".join(nlri(text) for text in announced)
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body


def message(peer: int, asn: int, body: bytes, at: int = T) -> bytes:
    head = struct.pack("!IIHH", asn, 64999, 0, 1) + bytes([192, 0, 2, peer + 1]) + b"\xc0\x00\x02\xfe"
    return record(16, 4, head + body, at)


def state(peer: int, asn: int, now: int, at: int = T) -> bytes:
    head = struct.pack("!IIHH", asn, 64999, 0, 1) + bytes([192, 0, 2, peer + 1]) + b"\xc0\x00\x02\xfe"
    return record(16, 5, head + struct.pack("!HH", 6 if now == 1 else 5, now), at)


def read(data: bytes) -> list[Told | Unread]:
    return list(read_mrt(io.BytesIO(data).read))


def test_a_table_is_read_row_by_row() -> None:
    data = table([64510, 64511], {"192.0.2.0/24": {0: [64510, 64500], 1: [64511, 64520, 64500]},
                                  "2001:db8::/33": {1: [64511, 64500]}})  # fmt: skip
    first, second = (bytes([192, 0, 2, 1]), 64510), (bytes([192, 0, 2, 2]), 64511)
    rows = [
        (first, "192.0.2.0/24", (64510, 64500)),
        (second, "192.0.2.0/24", (64511, 64520, 64500)),
        (second, "2001:db8::/33", (64511, 64500)),
    ]
    assert read(data) == [
        Told(T * 1_000_000, peer, (prefix(text),), (), path, None, True) for peer, text, path in rows
    ]


def test_updates_and_sessions_are_read() -> None:
    data = message(0, 64510, update(["198.51.100.0/25", "10.0.0.0/8"], ["192.0.2.0/24"], [64510, 64500]))
    data += state(0, 64510, 1) + state(0, 64510, 6)
    # Of the extended kind, with microseconds; and a keepalive, which says nothing.
    plain = message(0, 64510, b"\xff" * 16 + struct.pack("!HB", 19, 4))
    data += record(17, 4, struct.pack("!I", 7) + plain[12:]) + record(99, 1, b"other")
    found = read(data)
    peer = (bytes([192, 0, 2, 1]), 64510)
    wanted = (prefix("198.51.100.0/25"), prefix("10.0.0.0/8"))
    assert found == [
        Told(T * 1_000_000, peer, wanted, (prefix("192.0.2.0/24"),), (64510, 64500)),
        Told(T * 1_000_000, peer, up=False),
        Told(T * 1_000_000, peer, up=True),
    ]


# As RIPE's stream gave it on 7 November 2021, with the message's own bytes (in the tests of bgpkit-parser).
RIS = (
    '{"type":"ris_message","data":{"timestamp":1636247118.76,"peer":"2001:7f8:24::82","peer_asn":"58299",'
    '"id":"20-5761-238131559","host":"rrc20","type":"UPDATE","path":[58299,49981,397666],"origin":"igp",'
    '"announcements":[{"next_hop":"2001:7f8:24::82","prefixes":["2602:fd9e:f00::/40"]},'
    '{"next_hop":"fe80::768e:f8ff:fea6:b2c4","prefixes":["2602:fd9e:f00::/40"]}]}}'
)
RAW = (
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF005A02000000434001010040020E02030000E3BB0000C33D00061162800E2B0002012020"
    "0107F8002400000000000000000082FE80000000000000768EF8FFFEA6B2C400282602FD9E0F"
)


def test_a_real_update_says_the_same_as_bytes_and_as_json() -> None:
    [told] = read_ris_live(RIS)
    assert told.announced == (prefix("2602:fd9e:f00::/40"),)
    assert told.path == (58299, 49981, 397666)
    assert told.at_us == 1_636_247_118_760_000
    assert read_update(bytes.fromhex(RAW), told.at_us, told.peer) == told


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "JSON"), ('{"type":"ris_message","data":{}}', "KeyError"), ("[]", "AttributeError"),
     (RIS.replace("::/40", "::/140"), "ValueError"), (RIS.replace("58299,4", '"x",4'), "ValueError")],
)  # fmt: skip
def test_messages_of_another_shape_are_refused(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"known shape .*{says}"):
        read_ris_live(line)
    assert read_ris_live('{"type":"ris_rrc_list","data":[]}') == []


def test_old_routers_paths_are_mended_from_the_wide_one() -> None:
    # AS_PATH in two bytes with AS_TRANS (23456), AS4_PATH beside it: RFC 6793, section 4.2.3.
    hops = bytes([2, 3]) + struct.pack("!HHH", 64510, 23456, 23456)
    wide = bytes([2, 2]) + struct.pack("!II", 196_608, 397_666)
    said = bytes([0x40, 2, len(hops)]) + hops + bytes([0xC0, 17, len(wide)]) + wide
    body = struct.pack("!H", 0) + struct.pack("!H", len(said)) + said + nlri("192.0.2.0/24")
    told = read_update(b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body, 0, PEER, 2)
    assert told is not None
    assert told.path == (64510, 196_608, 397_666)


def test_a_set_of_several_is_no_origin() -> None:
    hops = bytes([2, 1]) + struct.pack("!I", 64510) + bytes([1, 2]) + struct.pack("!II", 64500, 64501)
    said = bytes([0x40, 2, len(hops)]) + hops
    body = struct.pack("!H", 0) + struct.pack("!H", len(said)) + said + nlri("192.0.2.0/24")
    told = read_update(b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body, 0, PEER)
    assert told is not None
    assert told.path == (64510, 0)


def test_what_is_broken_is_told_and_the_rest_is_read() -> None:
    good = message(0, 64510, update(["10.0.0.0/8"], [], [64510, 64500]))
    wrong = bytearray(good)
    wrong[12 + 20] = 0  # the marker of the message
    long = message(0, 64510, update(["10.0.0.0/8"], [], [64510]))[:-2]
    found = read(bytes(wrong) + good + long)
    assert [type(one) for one in found] == [Unread, Told, Unread]
    assert found[0] == Unread(1, "a BGP message does not begin with its marker")
    assert found[2] == Unread(3, "the file is cut off, or no MRT")
    assert read(b"this is no MRT at all") == [Unread(1, "the file is cut off, or no MRT")]
    far = table([64510], {"192.0.2.0/24": {5: [64510]}})
    assert read(far) == [Unread(2, "it names a peer that the table does not list")]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    read(noise)
    read(record(16, 4, noise))
    read(table([64510], {}) + record(13, 2, noise))


# --- what is seen


def routes(full: int = 2) -> Routes:
    """Three peers that have everything, and one that has a part."""
    own = {"192.0.2.0/24": [64500], "198.51.100.0/23": [64500], "203.0.113.0/25": [64530]}
    paths = {text: {peer: [64510 + peer, 64520, *path] for peer in range(3)} for text, path in own.items()}
    paths["192.0.2.0/24"][3] = [64513, 64500]
    found = Routes({64500, 64530}, {4: full, 6: 1})
    for told in read(table([64510, 64511, 64512, 64513], paths)):
        assert isinstance(told, Told)
        found.take(told)
    return found


def test_blocks_of_an_origin_are_counted_where_most_full_tables_have_them() -> None:
    found = routes()
    assert found.full_feeds() == 3
    ours = frozenset({64500})
    assert found.seen(ours) == 3
    assert found.seen(frozenset({64530})) == 1
    assert found.seen(frozenset({64500, 64530}), through=64520) == 4
    # The origin itself does not carry its own prefixes for others.
    assert found.seen(ours, through=64500) == 0
    for peer in (0, 1):
        said = read(message(peer, 64510 + peer, update([], ["192.0.2.0/24"], [])))[0]
        assert isinstance(said, Told)
        found.take(said)
        assert found.seen(ours) == (3 if peer == 0 else 2)
    # Taken over by another origin: it is not ours any more.
    for peer in (0, 1):
        said = read(message(peer, 64510 + peer, update(["198.51.100.0/23"], [], [64510 + peer, 64666])))[0]
        assert isinstance(said, Told)
        found.take(said)
    assert found.seen(ours) == 0


def test_a_prefix_within_another_counts_once() -> None:
    found = Routes({64500}, {4: 1, 6: 1})
    for told in read(table([64510], {"10.0.0.0/22": {0: [64500]}, "10.0.1.0/24": {0: [64500]}})):
        assert isinstance(told, Told)
        found.take(told)
    assert found.seen(frozenset({64500})) == 4


def test_a_session_that_breaks_is_our_trouble_and_no_outage() -> None:
    found = routes()
    ours = frozenset({64500})

    def take(data: bytes) -> None:
        for told in read(data):
            assert isinstance(told, Told)
            found.take(told)

    take(state(0, 64510, 1))
    take(state(1, 64511, 1))
    assert (found.full_feeds(), found.seen(ours)) == (1, 3)
    take(state(0, 64510, 6))
    assert found.full_feeds() == 1
    # It tells anew what it has; once that is nearly all, it counts again.
    take(message(0, 64510, update(["192.0.2.0/24", "198.51.100.0/23"], [], [64510, 64500])))
    assert found.full_feeds() == 1
    take(message(0, 64510, update(["203.0.113.0/25"], [], [64510, 64530])))
    assert (found.full_feeds(), found.seen(ours)) == (2, 3)
    take(state(0, 64510, 1) + state(2, 64512, 1))
    assert found.seen(ours) is None


def test_a_cone_is_the_customers_of_customers() -> None:
    relations = [(1, 2), (1, 3), (3, 4), (4, 5), (9, 1), (5, 3)]
    assert customer_cone(relations, 1) == {1, 2, 3, 4, 5}
    assert customer_cone(relations, 2) == {2}
    assert customer_cone(relations, 5) == {3, 4, 5}
