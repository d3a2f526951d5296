"""Ways to break what is valid: requests, streams of PDUs, command sets and datasets.

Each takes a source of randomness and something valid, and returns bytes. What is broken is not noted anywhere: the
node has to find out by itself.
"""

import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.fuzzing.small_instances import Sample, deflated
from bench.sending.wire import command, context, element, fragment, item, pdu, request, user_information

_LENGTHS = (0, 1, 2, 3, 5, 7, 0x7F, 0xFF, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFF, 0x20001, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (b"AE", b"SQ", b"UN", b"OB", b"OW", b"UT", b"UI", b"PN", b"DS", b"ZZ", b"\0\0", b"us", b"OV", b"SV")
_UIDS = (
    b"",
    b"1",
    b"..",
    b"../../etc/passwd",
    b"/etc/passwd",
    b"1.2.",
    b"a.b",
    b"1.2\n3",
    b"9" * 70,
    b"1." * 40,
    b"\xff" * 8,
)
_DEEPEST = 70_000

Break = Callable[[random.Random, bytes], bytes]


def other_protocols(rng: random.Random) -> bytes:
    """Return what scanners and lost programs say first, or what DICOM does not begin with."""
    said = (
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(32),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
        b"",
        b"\x01",
        rng.randbytes(rng.randrange(1, 2000)),
        pdu(rng.randrange(256), rng.randbytes(rng.randrange(300))),
        pdu(1, b"", rng.choice(_LENGTHS)),
        pdu(1, bytes(68 + rng.randrange(64))),
    )
    return rng.choice(said)


def break_association(rng: random.Random, called: bytes, calling: bytes, items: Sequence[bytes]) -> bytes:
    """Return an A-ASSOCIATE-RQ that is broken, odd or not welcome."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(rng, request(called, calling, items)),
        lambda: request(called, calling, items)[: rng.randrange(1, 300)],
        lambda: request(called, calling, items, rng.choice([0, 2, 3, 0xFFFF])),
        lambda: request(rng.choice([b"", b"WRONG", b"\\" * 16, b"\0" * 16, rng.randbytes(16)]), calling, items),
        lambda: request(called, rng.choice([b"", b"STRANGER", b"bench", rng.randbytes(16)]), items),
        lambda: request(called, calling, _shuffled(rng, [*items, *_odd_items(rng)])),
        lambda: request(called, calling, [it for it in items if rng.random() < 0.7]),
        lambda: request(called, calling, [items[0], *_many_contexts(rng), items[-1]]),
        lambda: request(called, calling, [*items[:-1], user_information(rng.choice(_LENGTHS), _odd_user_items(rng))]),
        lambda: _other_length(rng, request(called, calling, items)),
        lambda: request(called, calling, [*items[:-1], item(0x50, rng.randbytes(rng.randrange(80)))]),
        lambda: request(called, calling, items) * 2,
    )
    return rng.choice(ways)()


def _odd_items(rng: random.Random) -> list[bytes]:
    return [item(rng.randrange(256), rng.randbytes(rng.randrange(60)), rng.choice([None, None, *_LENGTHS[:10]]))]


def _odd_user_items(rng: random.Random) -> bytes:
    kinds = (0x51, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, rng.randrange(256))
    return b"".join(item(rng.choice(kinds), rng.randbytes(rng.randrange(40))) for _ in range(rng.randrange(1, 6)))


def _many_contexts(rng: random.Random) -> list[bytes]:
    uids = [b"1.2.840.10008.1.1", b"1.2.840.10008.1.2", *_UIDS]
    return [
        context(rng.randrange(256), rng.choice(uids), [rng.choice(uids) for _ in range(rng.randrange(4))])
        for _ in range(rng.choice([0, 1, 3, 128, 200]))
    ]


def break_stream(rng: random.Random, pieces: Sequence[bytes], good_request: bytes) -> list[bytes]:
    """Return PDUs of which one is broken or out of place."""
    broken = list(pieces)
    at = rng.randrange(len(broken))
    context_id, control, data = broken[at][10], broken[at][11], broken[at][12:40]
    other = rng.randrange(256)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(rng, broken[at]),
        lambda: _other_length(rng, broken[at]),
        lambda: bytes([rng.randrange(256)]) + broken[at][1:],
        lambda: pdu(4, fragment(context_id, control, data, rng.choice(_LENGTHS))),
        lambda: pdu(4, fragment(rng.choice([0, 2, 11, other, 255]), control, data)),
        lambda: pdu(4, fragment(context_id, other, data)),
        lambda: pdu(4, fragment(context_id, control, b"")),
        lambda: pdu(4, b""),
        lambda: good_request,
        lambda: pdu(rng.choice([2, 3, 5, 6, 7]), bytes(4)) + broken[at],
        lambda: broken[at][: rng.randrange(len(broken[at]))],
        lambda: broken[at] + rng.randbytes(rng.randrange(40)),
        lambda: broken[at] * 2,
        lambda: b"",
        lambda: pdu(4, rng.randbytes(rng.randrange(200_000))),
    )
    broken[at] = rng.choice(ways)()
    return broken


def break_command(rng: random.Random, elements: Mapping[int, bytes]) -> bytes:
    """Return a command set that is broken, odd or not asked for."""
    changed = dict(elements)
    number = rng.choice(list(changed))
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(rng, command(changed)),
        lambda: command({key: value for key, value in changed.items() if key != number}),
        lambda: command(changed | {number: rng.randbytes(rng.randrange(0, 80, 2))}),
        lambda: command(changed | {rng.choice([0x0002, 0x1000]): rng.choice(_UIDS)}),
        lambda: command(changed | {0x0100: struct.pack("<H", rng.choice([0x20, 0x21, 0x30, 0xFFF, 0x8001, 0x130, 7]))}),
        lambda: command(changed | {0x0800: rng.choice([b"\1\1", b"\0\0", b"\xff\xff", b"", b"\1"])}),
        lambda: command(changed | {rng.randrange(0x10000): rng.randbytes(rng.randrange(40))}),
        lambda: command(changed)[: rng.randrange(120)],
        lambda: command(changed) + element(number, b"", rng.choice(_LENGTHS)),
        lambda: rng.randbytes(rng.randrange(300)),
        lambda: command(changed) + element(0x1030, bytes(rng.choice([1000, 60_000, 70_000]))),
        lambda: b"",
    )
    return rng.choice(ways)()


def break_dataset(rng: random.Random, sample: Sample) -> Sample:
    """Return an instance whose dataset is broken, cut, of another encoding, or of monstrous shape."""
    data = sample.dataset
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(rng, data),
        lambda: _flipped(rng, data),
        lambda: _other_element_length(rng, data),
        lambda: data[: rng.randrange(len(data))],
        lambda: data + rng.randbytes(rng.randrange(1, 200)),
        lambda: _with_other_vr(rng, data),
        lambda: rng.randbytes(rng.randrange(5000)),
        lambda: b"",
        lambda: data[: rng.randrange(len(data))] + data[rng.randrange(len(data)) :],
        lambda: data + _nested(rng),
        lambda: data + b"".join(struct.pack("<HH2sH", 0x7FE1, 0x10, b"LO", 0) for _ in range(rng.choice([9, 60_000]))),
        lambda: data + struct.pack("<HH2sHL", 0x7FE1, 0x10, b"OB", 0, rng.choice(_LENGTHS)),
        lambda: deflated(data + bytes(rng.choice([0, 1000, 3_000_000]))),
        lambda: data * 2,
    )
    return replace(sample, dataset=rng.choice(ways)())


def _nested(rng: random.Random) -> bytes:
    """Return sequences within sequences, with or without their ends."""
    depth = rng.choice([1, 10, 40, 200, 3000, _DEEPEST])
    opened = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    closed = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return opened * depth + (closed * depth if rng.random() < 0.5 else b"")


def _flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice([0, 0xFF, 0x5C, rng.randrange(256)])
    return bytes(changed)


def _other_length(rng: random.Random, data: bytes) -> bytes:
    """Return a PDU that claims another length."""
    near = int.from_bytes(data[2:6], "big") + rng.choice([-6, -1, 1, 6])
    return data[:2] + struct.pack(">L", rng.choice([*_LENGTHS, near]) % (1 << 32)) + data[6:]


def _other_element_length(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(0, max(len(data) - 8, 1), 2)
    return data[:at] + struct.pack("<L", rng.choice(_LENGTHS)) + data[at + 4 :]


def _with_other_vr(rng: random.Random, data: bytes) -> bytes:
    found = [
        at for at in range(0, len(data) - 8, 2) if data[at + 4 : at + 6].isalpha() and data[at + 4 : at + 6].isupper()
    ]
    if not found:
        return _flipped(rng, data)
    at = rng.choice(found)
    return data[: at + 4] + rng.choice(_VRS) + data[at + 6 :]


def _shuffled(rng: random.Random, items: Sequence[bytes]) -> list[bytes]:
    return rng.sample(list(items), len(items))
