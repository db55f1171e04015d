"""Which two of three or four chosen models the page compares."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from pages.shared import panel, ui
from pages.shared.controls import one_of
from pages.shared.state import Context
from pages.shared.store import Handle


def chosen(ctx: Context) -> tuple[Context, list[Handle]]:
    """The context with the chosen pair alone, which are A and B of this page, and the others."""
    if len(ctx.models) < 3:
        return ctx, []
    pairs = {f"{a[0]} and {b[0]}": (a, b) for a, b in combinations(ctx.lettered, 2)}
    label = one_of("Models", list(pairs), next(iter(pairs)), key="t_pair")
    (first, a), (second, b) = pairs[label]
    if (first, second) != ("A", "B"):
        panel.said(
            f"On this page, in its report and its files, A is model {first} of the sidebar "
            f"({ui.plain(a.title)}), and B is model {second} ({ui.plain(b.title)}).",
            "Models", note=True,
        )  # fmt: skip
    return replace(ctx, models=(a, b)), [one for one in ctx.models if one not in (a, b)]
