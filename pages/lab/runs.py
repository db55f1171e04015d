"""The visitor's runs of the Lab: begun, turned, followed, and found again after a reload.

A run is a folder on the visitor's shelf and a job that trains in it. The Lab has processes of its
own: who plays here does not keep an evaluation waiting.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from hvae_core.common import shelf
from hvae_core.common.deployment import LAB_RUNS, job_memory, public
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import make_folder, named_path, written
from hvae_core.common.jobs import Job, JobTable
from hvae_core.config import to_json
from hvae_core.config.lab import Control, Knobs, LabPreset, control_of, lab_presets
from hvae_core.training.lab.first import shipped_frame
from hvae_core.training.lab.frame import (
    LabFrame,
    look,
    read_control,
    read_frame,
    write_control,
    write_frame,
)
from pages.shared.visitor import visitor

A, B = "a", "b"
_LETTERS = "abcdefghijklmnop"
_WARM = "warm-lab"
_first: dict[str, LabFrame | None] = {}
"""Frames of networks of one step by how these were told to begin: the same for every visitor."""
_MOST = 16
"""Networks whose first frame is kept."""


@st.cache_resource(show_spinner=False, on_release=lambda table: table.close())
def _table() -> JobTable:
    return JobTable(workers=LAB_RUNS, memory=job_memory())


@dataclass(frozen=True)
class Run:
    """One of the two runs: where it is, how it is set, and what is seen of it."""

    slot: str
    folder: Path
    control: Control
    frame: LabFrame | None
    job: Job | None

    @property
    def active(self) -> bool:
        """Whether a process trains it, or will."""
        return self.job is not None and self.job.active

    @property
    def playing(self) -> bool:
        """Whether steps are being taken."""
        return self.active and self.control.playing

    @property
    def title(self) -> str:
        """A or B."""
        return self.slot.upper()

    @property
    def step(self) -> int:
        """The step of the last frame."""
        return int(self.frame.about["step"]) if self.frame is not None else 0


def find(slot: str) -> Run | None:
    """The visitor's run A or B as it stands; None where there is none."""
    try:
        token = _pointer(slot).read_text("utf-8")[:32]
        folder = _folder(slot, token)
    except (OSError, ValueError):
        return None
    control = read_control(folder)
    if control is None:
        return None
    return Run(slot, folder, control, read_frame(folder), _table().current(_name(slot)))


def read(slot: str, folder: Path) -> Run | None:
    """A run as its folder says, wherever it is asked from: without what its process does."""
    control = read_control(folder)
    if control is None:
        return None
    run = Run(slot, folder, control, read_frame(folder), None)
    _note_first(run)
    return run


def _note_first(run: Run) -> None:
    """Keep what a run shows after its first step, if others may begin as it did."""
    told = to_json(run.control)
    if told in _first and _first[told] is None and run.step == 1:
        _first[told] = run.frame


def move_dot(slot: str, folder: Path, at: tuple[float, float]) -> None:
    """Put the dot of light elsewhere, in whatever state a run is."""
    run = read(slot, folder)
    if run is not None and run.control.dot != at:
        write_control(folder, replace(run.control, dot=at))


def warm() -> None:
    """Load in a process of the Lab what a run needs; it costs nothing where one is warm."""
    from hvae_core.training.lab.jobs import warm_lab

    _table().forget(_WARM)
    _table().submit("lab:warm", _WARM, warm_lab)


def begin(slot: str, control: Control) -> None:
    """A new run in place of the last; it trains if it plays. Raises ``ConfigError``."""
    end(slot)
    token = "".join(secrets.choice(_LETTERS) for _ in range(12))
    folder = _folder(slot, token)
    write_control(folder, control)
    if control.until == 1 and not control.playing:
        # The picture ships, or a visitor who saw this network has left it; its process makes it
        # again.
        told = to_json(control)
        if (frame := _first.get(told) or shipped_frame(control)) is not None:
            write_frame(folder, frame)
        elif len(_first) < _MOST:
            _first[told] = None
    make_folder(_pointer(slot).parent, ConfigError)
    with written(_pointer(slot), ConfigError) as draft:
        draft.write_text(token, "utf-8")
    if control.playing or control.until:
        _start(slot, folder, control)


def begin_preset(preset: LabPreset, *, seed: int = 0, playing: bool = True, until: int = 0) -> None:
    """The run or the two runs of a preset, from step 0; where they do not play, so many steps."""
    end(B)
    for slot, knobs in ((A, preset.knobs), (B, preset.beside)):
        if knobs is not None:
            # The second run has nothing turned on its way: it is what the first is held against.
            acts = preset.acts if slot == A else ()
            seeded = replace(knobs, seed=seed)
            begin(slot, control_of(preset, seeded, acts, playing=playing, until=until))


def follow(path: str) -> None:
    """Follow a training of the command line in a folder of this machine, as run A."""
    if public():
        raise ConfigError("A public server reads no folders.")
    folder = named_path(path, ConfigError)
    if not path or not folder.is_dir():
        missing = f"There is no folder {path}" if path else "No folder is named"
        raise ConfigError(f"{missing}; give the folder of a run, as `train --out` names it.")
    end(B)
    begin(A, Control(Knobs(), run=str(folder.absolute())))


def change(run: Run, **fields: Any) -> None:
    """Tell a run how it goes on; what it did of its own meanwhile stays. It starts if it must."""
    run = find(run.slot) or run  # as it is now: the page may have been drawn a while ago
    control = replace(run.control, **fields)
    look(run.folder)
    write_control(run.folder, control)
    if not run.active and (control.playing or control.until > run.step):
        _start(run.slot, run.folder, control)


def turn(run: Run, name: str, value: Any) -> None:
    """Turn one knob: while it goes on where that can be, else from step 0."""
    now = (find(run.slot) or run).control
    knobs = now.knobs.turned({name: value})
    if knobs.starts_like(now.knobs):
        change(run, knobs=knobs)
    else:
        begin(run.slot, replace(now, knobs=knobs, acts=(), by_hand=True, until=0))


def again(run: Run) -> None:
    """From step 0, with what the preset turns later, if it began as one."""
    now = (find(run.slot) or run).control
    preset = lab_presets().get(now.preset)
    if preset is not None:
        knobs = preset.knobs if run.slot == A else (preset.beside or preset.knobs)
        if knobs.starts_like(replace(now.knobs, seed=knobs.seed)):
            acts = preset.acts if run.slot == A or preset.beside is None else ()
            knobs = replace(knobs, seed=now.knobs.seed)
            now = replace(now, knobs=knobs, acts=acts, by_hand=False)
    begin(run.slot, replace(now, until=0))


def end(slot: str) -> None:
    """Let go of a run and what it wrote."""
    run = find(slot)
    _table().cancel(_name(slot))
    with contextlib.suppress(OSError):
        _pointer(slot).unlink(missing_ok=True)
        if run is not None:
            for path in run.folder.iterdir():
                path.unlink(missing_ok=True)


def _start(slot: str, folder: Path, control: Control) -> None:
    from hvae_core.training.lab.jobs import follow_run, run_lab

    look(folder)
    digest = secrets.token_hex(16)
    if control.run:
        _table().submit(_name(slot), digest, follow_run, str(folder), control.run)
    else:
        _table().submit(_name(slot), digest, run_lab, str(folder))


def _name(slot: str) -> str:
    return f"{visitor()}:lab-{slot}"


def _pointer(slot: str) -> Path:
    return shelf.folder(visitor(), "lab") / slot


def _folder(slot: str, token: str) -> Path:
    return shelf.folder(visitor(), f"lab{slot}{token}")
