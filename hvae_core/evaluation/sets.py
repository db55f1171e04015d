"""The sets of a world as a run of the program reads them: from where, how many images of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hvae_core.common.arrays import Shape
from hvae_core.common.progress import Progress, silent
from hvae_core.data.hints import hints
from hvae_core.data.identity import Identity, identity, known
from hvae_core.data.image_set import ImageSet, shared_note
from hvae_core.data.worlds import OWN, World
from hvae_core.evaluation import SHIPPED_LIMIT


class Described(Protocol):
    """What must be known of a checkpoint: a loaded one, what a file says, or a page's handle."""

    @property
    def name(self) -> str:
        """The name under which results ship."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""

    @property
    def image_shape(self) -> Shape:
        """(C, H, W) of the images that the model reads."""


@dataclass(eq=False)
class Sets:
    """The sets of a world at the shape of a model, each read once.

    ``limit`` is the number of images of a set at most, None for all; ``download`` fetches what is
    not on this machine.
    """

    world: World
    data_root: str | Path | None = None
    limit: int | None = SHIPPED_LIMIT
    download: bool = False
    _read: dict[tuple[str, Shape], ImageSet] = field(default_factory=dict, init=False, repr=False)

    def images(self, checkpoint: Described, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images that stand for a set; raises ``MissingImages`` where they are not here."""
        key = (set_name, checkpoint.image_shape)
        if key not in self._read:
            self._read[key] = self.choose(set_name, progress).fit(checkpoint.image_shape)
        return self._read[key]

    def notes(self) -> dict[str, tuple[str, ...]]:
        """What was done to the images that were read, by the title of their set.

        Also which pictures of a set stand in another of them, and what looks wrong in a user's own.
        """
        found: dict[str, tuple[str, ...]] = {}
        read = list(self._read.values())
        for place, images in enumerate(read):
            notes = list(images.notes)
            for other in read[:place]:
                if other.image_shape == images.image_shape:
                    notes += shared_note(images, other)
            if images.name.startswith(OWN):
                said = hints(images, images.image_shape, self.world.ground)
                notes += [f"{hint.sentence} Try --prepare {hint.step}" for hint in said]
            if notes:
                found[images.title] = tuple(notes)
        return found

    def choose(self, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images at the shape of the world."""
        self.fetch(set_name, progress)
        images = self.world.choose(set_name, self.data_root, limit=self.limit, progress=progress)
        self._read.setdefault((set_name, images.image_shape), images)  # of which there are notes
        return images

    def fetch(self, set_name: str, progress: Progress = silent) -> None:
        """Download the images where that was asked for and they are not on this machine."""
        if self.download and not self.available(set_name):
            self.world.download(set_name, progress)

    def available(self, set_name: str) -> bool:
        """Whether the images are on this machine, without reading them."""
        return self.world.available(set_name, self.data_root)

    def known(self, checkpoint: Described, set_name: str) -> Identity | None:
        """Digest and notes of ``images`` as far as they were found before; nothing is read."""
        return known(
            self.world,
            set_name,
            checkpoint.image_shape,
            limit=self.limit,
            data_root=self.data_root,
        )

    def identity(
        self, checkpoint: Described, set_name: str, progress: Progress = silent
    ) -> Identity:
        """Digest and notes of ``images``, which are read only where their file is not known."""
        return identity(
            self.world,
            set_name,
            checkpoint.image_shape,
            read=lambda: self.images(checkpoint, set_name, progress),
            limit=self.limit,
            data_root=self.data_root,
        )
