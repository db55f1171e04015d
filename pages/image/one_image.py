"""One image as it came, and what a visitor does to it before a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import HELP, NOTES, WORDS, Step, prepared, turned
from pages.shared.store import Handle

TURNS = {"0°": 0, "90°": 1, "180°": 2, "270°": 3}


@dataclass(frozen=True, eq=False)
class OneImage:
    """The image as it came (a set of one) and where it is from, for people."""

    images: ImageSet
    title: str

    def at(self, handle: Handle) -> ImageSet:
        """The image at the shape of a model."""
        return self.images.fit(handle.image_shape)

    def after(self, steps: Sequence[Step]) -> OneImage:
        """The image after these steps, which the notes name."""
        if not steps:
            return self
        pixels = prepared(self.images.images[0], tuple(steps))[None]
        notes = (*self.images.notes, *(NOTES[step] for step in steps))
        return OneImage(replace(self.images, images=pixels, notes=notes), self.title)

    def turned(self, quarters: int) -> OneImage:
        """The image turned to the right by so many quarters of a circle."""
        if not quarters:
            return self
        pixels = turned(self.images.images[0], quarters)[None]
        notes = (*self.images.notes, f"turned by {90 * quarters}° to the right")
        return OneImage(replace(self.images, images=pixels, notes=notes), self.title)


def steps_asked(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Which of these steps the visitor wants: a choice that stands in links."""
    asked = st.pills(
        "Prepare", steps, selection_mode="multi", format_func=WORDS.__getitem__, key="i_prepare",
        bind="query-params", help="  \n".join(f"{WORDS[step]}: {HELP[step]}" for step in steps),
    )  # fmt: skip
    return tuple(step for step in steps if step in asked)


def turn_asked() -> int:
    """By how many quarters of a circle the visitor wants the picture turned to the right."""
    label = st.segmented_control(
        "Turn", list(TURNS), default="0°", key="i_turn", bind="query-params", required=True
    )
    return TURNS[label]
