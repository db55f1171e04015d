"""What the Lab shows of its runs, drawn anew several times a second."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st
from PIL.Image import Image

from hvae_core.config.lab import Knobs
from hvae_core.evaluation.collapse import SILENT_NATS
from hvae_core.figures import (
    Palette,
    Progress,
    fmt,
    kl_live,
    loss_live,
    moving_lines,
    moving_posteriors,
    png_bytes,
    posteriors_over_prior,
    tile,
    units_by_sigma,
)
from hvae_core.training.lab.frame import LabFrame
from pages.lab.runs import Run
from pages.shared import ui

KL_HELP = (
    "Mean over the batches of the last steps of each layer's term in the bound. A layer whose line "
    "lies at zero says nothing of the image: its posterior is the prior."
)
ELLIPSES_HELP = (
    "Each ellipse is one image's q(z | x), one standard deviation wide; the grey dots are draws of "
    "p(z). Small ellipses far apart: the layer tells images apart. All ellipses on one another, as "
    "wide as the dots: it is dead."
)
STRANGER_HELP = (
    "−L, the negative evidence lower bound, says how unlikely an image is; LLR>k = L − L>k says "
    "how much the k lowest layers had to help. Percent: the share of held-out letters below the "
    "dot. Near 100 % the score tells the dot from a letter, near 50 % it does not, and below that "
    "it takes the dot for a better letter than most."
)


def claim(run: Run | None) -> str:
    """What the layers of run A do now, as a title."""
    if run is None or run.frame is None or not len(run.frame.kl):
        return "Watch a layer die and bring it back"
    names, now = run.frame.about["names"], run.frame.now
    dead = [name for name, kl in zip(names, now, strict=True) if abs(kl) < SILENT_NATS]
    counted = run.frame.about["counted"]
    at = f"At {counted} {run.step:,}"
    if not dead:
        return f"{at} every layer speaks: " + ", ".join(
            f"{name} {fmt(float(kl))}" for name, kl in zip(names, now, strict=True)
        ) + " nats"  # fmt: skip
    if len(dead) == len(names):
        return f"{at} no layer says anything" if len(names) > 1 else f"{at} the layer says nothing"
    verb = "says" if len(dead) == 1 else "say"
    return f"{at} {' and '.join(dead)} {verb} nothing"


def state_line(run: Run) -> str:
    """What a run does: training, paused, waiting, ended."""
    if run.job is not None and run.job.status == "waiting":
        return f"Run {run.title} waits: all processes of the Lab are taken."
    if run.frame is None:
        return f"Run {run.title}: {'starting' if run.active else 'not started'}."
    counted, rate = run.frame.about["counted"], float(run.frame.about["rate"])
    if not run.active:
        return f"Run {run.title} rests at {counted} {run.step:,}. Play goes on from there."
    if not run.control.playing:
        return f"Run {run.title} is paused at {counted} {run.step:,}."
    speed = f", {fmt(rate)} {counted}s a second" if rate else ""
    return f"Run {run.title}: {counted} {run.step:,}{speed}."


def draw(runs: Sequence[Run], palette: Palette) -> None:
    """Everything that moves."""
    st.caption("  \n".join(state_line(run) for run in runs))
    shown = [(run, run.frame) for run in runs if run.frame is not None]
    if not shown:
        waits = any(run.active for run in runs)
        words = (
            "The images are being read." if waits else "Nothing has been trained yet. Press Play."
        )
        st.info(words, icon=":material/hourglass_empty:" if waits else ":material/play_arrow:")
        return
    st.subheader("KL per layer", anchor=False, help=KL_HELP)
    _curves(shown, palette)
    for run, frame in shown:
        if len(shown) > 1:
            st.markdown(f"**Run {run.title}**")
        _latents(run, frame, palette)
        _pictures(run, frame, palette)
    _stranger(shown)


def _curves(shown: Sequence[tuple[Run, LabFrame]], palette: Palette) -> None:
    """KL and loss by step: moving while a run plays, to be pointed at when all rest."""
    counted = shown[0][1].about["counted"]
    curves, losses = [], []
    for run, frame in shown:
        marks = [(int(at), str(words)) for at, words in frame.about["marks"]]
        names = frame.about["names"]
        curves.append(Progress(run.title, frame.steps, frame.kl, names, marks))
        losses.append(Progress(run.title, frame.steps, frame.loss[:, None], ("loss",)))
    if _moving(shown):
        _svg(
            moving_lines(curves, palette, counted=counted), "Lines of the KL of each layer by step"
        )
        small = moving_lines(losses, palette, counted=counted, unit="loss (nats)", size=(720, 180))
        _svg(small, "The loss by step")
        return
    figure = kl_live(curves, palette, counted=counted)
    ui.chart(figure, "lab-kl", "Lines of the KL of each layer by step")
    lines = [(one.title, one.steps, np.asarray(one.kl)[:, 0]) for one in losses]
    ui.chart(loss_live(lines, palette, counted=counted), "lab-loss", "The loss by step")


def _moving(shown: Sequence[tuple[Run, LabFrame]]) -> bool:
    """Whether the next frame comes at once: a Plotly chart would be mounted anew for each."""
    return any(run.playing for run, _ in shown)


def _svg(svg: str, alt: str) -> None:
    data = base64.b64encode(svg.encode()).decode()
    st.html(
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alt)}" style="max-width: 100%">'
    )


def _latents(run: Run, frame: LabFrame, palette: Palette) -> None:
    names = frame.about["names"]
    if frame.means.size:
        st.subheader("Latents", anchor=False, help=ELLIPSES_HELP)
        parts = frame.means, frame.stds, frame.draws
        alt = "Posteriors as ellipses over the prior"
        if run.playing:
            _svg(moving_posteriors(*parts, palette, names=names), alt)
        else:
            figure = posteriors_over_prior(*parts, palette, names=names)
            ui.chart(figure, f"lab-latents-{run.slot}", alt)
    known = exact(run.control.knobs) and len(frame.unit_kl) and not run.control.run
    if known and run.playing:
        st.caption(_units_in_words(run, frame))
    elif known:
        std = run.control.knobs.std
        figure = units_by_sigma(frame.eigenvalues, frame.unit_kl, std, palette)
        ui.chart(figure, f"lab-units-{run.slot}", "KL of each unit by sigma, exact and now")


def _units_in_words(run: Run, frame: LabFrame) -> str:
    """The KL of each unit, and what it is at its best."""
    std = run.control.knobs.std
    best = [max(0.0, 0.5 * math.log(value / std**2)) for value in frame.eigenvalues]
    units = sorted(frame.unit_kl.tolist(), reverse=True)
    told = [
        f"unit {i}: {now:.2f} nats, at its best {goal:.2f}"
        for i, (now, goal) in enumerate(zip(units, best, strict=False), start=1)
    ]
    return f"At sigma {std:g}, " + "; ".join(told) + ". Pause to see the curve."


def exact(knobs: Knobs) -> bool:
    """Whether the best KL of each unit is known: one affine layer and Gaussian pixels."""
    return knobs.depth == 1 and not knobs.hidden and knobs.likelihood == "gaussian_fixed"


def _pictures(run: Run, frame: LabFrame, palette: Palette) -> None:
    """Reconstructions by k under the images, and samples."""
    left, right = st.columns([3, 2], gap="large")
    scale = max(1, 40 // frame.originals.shape[-1])
    count = len(frame.originals)
    with left:
        st.subheader("Reconstructions", anchor=False)
        rows = np.concatenate([frame.originals[None], frame.reconstructions])
        names = frame.about["names"]
        picture = tile(
            rows.reshape(-1, *rows.shape[2:]), columns=count, scale=scale, colors=palette
        )
        _image(picture, "Images, and below them what the layers from z1, z2, ... up make of them")
        told = ", ".join(f"from {name} up" for name in names[: len(frame.reconstructions)])
        st.caption(f"Rows: {ui.plain(str(frame.about['images']))}; {told}.")
    with right:
        st.subheader("Samples", anchor=False)
        samples = tile(frame.samples, columns=8, scale=scale, colors=palette)
        _image(samples, "Samples of the model")


def _image(picture: Image, alt: str) -> None:
    """A picture that travels with the page: a file of its own would be gone by the next frame."""
    data = base64.b64encode(png_bytes(picture)).decode()
    st.html(
        f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" width="{picture.width}" '
        'style="max-width: 100%; height: auto; image-rendering: pixelated">'
    )


def _stranger(shown: Sequence[tuple[Run, LabFrame]]) -> None:
    """What the scores say of the dot of light, beside the letters that were held out."""
    if shown[0][0].control.run:
        return
    st.subheader("An image that is no letter", anchor=False, help=STRANGER_HELP)
    lines = ["| | " + " | ".join(["−L", *_ratios(shown[0][1])]) + " |"]
    lines.append("| --- " * (1 + len(shown[0][1].dot_bounds)) + "|")
    for run, frame in shown:
        cells = [f"{fmt(score)} nats ({share:.0%})" for score, share in scores_of_dot(frame)]
        lines.append(f"| Run {run.title} | " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))


def _ratios(frame: LabFrame) -> list[str]:
    return [f"LLR>{k}".replace(">", "\\>") for k in range(1, len(frame.dot_bounds))]


def scores_of_dot(frame: LabFrame) -> list[tuple[float, float]]:
    """-L and LLR>k of the dot in nats, each with the share of held-out images below it."""
    own = np.concatenate([-frame.dot_bounds[:1], frame.dot_bounds[0] - frame.dot_bounds[1:]])
    others = np.concatenate([-frame.bounds[:1], frame.bounds[0] - frame.bounds[1:]])
    return [
        (float(score), float((row < score).mean())) for score, row in zip(own, others, strict=True)
    ]
