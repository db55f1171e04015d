"""One table per (checkpoint, images, settings): what the pages and the command line both read.

Images go through the model in batches; every part is kept on disk as soon as it is done, so an
interrupted evaluation continues where it stopped. Noise comes from the pictures themselves
(``ImageNoise``): but for rounding (about 1e-4 nats in float32) the table does not depend on batch
size, order of the images, or number of parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache as remembered

import numpy as np
import torch

from hvae_core.checkpoint import load_checkpoint
from hvae_core.common import cache
from hvae_core.common.ahead import one_later
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import COLUMNS, ERRORS, BoundTable
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
from hvae_core.evaluation.replay import scoring_fuses
from hvae_core.evaluation.scorer import Scored, Scorer, rows_at_once
from hvae_core.evaluation.sets import Sets
from hvae_core.models import HierarchicalVAE, prepared
from hvae_core.models.frozen import frozen
from hvae_core.models.layers.fused import compiled_for, fuse

PART_IMAGES = 500


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
    size = min(batch_size or _batch(model, settings), len(images))
    scorer = remembered(lambda: scorer_of(model, settings, size))

    def some(rows: ImageSet, report: Callable[[float], None]) -> dict[str, np.ndarray]:
        return _evaluate_part(scorer(), rows, batch_size=size, report=report)

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
    scorer: Scorer, checkpoint: str, images: ImageSet, *, progress: Progress = silent
) -> Evaluation:
    """As ``evaluate`` to the bit, of images that may be forgotten: the cache is left alone.

    ``scorer`` is the ``scorer_of`` its model; many sets may share it.
    """
    model, settings = scorer.model, scorer.settings
    images.require(model.image_shape)
    batch_size = min(scorer.rows, len(images))
    parts = []
    for start in range(0, len(images), PART_IMAGES):
        rows = images.take(range(start, min(start + PART_IMAGES, len(images))))

        def report(done: float, first: int = start, count: int = len(rows)) -> None:
            progress((first + done * count) / len(images), images.title)

        parts.append(_evaluate_part(scorer, rows, batch_size=batch_size, report=report))
    return unpack(pack(_join(parts, model, checkpoint, images=images, settings=settings)))


def scorer_of(
    model: HierarchicalVAE, settings: EvalSettings, batch_size: int | None = None
) -> Scorer:
    """A scorer of a frozen copy of the model."""
    twin = frozen(model, half=settings.precision == "bfloat16")
    if scoring_fuses():
        fuse(twin, compiled_for(twin.device))
    return Scorer(twin, settings, rows=batch_size or _batch(model, settings))


def _batch(model: HierarchicalVAE, settings: EvalSettings) -> int:
    """Images of a batch: few, with all their samples, as what they share is computed once.

    The batches of a part are of one size, as what replays a pass fills up smaller ones.
    """
    samples = max(settings.samples, settings.partial_samples)
    most = min(PART_IMAGES, max(1, rows_at_once(model) // samples))
    return math.ceil(PART_IMAGES / math.ceil(PART_IMAGES / most))


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
) -> Scored:
    """Bounds of one batch of uint8 images (B, C, H, W), as a ``Scorer`` gives them."""
    return Scorer(model, settings, rows=len(pixels), replays=False)(pixels, digests)


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
    scorer: Scorer, images: ImageSet, *, batch_size: int, report: Callable[[float], None]
) -> dict[str, np.ndarray]:
    """Columns of the table, latents that are kept, and moments of all units, by array name."""
    model, digests = scorer.model, images.image_digests()
    tables, latents = [], []
    stats = [UnitStats() for _ in model.latents]

    def launched() -> Iterator[tuple[int, Callable[[], Scored]]]:
        for start in range(0, len(images), batch_size):
            rows = slice(start, start + batch_size)
            yield start, scorer.launch(images.images[rows], digests[rows])

    for start, read in one_later(launched()):
        bounds, means = read()
        tables.append(BoundTable.from_bounds(bounds, model.dims))
        for moments, mean in zip(stats, means, strict=True):
            moments.add(mean)
        latents.append([mean[:, : _kept(mean.shape[1])].astype(np.float32) for mean in means])
        report(min(1.0, (start + batch_size) / len(images)))
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
