"""One entry for images from anywhere: a path of any kind, or a name on the hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, MissingImages
from hvae_core.common.far import is_far
from hvae_core.common.files import check_regular, named_path
from hvae_core.common.places import COMMAND, root_of
from hvae_core.common.progress import Progress, silent
from hvae_core.data.guard import one_sentence
from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import Step
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.hub import download, hub_path, read_hub_name
from hvae_core.data.readers.image_file import read_bytes
from hvae_core.data.readers.read import ARCHIVES, one_picture, read_images
from hvae_core.data.readers.splits import split_asked
from hvae_core.data.readers.survey import read_set
from hvae_core.data.readers.wanted import Wanted, check_limit
from hvae_core.data.stored import Named, Request, find_named, folder_of


def load_source(
    source: str | Path,
    *,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    prepare: tuple[Step, ...] = (),
    allow_download: bool = False,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of a folder or file of any kind that is known, or of a set by name.

    PATH:SPLIT names a split of a folder or file that has several; without it the test split is
    taken. A name is one of the registry, as NAME[:SPLIT][+CHANGE...] (see `find_named`), looked
    for under `data_root`, or of the hub, as owner/name, owner/name:split or
    owner/name:config:split. Images are fetched only where `allow_download` says that the person
    asked for it; else `MissingImages` says so. `prepare` are steps on the images of a path.
    """
    check_limit(limit)
    text = str(source).strip()
    if not text:
        raise DataError("No images are named; give a path, or a hub set as owner/name.")
    path, split = path_and_split(text)
    if path is None:
        named = find_named(text)
        if named is not None and prepare:
            raise DataError(
                f"{text} is a set by its name, and steps are for images of a path; write what is "
                f"to be done after a +, as in {text}+inverted."
            )
        if named is not None:
            request = Request(
                title=title or named.title,
                data_root=root_of(data_root),
                image_shape=image_shape or named.shape,
                limit=limit,
                progress=progress,
            )
            with one_sentence(request.title):
                return _registered(named, request, text, allow_download=allow_download)
        path, title = from_hub(text, allow_download, progress), title or text
    wanted = Wanted(
        name=path.stem if path.is_file() else path.name,
        title=title or (path.stem if path.suffix.casefold() in ARCHIVES else path.name),
        image_shape=image_shape,
        limit=limit,
        split=split,
        prepare=prepare,
        progress=progress,
    )
    check_regular(path)
    with one_sentence(path.name):
        return with_duplicates(read_images(path, wanted))


def path_and_split(text: str) -> tuple[Path | None, str | None]:
    """The path that a text names and the split after its colon; None where there is none."""
    path = named_path(text)
    if path.exists():
        return path, None
    asked = split_asked(text)
    if asked is not None and (path := named_path(asked[0])).exists():
        return path, asked[1]
    return None, None


def one_image(
    source: bytes | Path, name: str, title: str, *, prepare: tuple[Step, ...] = ()
) -> ImageSet:
    """Return a set of the one image in a file or its bytes, without a label."""
    wanted = Wanted(name=name, title=title, prepare=prepare)
    return read_set(one_picture(read_bytes(source, title), title, alone=True), wanted)


def array_images(
    images: np.ndarray, labels: np.ndarray | None = None, *, prepare: tuple[Step, ...] = ()
) -> ImageSet:
    """Return the images of an array, read as those of a file are."""
    images = np.asarray(images)
    if images.dtype.kind not in "biuf":
        raise DataError(
            f"The array holds {images.dtype}, no plain numbers; give grey levels, as uint8."
        )
    title = "images of an array"
    stored = None if labels is None else np.asarray(labels)
    wanted = Wanted(name="images", title=title, prepare=prepare)
    with one_sentence("The array"):
        container = Arrays(images, stored, what="The array")
        return with_duplicates(read_set(container, wanted))


def with_duplicates(images: ImageSet) -> ImageSet:
    """Return a set with a note on pictures that it holds more than once, or that are blank."""
    count = len(images)
    notes = []
    again = count - len(set(images.image_digests()))
    if again:
        notes.append(f"{again:,} of {count:,} images are the same as an earlier one of the set")
    flat = images.images.reshape(count, -1)
    blank = int((flat.min(axis=1) == flat.max(axis=1)).sum())
    if blank:
        notes.append(f"{blank:,} of {count:,} images are of one level alone")
    return replace(images, notes=(*images.notes, *notes)) if notes else images


def _registered(named: Named, request: Request, name: str, *, allow_download: bool) -> ImageSet:
    """The images of a set of the registry, fetched first where that was asked for."""
    folder = folder_of(named.origin)
    absent = folder is not None and not folder.available(request.data_root)
    if allow_download and folder is not None and absent and folder.hub:
        folder.fetch(request.progress)
    images = named.origin.load(request).fit(request.image_shape)
    return images.renamed(name, request.title)


def from_hub(text: str, allow_download: bool, progress: Progress) -> Path:
    """The file of a hub set by its name, which is fetched where that is allowed."""
    hub = read_hub_name(text)
    if hub is None:
        if is_far(text):
            raise DataError(
                f"{text} is not on this machine, and only `{COMMAND} score` reads from there; "
                "copy it here first."
            )
        raise DataError(
            f"There is no file or folder {text}, and no set of that name; check the path, or see "
            f"the names that `{COMMAND} datasets` lists."
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
