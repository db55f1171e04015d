from __future__ import annotations

import os
from pathlib import Path

import pytest

from hvae_core.checkpoint import (
    add_checkpoint,
    file,
    inspect_checkpoint,
    load_checkpoint,
    own_checkpoints,
    save_checkpoint,
    shipped_checkpoints,
)
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelCard
from hvae_core.models import HierarchicalVAE


def test_a_dropped_file_is_there_under_its_name(valid: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    assert own_checkpoints(folder) == {}
    added = add_checkpoint(valid, "My model (1).safetensors", folder)
    ((name, path),) = own_checkpoints(folder).items()
    assert name == added.name == load_checkpoint(path).name == "My-model-1"
    assert added.digest in path.name
    assert path.read_bytes() == valid


def test_the_same_file_twice_is_one(valid: bytes, tmp_path: Path) -> None:
    first = add_checkpoint(valid, "a.safetensors", tmp_path)
    second = add_checkpoint(valid, "b.safetensors", tmp_path)
    assert first.digest == second.digest
    assert list(own_checkpoints(tmp_path)) == ["a"]


def test_two_files_of_one_name_are_both_there(
    valid: bytes, model: HierarchicalVAE, tmp_path: Path
) -> None:
    other = tmp_path / "a.safetensors"
    save_checkpoint(other, model, card=ModelCard("other"), history={})
    folder = tmp_path / "own"
    digests = {
        add_checkpoint(d, "a.safetensors", folder).digest for d in (valid, other.read_bytes())
    }
    found = own_checkpoints(folder)
    assert {inspect_checkpoint(path).digest for path in found.values()} == digests
    assert len(digests) == 2


@pytest.mark.parametrize(
    "filename",
    ["../../etc/passwd", "..\\..\\x.safetensors", "", ".", "a\x00b", "/", "é" * 500, "CON:*?<>|"],
)
def test_no_name_leaves_the_folder(valid: bytes, tmp_path: Path, filename: str) -> None:
    folder = tmp_path / "deep" / "own"
    add_checkpoint(valid, filename, folder)
    assert [p.parent for p in tmp_path.rglob("*") if p.is_file()] == [folder]
    assert len(own_checkpoints(folder)) == 1


def test_nothing_is_kept_of_a_refused_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="notes-txt is a text file"):
        add_checkpoint(b"some text", "notes.txt", tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_a_folder_that_cannot_be_written_is_said(valid: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        add_checkpoint(valid, "a.safetensors", tmp_path / "file" / "own")


def test_the_users_folder_is_in_the_cache(
    valid: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path))
    add_checkpoint(valid, "a.safetensors")
    assert list(own_checkpoints()) == ["a"]
    assert os.listdir(tmp_path) == ["checkpoints"]


def test_every_shipped_checkpoint_passes_the_gate() -> None:
    """It is listed by what it says of itself, without that: no model is built for the list."""
    for name, path in shipped_checkpoints().items():
        said = inspect_checkpoint(path)
        assert said == file.inspect_checkpoint(path) and said.name == name
