"""A file of a store that has to be at hand as a whole: fetched once into the cache folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from hvae_core.common import fingerprint
from hvae_core.common.errors import DataError
from hvae_core.common.far_path import BLOCK, FarPath
from hvae_core.common.files import make_folder, written
from hvae_core.common.places import cache_data_root
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.readers.idx import is_idx, labels_of
from hvae_core.data.readers.names import SUFFIXES, suffix_of
from hvae_core.data.readers.npz import labels_place
from hvae_core.data.readers.read import ARCHIVES

_IN_PLACE = (".parquet", ".tar")
"""Endings of files that are read where they lie."""


def has_to_be_fetched(path: FarPath) -> bool:
    """Whether a file of images can be read on this machine alone."""
    ending = suffix_of(path.name)
    known = ending in ARCHIVES or ending in SUFFIXES or is_idx(path)
    return path.is_file() and known and ending not in _IN_PLACE


def fetched(path: FarPath, progress: Progress = silent) -> Path:
    """The file on this machine, with the file of labels beside it where there is one.

    Raises ``DataError`` where the disk has no room for it.
    """
    folder = cache_data_root() / "far" / fingerprint.digest(str(path), path.state())
    labels = labels_of(path) if is_idx(path) else labels_place(path)
    for place in (path, labels):
        if place is not None:
            _fetch(place, folder, progress)
    return folder / path.name


def _fetch(path: FarPath, folder: Path, progress: Progress) -> None:
    target = folder / path.name
    if target.is_file() and target.stat().st_size == path.size:
        return
    make_folder(folder)
    if shutil.disk_usage(folder).free < path.size:
        raise DataError(
            f"{plain(path)} has {path.size / 2**30:.1f} GiB, for which {plain(folder)} has "
            "no room; make room, or set STRATA_CACHE to a folder of another disk."
        )
    with written(target) as draft, path.open() as source, draft.open("wb") as copy:
        while data := source.read(BLOCK):
            copy.write(data)
            progress(copy.tell() / max(path.size, 1), f"fetching {path.name}")
