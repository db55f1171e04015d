"""Rows of the reconstruction page: images named as "set number", chosen, drawn or from a lasso."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hvae_core.common.deployment import public
from hvae_core.common.errors import HVAEError, MissingImages
from hvae_core.common.words import listed
from hvae_core.data.image_set import ImageSet
from pages.shared import same_pixels, selection, shown
from pages.shared.state import Context
from pages.shared.store import Handle

MOST = 12
"""Rows at once: more would not be seen together, and every redraw goes through the model."""


@dataclass(frozen=True, eq=False)
class NamedImages:
    """The rows' images at a model's shape, with name, title and side of each."""

    names: tuple[str, ...]
    titles: tuple[str, ...]
    outs: tuple[bool, ...]
    images: ImageSet
    """Each with the name of its file, where it has one."""

    @property
    def labels(self) -> list[str]:
        """What stands before each row of the picture."""
        parts = (name.rpartition(" ") for name in self.names)
        return [
            titled(set_name, title, int(number))
            for title, (set_name, _, number) in zip(self.titles, parts, strict=True)
        ]


def titled(set_name: str, title: str, index: int) -> str:
    """An image for people: the title of its set and its number; a picture of no set has none."""
    return title if shown.is_shown(set_name) else f"{title} {index}"


def name_of(set_name: str, index: int) -> str:
    """The name of an image in the code and in links."""
    return f"{set_name} {index}"


def parse(ctx: Context, name: str) -> tuple[str, int]:
    """Set and number of a name, or of what ``in_words`` says; ``HVAEError`` says what is wrong."""
    text = str(name).strip()
    called, _, number = text.rpartition(" ")
    sets = {spec.title: spec.name for spec in reversed(ctx.world.sets)}
    names = {spec.name for spec in ctx.world.sets}
    if number.isascii() and number.isdigit() and (called in names or called in sets):
        return called if called in names else sets[called], int(number[:9])
    if shown.is_shown(sets.get(text, "")):
        return sets[text], 0
    raise HVAEError(
        "An image is named by its set and a number, such as "
        f"{titled(ctx.in_name, ctx.title(ctx.in_name), 3)}; the sets are "
        f"{'; '.join(spec.title for spec in ctx.world.sets)}."
    )


def in_words(ctx: Context, name: str) -> str:
    """The image of a name for people, as "Digits 14"; what can be read in no other way stays."""
    try:
        set_name, index = parse(ctx, name)
        words = titled(set_name, ctx.title(set_name), index)
        return words if parse(ctx, words) == (set_name, index) else name_of(set_name, index)
    except HVAEError:
        return name


def named(ctx: Context, written: Iterable[str]) -> list[str]:
    """The names of images that somebody wrote in either way; what names none stays as it is."""

    def name(text: str) -> str:
        try:
            return name_of(*parse(ctx, text))
        except HVAEError:
            return text

    return [name(text) for text in written]


def first(ctx: Context) -> list[str]:
    """Three images of the in-distribution set and one of each of the first three OOD sets."""
    outs = list(ctx.out_names[:3])
    picks = [(ctx.in_name, i) for i in range(3)]
    picks += [(outs[i % len(outs)], i // len(outs)) for i in range(3)] if outs else []
    return [name_of(*pick) for pick in picks]


def random(ctx: Context, draw: int) -> list[str]:
    """As ``first``, with numbers drawn by the seed and the count of draws so far."""
    rng = np.random.default_rng([ctx.seed, draw])
    drawn: dict[str, None] = {}
    for set_name, _ in (parse(ctx, name) for name in first(ctx)):
        try:
            size = len(ctx.images(set_name))
        except HVAEError:
            continue
        free = [i for i in rng.permutation(size) if name_of(set_name, int(i)) not in drawn]
        drawn |= {name_of(set_name, int(i)): None for i in free[:1]}
    return list(drawn)


def from_selection(ctx: Context, most: int | None = None) -> list[str]:
    """The images that the latent map's lasso left, from every set and class in turn."""
    picks = selection.current(ctx)
    most = len(picks) if most is None else most
    some = selection.spread(picks, most, selection.class_names(ctx))
    return [name_of(*pick) for pick in some]


def load(
    ctx: Context, handle: Handle, names: Sequence[str]
) -> tuple[NamedImages | None, list[str]]:
    """The images of the names at the model's shape, and a sentence for each that cannot be had."""
    pixels, rows, files = [], [], []
    pixels_here: dict[str, int] = {}
    missing: dict[str, str] = {}  # set: what its loader says
    problems: dict[str, None] = {}  # in order, each once
    for name in dict.fromkeys(names):
        try:
            set_name, index = parse(ctx, name)
            image = ctx.images(set_name, handle).take([index])
            pixels_here |= digest_of(ctx, set_name, index)
        except MissingImages as error:
            missing[set_name] = str(error)
            continue
        except HVAEError as error:
            problems[str(error)] = None
            continue
        pixels.append(image.images[0])
        files.append(image.file(0))
        rows.append((name, ctx.title(set_name), ctx.is_out(set_name)))
    same_pixels.check(pixels_here)
    sentences = [*_without_images(ctx, missing), *problems]
    if not rows:
        return None, sentences
    names, titles, outs = zip(*rows, strict=True)
    images = ImageSet(
        "rows", "The rows", np.stack(pixels), labels=np.full(len(rows), -1), files=tuple(files)
    )
    return NamedImages(names, titles, outs, images=images), sentences


def digest_of(ctx: Context, set_name: str, index: int) -> dict[str, int]:
    """64 bits of an image's pixels as it lies in its set, by what the image is called."""
    name = titled(set_name, ctx.title(set_name), index)
    return {name: ctx.images(set_name).image_digests()[index]}


def _without_images(ctx: Context, missing: Mapping[str, str]) -> list[str]:
    """One sentence for all sets that are not on this machine; a single one has its loader's own."""
    if len(missing) < 2:
        return list(missing.values())
    ways = "upload images of your own."
    if not public():
        ways = "download them, choose a folder, or " + ways
    return [
        f"The images of {listed(map(ctx.title, missing))} are not on this machine. Under Images in "
        f"the sidebar you can {ways}"
    ]


def limited(names: Iterable[str]) -> list[str]:
    """At most ``MOST`` different names."""
    return list(dict.fromkeys(names))[:MOST]
