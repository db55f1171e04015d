"""Which checkpoints there are: those shipped with the program, and those the user brought."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.checkpoint.said import about, clean_name, shown_name
from hvae_core.common.cache import cache_dir
from hvae_core.common.errors import CheckpointError
from hvae_core.common.places import ASSETS

if TYPE_CHECKING:
    from hvae_core.checkpoint.file import Checkpoint
    from hvae_core.checkpoint.importer import Given

SHIPPED = ASSETS / "checkpoints"
_SUFFIX = ".safetensors"
_ENDING = re.compile(r"\.(safetensors|zip|pth?|th|ckpt)$")


def shipped_checkpoints() -> dict[str, Path]:
    """The checkpoints that come with the program, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob(f"*{_SUFFIX}"))}


def is_shipped(source: object) -> bool:
    """Whether a path is that of a checkpoint that comes with the program."""
    return isinstance(source, str | Path) and Path(source).parent == SHIPPED


def own_folder() -> Path:
    """Where the checkpoints that the user brought are kept."""
    return cache_dir() / "checkpoints"


def own_checkpoints(folder: Path | None = None) -> dict[str, Path]:
    """The checkpoints that the user brought, by name; equal names get the start of their digest."""
    folder = own_folder() if folder is None else folder
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        name, _, digest = path.stem.rpartition(".")
        found[name if name and name not in found else f"{name} {digest[:8]}".strip()] = path
    return found


def add_checkpoint(
    source: bytes | Path, filename: str, folder: Path | None = None, *, given: Given | None = None
) -> Checkpoint:
    """Pass a file through the gate and keep it under its digest; the same file twice is one.

    What comes from another project is converted first, with the hyper-parameters ``given`` that its
    files lack, and kept as a checkpoint here. The first name a file came under stays. Raises
    ``CheckpointError`` in one sentence, with nothing stored, for a file the gate refuses.
    """
    from hvae_core.checkpoint.file import load_checkpoint, native, write_whole

    folder = own_folder() if folder is None else folder
    name = _slug(filename)
    with about(name):
        data = native(source, clean_name(filename), given=given)
    checkpoint = load_checkpoint(data, name=name)
    if not any(folder.glob(f"*.{checkpoint.digest}{_SUFFIX}")):
        with about(name):
            write_whole(folder / f"{name}.{checkpoint.digest}{_SUFFIX}", data)
    return checkpoint


def keep_checkpoint(path: Path) -> Path:
    """Move a checkpoint that a visitor brought to those of this machine; return where it is now.

    Raises ``CheckpointError`` where the folder does not allow it.
    """
    kept = own_folder() / path.name
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        path.replace(kept)
    except OSError as error:
        raise CheckpointError(
            f"{shown_name(path, None)} cannot be kept; check that the cache folder may be written."
        ) from error
    return kept


def remove_checkpoint(path: Path) -> None:
    """Let go of a checkpoint that the user brought; one that is gone already is no problem.

    Raises ``CheckpointError`` where the folder does not allow it.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{shown_name(path, None)} cannot be removed; check that its folder may be written."
        ) from error


def admit_checkpoint(
    source: bytes | Path, filename: str, folder: Path | None = None, *, given: Given | None = None
) -> tuple[str, str]:
    """As ``add_checkpoint``; digest and title alone, which travel between processes."""
    checkpoint = add_checkpoint(source, filename, folder, given=given)
    return checkpoint.digest, checkpoint.card.title or checkpoint.name


def _slug(filename: str) -> str:
    """The part of an uploaded file's name that is safe in a path on any system."""
    stem = _ENDING.sub("", Path(filename.replace("\\", "/")).name)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60] or "checkpoint"
