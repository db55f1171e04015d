"""The consistency term against divergences written out for Gaussians, and the moved images."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.config import TrainConfig, from_json
from hvae_core.training.consistency import Beside, consistent, moved
from hvae_core.training.objectives import Objective, elbo
from tests.linear_gaussian import Chain, LinearGaussian, TopDownGaussian
from tests.small import FAMILIES, prepared, stream, tiny_model, tiny_set


class Given(Noise):
    """The same uniform numbers for every image."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        raise NotImplementedError

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        return torch.tensor(self.values).expand(samples, batch, *shape)


@pytest.mark.parametrize("family", [LinearGaussian, TopDownGaussian])
def test_of_exact_inference_it_is_the_divergence_of_the_joint_posteriors(
    family: type[Chain],
) -> None:
    """z depends on x by C^T x = w in z_1's likelihood alone, and no covariance depends on x.

    With the posterior precision P of z that is d^T P d / 2 for means that lie d = P^-1 e_1
    (w - w') / s_0^2 apart: var(z_1 | x) (w - w')^2 / (2 s_0^4), summed over units.
    """
    model = family(3)
    x, y = model.images(8).split(4)
    apart = (y - x).numpy().reshape(4, -1) @ model.C
    variance = 1 / (1 / model.marginals()[1][0] + (model.C**2).sum(0) / model.s0**2)
    expected = (variance * apart**2).sum(1) / (2 * model.s0**4)
    found = consistent(model, x, y, noise=ImageNoise(range(4)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("family", ["hvae", "lvae", "biva", "vdvae", "dct-vae"])
def test_of_equal_images_it_is_nothing_and_of_others_more(family: str) -> None:
    model, images = tiny_model(FAMILIES[family]), tiny_set(4)
    x = prepared(model, images)
    noise = ImageNoise(images.image_digests())
    assert not consistent(model, x, x, noise=noise).any()
    apart = consistent(model, x, x.flip(0), noise=noise)
    assert apart.shape == (4,) and (apart > 0).all()
    assert not consistent(model, x, x, noise=stream()).any()  # whose numbers come but once


def test_the_loss_is_the_mean_of_both_bounds_and_half_the_weighted_term() -> None:
    model, images = tiny_model(), tiny_set(8)
    grey = torch.from_numpy(images.images.copy()).float() / 255
    noise = ImageNoise(images.image_digests())
    config = TrainConfig("bars", beside="moved", consistency=0.7)
    other = Beside(noise)
    x, y = model.prepare(grey, noise), model.prepare(moved(grey, config, other), other)
    both = elbo(model, x, noise, beta=0.5).loss + elbo(model, y, other, beta=0.5).loss
    term = consistent(model, x, y, noise=other).mean()
    found = Objective(model, config)(grey, noise, beta=0.5)
    torch.testing.assert_close(found.loss, (both + 0.7 * term) / 2)
    alone = Objective(model, TrainConfig("bars", beside="moved"))(grey, noise, beta=0.5)
    torch.testing.assert_close(alone.loss, both / 2)
    torch.testing.assert_close(found.elbo, elbo(model, x, noise).elbo)  # of the images themselves


def test_images_are_turned_shifted_and_scaled_by_pixels() -> None:
    grey = torch.rand(2, 1, 4, 8, generator=torch.Generator().manual_seed(0))
    grey = (255 * grey).round() / 255
    still = {"move_degrees": 0.0, "move_share": 0.0, "move_scale": 0.0}
    at = {name: TrainConfig("bars", beside="moved", **(still | {name: 0.25})) for name in still}
    middle = moved(grey, TrainConfig("bars", beside="moved"), Given(0.5, 0.5, 0.5, 0.5))
    torch.testing.assert_close(middle, grey)
    aside = moved(grey, at["move_share"], Given(0.5, 0.5, 1.0, 0.5))  # a quarter of eight pixels
    torch.testing.assert_close(aside[..., :6], grey[..., 2:])
    torch.testing.assert_close(aside[..., 6:], grey[..., 7:].expand(2, 1, 4, 2))  # the edge goes on
    square = grey[..., 2:6]
    turn = TrainConfig("bars", beside="moved", **(still | {"move_degrees": 90.0}))
    turned = moved(grey, turn, Given(1.0, 0.5, 0.5, 0.5))[..., 2:6]
    assert (
        min(float((turned - square.rot90(times, (2, 3))).abs().max()) for times in (1, 3)) < 1e-6
    )  # not sheared, though the picture is twice as wide as high


def test_what_has_no_effect_is_refused() -> None:
    for given, word in (
        ({"consistency": 0.1}, "set beside"),
        ({"beside": "moved", "objective": "informative"}, "does not take moved images"),
    ):
        with pytest.raises(ConfigError, match=word):
            from_json(TrainConfig, json.dumps({"data": "bars", **given}))
