"""A run of the Lab once more, from its settings alone: what was set first, what was turned when."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from hvae_core.config.lab import Act, Knobs
from hvae_core.models.threads import one_thread
from hvae_core.training.lab import jobs
from hvae_core.training.lab.frame import Curve
from hvae_core.training.lab.scene import SHOWN
from hvae_core.training.loop import train
from hvae_core.training.state import RunState


@dataclass(frozen=True, eq=False)
class LabCurves:
    """Curves as the Lab draws them: P points, each the mean over the steps since the one before.

    ``steps`` (P,) are where the points end; ``kl`` (P, L) and ``loss`` (P,) are in nats.
    """

    names: tuple[str, ...]
    steps: NDArray[np.int32]
    kl: NDArray[np.float64]
    loss: NDArray[np.float64]


class _Enough(Exception):
    pass


def train_again(began: Knobs, turned: Iterable[Act], steps: int) -> LabCurves:
    """Train for so many steps from ``began``, turning knobs after the steps that ``turned`` says.

    On the same processor it repeats a run exactly, elsewhere but for rounding.
    """
    curve, knobs, count, waiting = Curve(), began, 0, list(turned)

    def on_step(running: RunState, figures: Tensor) -> None:
        nonlocal knobs, count
        count += 1
        curve.add(count, figures[[0, *range(5, len(figures))]].double().numpy())
        while waiting and waiting[0].step <= count:
            knobs = knobs.turned(dict(waiting.pop(0).turn))
            running.change(knobs.train(), knobs.model())
        if count >= steps:
            raise _Enough

    images, held_out = jobs.lab_images(began.data)
    config = began.model()
    with one_thread(), suppress(_Enough):
        train(
            config, began.train(), images, validation=held_out.take(SHOWN), on_step=on_step,
            fabric=Fabric(accelerator="cpu", devices=1),
        )  # fmt: skip
    names = config.latent_names
    table = np.array(curve.rows).reshape(len(curve.steps), 1 + len(names))
    return LabCurves(names, np.array(curve.steps, np.int32), kl=table[:, 1:], loss=table[:, 0])
