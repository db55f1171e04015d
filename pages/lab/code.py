"""The panels of the Lab as they are when they are asked for: the curves with their program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.config.lab import Act, Knobs
from hvae_core.figures import Palette, kl_history, tile
from hvae_core.training.lab.frame import LabFrame
from pages.lab import runs
from pages.lab.runs import Run
from pages.shared import panel
from pages.shared.program import Code, text

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from PIL.Image import Image

Places = tuple[tuple[str, Path], ...]
ALT = "Lines of the KL of each layer over the steps"


def say(found: Sequence[Run], palette: Palette) -> None:
    """Tell the page's report of the runs, and offer the program of their curves."""
    places: Places = tuple((run.slot, run.folder) for run in found)
    drawn, made = partial(curves, places, palette), partial(program_of, places, palette)
    panel.shown("lab-kl", ALT, drawn, made)
    for run in found:
        of = f" of run {run.title}" if len(found) > 1 else ""
        one = partial(_pictures, run.slot, run.folder, palette)
        panel.shown(f"lab-samples-{run.slot}", f"Samples{of}", partial(one, samples=True))
        alt = f"Letters{of}, below them rebuilt from each layer up"
        panel.shown(f"lab-rebuilt-{run.slot}", alt, partial(one, samples=False))
    panel.offer("lab-kl", made)


def curves(places: Places, palette: Palette) -> go.Figure | None:
    """KL of each layer by step, as far as the runs have come; None before the first points."""
    known = _with_points(places)
    if not known:
        return None
    return kl_history(
        [(title, frame.steps, frame.kl) for title, frame in known],
        palette,
        names=[tuple(frame.about["names"]) for _, frame in known],
        counted=str(known[0][1].about["counted"]),
    )


def program_of(places: Places, palette: Palette) -> Code | None:
    """The program that trains the runs once more; None for a followed run, and before the first."""
    known = _with_points(places)
    if not known or any("began" not in frame.about for _, frame in known):
        return None
    lines = []
    for title, frame in known:
        turned = [Act(int(at), dict(what)) for at, what in frame.about["turned"]]
        lines += [
            f"began = {_knobs(Knobs(**frame.about['began']))}",
            f"turned = [{', '.join(f'Act({one.step}, {_turn(one)})' for one in turned)}]",
            f"found = train_again(began, turned, {int(frame.steps[-1])})",
            f"runs.append(({text(title)}, found))",
        ]
    # The Lab is of no world: its program needs nothing of the sidebar.
    whole = [
        f'"""{ALT}, trained once more."""',
        "",
        "from hvae_core.config.lab import Act, Knobs",
        "from hvae_core.training.lab.again import train_again",
        "",
        "import hvae_core as hv",
        "",
        "runs = []",
        *lines,
        "figure = hv.figures.kl_history(",
        "    [(title, found.steps, found.kl) for title, found in runs],",
        f"    hv.figures.{palette.theme.upper()},",
        "    names=[found.names for _, found in runs],",
        '    counted="step",',
        ")",
        "figure.show()",
        "",
    ]
    return Code("\n".join(whole))


def _with_points(places: Places) -> list[tuple[str, LabFrame]]:
    """Title and frame of the runs whose curves have begun."""
    found = [runs.read(slot, folder) for slot, folder in places]
    return [
        (run.title, run.frame)
        for run in found
        if run is not None and run.frame is not None and len(run.frame.steps) > 1
    ]


def _knobs(began: Knobs) -> str:
    """The knobs that are not as they stand by default."""
    usual = vars(Knobs())
    changed = {name: value for name, value in vars(began).items() if value != usual[name]}
    said = (f"{name}={_written(value)}" for name, value in changed.items())
    return f"Knobs({', '.join(said)})"


def _turn(act: Act) -> str:
    said = (f"{text(name)}: {_written(value)}" for name, value in act.turn.items())
    return f"{{{', '.join(said)}}}"


def _written(value: object) -> str:
    return text(value) if isinstance(value, str) else repr(value)


def _pictures(slot: str, folder: Path, palette: Palette, *, samples: bool) -> Image | None:
    """Samples of a run, or letters above what is rebuilt of them."""
    run = runs.read(slot, folder)
    if run is None or run.frame is None or not len(run.frame.samples):
        return None
    frame = run.frame
    scale = max(1, 32 // frame.originals.shape[-1])
    if samples:
        return tile(frame.samples, columns=8, scale=scale, colors=palette)
    rows = np.concatenate([frame.originals[None], frame.reconstructions])
    columns = len(frame.originals)
    return tile(rows.reshape(-1, *rows.shape[2:]), columns=columns, scale=scale, colors=palette)
