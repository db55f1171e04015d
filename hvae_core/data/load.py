"""One entry for images from anywhere: a path of any kind, or a name on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, MissingImages
from hvae_core.common.places import root_of
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers.collect import check_limit
from hvae_core.data.readers.folder import load_folder
from hvae_core.data.readers.hub import download, hub_path, read_hub_name
from hvae_core.data.readers.image_file import SUFFIXES, open_image
from hvae_core.data.readers.npz import load_npz
from hvae_core.data.readers.parquet import load_parquet
from hvae_core.data.readers.zip_file import load_zip
from hvae_core.data.stored import Named, Request, find_named, folder_of


class Loader(Protocol):
    """What the loaders of all kinds of sources have in common."""

    def __call__(
        self,
        path: str | Path,
        *,
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
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    allow_download: bool = False,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of a folder, Parquet file, .npz, .zip, image file, or of a set by name.

    A name is one of the registry, as NAME[:SPLIT][+CHANGE...] (see `find_named`), looked for under
    `data_root`, or of the hub, as owner/name, owner/name:split or owner/name:config:split. Without
    a split it is the test split. Images are fetched only where `allow_download` says that the
    person asked for it; else `MissingImages` says so.
    """
    check_limit(limit)
    text = str(source).strip()
    path = Path(text).expanduser()
    if not text:
        raise DataError("No images are named; give a path, or a hub set as owner/name.")
    if not path.exists():
        named = find_named(text)
        if named is not None:
            request = Request(
                title=title or named.title,
                data_root=root_of(data_root),
                image_shape=image_shape or named.shape,
                limit=limit,
                progress=progress,
            )
            return _registered(named, request, text, allow_download=allow_download)
        path, title = _from_hub(text, allow_download, progress), title or text
        images = load_parquet(
            path, title=title, image_shape=image_shape, limit=limit, progress=progress
        )
        return images.renamed(text, title)
    if path.is_dir():
        loader: Loader | None = load_parquet if _has_parquet(path) else load_folder
    else:
        loader = _LOADERS.get(path.suffix.lower())
    if loader is not None:
        return loader(path, title=title, image_shape=image_shape, limit=limit, progress=progress)
    if path.suffix.lower() in SUFFIXES:
        image = one_image(path, path.stem, title or path.name)
        return image if image_shape is None else image.fit(image_shape)
    raise DataError(
        f"{path.name} is not a kind of file that holds images; choose a folder of images, "
        "a .parquet, .npz or .zip file, or one PNG, JPEG, BMP or WebP image."
    )


def one_image(source: bytes | Path, name: str, title: str) -> ImageSet:
    """Return a set of the one image in a file or its bytes, without a label."""
    return ImageSet(
        name=name, title=title, images=open_image(source, title)[None], labels=np.array([-1])
    )


def _has_parquet(folder: Path) -> bool:
    return next(folder.glob("*.parquet"), None) is not None


def _registered(named: Named, request: Request, name: str, *, allow_download: bool) -> ImageSet:
    """The images of a set of the registry, fetched first where that was asked for."""
    folder = folder_of(named.origin)
    absent = folder is not None and not folder.available(request.data_root)
    if allow_download and folder is not None and absent and folder.hub:
        folder.fetch(request.progress)
    images = named.origin.load(request).fit(request.image_shape)
    return images.renamed(name, request.title)


def _from_hub(text: str, allow_download: bool, progress: Progress) -> Path:
    hub = read_hub_name(text)
    if hub is None:
        raise DataError(
            f"There is no file or folder {text}, and no set of that name; check the path, or see "
            "the names that `python -m hvae_core datasets` lists."
        )
    path = hub_path(hub.name, hub.split, config=hub.config)
    if path.is_file():
        return path
    if not allow_download:
        raise MissingImages(
            f"There is no file {text}, and the hub set of that name is not on this machine; "
            "check the path, or ask for the download."
        )
    return download(hub.name, hub.split, config=hub.config, progress=progress)
