"""What every test stands on: one thread, a cache of its own, and what may be absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported
# UMAP's compiler sets the threads of OpenMP for the whole process, torch's among them.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers.wanted import Wanted
from tests.chromium import FLAGS, find

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

# the same examples on every run, and no deadline: a loaded machine is not a failure
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for every test, so that none reads what another or a user computed."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STRATA_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _models_that_a_test_names_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command keeps the models that its user names in the environment of the process.

    A notebook shows its own from memory.
    """
    from hvae_core.checkpoint import named

    monkeypatch.setenv("STRATA_MODELS", "[]")
    monkeypatch.setattr(named, "_PROVIDED", {})


@pytest.fixture(scope="session", autouse=True)
def _own_images_are_decoded_once() -> Iterator[None]:
    """The project's own images, decoded once in a process: sets cannot be changed."""
    from hvae_core.data import origins

    read, held = origins.read_images, {}

    def read_once(path: Path, wanted: Wanted) -> ImageSet:
        key = (path, path.stat().st_mtime_ns)
        if key not in held:
            held[key] = read(path, wanted)
        return held[key].renamed(wanted.name, wanted.title)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(origins, "read_images", read_once)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of image sets beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the image sets beside the repository (../shared/data) are absent")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that starts."""
    path, reason = find()
    if path is None:
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()
