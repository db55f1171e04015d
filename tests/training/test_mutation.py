"""Mutated pixels: the rate, the grey levels, and what stays; the presets that train on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import stats

from hvae_core.config.presets import get_preset
from hvae_core.training.loop import train
from hvae_core.training.step import mutate
from tests.small import stream, tiny_config, tiny_set


def test_pixels_change_at_the_rate_to_uniform_grey_levels() -> None:
    x = torch.full((40, 3, 32, 32), 0.5)  # no grey level: what differs is mutated
    found = mutate(x, 0.2, stream())
    changed = (found != x).any(1)
    assert (changed == (found != x).all(1)).all()  # all channels or none
    hits, n = int(changed.sum()), changed.numel()
    assert stats.binomtest(hits, n, 0.2).pvalue > 1e-3
    levels = (255 * found[found != x]).numpy()
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
    counts = np.bincount(np.round(levels).astype(int), minlength=256)
    assert len(counts) == 256
    assert stats.chisquare(counts).pvalue > 1e-3
    assert torch.equal(mutate(x, 0.0, stream()), x)


def test_a_background_model_learns_from_other_pixels() -> None:
    preset = get_preset("glyphs-hvae3-background")
    assert preset.train.mutation == 0.1
    assert preset.model == get_preset("glyphs-hvae3-elbo").model
    images = tiny_set(8)
    plain = replace(preset.train, epochs=1, batch_size=8, mutation=0.0, epoch_images=0)
    runs = [
        train(tiny_config(), replace(plain, mutation=rate), images, validation=images)
        for rate in (0.0, 0.0, 0.5)
    ]
    first, same, other = (run.model.state_dict() for run in runs)
    # a first step of Adam has the sign of the gradient alone: look at all weights
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
