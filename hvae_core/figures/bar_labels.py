"""Labels above bars: as large on a narrow screen as on a wide one, and clear of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hvae_core.common.arrays import Floats
from hvae_core.common.words import MINUS, SUPERSCRIPTS, power_of_ten
from hvae_core.figures.layer_axis import Seats
from hvae_core.figures.theme import Palette

FONT_SIZE = 12
NARROW = 250
"""Pixels of a plot on the narrowest screens."""
_LINE = 18
"""Pixels of a line of a label, with the gap to its bar."""
_SIGN, _SMALL, _BLANK = 6.2, 4.2, 3.0
"""Pixels of a sign of a label, of a raised one, and of a blank."""
_SIGNS = {".": _BLANK, " ": _BLANK} | dict.fromkeys(SUPERSCRIPTS, _SMALL)


@dataclass(frozen=True)
class Labels:
    """The labels of each model's bars, and the angle in degrees at which they all stand."""

    texts: list[list[str]]
    angle: int = 0

    @property
    def tall(self) -> int:
        """Pixels that the tallest label takes above its bar; 0 where there are none."""
        every = [text for texts in self.texts for text in texts if text]
        if self.angle:
            return round(max(map(_wide, every), default=0.0)) + 4
        return _LINE * max((1 + text.count("<br>") for text in every), default=0)

    @property
    def more(self) -> int:
        """Pixels by which a chart is taller than with labels of one line or two."""
        return max(0, self.tall - 2 * _LINE)

    def clear_of(self, lines: Sequence[Floats]) -> Labels:
        """The same, each lifted over the line so many pixels above its bar that would strike it.

        Upright ones stay: they hide a piece of the line.
        """
        if self.angle:
            return self
        lifted = [
            [_over(text, pixels) for text, pixels in zip(texts, above.tolist(), strict=True)]
            for texts, above in zip(self.texts, lines, strict=True)
        ]
        return replace(self, texts=lifted)


def upright(text: str, x: float, y: float, angle: int, colors: Palette) -> dict[str, Any]:
    """A label at an angle whose lower end is at x and y of the axes, over all that lies there."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "textangle": angle,
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": FONT_SIZE, "color": colors.text},
        "bgcolor": colors.background,
        "borderpad": 0,
        "yshift": 2,
    }


def legible(texts: Sequence[Sequence[str]], seats: Seats) -> Labels:
    """Labels that fit beside each other on a narrow screen.

    Where they are too wide, long numbers are written as powers, and all in more lines; where these
    are too wide too, labels stand upright in one line.
    """
    low, high = seats.axis["range"]
    side_by_side = seats.shared and len(texts) > 1
    room = NARROW * (seats.width if side_by_side else 1.0) / (high - low)
    plain = Labels([[*own] for own in texts])
    narrow = Labels([[*map(_narrow, own)] for own in texts])
    for labels in (plain, narrow):
        if max((_wide(text) for own in labels.texts for text in own), default=0.0) <= room:
            return labels
    return Labels([[text.replace("<br>", " ") for text in own] for own in texts], angle=-90)


def _narrow(text: str) -> str:
    """A number of many signs as 6.61 over a power of ten, and "459 of 1568" in three lines."""
    number = text.replace(MINUS, "-")
    if len(text) > 5 and re.fullmatch(r"-?0\.\d+", number):
        text = power_of_ten(float(number))
    return text.replace("×", "<br>×").replace("of ", "of<br>")


def _wide(text: str) -> float:
    """Pixels of the widest line of a label, about."""
    return max(sum(_SIGNS.get(sign, _SIGN) for sign in line) for line in text.split("<br>"))


def _over(text: str, pixels: float) -> str:
    """A label lifted over a line so many pixels above its bar, where that would strike it."""
    struck = text and 0 <= pixels < _LINE * (1 + text.count("<br>"))
    return text + "<br> " * (1 + int(pixels // _LINE)) if struck else text
