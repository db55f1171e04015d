"""The first steps of a network by the spread at which raw scales of latents start.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.start [PRESET] --data-root DIR [--out FILE]

Spread 1 is what data-dependent initialisation gives every output (Salimans and Kingma 2016), 0.1
what latents' scales start with here. Beta is 1 from the first step on. With ``--epochs`` a run of
so many follows, whose validation says whether the start is felt later.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from lightning_fabric import Fabric

from hvae_core.config.presets import Preset, get_preset
from hvae_core.data.training_sets import TrainingSets, training_sets
from hvae_core.models.layers import residual
from hvae_core.training.loop import _start, train
from hvae_core.training.recipe import adjusted
from hvae_core.training.step import Stepper

SPREADS = (1.0, 0.1)


def first(preset: Preset, data: TrainingSets, images: int, steps: int) -> list[float]:
    """The ELBO (nats) of each of the first steps."""
    pixels = torch.from_numpy(np.array(data.train.images[: images * steps]))
    config = replace(preset.train, batch_size=images)
    fabric = Fabric(accelerator="cpu", devices=1)
    stepper = Stepper(_start(preset.model, config, pixels, start=None, fabric=fabric), fabric)
    stepper.row.copy_(torch.tensor([config.learning_rate, 1.0, 0.0, 0.001, 1.0]))
    found = []
    for rows in torch.arange(len(pixels)).split(images):
        stepper.step(pixels[rows], torch.stack([rows, torch.zeros_like(rows)], 1))
        found.append(float(stepper.out[2]))
    return found


def later(preset: Preset, data: TrainingSets, epochs: int, images: int) -> list[float]:
    """The validation ELBO (nats) after every epoch of so many images."""
    config = replace(adjusted(preset.train, epochs, None, data=data.key), epoch_images=images)
    held_out = data.validation.take(500)
    run = train(
        preset.model, config, data.train, validation=held_out,
        fabric=Fabric(accelerator="cpu", devices=1),
    )  # fmt: skip
    return run.history["valid_elbo"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", default="hvk-fashionmnist-hvae3")
    parser.add_argument("--data-root")
    for name, default in (("images", 16), ("steps", 12), ("epochs", 0), ("epoch-images", 3200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, help="JSON for docs/performance.md")
    args = parser.parse_args()
    preset = get_preset(args.preset)
    data = training_sets(
        preset.world, preset.model.image_shape, data_root=args.data_root, download=False
    )
    found: dict[str, list[dict[str, Any]]] = {"rows": [], "later": []}
    for spread in SPREADS:
        with patch.object(residual, "_QUIET", spread):
            what = {"preset": preset.name, "spread": spread}
            if args.steps:
                elbo = first(preset, data, args.images, args.steps)
                found["rows"].append({**what, "images": args.images, "elbo": elbo})
            if args.epochs:
                reached = later(preset, data, args.epochs, args.epoch_images)
                found["later"].append({**what, "images": args.epoch_images, "valid_elbo": reached})
        print(json.dumps(found), flush=True)
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
