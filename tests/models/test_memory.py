"""A pass that remembers its features: the same numbers, each stage run once, nothing left over."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from hvae_core.common.noise import ImageNoise
from hvae_core.config.families.biva_pytorch import GatedVAEConfig
from hvae_core.config.families.oodd import OoddConfig
from hvae_core.config.paths import BlockConfig, StageConfig, StageLatent
from hvae_core.models import HierarchicalVAE
from hvae_core.models.inference import bottom_up
from hvae_core.models.inference.memory import remembered, remembering
from tests.small import prepared, tiny_model, tiny_set

STAGES = (
    StageConfig((BlockConfig(4),), StageLatent(2)),
    StageConfig((BlockConfig(4, stride=2),), StageLatent(2)),
    StageConfig((BlockConfig(3),), StageLatent(2)),
)
CONFIGS = [GatedVAEConfig((1, 8, 8), STAGES[:1] + STAGES[:1] + STAGES[:1])]
CONFIGS += [OoddConfig((1, 8, 8), STAGES)]


def terms(model: HierarchicalVAE) -> list[torch.Tensor]:
    images = tiny_set(3)
    x, noise = prepared(model, images), ImageNoise(images.image_digests())
    found = []
    for ways in ({"up": "mean", "skipped": "mean"}, {"up": "sample", "skipped": "sample"}):
        settings: Any = ways
        traces = model.traces(x, range(model.n_levels), noise=noise, samples=2, **settings)
        found += [part for t in traces for part in (t.log_px, t.log_q, t.log_p)]
    found += [q.mean for q in model.posteriors(x, noise=noise)]
    return found + model.lower(x, range(1, model.n_levels + 2), noise=noise)


@pytest.mark.parametrize("config", CONFIGS, ids=["biva-pytorch", "hvae-oodd"])
def test_what_is_remembered_changes_no_number(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(config).eval().requires_grad_(False)
    with_memory = terms(model)
    monkeypatch.setattr(bottom_up, "remembering", nullcontext)
    for one, other in zip(with_memory, terms(model), strict=True):
        assert torch.equal(one, other)


def test_a_pass_runs_every_stage_once() -> None:
    model = tiny_model(CONFIGS[0]).eval().requires_grad_(False)
    runs: Counter[str] = Counter()
    for name in ("up", "down"):
        for i, path in enumerate(model.get_submodule(name).children()):
            block = path.get_submodule("blocks.0")
            block.register_forward_hook(lambda *_, key=f"{name} {i}": runs.update([key]))
    images = tiny_set(3)
    model.trace(prepared(model, images), noise=ImageNoise(images.image_digests()))
    assert set(runs.values()) == {1} and len(runs) == 6


def test_memory_ends_with_the_pass_and_knows_its_tensors() -> None:
    x, made = torch.ones(1), Counter[str]()

    def compute() -> int:
        made.update(["made"])
        return made["made"]

    assert remembered("slot", [x], compute) == 1
    assert remembered("slot", [x], compute) == 2  # outside of a pass
    with remembering():
        assert remembered("slot", [x], compute) == 3
        with remembering():
            assert remembered("slot", [x], compute) == 3
        assert remembered("slot", [x.clone()], compute) == 4  # equal is not the same
        assert remembered("slot", [x], compute) == 5  # the last one alone is kept
    assert remembered("slot", [x], compute) == 6
