"""Tables of how training went, by what a checkpoint keeps of it (DVP App. B, Figures 7, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hvae_core.evaluation.collapse import bits_per_dim
from hvae_core.studies.members import Member, Subject
from hvae_core.studies.rows import MODEL, Made, because, filled, row_of
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Row

_NEEDED = ("grad_norms", "skipped", "clipped", "train_elbo", "valid_elbo")
_NO_HISTORY = "its history has no gradient norms"


def stability(_spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """Gradient norms, skipped and clipped steps, and the ELBO at the end (DVP Figures 7, 8).

    Norms are L2, before clipping, of the loss in nats an image. A spike is how many times its
    median the largest norm after the first epoch is.
    """
    columns = [
        Column("layers", "layers", 0),
        Column("parameters", "parameters", 0),
        Column("steps", "steps", 0),
        Column("first", "largest norm, first epoch"),
        Column("later", "largest norm, later"),
        Column("median", "median norm, later"),
        Column("spike", "largest / median", 1),
        Column("skipped", "skipped steps", 0),
        Column("clipped", "clipped (%)", 1, factor=100.0),
        Column("train", "−ELBO in training (bits/dim)", 3),
        Column("valid", "−ELBO held out (bits/dim)", 3),
    ]
    rows: list[Row] = []
    for subject in subjects:
        known = [m for m in subject.members if all(m.info.history.get(key) for key in _NEEDED)]
        row = row_of(subject)
        if not known:
            rows.append(because(row, _NO_HISTORY))
            continue
        each = [_of(member) for member in known]
        figures = {c.key: Figure.of([one[c.key] for one in each]) for c in columns}
        figures |= {key: Figure(each[0][key]) for key in ("layers", "parameters", "steps")}
        rows.append(filled(row, figures))
    return MODEL, columns, rows


def _of(member: Member) -> dict[str, float]:
    """One checkpoint's figures; its first epoch stands apart from the later ones."""
    history: Any = member.info.history
    norms = [np.asarray(epoch, dtype=np.float64) for epoch in history["grad_norms"]]
    later = np.concatenate(norms[1:] or norms)
    images, train = member.info.card.train_images, member.info.train
    assert train is not None  # a history is written by training
    images = min(train.epoch_images or images, images)
    steps = -(-images // train.batch_size) * len(norms)
    dims = int(np.prod(member.info.image_shape))
    return {
        "layers": float(len(member.info.latent_shapes)),
        "parameters": float(member.info.parameters),
        "steps": float(steps),
        "first": float(norms[0].max()),
        "later": float(later.max()),
        "median": float(np.median(later)),
        "spike": float(later.max() / np.median(later)),
        "skipped": float(sum(history["skipped"])),
        "clipped": sum(history["clipped"]) / steps,
        "train": float(bits_per_dim(-history["train_elbo"][-1], dims)),
        "valid": float(bits_per_dim(-history["valid_elbo"][-1], dims)),
    }
