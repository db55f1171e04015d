"""Philox4x32-10 (Salmon et al. 2011): random numbers as a function of a key and a counter.

No state: a number is found from where it stands alone, many at once, on any kind of device. The
32-bit words lie in int64 tensors, whose products wrap as those of unsigned words do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MASK = (1 << 32) - 1
ROUNDS = 10
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)  # added to the key between rounds

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Sequence[Tensor], key: Sequence[Tensor], rounds: int = ROUNDS) -> Words:
    """Four words of 32 random bits for four words of counter and two of key, which broadcast."""
    a, b, c, d = counter
    k, m = key
    for _ in range(rounds):
        left, right = a * _FACTORS[0], c * _FACTORS[1]
        # The upper half of a product, whose sign the shift carries on until the mask takes it off.
        a, c = (right >> 32 ^ b ^ k) & MASK, (left >> 32 ^ d ^ m) & MASK
        b, d = right & MASK, left & MASK
        k, m = (k + _STEPS[0]) & MASK, (m + _STEPS[1]) & MASK
    return a, b, c, d


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
