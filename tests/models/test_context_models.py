"""DCT-VAE and DVP-VAE: their objectives from their parts, and what may depend on what."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import Tensor

from hvae_core.checkpoint.gate import empty_model
from hvae_core.common.noise import ImageNoise
from hvae_core.config import (
    ContextConfig,
    DenoiserConfig,
    PseudoConfig,
    ScaleConfig,
    TrainConfig,
)
from hvae_core.config.presets import PRESETS
from hvae_core.evaluation.bounds import bound
from hvae_core.models import Sampler
from hvae_core.models.distributions import Gaussian
from hvae_core.models.families.dct import DCTVAE
from hvae_core.models.families.dvp import DVPVAE
from hvae_core.models.families.topped import ToppedVAE
from hvae_core.models.priors import quantise
from hvae_core.training.loop import train
from tests.small import (
    TINY_NET,
    prepared,
    stream,
    tiny_dct,
    tiny_deep,
    tiny_dvp,
    tiny_model,
    tiny_set,
)

DCT = {"dct": tiny_dct(), "downsample": tiny_dct(transform="downsample")}
DVP = {
    "diffusion": tiny_dvp(),
    "mixture": tiny_dvp({"prior": "mixture"}),
    "normal": tiny_dvp({"prior": "normal", "transform": "linear"}),
    "h1": tiny_dvp(aggregation=False),
}


def trained(config: Any) -> Any:
    """A model whose weights are none of them zero, in eval mode."""
    model = tiny_model(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    for value in model.parameters():
        value.add_(0.1 * torch.randn(value.shape, generator=generator))
    return model


def pictures(model: Any, n: int = 4) -> tuple[Tensor, ImageNoise]:
    images = tiny_set(n, model.image_shape)
    return prepared(model, images), ImageNoise(images.image_digests())


def moved(base: Tensor, seed: int = 0) -> Tensor:
    return base + torch.randn(base.shape, generator=torch.Generator().manual_seed(seed))


# --- objectives from their parts ------------------------------------------------------------------


@pytest.mark.parametrize("name", DVP)
def test_elbo_of_dvp_is_eq_17_put_together_by_hand(name: str) -> None:
    """E log p(x|z) - E KL(q(z|x) || p(z|u)) + H[r(u|x)] + E log r^(u), on the same draws."""
    model: DVPVAE = trained(DVP[name])
    x, noise = pictures(model)
    samples, top = 2000, model.n_layers
    x, noise = x[:1], ImageNoise([7])
    trace = model.trace(x, noise=noise, samples=samples)
    # u ~ r(u|x), from the noise of the trace
    sigma = float(model.log_sigma.exp())
    u = model.transform(x) + sigma * noise.normal(f"q{top}", samples, 1, (1, 3, 3))
    log_prior = model.u_prior.log_prob(u, noise)
    entropy = 9 / 2 * math.log(2 * math.pi * math.e * sigma**2)
    # q(z|x) and p(z|u): a way down of its own, the pseudoinput as an image
    h_enc = super(ToppedVAE, model).encode(x.unsqueeze(0))
    image = model.transform.inverse(u.flatten(0, 1)).unflatten(0, (samples, 1))
    state: Any = model.start_from(1, image)
    kl = torch.zeros(samples, 1)
    for i in range(top - 1, 0, -1):
        p = super(ToppedVAE, model).prior(i, state)
        q = super(ToppedVAE, model).posterior(i, state, p, h_enc)
        kl = kl + q.kl(p)
        z = q.sample(noise.normal(f"q{i}", samples, 1, model.latents[i - 1].shape))
        state = super(ToppedVAE, model).absorb(i, state, z)
    log_px = model.emit(state).log_prob(x)
    expected = (log_px - kl + entropy + log_prior).mean()
    # Eq. 17 has the entropy in closed form, the trace -log r(u|x) of the draw: equal on average
    sampled = -Gaussian(model.transform(x), torch.full((1, 1, 3, 3), sigma)).log_prob(u)
    torch.testing.assert_close(
        bound(trace)[0], (log_px - kl + sampled + log_prior).mean(), rtol=1e-5, atol=1e-4
    )
    error = 5 * float(sampled.std()) / samples**0.5
    assert float(bound(trace)[0]) == pytest.approx(float(expected), abs=error)
    assert float(sampled.mean()) == pytest.approx(entropy, abs=error)


@pytest.mark.parametrize("name", DCT)
def test_context_costs_the_bound_of_its_prior_and_nothing_else(name: str) -> None:
    model: DCTVAE = trained(DCT[name])
    x, noise = pictures(model)
    trace = model.trace(x, noise=noise, samples=3)
    context = quantise(model.transform(x), 5).expand(3, -1, -1, -1, -1)
    terms = model.u_prior.terms(context, noise)  # type: ignore[operator]
    assert not trace.log_q[-1].any()
    torch.testing.assert_close(trace.log_p[-1], terms.weight)
    torch.testing.assert_close(trace.kl[-1], -terms.weight)
    assert (trace.kl[-1] > 0).all()  # a discrete latent has no negative cost
    assert trace.z[-1] is not None
    torch.testing.assert_close(trace.z[-1], context[:1])
    # On average it is the three parts of DCT Eq. 13.
    many = model.u_prior.terms(context[:1, :1].expand(4000, -1, -1, -1, -1), stream())  # type: ignore[operator]
    gap = (many.weight - many.bound)[:, 0]
    assert abs(float(gap.mean())) < 5 * float(gap.std()) / 4000**0.5


def test_bins_of_the_context_are_those_of_the_configuration() -> None:
    model = trained(tiny_dct())
    x, noise = pictures(model, 20)
    context = model.trace(x, noise=noise).z[-1]
    steps = (context + 1) * 2  # five bins: -1, -1/2, 0, 1/2, 1
    torch.testing.assert_close(steps, steps.round())
    assert len(context.unique()) == 5
    drawn = model.sample_top(50, noise=stream())
    torch.testing.assert_close(drawn * 2, (drawn * 2).round())
    assert float(drawn.abs().max()) <= 1


# --- what depends on what -------------------------------------------------------------------------


def way_down(model: Any, x: Tensor, u: Tensor, z: list[Tensor]) -> tuple[list[Any], Any]:
    """(prior, posterior) of every layer under a given u and given z, and p(x | z)."""
    features, state = model.encode(x.unsqueeze(0)), model.absorb(model.n_layers, None, u)
    pairs = []
    for i in range(model.n_layers - 1, 0, -1):
        p = model.prior(i, state)
        pairs.append((p, model.posterior(i, state, p, features)))
        state = model.absorb(i, state, z[i - 1])
    return pairs, model.emit(state)


def given_latents(model: Any, n: int) -> list[Tensor]:
    return [
        torch.randn(1, n, *spec.shape, generator=torch.Generator().manual_seed(spec.index))
        for spec in model.latents
    ]


@pytest.mark.parametrize("name", ["diffusion", "h1"])
def test_pseudoinput_reaches_every_prior_and_nothing_else(name: str) -> None:
    """DVP Eq. 10-13: p(z_l | z_>l, u), but q(z | x) and p(x | z) without u."""
    model = trained(DVP[name])
    x, _ = pictures(model)
    z = given_latents(model, 4)
    one, picture = way_down(model, x, z[-1], z)
    two, other = way_down(model, x, moved(z[-1]), z)
    for (p, q), (p_moved, q_moved) in zip(one, two, strict=True):
        torch.testing.assert_close(q.mean, q_moved.mean, rtol=0, atol=0)
        torch.testing.assert_close(q.std, q_moved.std, rtol=0, atol=0)
        assert (p.mean - p_moved.mean).abs().max() > 1e-5
    torch.testing.assert_close(picture.mean, other.mean, rtol=0, atol=0)


def test_features_from_priors_bring_the_pseudoinput_to_the_image() -> None:
    """As in the authors' code: h_dec, and with it p(x | z), reads what the prior's head gives."""
    model = trained(tiny_dvp(aggregation=False, features_from_prior=True))
    x, _ = pictures(model)
    z = given_latents(model, 4)
    picture, other = (way_down(model, x, u, z)[1] for u in (z[-1], moved(z[-1])))
    assert (picture.mean - other.mean).abs().max() > 1e-5
    # Without u the switch changes the heads of the priors alone, and as much.
    kinds = [tiny_dvp, lambda **changes: tiny_deep(blocks=3, combine="sum", **changes)]
    for kind in kinds:
        on, off = (empty_model(kind(features_from_prior=flag)) for flag in (True, False))
        changed = {n for n, p in on.state_dict().items() if p.shape != off.state_dict()[n].shape}
        assert changed and all(".to_p." in name for name in changed)


def test_sigma_of_a_position_is_kept_within_its_bounds() -> None:
    model: Any = tiny_model(tiny_dvp({"sigma": math.exp(-3), "sigma_scope": "position"}))
    assert model.log_variance.detach().unique().tolist() == pytest.approx([-6])
    with torch.no_grad():
        model.log_variance[0] = torch.tensor([[-20.0, -12, -8], [-7, -6, -5.5], [-5, -4, 3]])
    expected = [0.00248, 0.00248, 0.01832, 0.03020, 0.04979, 0.06393, 0.08208, 0.08208, 0.08208]
    q = model.posterior_u(torch.zeros(1, 2, 1, 3, 3))
    assert q.std[0, 1].flatten().tolist() == pytest.approx(expected, rel=1e-3)
    with pytest.raises(ValueError, match="cannot start at 0.1"):
        PseudoConfig(3, sigma_scope="position")


def test_context_reaches_priors_posteriors_and_the_image_at_every_scale() -> None:
    model = trained(tiny_dct())
    x, _ = pictures(model)
    z = given_latents(model, 4)
    one, picture = way_down(model, x, z[-1], z)
    two, other = way_down(model, x, moved(z[-1]), z)
    for (p, q), (p_moved, q_moved) in zip(one, two, strict=True):
        assert (q.mean - q_moved.mean).abs().max() > 1e-5
        assert (p.mean - p_moved.mean).abs().max() > 1e-5
    assert (picture.mean - other.mean).abs().max() > 1e-5
    # at the start of a scale h_dec gains W x~ + b, the pooled context through a 1x1 convolution
    image = model.transform.inverse(z[-1][0]).unsqueeze(0)
    for scale, (height, width) in enumerate(model.config.sizes):
        h = torch.zeros(1, 4, 4, height, width)
        gained = model.enter_scale(scale, h, image) - model.constants[scale]
        side = 8 // height
        pooled = image[0].reshape(4, 1, height, side, width, side).mean((3, 5))
        layer = model.from_context[scale]
        expected = torch.einsum("oi,bihw->bohw", layer.weight[:, :, 0, 0], pooled)
        torch.testing.assert_close(gained[0], expected + layer.bias.view(1, -1, 1, 1))


def test_prior_reads_the_pooled_pseudoinput_beside_h_dec() -> None:
    model = trained(tiny_dvp())
    image = torch.rand(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    h = torch.rand(1, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    inputs = model.prior_inputs(5, h, image)  # the top scale is 2 x 2
    assert inputs.shape == (2, 3, 5, 2, 2)
    torch.testing.assert_close(inputs[:, :, :4], h.expand(2, -1, -1, -1, -1))
    pooled = image.reshape(2, 3, 1, 2, 4, 2, 4).mean((4, 6))
    torch.testing.assert_close(inputs[:, :, 4:], pooled)


def test_aggregation_averages_the_layers_below_u() -> None:
    """DVP Eq. 18 sums z_1 .. z_L, without u."""
    model = trained(tiny_dvp())
    z = given_latents(model, 2)
    state = model.absorb(model.n_layers, None, z[-1])
    for i in range(model.n_layers - 1, 0, -1):
        state = model.absorb(i, state, z[i - 1])
    total = sum(
        t.repeat_interleave(8 // t.shape[-1], -1).repeat_interleave(8 // t.shape[-1], -2)
        for t in z[:-1]
    )
    torch.testing.assert_close(state.total, total)
    features = model.from_total(total[0] / math.sqrt(5))
    expected = model.to_x(torch.nn.functional.silu(model.out(features)))
    torch.testing.assert_close(model.emit(state).mean[0], torch.sigmoid(expected))


# --- sampling and data ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", [tiny_dct(), tiny_dvp()], ids=["dct", "dvp"])
def test_samplers_draw_u_and_a_given_one_is_kept(config: Any) -> None:
    model = trained(config)
    top = model.n_layers
    for sampler in (Sampler(), Sampler(2), Sampler(3, True), Sampler(20, True)):
        u = model.sample_top(4, noise=stream(), sampler=sampler)
        drawn = model.sample(4, noise=stream(), given={top: u}).mean
        cold: Any = {"temperature": [0.0] * top}
        assert u.shape == (4, 1, 3, 3)
        assert drawn.shape == (1, 4, 1, 8, 8)
        one = model.sample(4, noise=stream(1), given={top: u}, **cold).mean
        two = model.sample(4, noise=stream(2), given={top: u}, **cold).mean
        assert torch.equal(one, two)  # nothing is left to draw
    fixed = [model.sample_top(4, noise=stream(), sampler=Sampler(3, True)) for _ in range(2)]
    assert torch.equal(*fixed)
    other = model.sample_top(4, noise=stream(), sampler=Sampler(3))
    assert not torch.equal(other, fixed[0])


def test_scale_is_fitted_to_all_images_as_the_model_sees_them() -> None:
    model = trained(tiny_dvp(likelihood="discretised_logistic"))
    images = torch.from_numpy(np.array(tiny_set(60).images)).float() / 255
    model.fit_to_data([images[:30], images[30:]], 0)
    low = np.abs(dctn(images.numpy(), axes=(-2, -1), norm="ortho")[..., :3, :3]).max(0)
    np.testing.assert_allclose(model.transform.scale.numpy(), low, rtol=1e-5)
    binary = trained(tiny_dvp())
    binary.fit_to_data([torch.full((5, 1, 8, 8), 1.0)], 0)
    assert float(binary.transform.scale[0, 0, 0]) == pytest.approx(8.0)


def test_sigma_is_learnt_and_starts_where_it_is_told() -> None:
    model: Any = tiny_model(tiny_dvp({"sigma": 0.3}))
    assert float(model.log_sigma.detach().exp()) == pytest.approx(0.3)
    x, noise = pictures(model)
    bound(model.trace(x, noise=noise)).sum().backward()
    assert float(model.log_sigma.grad.abs()) > 0


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "dct-vae"},
        {"family": "dvp-vae", "context": ContextConfig(3)},
        {"family": "vdvae", "pseudo": PseudoConfig(3)},
        {"family": "dct-vae", "context": ContextConfig(3), "pseudo": PseudoConfig(3)},
        {"family": "dct-vae", "context": ContextConfig(9)},
        {"family": "dvp-vae", "pseudo": PseudoConfig(3, denoiser=DenoiserConfig(scales=2))},
    ],
)
def test_tops_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="context|pseudo"):
        tiny_deep(**changes)


def test_u_is_a_layer_and_a_level_of_its_own() -> None:
    config = tiny_deep(
        image_shape=(3, 8, 8),
        scales=(ScaleConfig(2, 2), ScaleConfig(1, 2)),
        family="dct-vae",
        context=ContextConfig(3, denoiser=TINY_NET),
    )
    assert config.latent_names == ("z1", "z2", "z3", "context")
    assert config.levels == ("4x4", "4x4", "2x2", "context")
    assert config.latent_shapes[-1] == (3, 3, 3)
    assert tiny_dvp().latent_names[-1] == tiny_dvp().levels[-1] == "u"


def test_what_is_on_top_is_told_in_words() -> None:
    told = tiny_dct(transform="downsample").in_words()
    assert "a context of 1×3×3 values from average pooling, in 5 bins (DCT-VAE)" in told
    assert told.endswith("diffusion prior of 4 steps")
    told = tiny_dvp({"prior": "mixture"}).in_words()
    assert "a pseudoinput of 1×3×3 values from the low frequencies of the DCT (DVP-VAE)" in told
    assert told.endswith("prior a mixture of 3 Gaussians")
    assert "context" not in tiny_deep().in_words()


def test_presets_have_the_layers_of_their_tables() -> None:
    """DCT Table 6: L counts the context; DVP Tables 3, 5: u stands above the L layers."""
    layers = {"dct-mnist": 8, "dct-omniglot": 8, "dct-cifar10": 29, "dvp-cifar10": 46}
    layers |= {"dvp-mnist": 9, "dvp-omniglot": 9, "dvp-cifar10-28": 29}
    for name, count in layers.items():
        assert len(PRESETS[name].model.latent_shapes) == count
    sizes: Any = {"dct-mnist": (1, 6, 6), "dct-omniglot": (1, 7, 7), "dct-cifar10": (3, 6, 6)}
    for name, shape in sizes.items():
        assert PRESETS[name].model.latent_shapes[-1] == shape
    scales: Any = PRESETS["dct-cifar10"].model
    assert [s.layers for s in scales.scales] == [10, 10, 5, 2, 1]
    weights = {"dvp-mnist": 0.7e6, "dvp-omniglot": 1.3e6, "dvp-cifar10": 38e6, "dct-cifar10": 22e6}
    weights["dvp-cifar10-28"] = 19.5e6
    for name, count in weights.items():
        model = empty_model(PRESETS[name].model)
        assert sum(p.numel() for p in model.parameters()) == pytest.approx(count, rel=0.1)


def test_training_fits_the_scale_to_all_images_and_evaluates_on_whole_paths() -> None:
    images = tiny_set(40)
    config = TrainConfig("bars", epochs=1, batch_size=8, learning_rate=1e-3)
    run = train(
        tiny_dvp(likelihood="discretised_logistic"), config, images, validation=tiny_set(5, seed=1)
    )
    grey = np.array(images.images) / 255
    low = np.abs(dctn(grey, axes=(-2, -1), norm="ortho")[..., :3, :3]).max(0)
    model: Any = run.model
    np.testing.assert_allclose(model.transform.scale.numpy(), low, rtol=1e-4)
    assert not model.training
    assert len(run.history["valid_kl"][0]) == 6
