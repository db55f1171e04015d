"""What is seen of a run in the Lab: one frame of arrays, and the files by which a page follows it.

A run's folder holds ``control.json``, which the page writes and the run reads, and ``frame.npz``,
which the run writes and the page reads. Both appear whole or not at all; neither can run code.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.cache import write_npz
from hvae_core.common.errors import ConfigError, JobError
from hvae_core.common.files import make_folder, why_not, written
from hvae_core.common.npz import read_npz
from hvae_core.common.plain import plain
from hvae_core.config import from_json, to_json
from hvae_core.config.lab import Control

Array = NDArray[Any]
CONTROL, FRAME, SEEN, STATE = "control.json", "frame.npz", "seen", "state.safetensors"
MOST_BYTES = 2**22
"""Bytes of a frame at most."""
KNOWN = 512
"""Training images whose posteriors together say where images are: fewer leave gaps of their own."""
POINTS = 1000
"""Points of a curve at most; then neighbours are joined."""


@dataclass(frozen=True, eq=False)
class LabFrame:
    """A run as it stands. L layers, K levels, P points in time, N images, M draws of the prior."""

    about: dict[str, Any]
    """``step``, ``names`` of the layers, ``counted`` (what ``steps`` counts), ``images`` (whose
    they are), of the Lab's own runs ``began`` (knobs) and ``turned`` ((step, knobs)), and what a
    ``Pace`` tells."""
    steps: Array  # (P,)
    kl: Array  # (P, L) nats, the mean over the steps of a point
    loss: Array  # (P,)
    originals: Array  # (R, C, H, W) uint8
    reconstructions: Array  # (K, R, C, H, W) uint8: from z_{k+1} up
    samples: Array  # (S, C, H, W) uint8
    means: Array  # (L, N, 2) of q(z_i | x); empty unless every layer has two units
    stds: Array  # (L, N, 2)
    draws: Array  # (L, M, 2) of p(z)
    holes: Array  # (M,) which draws of the top layer lie in holes; empty where nobody knows
    unit_kl: Array  # (units,) of the top layer, nats
    eigenvalues: Array  # (8,) the largest of the data's covariance
    bounds: Array  # (K, N) L_>k of images that were held out, nats
    dot: Array  # (1, C, H, W) uint8: an image that is no letter
    dot_bounds: Array  # (K,)

    @property
    def now(self) -> Array:
        """KL (L,) of the last points, nats: the mean of the last tenth of the curve, at most 5."""
        last = max(1, min(5, len(self.kl) // 10))
        return np.asarray(self.kl[-last:].mean(0)) if len(self.kl) else np.zeros(0)


def write_frame(folder: Path, frame: LabFrame) -> None:
    """Put a frame in place of the last. Raises ``JobError``."""
    arrays = {one.name: getattr(frame, one.name) for one in fields(frame) if one.name != "about"}
    arrays["about"] = np.frombuffer(json.dumps(frame.about).encode(), np.uint8)
    try:
        write_npz(folder / FRAME, arrays)
    except OSError as error:
        raise JobError(f"The Lab cannot write to {plain(folder)}: {why_not(error)}.") from error


def read_frame(folder: Path) -> LabFrame | None:
    """The last frame; None where there is none, or a file that is no frame."""
    path = folder / FRAME
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        with path.open("rb") as opened:
            file = read_npz(opened)
        arrays = {one.name: file[one.name] for one in fields(LabFrame)}
        about = json.loads(arrays.pop("about").tobytes())
        return LabFrame(about=dict(about), **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def write_control(folder: Path, control: Control) -> None:
    """Say how a run goes on. Raises ``ConfigError`` where that cannot be written."""
    make_folder(folder, ConfigError)
    with written(folder / CONTROL, ConfigError) as draft:
        draft.write_text(to_json(control), "utf-8")


def read_control(folder: Path) -> Control | None:
    """How a run goes on; None where nothing was said, or nothing that can be read."""
    try:
        return from_json(Control, (folder / CONTROL).read_text("utf-8"))
    except (OSError, ValueError, ConfigError):
        return None


def look(folder: Path) -> None:
    """Note that somebody looks at a run; without that it ends."""
    make_folder(folder, ConfigError)
    with written(folder / SEEN, ConfigError) as draft:
        draft.touch()


def unseen(folder: Path) -> float:
    """Seconds since somebody looked."""
    try:
        return max(0.0, time.time() - os.stat(folder / SEEN).st_mtime)
    except OSError:
        return float("inf")


def clear(folder: Path) -> None:
    """Forget a run; how it was controlled stays."""
    for name in (FRAME, STATE):
        (folder / name).unlink(missing_ok=True)


class Curve:
    """Figures over steps, a mean every few of them; of many points neighbours are joined."""

    def __init__(
        self, every: int = 5, steps: Sequence[int] = (), rows: Sequence[Array] = ()
    ) -> None:
        self.every = every
        self.steps, self.rows = list(steps), list(rows)
        self._waiting: list[Array] = []

    def add(self, step: int, row: Array) -> None:
        """Take the figures of one step."""
        self._waiting.append(row)
        if len(self._waiting) >= self.every:
            self.steps.append(step)
            self.rows.append(np.mean(self._waiting, axis=0))
            self._waiting = []
        if len(self.steps) > POINTS:
            self.steps = self.steps[1::2]
            pairs = zip(self.rows[::2], self.rows[1::2], strict=False)
            self.rows = [(a + b) / 2 for a, b in pairs]
            self.every *= 2
