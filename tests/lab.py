"""What the Lab's presets show, by the number of steps: ``python -m tests.lab`` for seeds 0 to 4.

It prints the table of docs/lab.md. A test holds seed 0 (tests/training/test_lab_presets.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from hvae_core.config.lab import Control, LabPreset, after, lab_presets
from hvae_core.training.lab.jobs import lab_images
from hvae_core.training.loop import train
from hvae_core.training.state import RunState

AROUND = 25
"""Steps before a check whose mean counts: single steps are noisy."""


class _Enough(Exception):
    pass


def kl_by_step(preset: LabPreset, seed: int) -> np.ndarray:
    """KL (steps, L) in nats of every training step, to the preset's last check."""
    control = Control(replace(preset.knobs, seed=seed), preset.acts)
    upto = max(check.step for check in preset.checks)
    rows: list[list[float]] = []

    def on_step(running: RunState, figures: Tensor) -> None:
        nonlocal control
        rows.append(figures[5:].tolist())
        control, due = after(control, len(rows))
        if due:
            running.change(control.knobs.train(), control.knobs.model())
        if len(rows) >= upto:
            raise _Enough

    images, held_out = lab_images(control.knobs.data)
    with suppress(_Enough):
        train(
            control.knobs.model(), control.knobs.train(), images, validation=held_out.take(8),
            on_step=on_step, fabric=Fabric(accelerator="cpu", devices=1),
        )  # fmt: skip
    return np.array(rows)


def measured(preset: LabPreset, seed: int) -> list[float]:
    """The KL in nats that each check of a preset asks for."""
    kl = kl_by_step(preset, seed)
    return [
        float(kl[max(0, check.step - AROUND) : check.step, check.layer - 1].mean())
        for check in preset.checks
    ]


def main(seeds: Sequence[int], names: Sequence[str]) -> bool:
    """Print the table, a row a check; whether all hold."""
    torch.set_num_threads(1)
    head = ["preset", "step", "layer", "nats", *(f"seed {seed}" for seed in seeds)]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    good = True
    for name, preset in lab_presets().items():
        if names and name not in names:
            continue
        table = [measured(preset, seed) for seed in seeds]
        for row, check in enumerate(preset.checks):
            bound = f"< {check.below:g}" if check.below is not None else f"> {check.above:g}"
            held = [check.holds(values[row]) for values in table]
            good &= all(held)
            cells = [
                f"{values[row]:.2f}" if ok else f"**{values[row]:.2f}**"
                for values, ok in zip(table, held, strict=True)
            ]
            words = [name, str(check.step), f"z{check.layer}", bound, *cells]
            print("| " + " | ".join(words) + " |", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(0 if main(range(5), sys.argv[1:]) else 1)
