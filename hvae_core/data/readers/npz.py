"""Images in a NumPy archive, every declared size checked before anything is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Pixels, Rule
from hvae_core.data.readers.collect import MAX_SET_BYTES

IMAGE_KEYS = ("images", "x", "arr_0")
LABEL_KEYS = ("labels", "y", "arr_1")
MAX_ENTRIES = 64
MAX_CLASSES = 10_000


def load_npz(
    path: str | Path,
    *,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    split: str = "test",
    rule: Rule = "resize",
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of an .npz: uint8, or float in [0, 1], of rank 3 or 4.

    Shapes (N, H, W), (N, H, W, C) and (N, C, H, W). Keys: images, x or arr_0, and labels or y;
    where a file holds several splits, x_test and y_test (or images_test, ...).
    """
    path = Path(path)
    title = title or path.stem
    progress(0.0, f"reading {title}")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path.name)
            key = _first(entries, [f"{k}_{split}" for k in IMAGE_KEYS[:2]] + list(IMAGE_KEYS))
            if key is None:
                raise DataError(
                    f"{path.name} has no array named images, x or arr_0 "
                    f"(it has {', '.join(list(entries)[:8]) or 'none'}); save it under such a name."
                )
            images = _as_images(_read(archive, entries[key]), limit, f"{key} in {path.name}")
            key = _first(entries, [f"{k}_{split}" for k in LABEL_KEYS[:2]] + list(LABEL_KEYS))
            stored = None if key is None else _read(archive, entries[key])
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError,
            RuntimeError, KeyError, SyntaxError, TypeError) as exc:  # fmt: skip
        raise DataError(
            f"{path.name} cannot be read as a NumPy archive; save it again with numpy.savez."
        ) from exc
    labels = _as_labels(stored, len(images), title)
    names = tuple(str(index) for index in range(int(labels.max(initial=-1)) + 1))
    read = ImageSet(name=path.stem, title=title, images=images, labels=labels, class_names=names)
    progress(1.0, f"read {title}: {len(read):,} images")
    return read if image_shape is None else read.fit(image_shape, rule)


def npz_bytes(images: ImageSet, **more: NDArray[Any]) -> bytes:
    """Return a set as an .npz file that `load_npz` reads back: images, labels, class_names.

    `more` holds further plain arrays, which the loader leaves alone.
    """
    file = io.BytesIO()
    names = np.array(images.class_names, dtype=np.str_)
    pixels = images.images.transpose(0, 2, 3, 1)  # channels last, which no width is taken for
    arrays: dict[str, Any] = {"images": pixels, "labels": images.labels, "class_names": names}
    np.savez_compressed(file, **arrays | more)
    return file.getvalue()


def _entries(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    keys = [info.filename.removesuffix(".npy") for info in infos]
    if len(infos) > MAX_ENTRIES or len(set(keys)) < len(keys):
        raise DataError(f"{name} holds too many or repeated arrays; save the images alone.")
    if sum(info.file_size for info in infos) > MAX_SET_BYTES:
        raise DataError(
            f"{name} unpacks to more than {MAX_SET_BYTES // 2**30} GiB; save fewer images."
        )
    return dict(zip(keys, infos, strict=True))


def _first(entries: dict[str, zipfile.ZipInfo], keys: list[str]) -> str | None:
    return next((key for key in keys if key in entries), None)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        # The header may claim any shape; what it claims must be what the archive holds.
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(file)
        declared = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
        if dtype.hasobject or dtype.kind not in "biuf" or declared > info.file_size:
            raise DataError(
                f"The array {info.filename.removesuffix('.npy')} is not a plain array of numbers "
                "of the size it claims; save it again with numpy.savez."
            )
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _as_images(array: NDArray[Any], limit: int | None, what: str) -> Pixels:
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(
            f"{what} has shape {array.shape}; images need (N, H, W), (N, H, W, C) or (N, C, H, W)."
        )
    array = array[:limit]
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    elif array.shape[1] not in (1, 3):
        raise DataError(f"{what} has shape {array.shape}; images need 1 or 3 channels.")
    return _as_bytes(array, what)


def _as_bytes(array: NDArray[Any], what: str) -> Pixels:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind == "b":
        return np.ascontiguousarray(array).astype(np.uint8) * 255
    low, high = array.min(), array.max()
    if array.dtype.kind in "iu" and low >= 0 and high <= 255:
        return np.ascontiguousarray(array).astype(np.uint8)
    # NaN fails both comparisons, as it should.
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.round(np.ascontiguousarray(array) * 255.0).astype(np.uint8)
    raise DataError(
        f"{what} has values from {low:g} to {high:g}; "
        "store whole numbers from 0 to 255, or fractions from 0 to 1."
    )


def _as_labels(stored: NDArray[Any] | None, count: int, title: str) -> NDArray[np.int64]:
    if stored is None:
        return np.full(count, -1, np.int64)
    flat = stored.reshape(-1)
    if len(flat) < count or flat.dtype.kind not in "iu":
        raise DataError(
            f"The labels of {title} have shape {stored.shape} and type {stored.dtype}; "
            f"give one whole number an image ({count:,})."
        )
    labels = flat[:count].astype(np.int64)
    return np.where((labels >= 0) & (labels < MAX_CLASSES), labels, -1)
