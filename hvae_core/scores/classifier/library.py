"""Which classifiers come with the program, found without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from hvae_core.common.places import ASSETS

SHIPPED = ASSETS / "classifiers"


def world_classifiers(world: str, folder: Path | None = None) -> tuple[Path, ...]:
    """The files of a world's classifiers, in the order of their names; the first stands alone."""
    folder = SHIPPED if folder is None else folder
    return tuple(sorted(folder.glob(f"{world}-classifier-*.safetensors")))


def shipped_classifiers() -> dict[str, Path]:
    """The classifiers that come with the program, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def joint_digest(digests: Iterable[str]) -> str:
    """The digest of an ensemble whose files have these, in their order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def ensemble_digest(paths: Iterable[Path]) -> str:
    """The digest that ``load_ensemble`` gives these files, without building a network."""
    return joint_digest(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


def world_digest(world: str) -> str | None:
    """The digest of a world's classifiers together; None where there are none."""
    paths = world_classifiers(world)
    return _digest(paths) if paths else None


@lru_cache(maxsize=8)
def _digest(paths: tuple[Path, ...]) -> str:
    return ensemble_digest(paths)
