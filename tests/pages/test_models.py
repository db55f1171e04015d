"""The list of models: whose a checkpoint is, titles that differ, many files, missing ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import hvae_core.checkpoint as checkpoints
from hvae_core.checkpoint import own_checkpoints, save_checkpoint
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelCard
from pages.shared import store
from tests.pages.conftest import CONFIG, Start, alive
from tests.pages.test_sidebar import CHECKPOINT, labelled
from tests.small import tiny_model


def checkpoint(path: Path, title: str, seed: int = 9) -> bytes:
    save_checkpoint(path, tiny_model(CONFIG, seed), card=ModelCard(title), history={})
    return path.read_bytes()


def test_a_hundred_checkpoints_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(tmp_path / "0.safetensors", "Many")
    for i in range(1, 100):
        shutil.copy(tmp_path / "0.safetensors", tmp_path / f"{i}.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"\0" * 99)
    read: list[Any] = []
    inspect = checkpoints.inspect_checkpoint
    monkeypatch.setattr(
        checkpoints, "inspect_checkpoint", lambda path: (read.append(path), inspect(path))[1]
    )
    for _ in range(2):
        for i in range(100):
            assert store.handle_of(tmp_path / f"{i}.safetensors").title == "Many"
        with pytest.raises(CheckpointError, match="damaged"):
            store.handle_of(tmp_path / "damaged.safetensors")
    assert len(read) == 101


def test_a_file_that_went_while_it_was_listed_is_one_sentence(tmp_path: Path) -> None:
    checkpoint(tmp_path / "gone.safetensors", "Gone")
    handle = store.handle_of(tmp_path / "gone.safetensors")
    (tmp_path / "gone.safetensors").unlink()
    for ask in (lambda: store.handle_of(Path(handle.path)), lambda: store.info(handle)):
        with pytest.raises(CheckpointError, match=r"^gone is no longer here; [^.]*\.$"):
            ask()


@pytest.mark.parametrize("public", ["", "1"])
def test_what_is_opened_is_chosen_and_is_the_visitors_until_it_is_removed(
    public: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_PUBLIC", public)
    data = checkpoint(tmp_path / "mine.safetensors", "Mine")
    app = start("collapse")
    upload = labelled(app.file_uploader, CHECKPOINT)
    upload.set_value(("mine.safetensors", data, "application/octet-stream")).run()
    assert [one.title for one in alive(app).session_state["context"].models] == ["Mine"]
    assert own_checkpoints() == {}  # not of this machine
    stay = [one for one in (*app.button, *app.checkbox) if one.label == "Keep on this machine"]
    assert bool(stay) != bool(public)
    app.button("checkpoint_remove").click().run()
    assert app.session_state["context"].models[0].title == "Tiny, plain"
    assert "Mine" not in alive(app).selectbox("a_glyphs").options


def test_a_refused_checkpoint_changes_nothing_and_is_told_at_its_control(start: Start) -> None:
    app = start()
    upload = labelled(app.file_uploader, CHECKPOINT)
    upload.set_value(("bad.safetensors", b"no weights", "application/octet-stream")).run()
    (error,) = app.error
    assert error.value.startswith("bad")
    assert not app.success
    assert app.session_state["context"].models[0].title == "Tiny, plain"
