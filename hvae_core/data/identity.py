"""Which pixels a set has, known without reading them where its file was read before.

A result may be shown as that of a set only where both have the same pixels. Decoding a thousand
images for that takes seconds on a page with ten sets; the digest of their pixels follows from the
file, so it is kept under what says which file it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as remembered
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Shape
from hvae_core.common.places import ASSETS, root_of
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import (
    Control,
    DataFolder,
    Drawn,
    HandwrittenDigits,
    Origin,
    Shipped,
)
from hvae_core.data.worlds import OWN, World

SHIPPED = ASSETS / "results" / "identities.json"
"""Those of the sets that come with the project, so that the first start need not read them."""
_SMALL = 2**22
"""Bytes up to which a file is told by its contents, beyond by size and time."""


@dataclass(frozen=True)
class Identity:
    """The digest of a set's pixels, and what was done to them on their way here."""

    digest: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, images: ImageSet) -> Identity:
        """That of images which are read."""
        return cls(images.digest, images.notes)


def identity(
    world: World,
    set_name: str,
    shape: Shape,
    read: Callable[[], ImageSet],
    *,
    limit: int | None,
    data_root: str | Path | None = None,
) -> Identity:
    """The identity of what ``read()`` gives: the images of a set at a shape, at most ``limit``.

    Raises what ``read`` raises, as ``MissingImages``.
    """
    key = key_of(world, set_name, shape, limit=limit, data_root=data_root)
    if key is None:
        return Identity.of(read())
    shipped = _shipped(SHIPPED).get(key)
    if shipped is not None:
        return shipped
    return cache.kept("identities", key, lambda: Identity.of(read()), pack=_pack, unpack=_unpack)


def known(
    world: World,
    set_name: str,
    shape: Shape,
    *,
    limit: int | None,
    data_root: str | Path | None = None,
) -> Identity | None:
    """The identity of a set as far as it was found before: no image is read for it."""
    key = key_of(world, set_name, shape, limit=limit, data_root=data_root)
    if key is None:
        return None
    return _shipped(SHIPPED).get(key) or cache.peek("identities", key, _unpack)


def key_of(
    world: World,
    set_name: str,
    shape: Shape,
    *,
    limit: int | None,
    data_root: str | Path | None = None,
) -> str | None:
    """The digest of all that the pixels follow from; None where they are not of a single file."""
    origin = world.spec(set_name).origin
    file = _file_of(origin, root_of(data_root))
    if file is None:
        return None
    drawn = set_name.startswith(OWN)  # at the limit, by content, where others are cut off
    return fingerprint.digest("identity-1", repr(origin), file, limit, drawn, list(shape))


def _file_of(origin: Origin, root: Path) -> str | None:
    """What says which bytes an origin reads and by what; None where that is no single file."""
    match origin:
        case Control(of=of):
            return _file_of(of, root)
        case HandwrittenDigits():
            return f"scikit-learn {version('scikit-learn')}, pillow {PIL.__version__}"
        case Drawn():
            return origin.made_by
        case Shipped(path=path):
            place: Path | None = ASSETS / path
        case DataFolder():
            place = origin.find(root)
        case _:
            return None
    if place is None or not place.is_file():
        return None
    return f"{_contents(place)}, pillow {PIL.__version__}"


def _contents(path: Path) -> str:
    """A small file by its SHA-256, a large one by place, size and time of its last change."""
    state = path.stat()
    if state.st_size > _SMALL:
        return f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
    return _sha256(str(path), state.st_size, state.st_mtime_ns)


@remembered
def _sha256(path: str, size: int, modified: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@remembered
def _shipped(path: Path) -> dict[str, Identity]:
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text("utf-8"))
    return {key: Identity(digest, tuple(notes)) for key, (digest, *notes) in stored.items()}


def _pack(known: Identity) -> dict[str, np.ndarray]:
    text = json.dumps([known.digest, *known.notes])
    return {"identity": np.frombuffer(text.encode(), dtype=np.uint8)}


def _unpack(arrays: cache.Arrays) -> Identity:
    digest, *notes = json.loads(arrays["identity"].tobytes())
    return Identity(digest, tuple(notes))
