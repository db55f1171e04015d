"""Which two of three or four chosen models the page compares."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import streamlit as st

from pages.shared import ui
from pages.shared.controls import one_of
from pages.shared.state import Context


def chosen(ctx: Context) -> Context:
    """The context with the chosen pair alone, which are A and B of this page."""
    pairs = {f"{a[0]} and {b[0]}": (a, b) for a, b in combinations(ctx.lettered, 2)}
    label = one_of("Models", list(pairs), next(iter(pairs)), key="t_pair")
    (first, a), (second, b) = pairs[label]
    if (first, second) != ("A", "B"):
        st.caption(
            f"On this page A is model {first} of the sidebar ({ui.plain(a.title)}), and B is model "
            f"{second} ({ui.plain(b.title)})."
        )
    return replace(ctx, models=(a, b))
