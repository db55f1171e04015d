"""One table per (checkpoint, images, settings): what the pages and the command line both read.

Images go through the model in batches; every part is kept on disk as soon as it is done, so an
interrupted evaluation continues where it stopped. Noise comes from the pictures themselves
(``ImageNoise``): but for rounding (about 1e-4 nats in float32) the table does not depend on batch
size, order of the images, or number of parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache as remembered

import numpy as np
import torch

from hvae_core.checkpoint import load_checkpoint
from hvae_core.common import cache
from hvae_core.common.noise import ImageNoise, Plan
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import COLUMNS, ERRORS, BoundAccumulator, Bounds, BoundTable
from hvae_core.evaluation.collapse import UnitStats
from hvae_core.evaluation.evaluation import (
    STORED_UNITS,
    EvalSettings,
    Evaluation,
    as_of,
    evaluation_key,
    pack,
    unpack,
)
from hvae_core.evaluation.parts import kept_in_parts
from hvae_core.evaluation.sets import Sets
from hvae_core.models import HierarchicalVAE, prepared
from hvae_core.models.frozen import frozen

PART_IMAGES = 500
BATCH_PIXELS = 200 * 28 * 28
"""Pixels of images x samples that go through a model at once: few, as processors have caches."""
_ACCELERATOR = 10
"""How many times as many keep an accelerator busy."""

Plans = dict[tuple[range, int], Plan]
"""What passes of one kind ask of their noise, by their ks and number of samples."""


def evaluate(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    settings: EvalSettings,
    *,
    progress: Progress = silent,
    batch_size: int | None = None,
) -> Evaluation:
    """Bounds L_>k (HVK Eq. 5, 9) of every image for every k, from the cache or computed.

    ``checkpoint`` is the digest of the weights. Raises ``DataError`` if the images do not have the
    model's shape.
    """
    images.require(model.image_shape)
    samples = max(settings.samples, settings.partial_samples)
    # Few images with all their samples: what does not depend on the sample is computed once.
    batch_size = batch_size or max(1, _rows(model) // samples)
    twin = remembered(lambda: frozen(model))

    def some(rows: ImageSet, report: Callable[[float], None]) -> dict[str, np.ndarray]:
        return _evaluate_part(twin(), rows, settings, batch_size=batch_size, report=report)

    def join(parts: Sequence[cache.Arrays]) -> cache.Arrays:
        return pack(_join(parts, model, checkpoint, images=images, settings=settings))

    evaluation = kept_in_parts(
        "evaluations",
        evaluation_key(checkpoint, images.digest, settings),
        images,
        compute=some,
        join=join,
        unpack=unpack,
        size=PART_IMAGES,
        progress=progress,
    )
    return as_of(evaluation, images)


def evaluate_once(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    settings: EvalSettings,
    *,
    progress: Progress = silent,
) -> Evaluation:
    """As ``evaluate`` to the bit, of images that may be forgotten: the cache is left alone.

    ``model`` is one that is ``frozen``.
    """
    images.require(model.image_shape)
    batch_size = max(1, _rows(model) // max(settings.samples, settings.partial_samples))
    parts = []
    for start in range(0, len(images), PART_IMAGES):
        rows = images.take(range(start, min(start + PART_IMAGES, len(images))))

        def report(done: float, first: int = start, count: int = len(rows)) -> None:
            progress((first + done * count) / len(images), images.title)

        parts.append(_evaluate_part(model, rows, settings, batch_size=batch_size, report=report))
    return unpack(pack(_join(parts, model, checkpoint, images=images, settings=settings)))


def evaluate_sets(
    path: str, sets: Sets, names: Sequence[str], *, progress: Progress = silent
) -> None:
    """A job: ``evaluate`` of sets by name under a checkpoint file, left in the cache."""
    checkpoint = load_checkpoint(path)
    model, digest = checkpoint.model, checkpoint.digest
    for done, name in enumerate(names):
        step = part(progress, done, len(names))
        images = sets.images(checkpoint, name, step)
        evaluate(model, digest, images, settings=EvalSettings(), progress=step)


def evaluate_batch(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digests: Sequence[int],
    settings: EvalSettings,
    *,
    plans: Plans | None = None,
) -> tuple[list[Bounds], list[np.ndarray]]:
    """Bounds of uint8 images (B, C, H, W) for k = 0..K-1, and E[z_i | x] (B, units) a layer.

    Samples come in chunks, so that 1000 of them need no more memory than a few; the posterior
    means are averaged over the samples of the layers below them. ``plans`` that batches share save
    time and change no number.
    """
    plans = {} if plans is None else plans
    half = torch.autocast(
        model.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"
    )
    accumulators = [BoundAccumulator() for _ in range(model.n_levels)]
    means = [np.zeros((len(pixels), spec.units)) for spec in model.latents]
    at_once = max(1, _rows(model) // len(pixels))
    with torch.inference_mode(), half:
        x = prepared(model, pixels, digests, seed=settings.seed)
        for ks, first, count in _chunks(model.n_levels, settings, at_once):
            traces = model.traces(
                x,
                ks,
                noise=ImageNoise(
                    digests, settings.seed, first,
                    device=model.device, plan=plans.setdefault((ks, count), Plan()),
                ),
                samples=count,
                skipped=settings.skipped,
                up=settings.up,
            )  # fmt: skip
            for trace in traces:
                accumulators[trace.k].add(trace)
            # The means of k = 0 alone: for k > 0 the layers below come from the prior, not from x.
            for total, mean in zip(means, traces[0].z, strict=True):
                if mean is not None and traces[0].k == 0:
                    total += mean.mean(0).flatten(1).cpu().numpy() * (count / settings.samples)
    return [accumulator.result() for accumulator in accumulators], means


def _rows(model: HierarchicalVAE) -> int:
    """Images x samples that go through the model at once."""
    pixels = BATCH_PIXELS * (1 if model.device.type == "cpu" else _ACCELERATOR)
    return max(1, pixels // model.dims)


def _chunks(levels: int, settings: EvalSettings, at_once: int) -> Iterator[tuple[range, int, int]]:
    """(ks, first sample, number of samples) of the passes that make one batch's bounds."""
    # L takes ``samples`` draws, each L_>k ``partial_samples``. Their first draws are the same ones,
    # so that LLR_>k compares like with like; what either wants beyond them is drawn for it alone.
    both = min(settings.samples, settings.partial_samples)
    more = range(1) if settings.samples > both else range(1, levels)
    for ks, begin, end in (
        (range(levels), 0, both),
        (more, both, max(settings.samples, settings.partial_samples)),
    ):
        for first in range(begin, end if ks else begin, at_once):
            yield ks, first, min(at_once, end - first)


def posterior_means(
    model: HierarchicalVAE,
    images: ImageSet,
    seed: int = 0,
    *,
    progress: Progress = silent,
    batch_size: int = 100,
) -> list[np.ndarray]:
    """E[z_i | x] for every layer, (N, units) float32, by one draw of the layers it depends on."""
    digests = images.image_digests()
    rows = []
    for start in range(0, len(images), batch_size):
        stop = start + batch_size
        noise = ImageNoise(digests[start:stop], seed)
        with torch.inference_mode():
            x = prepared(model, images.images[start:stop], digests[start:stop], seed=seed)
            means = model.posterior_means(x, noise=noise, up="sample")
        rows.append([mean.flatten(1).cpu().numpy() for mean in means])
        progress(min(1.0, stop / len(images)), images.title)
    return [np.concatenate([row[i] for row in rows]) for i in range(model.n_layers)]


def _evaluate_part(
    model: HierarchicalVAE,
    images: ImageSet,
    settings: EvalSettings,
    *,
    batch_size: int,
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """Columns of the table, latents that are kept, and moments of all units, by array name."""
    digests = images.image_digests()
    tables, latents = [], []
    stats = [UnitStats() for _ in model.latents]
    plans: Plans = {}
    for start in range(0, len(images), batch_size):
        stop = start + batch_size
        pixels, keys = images.images[start:stop], digests[start:stop]
        bounds, means = evaluate_batch(model, pixels, keys, settings=settings, plans=plans)
        tables.append(BoundTable.from_bounds(bounds, model.dims))
        for moments, mean in zip(stats, means, strict=True):
            moments.add(mean)
        latents.append([mean[:, : _kept(mean.shape[1])].astype(np.float32) for mean in means])
        report(min(1.0, stop / len(images)))
    table = BoundTable.concat(tables)
    arrays = {name: getattr(table, name) for name in COLUMNS} | table.errors
    for i, moments in enumerate(stats):  # by number: a family may name its layers as it likes
        arrays[f"z{i}"] = np.concatenate([row[i] for row in latents])
        arrays[f"moments{i}"] = moments.state
    return arrays


def _kept(units: int) -> int:
    """How many units of a layer are kept image by image: all or none."""
    return units if units <= STORED_UNITS else 0


def _join(
    parts: Sequence[Mapping[str, np.ndarray]],
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    settings: EvalSettings,
) -> Evaluation:
    columns = {
        name: np.concatenate([part[name] for part in parts])
        for name in (*COLUMNS, *ERRORS)
        if all(name in part for part in parts)
    }
    # Moments are merged, not averaged: parts may differ in size.
    variance, latents = [], []
    for i in range(model.n_layers):
        stats = UnitStats()
        for arrays in parts:
            stats.merge(UnitStats.of(arrays[f"moments{i}"]))
        variance.append(stats.variance.astype(np.float32))
        latents.append(np.concatenate([part[f"z{i}"] for part in parts]))
    return Evaluation(
        checkpoint,
        images.name,
        images.digest,
        settings=settings,
        table=BoundTable(**columns, dims=model.dims, samples=settings.samples),
        labels=np.asarray(images.labels),
        class_names=images.class_names,
        unit_variance=tuple(variance),
        latents=tuple(latents),
        names=tuple(spec.name for spec in model.latents),
        levels=tuple(spec.group for spec in model.latents),
        files=images.files,
    )
