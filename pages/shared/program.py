"""The code of a panel: a short program on the front door that makes its numbers and its figure.

A page writes the lines that make ``figure`` or ``table``; what every program has, models, sets and
the reader's colours, is written here. A program names what ships by name, and what a visitor
brought by a place to fill in: no path of anybody's machine stands in it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from hvae_core.common.places import COMMAND
from hvae_core.common.words import LETTERS
from hvae_core.data.origins import InMemory
from hvae_core.data.worlds import worlds
from pages.shared import store
from pages.shared.state import Context, colors
from pages.shared.store import Handle


@dataclass(frozen=True)
class Code:
    """A Python program, and the command that gives the same numbers; "" where there is none."""

    python: str
    command: str = ""


def text(value: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(value, ensure_ascii=False)


def theme() -> str:
    """The palette in which the reader sees the page."""
    return f"hv.figures.{colors().theme.upper()}"


def is_shipped(handle: Handle) -> bool:
    """Whether the model comes with the project, so that its name is enough."""
    from hvae_core.checkpoint import library

    return PurePath(handle.path).parent == library.SHIPPED


def name_of(handle: Handle) -> str:
    """A model's name, or that of its file, whose place its owner knows."""
    return handle.name if is_shipped(handle) else PurePath(handle.path).name


def load(handle: Handle) -> str:
    """The call that loads a model."""
    return f"hv.load_checkpoint({text(name_of(handle))})"


def named(handles: Iterable[Handle]) -> str:
    """A line that makes ``models``: title and checkpoint of each."""
    pairs = [f"    ({text(handle.title)}, {load(handle)})," for handle in handles]
    return "\n".join(["models = [", *pairs, "]"])


def source(ctx: Context, set_name: str) -> str:
    """What names a set at the front door, or a place to fill in where a visitor brought it."""
    spec = ctx.world.spec(set_name)
    if isinstance(spec.origin, InMemory) or ctx.world.key not in worlds():
        return f"path/to/{spec.title}"
    return f"{ctx.world.key}:{set_name}"


def images(ctx: Context, set_name: str) -> str:
    """The call that loads a set."""
    return f"hv.load_images({text(source(ctx, set_name))})"


def code(
    ctx: Context,
    what: str,
    *lines: str,
    uses: Sequence[str] = (),
    shows: str = "figure.show()",
    command: str = "",
) -> Code:
    """A program of these lines; ``uses`` are its imports beside the front door."""
    imports = sorted(uses, key=lambda line: (line.startswith("from"), line))
    told = " ".join(what.split()).replace("\\", "\\\\").replace('"', '\\"')
    head = [f'"""{told}."""', "", *imports, *([""] if uses else [])]
    whole = (*head, "import hvae_core as hv", "", *_to_fill_in(ctx), *lines, shows, "")
    return Code("\n".join(whole), command)


def _to_fill_in(ctx: Context) -> list[str]:
    """Remarks on what a reader must have or name himself."""
    said = []
    if any(not is_shipped(handle) for handle in ctx.models):
        said.append("# Models that do not ship: put the paths of their files.")
    if ctx.world.key not in worlds() or any(
        isinstance(ctx.world.spec(name).origin, InMemory) for name in (ctx.in_name, *ctx.out_names)
    ):
        said.append("# Images that were brought: put the paths of their files.")
    return said


def models(ctx: Context, handles: Iterable[Handle], set_name: str) -> list[str]:
    """Lines that make ``models`` and ``images``."""
    return [named(handles), f"images = {images(ctx, set_name)}"]


def letters(ctx: Context, handles: Sequence[Handle]) -> list[str]:
    """A line that says which letters models have who share a chart, where another is left out."""
    own = ctx.letters_of(handles)
    return [] if LETTERS.startswith(own) else [f"    letters={text(own)},"]


def bits(ctx: Context, handles: Sequence[Handle], set_name: str, *, height: int) -> list[str]:
    """Lines that make the figure of bits per dimension by k, of each model on a set."""
    return [
        *models(ctx, handles, set_name),
        "results = []",
        "for title, model in models:",
        "    result = hv.report(hv.evaluate(model, images), []).inside",
        "    results.append((title, result.bound_bits, result.nll_bits))",
        "figure = hv.figures.bits_by_k(",
        "    results,",
        f"    {theme()},",
        f"    levels={levels(handles)},",
        f"    counted={text(store.counted(handles))},",
        f"    height={height},",
        *letters(ctx, handles),
        ")",
    ]


def picked(ctx: Context, rows: Iterable[tuple[str, str, int]]) -> list[str]:
    """Lines that make ``picked`` of (label, set, number) rows: label, image, and whether it is out.

    They follow the line that makes ``model``, whose shape the images get.
    """
    lines = ["picked = ["]
    for label, name, number in rows:
        lines.append(f"    ({text(label)}, {images(ctx, name)}, {number}, {ctx.is_out(name)}),")
    return [*lines, "]  # label, set, number there, and whether it is held against the model's own"]


REBUILT = (
    "rows = []",
    "for label, images, number, out in picked:",
    "    image = images.take([number]).fit(model.image_shape)",
    "    found = hv.reconstruct(model, image, {options})",
    "    cells = [image.images[0] / 255, *found.means[:, 0]]",
    "    rows.append(hv.figures.StripRow(label, cells, [None, *found.nll[:, 0]], out=out))",
)
"""Lines that make the rows of a strip of ``picked``, with options of ``hv.reconstruct``."""


def listing(values: Iterable[str], indent: int = 0) -> str:
    """A list of texts as Python writes it; a long one has a line each."""
    items = [text(value) for value in values]
    line = f"[{', '.join(items)}]"
    if len(line) + indent <= 80:
        return line
    space = " " * indent
    return "\n".join(["[", *(f"{space}    {item}," for item in items), f"{space}]"])


def levels(handles: Sequence[Handle]) -> str:
    """The names of the levels of each model, from the lowest."""
    return f"[{', '.join(listing(handle.level_names) for handle in handles)}]"


def from_import(module: str, *names: str) -> str:
    """An import of these names, in the order of Python's own tools; a long one has a line each."""
    ordered = sorted(names, key=lambda name: (name != name.upper(), name.islower(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= 88:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")"])


def command(*words: str) -> str:
    """A line for the shell."""
    return f"{COMMAND} {shlex.join(words)}"
