"""Results that all sessions share, known by the contents of what went in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score
from pages.shared.store import Handle

P = ParamSpec("P")
R = TypeVar("R")
Contents = Mapping[str | type, Callable[[Any], Any]]


def by_content(
    max_entries: int, own: Contents | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function gives, of so many calls; it is shared and must not be changed.

    Streamlit would hash every array in an argument. A checkpoint is known by its digest instead,
    images by their pixels, an evaluation by what was evaluated; ``own`` says the same of classes of
    a page.
    """
    return st.cache_resource(
        max_entries=max_entries, show_spinner=False, hash_funcs={**_CONTENTS, **(own or {})}
    )


def _material(material: Material) -> tuple[object, ...]:
    """What scores read of a set; measures follow from the pixels and are told by their names.

    Tables of other models and the training reference may change while all else looks the same.
    """
    tables = (material.table, *material.ensemble, material.background)
    mean = None if material.reference is None else material.reference.mean
    bounds = [table and fingerprint.digest(table.bound) for table in tables]
    fitted = material.held_out and _material(material.held_out)
    return bounds, mean, sorted(material.measures), fitted


_CONTENTS: Contents = {
    Handle: lambda handle: handle.digest,
    ImageSet: lambda images: images.digest,
    Evaluation: lambda known: (known.checkpoint, known.set_name, known.set_digest, known.settings),
    Material: _material,
    Score: lambda score: score.key,
}
