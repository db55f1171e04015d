"""A frozen copy is the model, but for rounding, and leaves the model as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import log_weights
from hvae_core.evaluation.compute import evaluate_batch
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.models.frozen import frozen
from hvae_core.models.layers.residual import ToLatent
from tests.small import FAMILIES, prepared, tiny_model, tiny_set

CLOSE = {"rtol": 1e-5, "atol": 2e-4}


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_are_those_of_the_model(family: str) -> None:
    """The frozen copy, all k at once, against the model itself, k by k and sample by sample."""
    config = FAMILIES[family]
    model, images = tiny_model(config).eval(), tiny_set(3, config.image_shape)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    twin, x, digests = frozen(model), prepared(model, images), images.image_digests()
    with torch.no_grad():
        together = twin.traces(x, range(model.n_levels), noise=ImageNoise(digests), samples=2)
        for k, trace in enumerate(together):
            for s in range(2):
                alone = model.trace(x, k=k, noise=ImageNoise(digests, first_sample=s))
                torch.testing.assert_close(log_weights(trace)[s], log_weights(alone)[0], **CLOSE)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert any(value.requires_grad for value in model.parameters())
    assert not any(value.requires_grad for value in twin.parameters())


def test_no_layer_is_normalised_any_more_but_in_the_model() -> None:
    model = tiny_model()
    twin = frozen(model)

    def normalised(of: nn.Module) -> int:
        return sum(parametrize.is_parametrized(layer) for layer in of.modules())

    assert normalised(model) > 10
    assert normalised(twin) == 0
    weight = model.get_parameter("to_x.parametrizations.weight.original0")
    with torch.no_grad():
        weight.mul_(2)
    noise = ImageNoise([0])
    x = torch.ones(1, *model.image_shape)
    assert not torch.equal(
        model.trace(x, noise=noise).log_px, frozen(twin).trace(x, noise=noise).log_px
    )


@pytest.mark.parametrize("family", ["hvae", "lvae", "biva", "vdvae", "dct-vae", "dvp-vae"])
def test_half_precision_is_near(family: str) -> None:
    """bfloat16 has 8 binary digits, so most bounds stay within a twentieth."""
    config = FAMILIES[family]
    model, images = tiny_model(config).eval(), tiny_set(6, config.image_shape)
    keys = images.image_digests()
    exact, _ = evaluate_batch(model, images.images, keys, settings=EvalSettings(4, 4))
    rough, means = evaluate_batch(
        model, images.images, keys, settings=EvalSettings(4, 4, precision="bfloat16")
    )
    for one, other in zip(exact, rough, strict=True):
        assert other.bound.dtype == np.float64
        gap = np.abs(one.bound / other.bound - 1)
        assert 0 < np.median(gap) < 0.05
        assert gap.max() < 0.2
    assert all(np.isfinite(mean).all() for mean in means)


def test_means_and_scales_are_never_rounded_to_half_precision() -> None:
    """Under autocast a latent's layer gives what it gives without, of weights kept in full."""
    model = tiny_model(FAMILIES["hvae"]).eval()
    twin = frozen(model, half=True)
    layers = [part for part in twin.modules() if isinstance(part, ToLatent)]
    assert layers
    for layer in layers:
        weight = layer.map.weight
        assert weight.dtype == torch.float32
        inputs = weight.shape[1]
        x = torch.randn(2, inputs, 1, 1) if layer.dense else torch.randn(2, inputs, 4, 4)
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(x)
        assert found.dtype == torch.float32
        assert torch.equal(found, layer(x))
