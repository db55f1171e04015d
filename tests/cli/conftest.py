from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.cli.main import main
from hvae_core.config import HVAEConfig, LatentConfig, TrainConfig
from hvae_core.config.presets import PRESETS, Preset

TINY = Preset(
    name="tiny",
    title="tiny, 3 layers",
    world="glyphs",
    model=HVAEConfig(
        (1, 8, 8),
        (LatentConfig(2), LatentConfig(3, "dense", stride=2), LatentConfig(2, "dense")),
        channels=4,
        blocks=1,
    ),
    train=TrainConfig(
        "glyphs", epochs=2, batch_size=40, learning_rate=3e-3, warmup_epochs=1, ema=0.9
    ),
    source="the tests",
)


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sets of 8x8 images as .npz files: level stripes (to train on), upright ones, and noise."""
    draw = np.random.default_rng(0)
    level = np.zeros((200, 8, 8), np.uint8)
    for image in level:
        image[draw.integers(0, 8, 3)] = 255
    sets = {
        "level": level[:120],
        "other": level[120:],
        "upright": level[:60].transpose(0, 2, 1),
        "noise": draw.integers(0, 2, (60, 8, 8), dtype=np.uint8) * 255,
        "large": np.repeat(np.repeat(level[:40], 2, axis=1), 2, axis=2),
    }
    folder = tmp_path_factory.mktemp("stripes")
    paths = {name: folder / f"{name}.npz" for name in sets}
    for name, images in sets.items():
        np.savez(paths[name], images=images)
    return paths


@pytest.fixture(scope="session")
def _tiny_preset() -> None:
    PRESETS["tiny"] = TINY


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, stripes: dict[str, Path], _tiny_preset: None
) -> Path:
    """A checkpoint made by ``train`` on level stripes."""
    folder = tmp_path_factory.mktemp("run")
    PRESETS["long"] = replace(TINY, name="long", train=replace(TINY.train, epochs=8))
    said = main(["train", "--preset", "long", "--data", str(stripes["level"]), "--out", str(folder),
                 "--accelerator", "cpu"])  # fmt: skip
    assert said == 0
    return folder / "long.safetensors"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run a command that must succeed with --json and return what it printed."""

    def run(*argv: object) -> dict[str, Any]:
        assert main([*map(str, argv), "--json"]) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    return run
