"""The reconstruction page's controls, words and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.words import LETTERS
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import fmt
from hvae_core.probes.picture_quality import GroupLoss
from pages.shared import current, image_names, selection, store, ui
from pages.shared.controls import draw_seed, k_slider, one_of, set_titles, temperature
from pages.shared.image_names import NamedImages
from pages.shared.kept import by_content
from pages.shared.pictures import Mode
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.reconstruct import Reconstructions

WAY_UP = (
    "The layers above k see the image through the layers below, which pass up either their mean "
    "or a random draw. The layers above k are always drawn."
)
NOTHING_DRAWN = (
    "Temperature changes nothing now, because no skipped layer is drawn. Choose k above 0, or "
    "*sample* the skipped layers."
)
MODES: tuple[Mode, ...] = ("mean", "sample")


@dataclass(frozen=True)
class ReconstructionSettings:
    """The controls that every picture of the page obeys."""

    k: int
    skipped: Mode
    up: Mode
    temperature: float
    seed: int
    scale: int

    @property
    def noise(self) -> dict[str, Any]:
        """What draws with the skipped layers drawn depend on."""
        return {"up": self.up, "temperature": self.temperature, "seed": self.seed}

    @property
    def drawing(self) -> dict[str, Any]:
        """What a reconstruction depends on."""
        return {"skipped": self.skipped, **self.noise}


def controls(ctx: Context) -> ReconstructionSettings:
    """k, how the layers are drawn, and the size of the pictures."""
    counted = store.counted(ctx.models)
    told_nothing = (
        f"The k lowest {counted} do not see the image: they are drawn from what the {counted} "
        "above expect. k = 0 uses every layer."
    )
    scales = "How widely skipped layers are drawn: 0 gives their mean, 1 is the model's own spread."
    which = "The number of the draw. The same number and seed give the same picture again."
    skipped = "Draw the skipped layers at random, or set them to their mean."
    size = "Screen pixels for each pixel of an image."
    k = k_slider(ctx, "r_k", help=told_nothing)
    mode = one_of("Skipped layers", MODES, "mean", key="r_skipped", help=skipped)
    deep = any(handle.n_levels > 1 for handle in ctx.models)
    idle = "" if k or (deep and mode == "sample") else NOTHING_DRAWN
    return ReconstructionSettings(
        k=k,
        skipped=mode,
        up=one_of("Signal to upper layers", MODES, "mean", key="r_up", help=WAY_UP),
        temperature=temperature("r_temp", scales, idle),
        seed=draw_seed(ctx, "r_draw", help=which),
        scale=int(one_of("Pixels", ["2×", "3×", "4×", "6×"], "3×", key="r_size", help=size)[0]),
    )


def images_control(ctx: Context) -> list[str]:
    """Which images are the rows: chips of set and number, and three ways to fill them."""
    key, first = f"r_rows_{ctx.world.key}", image_names.first(ctx)
    written = st.session_state.get(key) or []
    rows = image_names.named(ctx, written)
    if rows != written:  # typed, and now shown as the others are
        _fill(key, rows)
    example = ui.plain(image_names.in_words(ctx, image_names.name_of(ctx.in_name, 14)))
    chosen = st.multiselect(
        "Images", list(dict.fromkeys([*first, *rows])), default=first, key=key,
        accept_new_options=True, format_func=partial(image_names.in_words, ctx),
        max_selections=image_names.MOST, bind="query-params",
        help=f"Set and number of an image, for example {example}. Type a new "
        "one, or use the button Add. The current image and the pinned one come before these.",
    )  # fmt: skip
    names = image_names.named(ctx, chosen)
    with st.container(horizontal=True):
        st.button("First", on_click=_fill, args=(key, first))
        st.button(
            "Random", key="r_shuffle", on_click=_randomise, args=(ctx, key),
            icon=":material/shuffle:",
        )  # fmt: skip
        selected = len(selection.current(ctx))
        st.button(
            f"From selection ({selected})",
            on_click=_fill_selected,
            args=(ctx, key),
            disabled=not selected,
            help="Images of the last lasso on the page Latent space, from each of its sets and "
            f"classes in turn, at most {image_names.MOST}.",
        )
        with st.popover("Add", icon=":material/add:"):
            _adder(ctx, key)
    here = [current.chosen(ctx, role) for role in (current.IMAGE, current.PINNED)]
    return image_names.limited([*(image_names.name_of(*one) for one in here if one), *names])


def followed(ctx: Context, names: Sequence[str]) -> None:
    """Let the choice of the image that is drawn several times follow the current one."""
    if current.moved(ctx, "r_of") and (spot := current.chosen(ctx)):
        name = image_names.name_of(*spot)
        if name in names:
            st.session_state["r_of"] = name


def claim(groups: Sequence[GroupLoss], k: int, levels: Sequence[str]) -> str:
    """What the shown rows lose at k, in one sentence made of their numbers."""
    start = f"From {levels[k]} up,"
    if not all(math.isfinite(group.nll) and math.isfinite(group.lost) for group in groups):
        return f"{start} this model gives no finite numbers for these images"
    inside = [group for group in groups if not group.out]
    outside = [group for group in groups if group.out]
    if not k:
        costs = [_does(g, "cost", g.nll) for g in _ends(inside, outside, lost=False)]
        return f"With every layer in use, {' and '.join(costs)}"
    ends = _ends(inside, outside, lost=True)
    if len(ends) == 1:
        return f"{start} {_loses(ends[0])}"
    own, other = ends
    if max(abs(own.lost), abs(other.lost)) < 1:
        return f"{start} {_who(other)} and {_who(own)} lose less than one nat each"
    if min(own.lost, other.lost) < 0:
        return f"{start} {_loses(other)}, while {_loses(own, '')}"
    if other.lost > own.lost:
        only = "only " if other.lost > 2 * own.lost else ""
        return f"{start} {_loses(other)}, {_who(own)} {only}{fmt(own.lost)}{_each(own)}"
    return f"{start} {_loses(other)}, no more than {_who(own)} with {fmt(own.lost)}{_each(own)}"


def starts(handles: Sequence[Handle], k: int, letters: str = LETTERS) -> str:
    """From where the models read at k, as "z3", or as "14x14 (A) and z3 (B)" where they differ."""
    levels = [handle.level_names[min(k, handle.n_levels - 1)] for handle in handles]
    if len(set(levels)) == 1:
        return levels[0]
    return " and ".join(
        f"{level} ({letter})" for level, letter in zip(levels, letters, strict=False)
    )


def table(
    named: NamedImages,
    results: Sequence[tuple[Handle, Reconstructions]],
    settings: ReconstructionSettings,
) -> pd.DataFrame:
    """-log p(x | z_>k) of every row, k and model, with the settings that made it."""
    return pd.DataFrame(
        {
            "model": handle.title,
            "set": name.rpartition(" ")[0],
            "image": int(name.rpartition(" ")[2]),
            "file": named.images.file(i),
            "k": k,
            "nll_nats": float(rebuilt.nll[k, i]),
            **settings.drawing,
        }
        for handle, rebuilt in results
        for i, name in enumerate(named.names)
        for k in range(handle.n_levels)
    )


@by_content(64)
def draws_of(
    handle: Handle, image: ImageSet, k: int, *, n: int, seed: int, up: Mode, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """n draws of p(x | z_>k) of one image, the skipped layers always drawn, and their nats."""
    from hvae_core.probes.reconstruct import draws

    return store.ask(
        handle,
        draws,
        image.images,
        image.image_digests()[0],
        k=k,
        n=n,
        seed=seed,
        up=up,
        temperature=temperature,
    )


def _adder(ctx: Context, key: str) -> None:
    """One more row by set and number."""
    titles = set_titles(ctx)
    st.selectbox("Set", list(titles), format_func=titles.__getitem__, key="r_add_set")
    st.number_input("Number", 0, store.SHOWN_LIMIT - 1, key="r_add_number")
    st.button("Add this image", on_click=_add, args=(ctx, key))


def _add(ctx: Context, key: str) -> None:
    name = image_names.name_of(st.session_state["r_add_set"], int(st.session_state["r_add_number"]))
    _fill(key, [*(st.session_state.get(key) or []), name])


def _fill(key: str, names: Sequence[str]) -> None:
    st.session_state[key] = image_names.limited(names)


def _fill_selected(ctx: Context, key: str) -> None:
    _fill(key, image_names.from_selection(ctx, image_names.MOST))


def _randomise(ctx: Context, key: str) -> None:
    """Other images by the seed: the first click after a reload gives the same ones again."""
    count = int(st.session_state.get("r_random", 0)) + 1
    st.session_state["r_random"] = count
    _fill(key, image_names.random(ctx, count))


def _ends(
    inside: Sequence[GroupLoss], outside: Sequence[GroupLoss], *, lost: bool
) -> list[GroupLoss]:
    """The in-distribution rows and the outsiders that lose (or cost) the most."""

    def size(group: GroupLoss) -> float:
        return group.lost if lost else group.nll

    return [max(groups, key=size) for groups in (inside, outside) if groups]


def _who(group: GroupLoss) -> str:
    """The rows of a group: "one image of Digits", "3 images of Digits"."""
    return f"{'one image' if group.n == 1 else f'{group.n} images'} of {group.name}"


def _does(group: GroupLoss, verb: str, value: float, unit: str = "nats") -> str:
    """ "3 images of Digits lose 57.0 nats each": means of a group are said of each image."""
    return f"{_who(group)} {verb}{'s' * (group.n == 1)} {fmt(value, unit)}{_each(group)}"


def _each(group: GroupLoss) -> str:
    return "" if group.n == 1 else " each"


def _loses(group: GroupLoss, unit: str = "nats") -> str:
    verb = "gain" if group.lost < 0 else "lose"
    return _does(group, verb, abs(group.lost), unit)
