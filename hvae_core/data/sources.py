"""One entry for images from anywhere: a path of any kind, or a name on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from hvae_core.data.folder import load_folder
from hvae_core.data.gather import check_limit
from hvae_core.data.hub import download, hub_path, is_hub_name
from hvae_core.data.image_set import ImageSet, Shape
from hvae_core.data.images import SUFFIXES, open_image
from hvae_core.data.npz import load_npz
from hvae_core.data.parquet import load_parquet
from hvae_core.data.zips import load_zip
from hvae_core.errors import DataError, MissingImages
from hvae_core.progress import Progress, silent


class Loader(Protocol):
    """What the loaders of all kinds of sources have in common."""

    def __call__(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        title: str | None = None,
        image_shape: Shape | None = None,
        limit: int | None = None,
        progress: Progress = silent,
    ) -> ImageSet:
        """Return the images at `path`."""


_LOADERS: dict[str, Loader] = {".parquet": load_parquet, ".npz": load_npz, ".zip": load_zip}


def load_source(
    source: str | Path,
    *,
    name: str | None = None,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    allow_download: bool = False,
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of a folder, Parquet file, .npz, .zip, image file or hub set.

    A hub set is written owner/name or owner/name:split (without one: test). It is fetched only
    where `allow_download` says that the person asked for it; else `MissingImages` says so.
    """
    check_limit(limit)
    text = str(source).strip()
    path = Path(text).expanduser()
    if not text:
        raise DataError("No images are named; give a path, or a hub set as owner/name.")
    if not path.exists():
        if not is_hub_name(text):
            raise DataError(f"There is no file or folder {text}; check the path.")
        path = _from_hub(text, allow_download, progress)
        title, name = title or text, name or text
    if path.is_dir():
        loader: Loader | None = load_parquet if _has_parquet(path) else load_folder
    else:
        loader = _LOADERS.get(path.suffix.lower())
    if loader is not None:
        return loader(path, name=name, title=title, image_shape=image_shape, limit=limit,
                      progress=progress)  # fmt: skip
    if path.suffix.lower() in SUFFIXES:
        found = one_image(path, name or path.stem, title or path.name)
        return found if image_shape is None else found.fit(image_shape)
    raise DataError(
        f"{path.name} is not a kind of file that holds images; choose a folder of images, "
        "a .parquet, .npz or .zip file, or one PNG, JPEG, BMP or WebP image."
    )


def one_image(source: bytes | Path, name: str, title: str) -> ImageSet:
    """Return a set of the one image in a file or its bytes, without a label."""
    return ImageSet(name, title, open_image(source, title)[None], np.array([-1]))


def _has_parquet(folder: Path) -> bool:
    return next(folder.glob("*.parquet"), None) is not None


def _from_hub(text: str, allow_download: bool, progress: Progress) -> Path:
    hub_name, _, split = text.partition(":")
    path = hub_path(hub_name, split or "test")
    if path.is_file():
        return path
    if not allow_download:
        raise MissingImages(
            f"There is no file {text}, and the hub set of that name is not on this machine; "
            "check the path, or ask for the download."
        )
    return download(hub_name, split or "test", progress=progress)
