"""A person's own pictures made ready for training: size and colour chosen, some held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.held_out import split_by_digest
from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.load import load_source, path_and_split
from hvae_core.data.prepare import Step

SIDE = 32
"""Pixels of the longer side at most, where nothing else is asked for."""
SIDES = (8, 128)
"""What may be asked for."""
_SAMPLE = 24
_COLOURED = 16
"""Levels between the channels of a pixel from which on it has a colour."""
_FEW = 0.01
"""Share of coloured pixels up to which a picture is grey, and of such pictures a set."""
_TONES = (40, 216)
_PHOTOGRAPH = 0.5
"""Share of pixels with a middle tone from which on grey pictures are no drawings."""


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images to train on and images held out, at one shape, with what was chosen and why."""

    title: str
    training: ImageSet
    held_out: ImageSet
    digest: str
    """Of all of them together."""
    photographs: bool
    """Whether middle tones or colours prevail, as in photographs; else they are drawings."""
    notes: tuple[str, ...]

    @property
    def image_shape(self) -> Shape:
        """(C, H, W)."""
        return self.training.image_shape


def own_images(
    source: str | Path | ImageSet,
    *,
    side: int = SIDE,
    seed: int = 0,
    prepare: tuple[Step, ...] = (),
    data_root: str | Path | None = None,
    download: bool = False,
    progress: Progress = silent,
) -> OwnImages:
    """The pictures of a folder, a file or a set, in two parts and at a shape that suits them.

    The longer side has at most ``side`` pixels, and the ratio of the sides is kept; of a source in
    splits the training split is taken. ``seed`` says which pictures are held out. Raises
    ``DataError``, for too few different pictures too.
    """
    if not SIDES[0] <= side <= SIDES[1]:
        raise DataError(f"Pictures are made {SIDES[0]} to {SIDES[1]} pixels wide, not {side}.")
    if isinstance(source, ImageSet):
        images = sample = source
    else:
        place = _training_split(str(source))
        sample = load_source(
            place, limit=_SAMPLE, prepare=prepare, allow_download=download, data_root=data_root,
            progress=part(progress, 0, 10),
        )  # fmt: skip
    shape, notes = shape_for(sample, side)
    if not isinstance(source, ImageSet):
        images = load_source(
            place, image_shape=shape, prepare=prepare, allow_download=download,
            data_root=data_root, progress=progress,
        )  # fmt: skip
    images = images.fit(shape)
    parts = split_by_digest(images, seed)
    title = source.title if isinstance(source, ImageSet) else _title(source)
    training, held_out = (replace(each, title=title, notes=()) for each in parts)
    photographs = shape[0] == 3 or _middle_tones(images) > _PHOTOGRAPH
    return OwnImages(
        title, training, held_out,
        digest=images.digest, photographs=photographs, notes=(*notes, *images.notes),
    )  # fmt: skip


def _title(source: str | Path) -> str:
    """What a source is called: the last part of its path or name, a file without its ending."""
    path = Path(str(source).rstrip("/\\") or "/")
    name = path.stem if path.is_file() else path.name
    return name.strip(".") or "own images"


def _training_split(source: str) -> str:
    """The source with its training split named, where it has one and none was named."""
    path, split = path_and_split(source)
    if path is None or split is not None:
        return source
    try:
        load_source(f"{source}:train", limit=1)
    except DataError:
        return source
    return f"{source}:train"


def shape_for(sample: ImageSet, side: int = SIDE) -> tuple[Shape, tuple[str, ...]]:
    """The shape (C, H, W) at which to train on pictures like these, and a note on the choice.

    Even sides, as the network halves them; at least 8 pixels each.
    """
    if not len(sample):
        raise DataError(f"{sample.title} holds no images; choose another folder or file.")
    channels, height, width = sample.image_shape
    shrink = min(1.0, side / max(height, width))
    high, wide = (max(8, 2 * round(length * shrink / 2)) for length in (height, width))
    coloured = channels == 3 and _coloured(sample) > _FEW
    shape = (3 if coloured else 1, high, wide)
    why = "they have colours" if coloured else "they have no colours"
    return shape, (f"trained at {describe_shape(shape)}: most are {width}x{height}, and {why}",)


def _coloured(images: ImageSet) -> float:
    """Share of the pictures of which more than a few pixels have a colour."""
    pixels = images.images.astype(np.int16)
    spread = pixels.max(axis=1) - pixels.min(axis=1)  # (N, H, W)
    return float(((spread >= _COLOURED).mean(axis=(1, 2)) > _FEW).mean())


def _middle_tones(images: ImageSet) -> float:
    some = images.images[np.unique(np.linspace(0, len(images) - 1, 256).astype(int))]
    return float(((some > _TONES[0]) & (some < _TONES[1])).mean())
