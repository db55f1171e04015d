"""Which classifiers there are for a world: several seeds of one recipe are an ensemble."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "classifiers"


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
