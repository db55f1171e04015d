"""The programs behind the panels of the page Scored folders. Folders are places to fill in."""

from __future__ import annotations

from dataclasses import dataclass

from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context


@dataclass(frozen=True)
class View:
    """What the page shows: a score, its threshold, and what stands in the charts."""

    key: str
    alpha: float
    symbol: str
    unit: str
    title: str
    against: str
    other: bool
    """Whether another folder is the reference, not the held-out images of the model."""


def density(ctx: Context, view: View, *, threshold: bool, height: int) -> Code:
    """Densities of the score in the folder and in its reference."""
    return program.code(
        ctx,
        f"Densities of {view.key} in a folder of scores and in its reference",
        *_sketches(view),
        *([f"threshold = flags_from(inside, {view.alpha!r})"] if threshold else []),
        "figure = hv.figures.densities(",
        "    inside.sample(),",
        f"    [({text(view.title)}, outside.sample())],",
        f"    {program.theme()},",
        f"    symbol={text(view.symbol)},",
        f"    unit={text(view.unit)},",
        f"    in_name={text(view.against)},",
        *(["    threshold=threshold,"] if threshold else []),
        f"    height={height},",
        ")",
        uses=_uses(view, "flags_from") if threshold else _uses(view),
        command=_flag(view),
    )


def curve(ctx: Context, view: View) -> Code:
    """The ROC curve with its area."""
    return program.code(
        ctx,
        f"ROC curve of {view.key}, a folder of scores against its reference",
        *_sketches(view),
        "found = area(inside, outside)",
        "points = roc_curve(inside.sample(), outside.sample())",
        "curve = hv.figures.Curve(",
        f"    {text(view.title)},",
        "    points.x, points.y, found.value, low=found.low, high=found.high,",
        ")",
        f"figure = hv.figures.roc([curve], {program.theme()})",
        uses=[*_uses(view, "area"), "from hvae_core.detection.metrics import roc_curve"],
        command=_flag(view),
    )


def unusual(ctx: Context, view: View, *, against: bool) -> Code:
    """The most unusual images with their files, and their p where there is a reference."""
    return program.code(
        ctx,
        f"The most unusual images of a folder of scores by {view.key}",
        *(_sketches(view) if against else _folder(view)),
        "images = summary.unusual",
        "columns = {",
        '    "file": [one.file for one in images],',
        '    "place": [one.row for one in images],',
        f"    {text(view.key)}: [one.score for one in images],",
        "}",
        "table = pd.DataFrame(columns)",
        *([f'table["p"] = p_values(inside, table[{text(view.key)}])'] if against else []),
        uses=[
            "import pandas as pd",
            *_uses(view, *(["p_values"] if against else []), sketch=against),
        ],
        shows="print(table)",
        command=_flag(view),
    )


def _folder(view: View) -> list[str]:
    return [
        "# Put the folder that the command score wrote.",
        'folder = Folder.of("path/to/scored")',
        f"summary = summarised(folder).scores[{text(view.key)}]",
    ]


def _sketches(view: View) -> list[str]:
    """Lines that make ``outside`` and ``inside``: the ranks of a score in the folder and beside."""
    key = text(view.key)
    inside = f"Sketch.of(held_out(folder).measure({key}))"
    if view.other:
        inside = f'summarised(Folder.of("path/to/reference")).scores[{key}].sketch'
    return [*_folder(view), "outside = summary.sketch", f"inside = {inside}"]


def _uses(view: View, *names: str, sketch: bool = True) -> list[str]:
    of_sketch = [*names, *(["Sketch"] if sketch and not view.other else [])]
    held = sketch and not view.other
    place = "hvae_core.detection.many"
    return [
        "from hvae_core.common.far import Folder",
        *([f"from {place}.reference import held_out"] if held else []),
        *([program.from_import(f"{place}.sketch", *of_sketch)] if of_sketch else []),
        f"from {place}.summarise import summarised",
    ]


def _flag(view: View) -> str:
    """The command that flags by this score alone."""
    other = ["--reference", "path/to/reference"] if view.other else []
    return program.command(
        "flag", "path/to/scored", *other, "--scores", view.key, "--alpha", f"{view.alpha:g}"
    )
