"""Measures: streamed and kept, the same for any batch; compression, L_<l and likelihood regret."""

from __future__ import annotations

import copy
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Cancelled
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores.measures import MEASURES, compute, stored
from hvae_core.scores.measures.regret import regret
from hvae_core.scores.measures.regret_z import refit_z, regret_z
from hvae_core.scores.measures.settings import LowerSettings, RegretSettings
from tests.linear_gaussian import LinearGaussian, TopDownGaussian
from tests.small import FAMILIES, stream, tiny_model, tiny_set

IMAGES = tiny_set(5)
SHORT = RegretSettings(steps=4, check=2, samples=2, learning_rate=0.05)
WAYS: Any = {"regret": regret, "regret_z": regret_z}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that are computed; parts hold two images."""
    found: list[int] = []
    plain = MEASURES["complexity"].function

    def counted(model: Any, pixels: Any, *rest: Any) -> Any:
        found.append(len(pixels))
        return plain(model, pixels, *rest)

    monkeypatch.setattr("hvae_core.scores.measures.measure.PART_IMAGES", 2)
    monkeypatch.setitem(MEASURES, "complexity", replace(MEASURES["complexity"], function=counted))
    return found


def test_a_measure_is_computed_once_in_parts(work: list[int]) -> None:
    measure = MEASURES["complexity"]
    assert stored(measure, "", IMAGES.digest) is None
    first = compute(measure, None, "", IMAGES)
    assert work == [2, 2, 1] and first.shape == (5,)
    np.testing.assert_array_equal(compute(measure, None, "any model", IMAGES), first)
    np.testing.assert_array_equal(stored(measure, "", IMAGES.digest), first)
    assert work == [2, 2, 1]


def test_the_first_images_alone_are_a_result_of_their_own(work: list[int]) -> None:
    measure = MEASURES["complexity"]
    few = compute(measure, None, "", IMAGES, first=3)
    assert work == [2, 1]
    np.testing.assert_array_equal(stored(measure, "", IMAGES.digest, first=3), few)
    assert stored(measure, "", IMAGES.digest) is None
    np.testing.assert_array_equal(compute(measure, None, "", IMAGES)[:3], few)


def test_an_interruption_costs_one_part(work: list[int]) -> None:
    def stop(done: float, _: str) -> None:
        if done > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        compute(MEASURES["complexity"], None, "", IMAGES, progress=stop)
    assert work == [2, 2]
    compute(MEASURES["complexity"], None, "", IMAGES)
    assert work == [2, 2, 2, 1]  # the first part was kept


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="resize"):
        compute(MEASURES["lower"], tiny_model(), "a", tiny_set(2, (1, 9, 9)))
    with pytest.raises(DataError, match="no images"):
        compute(MEASURES["complexity"], None, "", IMAGES.take(0))
    with pytest.raises(ConfigError):
        RegretSettings(steps=0)
    with pytest.raises(ConfigError):
        LowerSettings(samples=0)


def test_complexity_is_the_smaller_file() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((3, 16, 16), 7, np.uint8)
    loud = rng.integers(0, 256, (3, 16, 16)).astype(np.uint8)
    images = replace(tiny_set(2, (3, 16, 16)), images=np.stack([flat, loud]))
    found = compute(MEASURES["complexity"], None, "", images)
    sizes = []
    for kind in ("PNG", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(flat.transpose(1, 2, 0)).save(buffer, kind, optimize=True, lossless=True)
        sizes.append(8 * buffer.tell())
    assert found[0] <= min(sizes) + 8 * 16
    assert found[1] > 8 * loud.size > found[0]  # noise cannot be compressed


def test_lower_ends_in_the_elbo_of_the_evaluation() -> None:
    model = tiny_model()
    found = compute(MEASURES["lower"], model, "a", IMAGES)
    table = evaluate(model, "a", IMAGES, settings=EvalSettings()).table
    assert found.shape == (5, 4)
    np.testing.assert_allclose(found[:, -1], table.bound[:, 0], rtol=1e-4)


@pytest.mark.parametrize("family", [f for f in FAMILIES if "vamp" not in f])
def test_what_is_refitted_is_inference_alone(family: str) -> None:
    """Samples of the model do not move with the weights that regret refits; L does."""
    model = tiny_model(FAMILIES[family])  # without VampPriors, which are made of posteriors
    with torch.no_grad():
        before = model.sample(2, noise=stream()).mean
        names = model.inference_parameters()
        for name, weight in model.named_parameters():
            if name in names:
                weight.add_(0.1 * torch.randn(weight.shape, generator=torch.manual_seed(0)))
        after = model.sample(2, noise=stream()).mean
    assert names
    torch.testing.assert_close(before, after)
    left = {n.split(".")[0] for n, _ in model.named_parameters()} - {n.split(".")[0] for n in names}
    assert not left & {"up", "up_in", "up_skip", "up_wide", "to_q", "to_up", "merge", "to_down"}


@pytest.mark.parametrize(
    ("family", "way"),
    [("hvae-grey-levels", "regret"), ("hvae-vamp", "regret_z"), ("biva", "regret_z"),
     ("dct-vae", "regret_z"), ("vdvae", "regret")],
)  # fmt: skip
def test_regret_does_not_depend_on_the_batch(family: str, way: str) -> None:
    model = tiny_model(FAMILIES[family]).requires_grad_(False)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    images = tiny_set(2, model.image_shape)
    pixels, digests = images.images, images.image_digests()
    short = replace(SHORT, learning_rate=1e-3)  # far from chaos, where rounding is all there is
    whole = WAYS[way](model, pixels, digests, short)
    turned = WAYS[way](model, pixels[::-1], digests[::-1], short)[::-1]
    alone = [WAYS[way](model, pixels[[i]], digests[i : i + 1], short)[0] for i in range(2)]
    assert (whole >= 0).all() and whole.max() > 0
    np.testing.assert_allclose(turned, whole, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(alone, whole, rtol=2e-3, atol=2e-3)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


def test_regret_is_that_of_a_copy_of_the_model_for_every_image() -> None:
    """Image by image: a deep copy, its way up given to torch's Adam, the best L of every check."""
    model = tiny_model(FAMILIES["vdvae"]).eval()
    images = tiny_set(3)
    settings = RegretSettings(steps=6, check=2, patience=9, samples=2, learning_rate=2e-3)
    found = regret(model, images.images, images.image_digests(), settings=settings)
    ways = ("up_in.", "up_wide.", "up.")
    for pixels, digest, value in zip(images.images, images.image_digests(), found, strict=True):
        grey = torch.from_numpy(pixels[None].copy()).float() / 255
        x = model.prepare(grey, ImageNoise([digest], settings.seed))
        twin = copy.deepcopy(model)
        fitted = [p for n, p in twin.named_parameters() if n.startswith(ways) or ".to_q." in n]
        optimizer = torch.optim.Adam(fitted, settings.learning_rate)

        def elbo(
            samples: int, first: int, twin: Any = twin, digest: int = digest, x: Any = x
        ) -> Any:
            noise = ImageNoise([digest], settings.seed, first)
            return bound(twin.trace(x, noise=noise, samples=samples))[0]

        with torch.no_grad():
            values = [float(elbo(2, 0))]
        for step in range(1, 7):
            optimizer.zero_grad()
            (-elbo(1, 2 + step)).backward()
            optimizer.step()
            if step % 2 == 0:
                with torch.no_grad():
                    values.append(float(elbo(2, 0)))
        assert max(values) > values[0]
        assert value == pytest.approx(max(values) - values[0], rel=0.02, abs=2e-3)


@pytest.mark.parametrize("way", WAYS)
def test_more_steps_find_no_less(way: str) -> None:
    model = tiny_model(FAMILIES["lvae"]).requires_grad_(False)
    pixels, digests = IMAGES.images, IMAGES.image_digests()
    few, many = (
        WAYS[way](model, pixels, digests, replace(SHORT, steps=steps, learning_rate=0.01))
        for steps in (2, 16)
    )
    assert (many >= few - 1e-3).all() and many.mean() > few.mean()


def test_an_image_stops_when_it_gains_no_more() -> None:
    model = tiny_model(FAMILIES["lvae"]).requires_grad_(False)
    pixels, digests = IMAGES.images, IMAGES.image_digests()
    found = regret_z(model, pixels, digests, settings=replace(SHORT, steps=90, gain=1e9))
    once = regret_z(model, pixels, digests, settings=replace(SHORT, steps=2))
    np.testing.assert_allclose(found, once, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [LinearGaussian, TopDownGaussian])
def test_regret_z_finds_the_exact_posterior(kind: Any) -> None:
    """Inference that is off by shifts and scales alone: refitted, L is log p(x)."""
    model = kind(layers=2, units=2, off=1.0)
    x = model.images(2)
    settings = RegretSettings(steps=300, check=50, learning_rate=0.03, samples=2000)
    found = refit_z(model, x, [11, 12], settings=settings).numpy()
    expected = model.log_evidence(x.numpy()) - model.expected_bound(x.numpy(), 0, up="sample")
    assert (expected > 0.5).all()
    np.testing.assert_allclose(found, expected, rtol=0.1, atol=0.1)
