"""Which two of the chosen models the page compares; each keeps its letter."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from pages.shared.controls import one_of
from pages.shared.state import Context
from pages.shared.store import Handle


def chosen(ctx: Context) -> tuple[Context, list[tuple[str, Handle]]]:
    """The context with the chosen pair alone, and the other models with their letters."""
    pairs = {f"{a[0]} and {b[0]}": (a, b) for a, b in combinations(ctx.lettered, 2)}
    if not pairs:
        return ctx, []
    label = next(iter(pairs))
    if len(pairs) > 1:
        label = one_of("Models", list(pairs), label, key="t_pair")
    pair = pairs[label]
    letters, models = "".join(letter for letter, _ in pair), tuple(handle for _, handle in pair)
    others = [one for one in ctx.lettered if one not in pair]
    return replace(ctx, models=models, letters=letters), others
