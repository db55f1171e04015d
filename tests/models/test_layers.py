"""Layers: weight normalisation set from data, sizes kept through odd and oblong feature maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hvae_core.models.layers.residual import (
    FromLatent,
    Residual,
    Stage,
    ToLatent,
    conv,
    data_dependent_init,
    fold,
    linear,
)
from tests.small import prepared, stream, tiny_config, tiny_model, tiny_set


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_layers_start_at_mean_zero_and_variance_one() -> None:
    network = nn.Sequential(conv(3, 8, 3), nn.ReLU(), conv(8, 4, 3), nn.Flatten(), linear(144, 10))
    x = 7 + 5 * randn(64, 3, 6, 6)
    seen: list[Tensor] = []
    data_dependent_init(network, lambda: seen.append(network(x)))
    with torch.no_grad():
        hidden = network[0](x)
        out = network(x)
    for values, axes in ((hidden, (0, 2, 3)), (out, (0,))):
        torch.testing.assert_close(
            values.mean(axes), torch.zeros(values.shape[1]), atol=1e-4, rtol=0
        )
        torch.testing.assert_close(values.std(axes), torch.ones(values.shape[1]), atol=1e-4, rtol=0)
    # what the pass itself handed on was already scaled
    torch.testing.assert_close(seen[0], out, atol=1e-4, rtol=1e-4)


def test_every_layer_starts_at_mean_zero_and_variance_one_and_scales_nearly_constant() -> None:
    """Scales that start as wide as means reach their floor within a step or two."""
    model = tiny_model(tiny_config(), seed=3)
    images, stats = tiny_set(32), {}
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}

    def keep(name: str):  # type: ignore[no-untyped-def]
        def hook(_layer: object, _inputs: object, out: Tensor) -> None:
            axes = [a for a in range(out.dim()) if a != 1]
            stats[name] = (out.mean(axes), out.std(axes))

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    noise = stream(3)  # the noise that tiny_model initialised with
    x = torch.from_numpy(images.images.copy()).float() / 255
    with torch.no_grad():
        model.trace(model.prepare(x, noise), noise=noise)
    for handle in handles:
        handle.remove()
    assert stats.keys() == layers.keys()  # every layer took part
    for name, (mean, std) in stats.items():
        assert mean.abs().max() < 1e-3, name
        means = std.chunk(2)[0] if name.startswith(("to_q", "to_p")) else std
        assert (means - 1).abs().max() < 0.02 or means.min() < 1e-3, name
        if means is not std:
            assert (std.chunk(2)[1] - 0.1).abs().max() < 0.002, name


def test_a_second_pass_changes_nothing() -> None:
    layer = conv(1, 2, 3)
    x = randn(4, 1, 5, 5)

    def twice() -> None:
        layer(x)
        layer(10 * x)

    data_dependent_init(layer, twice)
    torch.testing.assert_close(layer(x).std((0, 2, 3)), torch.ones(2))


@pytest.mark.parametrize("batch", [1, 2])
def test_one_image_is_enough_to_start_from(batch: int) -> None:
    network = nn.Sequential(linear(4, 3), nn.ReLU(), linear(3, 2))
    data_dependent_init(network, lambda: network(randn(batch, 4)))
    out = network(randn(5, 4, seed=1))
    assert torch.isfinite(out).all()
    assert out.abs().max() < 50


def test_constant_inputs_do_not_blow_up() -> None:
    network = nn.Sequential(conv(1, 2, 3))
    data_dependent_init(network, lambda: network(torch.zeros(4, 1, 5, 5)))
    assert torch.isfinite(network(torch.zeros(4, 1, 5, 5))).all()
    for value in network.parameters():
        assert torch.isfinite(value).all()


def test_weight_normalisation_is_gain_times_direction() -> None:
    layer = linear(3, 2)
    gain = layer.get_parameter("parametrizations.weight.original0")
    direction = layer.get_parameter("parametrizations.weight.original1")
    expected = gain * direction / direction.norm(dim=1, keepdim=True)
    torch.testing.assert_close(layer(torch.eye(3)) - layer.get_parameter("bias"), expected.T)


SIZES = [((8, 8), (4, 4)), ((7, 7), (4, 4)), ((5, 9), (3, 5)), ((9, 5), (5, 3)), ((2, 8), (1, 4))]
SIZES += [((1, 2), (1, 1)), ((14, 6), (7, 3)), ((6, 14), (3, 7))]


@pytest.mark.parametrize(("large", "small"), SIZES)
def test_blocks_go_down_and_up_to_the_size_asked_for(
    large: tuple[int, int], small: tuple[int, int]
) -> None:
    assert Residual(channels=4, kernel=3, size=small, stride=2)(randn(2, 4, *large)).shape == (
        2,
        4,
        *small,
    )
    assert Residual(channels=4, kernel=3, size=large, stride=2)(randn(2, 4, *small)).shape == (
        2,
        4,
        *large,
    )
    assert Stage(channels=4, kernel=5, blocks=3, size=small, stride=2)(
        randn(2, 4, *large)
    ).shape == (2, 4, *small)
    assert FromLatent((3, *large), 4, small)(randn(2, 3, *large)).shape == (2, 4, *small)
    assert FromLatent((3, *small), 4, large)(randn(2, 3, *small)).shape == (2, 4, *large)
    assert FromLatent((5,), 4, small)(randn(2, 5)).shape == (2, 4, *small)
    assert ToLatent(4, small, (5,))(randn(2, 4, *small)).shape == (2, 10)
    assert ToLatent(4, small, (5, *small))(randn(2, 4, *small)).shape == (2, 10, *small)


@pytest.mark.parametrize(("large", "small"), SIZES)
def test_going_down_averages_and_keeps_constants(
    large: tuple[int, int], small: tuple[int, int]
) -> None:
    block = Residual(channels=1, kernel=3, size=small, stride=2)
    with torch.no_grad():
        for name, value in block.named_parameters():
            if name.endswith(("original0", "bias")):
                value.zero_()  # the residual branch is off: what is left is the shortcut
    constant = block(torch.ones(1, 1, *large))
    torch.testing.assert_close(constant, torch.ones(1, 1, *small))
    if large[0] % 2 == 0 and large[1] % 2 == 0:
        x = randn(1, 1, *large)
        torch.testing.assert_close(block(x).mean(), x.mean())


def test_residual_is_the_identity_with_its_branch_off() -> None:
    block = Residual(channels=3, kernel=3, size=(5, 5), stride=1)
    with torch.no_grad():
        block.second.get_parameter("parametrizations.weight.original0").zero_()
        block.second.get_parameter("bias").zero_()
    x = randn(2, 3, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_fold_treats_samples_as_images() -> None:
    layer = conv(2, 3, 3)
    x = randn(4, 5, 2, 6, 6)
    out = fold(layer, x)
    assert out.shape == (4, 5, 3, 6, 6)
    torch.testing.assert_close(out[2], layer(x[2]))


def test_prepared_images_pass_the_stem() -> None:
    """A pixel reaches q(z_1) through the squares it is folded into, whatever the stem."""
    for stem in (1, 2, 4):
        model = tiny_model(tiny_config(stem=stem))
        x = prepared(model, tiny_set(2)).requires_grad_()
        trace = model.trace(x.detach(), noise=stream())
        assert trace.likelihood.mean.shape == (1, 2, 1, 8, 8)
        means = model.posterior_means(x, noise=stream())
        (grad,) = torch.autograd.grad(sum(mean.sum() for mean in means), x)  # type: ignore[arg-type]
        assert (grad.abs().sum(0) > 0).float().mean() > 0.9
