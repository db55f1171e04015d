"""Several classifiers of one recipe, read as one: the first alone, or all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from hvae_core.common.errors import CheckpointError
from hvae_core.scores.classifier.file import load_classifier
from hvae_core.scores.classifier.library import joint_digest, world_classifiers
from hvae_core.scores.classifier.network import Classifier


@dataclass(frozen=True, eq=False)
class ClassifierEnsemble:
    """Classifiers of the same classes and image shape; ``digest`` is of all their files."""

    members: tuple[Classifier, ...] = field(repr=False)
    digest: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.members[0].config.image_shape


def load_ensemble(paths: tuple[Path, ...]) -> ClassifierEnsemble:
    """Read the files through the gate; raises ``CheckpointError`` where they do not go together."""
    files = [load_classifier(path) for path in paths]
    if not files:
        raise CheckpointError("An ensemble needs at least one classifier; train one by its preset.")
    shapes = {(file.config.image_shape, file.config.classes) for file in files}
    if len(shapes) > 1:
        raise CheckpointError(
            "These classifiers are of different images or classes; take those of one preset."
        )
    digest = joint_digest(file.digest for file in files)
    return ClassifierEnsemble(tuple(file.model for file in files), digest)


@lru_cache(maxsize=4)
def _loaded(paths: tuple[Path, ...]) -> ClassifierEnsemble:
    return load_ensemble(paths)


def world_ensemble(world: str) -> ClassifierEnsemble | None:
    """The classifiers that come with a world, or None where there are none."""
    paths = world_classifiers(world)
    return _loaded(paths) if paths else None
