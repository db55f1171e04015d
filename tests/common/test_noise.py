"""Noise: the same for the same picture wherever it stands, unrelated between names, normal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from hvae_core.common.noise import ImageNoise, StreamNoise
from tests.small import stream, tiny_set


def test_numbers_follow_the_picture_bit_for_bit() -> None:
    digests = tiny_set(20).image_digests()
    whole = ImageNoise(digests, 3).normal("q1", 2, 20, (2, 3))
    assert torch.equal(whole, ImageNoise(digests, 3).normal("q1", 2, 20, (2, 3)))
    order = np.random.default_rng(0).permutation(20)
    shuffled = ImageNoise([digests[i] for i in order], 3).normal("q1", 2, 20, (2, 3))
    assert torch.equal(shuffled, whole[:, order.copy()])
    for start in range(0, 20, 7):
        part = ImageNoise(digests[start : start + 7], 3)
        drawn = part.normal("q1", 2, len(part.keys), (2, 3))
        assert torch.equal(drawn, whole[:, start : start + 7])


def test_numbers_do_not_depend_on_what_was_drawn_before() -> None:
    noise = ImageNoise([1, 2])
    first = noise.normal("q1", 1, 2, (5,))
    noise.uniform("x", 3, 2, (7,))
    assert torch.equal(noise.normal("q1", 1, 2, (5,)), first)


@pytest.mark.parametrize("shape", [(3,), (40,)])
def test_samples_continue_where_the_last_chunk_ended(shape: tuple[int, ...]) -> None:
    whole = ImageNoise([5, 6, 7]).normal("q2", 5, 3, shape)
    for first, count in ((0, 3), (3, 2)):
        part = ImageNoise([5, 6, 7], first_sample=first).normal("q2", count, 3, shape)
        assert torch.equal(part, whole[first : first + count])


def test_names_seeds_samples_and_images_are_unrelated() -> None:
    digests = list(range(100))  # neighbours, as bad as digests can be
    units = (100,)
    base = ImageNoise(digests).normal("q1", 2, 100, units)
    others = [
        ImageNoise(digests).normal("q2", 2, 100, units),
        ImageNoise(digests).normal("p1", 2, 100, units),
        ImageNoise(digests, seed=1).normal("q1", 2, 100, units),
        ImageNoise(digests, first_sample=2).normal("q1", 2, 100, units),
        base.flip(0),
        base.roll(1, dims=1),
        base.roll(1, dims=2),
    ]
    for other in others:
        correlation = float(np.corrcoef(base.flatten(), other.flatten())[0, 1])
        assert abs(correlation) < 5 / base.numel() ** 0.5
        assert not (base == other).any()


@pytest.mark.parametrize("units", [1, 7, 64])
def test_numbers_are_standard_normal_across_images(units: int) -> None:
    """Each image starts a stream anew: the first numbers of many streams must be normal too."""
    drawn = ImageNoise(range(3000)).normal("q1", 1, 3000, (units,)).numpy()
    assert stats.kstest(drawn[..., 0].ravel(), "norm").pvalue > 1e-3
    n = drawn.size
    assert abs(drawn.mean()) < 5 / n**0.5
    assert abs(drawn.var() - 1) < 5 * (2 / n) ** 0.5
    assert abs((drawn**4).mean() - 3) < 5 * (96 / n) ** 0.5


def test_uniform_numbers_are_uniform() -> None:
    drawn = ImageNoise(range(3000)).uniform("x", 1, 3000, (4,)).numpy()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-3


def test_streams_of_a_set_are_all_different() -> None:
    first = ImageNoise(tiny_set(2000).image_digests()).normal("q1", 2, 2000, (2,))
    assert len({tuple(row) for row in first.flatten(0, 1).tolist()}) == 4000


def test_a_wrong_number_of_digests_is_refused() -> None:
    with pytest.raises(ValueError, match="3 keys of images for a batch of 2"):
        ImageNoise([1, 2, 3]).normal("q1", 1, 2, (1,))


def test_one_stream_follows_its_generator() -> None:
    one, other = stream(4), stream(4)
    assert torch.equal(one.normal("a", 2, 3, (4,)), other.normal("b", 2, 3, (4,)))
    assert torch.equal(one.uniform("a", 2, 3, ()), other.uniform("b", 2, 3, ()))
    assert isinstance(one, StreamNoise)
    assert not torch.equal(one.normal("a", 1, 1, (4,)), stream(5).normal("a", 1, 1, (4,)))
