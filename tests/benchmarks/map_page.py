"""A page with one map of ``?n=`` random points and nothing else, for ``tests.benchmarks.maps``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from hvae_core.figures.theme import LIGHT
from pages.latents import cloud
from pages.latents.points import Points

n = int(st.query_params.get("n", "20000"))
draw = np.random.default_rng(0)
sets = np.sort(draw.integers(0, 5, n))
centres = draw.normal(size=(5, 2)) * 3
coords = (centres[sets] + draw.normal(size=(n, 2))).astype(np.float32)
names = tuple(f"set {code}" for code in range(5))
points = Points(
    f"{n}",
    coords,
    sets,
    set_names=names,
    indices=np.arange(n),
    classes=("",) * n,
    files=("",) * n,
)
shown = cloud.Shown(
    coords, f"{n}", ("1", "2"), names, kind="set", alt="Random points", groups=sets, names=names,
    colors=[LIGHT.mark(code - 1 if code else None).color for code in range(5)],
)  # fmt: skip
took = st.session_state.setdefault("took", [])
cloud.draw(points, shown, {}, theme="light", on_pick=took.append, on_look=lambda row: None)
st.write("taken", len(took[-1]) if took else 0)
