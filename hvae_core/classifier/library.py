"""Which classifiers there are for a world: several seeds of one recipe are an ensemble."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "classifiers"


def world_classifiers(world: str, folder: Path | None = None) -> tuple[Path, ...]:
    """The files of a world's classifiers, in the order of their names; the first stands alone."""
    folder = SHIPPED if folder is None else folder
    return tuple(sorted(folder.glob(f"{world}-classifier-*.safetensors")))


def shipped_classifiers() -> dict[str, Path]:
    """The classifiers that come with the program, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}
