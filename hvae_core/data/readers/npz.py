"""Images in NumPy files, every declared size checked before anything is read."""

from __future__ import annotations

import io
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import PathT
from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers import splits
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.labels import NAMES, not_taken
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.survey import in_words
from hvae_core.data.readers.wanted import Wanted

IMAGE_KEYS = ("images", "image", "x", "data", "imgs", "img", "pictures", "pixels", "arr_0")
LABEL_KEYS = (*NAMES, "arr_1")
CLASS_KEYS = ("class_names", "label_names", "target_names", "names", "categories", "classes")
FILE_KEYS = ("files", "file_names", "filenames", "paths")
MAX_ENTRIES = 256
_BROKEN = (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError,
           KeyError, SyntaxError, TypeError, MemoryError, OverflowError, AttributeError, IndexError,
           UnicodeError, zlib.error, tokenize.TokenError, AssertionError)  # fmt: skip
_SIDES = "|".join(sorted((n for names in splits.SPLITS.values() for n in names), key=len)[::-1])
_LONG = "train|training|test|testing|val|valid|validation"  # may stand without a sign between
_BEFORE = re.compile(rf"(?:({_SIDES})[_\-. ]|({_LONG}))(.+)", re.IGNORECASE)
_AFTER = re.compile(rf"(?:(.+?)[_\-. ]({_SIDES})|(.+?)({_LONG}))", re.IGNORECASE)


def open_npz(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of an .npz: one array of them, or one a split, and their labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _Members(archive, path.name, path if wanted.streamed else None)
            return _chosen(members, path.name, wanted)
    except DataError:
        raise
    except _BROKEN as exc:
        raise DataError(
            f"{path.name} cannot be read as a NumPy archive; save it again with numpy.savez."
        ) from exc


def open_npy(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of an .npy, with labels from the file beside it that is named so."""
    return Arrays(
        _read_npy(path, mapped=wanted.streamed),
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


class _Members:
    """The arrays of an archive by name, each read when it is asked for.

    Of an archive whose ``path`` is given, arrays that are not compressed are read where they lie.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, path: Path | None = None) -> None:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        keys = [info.filename.removesuffix(".npy") for info in infos]
        if len(infos) > MAX_ENTRIES or len(set(keys)) < len(keys):
            raise DataError(f"{name} holds too many or repeated arrays; save the images alone.")
        self.path = path
        if sum(info.file_size for info in infos if not self._lies(info)) > max_set_bytes():
            raise DataError(
                f"{name} unpacks to more than {in_words(max_set_bytes())}; save fewer images."
            )
        self.archive = archive
        self.infos = dict(zip(keys, infos, strict=True))

    def _lies(self, info: zipfile.ZipInfo) -> bool:
        return self.path is not None and info.compress_type == zipfile.ZIP_STORED

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type, from the header alone."""
        with self.archive.open(self.infos[key]) as file:
            return _header(file)

    def read(self, key: str, kinds: str = "biuf") -> NDArray[Any]:
        """The array; its header may claim any shape, which must be what the archive holds."""
        info = self.infos[key]
        shape, dtype = self.header(key)
        lies = self._lies(info) and math.prod(shape) > 0
        _check_plain(key, shape, dtype, held=info.file_size, kinds=kinds, any_size=lies)
        if lies and self.path is not None:
            return _mapped(self.path, _begin(self.path, info))
        with self.archive.open(info) as file:
            return npy.read_array(file, allow_pickle=False)

    def words(self, key: str) -> str:
        """A name with its shape."""
        try:
            return f"{key} {self.header(key)[0]}"
        except _BROKEN:
            return key


def _chosen(members: _Members, name: str, wanted: Wanted) -> Arrays:
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

    def __init__(self, members: _Members, key: str) -> None:
        self.shape = members.header(key)[0]

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0


def _images_by_split(members: _Members, name: str) -> tuple[dict[str, str], list[str]]:
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


def _positional(members: _Members, name: str) -> str:
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


def _labels_key(members: _Members, split: str, shape: tuple[int, ...]) -> str | None:
    """The array of labels; ``classes`` may be the names of the classes instead."""
    names = {"classes", "class", "class_name"}
    plain = [
        key for key in members.infos
        if key not in names or members.header(key)[0][:1] in [(side,) for side in shape]
    ]  # fmt: skip
    return _key_of(LABEL_KEYS, dict.fromkeys(plain), split)


def _stored_labels(
    members: _Members, key: str | None, *, name: str, pixels: NDArray[Any]
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


def _may_be_labels(members: _Members, key: str, count: int) -> bool:
    if key in CLASS_KEYS or key in FILE_KEYS:
        return False
    shape, dtype = members.header(key)
    return shape in ((count,), (count, 1)) and dtype.kind in "biuUS"


def _texts(members: _Members, key: str | None) -> tuple[str, ...]:
    if key is None:
        return ()
    shape, dtype = members.header(key)
    if dtype.kind not in "US" or len(shape) != 1:
        return ()
    texts = members.read(key, "US").tolist()
    return tuple(t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in texts)


def _read_npy(path: Path, kinds: str = "biuf", *, mapped: bool = False) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            shape, dtype = _header(file)
            mapped = mapped and math.prod(shape) > 0
            held = path.stat().st_size
            _check_plain(path.stem, shape, dtype, held=held, kinds=kinds, any_size=mapped)
        if mapped:
            return _mapped(path, 0)
        with path.open("rb") as file:
            return npy.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except _BROKEN as exc:
        raise DataError(
            f"{path.name} cannot be read as a NumPy array; save it again with numpy.save."
        ) from exc


def _begin(path: Path, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a file begin that an archive holds as they are."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
    name, extra = struct.unpack("<HH", head[26:30])
    return info.header_offset + 30 + int(name) + int(extra)


def _mapped(path: Path, start: int) -> NDArray[Any]:
    """An array as it lies in a file, of which only what is asked for is read."""
    with path.open("rb") as file:
        file.seek(start)
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(file)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.memmap(path, dtype, mode="r", offset=file.tell(), shape=shape, order=order)


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
    return None if place is None else _read_npy(place, "biufUS")


def _labels_beside(path: Path) -> tuple[str, ...]:
    place = labels_place(path)
    return () if place is None else (f"labels from {place.name} beside it",)


def _header(file: BinaryIO | Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(file)
    return tuple(int(side) for side in shape), dtype


def _check_plain(
    key: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    held: int,
    kinds: str = "biuf",
    any_size: bool = False,
) -> None:
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or dtype.kind not in kinds or declared > held or min(shape, default=0) < 0:
        what = (
            "holds Python objects, which could run code"
            if dtype.hasobject
            else (f"is not a plain array of numbers of the size it claims ({dtype}, {shape})")
        )
        raise DataError(f"The array {key} {what}; save plain numbers, as uint8, with numpy.savez.")
    if declared > max_set_bytes() and not any_size:
        raise DataError(f"{key} holds more than {in_words(max_set_bytes())}; save fewer images.")
