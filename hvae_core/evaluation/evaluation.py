"""What an evaluation is made of, and how it is kept in a file: arrays alone, no torch.

Reading one must be quick, as every page begins with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from hvae_core.common import fingerprint
from hvae_core.common.errors import ConfigError
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import COLUMNS, ERRORS, BoundTable

STORED_UNITS = 64
"""Posterior means of layers with more units than this are not kept image by image."""
NOISE = "philox4x32-10"
"""Where an evaluation's random numbers come from, as its file says; before it, one generator an
image, whose figures differ within their Monte-Carlo error."""


@dataclass(frozen=True)
class EvalSettings:
    """What a table depends on besides checkpoint and images; the defaults are the shipped ones.

    ``samples`` is S of the ELBO and of L^S (HVK Eq. 9), the first term of a likelihood ratio;
    ``partial_samples`` that of L_>k for k >= 1 (HVK Eq. 10 keeps the plain bound there). Equal
    numbers share their draws, and what these add to both terms cancels in the ratio: fewer in the
    second term make every ratio noisier. ``precision`` is that of the networks; densities are
    summed in float32 in any case.
    """

    samples: int = 10
    partial_samples: int = 10
    seed: int = 0
    skipped: Literal["sample", "mean"] = "mean"
    up: Literal["mean", "sample"] = "mean"
    precision: Literal["float32", "bfloat16"] = field(default="float32", metadata=fingerprint.LATER)

    def __post_init__(self) -> None:
        for count in (self.samples, self.partial_samples):
            if not isinstance(count, int) or count < 1:
                raise ConfigError(f"Bounds need at least one sample, a whole number, not {count}.")
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"The precision is float32 or bfloat16, not {self.precision}.")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Bounds (nats) of N images under one checkpoint, with statistics of the latent units.

    ``latents[i]`` are posterior means (N, units) of z_{i+1}, or (N, 0) where the layer is too wide
    to keep; ``unit_variance[i]`` is Var_x(E[z|x]) of each unit over these images (DVP Eq. 23).
    ``names`` and ``levels`` name each layer and its level, z_1 first; ``files`` are the files that
    the images came from, empty where they have no names.
    """

    checkpoint: str
    set_name: str
    set_digest: str
    settings: EvalSettings
    table: BoundTable
    labels: np.ndarray
    class_names: tuple[str, ...]
    unit_variance: tuple[np.ndarray, ...]
    latents: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    levels: tuple[str, ...]
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)


def as_of(evaluation: Evaluation, images: ImageSet) -> Evaluation:
    """With names, labels and digests of this set: what is kept is known by its pixels alone."""
    digests = np.array(images.image_digests(), dtype=np.uint64)
    return replace(
        evaluation,
        table=replace(evaluation.table, digests=digests),
        set_name=images.name,
        labels=np.asarray(images.labels),
        class_names=images.class_names,
        files=images.files,
    )


def class_of(evaluation: Evaluation, index: int) -> str:
    """The name of an image's class, or "" for an image without one."""
    return str((*evaluation.class_names, "")[evaluation.labels[index]])


def evaluation_key(checkpoint: str, pixels: str, settings: EvalSettings) -> str:
    """The digest under which the cache keeps an evaluation, from those of weights and pixels."""
    return fingerprint.digest("evaluation-3", checkpoint, pixels, settings)


def pack(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """An evaluation as plain arrays, for an ``.npz`` file (float32 bounds, float16 latents)."""
    table = evaluation.table
    about = {
        "checkpoint": evaluation.checkpoint,
        "set_name": evaluation.set_name,
        "set_digest": evaluation.set_digest,
        "settings": asdict(evaluation.settings),
        "class_names": list(evaluation.class_names),
        "dims": table.dims,
        "layers": table.n_layers,
        "names": list(evaluation.names),
        "levels": list(evaluation.levels),
        "noise": NOISE,
    }
    arrays = {n: getattr(table, n).astype(np.float32) for n in COLUMNS}
    arrays |= {n: values.astype(np.float32) for n, values in table.errors.items()}
    arrays["labels"] = evaluation.labels.astype(np.int32)
    for i in range(table.n_layers):
        arrays[f"variance{i + 1}"] = evaluation.unit_variance[i].astype(np.float32)
        arrays[f"latents{i + 1}"] = evaluation.latents[i].astype(np.float16)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    return arrays


def unpack(arrays: Mapping[str, np.ndarray]) -> Evaluation:
    """Read back what ``pack`` wrote."""
    about = json.loads(arrays["about"].tobytes())
    settings = EvalSettings(**about["settings"])
    columns: dict[str, Any] = {
        n: arrays[n].astype(np.float64) for n in (*COLUMNS, *ERRORS) if n in arrays
    }
    table = BoundTable(
        **columns,
        dims=about["dims"],
        samples=settings.samples,
    )
    layers = range(1, about["layers"] + 1)
    return Evaluation(
        about["checkpoint"],
        about["set_name"],
        about["set_digest"],
        settings,
        table,
        arrays["labels"].astype(np.int64),
        tuple(about["class_names"]),
        tuple(arrays[f"variance{i}"].astype(np.float32) for i in layers),
        tuple(arrays[f"latents{i}"].astype(np.float32) for i in layers),
        *(tuple(about.get(key) or (f"z{i}" for i in layers)) for key in ("names", "levels")),
    )
