"""What the front door adds to the rooms: checkpoints and images by name, path or value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hvae_core import checkpoint as room
from hvae_core.checkpoint import Checkpoint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import named_path
from hvae_core.common.progress import Progress, silent
from hvae_core.common.thresholds import COLLAPSE_THRESHOLD
from hvae_core.data import ImageSet, worlds
from hvae_core.data.given import as_array, given_images
from hvae_core.data.load import array_images, load_source
from hvae_core.data.named import own_world
from hvae_core.data.prepare import parse_steps
from hvae_core.data.readers.wanted import check_limit
from hvae_core.data.worlds import custom_set
from hvae_core.detection.judging import judging
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.contract import Contract, check_model
from hvae_core.evaluation.diagnosis import Diagnosis, diagnosis
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import checkpoint_path, evaluated_images
from hvae_core.evaluation.sets import Sets
from hvae_core.evaluation.worlds import world_key, world_of
from hvae_core.models import HierarchicalVAE, Skipped, Up
from hvae_core.probes import reconstruct as pictures
from hvae_core.probes.reconstruct import Reconstructions
from hvae_core.scores import get_score, richest
from hvae_core.scores.assemble import Beside, Computed, assemble
from hvae_core.scores.available import background_path

Model = Checkpoint | HierarchicalVAE | str | Path
"""A checkpoint, a model in memory, or the name or path of one."""
Images = ImageSet | np.ndarray | Sequence[Any] | str | Path
"""A set, what ``load_images`` takes, or an array, tensor or list of pictures of a model's shape."""


def load_checkpoint(
    source: str | Path | bytes, *, given: Mapping[str, Any] | None = None
) -> Checkpoint:
    """A checkpoint by the name of a shipped one, the path of a file, or the bytes of a file.

    That of another project (docs/checkpoints.md) is converted: a file, a folder or a zip, with
    hyper-parameters ``given`` that its files lack, as {"set": "cifar10"}. It passes the gate;
    ``CheckpointError`` says in one sentence what is wrong with it.
    """
    if isinstance(source, bytes):
        return room.load_checkpoint(source, given=given)
    return room.load_checkpoint(checkpoint_path(str(source)), given=given)


def load_images(
    source: str | Path | np.ndarray | Sequence[Any],
    labels: np.ndarray | None = None,
    *,
    name: str = "",
    limit: int | None = None,
    data_root: str | Path | None = None,
    prepare: str = "",
    download: bool = False,
    progress: Progress = silent,
) -> ImageSet:
    """Images of a world's set ("glyphs:digits"), a path, a set by name, a hub name, or an array.

    An array, a tensor of torch or a list of pictures is read as an array of a file is: uint8, or
    fractions from 0 to 1, (N, 1 or 3, H, W) or (N, H, W). ``prepare`` names steps on images of a
    path or an array, as "invert,pad". Without a ``limit`` all images are taken, but of a world's
    set those 1,000 that stored results rest on; 0 takes all of these too. ``name`` is what tables
    call the set. ``data_root`` is the folder of image sets, ``download`` fetches from the hub what
    is not on this machine. Raises ``DataError``, or ``MissingImages`` with what to do.
    """
    found = _images(
        source, labels, limit=limit, data_root=data_root, prepare=prepare, download=download,
        progress=progress,
    )  # fmt: skip
    return found.renamed(name, name) if name else found


def _images(
    source: str | Path | np.ndarray | Sequence[Any],
    labels: np.ndarray | None,
    *,
    limit: int | None,
    data_root: str | Path | None,
    prepare: str,
    download: bool,
    progress: Progress,
) -> ImageSet:
    if not isinstance(source, str | Path):
        check_limit(limit or None)
        images = array_images(as_array(source), labels, prepare=parse_steps(prepare))
        return images.take(limit or len(images))
    world, _, of_world = str(source).partition(":")
    if of_world and world in worlds() and not named_path(source).exists():
        sets = worlds()[world]
        if download and not sets.available(of_world, data_root):
            sets.download(of_world, progress)
        most = SHIPPED_LIMIT if limit is None else limit or None
        return sets.choose(of_world, data_root, limit=most, progress=progress)
    return load_source(
        source,
        limit=limit or None,
        prepare=parse_steps(prepare),
        allow_download=download,
        data_root=data_root,
        progress=progress,
    )


def _given(images: Images, checkpoint: Checkpoint) -> ImageSet:
    """Images as any function here takes them, at the shape of a model."""
    return given_images(images, checkpoint.image_shape)


def evaluate(
    model: Model,
    images: Images,
    settings: EvalSettings | None = None,
    *,
    progress: Progress = silent,
) -> Evaluation:
    """Bounds L_>k in nats (HVK Eq. 5, 9) of every image for every k: shipped, cached or computed.

    Images of another shape are brought to the model's. ``settings`` are those of the shipped
    results unless given: ten draws, seed 0. ``model`` is a checkpoint, its name or path, or a model
    in memory such as ``adapt`` makes: its results are kept under its weights of now.
    """
    if not isinstance(settings, EvalSettings | None):
        raise ConfigError(
            f"Settings of an evaluation are hv.EvalSettings(samples=10, seed=0), not {settings!r}."
        )
    checkpoint = judging(model).checkpoint
    return evaluated_images(checkpoint, _given(images, checkpoint), settings, progress=progress)


def score_images(
    model: Model,
    images: Images,
    *keys: str,
    beside: Sequence[Model] = (),
    unseen: bool = False,
    progress: Progress = silent,
) -> dict[str, Floats]:
    """Scores of every image by their keys, (N,) each; higher means more out of distribution.

    All that a score reads is computed where it is not at hand: bounds, measures, statistics of the
    training images. ``beside`` are other models of the same images, which an ensemble's scores
    read. A score may fit a density to one half of the world's held-out images: ``unseen`` leaves
    out its values of these, which are no measure of it. Raises ``ScoreError`` for a key that there
    is not, or a score that cannot be had.
    """
    checkpoint = judging(model).checkpoint
    given = _given(images, checkpoint)
    evaluation = evaluated_images(checkpoint, given, progress=progress)
    table = evaluation.table
    scores = [get_score(key, table.n_levels, evaluation.names) for key in keys]
    if not any(score.needs or score.measures for score in scores):
        return {score.key: score(table) for score in scores}
    known = world_key(checkpoint) is not None
    world = world_of(checkpoint) if known else own_world(checkpoint.image_shape)
    spec = custom_set(given)
    background = background_path(world)
    others = Beside(
        tuple(judging(other).checkpoint for other in beside),
        None if background is None else judging(background).checkpoint,
    )
    read = assemble(
        Computed(checkpoint, Sets(world.with_set(spec))),
        [replace(evaluation, set_name=spec.name)],
        scores,
        beside=others,
        progress=progress,
    ).materials[spec.name]
    of_score = {score: richest(score, read) for score in scores}
    if not unseen:
        return {score.key: score(material) for score, material in of_score.items()}
    return {
        score.key: score(material)[score.counted(material)] for score, material in of_score.items()
    }


def diagnose(
    model: Model,
    images: Images,
    *,
    threshold: float = COLLAPSE_THRESHOLD,
    progress: Progress = silent,
) -> Diagnosis:
    """Which layers collapsed, since when, why, and what to try: print it, or read its fields.

    A layer under ``threshold`` nats a unit counts as collapsed (Li et al. 2022, Table 14). With a
    Gaussian likelihood of fixed sigma the decoder's variance is held against the eigenvalues of
    these images' covariance (Lucas et al. 2019).
    """
    checkpoint = judging(model).checkpoint
    given = _given(images, checkpoint)
    evaluation = evaluated_images(checkpoint, given, progress=progress)
    return diagnosis(checkpoint, evaluation, given, title=given.title, threshold=threshold)


def check(model: Model, images: Images, *, seed: int = 0) -> Contract:
    """Hold a model to what everything here relies on, on a few images; print what comes back.

    Shapes, finite values, the same numbers alone and in a batch, a prior that sees no image, L_>0
    as the ELBO (HVK Eq. 5): each point is kept, or says what to do.
    """
    checkpoint = judging(model).checkpoint
    return check_model(checkpoint.model, _given(images, checkpoint), seed=seed)


def reconstruct(
    model: Model,
    images: Images,
    *,
    seed: int = 0,
    skipped: Skipped = "mean",
    up: Up = "mean",
    temperature: float = 1.0,
    samples: int = 1,
) -> Reconstructions:
    """p(x | z_>k) of images for every k (HVK Eq. 5): the expected images, and nats lost.

    ``skipped`` says what a layer below passes down, a draw from its prior or the prior's mean,
    ``up`` what it passes up, its posterior mean or a draw; ``temperature`` scales these draws.
    Both results are averages over so many ``samples`` of z.
    """
    checkpoint = judging(model).checkpoint
    fitted = _given(images, checkpoint)
    return pictures.reconstruct(
        checkpoint.model,
        fitted.images,
        fitted.image_digests(),
        seed=seed,
        skipped=skipped,
        up=up,
        temperature=temperature,
        samples=samples,
    )
