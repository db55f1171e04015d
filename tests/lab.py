"""What the Lab's presets show, by the number of steps.

    python -m tests.lab                # seeds 0 to 4, every preset
    python -m tests.lab paradox holes  # some of them

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

from hvae_core.config.lab import Check, Control, Knobs, LabPreset, after, lab_presets
from hvae_core.data.image_set import ImageSet
from hvae_core.training.lab.jobs import lab_images
from hvae_core.training.lab.scene import Scene
from hvae_core.training.loop import train
from hvae_core.training.state import RunState

AROUND = 25
"""Steps before a check whose mean counts: single steps are noisy."""

FIGURES = {"holes": "draws in holes", "dot": "letters likelier than the dot"}


class _Enough(Exception):
    pass


def figures_of(
    control: Control, checks: Sequence[Check], images: ImageSet, held_out: ImageSet
) -> list[float]:
    """Train a run to its last check; the figure of each."""
    found = [0.0] * len(checks)
    rows: list[list[float]] = []
    scene = Scene(images, held_out)

    def on_step(running: RunState, figures: Tensor) -> None:
        nonlocal control
        rows.append(figures[5:].tolist())
        control, due = after(control, len(rows))
        if due:
            running.change(control.knobs.train(), control.knobs.model())
        for place, check in enumerate(checks):
            if check.step == len(rows):
                found[place] = _figure(check, rows, running, scene)
        if len(rows) >= max(check.step for check in checks):
            raise _Enough

    with suppress(_Enough):
        train(
            control.knobs.model(), control.knobs.train(), images, validation=held_out.take(8),
            on_step=on_step, fabric=Fabric(accelerator="cpu", devices=1),
        )  # fmt: skip
    return found


def _figure(
    check: Check, rows: Sequence[Sequence[float]], running: RunState, scene: Scene
) -> float:
    """What a check asks for, now."""
    if check.of == "kl":
        return float(np.array(rows)[-AROUND:, check.layer - 1].mean())
    frame = scene.frame(running.objective.model, {}, Control(Knobs()).dot)
    if check.of == "holes":
        return float(frame.holes.mean())
    return float((frame.bounds[0] > frame.dot_bounds[0]).mean())


def measured(preset: LabPreset, seed: int, checks: Sequence[Check]) -> list[float]:
    """The figures that these checks of a preset ask for."""
    found: dict[Check, float] = {}
    for knobs, beside in ((preset.knobs, False), (preset.beside, True)):
        asked = [check for check in checks if check.beside == beside]
        if knobs is not None and asked:
            acts = () if beside else preset.acts
            control = Control(replace(knobs, seed=seed), acts)
            values = figures_of(control, asked, *lab_images(knobs.data))
            found |= dict(zip(asked, values, strict=True))
    return [found[check] for check in checks]


def main(seeds: Sequence[int], names: Sequence[str]) -> bool:
    """Print the table, a row a check; whether all hold."""
    torch.set_num_threads(1)
    head = ["preset", "step", "figure", "bound", *(f"seed {seed}" for seed in seeds)]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    good = True
    for name, preset in lab_presets().items():
        if names and name not in names:
            continue
        table = [measured(preset, seed, preset.checks) for seed in seeds]
        for row, check in enumerate(preset.checks):
            bound = f"< {check.below:g}" if check.below is not None else f"> {check.above:g}"
            figure = f"KL of z{check.layer}" if check.of == "kl" else FIGURES[check.of]
            figure += ", run B" if check.beside else ""
            held = [check.holds(values[row]) for values in table]
            good &= all(held)
            cells = [
                f"{values[row]:.2f}" if ok else f"**{values[row]:.2f}**"
                for values, ok in zip(table, held, strict=True)
            ]
            words = [name, str(check.step), figure, bound, *cells]
            print("| " + " | ".join(words) + " |", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(0 if main(range(5), sys.argv[1:]) else 1)
