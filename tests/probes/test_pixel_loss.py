"""Maps of lost log p(x | z_>k): their sums against evaluations, by hand, and their centre."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.compute import evaluate_batch
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.models import prepared
from hvae_core.probes.pixel_loss import against_usual, mean_changes, pixel_changes
from hvae_core.probes.reconstruct import reconstruct
from tests.small import FAMILIES as TINY
from tests.small import tiny_model, tiny_set

SETTINGS = EvalSettings(3, 3, seed=5)


@pytest.mark.parametrize("name", ["hvae", "biva-colour", "vdvae-aggregation"])
def test_pixels_sum_to_the_difference_that_evaluations_have(name: str) -> None:
    model = tiny_model(TINY[name])
    images = tiny_set(5, model.image_shape)
    digests = images.image_digests()
    maps = pixel_changes(model, images.images, digests, SETTINGS)
    assert maps.shape == (5, model.n_levels, *model.image_shape[1:])
    bounds, _ = evaluate_batch(model, images.images, digests, SETTINGS)
    nll = np.stack([each.nll for each in bounds], axis=1)
    np.testing.assert_allclose(maps.sum((2, 3)), nll[:, :1] - nll, rtol=1e-4, atol=1e-3)
    assert np.abs(maps[:, 1:]).max() > 0
    rebuilt = reconstruct(
        model, images.images, digests, seed=5, skipped="mean", up="mean", samples=3
    )
    np.testing.assert_allclose(rebuilt.nll.T, nll, rtol=1e-4, atol=1e-3)
    # neither the batch nor the order has a say
    back = pixel_changes(model, images.images[::-1], digests[::-1], SETTINGS)[::-1]
    np.testing.assert_allclose(maps, back, atol=1e-4)
    one = pixel_changes(model, images.images[2:3], digests[2:3], SETTINGS)
    np.testing.assert_allclose(maps[2:3], one, atol=1e-4)


def test_a_map_is_what_the_formula_gives_pixel_by_pixel() -> None:
    model = tiny_model(TINY["hvae"])
    images = tiny_set(1, model.image_shape)
    digests = images.image_digests()
    x = prepared(model, images.images, digests, seed=5)
    logs = []
    for k in range(model.n_levels):
        with torch.inference_mode():
            noise = ImageNoise(digests, 5)
            trace = model.trace(x, k=k, noise=noise, samples=3, skipped="mean")
        p = trace.likelihood.mean.numpy().astype(np.float64)[:, 0, 0]  # (S, H, W)
        seen = x.numpy()[0, 0]
        logs.append(np.where(seen > 0.5, np.log(p), np.log1p(-p)).mean(0))
    expected = np.stack(logs) - logs[0]
    found = pixel_changes(model, images.images, digests, SETTINGS)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_against_usual_sums_to_the_difference_from_the_median_image() -> None:
    model = tiny_model(TINY["hvae"])
    images = tiny_set(9, model.image_shape)
    parts = images.images, images.image_digests()
    maps = pixel_changes(model, *parts, SETTINGS)
    mean = mean_changes(model, *parts, SETTINGS, checkpoint="tiny")
    assert np.array_equal(mean, mean_changes(model, *parts, SETTINGS, checkpoint="tiny"))
    one_draw = pixel_changes(model, *parts, EvalSettings(1, 1, seed=5)).mean(axis=0)
    np.testing.assert_allclose(mean, one_draw, atol=1e-5)
    total = maps.sum((2, 3))
    median = np.median(total, axis=0)
    centred = np.stack([against_usual(each, mean, median) for each in maps])
    np.testing.assert_allclose(centred.sum((2, 3)), total - median, atol=1e-9)
    # shifted evenly: the shape is that of the map less the mean
    shape = centred - (maps - mean)
    np.testing.assert_allclose(shape, np.broadcast_to(shape[:, :, :1, :1], shape.shape), atol=1e-9)
