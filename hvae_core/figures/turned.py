"""Where knobs were turned, over lines by step: turns that lie together share a line and a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from hvae_core.figures.theme import Palette

ROWS = 3
"""Rows of labels."""
_LETTER = 6.2
"""Pixels of a letter at 13 pixels, about."""
_TICK = 7
_LISTED = 12
"""Turns that are told under the mouse at most: the latest."""
_POINTS = 4
"""Values that a label names at most."""


@dataclass(frozen=True)
class Turn:
    """A knob that was turned at a step, and to what, as "free bits" and "0.5"."""

    step: int
    knob: str
    value: str


@dataclass(eq=False)
class Turns:
    """Turns of one knob that lie so close that their labels would not fit: from ``x`` pixels on."""

    run: str
    """What a label begins with; empty where there is one run."""
    knob: str
    at: list[tuple[float, Turn]] = field(default_factory=list)

    @property
    def first(self) -> float:
        """Pixels from the left to the first turn."""
        return self.at[0][0]

    @property
    def last(self) -> float:
        """Pixels from the left to the last turn."""
        return self.at[-1][0]

    @property
    def words(self) -> str:
        """As "free bits 0.1 to 0.4": where the knob began, where it turned round, where it is."""
        values = _turning_points([turn.value for _, turn in self.at])
        told = " to ".join(values)
        if len(values) > _POINTS:
            told = f"{values[0]} to {values[-1]}, {len(self.at)} turns"
        return f"{self.run}{self.knob} {told}"

    @property
    def listed(self) -> str:
        """Every turn with its step."""
        told = [f"{turn.value} at step {turn.step:,}" for _, turn in self.at[-_LISTED:]]
        more = "… " if len(self.at) > _LISTED else ""
        return f"{self.run}{self.knob} {more}{', '.join(told)}"


def joined(turns: Sequence[tuple[float, str, Turn]]) -> list[Turns]:
    """Turns at x pixels, of a run by its name, in the order of steps; neighbours of a knob joined.

    Two of the same knob are joined where less than half a label lies between them: what lies
    further apart has room in two rows.
    """
    found: list[Turns] = []
    latest: dict[tuple[str, str], Turns] = {}
    for x, run, turn in turns:
        group = latest.get((run, turn.knob))
        if group is None or x - group.last >= _LETTER * len(group.words) / 2:
            group = latest[run, turn.knob] = Turns(run, turn.knob)
            found.append(group)
        group.at.append((x, turn))
    return found


def labels(groups: Sequence[Turns], left: float) -> list[tuple[Turns, float, str, int]]:
    """(turns, x, anchor, row) of the labels that have room; the latest choose first.

    A label ends at its line, or begins there where the chart begins, ``left`` pixels on.
    """
    taken: list[list[tuple[float, float]]] = [[] for _ in range(ROWS)]
    found = []
    for group in sorted(groups, key=lambda one: one.last, reverse=True):
        width = _LETTER * len(group.words)
        before = group.last - 4 - width >= left
        start = group.last - 4 - width if before else group.last + 4
        room = (
            row
            for row, others in enumerate(taken)
            if all(start > end or start + width < begin for begin, end in others)
        )
        row = next(room, None)
        if row is not None:
            taken[row].append((start - _LETTER, start + width + _LETTER))
            place = (group.last - 4, "end") if before else (group.last + 4, "start")
            found.append((group, *place, row))
    return found


def drawn(
    groups: Sequence[Turns],
    named: Sequence[tuple[Turns, float, str, int]],
    colors: Palette,
    *,
    top: float,
    bottom: float,
) -> list[str]:
    """SVG of lines from ``top`` to ``bottom`` and of labels.

    Turns that lie together are a grey band that ends at a line; what has no room for its label is
    a short mark at the bottom. All say what they are under the mouse.
    """
    parts = []
    with_label = {id(group) for group, *_ in named}
    for group in groups:
        title = f"<title>{escape(group.listed)}</title>"
        if id(group) not in with_label:
            parts.append(
                f'<path d="M{group.last:.1f} {bottom}v-{_TICK}" stroke="{colors.muted}">'
                f"{title}</path>"
            )
            continue
        if group.last - group.first >= 1:
            parts.append(
                f'<rect x="{group.first:.1f}" y="{top}" width="{group.last - group.first:.1f}" '
                f'height="{bottom - top}" fill="{colors.muted}" fill-opacity="0.12">{title}</rect>'
            )
        parts.append(
            f'<path d="M{group.last:.1f} {top}V{bottom}" stroke="{colors.muted}" '
            f'stroke-dasharray="2 4">{title}</path>'
        )
    parts += [
        f'<text x="{x:.1f}" y="{top + 10 + 15 * row}" text-anchor="{anchor}" '
        f'paint-order="stroke" stroke="{colors.background}" stroke-width="3">'
        f"{escape(group.words)}</text>"
        for group, x, anchor, row in named
    ]
    return parts


def _turning_points(values: Sequence[str]) -> list[str]:
    """The first and the last value, and those between from which the knob was turned back."""
    kept: list[str] = []
    for value in values:
        if kept and value == kept[-1]:
            continue
        if len(kept) >= 2 and _goes_on(kept[-2], kept[-1], value):
            kept[-1] = value
        else:
            kept.append(value)
    return kept


def _goes_on(before: str, now: str, then: str) -> bool:
    """Whether three values rise, or fall; words do neither."""
    try:
        low, middle, high = float(before), float(now), float(then)
    except ValueError:
        return False
    return (middle - low) * (high - middle) > 0
