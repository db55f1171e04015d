"""The one reader: any container of images, opened by what it is, read by one policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import AnyPath, FarPath
from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers import splits
from hvae_core.data.readers.csv_file import open_csv
from hvae_core.data.readers.encoded import Pictures
from hvae_core.data.readers.folder import has_pictures, open_folder
from hvae_core.data.readers.idx import images_in, is_idx, open_idx, open_idx_folder
from hvae_core.data.readers.image_file import page_bytes, pages, read_bytes
from hvae_core.data.readers.labels import Labels
from hvae_core.data.readers.names import KINDS, SUFFIXES, is_junk, listed
from hvae_core.data.readers.npz import labels_place, open_npy, open_npz
from hvae_core.data.readers.parquet import open_parquet, shards_in
from hvae_core.data.readers.splits import split_of_shard
from hvae_core.data.readers.survey import Container, read_set
from hvae_core.data.readers.tar import open_tar, tars_in
from hvae_core.data.readers.wanted import Wanted
from hvae_core.data.readers.zip_file import open_zip

Open = Callable[[Path, Wanted], Container]

MAX_PAGES = 10_000
ARCHIVES: dict[str, Open] = {
    ".parquet": open_parquet,
    ".npz": open_npz,
    ".npy": open_npy,
    ".zip": open_zip,
    ".tar": open_tar,
    ".csv": open_csv,
    ".tsv": open_csv,
}
"""What opens a file of many images, by its ending; IDX files have theirs in the name."""


def read_images(path: Path, wanted: Wanted) -> ImageSet:
    """Return the wanted images of a file or folder of any kind that is known."""
    return read_set(opened(path, wanted), wanted)


def opened(path: AnyPath, wanted: Wanted) -> Container:
    """Open a file or folder of any kind that is known, at the split that is wanted."""
    container = open_source(path, wanted)
    if wanted.split and not container.split and not wanted.or_whole:
        raise DataError(
            f"{wanted.title} has no splits, so no {wanted.split} split either; give it alone."
        )
    if wanted.split and not container.split and wanted.split not in _told(path):
        whole = f"no splits here: the whole of it is taken for the {wanted.split} split"
        container.notes = (*container.notes, whole)
    return container


def _told(path: AnyPath) -> tuple[str | None, ...]:
    """The splits that the name of a file or folder says."""
    return split_of_shard(path.stem), splits.split_of(path.name)


def open_source(path: AnyPath, wanted: Wanted) -> Container:
    """Open a file or folder by what it is; raises ``DataError`` for other kinds."""
    if isinstance(path, FarPath):
        return _open_far(path, wanted)
    if path.is_dir():
        return _open_folder(path, wanted)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}; check the path.")
    if not path.is_file():
        raise DataError(f"{path} is no file, but a pipe or device; choose a file of images.")
    if _is_pointer(path):
        raise DataError(
            f"{path.name} is a pointer of Git LFS, not the file itself; fetch it with git lfs pull."
        )
    if is_idx(path):
        return open_idx(path, wanted)
    suffix = path.suffix.casefold()
    opened = ARCHIVES.get(suffix)
    if opened is not None:
        return opened(path, wanted)
    if suffix in SUFFIXES:
        return one_picture(read_bytes(path, wanted.title), wanted.title)
    raise _other_kind(path)


def _other_kind(path: AnyPath) -> DataError:
    return DataError(
        f"{path.name} is not a kind of file that holds images; choose a folder of images, "
        f"a .parquet, .npz, .npy, .zip, .tar, .csv or IDX file, or one {KINDS} "
        f"image{_hint(path.suffix.casefold())}."
    )


def _open_far(path: FarPath, wanted: Wanted) -> Container:
    """Open what a store has, if it can be read where it lies."""
    if path.is_dir():
        if not has_pictures(path):
            if shards_in(path):
                return open_parquet(path, wanted)
            if tars_in(path):
                return open_tar(path, wanted)
        return open_folder(path, wanted)
    if path.suffix.casefold() == ".parquet":
        return open_parquet(path, wanted)
    if path.suffix.casefold() == ".tar":
        return open_tar(path, wanted)
    raise _other_kind(path)


def one_picture(data: bytes, title: str, *, alone: bool = False) -> Pictures:
    """The picture of a file; of a TIFF all its pages, or the first ``alone``."""
    held = _Pages(data, title, most=1 if alone else MAX_PAGES)
    note = (f"the {len(held)} pages of one file",) if len(held) > 1 else ()
    return Pictures(held, Labels.none(len(held)), notes=note)


def _open_folder(path: Path, wanted: Wanted) -> Container:
    """Open a folder by what it holds: pictures first, else tables or arrays."""
    if has_pictures(path):
        return open_folder(path, wanted)
    if shards_in(path):
        return open_parquet(path, wanted)
    if tars_in(path):
        return open_tar(path, wanted)
    try:
        # As torchvision downloads MNIST: below the folder, or two below.
        for place in (path, *sorted(path.glob("raw")), *sorted(path.glob("*/raw"))):
            if place.is_dir() and (idx := images_in(place)):
                return open_idx_folder(idx, wanted)
        arrays = _arrays_in(path)
    except OSError as exc:
        raise DataError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    if not arrays:
        return open_folder(path, wanted)  # which says what is there
    by_split: dict[str, list[Path]] = {}
    for place in arrays:
        by_split.setdefault(split_of_shard(place.stem) or "", []).append(place)
    if len(arrays) == 1 and not split_of_shard(arrays[0].stem):
        return ARCHIVES[arrays[0].suffix.casefold()](arrays[0], wanted)
    if "" in by_split or any(len(places) > 1 for places in by_split.values()):
        raise DataError(
            f"{path.name} holds several files of images "
            f"({listed([place.name for place in arrays])}); choose one of them."
        )
    split, note = splits.choose(wanted.split, by_split, wanted.title, counted=False)
    place = by_split[split][0]
    opened = ARCHIVES[place.suffix.casefold()](place, replace(wanted, split=None))
    opened.split = split
    opened.notes = (note, *opened.notes)
    return opened


def _arrays_in(path: Path) -> list[Path]:
    """Files of arrays and tables in a folder, without those of labels beside others."""
    places = sorted(
        place for place in path.iterdir()
        if place.is_file() and place.suffix.casefold() in (".npz", ".npy", ".csv", ".tsv")
        and not is_junk(place.name)
    )  # fmt: skip
    labels = {labels_place(place) for place in places}
    return [place for place in places if place not in labels]


class _Pages:
    """The pages of one file."""

    def __init__(self, data: bytes, title: str, *, most: int) -> None:
        self.data, self.title = data, title
        self.count = pages(data, title, most)

    def __len__(self) -> int:
        return self.count

    def name(self, number: int) -> str:
        """The page in words."""
        return self.title if self.count == 1 else f"Page {number + 1} of {self.title}"

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """The file, or each page as a file."""
        if self.count == 1:
            return iter([partial(bytes, self.data)] * len(numbers))
        return (
            partial(page_bytes, self.data, self.name(number), number) for number in numbers.tolist()
        )


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(40).startswith(b"version https://git-lfs")
    except OSError:
        return False


def _hint(suffix: str) -> str:
    if suffix in (".mat",):
        return "; save a .mat as .npz with scipy.io.loadmat and numpy.savez"
    if suffix in (".pkl", ".pickle", ".pt", ".pth"):
        return "; a pickle can run code, so save its arrays as .npz"
    if suffix in (".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"):
        return "; unpack the archive first"
    return ""
