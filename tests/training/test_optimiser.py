"""Optimisers, and what is done about large gradients: clipped, skipped, counted, recorded."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from hvae_core.checkpoint.contents import MAX_LENGTHS, MAX_PARTS, plain_history
from hvae_core.common.errors import ConfigError
from hvae_core.common.progress import Cancelled
from hvae_core.config import TrainConfig
from hvae_core.training.loop import train
from hvae_core.training.objectives import Objective
from hvae_core.training.optimiser import Gradients, gradient_row, make_optimizer, peaks
from hvae_core.training.state import RunState
from hvae_core.training.step import Stepper
from tests.small import tiny_model
from tests.training.test_training import HELD_OUT, IMAGES, MODEL, TRAIN, equal_weights, stop_at

SHORT = replace(TRAIN, epochs=2, warmup_epochs=0, free_bits=0)


def run(config: TrainConfig, **more: Any) -> Any:
    return train(MODEL, config, IMAGES, validation=HELD_OUT, **more)


# --- one step, against the papers' formulas ------------------------------------------------------


def steps_of(config: TrainConfig, gradients: list[float], start: float = 2.0) -> float:
    """A single weight after steps with these gradients."""
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    module = nn.ParameterList([weight])
    optimizer = make_optimizer(module, config)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return float(weight.detach())


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["adam", "adamax", "adamw"])
def test_optimisers_step_as_published(kind: Any, decay: float) -> None:
    """Kingma and Ba 2015, Algorithms 1 and 2; Loshchilov and Hutter 2019, Algorithm 2."""
    config = TrainConfig(
        "bars", optimizer=kind, learning_rate=0.1, beta1=0.8, beta2=0.95, weight_decay=decay
    )
    gradients, w, m, v = [3.0, -1.0, 0.5], 2.0, 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        if kind == "adamw":
            w -= 0.1 * decay * w
        else:
            g += decay * w
        m = 0.8 * m + 0.2 * g
        unbiased = m / (1 - 0.8**t)
        if kind == "adamax":
            v = max(0.95 * v, abs(g))
            w -= 0.1 * unbiased / v
        else:
            v = 0.95 * v + 0.05 * g**2
            w -= 0.1 * unbiased / math.sqrt(v / (1 - 0.95**t))
    assert steps_of(config, gradients) == pytest.approx(w, rel=1e-6)


# --- clipping and skipping -----------------------------------------------------------------------


class Slope(nn.Module):
    """A loss whose gradient is as large as asked for: one weight in each of two places."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, size: float) -> Tensor:
        return (self.weight * torch.tensor([0.6, 0.8]) * size).sum()


Steps = list[tuple[float, bool]]
"""The norm of every step before clipping, and whether it was taken."""


def taken(
    sizes: list[float], config: TrainConfig, *, on_device: bool | None = None
) -> tuple[list[Tensor], Steps, Any]:
    """Weights before and after each step, the record, and the optimiser.

    ``on_device`` lets the device choose which steps are taken, as on a graphics card.
    """
    fabric = Fabric(accelerator="cpu", devices=1)
    module = Slope()
    wrapped, optimizer = fabric.setup(module, make_optimizer(module, config))
    gradients = Gradients(fabric, wrapped, optimizer, config=config)
    gradients.on_device = gradients.on_device if on_device is None else on_device
    weights, record = [module.weight.detach().clone()], Steps()
    for size in sizes:
        optimizer.zero_grad()
        fabric.backward(wrapped(size))
        norm, moved = gradients.step(torch.tensor(config.learning_rate))
        weights.append(module.weight.detach().clone())
        assert bool(moved) is not torch.equal(weights[-1], weights[-2])
        record.append((float(norm), bool(moved)))
    return weights, record, optimizer


def row_of(record: Steps, config: TrainConfig) -> dict[str, Any]:
    return gradient_row(*zip(*record, strict=True), 0, config=config)


@pytest.mark.parametrize("kind", ["adam", "adamax", "adamw"])
@pytest.mark.parametrize("huge", [1e6, float("inf"), float("nan")])
@pytest.mark.parametrize("on_device", [True, False])
def test_a_huge_gradient_moves_nothing(kind: Any, huge: float, on_device: bool) -> None:
    config = TrainConfig("bars", optimizer=kind, weight_decay=0.1, clip_norm=10, skip_norm=100)
    sizes = [5.0, 50.0, huge, 100.0, 7.0]
    weights, record, _ = taken(sizes, config, on_device=on_device)
    assert [torch.equal(a, b) for a, b in zip(weights, weights[1:], strict=False)] == [
        False, False, True, False, False,
    ]  # fmt: skip
    row = row_of(record, config)
    assert row["clipped"] == 2  # 50 and 100; what was skipped was not clipped
    assert row["skipped"] == 1
    assert row["grad_norms"][:2] == pytest.approx([5, 50])
    # the moments too are those of a run that never saw it
    other, _, _ = taken([5.0, 50.0, 100.0, 7.0], config, on_device=on_device)
    assert torch.equal(weights[-1], other[-1])


@pytest.mark.parametrize("kind", ["adam", "adamax", "adamw"])
def test_the_device_chooses_as_the_host_does(kind: Any) -> None:
    """Also where the first step of all, before there are moments, is left out."""
    config = TrainConfig("bars", optimizer=kind, weight_decay=0.1, clip_norm=10, skip_norm=100)
    sizes = [float("nan"), 5.0, 50.0, 1e6, 7.0]
    here, there = (taken(sizes, config, on_device=on_device) for on_device in (False, True))
    np.testing.assert_allclose(here[1], there[1], rtol=1e-6)
    torch.testing.assert_close(here[0][-1], there[0][-1], rtol=1e-6, atol=0)


def test_without_a_limit_only_what_is_no_number_is_skipped() -> None:
    config = TrainConfig("bars", clip_norm=10)
    _, record, optimizer = taken([1e9, float("nan"), 3.0], config)
    row = row_of(record, config)
    assert (row["clipped"], row["skipped"]) == (1, 1)
    assert all(torch.isfinite(state["exp_avg"]).all() for state in optimizer.state.values())
    assert row["grad_norm"] == pytest.approx((1e9 + 3) / 2)
    assert row["grad_norms"] == [1e9, 1e38, 3]
    plain_history({key: [value] for key, value in row.items()})  # the gate takes it


def test_clipped_gradients_have_the_norm_of_the_limit() -> None:
    config = TrainConfig("bars", clip_norm=10, optimizer="adamax", learning_rate=0.5)
    _, _, optimizer = taken([200.0], config)
    state = next(iter(optimizer.state.values()))
    torch.testing.assert_close(state["exp_inf"], torch.tensor([6.0, 8.0]), rtol=1e-4, atol=0)


def test_an_epoch_without_a_step_stops_the_run() -> None:
    with pytest.raises(ConfigError, match="No step of epoch 1 was taken.* skip_norm = 1e-06"):
        run(replace(SHORT, skip_norm=1e-6))


def test_skipped_steps_are_counted_in_the_history() -> None:
    plain = run(SHORT).history
    assert plain["skipped"] == [0, 0]
    norms = sorted(norm for row in plain["grad_norms"] for norm in row)
    limit = 0.999 * norms[-1]  # one step of the plain run is above
    epoch = int(norms[-1] in plain["grad_norms"][1])
    result = run(replace(SHORT, skip_norm=limit)).history
    assert result["skipped"][epoch] >= 1
    for row, count in zip(result["grad_norms"], result["skipped"], strict=True):
        assert sum(norm > limit for norm in row) == count
    assert result["train_elbo"] != plain["train_elbo"]
    clipped = run(replace(SHORT, clip_norm=norms[0] / 2)).history
    assert clipped["clipped"][0] == 3 and clipped["skipped"] == [0, 0]


@pytest.mark.parametrize("kind", ["adam", "adamax"])
def test_the_average_rests_while_steps_are_skipped(kind: Any) -> None:
    config = replace(SHORT, optimizer=kind, skip_norm=1e-6)
    model = tiny_model(MODEL)
    average = tiny_model(MODEL)
    with torch.no_grad():
        average.to_x.bias.add_(1.0)
    running = RunState(Objective(model, config), make_optimizer(model, config), average)
    stepper = Stepper(running, Fabric(accelerator="cpu", devices=1))
    stepper.row.copy_(torch.tensor([0.1, 1.0, 0.0, 0.5, 1.0]))
    before = average.to_x.bias.clone()
    pixels, keys = torch.from_numpy(IMAGES.images[:4].copy()), torch.zeros(4, 2).long()
    stepper.step(pixels, keys)
    assert not stepper.out[4] and torch.equal(average.to_x.bias, before)
    running.objective.config = stepper.gradients.config = replace(config, skip_norm=0.0)
    stepper.step(pixels, keys)
    assert stepper.out[4]
    torch.testing.assert_close(average.to_x.bias, (before + model.to_x.bias) / 2)


# --- choice of the optimiser in a run ------------------------------------------------------------

CHOICES: list[dict[str, Any]] = [
    {"optimizer": "adamax"},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "adam", "weight_decay": 0.1},
    {"beta1": 0.5},
    {"beta2": 0.9},
    {"objective": "iwae", "samples": 3},
]


@cache
def plain_run() -> Any:
    return run(SHORT)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_has_effect_and_resumes_bit_for_bit(
    tmp_path: Path, choice: dict[str, Any]
) -> None:
    config = replace(SHORT, **choice)
    whole = run(config)
    assert not equal_weights(whole.model, plain_run().model)
    with pytest.raises(Cancelled):
        run(config, state=tmp_path / "state", progress=stop_at(0.7))
    again = run(config, state=tmp_path / "state")
    assert equal_weights(again.model, whole.model)
    for key in ("train_loss", "grad_norms", "valid_elbo"):
        assert again.history[key] == whole.history[key]
    with pytest.raises(ConfigError, match="other settings"):
        run(SHORT, state=tmp_path / "state")


def test_a_run_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run(SHORT, state=tmp_path / "state", progress=stop_at(0.7))
    others = IMAGES.take(range(1, len(IMAGES)))
    with pytest.raises(ConfigError, match="holds a run on other images"):
        train(MODEL, SHORT, others, validation=HELD_OUT, state=tmp_path / "state")


def test_a_run_begun_before_a_quantity_was_recorded_goes_on_without_it(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    state = tmp_path / "state"
    with pytest.raises(Cancelled):
        run(SHORT, state=state, progress=stop_at(0.7))
    with safe_open(state, "pt") as file:
        metadata = dict(file.metadata())
    history = json.loads(metadata["history"])
    del history["grad_norms"]
    save_file(load_file(state), state, {**metadata, "history": json.dumps(history)})
    resumed = run(SHORT, state=state).history
    assert "grad_norms" not in resumed
    assert all(len(series) == 2 for series in resumed.values())


# --- the record ----------------------------------------------------------------------------------


def test_few_norms_are_kept_one_by_one_and_many_by_their_peaks() -> None:
    norms = np.random.default_rng(0).lognormal(size=10_000).tolist()
    few = peaks(norms[:400], epochs=20)
    assert few == pytest.approx(norms[:400], rel=1e-3)
    spiked = [*norms[:6_789], 5e4, *norms[6_789:]]
    many = peaks(spiked, epochs=20)
    assert len(many) == 512
    assert max(many) == 5e4
    assert many.index(5e4) == 6_789 * 512 // 10_001  # in its place in time
    runs = [spiked[10_001 * i // 512 : 10_001 * (i + 1) // 512] for i in range(512)]
    assert many == pytest.approx([max(run) for run in runs], rel=1e-3)


@pytest.mark.parametrize("epochs", [1, 20, 128, 2000, 10_000])
def test_the_longest_history_passes_the_gate(epochs: int) -> None:
    row = peaks([1.234567e-17] * 1600, epochs)
    assert 1 <= len(row) <= MAX_PARTS
    text = json.dumps({"grad_norms": [row] * epochs})
    assert len(text) < MAX_LENGTHS["history"] / 4
    plain_history(json.loads(text))
