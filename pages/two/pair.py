"""Which two of the chosen models the page compares."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hvae_core.common.words import LETTERS
from pages.shared import panel, ui
from pages.shared.controls import one_of
from pages.shared.state import Context
from pages.shared.store import Handle


def chosen(ctx: Context) -> tuple[Context, list[Handle]]:
    """The context with the chosen pair alone, which are A and B of this page, and the others."""
    pairs = {f"{a[0]} and {b[0]}": (a, b) for a, b in combinations(ctx.lettered, 2)}
    if not pairs:
        return ctx, []
    label = next(iter(pairs))
    if len(pairs) > 1:
        label = one_of("Models", list(pairs), label, key="t_pair")
    (first, a), (second, b) = pairs[label]
    if (first, second) != ("A", "B"):
        panel.said(
            f"On this page, in its report and its files, A is model {first} of the sidebar "
            f"({ui.plain(a.title)}), and B is model {second} ({ui.plain(b.title)}).",
            "Models", note=True,
        )  # fmt: skip
    pair = replace(ctx, models=(a, b), letters=LETTERS)
    return pair, [one for one in ctx.models if one not in (a, b)]
