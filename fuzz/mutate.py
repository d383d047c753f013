"""Mutations: of bytes, of JSON trees, and of the chunks of PNG files."""

from __future__ import annotations

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

INTERESTING = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 10**13)
VALUES: tuple[Any, ...] = (
    *INTERESTING,
    *(-number for number in INTERESTING[1:]),
    0.5,
    -1e308,
    1e400,
    float("nan"),
    None,
    True,
    False,
    "",
    "a",
    "null\0byte",
    "\ud800",
    "../../x",
    "x" * 300,
    [],
    {},
    [[]],
    {"": {}},
)
LARGEST = 1 << 20


def mutated(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to eight mutations of some bytes; `others` are what parts may be taken from."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8))):
        rng.choice(_STEPS)(data, others, rng)
    return bytes(data[:LARGEST])


def mutated_json(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to four changes of a JSON tree, or of its bytes one time in five."""
    try:
        tree = json.loads(content)
    except ValueError:  # mutated before
        return mutated(content, others, rng)
    if rng.random() < 0.2:
        return mutated(content, others, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(tree, rng)
    return json.dumps(tree).encode()


def mutated_lines(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A change in one or two of several lines of JSON."""
    lines = content.splitlines()
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        lines[at] = mutated_json(lines[at], others, rng) if lines[at].startswith(b"{") else lines[at]
        if rng.random() < 0.1:
            lines.insert(at, rng.choice(lines))
    return b"\n".join(lines) + rng.choice((b"\n", b"\n", b""))


def mutated_png(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """As `mutated`; of a PNG half the time one chunk alone, its pixels unpacked, under lengths and checksums that fit."""
    if not content.startswith(b"\x89PNG") or rng.random() < 0.5:
        return mutated(content, others, rng)
    chunks = _chunks(content)
    at = rng.randrange(len(chunks))
    kind, body = chunks[at]
    changed = zlib.compress(mutated(zlib.decompress(body), others, rng)) if kind == b"IDAT" else mutated(body, others, rng)
    chunks[at : at + 1] = [(kind, changed)] * rng.choice((1, 1, 1, 1, 0, 2))
    packed = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return content[:8] + b"".join(packed)


def _flip(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    """A number with a boundary's value, of any width and order, near the start more often than not."""
    form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    width = struct.calcsize(form)
    room = min(len(data), 256) if rng.random() < 0.6 else len(data)
    if room >= width:
        at = rng.randrange(room - width + 1)
        data[at : at + width] = struct.pack(form, rng.choice(INTERESTING) % (1 << 8 * width))


def _digits(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    """A run of decimal digits replaced by another number."""
    places = [at for at, byte in enumerate(data[:4096]) if 48 <= byte < 58]
    if places:
        at = rng.choice(places)
        end = at
        while end < len(data) and 48 <= data[end] < 58:
            end += 1
        data[at:end] = str(rng.choice(INTERESTING)).encode()


def _cut(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        at = rng.randrange(len(data))
        del data[at : at + rng.choice((1, 2, 4, 16, len(data)))]


def _repeat(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        at = rng.randrange(len(data))
        part = data[at : at + rng.choice((1, 4, 16, 64))]
        data[at:at] = part * rng.choice((1, 2, 50))


def _noise(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))


def _splice(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    if other and data:
        start = rng.randrange(len(other))
        at = rng.randrange(len(data))
        part = other[start : start + rng.choice((4, 16, 64, len(other)))]
        data[at : at + rng.choice((0, len(part)))] = part


_STEPS: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _number,
    _number,
    _digits,
    _cut,
    _repeat,
    _noise,
    _splice,
)


def _change(tree: Any, rng: random.Random) -> None:
    """One change somewhere in a tree: another value, none, twice, or a neighbour's."""
    places = list(_places(tree))
    if not places:
        return
    parent, key = rng.choice(places)
    kind = rng.randrange(6)
    value = parent[key]
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(value, int | float) and not isinstance(value, bool):
        parent[key] = value + rng.choice((-1, 1, 0.5, 1000, -value, -2 * value))
    elif kind == 2:
        other, name = rng.choice(places)
        if name in other if isinstance(other, dict) else isinstance(name, int) and name < len(other):
            parent[key] = json.loads(json.dumps(other[name]))
    elif kind == 3 and isinstance(parent, list):
        parent.insert(key, json.loads(json.dumps(value)))
    elif kind == 4 and isinstance(parent, dict):
        parent[str(rng.choice(("x", "", "__class__", key + " ")))] = parent.pop(key)
    else:
        parent[key] = copy.deepcopy(rng.choice(VALUES))  # a list of its own, which the next change may be made in


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree, as its container and its key there; of long lists the first few alone."""
    found: list[tuple[Any, Any]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:24]) if isinstance(tree, list) else ()
    for key, value in items:
        found.append((tree, key))
        found += _places(value)
    return found


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a sound PNG, each its kind and its body."""
    found, at = [], 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return found
