"""What the Lab says of its runs in sentences: the title, what to look at, what each run does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.words import fmt, listed, percent
from hvae_core.config.lab import MOST_STEPS, Act, LabPreset, changes, lab_presets
from hvae_core.evaluation.collapse import SILENT_NATS
from hvae_core.training.lab.frame import LabFrame
from pages.lab.runs import A, Run

LOOK = (
    "Each line is a layer: at zero it says nothing of the image. Turn a knob and see which layer "
    "lives."
)
FOLLOWED = "Each line is a layer: at zero it says nothing of the image. Every epoch adds a point."
KEPT_UP = 0.9
"""Share of the speed that was asked for, below which a run says why it is slower."""


def claim(run: Run | None) -> str:
    """What the layers of run A do now, as a title."""
    if run is None or run.frame is None or not len(run.frame.kl) or run.step <= 1:
        return "Watch a layer die and bring it back"
    names, now = [str(name) for name in run.frame.about["names"]], run.frame.now
    at = f"At {run.frame.about['counted']} {run.step:,}"
    silent, learned = np.abs(now) < SILENT_NATS, has_learned(run.frame)
    # What an untrained network seems to say is nothing learned, and that it falls is no "not yet".
    fell = (run.frame.kl[0] >= SILENT_NATS) & ~learned
    yet = " yet" if run.active else ""
    if not silent.any():
        last = run.frame.kl[-1]  # as at the ends of the lines
        told = ", ".join(f"{n} {fmt(float(kl))}" for n, kl in zip(names, last, strict=True))
        return f"{at} every layer speaks: {told} nats"
    if silent.all():
        who = "no layer says anything" if len(names) > 1 else "the layer says nothing"
        when = " any more" if learned.any() else "" if fell.any() else yet
        return f"{at} {who}{when}"
    parts: list[str] = []
    unsaid = silent & ~learned
    for when, those in (
        (yet, unsaid & ~fell),
        ("", unsaid & fell),
        (" any more", silent & learned),
    ):
        dead = [name for name, is_one in zip(names, those, strict=True) if is_one]
        if dead:
            verb = "" if parts else "says " if len(dead) == 1 else "say "
            parts.append(f"{listed(dead)} {verb}nothing{when}")
    return f"{at} {', '.join(parts)}"


def has_learned(frame: LabFrame) -> NDArray[np.bool_]:
    """Which layers (L,) have ever said something of the image that they learned.

    The KL of a network before it has learned anything is no such thing, so in a run that counts
    steps a layer's KL must have risen by ``SILENT_NATS`` above its first point.
    """
    begun = frame.kl[0] if frame.about["counted"] == "step" else 0.0
    return np.asarray((frame.kl - begun >= SILENT_NATS).any(0))


def subtitle(runs: Sequence[Run]) -> str:
    """What to look at: what the preset says, or what was changed from it."""
    preset = lab_presets().get(runs[0].control.preset) if runs else None
    if runs and runs[0].control.run:
        return FOLLOWED
    if preset is None:
        return LOOK
    every = [(run, from_preset(run, preset)) for run in runs]
    told = [
        f"run {run.title}: {words}" if len(runs) > 1 else words for run, words in every if words
    ]
    if preset.beside is not None and len(runs) == 1:
        told.append("no second run")
    return f"Changed from the preset: {'; '.join(told)}. {LOOK}" if told else preset.look


def from_preset(run: Run, preset: LabPreset) -> str:
    """How a run stands that its preset would not have it, as "beta 2"; "" where it follows it."""
    first, control = run.slot == A or preset.beside is None, run.control
    meant = replace(
        preset.knobs if first else preset.beside or preset.knobs, seed=control.knobs.seed
    )
    acts = preset.acts if first else ()
    by_hand = control.by_hand and bool(acts)
    told = ["no knob is turned by itself"] if by_hand else []
    done = () if by_hand else acts[: len(acts) - len(control.acts)]
    for act in done:
        meant = meant.turned(dict(act.turn))
    if changed := changes(meant, control.knobs):
        told.insert(0, Act(0, changed).in_words)
    return ", ".join(told)


def state_line(run: Run) -> str:
    """What a run does: it trains, and how fast; it is paused; it waits; it has stopped."""
    who = f"Run {run.title}"
    if run.job is not None and run.job.status == "waiting":
        return f"{who} waits until a run of another visitor ends: no more can train at once."
    if run.frame is None:
        return f"{who} is starting." if run.active else f"{who} has not begun: press Play."
    about = run.frame.about
    counted, at = str(about["counted"]), f"{about['counted']} {run.step:,}"
    if not run.active:
        if counted == "step" and run.step >= MOST_STEPS:
            return f"{who} has ended at {at}, the last there is. Reset begins again."
        return f"{who} has stopped at {at}. Play goes on from there."
    if counted != "step":
        return f"{who} is followed and has come to {at}{_speed(about, counted)}."
    if not run.control.playing:
        return f"{who} is paused at {at}."
    return f"{who} trains: {at}{_speed(about, counted)}.{_why_slow(run, about)}"


def _speed(about: dict[str, Any], counted: str) -> str:
    """As ", 98 steps a second" or ", 12.4 seconds an epoch"; "" where it is not known yet."""
    rate = float(about["rate"])
    if not rate:
        return ""
    if rate < 1:
        return f", {fmt(1 / rate)} seconds {'an' if counted == 'epoch' else 'a'} {counted}"
    return f", {rate:.0f} {counted}{'' if round(rate) == 1 else 's'} a second"


def _why_slow(run: Run, about: dict[str, Any]) -> str:
    """Why a run goes slower than was asked for, as a sentence; "" where it does not."""
    pace, rate = run.control.pace, float(about["rate"])
    took, drawn = float(about.get("took", 0)), float(about.get("drawn", 0))
    if not pace or not rate or not took or rate >= KEPT_UP * pace:
        return ""
    drawing = f", and drawing takes {percent(drawn)} of the time" if drawn >= 0.1 else ""
    return (
        f" This is slower than the {pace} that are chosen: one step takes {1000 * took:.0f} ms"
        f"{drawing}."
    )
