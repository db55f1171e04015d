"""Damaged states of training, made of a small good one."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hvae_core.common.errors import ConfigError
from tests.fuzz import checkpoints, damage, places


@cache
def _recipe() -> tuple[Any, Any, Any]:
    """Network, training and images of a run of two short epochs."""
    from hvae_core.config import TrainConfig
    from tests.small import tiny_config, tiny_set

    config = TrainConfig("bars", epochs=2, batch_size=8, epoch_images=8, ema=0.5)
    return tiny_config(), config, tiny_set(16)


def _train(state: Path, epochs: int) -> None:
    from hvae_core.training.loop import train

    model, config, images = _recipe()
    train(
        model, replace(config, epochs=epochs), images, validation=images, state=state, extend=True
    )


@cache
def good() -> tuple[bytes, ...]:
    """The state of a finished run."""
    with tempfile.TemporaryDirectory() as folder:
        _train(Path(folder) / "state", 2)
        return ((Path(folder) / "state").read_bytes(),)


def ready() -> None:
    """Make once what the cases are made of."""
    good()
    checkpoints.ready()


def make(draw: Random, folder: Path) -> Path | str:
    """One damaged state in a folder."""
    if draw.random() < 0.05:
        return places.odd(draw, folder, ".safetensors")
    (data,) = good()
    if draw.random() < 0.4:
        data = draw.choice(checkpoints.CHANGES)(draw, data)
    else:
        header, body = checkpoints.split(data)
        words = header["__metadata__"]
        match draw.randrange(4):
            case 0:
                words["epoch"] = draw.choice(
                    ("-5", "999", "1e9", "", "NaN", "9" * 5000, "١", "1.0")
                )
            case 1:
                name = draw.choice(("history", "train", "model", "planned"))
                words[name] = damage.text_of(draw, json.loads(words.get(name, "[2]")))
            case 2:
                names = [key for key in sorted(header) if key.startswith("optimizer.")]
                slot = draw.choice(
                    ("optimizer.99.step", "optimizer.0.x", "optimizer.a.b", "optimizer.-1.step")
                )
                header[slot] = header.pop(draw.choice(names))
            case _:
                data = checkpoints.CHANGES[14](draw, data)
                header, body = checkpoints.split(data)
        data = checkpoints.join(json.dumps(header), body)
    path = folder / "state.safetensors"
    path.write_bytes(data)
    return path


def attempt(source: Path | str) -> str:
    """Go on from it, as the same command and as one with more epochs does."""
    from hvae_core.common.files import named_path

    state = named_path(source, ConfigError)
    try:
        _train(state, 2)
    except ConfigError as error:
        places.check_sentence(error)
    if not state.exists():
        return "read"
    _train(state, 3)
    return "read"
