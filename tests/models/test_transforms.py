"""Transforms of an image against scipy, and what they and their inverses must keep."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from hvae_core.config.context import ContextConfig, DenoiserConfig, PseudoConfig, check_context
from hvae_core.models.priors import quantise, transform_from_config
from hvae_core.models.priors.transforms import DCTTransform, Downsample, dct2, dct_matrix, idct2

GREY = (1, 8, 8)


def images(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 9), (1, 28, 28)])
def test_dct_is_that_of_scipy(shape: tuple[int, int, int]) -> None:
    x = images(4, *shape)
    expected = dctn(x.numpy(), axes=(-2, -1), norm="ortho")
    np.testing.assert_allclose(dct2(x).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(idct2(dct2(x)).numpy(), x.numpy(), atol=1e-12)
    energy = (x**2).sum((-1, -2))
    torch.testing.assert_close((dct2(x) ** 2).sum((-1, -2)), energy)


def test_matrix_has_the_entries_of_the_paper() -> None:
    c = dct_matrix(6, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(c @ c.T, torch.eye(6, dtype=torch.float64))
    for k in range(6):
        for n in range(6):
            size = 1 if k == 0 else 2
            value = math.sqrt(size / 6) * math.cos(math.pi / 6 * (n + 0.5) * k)
            assert float(c[k, n]) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 10, 7)])
def test_cropped_dct_and_back_by_scipy(shape: tuple[int, int, int]) -> None:
    """DVP Algorithms 1 and 2, step by step, with S over all the images."""
    f = DCTTransform(shape, 4).double()
    x = images(20, *shape)
    f.fit([x[:7], x[7:12], x[12:]])
    low = dctn(x.numpy(), axes=(-2, -1), norm="ortho")[..., :4, :4]
    largest = np.abs(low).max(0)
    np.testing.assert_allclose(f.scale.numpy(), largest, atol=1e-12)
    u = f(x)
    np.testing.assert_allclose(u.numpy(), low / largest, atol=1e-12)
    assert float(u.abs().max()) == pytest.approx(1, abs=1e-12)
    padded = np.zeros(x.shape)
    padded[..., :4, :4] = low
    expected = idctn(padded, axes=(-2, -1), norm="ortho")
    np.testing.assert_allclose(f.inverse(u).numpy(), expected, atol=1e-12)
    torch.testing.assert_close(f(f.inverse(u)), u)  # what was cropped is gone, the rest is exact


def test_the_whole_dct_loses_nothing_and_fitting_again_starts_anew() -> None:
    f = DCTTransform(GREY, 8).double()
    x = images(5, *GREY)
    f.fit([x])
    torch.testing.assert_close(f.inverse(f(x)), x)
    first = f.scale.clone()
    f.fit([x / 2])
    torch.testing.assert_close(f.scale, first / 2)
    f.fit([torch.ones_like(x)])  # flat images: no frequency but the mean
    expected = torch.ones(1, 8, 8, dtype=torch.float64)
    expected[0, 0, 0] = 8.0
    torch.testing.assert_close(f.scale, expected)
    assert "scale" in f.state_dict()


def test_downsampling_is_the_mean_of_squares_and_repeats_it() -> None:
    f = Downsample((2, 8, 8), 4)
    x = images(3, 2, 8, 8)
    means = x.reshape(3, 2, 4, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close((f(x) + 1) / 2, means)
    repeated = means.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(f.inverse(f(x)), repeated)
    torch.testing.assert_close(f(f.inverse(f(x))), f(x))
    odd = Downsample((1, 10, 7), 3)
    flat = torch.full((1, 1, 10, 7), 0.25)
    torch.testing.assert_close(odd.inverse(odd(flat)), flat)


def test_linear_map_is_linear_and_learnt() -> None:
    torch.manual_seed(0)
    f = transform_from_config(PseudoConfig(3, transform="linear"), GREY).double()
    x, y = images(2, *GREY), images(2, *GREY, seed=1)
    zero = f(torch.zeros_like(x))
    torch.testing.assert_close(f(2 * x + 3 * y) - zero, 2 * (f(x) - zero) + 3 * (f(y) - zero))
    assert f(x).shape == (2, 1, 3, 3)
    f.inverse(f(x)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in f.parameters())


@pytest.mark.parametrize("bins", [2, 3, 16, 256])
def test_quantisation_goes_to_the_nearest_bin(bins: int) -> None:
    u = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    values = np.linspace(-1, 1, bins)
    found = quantise(u, bins)
    assert float((found - u).abs().max()) <= 1 / (bins - 1) + 1e-12
    nearest = np.abs(u.numpy()[:, None] - values).min(1)
    np.testing.assert_allclose((found - u).abs().numpy(), nearest, atol=1e-12)
    assert len(found.unique()) == bins
    torch.testing.assert_close(quantise(found, bins), found)
    ends = torch.tensor([-5.0, 5.0])
    torch.testing.assert_close(quantise(ends, bins), ends.sign())


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (PseudoConfig(9), GREY),
        (ContextConfig(32), (4, 64, 64)),
        (PseudoConfig(32, transform="linear"), (3, 256, 256)),
        (ContextConfig(7, denoiser=DenoiserConfig(scales=2)), (1, 28, 28)),
    ],
)
def test_contexts_that_do_not_fit_are_refused(config: Any, shape: tuple[int, int, int]) -> None:
    if config.size == 32 and isinstance(config, ContextConfig):
        check_context(config, shape)  # 4096 values: the largest there is
        return
    with pytest.raises(ValueError, match="context|linear"):
        check_context(config, shape)
