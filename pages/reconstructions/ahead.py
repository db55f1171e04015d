"""The strip of a model as a file, and as it will look one step of a control further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from functools import partial

from hvae_core.figures import Palette, StripRow, png_bytes, strip
from hvae_core.figures.theme import palette
from pages.reconstructions.controls import ReconstructionSettings
from pages.shared import pictures
from pages.shared.controls import NEXT, warmer
from pages.shared.image_names import NamedImages
from pages.shared.kept import by_content
from pages.shared.ready import Neighbour
from pages.shared.store import Handle

_REACH = 2
"""Steps of k to either side; of the temperature it is one, and each of those is a pass."""


def rows_of(
    handle: Handle, named: NamedImages, settings: ReconstructionSettings
) -> tuple[list[StripRow], list[str]]:
    """The rows of the strip, and the heads of its columns."""
    rebuilt = pictures.of_images(handle, named.images, **settings.drawing)
    rows = pictures.rows_of(named.labels, named.outs, rebuilt, images=named.images)
    return rows, pictures.heads(handle)


def packed(
    handle: Handle, named: NamedImages, settings: ReconstructionSettings, colors: Palette
) -> bytes:
    """The strip as PNG."""
    return _packed(handle, named, settings, theme=colors.theme)


@by_content(
    64,
    {
        NamedImages: lambda named: (named.images.digest, named.labels, named.outs),
        ReconstructionSettings: astuple,
    },
)
def _packed(
    handle: Handle, named: NamedImages, settings: ReconstructionSettings, *, theme: str
) -> bytes:
    rows, heads = rows_of(handle, named, settings)
    column = min(settings.k, handle.n_levels - 1) + 1
    picture = strip(rows, heads, highlight=column, scale=settings.scale, colors=palette(theme))
    return png_bytes(picture)


def neighbours(
    handle: Handle,
    named: NamedImages,
    settings: ReconstructionSettings,
    colors: Palette,
    *,
    following: int,
) -> list[Neighbour]:
    """The strip one step of k, temperature or draw further; ``following`` is the next draw's seed.

    In the order in which they are most likely wanted.
    """
    found: list[Neighbour] = []

    def add(control: str, value: float | None, other: ReconstructionSettings) -> None:
        draw = partial(packed, handle, named, other, colors)
        found.append(Neighbour(control, value, draw))

    for k in _around(settings.k, handle.n_levels - 1):
        add("r_k", k, replace(settings, k=k))
    if settings.skipped == "sample":
        for heat in warmer(settings.temperature):
            add("r_temp", heat, replace(settings, temperature=heat))
    add(f"r_draw{NEXT}", None, replace(settings, seed=following))
    return found


def _around(k: int, top: int) -> Sequence[int]:
    """Values near k, the nearest first."""
    steps = (sign * step for step in range(1, _REACH + 1) for sign in (1, -1))
    return [k + step for step in steps if 0 <= k + step <= top]
