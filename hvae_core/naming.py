"""Layers in a sentence: "z1, z2 and z7", "z1 to z9 and u", "31 of 45 layers"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

RANGE = 4
"""So many neighbours are a range; fewer are named one by one."""
MOST = 5
"""More names and ranges than this are a number."""


def listed(words: Iterable[str]) -> str:
    """Words in a row, as "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def runs(layers: Sequence[int]) -> list[list[int]]:
    """Runs of neighbours among ascending numbers of layers."""
    found: list[list[int]] = []
    for i in layers:
        if found and found[-1][-1] == i - 1:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def span(names: Sequence[str], layers: Sequence[int]) -> str:
    """Neighbouring layers (numbers from 1) by the first and the last, as "z1 to z7"."""
    first, last = names[layers[0] - 1], names[layers[-1] - 1]
    if len(layers) < 3:
        return first if first == last else f"{first} and {last}"
    return f"{first} to {last}"


def layers_in_words(names: Sequence[str], layers: Sequence[int]) -> str:
    """Layers by their ascending numbers from 1, ``names`` being those of all layers.

    Neighbours are a range where they are many; what would still be a long list is a number.
    """
    parts: list[str] = []
    for run in runs(layers):
        if len(run) >= RANGE:
            parts.append(span(names, run))
        else:
            parts += [names[i - 1] for i in run]
    return listed(parts) if len(parts) <= MOST else f"{len(layers)} of {len(names)} layers"
