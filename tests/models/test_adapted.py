"""Networks of the user's own behind marks: the same numbers as families of the house."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Bernoulli,
    Categorical,
    Dirichlet,
    Distribution,
    Independent,
    Laplace,
    LogNormal,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    RelaxedOneHotCategorical,
    StudentT,
    Uniform,
    kl_divergence,
)
from torch.nn.utils.parametrizations import weight_norm

import hvae_core as hv
from hvae_core.common.errors import ModelError
from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import bound, iw_bound
from hvae_core.models import HierarchicalVAE, Trace
from hvae_core.models.adapted import laws
from hvae_core.models.frozen import frozen
from hvae_core.scores.measures.latent_draws import latent_noise
from hvae_core.scores.measures.regret import regret
from hvae_core.scores.measures.regret_z import regret_z
from hvae_core.scores.measures.settings import DrawSettings, RegretSettings
from tests.models.adapters import native, twins
from tests.models.adapters.bottom_up import BottomUpVAE
from tests.models.adapters.deep import DeepVAE
from tests.models.adapters.flat import FlatVAE
from tests.small import FAMILIES, prepared, stream, tiny_model, tiny_set

IMAGES = tiny_set(4)
WAYS = list(itertools.product(("sample", "mean"), ("mean", "sample"), (1, 3)))
EXACT: dict[str, float] = {"rtol": 1e-9, "atol": 1e-9}


@contextmanager
def double() -> Iterator[None]:
    """New tensors, and the noise, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def assert_same(one: Trace, other: Trace) -> None:
    for name in ("log_px", "log_q", "log_p", "kl"):
        torch.testing.assert_close(getattr(other, name), getattr(one, name), **EXACT)
    torch.testing.assert_close(bound(other), bound(one), **EXACT)
    torch.testing.assert_close(iw_bound(other), iw_bound(one), **EXACT)
    for a, b in zip(one.z, other.z, strict=True):
        if a is not None and b is not None:  # families give more of the means than they must
            torch.testing.assert_close(b, a.expand_as(b), **EXACT)
    mean = one.likelihood.mean
    torch.testing.assert_close(
        other.likelihood.mean, mean.expand_as(other.likelihood.mean), **EXACT
    )


def assert_equal_everywhere(family: HierarchicalVAE, model: HierarchicalVAE) -> None:
    """All traces, the lower bounds, aggregated draws and samples of two models."""
    digests, levels = IMAGES.image_digests(), range(family.n_levels)
    x = torch.rand(4, *family.image_shape).round()
    assert model.skips == family.skips
    assert [z.shape for z in model.latents] == [z.shape for z in family.latents]
    for skipped, up, samples in WAYS:
        ways: Any = {"skipped": skipped, "up": up, "samples": samples, "temperature": 0.7}
        ours = family.traces(x, levels, noise=ImageNoise(digests), **ways)
        theirs = model.traces(x, levels, noise=ImageNoise(digests), **ways)
        for one, other in zip(ours, theirs, strict=True):
            assert one.kl[one.skip :].abs().min() > 0
            assert_same(one, other)
        for one, other in zip(
            family.posteriors(x, noise=ImageNoise(digests), samples=samples, up=up),
            model.posteriors(x, noise=ImageNoise(digests), samples=samples, up=up),
            strict=True,
        ):
            torch.testing.assert_close(other.mean, one.mean.expand_as(other.mean), **EXACT)
    ls = range(1, family.n_levels + 2)
    for one, other in zip(
        family.lower(x, ls, noise=ImageNoise(digests)),
        model.lower(x, ls, noise=ImageNoise(digests)),
        strict=True,
    ):
        torch.testing.assert_close(other, one, **EXACT)
    draws, others = (m.aggregate(x, noise=ImageNoise(digests)) for m in (family, model))
    torch.testing.assert_close(others.log_p, draws.log_p, **EXACT)
    torch.testing.assert_close(others.log_q(x[1:2]), draws.log_q(x[1:2]), **EXACT)
    given = {family.n_layers: torch.randn(4, *family.latents[-1].shape)}
    for fixed in ({}, given):
        one = family.sample(4, noise=ImageNoise(digests), temperature=0.5, given=fixed)
        other = model.sample(4, noise=ImageNoise(digests), temperature=0.5, given=fixed)
        torch.testing.assert_close(other.mean, one.mean, **EXACT)
    tops = (m.sample_top(3, noise=stream()) for m in (family, model))
    torch.testing.assert_close(*tops, **EXACT)


@pytest.mark.parametrize("twin", [twins.Flat, twins.BottomUp, twins.Deep])
def test_three_adapters_equal_their_twins(twin: Any) -> None:
    torch.manual_seed(0)
    with double():
        net = twin.kind().eval().requires_grad_(False)
        encode = "encoder" if hasattr(net, "encoder") else ()
        assert_equal_everywhere(twin(net), hv.adapt(net, shape=(1, 8, 8), encode=encode))


@pytest.mark.parametrize("name", ["hvae", "lvae", "biva", "vdvae"])
def test_families_of_the_house_behind_marks_stay_what_they_are(name: str) -> None:
    family = tiny_model(FAMILIES[name]).eval().requires_grad_(False).double()
    kinds: dict[str, Any] = {"hvae": native.BottomUp, "biva": native.BothWays}
    net = kinds.get(name, native.TopDown)(family)
    with double():
        model = hv.adapt(net, shape=family.image_shape, encode="encode" if name == "vdvae" else ())
        assert_equal_everywhere(family, model)
        own = {id(weight) for weight in family.inference_weights()}
        assert {id(weight) for weight in model.inference_weights()} == own
    assert model.config.exact_kl == family.config.exact_kl


def test_likelihood_regret_is_that_of_the_family() -> None:
    family = tiny_model(FAMILIES["lvae"]).eval().requires_grad_(False)
    model = hv.adapt(native.TopDown(family), shape=family.image_shape, prepare="binarise")
    few = tiny_set(2)
    settings = RegretSettings(samples=2, steps=2, check=1)
    for measure in (regret, regret_z):
        one, other = (
            measure(each, few.images, few.image_digests(), settings) for each in (family, model)
        )
        assert one.max() > 0
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3)


def test_noise_is_that_of_the_family() -> None:
    family = tiny_model(FAMILIES["lvae"]).eval()
    model = hv.adapt(native.TopDown(family), shape=family.image_shape, prepare="binarise")
    given = tiny_set(1).images, tiny_set(1).image_digests()
    one, other = (latent_noise(each, *given, DrawSettings(1)) for each in (family, model))
    np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3)


def test_a_shared_encoder_runs_once_for_all_samples_and_all_k() -> None:
    rows: list[int] = []
    net = DeepVAE()
    net.encoder.fine.register_forward_hook(lambda _m, given, _out: rows.append(len(given[0])))
    x = prepared(hv.adapt(net, shape=(1, 8, 8)), IMAGES)
    plain, shared = (hv.adapt(net, shape=(1, 8, 8), encode=name) for name in ((), "encoder"))
    found = []
    for model in (plain, shared):
        rows.clear()
        noise = ImageNoise(IMAGES.image_digests())
        with torch.no_grad():
            found.append(model.traces(x, [0, 1], noise=noise, samples=5))
        assert rows == [4 if model is shared else 40]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(bound(other), bound(one))
    assert not [name for name in vars(net.encoder) if name == "forward"]  # put back


@pytest.mark.parametrize("part", ["decoder", "law"])
def test_a_part_that_cannot_be_shared_is_told(part: str) -> None:
    """It reads a latent, or gives what is no tensor."""

    class Net(FlatVAE):
        def law(self, x: Tensor) -> Normal:
            return Normal(self.encoder(x), 1.0)

        def forward(self, x: Tensor) -> Any:
            self.law(x)
            return super().forward(x)

    with pytest.raises(ModelError, match=f"encode= names {part}, which cannot run once"):
        hv.adapt(Net(), shape=(1, 8, 8), encode=["encoder", part])


# --- outside Strata ------------------------------------------------------------------------------


def test_outside_the_marks_do_what_stood_in_their_place() -> None:
    q, p = Normal(torch.zeros(3), torch.ones(3)), Normal(torch.ones(3), torch.ones(3))
    torch.manual_seed(0)
    plain = q.rsample()
    torch.manual_seed(0)
    assert torch.equal(hv.latent("z", q=q, p=p), plain)
    torch.manual_seed(0)
    up = hv.infer("z1", q)
    assert torch.equal(up, plain)
    assert hv.prior("z1", p) is up
    torch.manual_seed(0)
    assert torch.equal(hv.prior("z1", p), plain + 1)  # nothing was inferred: a draw of p
    likelihood = Bernoulli(torch.ones(2))
    assert hv.image(likelihood) is likelihood


def test_gradients_flow_through_the_marks() -> None:
    net = FlatVAE()
    net(torch.rand(2, 1, 8, 8)).log_prob(torch.ones(2, 1, 8, 8)).sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())


def test_the_network_keeps_its_mode_and_its_image() -> None:
    class Moody(FlatVAE):
        def forward(self, x: Tensor) -> Any:
            assert not self.training
            x.mul_(0.5)
            return super().forward(x)

    net = Moody()
    net.decoder.eval()
    model = hv.adapt(net, shape=(1, 8, 8))
    x = torch.rand(2, 1, 8, 8)
    before = x.clone()
    model.trace(x, noise=stream())
    assert torch.equal(x, before)
    assert net.training and net.encoder.training and not net.decoder.training


def test_what_strangers_networks_are_wont_to_do_is_borne() -> None:
    """Features viewed as rows, results of earlier runs kept, weights made from others."""

    class Usual(FlatVAE):
        def __init__(self) -> None:
            super().__init__()
            self.conv = weight_norm(nn.Conv2d(1, 4, 3, 1, 1, bias=False))
            self.encoder = nn.Sequential(nn.Linear(256, 12))

        def forward(self, x: Tensor) -> Any:
            self.last = self.conv(x)
            return super().forward(self.last.view(len(x), -1))

    net = Usual()
    net(torch.rand(2, 1, 8, 8))
    model = hv.adapt(net, shape=(1, 8, 8))
    x = torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        one, other = (m.trace(x, noise=stream()) for m in (model, frozen(model)))
    torch.testing.assert_close(one.log_px, other.log_px)


# --- laws ----------------------------------------------------------------------------------------

N = 40_000
_ROOT = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
LAWS: dict[str, Callable[[], Any]] = {
    "laplace": lambda: Laplace(torch.full((N, 2), 0.3), torch.tensor([0.5, 2.0])),
    "uniform": lambda: Uniform(torch.full((N, 2), -1.0), torch.full((N, 2), 3.0)),
    "lognormal": lambda: LogNormal(torch.full((N, 2), 0.1), torch.tensor(0.4)),
    "independent": lambda: Independent(Laplace(torch.zeros(N, 2), torch.ones(N, 2)), 1),
    "full": lambda: MultivariateNormal(torch.ones(N, 2), scale_tril=_ROOT.expand(N, 2, 2)),
    "low_rank": lambda: LowRankMultivariateNormal(
        torch.zeros(N, 2), torch.ones(N, 2, 1), torch.full((N, 2), 0.5)
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_draws_from_the_projects_noise_follow_the_law(name: str) -> None:
    dist = LAWS[name]()
    law = laws.read("z", dist, lead=(1, N))
    z = law.sample(torch.randn(1, N, 2, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(z[0].mean(0), dist.mean[0], rtol=0.03, atol=0.03)
    torch.testing.assert_close(z[0].std(0), dist.stddev[0], rtol=0.03, atol=0.03)
    nats = dist.log_prob(z[0]).reshape(N, -1).sum(1)
    torch.testing.assert_close(law.log_prob(z)[0], nats)
    entropy = dist.entropy().reshape(N, -1).sum(1)[0] if name != "lognormal" else -nats.mean()
    torch.testing.assert_close(-nats.mean(), entropy, rtol=0.02, atol=0.02)
    half = law.sample(torch.randn(1, N, 2, generator=torch.Generator().manual_seed(0)), 0.5)
    torch.testing.assert_close(half - law.mean, 0.5 * (z - law.mean), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "dist",
    [
        StudentT(torch.tensor(5.0), torch.zeros(150, 2), torch.ones(150, 2)),
        Dirichlet(torch.tensor([1.0, 2.0]).expand(150, 2)),
    ],
)
def test_what_torch_alone_can_draw_is_drawn_image_by_image(dist: Any) -> None:
    law = laws.read("z", dist, lead=(1, 150))
    eps = torch.randn(1, 150, 2, generator=torch.Generator().manual_seed(0))
    z = law.sample(eps)[0]
    error = dist.stddev[0] / 150**0.5
    assert ((z.mean(0) - dist.mean[0]).abs() < 5 * error).all()
    torch.testing.assert_close(z.std(0), dist.stddev[0], rtol=0.3, atol=0.0)
    few = laws.read("z", dist.expand((150, 2) if dist.batch_shape[1:] else (150,)), lead=(1, 150))
    assert torch.equal(few.sample(eps.flip(1))[0].flip(0), z)  # whoever else is in the batch
    assert torch.equal(law.sample(torch.zeros_like(eps))[0], dist.mean.expand(150, 2))


def test_divergences_are_torchs_own_an_image() -> None:
    q = Independent(Laplace(torch.randn(3, 2), torch.ones(3, 2)), 1)
    p = Laplace(torch.zeros(2), torch.ones(()))
    a, b = (laws.read("z", d, lead=(1, 3), shape=(2,)) for d in (q, p))
    expected = kl_divergence(q.base_dist, p.expand((3, 2))).sum(1)
    found = laws.divergence(a, b)
    assert found is not None
    torch.testing.assert_close(found[0], expected)
    normal = laws.read("z", Normal(torch.zeros(2), 1.0), lead=(1, 3), shape=(2,))
    found = laws.divergence(a, normal)
    assert found is not None
    torch.testing.assert_close(found[0], kl_divergence(q.base_dist, Normal(0.0, 1.0)).sum(1))
    mixture = MixtureSameFamily(
        Categorical(torch.ones(2)), Independent(Normal(torch.randn(2, 2), 1.0), 1)
    )
    assert laws.divergence(a, laws.read("z", mixture, lead=(1, 3), shape=(2,))) is None


def test_a_mixture_as_prior_is_drawn_by_its_weights() -> None:
    components = Independent(Normal(torch.tensor([[-4.0, 1.0], [4.0, 2.0]]), torch.ones(2, 2)), 1)
    mixture = MixtureSameFamily(Categorical(torch.tensor([0.25, 0.75])), components)
    law: Any = laws.read("z", mixture, lead=(1, N), shape=(2,))
    generator = torch.Generator().manual_seed(0)
    u, eps = torch.rand(1, N, generator=generator), torch.randn(1, N, 2, generator=generator)
    z = law.component(u, eps)
    torch.testing.assert_close(z[0].mean(0), mixture.mean, rtol=0.02, atol=0.03)
    torch.testing.assert_close(z[0].std(0), mixture.stddev, rtol=0.02, atol=0.03)
    torch.testing.assert_close(law.log_prob(z)[0], mixture.log_prob(z[0]))


class OneLatent(nn.Module):
    """One latent and pixels of a mark's choosing."""

    def __init__(self, q: Any, p: Any, image: Any = None) -> None:
        super().__init__()
        self.to_x = nn.Linear(2, 64)
        self.q, self.p, self.picture = q, p, image

    def forward(self, x: Tensor) -> None:
        z = hv.latent("z", q=self.q(x.flatten(1)[:, :2]), p=self.p)
        picture = self.to_x(z).view(-1, 1, 8, 8)
        hv.image(self.picture(picture) if self.picture else Bernoulli(logits=picture))


def one_latent(q: Any, p: Any, image: Any = None, **options: Any) -> Any:
    torch.manual_seed(0)
    return hv.adapt(OneLatent(q, p, image), shape=(1, 8, 8), **options)


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (lambda h: Laplace(h, 1.0), Laplace(0.0, 1.0)),
        (lambda h: StudentT(5.0, h, 1.0), StudentT(5.0)),
        (
            lambda h: MultivariateNormal(h, torch.eye(2)),
            MultivariateNormal(torch.zeros(2), scale_tril=_ROOT),
        ),
        (
            lambda h: Normal(h, 0.5),
            MixtureSameFamily(
                Categorical(torch.ones(3)), Independent(Normal(torch.randn(3, 2), 1.0), 1)
            ),
        ),
        (
            lambda h: RelaxedOneHotCategorical(torch.tensor(0.7), logits=h),
            RelaxedOneHotCategorical(torch.tensor(0.7), logits=torch.zeros(2)),
        ),
    ],
)
def test_a_model_of_other_latents_keeps_the_contract(q: Any, p: Any) -> None:
    model = one_latent(q, p, prepare="binarise")
    assert hv.check(model, IMAGES).ok
    assert model.sample(3, noise=stream()).mean.shape == (1, 3, 1, 8, 8)


# --- pixels --------------------------------------------------------------------------------------


def test_densities_and_levels_of_pixels_are_torchs_own() -> None:
    x = torch.from_numpy(IMAGES.images.copy()).float() / 255
    std = torch.full((1,), 0.2)
    cases: list[tuple[Any, Any, Any]] = [
        (lambda h: Normal(h, std), lambda h: Normal(h, std).log_prob(x), None),
        (
            lambda h: Independent(Normal(h.flatten(1), std), 1),
            lambda h: Normal(h, std).log_prob(x),
            None,
        ),
        (
            lambda h: Categorical(logits=h.unsqueeze(-1) * torch.linspace(-1, 1, 256)),
            lambda h: Categorical(logits=h.unsqueeze(-1) * torch.linspace(-1, 1, 256)).log_prob(
                (255 * x).round()
            ),
            None,
        ),
        (
            lambda h: Normal(h, std),
            lambda h: Normal(h, std).log_prob(2 * x - 1),
            lambda x: 2 * x - 1,
        ),
    ]
    for image, expected, step in cases:
        model = one_latent(
            lambda h: Normal(h, 1.0), Normal(0.0, 1.0), image, prepare=step or "grey"
        )
        with torch.no_grad():
            trace = model.trace(x, noise=ImageNoise(IMAGES.image_digests()))
            eps = ImageNoise(IMAGES.image_digests()).normal("q1", 1, 4, (2,))[0]
            seen = x if step is None else step(x)
            h = model.module.to_x(seen.flatten(1)[:, :2] + eps).view(-1, 1, 8, 8)
            torch.testing.assert_close(trace.log_px[0], expected(h).flatten(1).sum(1))
            found = trace.likelihood.pixels(x)
            assert found is not None
            torch.testing.assert_close(found[0], expected(h).sum(1))
            if step is not None:
                picture = ((h + 1) / 2).clamp(0, 1)
                torch.testing.assert_close(trace.likelihood.mean[0], picture)
            for drawn in (
                trace.likelihood.mode,
                trace.likelihood.sample(torch.rand(1, 4, 1, 8, 8)),
            ):
                assert drawn.shape == (1, 4, 1, 8, 8)
                assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1


# --- sentences -----------------------------------------------------------------------------------

STANDARD = Normal(0.0, 1.0)


def forward(function: Callable[[Tensor], Any]) -> nn.Module:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return function(x)

    return Net()


def q_of(x: Tensor) -> Normal:
    return Normal(x.flatten(1)[:, :2], 1.0)


AMISS: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "no mark": (lambda x: x, "reached no mark"),
    "no image": (lambda x: hv.latent("z", q=q_of(x), p=STANDARD), "did not reach hv.image"),
    "twice": (
        lambda x: [hv.latent("z", q=q_of(x), p=STANDARD) for _ in range(2)],
        "z was reached twice",
    ),
    "no prior": (
        lambda x: (hv.infer("z1", q_of(x)), hv.latent("z2", q=q_of(x), p=STANDARD)),
        "hv.infer marks the latent z1 and no hv.prior",
    ),
    "no infer": (lambda x: hv.prior("z1", STANDARD), "z1 before hv.infer did"),
    "classes": (
        lambda x: hv.latent("z", q=Categorical(logits=x.flatten(1)), p=STANDARD),
        "Categorical, of which torch has no reparameterised draw.*RelaxedOneHotCategorical",
    ),
    "tensor": (lambda x: hv.latent("z", q=x, p=STANDARD), "given a Tensor where a distribution"),
    "axis": (
        lambda x: hv.latent("z", q=Normal(torch.zeros(7, 2), 1.0), p=STANDARD),
        r"shape \(7, 2\) for 2 images; its first axis",
    ),
    "shapes": (
        lambda x: hv.latent("z", q=q_of(x), p=Normal(torch.zeros(3), 1.0)),
        r"p of the latent z has the shape \(3,\)",
    ),
    "pixels": (
        lambda x: hv.image(Bernoulli(hv.latent("z", q=q_of(x), p=STANDARD))),
        r"p\(x \| z\) has the shape \(2,\) an image and the images have \(1, 8, 8\)",
    ),
    "p and q": (lambda x: hv.latent("z", STANDARD, q_of(x)), r"shape \(\) .* q= comes before p="),
    "exit": (lambda x: sys.exit(3), "could not run on images .*SystemExit"),
    "own error": (lambda x: x @ torch.ones(3, 3), "could not run on images .*RuntimeError .*line"),
}


@pytest.mark.parametrize("case", AMISS)
def test_what_is_amiss_with_the_marks_is_one_sentence(case: str) -> None:
    function, sentence = AMISS[case]
    with pytest.raises(ModelError, match=sentence) as told:
        hv.adapt(forward(function), shape=(1, 8, 8))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shape": (28, 28)}, "shape= is"),
        ({"prepare": "binarize"}, "prepare= is"),
        ({"prepare": lambda x: x[:1]}, "prepare= must give"),
        ({"prepare": lambda x: x @ x.new_ones(3, 3)}, "prepare= failed"),
        ({"encode": "coder"}, "encode= names coder"),
        ({"levels": {"a": ["y"]}}, "levels= must name every layer"),
        ({"levels": {"a": "y"}}, "levels= must name every layer.* not y"),
        ({"levels": [["z"]]}, "levels= says which layers"),
    ],
)
def test_what_is_amiss_with_the_options_is_one_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        hv.adapt(FlatVAE(), **({"shape": (1, 8, 8)} | options))


def test_a_forward_that_asks_for_labels_is_told() -> None:
    class Labelled(FlatVAE):
        def forward(self, x: Tensor, y: Tensor) -> Any:
            return super().forward(x + y)

    with pytest.raises(ModelError, match="not run on images alone .*'y'.* Give what else"):
        hv.adapt(Labelled(), shape=(1, 8, 8))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_z_has_the_type_of_the_networks_own_draws(dtype: torch.dtype) -> None:
    """Also where p, such as Normal(0, 1), has another; sums are never in half precision."""
    torch.manual_seed(0)
    net = BottomUpVAE()
    plain = hv.adapt(copy.deepcopy(net), shape=(1, 8, 8), prepare="binarise")
    other = hv.adapt(net.to(dtype), shape=(1, 8, 8), prepare="binarise")
    assert hv.check(other, IMAGES).ok
    noise = ImageNoise(IMAGES.image_digests(), 0)
    x = prepared(plain, IMAGES)
    for one, twin in zip(
        plain.traces(x, [0, 1], noise=noise), other.traces(x, [0, 1], noise=noise), strict=True
    ):
        assert twin.log_px.dtype is (dtype if dtype is torch.float64 else torch.float32)
        close = {"rtol": 0.03, "atol": 0.5} if dtype.itemsize < 4 else {"rtol": 1e-4, "atol": 1e-4}
        for name in ("log_px", "log_q", "log_p"):
            got, wanted = getattr(twin, name), getattr(one, name)
            torch.testing.assert_close(got.to(wanted.dtype), wanted, **close)


def test_no_model_is_adapted_twice() -> None:
    with pytest.raises(ModelError, match="is a model already"):
        hv.adapt(hv.adapt(FlatVAE(), shape=(1, 8, 8)), shape=(1, 8, 8))


def test_runs_at_once_leave_the_network_as_it_was() -> None:
    net = DeepVAE()
    model = hv.adapt(net, shape=(1, 8, 8), encode="encoder")
    x, noise = torch.rand(4, 1, 8, 8), IMAGES.image_digests()

    def run(_: int) -> Tensor:
        with torch.no_grad():
            return model.trace(x, noise=ImageNoise(noise), samples=2).log_px

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, range(12)))
    assert all(torch.equal(each, found[0]) for each in found)
    assert "forward" not in vars(net.encoder) and net.encoder.training


def test_torchs_checks_are_as_the_user_had_them() -> None:
    model = hv.adapt(FlatVAE(), shape=(1, 8, 8))
    for wanted in (False, True):
        Distribution.set_default_validate_args(wanted)
        model.trace(torch.rand(2, 1, 8, 8), noise=stream())
        assert Distribution._validate_args is wanted


def test_a_network_that_changes_its_marks_is_told() -> None:
    def fickle(x: Tensor) -> None:
        for name in ("z1", "z2")[: 1 + (len(x) == 3)]:
            hv.latent(name, q=q_of(x), p=STANDARD)
        hv.image(Bernoulli(logits=x))

    model = hv.adapt(forward(fickle), shape=(1, 8, 8))
    with pytest.raises(ModelError, match="reached the latent z2, which an earlier one did not"):
        model.trace(torch.rand(3, 1, 8, 8), noise=stream())


def test_levels_are_what_the_names_or_the_user_say() -> None:
    net = DeepVAE()
    by_name = hv.adapt(net, shape=(1, 8, 8))
    assert by_name.config.levels == ("8x8",) * 3 + ("4x4",) * 2 and by_name.n_levels == 2
    alone = hv.adapt(net, shape=(1, 8, 8), levels=lambda name: name)
    assert alone.n_levels == 5
    names = by_name.config.latent_names
    pairs = hv.adapt(net, shape=(1, 8, 8), levels={"low": names[:2], "high": names[2:]})
    assert pairs.skips == (0, 2)
    with pytest.raises(ModelError, match="run of neighbours"):
        hv.adapt(net, shape=(1, 8, 8), levels={"a": names[::2], "b": names[1::2]})
