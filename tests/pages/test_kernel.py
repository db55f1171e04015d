"""The app beside a notebook: its world and models are the kernel's, which computes with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import checkpoint_of, load_checkpoint, named
from hvae_core.common import link
from hvae_core.common.link import Answerer
from hvae_core.common.own_models import path_of
from hvae_core.data import World, custom_set, worlds
from hvae_core.notebook import WORLD, Shown
from hvae_core.probes.reconstruct import reconstruct
from pages.shared import jobs, kernel, store
from tests.small import tiny_model, tiny_set

KEY = "tiny 1"


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """This process is the app of a kernel, whose thread runs here too; its world."""
    model, images = tiny_model().eval(), tiny_set(6)
    spec = custom_set(images, "in")
    world = World(WORLD, "Your images", spec.name, (spec,), (), images.image_shape)
    info = {name: value for name, value in vars(checkpoint_of(model)).items() if name != "model"}
    from hvae_core.checkpoint import CheckpointInfo

    answerer = Answerer(Shown({KEY: CheckpointInfo(**info)}, world, ""), lambda path: model)
    monkeypatch.setenv(link.PLACE, answerer.place)
    for remembered in (kernel._shown, kernel._paths):
        remembered.cache_clear()
    yield world
    answerer.close()
    named.withdraw(KEY)
    for remembered in (kernel._shown, kernel._paths):
        remembered.cache_clear()


def test_any_other_app_knows_no_kernel() -> None:
    assert kernel.worlds() == worlds()
    assert not kernel.holds(str(path_of(KEY)))


def test_its_world_comes_first_and_its_model_is_named(beside: World) -> None:
    first, *others = kernel.worlds().values()
    assert (first.key, first.title) == (WORLD, "Your images") and others
    assert kernel.holds(str(path_of(KEY))) and not kernel.holds("other")
    assert path_of(KEY) in named.models()
    about = load_checkpoint(path_of(KEY))
    assert about.digest == checkpoint_of(tiny_model()).digest
    assert about.model is None  # the weights stay where they are


def test_the_kernel_computes(beside: World) -> None:
    images = tiny_set(3)
    assert WORLD in kernel.worlds()  # the sidebar asks for it before anything else
    handle = store.handle_of(path_of(KEY))
    there = store.ask(handle, reconstruct, images.images, images.image_digests(), seed=2)
    here = reconstruct(tiny_model().eval(), images.images, images.image_digests(), seed=2)
    np.testing.assert_array_equal(there.means, here.means)


def test_jobs_on_its_model_go_there_and_no_others(
    beside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, ...]] = []

    class Table:
        def forget(self, digest: str) -> None: ...

        def submit(self, name: str, digest: str, function: Callable[..., Any], *args: Any) -> Any:
            given.append((function, *args))

    monkeypatch.setattr(jobs, "_table", Table)
    path = str(path_of(KEY))
    jobs.submit("one", "d", reconstruct, "a file", 1)
    jobs.submit("two", "d", reconstruct, "a file", path)
    assert given == [(reconstruct, "a file", 1), (link.job_there, reconstruct, ("a file", path))]


def test_pages_never_read_the_model_themselves() -> None:
    """All that reads a model is asked for by name, so that it can run where the model is."""
    for file in Path(kernel.__file__).parents[1].rglob("*.py"):
        text = file.read_text("utf-8").replace('f"hv.load_checkpoint(', "")  # in code to copy
        assert "load_checkpoint(" not in text or file.name in ("store.py", "serve.py"), file
