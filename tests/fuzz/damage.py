"""Ways to damage bytes and JSON, each drawn from a generator so that a case can be made again."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

Change = Callable[[Random, bytes], bytes]

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**400, -5, 1e308, 5e-324, "", "x" * 5000, "\0", "\ud800",
    "\u202eexe", "<script>alert(1)</script>", "=1+1", [], {}, [[[]]], {"": ""}, "NaN", "../../etc",
)  # fmt: skip
"""Values that stand where another was expected."""


def flipped(draw: Random, data: bytes) -> bytes:
    """A few bytes changed, anywhere."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        out[draw.randrange(len(out))] = draw.randrange(256)
    return bytes(out)


def flipped_early(draw: Random, data: bytes) -> bytes:
    """A few bytes changed among the first, where headers are."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        out[draw.randrange(min(len(out), 96))] = draw.randrange(256)
    return bytes(out)


def flipped_late(draw: Random, data: bytes) -> bytes:
    """A few bytes changed among the last, where zip and Parquet have their tables."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        out[-1 - draw.randrange(min(len(out), 160))] = draw.randrange(256)
    return bytes(out)


def cut(draw: Random, data: bytes) -> bytes:
    """The beginning alone."""
    return data[: draw.randrange(len(data))]


def beheaded(draw: Random, data: bytes) -> bytes:
    """The end alone."""
    return data[draw.randrange(1, len(data)) :]


def spliced(draw: Random, data: bytes) -> bytes:
    """A part doubled, left out, or replaced by noise."""
    start, stop = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    middle = draw.choice((b"", data[start:stop] * 2, draw.randbytes(draw.randint(1, 64))))
    return data[:start] + middle + data[stop:]


def lying(draw: Random, data: bytes) -> bytes:
    """A number of two to eight bytes replaced by one at the edge of what it can be."""
    out = bytearray(data)
    size, code = draw.choice(((2, "H"), (4, "I"), (8, "Q")))
    place = draw.randrange(max(1, min(len(out), 512) - size))
    if draw.random() < 0.3:  # or at the end, where the tables are
        place = max(0, len(out) - size - draw.randrange(200))
    number = draw.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2**14, 65_000))
    out[place : place + size] = struct.pack(draw.choice("<>") + code, number % 2 ** (8 * size))
    return bytes(out)


ANY: tuple[Change, ...] = (
    flipped, flipped_early, flipped_late, cut, beheaded, spliced, lying,
)  # fmt: skip
"""Damage to whatever bytes there are."""


def mutated(draw: Random, value: Any) -> Any:
    """A JSON value with one odd value, one key more, or one less, somewhere in it."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(sorted(value))
        changed = dict(value)
        match draw.randrange(5):
            case 0:
                del changed[key]
            case 1:
                changed[draw.choice(("", "extra", "__metadata__", "family", "\0"))] = draw.choice(
                    ODD
                )
            case _:
                changed[key] = mutated(draw, value[key])
        return changed
    if isinstance(value, list) and value and draw.random() < 0.7:
        place = draw.randrange(len(value))
        return [*value[:place], mutated(draw, value[place]), *value[place + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and draw.random() < 0.6:
        return draw.choice((value + 1, -value, value * 1000, value * 10**9, 0, value / 7, 10_000))
    return draw.choice(ODD)


def deep(draw: Random) -> str:
    """JSON nested deeper than any stack."""
    times = draw.choice((500, 5_000, 200_000))
    return draw.choice(
        ("[" * times + "]" * times, '{"a":' * times + "1" + "}" * times, "[" * times)
    )


def text_of(draw: Random, value: Any) -> str:
    """JSON of a mutated value: now and then deep, cut, or with a number that is none."""
    match draw.randrange(8):
        case 0:
            return deep(draw)
        case 1:
            text = json.dumps(mutated(draw, value))
            return text[: draw.randrange(len(text) + 1)]
        case 2:
            return json.dumps(value).replace(
                "1", draw.choice(("NaN", "1e999", "-Infinity", "1" * 5000))
            )
        case _:
            for _ in range(draw.randint(1, 3)):
                value = mutated(draw, value)
            return json.dumps(value)
