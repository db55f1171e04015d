"""Generation against a hierarchy whose every conditional is a straight line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hvae_core.errors import ConfigError
from hvae_core.generation import encode, interpolation, prior_samples, redraws, traversal
from hvae_core.models import HierarchicalVAE
from tests.linear_gaussian import LinearGaussian
from tests.small import CONV, DENSE, tiny_config, tiny_model, tiny_set


@pytest.fixture(scope="module")
def linear() -> LinearGaussian:
    return LinearGaussian(3).double()


def latents(n: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    return tuple(torch.randn(n, 3, generator=generator, dtype=torch.float64) for _ in range(3))


def decoded(model: LinearGaussian, z1: np.ndarray) -> np.ndarray:
    return (z1 @ model.C.T + model.c).reshape(-1, *model.shape)


def test_prior_samples_have_the_moments_of_the_prior(linear: LinearGaussian) -> None:
    mean, variance = linear.marginals()
    flat = prior_samples(linear, 40_000, seed=1).reshape(40_000, -1)
    np.testing.assert_allclose(flat.mean(0), linear.C @ mean[0] + linear.c, atol=0.05)
    np.testing.assert_allclose(
        np.cov(flat.T), linear.C * variance[0] @ linear.C.T, atol=0.05 * variance[0].max()
    )


def test_redraws_keep_what_is_above(linear: LinearGaussian) -> None:
    """z_2 and z_3 kept: z_1 is drawn from p(z_1 | z_2) alone."""
    z = latents()
    flat = redraws(linear, z, 1, 40_000, seed=2).reshape(40_000, -1)
    z1 = linear.a[0] * z[1][0].numpy() + linear.b[0]
    np.testing.assert_allclose(flat.mean(0), linear.C @ z1 + linear.c, atol=0.03)
    cov = linear.C * linear.s[0] ** 2 @ linear.C.T
    np.testing.assert_allclose(np.cov(flat.T), cov, atol=0.05 * cov.max())
    same = redraws(linear, z, 0, 3)
    np.testing.assert_allclose(same, decoded(linear, z[0][:1].numpy()).repeat(3, 0), rtol=1e-6)


def test_interpolation_is_a_straight_line_here(linear: LinearGaussian) -> None:
    z = latents()
    path = interpolation(linear, z, 2, 5)
    ends = [linear.a[0] * (linear.a[1] * z[2][i].numpy() + linear.b[1]) + linear.b[0]
            for i in (0, 1)]  # fmt: skip
    steps = np.linspace(0, 1, 5)[:, None]
    expected = decoded(linear, ends[0] + steps * (ends[1] - ends[0]))
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=1e-6)


def test_draws_along_a_path_are_the_same_for_all_steps(linear: LinearGaussian) -> None:
    z = latents()
    warm, cold = (interpolation(linear, z, 2, 4, temperature=t) for t in (1.0, 0.0))
    shift = (warm - cold).reshape(4, -1)
    np.testing.assert_allclose(shift, shift[:1].repeat(4, 0), atol=1e-5)
    assert np.abs(shift).max() > 0.01


def test_traversal_moves_one_unit(linear: LinearGaussian) -> None:
    z = latents()
    values = [-2.0, 0.0, 2.0]
    path = traversal(linear, z, 2, 1, values)
    z2 = np.repeat(z[1][:1].numpy(), 3, 0)
    z2[:, 1] = values
    expected = decoded(linear, linear.a[0] * z2 + linear.b[0])
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def model() -> HierarchicalVAE:
    return tiny_model(tiny_config(latents=(CONV, DENSE, DENSE), family="lvae"))


def test_pictures_of_a_real_model(model: HierarchicalVAE) -> None:
    images = tiny_set(2)
    z = encode(model, images.images, images.image_digests())
    assert [tuple(part.shape) for part in z] == [(2, *s.shape) for s in model.latents]
    for made in (
        prior_samples(model, 4, temperature=[0.5, 1.0, 1.0]),
        redraws(model, z, 2, 4),
        interpolation(model, z, 1, 4),
        traversal(model, z, 1, 3, [-1.0, 0.0, 1.0, 2.0]),
    ):
        assert made.shape == (4, 1, 8, 8)
        assert (made >= 0).all()
        assert (made <= 1).all()
    again = redraws(model, z, 2, 4)
    np.testing.assert_array_equal(again, redraws(model, z, 2, 4))
    assert (again != redraws(model, z, 2, 4, seed=1)).any()


def test_what_the_model_lacks_is_said(model: HierarchicalVAE) -> None:
    z = tuple(torch.zeros(2, *spec.shape) for spec in model.latents)
    with pytest.raises(ConfigError, match="layers 1 to 3"):
        traversal(model, z, 4, 0, [0.0])
    with pytest.raises(ConfigError, match="units 0 to 3"):
        traversal(model, z, 3, 4, [0.0])
    with pytest.raises(ConfigError, match="at least 2 steps"):
        interpolation(model, z, 1, 1)
    with pytest.raises(ConfigError, match="between 0 and 2"):
        redraws(model, z, 3, 2)
