"""Images as Python values: a set, an array, rows of pixels, names of files; one rule for each.

What a value means follows from its type and from what was said of it, never from its contents, so
that an image means the same in every batch. Readers of files guess where they must; here a caller
can say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.files import named_path
from hvae_core.common.usual import USUAL_LIMIT
from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.load import load_source, one_image
from hvae_core.data.prepare import Step, prepared
from hvae_core.data.readers.names import SUFFIXES
from hvae_core.data.worlds import named_images

Range = tuple[float, float]
"""The values that stand for black and for white."""
_TITLE = "images given"


def given_images(
    source: Any,
    image_shape: Shape,
    *,
    shape: Shape | None = None,
    scale: Range | None = None,
    prepare: tuple[Step, ...] = (),
) -> ImageSet:
    """Images at the shape of a model, one a row of ``source`` and in its order.

    ``source`` is an ``ImageSet``, a path or name as ``load_source`` takes it, a set of a world as
    "glyphs:test", a list of image files, or an array: (N, C, H, W), (N, H, W, C), (N, H, W), or
    rows (N, pixels) of images of ``shape`` (C, H, W), of the model's without one. A tensor of torch
    and a list of pictures are arrays too. ``scale`` says which values are black and white; without
    it whole numbers go from 0 to 255, truth values and fractions from 0 to 1. ``prepare`` are steps
    on pictures as they came. Raises ``DataError``.
    """
    if isinstance(source, ImageSet):
        images = _stepped(source, prepare)
    elif isinstance(source, str | Path):
        images = _of_path(source, prepare)
    elif _names_files(source):
        return _of_files([*source], image_shape, prepare)
    else:
        images = _stepped(_of_array(as_array(source), image_shape, shape, scale=scale), prepare)
    images.require(None)
    return images.fit(image_shape)


def is_rows(source: Any) -> bool:
    """Whether a value is a table of numbers, a row an image, which ``shape`` gives a meaning."""
    if isinstance(source, ImageSet | str | Path) or _names_files(source):
        return False
    if hasattr(source, "ndim"):
        return bool(source.ndim <= 2)
    if isinstance(source, list | tuple):
        try:
            return bool(np.ndim(_first(source)) <= 1)
        except (TypeError, ValueError, RuntimeError):
            return False
    return not hasattr(source, "__len__")


def as_array(source: Any) -> NDArray[Any]:
    """The numbers of a value: an array, a tensor of torch, a list of these, an image of Pillow.

    Raises ``DataError`` for what holds none.
    """
    if isinstance(source, np.ndarray):
        return source
    many = isinstance(source, list | tuple)
    try:
        array = np.asarray([_at_hand(one) for one in source] if many else _at_hand(source))
    except (TypeError, ValueError, RuntimeError):
        array = np.empty((), dtype=object)
    if array.dtype.kind == "O" or not array.ndim:
        what = "A list of unlike things" if many else f"A {type(source).__name__}"
        raise DataError(
            f"{what} is no set of images; give an array of numbers (N, C, H, W), a path, or what "
            "hv.load_images gives. Of a torch Dataset: torch.stack([x for x, _ in dataset])."
        )
    return array


def _at_hand(value: Any) -> Any:
    """A tensor that is on a card or carries gradients, as numpy can read it."""
    return value.detach().cpu() if hasattr(value, "detach") else value


def _first(source: Any) -> Any:
    try:
        return source[0] if len(source) else ()
    except (TypeError, KeyError):
        return None


def _names_files(source: Any) -> bool:
    if isinstance(source, np.ndarray):
        return source.ndim == 1 and source.dtype.kind in "OU" and _named(source)
    return isinstance(source, list | tuple) and _named(source)


def _named(values: Sequence[Any] | NDArray[Any]) -> bool:
    return len(values) > 0 and all(isinstance(value, str | Path) for value in values)


def _of_path(source: str | Path, prepare: tuple[Step, ...]) -> ImageSet:
    path = named_path(source)
    if path.is_file() and path.suffix.casefold() in SUFFIXES:
        return one_image(path, path.stem, path.name, prepare=prepare)
    of_world = None if prepare else named_images(str(source), USUAL_LIMIT)
    return load_source(source, prepare=prepare) if of_world is None else of_world


def _of_files(
    files: Sequence[str | Path], image_shape: Shape, prepare: tuple[Step, ...]
) -> ImageSet:
    """Each file is one image, whatever its size; none is left out, or rows would not be files."""
    read = []
    for name in files:
        path = named_path(name)
        read.append(one_image(path, path.stem, path.name, prepare=prepare).fit(image_shape))
    return ImageSet(
        "files",
        f"{len(files):,} image files",
        np.concatenate([one.images for one in read]),
        labels=np.full(len(read), -1),
        notes=tuple(dict.fromkeys(note for one in read for note in one.notes)),
        files=tuple(str(name) for name in files),
    )


def _stepped(images: ImageSet, prepare: tuple[Step, ...]) -> ImageSet:
    if not prepare or not len(images):
        return images
    if "stretch" in prepare:
        raise DataError(
            "The step stretch reads the darkest and brightest value of a whole file, which an "
            "array or a set does not have; say with scale which values are black and white."
        )
    changed = [prepared(image, prepare) for image in images.images]
    return replace(images, images=np.stack(changed), notes=(*images.notes, ", ".join(prepare)))


def _of_array(
    array: NDArray[Any], image_shape: Shape, shape: Shape | None, *, scale: Range | None
) -> ImageSet:
    pixels = _levels(_as_nchw(array, image_shape, shape), scale)
    return ImageSet("images", _TITLE, pixels, labels=np.full(len(pixels), -1))


def _as_nchw(array: NDArray[Any], image_shape: Shape, shape: Shape | None) -> NDArray[Any]:
    if array.ndim == 2:
        return array.reshape(-1, *row_shape(array.shape[1], image_shape, shape))
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return array
    if array.ndim == 4 and array.shape[3] in (1, 3):
        return array.transpose(0, 3, 1, 2)
    raise DataError(
        f"An array of shape {array.shape} is no set of images; give (N, C, H, W) with 1 or 3 "
        "channels, (N, H, W), or rows (N, pixels) with shape=(C, H, W)."
    )


def row_shape(pixels: int, image_shape: Shape, shape: Shape | None) -> Shape:
    """The shape (C, H, W) of an image in a row of so many pixels; -1 in ``shape`` is what is left.

    Raises ``DataError`` where the row is of another length.
    """
    wanted = image_shape if shape is None else shape
    known = math.prod(side for side in wanted if side != -1)
    free = sum(side == -1 for side in wanted)
    if len(wanted) != 3 or free > 1 or known < 1 or wanted[0] not in (1, 3, -1):
        raise DataError(f"shape={wanted} is no shape of an image; write (C, H, W), C being 1 or 3.")
    if pixels < 1 or (pixels % known if free else pixels != known):
        what = f"shape={tuple(wanted)}" if shape else f"{describe_shape(image_shape)} of the model"
        raise DataError(
            f"Rows of {pixels} numbers are no images of {what}, which have {known}; say with "
            "shape=(C, H, W) what a row holds."
        )
    channels, height, width = (pixels // known if side == -1 else int(side) for side in wanted)
    return channels, height, width


def _levels(values: NDArray[Any], scale: Range | None) -> NDArray[np.uint8]:
    """Values as grey levels from 0 to 255, by their type or by what black and white are."""
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"Values of type {values.dtype} are no grey levels; give numbers from 0 to 255, or "
            "fractions from 0 to 1."
        )
    if scale is None:
        scale = (0.0, 255.0) if values.dtype.kind in "iu" else (0.0, 1.0)
        low, high = (float(values.min()), float(values.max())) if values.size else scale
        if not (scale[0] <= low and high <= scale[1]):  # NaN fails too
            what = "Whole numbers" if values.dtype.kind in "iu" else "Fractions"
            raise DataError(
                f"{what} from {low:g} to {high:g} lie outside {scale[0]:g} to {scale[1]:g}; say "
                "with scale=(black, white) which values are black and white."
            )
    black, white = map(float, scale)
    if not (np.isfinite([black, white]).all() and black < white):
        raise DataError(f"scale={scale} is no range; write (black, white), black being lower.")
    if not np.isfinite(values).all():
        raise DataError("Images need finite numbers; replace NaN and infinity.")
    levels = (values.astype(np.float64) - black) * (255 / (white - black))
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)
