"""What pictures of a set have in common, and so what becomes of each: scale, ground, notes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.data.image_set import Pixels
from hvae_core.data.readers.scale import ONES, Scale, scale_of

Ground = Literal["black", "white"]


@dataclass(frozen=True, eq=False)
class Decoded:
    """One picture as its file has it, upright.

    ``values`` (C, H, W) are grey levels or colours of 8 bits, or the numbers of a grey picture of
    more bits. ``alpha`` (H, W) is how opaque each pixel is, None where all are.
    """

    values: NDArray[Any]
    alpha: Pixels | None = None
    moving: bool = False
    """Whether this is the first of several pictures in its file."""

    def pixels(self, look: Look) -> Pixels:
        """Grey levels and colours by what was decided for the set."""
        if self.values.dtype != np.uint8:
            return look.wide_scale().apply(self.values)
        if self.alpha is not None:
            return composed(self.values, self.alpha, look.ground)
        if look.ones or look.stretch:
            return look.narrow_scale().apply(self.values)
        return self.values


class Contradicted(Exception):
    """A picture is not as a look at some others of its set had it; all have to be looked at."""


class Look:
    """What pictures of a set have in common, from a look at some of them or at all.

    ``stretch`` spreads the levels over the full range.
    """

    def __init__(self, *, stretch: bool = False) -> None:
        self.stretch = stretch
        self._narrow: list[float] = []  # lowest and highest level of 8 bits
        self._wide: list[float] = []
        self._wide_type: np.dtype[Any] | None = None
        self._wide_whole = True
        self._light = self._visible = 0.0
        self._transparent = self._moving = False

    @classmethod
    def of(cls, pictures: Iterable[Decoded], *, stretch: bool = False) -> Look:
        """A look at these pictures."""
        look = cls(stretch=stretch)
        for picture in pictures:
            look.add(picture)
        return look

    def add(self, picture: Decoded) -> None:
        """Look at one more picture."""
        self._moving |= picture.moving
        values = picture.values
        low, high = float(values.min()), float(values.max())
        if values.dtype != np.uint8:
            self._wide = [min([low, *self._wide[:1]]), max([high, *self._wide[1:]])]
            self._wide_type = np.promote_types(values.dtype, self._wide_type or values.dtype)
            self._wide_whole &= bool((values == np.round(values)).all())
        elif picture.alpha is None:
            self._narrow = [min([low, *self._narrow[:1]]), max([high, *self._narrow[1:]])]
        else:
            self._transparent = True
            luma = values.mean(axis=0)
            self._light += float((luma * picture.alpha).sum())
            self._visible += float(picture.alpha.sum())

    def check(self, picture: Decoded) -> None:
        """Raise ``Contradicted`` for a picture of a kind that was not looked at."""
        if picture.alpha is not None and not self._transparent:
            raise Contradicted
        if picture.moving and not self._moving:
            raise Contradicted
        if picture.values.dtype != np.uint8 and not self._covers(picture.values):
            raise Contradicted
        levels = picture.alpha is None and picture.values.dtype == np.uint8
        if levels and self.ones and picture.values.max() > 1:
            raise Contradicted

    def _covers(self, values: NDArray[Any]) -> bool:
        return bool(self._wide) and (
            self._wide[0] <= values.min() and values.max() <= self._wide[1]
        )

    @property
    def all_needed(self) -> bool:
        """Whether what was seen of some pictures decides nothing for the others."""
        darkest = bool(self._narrow) and self._narrow[1] <= 1
        return (
            darkest
            or self.stretch
            or self._transparent
            or self._wide_type not in (None, np.dtype(np.uint16))
        )

    @property
    def ones(self) -> bool:
        """Whether the levels are 0 and 1 alone, in a file that means black and white by them."""
        return bool(self._narrow) and self._narrow[1] == 1

    @property
    def ground(self) -> Ground:
        """What lies under transparent pixels: black under light content, white under dark."""
        is_light = self._visible == 0 or self._light / self._visible >= 128
        return "black" if is_light else "white"

    def narrow_scale(self) -> Scale:
        """The scale of pictures of 8 bits."""
        low, high = self._narrow
        if self.stretch and high > low:
            return Scale(255 / (high - low), low)
        return Scale(255 if self.ones else 1)

    def wide_scale(self) -> Scale:
        """The scale of pictures of more bits."""
        low, high = self._wide
        kind = self._wide_type or np.dtype(np.uint16)
        if kind == np.uint16 and not (self.stretch and high > low):
            return Scale(1 / 257)
        try:
            return scale_of(
                kind, low, high, what="A picture of more than 8 bits",
                whole=self._wide_whole, stretch=self.stretch,
            )  # fmt: skip
        except DataError as exc:
            raise ImageFileError(str(exc)) from exc

    def notes(self) -> tuple[str, ...]:
        """What was decided that is not obvious."""
        notes = []
        if self.stretch and self._narrow and self._narrow[0] < self._narrow[1]:
            low, high = self._narrow
            notes.append(f"contrast stretched: {low:g} is black, {high:g} white")
        elif self.ones:
            notes.append(ONES)
        if self._wide and self._wide_type != np.uint16:
            with suppress(ImageFileError):  # counted and named when the pictures are read
                notes += [note for note in [self.wide_scale().note] if note]
        if self._transparent:
            notes.append(f"transparent pixels on {self.ground}, for all images alike")
        if self._moving:
            notes.append("of files with several pictures the first alone")
        return tuple(notes)


def composed(values: Pixels, alpha: Pixels, ground: Ground) -> Pixels:
    """Return colours (C, H, W) over a ground, as opaque as ``alpha`` (H, W) says."""
    level = 0 if ground == "black" else 255
    opaque = alpha.astype(np.float64) / 255
    return np.round(values * opaque + level * (1 - opaque)).astype(np.uint8)
