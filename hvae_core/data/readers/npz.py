"""Which arrays of NumPy files are images, labels and names of a set."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import PathT
from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers import splits
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.labels import NAMES, not_taken
from hvae_core.data.readers.numpy_file import BROKEN, Members, read_npy
from hvae_core.data.readers.wanted import Wanted

IMAGE_KEYS = ("images", "image", "x", "data", "imgs", "img", "pictures", "pixels", "arr_0")
LABEL_KEYS = (*NAMES, "arr_1")
CLASS_KEYS = ("class_names", "label_names", "target_names", "names", "categories", "classes")
FILE_KEYS = ("files", "file_names", "filenames", "paths")
_SIDES = "|".join(sorted((n for names in splits.SPLITS.values() for n in names), key=len)[::-1])
_LONG = "train|training|test|testing|val|valid|validation"  # may stand without a sign between
_BEFORE = re.compile(rf"(?:({_SIDES})[_\-. ]|({_LONG}))(.+)", re.IGNORECASE)
_AFTER = re.compile(rf"(?:(.+?)[_\-. ]({_SIDES})|(.+?)({_LONG}))", re.IGNORECASE)


def open_npz(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of an .npz: one array of them, or one a split, and their labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = Members(archive, path.name, path if wanted.streamed else None)
            return _chosen(members, path.name, wanted)
    except DataError:
        raise
    except BROKEN as exc:
        raise DataError(
            f"{path.name} cannot be read as a NumPy archive; save it again with numpy.savez."
        ) from exc


def open_npy(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of an .npy, with labels from the file beside it that is named so."""
    return Arrays(
        read_npy(path, mapped=wanted.streamed),
        _beside(path),
        what=path.name,
        notes=_labels_beside(path),
    )


def npz_bytes(images: ImageSet, **more: NDArray[Any]) -> bytes:
    """Return a set as an .npz file that is read back: images, labels, class and file names.

    `more` holds further plain arrays, which the loader leaves alone.
    """
    file = io.BytesIO()
    names = np.array(images.class_names, dtype=np.str_)
    pixels = images.images.transpose(0, 2, 3, 1)  # channels last, which no width is taken for
    arrays: dict[str, Any] = {"images": pixels, "labels": images.labels, "class_names": names}
    if images.files:
        arrays["files"] = np.array(images.files, dtype=np.str_)
    np.savez_compressed(file, **arrays | more)
    return file.getvalue()


def _chosen(members: Members, name: str, wanted: Wanted) -> Arrays:
    images, others = _images_by_split(members, name)
    if list(images) == [""]:
        split, notes = "", []
    else:
        by_split = {split: _Counted(members, key) for split, key in images.items() if split}
        split, note = splits.choose(wanted.split, by_split, wanted.title)
        notes = [note]
    key = images[split]
    pixels = members.read(key)
    what = f"{key} in {name}"
    if key not in IMAGE_KEYS and not split:
        notes.append(f"the array {key} taken as the images")
    labels_key = _labels_key(members, split, pixels.shape)
    left = [other for other in others if len(members.header(other)[0]) >= 3]
    if left:
        notes.append(f"arrays left out: {', '.join(left[:5])}")
    stored, why = _stored_labels(members, labels_key, name=name, pixels=pixels)
    if labels_key is None:
        columns = [other for other in others if _may_be_labels(members, other, len(pixels))]
        why = not_taken(columns)
    return Arrays(
        pixels,
        stored,
        what=what,
        labels_what=f"the array {labels_key}",
        class_names=_texts(members, _key_of(CLASS_KEYS, members.infos, "")),
        files=_texts(members, _key_of(FILE_KEYS, members.infos, split)),
        notes=(*notes, *why),
        split=split,
    )


class _Counted:
    """An array that is counted from its header."""

    def __init__(self, members: Members, key: str) -> None:
        self.shape = members.header(key)[0]

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0


def _images_by_split(members: Members, name: str) -> tuple[dict[str, str], list[str]]:
    """Which array has the images of each split ("" without splits), and all others."""
    found: dict[str, str] = {}
    for key in members.infos:
        split, base = _parsed(key)
        if base in IMAGE_KEYS[:-1]:
            rank = IMAGE_KEYS.index(base)
            held = found.get(split)
            if held is None or rank < IMAGE_KEYS.index(_parsed(held)[1]):
                found[split] = key
    if not found and "arr_0" in members.infos:
        found[""] = _positional(members, name)
    keys = list(members.infos)
    if not found:
        alike = [key for key in keys if len(keys) == 1 or len(members.header(key)[0]) >= 3]
        if len(alike) == 1:
            found[""] = alike[0]
    if not found:
        raise DataError(
            f"{name} has no array named images, x or arr_0 "
            f"(it has {', '.join(keys[:8]) or 'none'}); save it under such a name."
        )
    if "" in found and len(found) > 1:
        del found[""]  # it is named among those left out
    return found, [key for key in keys if key not in found.values()]


def _positional(members: Members, name: str) -> str:
    """The images of arrays without names: the first, where a second can be its labels alone."""
    arrays = [key for key in members.infos if re.fullmatch(r"arr_\d+", key)]
    first = members.header("arr_0")[0]
    second = members.header("arr_1")[0] if "arr_1" in members.infos else None
    is_label = second is None or (
        len(second) <= 2 and second[:1] == first[:1] and second[1:] != first[1:]
    )
    if len(arrays) > 2 or not is_label:
        held = ", ".join(members.words(key) for key in arrays[:8])
        raise DataError(
            f"{name} holds arrays without names ({held}), so which are images and which labels "
            "is not said; save it with numpy.savez(..., images=..., labels=...)."
        )
    return "arr_0"


def _parsed(key: str) -> tuple[str, str]:
    """The split ("" without one) and the rest of an array's name: x_test, test_images, X_train."""
    text = key.casefold()
    match = _BEFORE.fullmatch(text)
    known = (*IMAGE_KEYS, *LABEL_KEYS, *FILE_KEYS)
    if match and match.group(3).strip("_-. ") in known:
        split = match.group(1) or match.group(2)
        return splits.split_of(split) or "", match.group(3).strip("_-. ")
    match = _AFTER.fullmatch(text)
    base = (match.group(1) or match.group(3)).strip("_-. ") if match else ""
    if match and base in known:
        return splits.split_of(match.group(2) or match.group(4)) or "", base
    split = splits.split_of(text)
    return (split, "images") if split else ("", text)


def _key_of(wanted: tuple[str, ...], keys: Mapping[str, object], split: str) -> str | None:
    """The first of the wanted names that an array of a split has."""
    parsed = {_parsed(key): key for key in keys}
    places = [(split, base) for base in wanted] + [("", base) for base in wanted]
    return next((parsed[place] for place in places if place in parsed), None)


def _labels_key(members: Members, split: str, shape: tuple[int, ...]) -> str | None:
    """The array of labels; ``classes`` may be the names of the classes instead."""
    names = {"classes", "class", "class_name"}
    plain = [
        key for key in members.infos
        if key not in names or members.header(key)[0][:1] in [(side,) for side in shape]
    ]  # fmt: skip
    return _key_of(LABEL_KEYS, dict.fromkeys(plain), split)


def _stored_labels(
    members: Members, key: str | None, *, name: str, pixels: NDArray[Any]
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    if key is None:
        return None, ()
    shape, dtype = members.header(key)
    if dtype.hasobject:
        return None, (f"no labels: {key} holds Python objects, which could run code",)
    if not shape:
        return None, (f"no labels: {key} is a single number",)
    stored = members.read(key, "biufUS")
    if stored.ndim > 2 or (stored.ndim == 2 and stored.shape == pixels.shape):
        raise DataError(
            f"{key} in {name} has shape {stored.shape}, which labels do not have; "
            "give one whole number or name an image."
        )
    return stored, ()


def _may_be_labels(members: Members, key: str, count: int) -> bool:
    if key in CLASS_KEYS or key in FILE_KEYS:
        return False
    shape, dtype = members.header(key)
    return shape in ((count,), (count, 1)) and dtype.kind in "biuUS"


def _texts(members: Members, key: str | None) -> tuple[str, ...]:
    if key is None:
        return ()
    shape, dtype = members.header(key)
    if dtype.kind not in "US" or len(shape) != 1:
        return ()
    texts = members.read(key, "US").tolist()
    return tuple(t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in texts)


def labels_place(path: PathT) -> PathT | None:
    """The file of labels beside one of images: images -> labels, x_test -> y_test."""
    stem = path.stem
    for old, new in (("images", "labels"), ("imgs", "labels"), ("x", "y"), ("X", "y")):
        place = path.with_name(re.sub(rf"(?<![A-Za-z]){old}(?![A-Za-z])", new, stem) + ".npy")
        if place != path and place.is_file():
            return place
    return None


def _beside(path: Path) -> NDArray[Any] | None:
    place = labels_place(path)
    return None if place is None else read_npy(place, "biufUS")


def _labels_beside(path: Path) -> tuple[str, ...]:
    place = labels_place(path)
    return () if place is None else (f"labels from {place.name} beside it",)
