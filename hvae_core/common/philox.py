"""Philox4x32-10 (Salmon et al. 2011): random numbers as a function of a key and a counter.

No state: a number is found from where it stands alone, many at once, on any kind of device. The
32-bit words lie in int64 tensors, whose products wrap as those of unsigned words do. On a processor
they are made a few thousand at a time, in arrays that stay in its cache, which takes half the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MASK = (1 << 32) - 1
ROUNDS = 10
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)  # added to the key between rounds

_AT_ONCE = 1 << 13
"""Blocks of four words that are made at a time on a processor."""

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Sequence[Tensor], key: Sequence[Tensor], rounds: int = ROUNDS) -> Words:
    """Four words of 32 random bits for four words of counter and two of key, which broadcast."""
    a, b, c, d = counter
    k, m = key
    if a.device.type == "cpu":
        return _on_processor(np.broadcast_arrays(a, b, c, d, k, m), rounds)
    for _ in range(rounds):
        left, right = a * _FACTORS[0], c * _FACTORS[1]
        # The upper half of a product, whose sign the shift carries on until the mask takes it off.
        a, c = (right >> 32 ^ b ^ k) & MASK, (left >> 32 ^ d ^ m) & MASK
        b, d = right & MASK, left & MASK
        k, m = (k + _STEPS[0]) & MASK, (m + _STEPS[1]) & MASK
    return a, b, c, d


def _on_processor(wanted: Sequence[NDArray[np.int64]], rounds: int) -> Words:
    """The same words, of counter and key as arrays of one shape, some rows at a time."""
    shape = wanted[0].shape
    wanted = np.atleast_1d(*wanted)
    words = np.empty((4, *wanted[0].shape), np.uint64)
    rows = len(wanted[0])
    step = max(1, _AT_ONCE * rows // max(1, words[0].size))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        a, b, c, d = (word[part].astype(np.uint64) for word in wanted[:4])
        k, m = (_once(word[part]).astype(np.uint64) for word in wanted[4:])
        left, right = np.empty_like(a), np.empty_like(a)
        for _ in range(rounds):
            np.multiply(a, _FACTORS[0], out=left)
            np.multiply(c, _FACTORS[1], out=right)
            np.right_shift(right, 32, out=a)
            np.right_shift(left, 32, out=c)
            for word, other in ((a, b), (a, k), (c, d), (c, m)):
                np.bitwise_xor(word, other, out=word)
            np.bitwise_and(right, MASK, out=b)
            np.bitwise_and(left, MASK, out=d)
            for word, more in ((k, _STEPS[0]), (m, _STEPS[1])):
                np.add(word, more, out=word)
                np.bitwise_and(word, MASK, out=word)
        for row, word in zip(words, (a, b, c, d), strict=True):
            row[part] = word
    first, second, third, fourth = torch.from_numpy(words.view(np.int64)).view(4, *shape).unbind()
    return first, second, third, fourth


def _once(word: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is repeated along the last axis, once."""
    return word if word.strides[-1] else word[..., :1]


def uniform(words: Sequence[Tensor]) -> Tensor:
    """Uniform numbers on [0, 1), float32, of the upper 24 bits; words lie along the last axis."""
    return torch.stack([(word >> 8).float() * 2.0**-24 for word in words], -1).flatten(-2)


def normal(words: Sequence[Tensor]) -> Tensor:
    """Standard normal numbers, float32, by Box and Muller 1958: two of each pair of words.

    In float64 up to the end, where the device has it, so that kinds of device agree to rounding;
    |z| stays below 6.77, which a normal number exceeds once in 8e10.
    """
    wide = torch.float32 if words[0].device.type == "mps" else torch.float64
    parts = []
    for radius, angle in (words[:2], words[2:]):
        r = ((radius.to(wide) + 0.5) * 2.0**-32).log().mul(-2).sqrt()
        turn = angle.to(wide) * (2 * math.pi * 2.0**-32)
        parts += [(r * turn.cos()).float(), (r * turn.sin()).float()]
    return torch.stack(parts, -1).flatten(-2)
