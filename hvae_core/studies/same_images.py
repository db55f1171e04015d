"""Whether checkpoints were trained on the same images, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo


def same_images(one: CheckpointInfo, other: CheckpointInfo) -> bool:
    """Whether both name the same images: world or own set, number, digest of the pixels.

    A checkpoint that recorded no digest, as older ones, is known by the rest.
    """
    if _named(one) != _named(other):
        return False
    digests = {info.card.train_digest for info in (one, other)} - {""}
    return len(digests) < 2


def telling_apart(infos: Sequence[CheckpointInfo]) -> list[str]:
    """What tells the training images of each from those of the others, in as few words as do.

    ``infos`` are one a group, no two of the same images.
    """
    texts = [""] * len(infos)
    for word in (
        [_named(info)[0] for info in infos],
        [f"{info.card.train_images:,} images" for info in infos],
        [info.card.train_digest[:8] or "digest not recorded" for info in infos],
    ):
        if len(set(texts)) == len(texts):
            break
        if len(set(word)) > 1:
            texts = [", ".join(filter(None, both)) for both in zip(texts, word, strict=True)]
    return texts


def _named(info: CheckpointInfo) -> tuple[str, int]:
    return info.train.data if info.train else info.card.data, info.card.train_images
