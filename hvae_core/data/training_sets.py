"""The images that a recipe trains on: a world's, or the user's own in two parts."""

from __future__ import annotations

from dataclasses import dataclass

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.load import load_source
from hvae_core.data.named import named_world
from hvae_core.data.prepare import Step

_HELD_OUT = 10  # one image in so many of a user's own set validates


@dataclass(frozen=True)
class TrainingSets:
    """What to train on: images, held-out images, and what a card says of them."""

    train: ImageSet
    validation: ImageSet
    key: str
    words: str

    @property
    def title(self) -> str:
        """What a checkpoint's title calls them: the world, or an own set without its notes."""
        own = self.key.startswith("own: ")
        return self.train.title if own else self.words.partition(":")[0]

    @property
    def sizes(self) -> str:
        """What they are and how many images, for a model card."""
        held_out = f"{len(self.validation):,} for validation"
        return f"{self.words}, {len(self.train):,} images; {held_out}"


def training_sets(
    world_key: str,
    image_shape: Shape,
    *,
    source: str | None = None,
    prepare: tuple[Step, ...] = (),
    data_root: str | None = None,
    download: bool = False,
    progress: Progress = silent,
) -> TrainingSets:
    """The world's training and validation sets, or those of ``source``, at the model's shape.

    ``prepare`` are steps on the images of ``source``.

    Of the user's own images a tenth validates. Raises ``DataError`` where there are too few, and
    ``MissingImages`` where a set is not here.
    """
    if source:
        images = load_source(
            source, image_shape=image_shape, prepare=prepare, allow_download=download,
            data_root=data_root, progress=progress,
        )  # fmt: skip
        return _in_two(images.fit(image_shape).shuffled())
    world = named_world(world_key)
    for name in ("train", "validation"):
        if download and not world.available(name, data_root):
            world.download(name, progress)
    train, validation = (
        world.load(name, data_root, progress=progress).fit(image_shape)
        for name in ("train", "validation")
    )
    return TrainingSets(train, validation, world.key, words=f"{world.title}: {_noted(train)}")


def _in_two(images: ImageSet) -> TrainingSets:
    held = max(1, len(images) // _HELD_OUT)
    if len(images) <= held:
        raise DataError(f"{images.title} holds {len(images)} image(s), too few to train on.")
    train, validation = images.take(range(held, len(images))), images.take(held)
    return TrainingSets(train, validation, f"own: {images.title}", words=_noted(images))


def _noted(images: ImageSet) -> str:
    """What a card calls a set: its title, and what was done to its images on their way here."""
    return images.title + (f" ({'; '.join(images.notes)})" if images.notes else "")
