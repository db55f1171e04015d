"""What a page knows: the world, models and images chosen in the sidebar, built by app.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from hvae_core.common.errors import DataError
from hvae_core.common.words import LETTERS
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import OWN, World
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import lookup
from hvae_core.figures.theme import Palette, palette
from pages.shared.store import Handle, PageSets, page_sets

_KEY = "context"


@dataclass(frozen=True)
class Context:
    """The global choices of one run of the script; pages read it and change nothing in it."""

    world: World
    models: tuple[Handle, ...]
    """Model A, then B to D as far as they are chosen."""
    out_names: tuple[str, ...]
    seed: int
    data_root: str | None
    choices: World | None = None
    """The world of the sidebar, whose models can be chosen; ``world`` may be of own images."""
    background: Handle | None = None
    """The world's model that was trained on mutated pixels, where there is one."""
    letters: str = LETTERS
    """The letter of each model, without that of a model that is left out (``health``)."""

    @property
    def a(self) -> Handle:
        """Model A, whose results a page shows first."""
        return self.models[0]

    @property
    def lettered(self) -> list[tuple[str, Handle]]:
        """The models with their letters, A first."""
        return list(zip(self.letters, self.models, strict=False))

    def letter(self, handle: Handle) -> str:
        """The letter of one of the models where several are compared, else an empty text."""
        return self.letters[self.models.index(handle)] if len(self.models) > 1 else ""

    def letters_of(self, handles: Iterable[Handle]) -> str:
        """The letters of some of the models: by these a chart that they share draws them."""
        return "".join(self.letters[self.models.index(handle)] for handle in handles)

    def claim_of(self, handle: Handle, claim: str) -> str:
        """A title that is of one model alone: its letter stands before where there are more."""
        letter = self.letter(handle)
        return f"{letter}: {claim}" if letter and claim else claim

    @property
    def in_name(self) -> str:
        """The in-distribution test set."""
        return self.world.in_name

    @property
    def reference_name(self) -> str:
        """The held-out in-distribution set that p-values and thresholds rest on, on every page.

        Validation, never test. A set of the user's own that takes the place of the in-distribution
        set has no validation split, and is its own reference; so are the held-out images of a model
        trained on own images.
        """
        if self.in_name.startswith(OWN):
            return self.in_name
        return next((spec.name for spec in self.world.with_role("validation")), self.in_name)

    def place(self, name: str) -> int | None:
        """A set's place among all that the world holds against the model's own; None for its own.

        It says how the set is drawn, on every page, whichever others are chosen beside it.
        """
        held = [spec.name for spec in self.world.with_role("out", "control")]
        return held.index(name) if name in held else None

    @property
    def sets(self) -> PageSets:
        """The sets of the world, from the chosen data folder."""
        return page_sets(self.world, self.data_root)

    def images(self, set_name: str, handle: Handle | None = None) -> ImageSet:
        """The images that pages show of a set, at the shape of a model or of the world.

        Raises ``MissingImages`` with what to do where they are not on this machine.
        """
        sets = self.sets
        return sets.choose(set_name) if handle is None else sets.images(handle, set_name)

    def evaluation(self, handle: Handle, set_name: str) -> Evaluation | None:
        """The finished evaluation of a set under a checkpoint, shipped or cached, or None.

        None too where the images cannot be read, which ``jobs.evaluations`` says.
        """
        try:
            return lookup(handle, self.sets, set_name).evaluation
        except DataError:
            return None

    def title(self, set_name: str) -> str:
        """A set's title for people."""
        return self.world.spec(set_name).title

    def is_out(self, set_name: str) -> bool:
        """Whether a set is held against the model's own data."""
        return self.world.spec(set_name).role in ("out", "control", "shown")


def set_context(context: Context) -> None:
    """Keep the choices for the page that runs next."""
    st.session_state[_KEY] = context


def context() -> Context:
    """The choices of this run."""
    context: Context = st.session_state[_KEY]
    return context


def colors() -> Palette:
    """The palette of the theme in which the reader looks at the page."""
    return palette(st.context.theme.type)
