"""What the Lab shows of its runs: pieces of a page that change many times a second."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL.Image import Image

from hvae_core.config.lab import Act, Knobs
from hvae_core.evaluation.linear import linear_nats
from hvae_core.figures import (
    Palette,
    Progress,
    Turn,
    fmt,
    moving_lines,
    moving_marks,
    moving_posteriors,
    percent,
    png_bytes,
    tile,
    units_by_sigma,
)
from hvae_core.training.lab.frame import KNOWN, LabFrame
from pages.lab.runs import Run
from pages.shared import ui

HALF = 288
"""Pixels that a piece needs to stand beside another."""
KL_HELP = (
    "Mean over the batches of the last steps of each layer's term in the bound. A layer whose line "
    "lies at zero says nothing of the image: its posterior is the prior. The title says so of a "
    "layer below 0.1 nats in the mean of the last points."
)
ELLIPSES_HELP = (
    "Each ellipse is one image's q(z | x), one standard deviation wide; the grey dots are draws of "
    "p(z). Small ellipses far apart: the layer tells images apart. All ellipses on one another, as "
    "wide as the dots: it is dead."
)
STRANGER_HELP = (
    "−L, the negative evidence lower bound, says how unlikely an image is; LLR>k = L − L>k says "
    "how much the k lowest layers had to help. Blue: images that were held out; orange: the dot. "
    "Where the dot scores above nearly all images, the score tells the dot from them. Near half of "
    "them it does not. Below that the score takes the dot for more usual than most images."
)


def parts(runs: Sequence[Run], palette: Palette, *, room: int) -> list[dict[str, object]]:
    """What moves, piece by piece from top to bottom, in ``room`` pixels.

    A piece has a ``name``, a ``title``, ``help``, its ``html``, and whether it is ``wide``.
    """
    shown = [(run, run.frame) for run in runs if run.frame is not None]
    if not shown:
        waits = any(run.control.playing or run.control.until for run in runs)
        words = (
            "The first steps are on their way." if waits else "Nothing is trained yet: press Play."
        )
        return [_part("wait", f'<p class="note">{words}</p>', wide=True)]
    half = room if room < 2 * HALF + 32 else room // 2 - 16
    found = _curves(shown, palette, room=room, half=half)
    for run, frame in shown:
        found += _of_run(run, frame, palette, many=len(shown) > 1, room=room)
    if not shown[0][0].control.run:
        title = f"An image that is no {shown[0][0].control.knobs.data.removesuffix('s')}"
        found.append(_part("dot", _dot(shown, palette), title, STRANGER_HELP, wide=True))
    return found


def dot_of(runs: Sequence[Run]) -> tuple[float, float] | None:
    """Where the dot of light is."""
    return runs[0].control.dot if runs else None


def _part(
    name: str, html: str, title: str = "", help_of: str = "", *, wide: bool = False
) -> dict[str, object]:
    return {"name": name, "html": html, "title": title, "help": help_of, "wide": wide}


def _curves(
    shown: Sequence[tuple[Run, LabFrame]], palette: Palette, *, room: int, half: int
) -> list[dict[str, object]]:
    """KL and loss by step."""
    if all(len(frame.steps) < 2 for _, frame in shown):
        note = '<p class="note">The lines begin after the first steps: press Play.</p>'
        return [_part("kl", note, "KL per layer", KL_HELP, wide=True)]
    counted = shown[0][1].about["counted"]
    curves, losses = [], []
    for run, frame in shown:
        names = frame.about["names"]
        curves.append(Progress(run.title, frame.steps, frame.kl, names, _turns(frame)))
        losses.append(Progress(run.title, frame.steps, frame.loss[:, None], ("loss",)))
    kl = moving_lines(curves, palette, counted=counted, size=(room, 250))
    loss = moving_lines(losses, palette, counted=counted, unit="loss (nats)", size=(half, 170))
    return [
        _part("kl", kl, "KL per layer", KL_HELP, wide=True),
        _part("loss", loss, "Loss"),
    ]


def _turns(frame: LabFrame) -> list[Turn]:
    """What was turned so far, knob by knob."""
    acts = [Act(int(at), dict(what)) for at, what in frame.about.get("turned", [])]
    return [Turn(act.step, knob, value) for act in acts for knob, value in act.named]


def _of_run(
    run: Run, frame: LabFrame, palette: Palette, *, many: bool, room: int
) -> list[dict[str, object]]:
    """Samples, latents, reconstructions by k of one run."""
    of = f" of run {run.title}" if many else ""
    names = [str(name) for name in frame.about["names"]]
    scale = max(1, 32 // frame.originals.shape[-1])
    samples = tile(frame.samples, columns=8, scale=scale, colors=palette)
    found = [_part(f"samples-{run.slot}", _image(samples, "Samples of the model"), f"Samples{of}")]
    if frame.means.size:
        side = min(300 if len(names) == 1 else 210, max(90, (room - 16 * len(names)) // len(names)))
        pictures = moving_posteriors(
            frame.means, frame.stds, frame.draws, palette, names=names, side=side,
            holes=frame.holes,
        )  # fmt: skip
        html = f'<div class="row">{"".join(pictures)}</div>'
        if exact(run.control.knobs) and len(frame.unit_kl) and not run.control.run:
            html += f'<p class="note">{escape(_units_in_words(run, frame))}</p>'
        if frame.holes.any():
            html += f'<p class="note">{escape(_holes_in_words(frame, names[-1]))}</p>'
        found.append(_part(f"latents-{run.slot}", html, f"Latents{of}", ELLIPSES_HELP, wide=True))
    rows = np.concatenate([frame.originals[None], frame.reconstructions])
    picture = tile(
        rows.reshape(-1, *rows.shape[2:]), columns=len(frame.originals), scale=scale, colors=palette
    )
    told = ", ".join(f"from {name} up" for name in names[: len(frame.reconstructions)])
    note = f"Rows: {frame.about['images']}; {told}."
    html = _image(picture, note) + f'<p class="note">{escape(note)}</p>'
    found.append(_part(f"pictures-{run.slot}", html, f"Reconstructions{of}", wide=True))
    return found


def _holes_in_words(frame: LabFrame, name: str) -> str:
    """How many draws of the top layer's prior no image knows."""
    share = percent(float(frame.holes.mean()))
    return (
        f"Orange: {share} of the draws of p({name}) lie in holes, where the posteriors of {KNOWN} "
        "training images together have less than a tenth of the prior's density."
    )


def _units_in_words(run: Run, frame: LabFrame) -> str:
    """The KL of each unit, and what it is at its best."""
    std = run.control.knobs.std
    best = linear_nats(frame.eigenvalues, std)
    units = sorted(frame.unit_kl.tolist(), reverse=True)
    told = [
        f"unit {i}: {now:.2f} nats, at its best {goal:.2f}"
        for i, (now, goal) in enumerate(zip(units, best, strict=False), start=1)
    ]
    return f"At sigma {std:g}, " + "; ".join(told) + ". Pause to see the curve."


def exact(knobs: Knobs) -> bool:
    """Whether the best KL of each unit is known: one affine layer and Gaussian pixels."""
    return knobs.depth == 1 and not knobs.hidden and knobs.likelihood == "gaussian_fixed"


def units(runs: Sequence[Run], palette: Palette) -> None:
    """The curve of each unit's KL over sigma, of the runs that rest and whose curve is known."""
    for run in runs:
        frame = run.frame
        if frame is None or run.playing or run.control.run or not exact(run.control.knobs):
            continue
        figure = units_by_sigma(frame.eigenvalues, frame.unit_kl, run.control.knobs.std, palette)
        ui.chart(figure, f"lab-units-{run.slot}", "KL of each unit by sigma, exact and now")


def curve_table(runs: Sequence[Run]) -> pd.DataFrame:
    """KL and loss by step as drawn, a row a run, step and layer."""
    return pd.DataFrame(
        {"run": run.title, run.frame.about["counted"]: step, "layer": name, "kl_nats": kl,
         "loss_nats": loss}
        for run in runs
        if run.frame is not None
        for step, row, loss in zip(run.frame.steps, run.frame.kl, run.frame.loss, strict=True)
        for name, kl in zip(run.frame.about["names"], row, strict=True)
    )  # fmt: skip


def _image(picture: Image, alt: str) -> str:
    data = base64.b64encode(png_bytes(picture)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" width="{picture.width}">'


def _dot(shown: Sequence[tuple[Run, LabFrame]], palette: Palette) -> str:
    """What the scores say of the dot of light, beside the images that were held out."""
    html = ""
    for run, frame in shown:
        of = f"Run {run.title}, " if len(shown) > 1 else ""
        for name, (own, others) in scores_of_dot(frame).items():
            share = percent(float((others < own).mean()))
            html += (
                f'<div class="score"><div>{of}{escape(name)}: {fmt(own)} nats, above '
                f"{share} of held-out {run.control.knobs.data}</div>"
                f"{moving_marks(others, own, palette)}</div>"
            )
    return html + '<p class="note">Drag the dot, or move it by the arrow keys.</p>'


def scores_of_dot(frame: LabFrame) -> dict[str, tuple[float, NDArray[np.float64]]]:
    """-L and LLR>k in nats, of the dot and of the held-out images (N,)."""
    found = {"−L": (-float(frame.dot_bounds[0]), np.asarray(-frame.bounds[0], np.float64))}
    for k in range(1, len(frame.dot_bounds)):
        own = float(frame.dot_bounds[0] - frame.dot_bounds[k])
        found[f"LLR>{k}"] = own, np.asarray(frame.bounds[0] - frame.bounds[k], np.float64)
    return found
