"""Images kept apart from training, by a digest of each picture; kept for whoever judges later.

A picture is held out by what it shows and a seed alone: copies of it go the same way, and its side
changes neither with the order of the files nor with pictures that are added later.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.cache import cache_dir, write_npz
from hvae_core.common.errors import DataError
from hvae_core.common.files import why_not
from hvae_core.common.npz import read_npz
from hvae_core.common.plain import plain
from hvae_core.data.image_set import ImageSet, describe_shape

SHARE = 5
"""One picture in so many is held out."""
FEWEST = 20
"""So few held-out images at least: with 19 a false-alarm rate of 5 % can just be promised."""
SUFFIX = ".held-out.npz"
_FOLDER = "held-out"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Images that a model was not trained on, and 64-bit digests of those that it was."""

    images: ImageSet
    training: NDArray[np.uint64]


def split_by_digest(images: ImageSet, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Images to train on, and about a fifth held out: by the digest of each picture and the seed.

    Of few pictures at least ``FEWEST`` are held out, those of the lowest ranks. Raises
    ``DataError`` for a set that is too small to be parted.
    """
    digests = images.image_digests()
    ranks = {digest: _rank(digest, seed) for digest in digests}
    if len(ranks) < 2 * FEWEST:
        raise DataError(
            f"{images.title} holds {len(ranks)} different images; at least {2 * FEWEST} are "
            f"needed, {FEWEST} of which are held out to calibrate the detector. Add more."
        )
    limit = max(2**64 // SHARE, sorted(ranks.values())[FEWEST - 1] + 1)
    out = np.array([ranks[digest] < limit for digest in digests])
    return images.take(np.flatnonzero(~out)), images.take(np.flatnonzero(out))


def _rank(digest: int, seed: int) -> int:
    """A whole number below 2^64, uniform over pictures."""
    key = f"held out {seed}:".encode() + digest.to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def path_of(digest: str) -> Path:
    """Where the held-out images of a checkpoint are kept on this machine, by its digest."""
    return cache_dir() / _FOLDER / f"{digest}{SUFFIX}"  # no name of an entry that may be pruned


def keep_held_out(path: Path, checkpoint: str, held_out: ImageSet, training: ImageSet) -> None:
    """Write the held-out images of a checkpoint (its digest) to a file. Raises ``DataError``."""
    about = {"checkpoint": checkpoint, "title": held_out.title, "classes": held_out.class_names}
    try:
        write_npz(
            path,
            {
                "images": np.asarray(held_out.images),
                "labels": np.asarray(held_out.labels),
                "training": np.unique(np.array(training.image_digests(), dtype=np.uint64)),
                "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            },
            compressed=True,
        )
    except OSError as error:
        raise DataError(
            f"The held-out images cannot be kept in {plain(path.parent)}: {why_not(error)}."
        ) from error


def held_out_of(checkpoint: str, beside: Path | None = None) -> HeldOut | None:
    """The held-out images of a checkpoint (its digest): kept on this machine, or beside its file.

    None where there are none, or where a file is damaged or of another checkpoint.
    """
    places = [path_of(checkpoint)]
    if beside is not None:
        places.append(beside.with_name(beside.name.removesuffix(".safetensors") + SUFFIX))
    found = (_read(path, checkpoint) for path in places)
    return next((one for one in found if one is not None), None)


def _read(path: Path, checkpoint: str) -> HeldOut | None:
    if not path.is_file():
        return None
    try:
        file = read_npz(path)
        about = json.loads(file["about"].tobytes())
        if about["checkpoint"] != checkpoint:
            return None
        title = f"{about['title']}, held out"
        return HeldOut(
            ImageSet("held-out", title, file["images"], file["labels"], tuple(about["classes"])),
            np.asarray(file["training"], dtype=np.uint64),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, DataError, zipfile.BadZipFile):
        return None


def held_out_words(held_out: ImageSet, seed: int) -> str:
    """What a card says of them."""
    shape = describe_shape(held_out.image_shape)
    return f"{len(held_out):,} held out by digest (seed {seed}) to calibrate a detector, {shape}"
