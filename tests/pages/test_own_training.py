"""Train on my images: a job of a local user's, then its model is chosen and judged by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hvae_core.checkpoint import add_checkpoint, save_checkpoint
from hvae_core.common.jobs.job import JobProgress
from hvae_core.config import ModelCard
from hvae_core.data.held_out import keep_held_out, path_of
from hvae_core.training import own
from pages.shared import jobs
from tests.pages.conftest import CONFIG, Start, alive
from tests.pages.test_jobs import Table
from tests.small import tiny_model, tiny_set


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """Jobs that are started and never run."""
    jobs_of_all = Table()
    monkeypatch.setattr(jobs, "_table", lambda: jobs_of_all)
    return jobs_of_all


def test_a_folder_is_trained_on_and_a_public_server_offers_none(
    start: Start, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("image")
    app.button("own_train").click().run()
    assert "Type the path of a folder of pictures first." in [e.value for e in app.error]
    app.text_input("own_train_path").set_value(str(tmp_path / "nothing")).run()
    app.button("own_train").click().run()
    assert any("There is no file or folder" in error.value for error in app.error)
    app.text_input("own_train_path").set_value(str(tmp_path)).run()
    app.button("own_train").click().run()
    (name,) = table.jobs
    assert name.endswith(":train-own")
    assert any("goes on from there" in caption.value for caption in alive(app).caption)
    reloaded = start("image").button("cancel-train-own").click().run()  # another session
    assert reloaded.text_input("own_train_path").value == str(tmp_path)
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    public = alive(start("image"))
    assert not [one for one in public.button if one.key == "own_train"]


def test_what_was_trained_is_model_a_and_judges_by_its_held_out_images(
    start: Start, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1. As the job leaves it: a checkpoint of this machine, with held-out images.
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, tiny_model(CONFIG, 5), card=ModelCard("Mine"), history={})
    digest = add_checkpoint(path.read_bytes(), path.name).digest
    held_out = tiny_set(24, (1, 28, 28), seed=1)
    keep_held_out(path_of(digest), digest, held_out, tiny_set(30, (1, 28, 28), seed=2))
    job = SimpleNamespace(
        active=False, status="done", progress=JobProgress(1.0, "", None), kept=set(), owners=set(),
        result=lambda: (digest, ("No layer collapsed.",)),
    )  # fmt: skip
    monkeypatch.setattr(table, "current", lambda name: job if name.endswith("own") else None)
    # 2. Who comes later keeps the model that the link names; who saw the job run sees its model.
    later: Any = alive(start("image")).session_state["context"]
    assert later.a.digest != digest
    job.active, job.status = True, "running"
    app = alive(start("image"))
    job.active, job.status = False, "done"
    app = alive(app.run())
    ctx: Any = app.session_state["context"]
    assert ctx.a.digest == digest
    assert ctx.world.spec(ctx.in_name).origin.images.digest == held_out.digest
    assert not ctx.world.with_role("validation", "train")
    assert {spec.name for spec in ctx.world.with_role("out")} >= {"test", "lower"}
    assert any("No layer collapsed" in caption.value for caption in app.caption)
    # 3. A stranger sees nothing of them.
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    public = alive(start("image", {"a_glyphs": digest}))
    assert public.session_state["context"].in_name == "test"


def test_the_job_trains_in_the_cache_folder_and_adds_the_model(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "EPOCHS", (1, 1))
    told: list[float] = []
    images = tiny_set(60, seed=3)
    digest, lines = own.train_own_job(images, 8, progress=lambda done, _: told.append(done))
    assert (cache_folder / "checkpoints" / f"Bars.{digest}.safetensors").is_file()
    assert path_of(digest).is_file()
    assert lines[0].startswith("trained at 8x8 grey")
    (run,) = (cache_folder / "runs").iterdir()
    assert (run / "state.safetensors").is_file()
    assert told == sorted(told) and told[-1] == 1.0
