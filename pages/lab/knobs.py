"""The knobs of a run: each change is told to the run, which goes on under it or starts anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import streamlit as st

from hvae_core.common.errors import HVAEError
from pages.lab import runs
from pages.lab.runs import Run

OBJECTIVES = {"elbo": "plain", "informative": "informative"}
PIXELS = {"gaussian_fixed": "Gaussian", "bernoulli": "binary"}
DATA = {"letters": "Letters", "digits": "Digits"}
RATES = (1e-4, 5e-4, 1e-3, 2e-3, 4e-3, 1e-2, 3e-2)
PROBLEM = "lab_problem"


def tell(action: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Do what a control asks for; what is in the way is shown on the page."""
    try:
        action(*args, **kwargs)
    except HVAEError as error:
        st.session_state[PROBLEM] = str(error)


def _turned(run: Run, name: str, key: str) -> None:
    tell(runs.turn, run, name, st.session_state[key])


def panel(run: Run) -> None:
    """All knobs of a run."""
    knobs = run.control.knobs
    gaussian, plain = knobs.likelihood == "gaussian_fixed", knobs.objective == "elbo"

    def key(name: str, value: Any) -> dict[str, Any]:
        """Every run of the page shows how the run is set: its preset turns knobs too."""
        name_of = f"lab_{run.slot}_{name}"
        st.session_state[name_of] = value
        return {"key": name_of, "on_change": _turned, "args": (run, name, name_of)}

    st.markdown("**While it trains**")
    st.segmented_control(
        "Objective", list(OBJECTIVES), format_func=OBJECTIVES.__getitem__, required=True,
        help="The plain bound (ELBO), or the informative one, which asks the upper layers alone to "
        "explain the image too.", **key("objective", knobs.objective),
    )  # fmt: skip
    st.slider(
        "beta, weight of the KL", 0.0, 10.0, step=0.25, disabled=not plain,
        **key("beta", min(knobs.beta, 10.0)),
    )  # fmt: skip
    st.slider(
        "Free bits (nats a layer)", 0.0, 4.0, step=0.25, disabled=not plain,
        help="Up to so many nats a layer costs nothing.",
        **key("free_bits", min(knobs.free_bits, 4.0)),
    )  # fmt: skip
    st.slider(
        "Warm-up (steps)", 0, 2000, step=50, disabled=not plain,
        help="beta rises from 0 over so many steps from the start.",
        **key("warmup", min(knobs.warmup, 2000)),
    )  # fmt: skip
    st.slider(
        "sigma of the pixels", 0.05, 1.0, step=0.01, disabled=not gaussian,
        help="The standard deviation of p(x | z). A unit of a linear model dies where sigma passes "
        "the square root of its eigenvalue of the data.", **key("std", min(knobs.std, 1.0)),
    )  # fmt: skip
    _largest(run)
    st.select_slider(
        "Learning rate", sorted({*RATES, knobs.learning_rate}), format_func=lambda v: f"{v:g}",
        **key("learning_rate", knobs.learning_rate),
    )  # fmt: skip
    st.markdown("**From the start** (a change begins again)")
    st.slider("Layers", 1, 5, **key("depth", knobs.depth))
    st.segmented_control(
        "Pixels", list(PIXELS), format_func=PIXELS.__getitem__, required=True,
        **key("likelihood", knobs.likelihood),
    )  # fmt: skip
    st.segmented_control(
        "Data", list(DATA), format_func=DATA.__getitem__, required=True, **key("data", knobs.data)
    )
    st.toggle("Skip connections", **key("skip", knobs.skip))
    st.number_input("Seed of the run", 0, 999_999, **key("seed", knobs.seed))


def _largest(run: Run) -> None:
    """Where sigma kills the strongest unit of a linear model."""
    if run.frame is not None and len(run.frame.eigenvalues):
        marks = [math.sqrt(max(0.0, float(value))) for value in run.frame.eigenvalues[:3]]
        st.caption(
            f"Square root of the data's largest eigenvalue: **{marks[0]:.2f}**, then "
            f"{marks[1]:.2f} and {marks[2]:.2f}."
        )
