"""What the Lab does after every step of the training loop: turn, show, wait, end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import Tensor

from hvae_core.common.progress import Progress
from hvae_core.config.lab import MOST_STEPS, STEPS, Control, Knobs, after, changes
from hvae_core.data.image_set import ImageSet
from hvae_core.training.lab.frame import (
    Curve,
    read_control,
    read_frame,
    unseen,
    write_control,
    write_frame,
)
from hvae_core.training.lab.pace import Pace
from hvae_core.training.lab.scene import Scene
from hvae_core.training.state import RunState

FRAME_SECONDS = 0.08
"""Between two frames: twelve a second, of which the page shows ten and more."""
PATIENCE = 60.0
"""Seconds that a run goes on, or waits, when nobody looks or nothing plays."""
POLL = 0.05


class Ended(Exception):
    """Nobody looks, or nothing plays for too long; what was kept stays."""


@final
class Watch:
    """Called after every step: turns knobs, keeps the curve, writes frames, waits, ends."""

    def __init__(
        self,
        folder: Path,
        control: Control,
        images: ImageSet,
        *,
        held_out: ImageSet,
        progress: Progress,
    ) -> None:
        self.folder, self.control, self.progress = folder, control, progress
        self.step = 0
        self._scene = Scene(images, held_out)
        self._curve = Curve()
        self._told: Knobs | None = None
        self._began, self._turned = control.knobs, list[tuple[int, dict[str, Any]]]()
        self._last, self._stepped = 0.0, time.monotonic()
        self._pace = Pace()

    def __call__(self, running: RunState, figures: Tensor) -> None:
        """Take one step's figures; wait here while nothing plays."""
        self._pace.trained(time.monotonic() - self._stepped)
        if self._told is None:
            self._begin(running)
        self.step += 1
        self._curve.add(self.step, figures[[0, *range(5, len(figures))]].double().numpy())
        self._act(running)
        if time.monotonic() - self._last >= FRAME_SECONDS:
            began = time.monotonic()
            self._listen(running)
            self._show(running)
            self._pace.drew(time.monotonic() - began)
        self._wait(running)

    def _begin(self, running: RunState) -> None:
        """Where the run stands, and what was seen of it so far."""
        self.step = running.epoch * STEPS
        before = read_frame(self.folder)
        if before is not None and self.step:
            known = before.steps <= self.step
            rows = np.column_stack([before.loss, before.kl])[known]
            self._curve = Curve(steps=before.steps[known].tolist(), rows=list(rows))
            if "began" in before.about:  # a run of an older version does not say
                self._began = Knobs(**before.about["began"])
                turns = before.about["turned"]
                self._turned = [(at, turn) for at, turn in turns if at <= self.step]
                self._told = self._began
                for _, turn in self._turned:
                    self._told = self._told.turned(turn)
        self._turn(running, self.control.knobs)

    def _turn(self, running: RunState, knobs: Knobs) -> None:
        if knobs != self._told:
            running.change(knobs.train(), knobs.model())
            if self._told is not None:
                self._turned.append((self.step, changes(self._told, knobs)))
        self._told = knobs

    def _act(self, running: RunState) -> None:
        """Do what the preset has for this step, and tell the page how the knobs stand."""
        control, due = after(self.control, self.step)
        if due:
            self.control = control
            write_control(self.folder, control)
            self._turn(running, control.knobs)

    def _listen(self, running: RunState) -> None:
        """Read what the page says. Raises ``Cancelled``, or ends where nobody looks."""
        self.progress(min(self.step / MOST_STEPS, 1.0), f"step {self.step:,}")
        told = read_control(self.folder)
        if told is None or not told.knobs.starts_like(self.control.knobs):
            raise Ended  # another run begins here
        self.control = told
        self._turn(running, told.knobs)
        if unseen(self.folder) > PATIENCE:
            raise Ended

    def _wait(self, running: RunState) -> None:
        """Rest while nothing plays, and between steps that are paced."""
        paused, rested = time.monotonic(), False
        shown = self.control.dot if self._last > self._stepped else None
        while not self.control.playing and self.step >= self.control.until:
            rested = True
            if shown != self.control.dot:
                self._show(running)
                shown = self.control.dot
            time.sleep(POLL)
            self._listen(running)
            if time.monotonic() - paused > PATIENCE:
                raise Ended
        if rested:
            self._pace = Pace()  # what went before the rest tells nothing of now
        if self.control.playing and self.control.pace:
            time.sleep(max(0.0, self._stepped + 1 / self.control.pace - time.monotonic()))
        self._stepped = time.monotonic()

    def _show(self, running: RunState) -> None:
        self._last = time.monotonic()
        model = running.objective.model
        steps, rows = self._curve.steps, self._curve.rows
        table = np.array(rows).reshape(len(steps), 1 + model.n_layers)
        about = {
            "step": self.step,
            **self._pace.told(),
            "names": [spec.name for spec in model.latents],
            "counted": "step",
            "began": vars(self._began),
            "turned": self._turned,
            "images": self._scene.held_out.title,
        }
        frame = self._scene.frame(model, about, self.control.dot)
        at, kl, loss = np.array(steps, np.int32), table[:, 1:], table[:, 0]
        write_frame(self.folder, replace(frame, steps=at, kl=kl, loss=loss))
