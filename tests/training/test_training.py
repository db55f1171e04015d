"""The loop: what it records, how it averages, and that an interruption leaves no trace."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Cancelled
from hvae_core.config import TrainConfig
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.collapse import active_units
from hvae_core.models import HierarchicalVAE
from hvae_core.training.loop import train, validate
from tests.small import prepared, tiny_config, tiny_model, tiny_set

MODEL = tiny_config(channels=3)
TRAIN = TrainConfig(
    "bars",
    epochs=3,
    batch_size=16,
    epoch_images=40,
    learning_rate=1e-3,
    final_learning_rate=1e-4,
    warmup_epochs=2,
    free_bits=1.0,
    free_bits_constant=1,
    free_bits_annealed=1,
    ema=0.9,
)
INFORMATIVE: dict[str, Any] = {"objective": "informative", "warmup_epochs": 0, "free_bits": 0}
IMAGES, HELD_OUT = tiny_set(64), tiny_set(20, seed=1)


def run(config: TrainConfig = TRAIN, **more: Any) -> Any:
    return train(MODEL, config, IMAGES, validation=HELD_OUT, **more)


def equal_weights(one: HierarchicalVAE, other: HierarchicalVAE) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[name]) for name, value in one.state_dict().items())


def without_seconds(history: dict[str, list]) -> dict[str, list]:
    return {key: value for key, value in history.items() if key != "seconds"}


def stop_at(fraction: float) -> Any:
    def progress(done: float, _message: str) -> None:
        if done >= fraction:
            raise Cancelled

    return progress


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run(state=tmp_path_factory.mktemp("run") / "state")


def test_history_has_a_row_for_every_epoch(finished: Any) -> None:
    history = finished.history
    assert set(history) == {
        "train_loss", "train_elbo", "train_log_px", "train_kl", "grad_norm", "grad_norms",
        "clipped", "skipped", "learning_rate", "beta", "free_bits", "valid_elbo", "valid_kl",
        "active_units", "seconds",
    }  # fmt: skip
    assert all(len(column) == 3 for column in history.values())
    assert np.array(history["grad_norms"]).shape == (3, 3)  # epochs, steps
    assert np.mean(history["grad_norms"], 1) == pytest.approx(history["grad_norm"], rel=1e-3)
    # where beta is 1 throughout and no bits are free, the loss is minus the ELBO
    assert history["train_loss"][2] == pytest.approx(-history["train_elbo"][2], rel=1e-5)
    assert history["train_loss"][0] != pytest.approx(-history["train_elbo"][0], rel=1e-5)
    assert np.array(history["train_kl"]).shape == np.array(history["valid_kl"]).shape == (3, 3)
    assert history["beta"] == [0.5, 1, 1]
    assert history["free_bits"] == [1, 0, 0]
    for row in range(3):
        parts = history["train_log_px"][row] - sum(history["train_kl"][row])
        assert history["train_elbo"][row] == pytest.approx(parts, rel=1e-5)
    units = [spec.units for spec in finished.model.latents]
    assert all(0 <= n <= u for row in history["active_units"] for n, u in zip(row, units))  # noqa: B905
    assert finished.seconds == pytest.approx(sum(history["seconds"]))
    assert json.loads(json.dumps(history)) == history


def test_learning_rate_falls_by_half_a_cosine(finished: Any) -> None:
    # of the last of three steps in each epoch, at t = (epoch + 2/3) / 3
    share = [0.5 * (1 + np.cos(np.pi * (epoch + 2 / 3) / 3)) for epoch in range(3)]
    expected = [1e-4 + s * 9e-4 for s in share]
    assert finished.history["learning_rate"] == pytest.approx(expected)
    constant = run(replace(TRAIN, epochs=1, final_learning_rate=1e-3))
    assert constant.history["learning_rate"] == [1e-3]


def test_training_learns_and_hands_back_a_frozen_model(finished: Any) -> None:
    longer = run(replace(TRAIN, epochs=6, warmup_epochs=0, free_bits=0, ema=0.5))
    assert longer.history["train_elbo"][-1] > longer.history["train_elbo"][0] + 2
    assert longer.history["valid_elbo"][-1] > longer.history["valid_elbo"][0]
    assert not finished.model.training
    assert not any(value.requires_grad for value in finished.model.parameters())


def test_the_same_seed_gives_the_same_weights(finished: Any) -> None:
    torch.manual_seed(99)  # the global stream of the caller has no say
    assert equal_weights(finished.model, run().model)
    state = torch.get_rng_state()
    other = run(replace(TRAIN, seed=1, epochs=1))
    assert torch.equal(state, torch.get_rng_state())  # nor is it moved
    assert not equal_weights(finished.model, other.model)


@pytest.mark.parametrize("fraction", [0.05, 0.34, 0.5, 0.8, 1.0])
def test_an_interrupted_run_ends_as_if_it_never_was(
    finished: Any, tmp_path: Path, fraction: float
) -> None:
    state = tmp_path / "folder" / "state.safetensors"
    with pytest.raises(Cancelled):
        run(state=state, progress=stop_at(fraction))
    again = run(state=state)
    assert equal_weights(again.model, finished.model)
    assert without_seconds(again.history) == without_seconds(finished.history)
    assert os.listdir(state.parent) == [state.name]


def test_two_interruptions_are_as_good_as_one(finished: Any, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for fraction in (0.4, 0.9):
        with pytest.raises(Cancelled):
            run(state=state, progress=stop_at(fraction))
    assert equal_weights(run(state=state).model, finished.model)
    calls: list[float] = []
    once_more = run(state=state, progress=lambda done, _: calls.append(done))
    assert not calls  # a finished run is only read back
    assert equal_weights(once_more.model, finished.model)


@pytest.mark.parametrize("changes", [{}, INFORMATIVE])
def test_progress_never_falls_and_ends_at_one(changes: dict[str, Any]) -> None:
    seen: list[tuple[float, str]] = []
    run(
        replace(TRAIN, epochs=2, **changes),
        progress=lambda done, text: seen.append((done, text)),
    )
    fractions = [done for done, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert "validation ELBO" in seen[-1][1]


def test_average_is_the_exponential_one(tmp_path: Path) -> None:
    """With decay d, average_t = d average_{t-1} + (1 - d) weights_t, d = min(ema, (1+t)/(10+t))."""
    one_step = replace(TRAIN, epoch_images=16, epochs=4)
    snapshots: list[dict[str, torch.Tensor]] = []

    def keep(done: float, text: str) -> None:
        if text.startswith("epoch") and "validation" in text:
            snapshots.append(load_file(tmp_path / "state"))

    result = run(one_step, state=tmp_path / "state", progress=keep)
    assert len(snapshots) == 4
    name = "to_x.bias"
    average = snapshots[0][f"average.{name}"]
    for step in range(1, 4):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * snapshots[step][f"model.{name}"]
        torch.testing.assert_close(snapshots[step][f"average.{name}"], average)
    torch.testing.assert_close(result.model.state_dict()[name], average)


def test_without_averaging_the_last_weights_are_kept(tmp_path: Path) -> None:
    run(replace(TRAIN, ema=0.0, epochs=1), state=tmp_path / "state")
    saved = load_file(tmp_path / "state")
    for name in saved:
        if name.startswith("model."):
            assert torch.equal(saved[name], saved["average." + name.removeprefix("model.")])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 5}, "settings: seed 0 there and 5 here; choose"),
        ({"epochs": 9}, "settings: epochs 1 there and 9 here; choose"),
        (INFORMATIVE, "settings: objective elbo there and informative here, warmup_epochs 2.0 th"),
    ],
)
def test_a_state_of_other_settings_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    state = tmp_path / "state"
    run(replace(TRAIN, epochs=1, epoch_images=16), state=state)
    before = state.read_bytes()
    with pytest.raises(ConfigError, match=says):
        run(replace(TRAIN, **{"epochs": 1, "epoch_images": 16} | changes), state=state)
    with pytest.raises(ConfigError, match="settings: latents; choose|settings: channels 3 there"):
        train(
            tiny_config(),
            replace(TRAIN, epochs=1, epoch_images=16),
            IMAGES,
            validation=HELD_OUT,
            state=state,
        )
    assert state.read_bytes() == before


Contents = tuple[dict[str, torch.Tensor], dict[str, str]]
MOMENT = "optimizer.0.exp_avg_sq"


def series(words: dict[str, str], **changes: Any) -> str:
    return json.dumps(json.loads(words["history"]) | changes)


IMPOSSIBLE: dict[str, tuple[Any, str]] = {
    "no epoch": (lambda t, w: w.pop("epoch"), "not as a run has it"),
    "epoch -5": (lambda t, w: w.update(epoch="-5"), "says epoch -5 of 1"),
    "epoch 999": (lambda t, w: w.update(epoch="999"), "says epoch 999 of 1"),
    "epoch 0": (lambda t, w: w.update(epoch="0"), "says epoch 0 of 1"),
    "bad history": (lambda t, w: w.update(history="{"), "not as a run has it"),
    "deep": (lambda t, w: w.update(history="[" * 10**5), "not as a run has it"),
    "no seconds": (lambda t, w: w.update(history="{}"), "not as a run has it"),
    "nested": (lambda t, w: w.update(history=series(w, seconds=[[1.0]])), "history of seconds"),
    "long": (lambda t, w: w.update(history=series(w, beta=[1.0] * 3)), "history of beta"),
    "layers": (lambda t, w: w.update(history=series(w, valid_kl=[[1.0]])), "history of valid_kl"),
    "NaN history": (lambda t, w: w.update(history=series(w, beta=[float("nan")])), "not as a run"),
    "text": (lambda t, w: w.update(history=series(w, beta=["a"])), "not as a run has it"),
    "planned": (lambda t, w: w.update(planned="[77]"), "epochs that it does not have"),
    "settings": (lambda t, w: w.update(train="{}"), "settings cannot be read"),
    "no weights": (lambda t, w: t.pop("model.to_x.bias"), "not as a run has it"),
    "shape": (lambda t, w: t.update({"average.to_x.bias": torch.zeros(7)}), "not as a run has it"),
    "NaN": (lambda t, w: t["model.to_x.bias"].fill_(float("nan")), "to_x.bias holds what is not"),
    "NaN moment": (lambda t, w: t[MOMENT].fill_(float("inf")), "exp_avg_sq holds what is not"),
    "below zero": (lambda t, w: t[MOMENT].fill_(-1.0), "moments below zero"),
    "foreign slot": (lambda t, w: t.update({"optimizer.0.x": torch.zeros(1)}), "is another one"),
    "foreign weight": (lambda t, w: t.update({"optimizer.9999.step": torch.ones(())}), "another"),
    "no number": (lambda t, w: t.update({"optimizer.a.step": torch.ones(())}), "not as a run has"),
    "one over": (lambda t, w: t.update({"module.x": torch.zeros(1)}), "none of a run"),
    "whole": (lambda t, w: t.update({"model.to_x.bias": torch.zeros(1).int()}), "is not a number"),
}


def damage(state: Path, how: str) -> None:
    data = state.read_bytes()
    if how == "empty":
        state.write_bytes(b"")
    elif how == "cut":
        state.write_bytes(data[: len(data) // 2])
    elif how == "words":
        state.write_text("nothing of the kind")
    elif how == "folder":
        state.unlink()
        state.mkdir()
    else:
        from safetensors import safe_open

        with safe_open(state, "pt") as file:
            words = dict(file.metadata())
        tensors = load_file(state)
        IMPOSSIBLE[how][0](tensors, words)
        save_file(tensors, state, words)


@pytest.fixture(scope="module")
def short_state(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    state = tmp_path_factory.mktemp("short") / "state"
    run(replace(TRAIN, epochs=1, epoch_images=16), state=state)
    return state.read_bytes()


@pytest.mark.parametrize("how", ["empty", "cut", "words", "folder", *IMPOSSIBLE])
def test_a_damaged_or_impossible_state_is_refused(
    tmp_path: Path, short_state: bytes, how: str
) -> None:
    state = tmp_path / "state"
    state.write_bytes(short_state)
    damage(state, how)
    says = IMPOSSIBLE[how][1] if how in IMPOSSIBLE else "cannot be read"
    with pytest.raises(ConfigError, match=rf"state is damaged \(.*{says}.*\); delete it to start"):
        run(replace(TRAIN, epochs=1, epoch_images=16), state=state)


def test_a_pipe_for_a_state_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state")
    with pytest.raises(ConfigError, match="a pipe or a device"):
        run(replace(TRAIN, epochs=1, epoch_images=16), state=tmp_path / "state")


def test_a_finished_run_goes_on_where_that_is_asked_for(tmp_path: Path) -> None:
    state, said = tmp_path / "state", list[str]()
    short, long = (replace(TRAIN, epochs=n, warmup_epochs=n / 2, ema=0.0) for n in (2, 4))
    first = run(short, state=state)
    with pytest.raises(Cancelled):
        run(long, state=state, extend=True, progress=stop_at(0.8), say=said.append)
    with pytest.raises(ConfigError, match="epochs 4 there and 2 here"):
        run(short, state=state, extend=True)
    assert said == [
        "a finished run of 2 epochs goes on to 4: from epoch 3 on, learning rate, warm-up and free "
        "bits are where a run of 4 epochs has them"
    ]
    whole = run(long, state=state, extend=True, say=said.append)
    assert len(said) == 1 and whole.planned == (2,)
    assert whole.history["valid_elbo"][:2] == first.history["valid_elbo"]
    rates = run(long).history["learning_rate"]
    assert whole.history["learning_rate"][2:] == rates[2:]
    assert whole.history["learning_rate"][:2] != rates[:2]


def test_an_unfinished_run_does_not_go_on_to_more(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(Cancelled):
        run(state=state, progress=stop_at(0.5))
    with pytest.raises(ConfigError, match="not finished; finish it with --epochs 3"):
        run(replace(TRAIN, epochs=9), state=state, extend=True)


def test_a_full_disk_is_said_and_the_epoch_before_stays(
    tmp_path: Path, short_state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    from hvae_core.training import state as module

    def full(tensors: Any, path: Path, *words: Any) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: No space left on device (os error 28)")

    state = tmp_path / "state"
    state.write_bytes(short_state)
    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(ConfigError, match="state cannot be written: the disk is full; make room"):
        run(replace(TRAIN, epochs=2, epoch_images=16), state=state, extend=True)
    assert state.read_bytes() == short_state and os.listdir(tmp_path) == ["state"]


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(1, 9, 8\)"):
        train(MODEL, TRAIN, tiny_set(8, (1, 9, 8)), validation=HELD_OUT)
    with pytest.raises(DataError, match=r"shape \(3, 8, 8\)"):
        train(MODEL, TRAIN, IMAGES, validation=tiny_set(8, (3, 8, 8)))
    with pytest.raises(DataError, match="no images"):
        train(MODEL, TRAIN, IMAGES.take(0), validation=HELD_OUT)
    with pytest.raises(DataError, match="no images"):
        train(MODEL, TRAIN, IMAGES, validation=HELD_OUT.take(0))


def test_a_loss_that_is_no_number_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from hvae_core.training import objectives

    plain = objectives.elbo

    def broken(*args: Any, **ways: Any) -> Any:
        terms = plain(*args, **ways)
        return terms._replace(loss=terms.loss * float("nan"))

    monkeypatch.setattr(objectives, "elbo", broken)
    with pytest.raises(ConfigError, match="no longer a number in epoch 1"):
        run()


@pytest.mark.parametrize(("images", "batch"), [(1, 16), (5, 1)])
def test_few_images_and_batches_of_one_are_enough(images: int, batch: int) -> None:
    config = replace(TRAIN, epochs=1, batch_size=batch, epoch_images=0)
    result = train(MODEL, config, IMAGES.take(images), validation=HELD_OUT)
    assert np.isfinite(result.history["valid_elbo"]).all()
    assert all(torch.isfinite(value).all() for value in result.model.parameters())


def test_validation_is_a_trace_of_every_image() -> None:
    model = tiny_model()
    row = validate(model, HELD_OUT, batch_size=7)
    x, noise = prepared(model, HELD_OUT), ImageNoise(HELD_OUT.image_digests())
    with torch.no_grad():
        trace = model.trace(x, noise=noise)
    assert row["valid_elbo"] == pytest.approx(float(bound(trace).mean()), rel=1e-5)
    assert row["valid_kl"] == pytest.approx(trace.kl.mean((1, 2)).tolist(), rel=1e-4)
    units = [z.mean(0).flatten(1).var(0, correction=0) for z in trace.z if z is not None]
    assert row["active_units"] == [active_units(u.numpy()) for u in units]


def test_a_run_starts_from_given_weights(finished: Any) -> None:
    """With nothing to learn from, the weights stay those of the start."""
    still = replace(TRAIN, epochs=1, start="tiny", learning_rate=1e-12, final_learning_rate=0.0)
    begun = run(still, start=finished.model)
    for name, value in begun.model.state_dict().items():
        torch.testing.assert_close(value, finished.model.state_dict()[name], rtol=0, atol=1e-6)
    before = {name: value.clone() for name, value in finished.model.state_dict().items()}
    moved = run(replace(TRAIN, epochs=1, start="tiny"), start=finished.model)
    assert not equal_weights(moved.model, finished.model)
    assert all(torch.equal(value, before[n]) for n, value in finished.model.state_dict().items())


def test_a_start_that_does_not_fit_is_refused(finished: Any) -> None:
    with pytest.raises(ConfigError, match="starts from the weights of tiny; give exactly those"):
        run(replace(TRAIN, start="tiny"))
    with pytest.raises(ConfigError, match="starts from the weights of nothing"):
        run(start=finished.model)
    with pytest.raises(ConfigError, match="another shape"):
        run(replace(TRAIN, start="tiny"), start=tiny_model())


def test_settings_that_change_after_a_step_hold_from_the_next() -> None:
    seen: list[tuple[int, list[float]]] = []

    def on_step(running: Any, figures: Any) -> None:
        weights = running.objective.model.state_dict()
        seen.append((running.epoch, [float(value.double().sum()) for value in weights.values()]))
        if len(seen) == 4:  # in the middle of the second epoch
            slow = replace(running.config, learning_rate=1e-30, final_learning_rate=1e-30, beta=3.0)
            running.change(slow, running.objective.model.config)

    out = run(on_step=on_step)
    assert [epoch for epoch, _ in seen] == [0] * 3 + [1] * 3 + [2] * 3
    assert seen[2][1] != seen[3][1] == seen[4][1] == seen[8][1]
    assert out.history["beta"] == [0.5, 3.0, 3.0]
