"""What a visitor changes of the one image: the controls, and the way back. All stand in links."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from hvae_core.data.changed import UNMOVED, Window
from hvae_core.data.perturb import Perturbation
from hvae_core.data.prepare import HELP, WORDS, Step
from hvae_core.data.prepare import STEPS as ALL_STEPS
from pages.image.one_image import OneImage

TURNS = {"0°": 0, "90°": 1, "180°": 2, "270°": 3}
STEPS: tuple[Step, ...] = ("invert", "crop", "pad")
"""On an image that is read already."""
SLIDERS: dict[str, tuple[str, tuple[float, float, float], str]] = {
    "rotation": ("Rotation", (-180, 180, 5), "%g°"),
    "blur": ("Blur", (0, 4, 0.25), "%g px"),
    "contrast": ("Contrast", (0, 2, 0.05), "%g"),
    "noise": ("Noise", (0, 128, 4), "%g levels"),
    "box": ("Grey box", (0, 1, 0.05), "%g"),
    "across": ("Box across", (0, 1, 0.05), "%g"),
    "down": ("Box down", (0, 1, 0.05), "%g"),
}
"""Label, range and step, and how the value is written."""
_SIDES = {"across": "Keep across", "down": "Keep down"}
_KEEP = [f"i_keep_{name}" for name in _SIDES]
NONE: dict[str, Any] = {
    "i_turn": "0°",
    "i_prepare": [],
    **dict.fromkeys(_KEEP, (0, 100)),
    **{f"i_by_{name}": getattr(UNMOVED, name) for name in SLIDERS},
}
"""What every control of a change says while the image is as it came."""


def asked(image: OneImage, seed: int, *, steps: Sequence[Step] = STEPS) -> OneImage:
    """The image with the changes that the controls ask for."""
    across, down = (_kept(name) for name in _SIDES)
    window: Window = (*across, *down)
    return replace(
        image, window=window, steps=steps_asked(steps) if steps else (), quarters=_turn(),
        by=_sliders(), seed=seed,
    )  # fmt: skip


def steps_asked(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Which of these steps the visitor wants."""
    asked = st.pills(
        "Prepare", steps, selection_mode="multi", format_func=WORDS.__getitem__, key="i_prepare",
        bind="query-params", help="  \n".join(f"{WORDS[step]}: {HELP[step]}" for step in steps),
    )  # fmt: skip
    return tuple(step for step in steps if step in asked)


def undo() -> None:
    """Bring every control of a change back, so that the image is as it came."""
    st.session_state.update(NONE)


def chosen() -> dict[str, Any]:
    """What every control of a change says now."""
    return {key: st.session_state.get(key, value) for key, value in NONE.items()}


def to_text(controls: Mapping[str, Any]) -> str:
    """What these controls say in a link, as far as it is other than while nothing is changed."""
    said = {key: value for key, value in controls.items() if value != NONE[key]}
    return json.dumps(said, ensure_ascii=False)


def from_text(text: str) -> dict[str, Any]:
    """What every control says by such a text; what no control could say is left out."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    found = dict(NONE)
    for key, value in said.items() if isinstance(said, dict) else ():
        sound = _sound(str(key), value)
        if sound is not None:
            found[key] = sound
    return found


def _sound(key: str, value: Any) -> Any:
    """A value as its control says it, or None where it cannot say that."""
    if key == "i_turn":
        return value if value in [*TURNS] else None
    if key == "i_prepare" and isinstance(value, list):
        return [step for step in ALL_STEPS if step in value]
    numbers = value if isinstance(value, list) else [value]
    if not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        return None
    name = key.removeprefix("i_by_")
    if name in SLIDERS and len(numbers) == 1:
        low, high, _ = SLIDERS[name][1]
        return float(min(max(numbers[0], low), high))
    if key in _KEEP and len(numbers) == 2 and 0 <= numbers[0] <= numbers[1] <= 100:
        return int(numbers[0]), int(numbers[1])
    return None


def _kept(name: str) -> tuple[float, float]:
    """From where to where a side of the picture is kept, as shares of it."""
    low, high = st.slider(
        _SIDES[name], 0, 100, (0, 100), key=f"i_keep_{name}", bind="query-params", format="%d %%",
        help="The part between the two ends is kept, and the rest cut off.",
    )  # fmt: skip
    return low / 100, high / 100


def _turn() -> int:
    """By how many quarters of a circle the picture is turned to the right."""
    label = st.segmented_control(
        "Turn", list(TURNS), default="0°", key="i_turn", bind="query-params", required=True
    )
    return TURNS[label]


def _sliders() -> Perturbation:
    chosen = {}
    for name, (label, (low, high, step), written) in SLIDERS.items():
        chosen[name] = st.slider(
            label, float(low), float(high), getattr(UNMOVED, name), float(step),
            key=f"i_by_{name}", bind="query-params", format=written,
        )  # fmt: skip
    return Perturbation(**chosen)
