"""Reconstructions for the pages: from the cache, or in one pass of a few images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from hvae_core.data.image_set import ImageSet
from hvae_core.figures import StripRow
from pages.shared import store
from pages.shared.kept import by_content
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.reconstruct import Reconstructions

Mode = Literal["mean", "sample"]
"""A distribution stands for itself by its mean or by a draw of it."""


@by_content(256)
def of_images(
    handle: Handle,
    images: ImageSet,
    *,
    seed: int,
    skipped: Mode = "mean",
    up: Mode = "mean",
    temperature: float = 1.0,
    samples: int = 1,
) -> Reconstructions:
    """p(x | z_>k) of a small set under a checkpoint for every k, in one pass.

    The mean over so many ``samples`` of z.
    """
    from hvae_core.probes.reconstruct import reconstruct

    return store.ask(
        handle,
        reconstruct,
        images.images,
        images.image_digests(),
        seed=seed,
        skipped=skipped,
        up=up,
        temperature=temperature,
        samples=samples,
    )


def heads(handle: Handle) -> list[str]:
    """Column heads of a strip: x, then where each reconstruction starts."""
    return ["x", *(f"from {level} up" for level in handle.level_names)]


def rows_of(
    labels: Sequence[str], outs: Sequence[bool], rebuilt: Reconstructions, *, images: ImageSet
) -> list[StripRow]:
    """Rows of a strip: the picture itself, then p(x | z_>k) for k = 0 .. K-1 with its loss."""
    rows = []
    for i, (label, out) in enumerate(zip(labels, outs, strict=True)):
        cells = [images.images[i].astype(np.float32) / 255, *rebuilt.means[:, i]]
        rows.append(StripRow(label, cells, [None, *map(float, rebuilt.nll[:, i])], out=out))
    return rows


def story(
    ctx: Context, handle: Handle, pair: Sequence[tuple[str, int]]
) -> tuple[list[StripRow], list[str]]:
    """One in-distribution image and one outsider, (set, index) each, reconstructed by k."""
    rows: list[StripRow] = []
    for label, (name, index) in zip(("in", "out"), pair, strict=True):
        images = ctx.images(name, handle)
        images = images.take([min(index, len(images) - 1)])
        rebuilt = of_images(handle, images, seed=ctx.seed)
        rows += rows_of([label], [label == "out"], rebuilt, images=images)
    return rows, heads(handle)
