"""Places for what compares models: side by side, a column a model."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

WIDE = 2
"""Columns of a wide screen; on a narrow one they stand below each other."""


def grid(models: int, parts: int = 1) -> list[tuple[DeltaGenerator, ...]]:
    """For each model the places of so many parts; the same part of two models stands in one row.

    A model that is alone has the whole width.
    """
    if models == 1:
        return [tuple(st.container() for _ in range(parts))]
    places: list[tuple[DeltaGenerator, ...]] = []
    for first in range(0, models, WIDE):
        rows = [st.columns(WIDE, gap="large") for _ in range(parts)]
        places += list(zip(*rows, strict=True))[: models - first]
    return places
