"""The Lab's runs: turned, paused and kept from a folder, and what a page sees of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hvae_core.checkpoint import load_checkpoint
from hvae_core.checkpoint.library import own_checkpoints
from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Cancelled
from hvae_core.config.lab import STEPS, Act, Control, Knobs, after
from hvae_core.evaluation.bounds import bound
from hvae_core.models.pixels import prepared
from hvae_core.training.lab import jobs, pace, watch
from hvae_core.training.lab.again import train_again
from hvae_core.training.lab.frame import (
    FRAME,
    POINTS,
    STATE,
    Curve,
    LabFrame,
    look,
    read_control,
    read_frame,
    write_control,
)
from hvae_core.training.lab.scene import in_holes
from hvae_core.training.state import model_in
from tests.small import tiny_set

TRAIN, HELD_OUT = tiny_set(64 * STEPS), tiny_set(96, seed=1)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "lab_images", lambda data: (TRAIN, HELD_OUT))


def go(folder: Path, control: Control) -> LabFrame:
    """Run to where the control pauses; the frame that stands then."""
    write_control(folder, control)
    look(folder)

    def progress(_fraction: float, _message: str) -> None:
        frame = read_frame(folder)
        if frame is not None and frame.about["step"] == control.until:
            raise Cancelled

    with pytest.raises(Cancelled):
        jobs.run_lab(str(folder), progress=progress)
    frame = read_frame(folder)
    assert frame is not None
    return frame


def paused(until: int, **more: object) -> Control:
    knobs = Knobs(depth=2, data="letters").turned(dict(more))
    return Control(knobs, playing=False, until=until)


def test_a_run_is_turned_paused_and_goes_on_where_it_was_kept(tmp_path: Path) -> None:
    # 1. Acts are done at their step, and the page is told.
    first = go(tmp_path, replace(paused(30), acts=(Act(10, {"free_bits": 1.0}),)))
    assert first.about["turned"] == [[10, {"free_bits": 1.0}]]
    told = read_control(tmp_path)
    assert told is not None and told.knobs.free_bits == 1.0 and not told.acts
    # 2. What is seen is the model as it stands.
    assert first.steps.tolist() == [5, 10, 15, 20, 25, 30] and first.kl.shape == (6, 2)
    assert first.reconstructions.shape == (2, 8, 1, 8, 8) and first.means.shape == (2, 96, 2)
    # 3. It goes on from the last state that was kept, with the curve up to there.
    second = go(tmp_path, paused(STEPS + 2, std=0.4))
    assert second.steps.tolist()[:5] == [5, 10, 15, 20, 25]
    assert np.array_equal(second.kl[:5], first.kl[:5])
    config, recipe = jobs.settings_in(tmp_path / STATE)
    assert recipe.free_bits == 1.0 and config.std == 0.15  # as they stood when it was kept
    # 4. What is written of it trains it once more.
    for frame in (first, second):
        turned = [Act(at, turn) for at, turn in frame.about["turned"]]
        found = train_again(Knobs(**frame.about["began"]), turned, int(frame.steps[-1]))
        assert found.names == ("z1", "z2") and np.array_equal(found.steps, frame.steps)
        np.testing.assert_allclose(found.kl, frame.kl, rtol=1e-5)
        np.testing.assert_allclose(found.loss, frame.loss, rtol=1e-5)
    assert [one.step for one in turned] == [10, STEPS]


def test_what_is_shown_are_the_bounds_of_the_model(tmp_path: Path) -> None:
    frame = go(tmp_path, paused(STEPS + 1, learning_rate=1e-9))
    model, _, _ = model_in(tmp_path / STATE)
    digests = HELD_OUT.image_digests()
    for k in (0, 1):
        with torch.no_grad():
            x = prepared(model, HELD_OUT.images, digests)
            expected = bound(model.trace(x, noise=ImageNoise(digests), k=k)).numpy()
        assert np.allclose(frame.bounds[k], expected, rtol=1e-4)
    # One dot of light, where it was put.
    assert np.unravel_index(frame.dot[0, 0].argmax(), (8, 8)) in {(3, 3), (3, 4), (4, 3), (4, 4)}


def test_a_run_is_kept_as_a_checkpoint_and_followed_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, shelf, page = (tmp_path / name for name in ("run", "shelf", "page"))
    with pytest.raises(ConfigError, match="nothing to keep yet"):
        jobs.keep_lab(str(run), str(shelf))
    go(run, paused(STEPS + 1))
    digest, step = jobs.keep_lab(str(run), str(shelf))
    (path,) = own_checkpoints(shelf).values()
    kept = load_checkpoint(path)
    assert kept.digest == digest and step == STEPS
    model, _, history = model_in(run / STATE)
    mine = kept.model.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in model.state_dict().items())
    # The command line's folder holds such a state too.
    monkeypatch.setattr(jobs, "PATIENCE", 0.3)
    look(page)
    assert jobs.follow_run(str(page), str(run)) == 1
    seen = read_frame(page)
    assert seen is not None and np.allclose(seen.kl, history["valid_kl"])
    with pytest.raises(ConfigError, match="no run in"):
        jobs.follow_run(str(page), str(shelf))


def test_a_hole_is_where_the_aggregate_posterior_has_a_tenth_of_the_prior() -> None:
    draw = torch.Generator().manual_seed(0)
    z, means = torch.randn(50, 2, generator=draw), 0.5 * torch.randn(20, 2, generator=draw)
    stds = 0.1 + 0.3 * torch.rand(20, 2, generator=draw)
    normal = torch.distributions.Normal
    q = torch.stack(
        [normal(m, s).log_prob(z).sum(1).exp() for m, s in zip(means, stds, strict=True)]
    )
    expected = q.mean(0) < normal(0.0, 1.0).log_prob(z).sum(1).exp() / 10
    found = in_holes(z.numpy(), means.numpy(), stds.numpy())
    assert np.array_equal(found, expected.numpy()) and 10 < found.sum() < 40


def test_a_run_ends_when_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FRAME_SECONDS", 0.0)
    write_control(tmp_path, Control(Knobs(depth=1)))
    assert jobs.run_lab(str(tmp_path)) == 1


def test_files_that_are_no_frame_are_none(tmp_path: Path) -> None:
    for data in (b"", b"no zip", b"PK\x03\x04 half"):
        (tmp_path / FRAME).write_bytes(data)
        assert read_frame(tmp_path) is None
    (tmp_path / "control.json").write_text('{"knobs": {"depth": 99}}', "utf-8")
    assert read_control(tmp_path) is None
    with pytest.raises(ConfigError, match="choose a preset"):
        jobs.run_lab(str(tmp_path))


def test_a_long_curve_keeps_its_means() -> None:
    curve, steps = Curve(every=1), 3 * POINTS
    for step in range(1, steps + 1):
        curve.add(step, np.array([float(step)]))
    at, rows = curve.steps, curve.rows
    assert len(at) <= POINTS and at == sorted(at)
    # Of a straight line the mean of neighbours lies half way between their ends.
    width = np.diff(at)[-1]
    assert np.allclose(np.array(rows)[-5:, 0], np.array(at[-5:]) - (width - 1) / 2)


def test_knobs_say_what_an_objective_takes() -> None:
    turned = Knobs().turned({"objective": "informative", "beta": 4.0, "free_bits": 2.0})
    config = turned.train()
    assert (config.beta, config.free_bits, config.warmup_epochs) == (1.0, 0.0, 0.0)
    assert turned.starts_like(Knobs()) and not Knobs(depth=2).starts_like(Knobs())
    with pytest.raises(ConfigError, match="depth"):
        Knobs().turned({"depth": 9})
    control, due = after(Control(Knobs(), acts=(Act(5, {"beta": 2.0}), Act(9, {"std": 1.0}))), 5)
    assert control.knobs.beta == 2.0 and len(due) == len(control.acts) == 1


def test_a_pace_is_of_the_steps_since_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    known = pace.Pace()
    assert known.told() == {"rate": 0, "took": 0, "drawn": 0}
    known.trained(9.0)  # what is made ready for the first step is no pace
    for _ in range(10):
        now[0] += 0.05
        known.trained(0.03)
    known.drew(0.1)
    assert known.told() == {"rate": 20, "took": 0.03, "drawn": 0.2}
    assert known.told()["rate"] == 20  # no step since
