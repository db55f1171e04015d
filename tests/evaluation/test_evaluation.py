"""Tables equal the traces they are made of, whatever the batches, order or interruptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hvae_core.common import cache
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Cancelled
from hvae_core.data import ImageSet
from hvae_core.evaluation import compute
from hvae_core.evaluation import evaluation as evaluated
from hvae_core.evaluation.bounds import bound, iw_bound, nll
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation, evaluation_key, unpack
from hvae_core.evaluation.scorer import Scorer
from hvae_core.models import HierarchicalVAE
from tests.small import prepared, tiny_model, tiny_set

IMAGES = tiny_set(23)
COLUMNS = ("bound", "iw", "nll", "kl")
CLOSE: Any = {"rtol": 1e-5, "atol": 1e-3}


@pytest.fixture(scope="module")
def model() -> HierarchicalVAE:
    return tiny_model()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "PART_IMAGES", 8)


def assert_same(one: Evaluation, other: Evaluation, rows: Any = slice(None)) -> None:
    for name in COLUMNS:
        found, expected = getattr(one.table, name), getattr(other.table, name)[rows]
        np.testing.assert_allclose(found, expected, **CLOSE)
    for a, b in zip(one.latents, other.latents, strict=True):
        np.testing.assert_allclose(a, b[rows], atol=2e-3, rtol=2e-3)
    for a, b in zip(one.unit_variance, other.unit_variance, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


WAYS = [("sample", "sample"), ("sample", "mean"), ("mean", "sample"), ("mean", "mean")]


@pytest.mark.parametrize(("skipped", "up"), WAYS)
def test_a_table_is_its_traces(model: HierarchicalVAE, skipped: Any, up: Any) -> None:
    settings = EvalSettings(samples=3, partial_samples=3, seed=5, skipped=skipped, up=up)
    found = evaluate(model, "a", IMAGES, settings=settings, batch_size=5)
    x, noise = prepared(model, IMAGES, 5), ImageNoise(IMAGES.image_digests(), 5)
    with torch.no_grad():
        traces = [
            model.trace(x, k=k, noise=noise, samples=3, skipped=skipped, up=up) for k in range(3)
        ]
    for name, function in (("bound", bound), ("iw", iw_bound), ("nll", nll)):
        expected = torch.stack([function(trace) for trace in traces], 1).numpy()
        np.testing.assert_allclose(getattr(found.table, name), expected, **CLOSE)
    np.testing.assert_allclose(found.table.kl, traces[0].kl.mean(1).T.numpy(), **CLOSE)
    for i, z in enumerate(traces[0].z):
        assert z is not None
        means = z.mean(0).flatten(1).numpy()
        np.testing.assert_allclose(found.unit_variance[i], means.var(0), rtol=1e-3, atol=1e-6)
        kept = means if means.shape[1] <= compute.STORED_UNITS else means[:, :0]
        np.testing.assert_allclose(found.latents[i], kept, atol=2e-3, rtol=2e-3)
    assert (found.table.dims, found.table.samples, len(found)) == (64, 3, 23)
    assert (found.checkpoint, found.set_name, found.set_digest) == ("a", "bars", IMAGES.digest)
    np.testing.assert_array_equal(found.labels, IMAGES.labels)


def test_many_samples_are_gathered_in_chunks(model: HierarchicalVAE) -> None:
    few = IMAGES.take(3)
    found = evaluate(model, "a", few, settings=EvalSettings(samples=25, partial_samples=25))
    x, noise = prepared(model, few), ImageNoise(few.image_digests())
    with torch.no_grad():
        traces = model.traces(x, range(3), noise=noise, samples=25, skipped="mean", up="mean")
    expected = torch.stack([iw_bound(trace) for trace in traces], 1).numpy()
    np.testing.assert_allclose(found.table.iw, expected, **CLOSE)
    expected = torch.stack([bound(trace) for trace in traces], 1).numpy()
    np.testing.assert_allclose(found.table.bound, expected, **CLOSE)
    assert traces[0].z[-1] is not None
    top = traces[0].z[-1].mean(0).numpy()
    np.testing.assert_allclose(found.latents[-1], top, atol=2e-3, rtol=2e-3)


def test_only_the_first_term_takes_many_samples(model: HierarchicalVAE) -> None:
    """k = 0 as with 4 samples, k >= 1 as with 2, and the latents of all 4."""
    found = evaluate(model, "a", IMAGES, settings=EvalSettings(samples=4, partial_samples=2))
    four = evaluate(model, "a", IMAGES, settings=EvalSettings(samples=4, partial_samples=4))
    two = evaluate(model, "a", IMAGES, settings=EvalSettings(samples=2, partial_samples=2))
    for name in ("bound", "iw", "nll"):
        mixed = getattr(found.table, name)
        np.testing.assert_allclose(mixed[:, 0], getattr(four.table, name)[:, 0], **CLOSE)
        np.testing.assert_allclose(mixed[:, 1:], getattr(two.table, name)[:, 1:], **CLOSE)
    np.testing.assert_allclose(found.latents[-1], four.latents[-1], atol=2e-3, rtol=2e-3)
    assert found.table.samples == 4


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batches_do_not_matter(model: HierarchicalVAE, batch_size: int) -> None:
    settings = EvalSettings(samples=2)
    reference = evaluate(model, "a", IMAGES, settings=settings)
    assert_same(evaluate(model, "b", IMAGES, settings=settings, batch_size=batch_size), reference)


def test_order_does_not_matter(model: HierarchicalVAE) -> None:
    settings = EvalSettings(samples=2)
    order = np.random.default_rng(0).permutation(23)
    shuffled = evaluate(model, "a", IMAGES.take(order), settings=settings)
    assert_same(shuffled, evaluate(model, "a", IMAGES, settings=settings), order)


def count_work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    work: list[int] = []
    plain = Scorer.launch

    def counted(self: Scorer, pixels: Any, digests: Any) -> Any:
        work.append(len(pixels))
        return plain(self, pixels, digests)

    monkeypatch.setattr(Scorer, "launch", counted)
    return work


def is_cached(checkpoint: str, images: ImageSet, settings: EvalSettings) -> bool:
    key = evaluation_key(checkpoint, images.digest, settings)
    return cache.kept("evaluations", key, unpack=unpack) is not None


def test_what_is_known_is_not_computed_again(
    model: HierarchicalVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = count_work(monkeypatch)
    settings = EvalSettings()
    assert not is_cached("a", IMAGES, settings)
    assert not work
    first = evaluate(model, "a", IMAGES, settings=settings)
    assert work == [8, 8, 7]
    again = evaluate(model, "a", IMAGES, settings=settings)
    assert work == [8, 8, 7]
    for name in COLUMNS:  # the first reader sees the very figures of the next
        np.testing.assert_array_equal(getattr(first.table, name), getattr(again.table, name))
    for a, b in zip(first.latents, again.latents, strict=True):
        np.testing.assert_array_equal(a, b)
    for other in (EvalSettings(seed=1), EvalSettings(samples=2), EvalSettings(up="sample")):
        assert not is_cached("a", IMAGES, other)
    assert not is_cached("b", IMAGES, settings)
    assert not is_cached("a", IMAGES.take(22), settings)


def test_the_cache_knows_pixels_and_the_caller_knows_their_names(model: HierarchicalVAE) -> None:
    evaluate(model, "a", IMAGES, settings=EvalSettings())
    renamed = replace(IMAGES, name="other", labels=1 - IMAGES.labels, class_names=("x", "y"))
    found = evaluate(model, "a", renamed, settings=EvalSettings())
    assert (found.set_name, found.class_names) == ("other", ("x", "y"))
    np.testing.assert_array_equal(found.labels, 1 - IMAGES.labels)


def test_an_interruption_costs_one_part(
    model: HierarchicalVAE, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    whole = evaluate(model, "whole", IMAGES, settings=EvalSettings(samples=2))
    work = count_work(monkeypatch)

    def stop(done: float, _message: str) -> None:
        if done > 0.6:  # in the second of three parts
            raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(model, "a", IMAGES, settings=EvalSettings(samples=2), progress=stop, batch_size=4)
    assert work == [4, 4, 4, 4]
    assert not is_cached("a", IMAGES, EvalSettings(samples=2))
    del work[:]
    again = evaluate(model, "a", IMAGES, settings=EvalSettings(samples=2), batch_size=4)
    assert work == [4, 4, 4, 3]  # the first part was kept
    assert_same(again, whole)
    assert not list((cache_folder / "parts").glob("*.npz"))


def test_progress_rises_to_one(model: HierarchicalVAE) -> None:
    seen: list[float] = []
    evaluate(
        model,
        "a",
        IMAGES,
        settings=EvalSettings(),
        progress=lambda done, _: seen.append(done),
        batch_size=3,
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_a_damaged_part_is_computed_again(
    model: HierarchicalVAE, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(model, "a", IMAGES, settings=EvalSettings())
    key = evaluation_key("a", IMAGES.digest, EvalSettings())
    cache.entry_path("evaluations", key).write_bytes(b"no zip file")
    work = count_work(monkeypatch)
    assert_same(evaluate(model, "a", IMAGES, settings=EvalSettings()), first)
    assert work


def test_a_cache_that_refuses_only_costs_time(
    model: HierarchicalVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path / "file"))
    assert len(evaluate(model, "a", IMAGES, settings=EvalSettings())) == 23


def test_pack_and_unpack(model: HierarchicalVAE) -> None:
    found = evaluate(model, "a", IMAGES, settings=EvalSettings(samples=2, seed=3, skipped="mean"))
    arrays = evaluated.pack(found)
    assert all(not array.dtype.hasobject for array in arrays.values())
    back = evaluated.unpack(arrays)
    assert_same(back, found)
    for name in ("checkpoint", "set_name", "set_digest", "settings", "class_names"):
        assert getattr(back, name) == getattr(found, name)
    assert back.table.bound.dtype == np.float64
    assert back.labels.dtype == np.int64


def test_images_that_do_not_fit_are_refused(model: HierarchicalVAE) -> None:
    with pytest.raises(DataError, match=r"shape \(1, 28, 28\).*resize"):
        evaluate(model, "a", tiny_set(2, (1, 28, 28)), settings=EvalSettings())
    with pytest.raises(DataError, match="no images"):
        evaluate(model, "a", IMAGES.take(0), settings=EvalSettings())
    with pytest.raises(ConfigError, match="at least one sample"):
        EvalSettings(samples=0)


def test_posterior_means_are_those_of_the_table(model: HierarchicalVAE) -> None:
    settings = EvalSettings(samples=1, seed=2)
    table = evaluate(model, "a", IMAGES, settings=settings)
    seen: list[float] = []
    means = compute.posterior_means(
        model, IMAGES, 2, batch_size=10, progress=lambda done, _: seen.append(done)
    )
    for mean, kept, spec in zip(means, table.latents, model.latents, strict=True):
        assert mean.shape == (23, spec.units)
        assert mean.dtype == np.float32
        if kept.shape[1]:
            np.testing.assert_allclose(mean, kept, atol=2e-3, rtol=2e-3)
    assert seen[-1] == 1
