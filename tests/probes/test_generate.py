"""Generation against a hierarchy whose every conditional is a straight line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hvae_core.common.errors import ConfigError
from hvae_core.config import DeepConfig
from hvae_core.models import HierarchicalVAE
from hvae_core.probes.generate import (
    drawn_tops,
    encode,
    from_prior_images,
    from_top,
    interpolation,
    picture_on_top,
    prior_samples,
    redraws,
    traversal,
)
from tests.linear_gaussian import LinearGaussian
from tests.small import (
    CONV,
    DENSE,
    FAMILIES,
    stream,
    tiny_config,
    tiny_dct,
    tiny_dvp,
    tiny_model,
    tiny_set,
)


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


def test_encoded_layers_are_one_joint_state(linear: LinearGaussian) -> None:
    """Exact inference with every mean passed on gives E[z_i | x], the mean of the joint posterior.

    By Bayes' rule for the pixels and all layers at once, from their joint covariance.
    """

    class Read(LinearGaussian):  # images come as bytes; the model's own pixels are reals
        def prepare(self, x: torch.Tensor, noise: object) -> torch.Tensor:
            return x.double() * 3 - 1

    model = Read(3).double()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 2, 3)).astype(np.uint8)
    x = (pixels.astype(np.float64) / 255 * 3 - 1).reshape(4, -1)
    mean, variance = model.marginals()
    inverse = np.linalg.inv(model.C * variance[0] @ model.C.T + model.s0**2 * np.eye(6))
    z = encode(model, pixels, range(4))
    above = np.ones(3)  # Cov(z_i, z_1) by unit, in units of Var(z_i)
    for i in range(3):
        cross = (variance[i] * above)[:, None] * model.C.T  # Cov(z_i, x)
        expected = mean[i] + (x - model.C @ mean[0] - model.c) @ (cross @ inverse).T
        np.testing.assert_allclose(z[i].numpy(), expected, atol=1e-5)
        if i < 2:
            above = above * model.a[i]


def test_redraws_keep_what_is_above(linear: LinearGaussian) -> None:
    """z_2 and z_3 kept: z_1 is drawn from p(z_1 | z_2) alone."""
    z = latents()
    flat = redraws(linear, z, 1, n=40_000, seed=2).reshape(40_000, -1)
    z1 = linear.a[0] * z[1][0].numpy() + linear.b[0]
    np.testing.assert_allclose(flat.mean(0), linear.C @ z1 + linear.c, atol=0.03)
    cov = linear.C * linear.s[0] ** 2 @ linear.C.T
    np.testing.assert_allclose(np.cov(flat.T), cov, atol=0.05 * cov.max())
    same = redraws(linear, z, 0, n=3)
    np.testing.assert_allclose(same, decoded(linear, z[0][:1].numpy()).repeat(3, 0), rtol=1e-6)


def test_interpolation_is_a_straight_line_here(linear: LinearGaussian) -> None:
    z = latents()
    path = interpolation(linear, z, 2, steps=5)
    ends = [linear.a[0] * (linear.a[1] * z[2][i].numpy() + linear.b[1]) + linear.b[0]
            for i in (0, 1)]  # fmt: skip
    steps = np.linspace(0, 1, 5)[:, None]
    expected = decoded(linear, ends[0] + steps * (ends[1] - ends[0]))
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=1e-6)


def test_draws_along_a_path_are_the_same_for_all_steps(linear: LinearGaussian) -> None:
    z = latents()
    warm, cold = (interpolation(linear, z, 2, steps=4, temperature=t) for t in (1.0, 0.0))
    shift = (warm - cold).reshape(4, -1)
    np.testing.assert_allclose(shift, shift[:1].repeat(4, 0), atol=1e-5)
    assert np.abs(shift).max() > 0.01


def test_traversal_moves_one_unit(linear: LinearGaussian) -> None:
    z = latents()
    values = [-2.0, 0.0, 2.0]
    path = traversal(linear, z, 2, unit=1, values=values)
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
        redraws(model, z, 2, n=4),
        interpolation(model, z, 1, steps=4),
        traversal(model, z, 1, unit=3, values=[-1.0, 0.0, 1.0, 2.0]),
    ):
        assert made.shape == (4, 1, 8, 8)
        assert (made >= 0).all()
        assert (made <= 1).all()
    again = redraws(model, z, 2, n=4)
    np.testing.assert_array_equal(again, redraws(model, z, 2, n=4))
    assert (again != redraws(model, z, 2, n=4, seed=1)).any()


def test_what_the_model_lacks_is_said(model: HierarchicalVAE) -> None:
    z = tuple(torch.zeros(2, *spec.shape) for spec in model.latents)
    with pytest.raises(ConfigError, match="layers 1 to 3"):
        traversal(model, z, 4, unit=0, values=[0.0])
    with pytest.raises(ConfigError, match="units 0 to 3"):
        traversal(model, z, 3, unit=4, values=[0.0])
    with pytest.raises(ConfigError, match="at least 2 steps"):
        interpolation(model, z, 1, steps=1)
    with pytest.raises(ConfigError, match="between 0 and 2"):
        redraws(model, z, 3, n=2)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_top_is_what_a_sample_draws_first(family: str) -> None:
    """Handing z_L to ``sample`` that it would have drawn itself changes nothing."""
    model = tiny_model(FAMILIES[family])
    with torch.inference_mode():
        whole = model.sample(3, noise=stream(4)).mean
        noise = stream(4)
        top = model.sample_top(3, noise=noise)
        assert top.shape == (3, *model.latents[-1].shape)
        parts = model.sample(3, noise=noise, given={model.n_layers: top}).mean
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_are_on_top_where_the_paper_puts_one(family: str) -> None:
    config = FAMILIES[family]
    kind = picture_on_top(tiny_model(config))
    if config.family in ("dct-vae", "dvp-vae"):
        assert kind == "latent"
    else:
        assert kind == ("prior" if getattr(config, "pseudoinputs", 0) else None)


def test_a_latent_picture_is_the_low_frequencies_of_the_image() -> None:
    """u of an image, back in the image domain, is x without its high frequencies (scipy)."""
    fft = pytest.importorskip("scipy.fft")
    model, images = tiny_model(tiny_dvp()), tiny_set(3)
    x = images.images.astype(np.float64) / 255
    with torch.inference_mode():
        u = model.posterior_means(torch.from_numpy(x).float(), noise=stream())[-1]
        shown = model.pictures_of(model.n_layers, u)
        assert all(model.pictures_of(i, u) is None for i in range(1, model.n_layers))
    low = fft.dctn(x, axes=(-2, -1), norm="ortho")
    low[..., 3:, :] = low[..., :, 3:] = 0
    expected = fft.idctn(low, axes=(-2, -1), norm="ortho").clip(0, 1)
    assert shown is not None
    np.testing.assert_allclose(shown.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("config", [tiny_dvp(), tiny_dct()], ids=["dvp", "dct"])
def test_what_is_made_from_pictures_keeps_them(config: DeepConfig) -> None:
    model = tiny_model(config)
    top = drawn_tops(model, 2, seed=3)
    made = from_top(model, top, 4, seed=1)
    assert made.pictures.shape == made.means.shape == (2, 1, 8, 8)
    assert made.draws.shape == (2, 4, 1, 8, 8)
    cold = from_top(model, top, 4, seed=1, temperature=0.0)
    np.testing.assert_allclose(cold.draws, made.means[:, None].repeat(4, 1), atol=1e-6)
    # one at a time: the row of a picture is made from that picture
    alone = [from_top(model, top[i : i + 1], 1).means[0] for i in range(2)]
    np.testing.assert_allclose(made.means, np.stack(alone), atol=1e-6)
    assert (drawn_tops(model, 2, seed=3) == top).all()


def test_components_of_a_vamp_prior_are_its_samples() -> None:
    """Drawn evenly from all pseudoinputs, the latents have the moments of p(z_L)."""
    model = tiny_model(tiny_config(family="lvae", pseudoinputs=5))
    known = model.prior_images()
    assert known is not None
    images, q = known
    made = from_prior_images(model, [4, 0], 3, seed=2)
    np.testing.assert_allclose(made.pictures, images[[4, 0]].detach().numpy())
    assert made.means.shape == (2, 1, 8, 8) and made.draws.shape == (2, 3, 1, 8, 8)
    with torch.inference_mode():
        kept = model.sample(1, noise=stream(), temperature=0.0, given={3: q.mean[4:5]}).mean[0]
        drawn = model.sample_top(20_000, noise=stream(1))
    np.testing.assert_allclose(made.means[0], kept[0].numpy(), atol=1e-6)
    mean = q.mean.mean(0)
    spread = (q.std**2 + q.mean**2).mean(0) - mean**2
    torch.testing.assert_close(drawn.mean(0), mean.detach(), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), spread.detach(), atol=0.05, rtol=0.05)
    with pytest.raises(ConfigError, match="0 to 4"):
        from_prior_images(model, [5], 1)


def test_without_pictures_there_is_nothing_to_make(model: HierarchicalVAE) -> None:
    with pytest.raises(ConfigError, match="not a picture"):
        from_top(model, torch.zeros(1, *model.latents[-1].shape), 1)
    with pytest.raises(ConfigError, match="learned images"):
        from_prior_images(model, [0], 1)
