"""Counted numbers: the published ones, one by one as in plain Python, and of the right law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from hvae_core.common.noise import CountedNoise, Plan, keys_of
from hvae_core.common.philox import MASK, normal, philox, uniform

KNOWN = [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([MASK] * 4, [MASK] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
"""Known answers of Philox4x32-10, as Random123 (Salmon et al. 2011) publishes them."""


def word(value: int) -> torch.Tensor:
    return torch.tensor(value)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_words(counter: Any, key: Any, answer: str) -> None:
    words = philox([word(c) for c in counter], [word(k) for k in key])
    assert " ".join(f"{int(w):08x}" for w in words) == answer


def twin(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in plain Python, whose integers have no end."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = right >> 32 ^ b ^ k, right & MASK, left >> 32 ^ d ^ m, left & MASK
        k, m = (k + 0x9E3779B9) & MASK, (m + 0xBB67AE85) & MASK
    return [a, b, c, d]


def test_many_words_at_once_are_those_of_plain_python() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 2**32, (6, 50))
    many = torch.from_numpy(table)
    found = torch.stack(philox(many[:4].unbind(), many[4:].unbind()))
    expected = [twin(row[:4].tolist(), row[4:].tolist()) for row in table.T]
    assert found.T.tolist() == expected
    # numbers, two normal ones of a pair of words, four uniform ones of a block
    r = [math.sqrt(-2 * math.log((row[i] + 0.5) / 2**32)) for row in expected for i in (0, 2)]
    angle = [2 * math.pi * row[i] / 2**32 for row in expected for i in (1, 3)]
    pairs = [x for r, t in zip(r, angle, strict=True) for x in (r * math.cos(t), r * math.sin(t))]
    assert normal(found.unbind()).tolist() == pytest.approx(pairs, abs=1e-6)
    plain = [(w >> 8) / 2**24 for row in expected for w in row]
    assert uniform(found.unbind()).tolist() == plain


def drawn(keys: torch.Tensor, seed: int = 3, first: int = 0, **ways: Any) -> torch.Tensor:
    return CountedNoise(keys, seed, first, **ways).normal("q1", 2, len(keys), (2, 3))


def test_numbers_follow_their_key_wherever_it_stands() -> None:
    keys = keys_of(range(2**63, 2**63 + 20))
    whole = drawn(keys)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn(keys[order]), whole[:, order])
    assert torch.equal(drawn(keys[5:9]), whole[:, 5:9])
    assert torch.equal(drawn(keys, first=1)[0], whole[1])
    # an element is the same in a longer row, but for one of another name
    longer = CountedNoise(keys, 3).normal("q1", 1, 20, (9,))[0]
    assert torch.equal(longer[:, :6], whole[0].flatten(1))


def test_a_plan_changes_no_number() -> None:
    keys, plan = keys_of(range(8)), Plan()
    asked = [("normal", "q1", 2, (5,)), ("uniform", "x", 1, (3, 2)), ("normal", "p1", 2, ())]

    def answers(noise: CountedNoise) -> list[torch.Tensor]:
        return [getattr(noise, kind)(name, s, 8, shape) for kind, name, s, shape in asked]

    alone = [answers(CountedNoise(keys, 1))[n] for n in range(3)]
    for batch in range(3):
        found = answers(CountedNoise(keys, 1, plan=plan))
        assert all(torch.equal(a, b) for a, b in zip(found, alone, strict=True)), batch
    assert [one.shape for one in alone] == [(2, 8, 5), (1, 8, 3, 2), (2, 8)]
    later = CountedNoise(keys, 1, 2, plan=plan).normal("q1", 2, 8, (5,))
    assert torch.equal(later, CountedNoise(keys, 1).normal("q1", 4, 8, (5,))[2:])


def test_keys_names_seeds_and_samples_are_unrelated() -> None:
    keys = keys_of(range(200))  # neighbours, as bad as keys can be
    base = CountedNoise(keys).normal("q1", 2, 200, (200,))
    others = [
        CountedNoise(keys).normal("q2", 2, 200, (200,)),
        CountedNoise(keys, 1).normal("q1", 2, 200, (200,)),
        CountedNoise(keys, 0, 2).normal("q1", 2, 200, (200,)),
        base.flip(0),
        base.roll(1, dims=1),
        base.roll(1, dims=2),
        base.roll(2, dims=2),
    ]
    for other in others:
        correlation = float(np.corrcoef(base.flatten(), other.flatten())[0, 1])
        assert abs(correlation) < 5 / base.numel() ** 0.5
        squares = float(np.corrcoef(base.flatten() ** 2, other.flatten() ** 2)[0, 1])
        assert abs(squares) < 5 / base.numel() ** 0.5


@pytest.mark.parametrize("units", [1, 7, 64])
def test_numbers_have_the_right_law_across_keys(units: int) -> None:
    noise = CountedNoise(keys_of(range(5000)), 5)
    z = noise.normal("q1", 1, 5000, (units,)).double().numpy()
    u = noise.uniform("x", 1, 5000, (units,)).double().numpy()
    n = z.size
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert abs(z.mean()) < 5 / n**0.5
    assert abs(z.var() - 1) < 5 * (2 / n) ** 0.5
    assert abs((z**4).mean() - 3) < 5 * (96 / n) ** 0.5
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
