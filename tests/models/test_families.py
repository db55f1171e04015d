"""What every model family owes the rest of the program, checked on each entry of ``FAMILIES``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.config import ModelCard, ModelConfig, TrainConfig, from_json, level_starts, to_json
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound, iw_bound, log_weights
from hvae_core.models import HierarchicalVAE, Trace
from hvae_core.training.objectives import Objective, elbo, informative
from tests.small import FAMILIES, prepared, stream, tiny_model, tiny_set

WAYS = list(itertools.product(("sample", "mean"), ("mean", "sample")))
CLOSE: dict[str, float] = {"rtol": 1e-5, "atol": 1e-4}


@dataclass(frozen=True)
class Member:
    """A family's model with pictures that it has not seen."""

    config: ModelConfig
    model: HierarchicalVAE
    images: ImageSet

    def x(self, seed: int = 0) -> Tensor:
        return prepared(self.model, self.images, seed)

    def noise(self, seed: int = 0, first: int = 0) -> ImageNoise:
        return ImageNoise(self.images.image_digests(), seed, first)


@pytest.fixture(scope="module", params=FAMILIES.keys())
def member(request: pytest.FixtureRequest) -> Member:
    config = FAMILIES[request.param]
    model = tiny_model(config).eval().requires_grad_(False)
    return Member(config, model, tiny_set(5, config.image_shape))


@pytest.fixture(params=FAMILIES.keys())
def fresh(request: pytest.FixtureRequest) -> Member:
    """For tests that change the weights."""
    config = FAMILIES[request.param]
    return Member(config, tiny_model(config), tiny_set(8, config.image_shape))


class Asked(ImageNoise):
    """Remembers the names of what was drawn."""

    def __init__(self, digests: Sequence[int]) -> None:
        super().__init__(digests)
        self.names: list[str] = []

    def normal(self, name: str, *args: Any) -> Tensor:
        self.names.append(name)
        return super().normal(name, *args)

    def uniform(self, name: str, *args: Any) -> Tensor:
        self.names.append(name)
        return super().uniform(name, *args)


class Still(Noise):
    """Every Gaussian at its mean."""

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        return torch.zeros(samples, batch, *shape)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        return torch.full((samples, batch, *shape), 0.5)


def assert_same(one: Trace, other: Trace, **tolerance: float) -> None:
    tolerance = tolerance or {"rtol": 0, "atol": 0}
    for name in ("log_px", "log_q", "log_p", "kl"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), **tolerance)
    for a, b in zip(one.z, other.z, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, **tolerance)
    torch.testing.assert_close(one.likelihood.mean, other.likelihood.mean, **tolerance)


# --- layers, levels, traces ----------------------------------------------------------------------


def test_layers_and_levels_are_those_of_the_configuration(member: Member) -> None:
    model, config = member.model, member.config
    assert [spec.name for spec in model.latents] == list(config.latent_names)
    assert [spec.shape for spec in model.latents] == list(config.latent_shapes)
    assert [spec.group for spec in model.latents] == list(config.levels)
    assert [spec.index for spec in model.latents] == list(range(1, model.n_layers + 1))
    assert len(set(config.latent_names)) == model.n_layers
    assert model.skips == level_starts(config.levels)
    assert model.n_levels == len(set(config.levels))  # a level is one run of neighbours
    assert model.image_shape == config.image_shape


def test_shapes_and_zeros_of_a_trace(member: Member) -> None:
    model, x, n_layers = member.model, member.x(), member.model.n_layers
    for (skipped, up), k, samples in itertools.product(WAYS, range(model.n_levels), (1, 3)):
        ways: Any = {"skipped": skipped, "up": up, "samples": samples}
        trace = model.trace(x, k=k, noise=stream(), **ways)
        assert (trace.k, trace.skip) == (k, model.skips[k])
        assert trace.log_px.shape == (samples, 5)
        assert trace.log_q.shape == trace.log_p.shape == trace.kl.shape == (n_layers, samples, 5)
        assert trace.likelihood.mean.shape[1:] == (5, *model.image_shape)
        assert trace.likelihood.mean.shape[0] in (1, samples)  # 1: the same for all samples
        for terms in (trace.log_q, trace.log_p, trace.kl):
            assert not terms[: trace.skip].any()
            assert torch.isfinite(terms).all()
        assert trace.log_p[trace.skip :].all()
        assert trace.kl[trace.skip :].all()
        for spec, z in zip(model.latents, trace.z, strict=True):
            assert (z is None) == (spec.index <= trace.skip)
            assert z is None or z.shape[1:] == (5, *spec.shape)


def test_traces_are_one_trace_for_every_k(member: Member) -> None:
    model, x = member.model, member.x()
    ks = list(range(model.n_levels))
    ks = [ks[-1], *ks[:-1]]  # in no order
    # Of four choices any two meet in every way.
    for (skipped, up), turned in itertools.product(WAYS, (False, True)):
        samples = 3 if turned else 1
        heat = 1.0 if turned == (skipped == up) else 0.6
        ways: Any = {"skipped": skipped, "up": up, "samples": samples, "temperature": heat}
        together = model.traces(x, ks, noise=member.noise(), **ways)
        for k, trace in zip(ks, together, strict=True):
            assert_same(trace, model.trace(x, k=k, noise=member.noise(), **ways), **CLOSE)


def test_unknown_k_is_refused(member: Member) -> None:
    for k in (-1, member.model.n_levels):
        with pytest.raises(ValueError, match="k must lie"):
            member.model.trace(member.x(), k=k, noise=stream())


def test_temperature_scales_the_skipped_layers_alone(member: Member) -> None:
    model, x = member.model, member.x()
    top = model.n_levels - 1
    hot = model.traces(x, [0, top], noise=member.noise(), temperature=3.0)
    usual = model.traces(x, [0, top], noise=member.noise())
    cold = model.trace(x, k=top, noise=member.noise(), temperature=0.0)
    mean = model.trace(x, k=top, noise=member.noise(), skipped="mean")
    assert_same(hot[0], usual[0])
    assert not torch.equal(hot[1].log_px, usual[1].log_px)
    assert not torch.equal(cold.log_px, usual[1].log_px)
    assert_same(cold, mean, **CLOSE)


def test_no_skipped_posterior_has_influence(member: Member) -> None:
    """Of skipped layers nothing is drawn but the prior, and of one name nothing is drawn twice."""

    def asked(ks: Iterable[int], **ways: Any) -> list[str]:
        noise = Asked(member.images.image_digests())
        member.model.traces(x, list(ks), noise=noise, **ways)
        assert len(noise.names) == len(set(noise.names))
        return sorted(noise.names)

    def layer(name: str) -> float:
        match = re.match(r"[a-z]+(\d+)", name)
        return float(match.group(1)) if match else float("inf")

    x, levels = member.x(), range(member.model.n_levels)
    everything = asked([0])
    for k in levels:
        skip = member.model.skips[k]
        kept = [name for name in everything if layer(name) > skip]
        assert asked([k], up="mean", skipped="mean") == kept
        drawn = [f"p{i}" for i in range(1, skip + 1)]
        assert asked([k], up="mean", skipped="sample") == sorted(kept + drawn)
    drawn = [f"p{i}" for i in range(1, member.model.skips[-1] + 1)]
    assert asked(levels, up="sample") == sorted(everything + drawn)


# --- bounds --------------------------------------------------------------------------------------


def test_nothing_skipped_is_the_elbo(member: Member) -> None:
    model, x = member.model, member.x()
    for samples in (1, 3):
        trace = model.trace(x, noise=member.noise(), samples=samples)
        log_px = trace.likelihood.log_prob(x).expand(samples, 5)
        torch.testing.assert_close(trace.log_px, log_px)
        expected = (log_px - trace.kl.sum(0)).mean(0)
        torch.testing.assert_close(bound(trace), expected, **CLOSE)
    terms = elbo(model, x, member.noise())
    once = bound(model.trace(x, noise=member.noise())).mean()
    torch.testing.assert_close(terms.elbo, once, **CLOSE)
    torch.testing.assert_close(-terms.loss, once, **CLOSE)


def test_sampled_divergence_agrees_with_the_one_reported(member: Member) -> None:
    model, samples = member.model, 1500
    x = member.x()[:2]
    for k in (0, model.n_levels - 1):
        trace = model.trace(x, k=k, noise=stream(1), samples=samples)
        gap = (trace.log_q - trace.log_p - trace.kl)[trace.skip :].double()
        error = gap.std(1) / samples**0.5 + 1e-4
        assert (gap.mean(1).abs() < 5 * error).all()


def test_log_p_is_a_sum_over_pixels_each_of_its_own(member: Member) -> None:
    """Another value of one pixel changes that pixel's term alone, by as much as the whole."""
    model, x = member.model, member.x()
    with torch.no_grad():
        trace = model.trace(x, k=model.n_levels - 1, noise=stream(), samples=2)
    likelihood = trace.likelihood
    before = likelihood.pixels(x)
    if before is None:
        pytest.skip("no sum over pixels is offered")
    torch.testing.assert_close(before.sum((2, 3)).expand_as(trace.log_px), trace.log_px)
    other = x.clone()
    other[:, :, 2, 3] = 1 - other[:, :, 2, 3]
    after = likelihood.pixels(other)
    assert after is not None
    moved = (after - before).clone()
    whole = likelihood.log_prob(other) - likelihood.log_prob(x)
    torch.testing.assert_close(moved[:, :, 2, 3], whole, rtol=1e-4, atol=1e-3)
    moved[:, :, 2, 3] = 0
    assert not moved.any()


def test_importance_weighting_does_not_lower_the_bound(member: Member) -> None:
    """E[L^S] >= E[L], estimated from draws of their own; the KL of the one is in closed form."""
    model, runs, samples = member.model, 24, 12
    x = member.x()[:2]
    for k in range(model.n_levels):
        many = model.trace(x, k=k, noise=stream(2), samples=runs * samples)
        groups = log_weights(many).unflatten(0, (runs, samples))
        weighted = groups.logsumexp(1) - np.log(samples)  # (runs, B)
        torch.testing.assert_close(
            iw_bound(many), groups.flatten(0, 1).logsumexp(0) - np.log(runs * samples), **CLOSE
        )
        one = model.trace(x, k=k, noise=stream(3), samples=400)
        plain = one.log_px - one.kl[one.skip :].sum(0)
        error = (weighted.var(0) / runs + plain.var(0) / 400).sqrt()
        assert (weighted.mean(0) - plain.mean(0) > -4 * error).all(), k


def values(member: Member, images: ImageSet, size: int) -> Tensor:
    """log weights (S, N, K) of the images in batches of ``size``."""
    model, rows = member.model, []
    for start in range(0, len(images), size):
        part = images.take(range(start, min(start + size, len(images))))
        noise = ImageNoise(part.image_digests(), 4)
        x = prepared(model, part, 4)
        traces = model.traces(x, range(model.n_levels), noise=noise, samples=2, up="sample")
        rows.append(torch.stack([log_weights(t) for t in traces], -1))
    return torch.cat(rows, 1)


def test_scores_do_not_know_batch_size_or_order(member: Member) -> None:
    images = tiny_set(12, member.model.image_shape)
    reference = values(member, images, 12)
    for size in (1, 5):
        torch.testing.assert_close(values(member, images, size), reference, rtol=1e-5, atol=2e-4)
    order = np.random.default_rng(0).permutation(12)
    shuffled = values(member, images.take(order), 5)
    torch.testing.assert_close(shuffled, reference[:, order.copy()], rtol=1e-5, atol=2e-4)


def test_samples_in_chunks_are_those_of_one_go(member: Member) -> None:
    model, x = member.model, member.x()
    for skipped, up in WAYS:
        ways: Any = {"skipped": skipped, "up": up}
        ks = range(model.n_levels)
        whole = model.traces(x, ks, noise=member.noise(), samples=5, **ways)
        for first, count in ((0, 2), (2, 3)):
            part = model.traces(x, ks, noise=member.noise(0, first), samples=count, **ways)
            for one, other in zip(part, whole, strict=True):
                rows = log_weights(other)[first : first + count]
                torch.testing.assert_close(log_weights(one), rows, rtol=1e-5, atol=2e-4)


def test_posterior_means_are_those_of_the_trace(member: Member) -> None:
    model, x = member.model, member.x()
    means = model.posterior_means(x, noise=member.noise(), samples=3, up="sample")
    trace = model.trace(x, noise=member.noise(), samples=3)
    for mean, z, spec in zip(means, trace.z, model.latents, strict=True):
        assert z is not None
        assert mean.shape == (5, *spec.shape)
        torch.testing.assert_close(mean, z.mean(0), **CLOSE)
    chain = model.posterior_means(x, noise=member.noise(), samples=1, up="mean")
    assert [mean.shape[1:] for mean in chain] == [spec.shape for spec in model.latents]


# --- prior ---------------------------------------------------------------------------------------


def test_prior_samples_have_their_shapes(member: Member) -> None:
    model = member.model
    shape = (1, 3, *model.image_shape)
    drawn = model.sample(3, noise=stream())
    assert drawn.mean.shape == shape
    assert not torch.equal(drawn.mean[:, 0], drawn.mean[:, 1])
    pictures = drawn.sample(torch.rand(shape, generator=torch.Generator().manual_seed(0)))
    assert pictures.shape == shape
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
    again = model.sample(3, noise=stream(), temperature=[1.0] * model.n_layers)
    assert torch.equal(drawn.mean, again.mean)


def test_each_layer_of_the_prior_has_its_own_temperature(member: Member) -> None:
    model = member.model
    top = {model.n_layers: model.posterior_means(member.x(), noise=member.noise())[-1]}

    def drawn(heat: list[float], seed: int) -> Tensor:
        return model.sample(5, noise=stream(seed), temperature=heat, given=top).mean

    cold = [0.0] * model.n_layers
    assert torch.equal(drawn(cold, 0), drawn(cold, 1))
    for i in range(model.n_layers - 1):
        hot = [float(i == j) for j in range(model.n_layers)]
        assert not torch.equal(drawn(hot, 0), drawn(hot, 1))


def test_given_layers_make_the_picture_of_the_trace(member: Member) -> None:
    """The way down of a trace is that of prior sampling, once all draws are at their means."""
    model, x = member.model, member.x()
    for k in range(model.n_levels):
        trace = model.trace(x, k=k, noise=Still(), skipped="mean")
        given = {i: z[0] for i, z in enumerate(trace.z, start=1) if z is not None}
        found = model.sample(5, noise=Still(), given=given, temperature=0.0)
        torch.testing.assert_close(found.mean, trace.likelihood.mean, **CLOSE)


# --- files and training --------------------------------------------------------------------------


def test_configuration_comes_back_from_its_text(member: Member) -> None:
    text = to_json(member.config)
    kind: Any = ModelConfig
    for read in (type(member.config), kind):
        found = from_json(read, text)
        assert type(found) is type(member.config)
        assert found == member.config
        assert to_json(found) == text


def test_checkpoint_gives_the_same_traces(member: Member, tmp_path: Path) -> None:
    model, path = member.model, tmp_path / "tiny.safetensors"
    save_checkpoint(path, model, card=ModelCard("Tiny"), history={})
    loaded = load_checkpoint(path)
    assert loaded.config == member.config
    assert type(loaded.model) is type(model)
    ks, x = range(model.n_levels), member.x()
    before = model.traces(x, ks, noise=member.noise(), samples=2)
    after = loaded.model.traces(x, ks, noise=member.noise(), samples=2)
    for one, other in zip(before, after, strict=True):
        assert_same(one, other)
    assert torch.equal(
        model.sample(2, noise=stream()).mean, loaded.model.sample(2, noise=stream()).mean
    )


def test_weights_are_those_of_the_seed(fresh: Member) -> None:
    same, other = tiny_model(fresh.config), tiny_model(fresh.config, seed=2)
    for name, value in fresh.model.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
        assert torch.isfinite(value).all()
    changed = other.state_dict().items()
    assert any(not torch.equal(v, fresh.model.state_dict()[n]) for n, v in changed)


@pytest.mark.parametrize("objective", ["elbo", "informative"])
def test_training_lowers_the_loss_and_reaches_every_parameter(
    fresh: Member, objective: Any
) -> None:
    module = Objective(fresh.model, TrainConfig("bars", objective=objective))
    grey = torch.from_numpy(np.array(fresh.images.images)).float() / 255
    optimizer = torch.optim.Adam(fresh.model.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        terms = module(grey, fresh.noise())
        optimizer.zero_grad()
        terms.loss.backward()
        losses.append(float(terms.loss.detach()))
        assert terms.kl.shape == (fresh.model.n_layers,)
        if len(losses) < 8:
            optimizer.step()
    assert losses[-1] < losses[0] - 0.5
    # Only now, as a family may start some of its weights at zero.
    for name, value in fresh.model.named_parameters():
        assert value.grad is not None, name
        assert torch.isfinite(value.grad).all(), name
        assert value.grad.any(), name


@pytest.mark.parametrize("picture", ["black", "white", "one pixel"])
def test_gradients_are_finite_at_the_ends(fresh: Member, picture: str) -> None:
    x = torch.full((2, *fresh.model.image_shape), float(picture == "white"))
    if picture == "one pixel":
        x[..., 0, 0] = 1
    for objective in (elbo, informative):
        fresh.model.zero_grad()
        terms = objective(fresh.model, x, stream())
        terms.loss.backward()
        assert torch.isfinite(terms.loss)
        for name, value in fresh.model.named_parameters():
            assert value.grad is not None and torch.isfinite(value.grad).all(), name
