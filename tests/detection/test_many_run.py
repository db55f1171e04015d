"""Parts of a large source: whoever computes them, and however often it is stopped, the same."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.far import Folder
from hvae_core.common.progress import Cancelled
from hvae_core.config import LatentConfig, ModelCard
from hvae_core.data.load import load_source
from hvae_core.data.stream import Source
from hvae_core.detection.many import run as many
from hvae_core.detection.many.executor import Executor, Processes
from hvae_core.detection.many.layout import parts_there, read_job, read_part
from hvae_core.detection.many.task import Task, Worker, check_scores, run_part
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores import Material, get_score
from hvae_core.scores.measures import MEASURES
from tests.data.conftest import encode
from tests.small import tiny_config, tiny_model, tiny_set

SETTINGS = EvalSettings(2, 2)
LOST = 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    latents = (LatentConfig(1, "conv"), LatentConfig(2, "dense"))
    network = tiny_model(tiny_config(image_shape=(1, 4, 4), latents=latents, channels=2))
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_checkpoint(path, network, card=ModelCard("small"), history={})
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures, one of them damaged."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, image in enumerate(tiny_set(20, (1, 4, 4)).images):
        data = encode(image[0]) if number != LOST else b"\x89PNG no more"
        (folder / f"{number:02}.png").write_bytes(data)
    return folder


@pytest.fixture
def task(model: Path, pictures: Path, tmp_path: Path) -> Task:
    return Task(
        source=Source(str(pictures), (1, 4, 4)),
        model=str(model),
        digest=load_checkpoint(model).digest,
        settings=SETTINGS,
        scores=("elbo", "llr_1", "complexity"),
        own=(),
        part_images=6,
        out=str(tmp_path / "out"),
    )


def ran(task: Task, executor: Executor | None = None, **more: Any) -> many.Summary:
    begun, job, _ = many.begin(task, name="small", levels=2)
    return many.run(begun, job, executor=executor, **more)


def files(out: str) -> dict[str, bytes]:
    folder = Folder.of(out)
    return {name: folder.read(f"parts/{name}") or b"" for name in folder.names("parts")}


def test_figures_are_those_of_evaluate_of_the_same_images(
    task: Task, model: Path, pictures: Path
) -> None:
    found = ran(task)
    assert (found.parts, found.images, found.computed, found.failed) == (4, 20, 20, 1)
    folder = Folder.of(task.out)
    parts = [read_part(folder, number) for number in parts_there(folder)]
    rows = np.concatenate([part.rows for part in parts])
    np.testing.assert_array_equal(rows, np.arange(20))
    errors = [error for part in parts for error in part.errors]
    assert [row for row, error in enumerate(errors) if error] == [LOST]
    good = rows != LOST
    images = load_source(pictures)  # without the damaged one
    checkpoint = load_checkpoint(model)
    table = evaluate(checkpoint.model, checkpoint.digest, images, settings=SETTINGS)
    bounds = np.concatenate([part.bounds for part in parts])
    np.testing.assert_allclose(bounds[good], table.table.bound, rtol=1e-5)
    assert np.isnan(bounds[LOST]).all()
    digests = np.concatenate([part.digests for part in parts])
    assert digests[good].tolist() == images.image_digests()
    complexity = MEASURES["complexity"]
    bits = complexity.function(None, images.images, (), complexity.settings)
    material = replace(Material.of(table), measures={"complexity": bits})
    for key in task.scores:
        expected = get_score(key, 2)(material)
        np.testing.assert_allclose(
            np.concatenate([part.scores[key] for part in parts])[good], expected, rtol=1e-4
        )


def test_a_whole_evaluation_and_its_parts_agree_to_the_bit(task: Task, model: Path) -> None:
    """Parts that hold whole batches have the bits of one go over all images."""
    ran(replace(task, part_images=20, source=replace(task.source, limit=20)))
    part = read_part(Folder.of(task.out), 0)
    checkpoint = load_checkpoint(model)
    images = load_source(task.source.given)
    whole = evaluate(checkpoint.model, checkpoint.digest, images, settings=SETTINGS)
    np.testing.assert_array_equal(np.delete(part.bounds, LOST, axis=0), whole.table.bound)


def test_a_run_that_is_stopped_goes_on_and_ends_with_the_same_files(
    task: Task, tmp_path: Path
) -> None:
    whole = replace(task, out=str(tmp_path / "whole"))
    ran(whole)

    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        ran(task, progress=stop)
    there = parts_there(Folder.of(task.out))
    assert 0 < len(there) < 4
    ran(task, only=3)
    found = ran(task)
    assert found.computed == 20 - 6 * len(set(there) - {3}) - 2
    assert files(task.out) == files(whole.out)


class Dying:
    """Two workers in this process, one of which is killed under a part, again and again."""

    here, room = False, 2

    def __init__(self, deadly: int, times: int) -> None:
        self.deadly, self.times = deadly, times
        self.closed: list[bool] = []

    def submit(self, function: Any, /, *args: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Any] = Future()
        if args[1] == self.deadly and self.times:
            self.times -= 1
            future.set_exception(EOFError("the worker is gone"))
        else:
            future.set_result(function(*args))
        return future

    def wait(self, pending: Any, timeout: float) -> None:
        """Return at once."""

    def died(self, error: BaseException) -> bool:
        return isinstance(error, EOFError)

    def close(self, *, now: bool) -> None:
        self.closed.append(now)


def test_a_part_whose_worker_dies_is_tried_again_and_then_named(task: Task) -> None:
    executor = Dying(1, times=many.TRIES - 1)
    assert ran(task, executor).lost == {} and executor.closed == [False]
    assert parts_there(Folder.of(task.out)) == [0, 1, 2, 3]
    other = replace(task, out=f"{task.out}-2")
    found = ran(other, Dying(1, times=many.TRIES))
    assert list(found.lost) == [1] and "died 3 times" in found.lost[1]
    assert parts_there(Folder.of(other.out)) == [0, 2, 3]


def test_another_job_in_the_same_folder_is_refused(task: Task, pictures: Path) -> None:
    ran(task, only=0)
    for change in ({"part_images": 7}, {"scores": ("elbo",)}, {"settings": EvalSettings(3, 3)}):
        with pytest.raises(DataError, match="holds scores of another job"):
            many.begin(replace(task, **change), name="small", levels=2)  # type: ignore[arg-type]
    job = read_job(Folder.of(task.out))
    assert job is not None and (job.images, job.parts, job.levels) == (20, 4, 2)
    with pytest.raises(DataError, match="There is no part 4"):
        ran(task, only=4)
    with pytest.raises(DataError, match="other files here"):
        run_part(replace(task, contents="0" * 64), 0)
    with pytest.raises(ScoreError, match="needs more than the model"):
        check_scores([get_score("waic", 2)])


def kill_once(flag: str, number: int) -> int:
    """End this very process at the first call."""
    if not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_is_killed_takes_no_other_with_it(tmp_path: Path) -> None:
    executor = Processes(1)
    flag = str(tmp_path / "flag")
    try:
        first = executor.submit(kill_once, flag, 1)
        executor.wait([first], 60)
        with pytest.raises(Exception) as death:
            first.result()
        assert executor.died(death.value) and not executor.died(ValueError())
        second = executor.submit(kill_once, flag, 2)
        executor.wait([second], 60)
        assert second.result() == 2
    finally:
        executor.close(now=True)


def test_the_command_writes_the_folder_and_says_what_is_in_it(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    words = ["score", str(pictures), "--model", str(model), "--out", out, "--samples", "2"]
    words += ["--partial-samples", "2", "--scores", "elbo", "--part-images", "8", "--json"]
    assert main([*words, "--part", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["computed"] == 8
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["parts"], told["images"], told["computed"], told["failed"]) == (3, 20, 12, 1)
    assert main([*words, "--limit", "3"]) == 2
    assert "holds scores of another job: its limit" in capsys.readouterr().err


def test_parts_that_are_read_ahead_are_the_same(task: Task) -> None:
    """In any order, and read once where the guess is right: what a worker with a card does."""
    plain, eager = Worker(task), Worker(task)
    eager.task = replace(task, device="a card")
    read: list[int] = []
    part_of = eager._part_of_source
    eager._part_of_source = lambda number: (read.append(number), part_of(number))[1]  # type: ignore[method-assign]
    for number in (0, 1, 3, 2):
        one, other = plain.part(number), eager.part(number)
        assert one.files == other.files and one.errors == other.errors
        np.testing.assert_array_equal(one.bounds, other.bounds)
    eager._reader.shutdown()
    assert read == [0, 1, 2, 3, 2, 3]
