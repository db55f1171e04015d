"""What a visitor of a public server may bring: bounded in number, bytes, memory and time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from hvae_core.checkpoint import save_checkpoint
from hvae_core.checkpoint.library import admit_checkpoint
from hvae_core.common import deployment
from hvae_core.common.errors import CheckpointError, DataError, HVAEError, JobError
from hvae_core.common.progress import silent
from hvae_core.config import ModelCard
from hvae_core.data.bring import read_files
from hvae_core.data.readers.parquet import write_parquet
from hvae_core.figures import png_bytes
from pages.shared import apart, quotas
from pages.shared.quotas import Ledger
from tests import job_functions as functions
from tests.small import tiny_model

MIB = 2**20
PNG = png_bytes(Image.new("L", (28, 28)))


def test_sets_of_all_tabs_count_until_their_memory_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    monkeypatch.setattr(quotas, "MAX_SETS", 3)
    alive = {"one", "two"}
    ledger = Ledger(alive.__contains__)
    ledger.take("ann", "one", 2, size=MIB)
    with pytest.raises(DataError, match="3 sets"):
        ledger.take("ann", "two", 2, size=MIB)
    ledger.take("bob", "three", 3, size=MIB)
    ledger.take("ann", "two", 1, size=MIB)
    ledger.take("ann", "one", 1, size=MIB)  # a set was let go
    most = deployment.memory_limit()
    with pytest.raises(DataError, match="together"):
        ledger.take("ann", "one", 2, size=most)
    alive.remove("two")
    with pytest.raises(DataError, match="together"):
        ledger.take("ann", "one", 2, size=most)
    monkeypatch.setattr(quotas, "_LINGERS", -1.0)
    ledger.take("ann", "one", 2, size=most)


def test_all_visitors_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "ALL_SETS", 10)
    ledger = Ledger(lambda session: True)
    ledger.take("ann", "one", 1, size=6)
    with pytest.raises(DataError, match="later"):
        ledger.take("bob", "two", 1, size=5)
    ledger.take("ann", "one", 1, size=10)


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    yield apart._readers
    st.cache_resource.clear()


def test_files_are_opened_in_a_process_apart(readers: Any, tmp_path: Path) -> None:
    assert str(apart.opened(functions.main_file, progress=silent)).endswith("worker.py")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    (images,) = apart.opened(read_files, (("five.npz", archive(images=pixels)),))
    np.testing.assert_array_equal(images.images[:, 0], pixels)
    write_parquet(tmp_path / "five.parquet", [([PNG] * 5, [0] * 5)], ("a",))
    (images,) = apart.opened(
        read_files, (("five.parquet", (tmp_path / "five.parquet").read_bytes()),)
    )
    assert len(images) == 5
    # A small file that bursts is refused by what its header says, before it is decoded.
    bomb = archive(images=np.zeros((300_000, 28, 28), np.uint8))
    assert len(bomb) < MIB
    with pytest.raises(HVAEError, match="MiB"):
        apart.opened(read_files, (("bomb.npz", bomb),))
    assert readers()._jobs == {}  # nothing of them stays in memory


def test_a_checkpoint_passes_the_gate_in_a_process_apart(readers: Any, tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    save_checkpoint(file, tiny_model(), card=ModelCard("One"), history={})
    digest, title = apart.opened(admit_checkpoint, file.read_bytes(), file.name, tmp_path / "in")
    assert title == "One" and [path.name for path in (tmp_path / "in").iterdir()] == [
        f"one.{digest}.safetensors"
    ]
    with pytest.raises(CheckpointError, match="bad"):
        apart.opened(admit_checkpoint, file.read_bytes()[:200], "bad.safetensors", tmp_path / "in")


def test_reading_has_a_bound_of_memory_and_time(
    readers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(JobError, match="memory"):
        apart.opened(functions.take, 2 * deployment.READ_MEMORY, progress=silent)
    monkeypatch.setattr(apart, "READ_SECONDS", 0.1)
    with pytest.raises(JobError, match="seconds"):
        apart.opened(functions.slow, 1000, 0.05, progress=silent)


def test_on_ones_own_machine_files_are_opened_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRATA_PUBLIC", raising=False)
    monkeypatch.setattr(apart, "_readers", None)
    assert apart.opened(lambda path: path, Path("here")) == Path("here")
