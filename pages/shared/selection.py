"""The current subset: images taken by lasso, class or threshold; links hold it whole or not."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TypeVar
from urllib.parse import quote

import numpy as np
import streamlit as st

from hvae_core.common.errors import HVAEError
from pages.shared import links, same_pixels, ui
from pages.shared.state import Context

KEY = "selection"
"""In the session's state and in links."""
Selection = list[tuple[str, int]]
"""Set and number of each image."""
T = TypeVar("T")
_State = tuple[Selection, int]
_TOTAL, _PAST, _UNDONE = "selection_total", "selection_past", "selection_undone"
_STEPS = 50
"""Changes that can be undone."""
_MOST = 2**15
"""Characters of a selection in a link that are read."""
_PIXELS = f"{KEY}_{same_pixels.IMAGES}"
"""In links."""
_BITS = 6
"""Images that one sign of a link holds."""


def keep(picks: Selection, of: int = 0, chart: str = "") -> None:
    """Make these, of so many images, the selection of this session; none clears it.

    ``chart`` is the name of the chart in which they were outlined (``chart_key``).
    """
    if chart:
        _outlines()[chart] = (picks, _outlines().get(chart, ([], 0))[1])
    before = _state()
    if picks == before[0]:
        return
    past: list[_State] = st.session_state.setdefault(_PAST, [])
    past.append(before)
    del past[:-_STEPS]
    st.session_state[_UNDONE] = []
    _set((picks, of))


def chart_key(chart: str) -> str:
    """The key of a chart in which the subset is outlined: a new one once the subset is another.

    A chart keeps its outline, and points that it faded, as long as it has its key.
    """
    picks, turn = _outlines().get(chart, ([], 0))
    if picks and picks != _state()[0]:
        turn += 1
        _outlines()[chart] = ([], turn)
    return f"{chart}-{turn}" if turn else chart


def _outlines() -> dict[str, tuple[Selection, int]]:
    """By chart what was outlined in it, and how often its outline was taken away."""
    found: dict[str, tuple[Selection, int]] = st.session_state.setdefault("selection_outlines", {})
    return found


def undo() -> None:
    """Go back to the selection before the last change."""
    _go(_PAST, _UNDONE)


def redo() -> None:
    """Take back the last undo."""
    _go(_UNDONE, _PAST)


def can_undo() -> bool:
    """Whether there is a change to take back."""
    return bool(st.session_state.get(_PAST))


def can_redo() -> bool:
    """Whether there is an undo to take back."""
    return bool(st.session_state.get(_UNDONE))


def total() -> int:
    """Of how many images the selection was taken; 0 where that is not known."""
    return _state()[1]


def saved() -> dict[str, Selection]:
    """The selections that were saved in this session, by name; change it to save or remove."""
    found: dict[str, Selection] = st.session_state.setdefault("subsets", {})
    return found


def picked() -> Selection:
    """The selection as it was made, whether its sets are here or not."""
    return _state()[0]


def named() -> set[str]:
    """The sets that undo, redo or a saved subset could bring back."""
    steps = (*st.session_state.get(_PAST, []), *st.session_state.get(_UNDONE, []))
    lists = (*(picks for picks, _ in steps), *saved().values())
    return {name for picks in lists for name, _ in picks}


def _state() -> _State:
    return st.session_state.get(KEY) or [], int(st.session_state.get(_TOTAL, 0))


def _set(state: _State) -> None:
    st.session_state[KEY], st.session_state[_TOTAL] = state
    ui.redraw_all()


def _go(source: str, target: str) -> None:
    if st.session_state.get(source):
        st.session_state.setdefault(target, []).append(_state())
        _set(st.session_state[source].pop())


def current(ctx: Context) -> Selection:
    """The selection, that of a link where one has just been opened, as far as its sets are here."""
    asked = links.arrived(KEY)
    if asked:
        try:
            st.session_state[KEY], st.session_state[_TOTAL] = from_text(asked), 0
        except HVAEError as error:
            links.absent(KEY, str(error))
    known = {spec.name for spec in ctx.world.sets}
    picks: Selection = st.session_state.get(KEY) or []
    here = [(name, index) for name, index in picks if name in known]
    if asked and len(here) < len(picks):
        links.absent(
            KEY,
            f"{len(picks) - len(here):,} of the {len(picks):,} images of this link's selection are "
            "of sets that are not here: somebody brought them, or they are of another world.",
        )
    digests = _digests(ctx, here)
    text = _linked(picks, links.room(KEY, _PIXELS) - same_pixels.SIGNS * len(digests))
    links.say(KEY, text)
    if text:
        same_pixels.check(digests, _PIXELS)
    else:
        links.say(_PIXELS, "")
    return here


def left_out() -> int:
    """How many images are selected of which the address says nothing, as they have no room."""
    return 0 if KEY in links.written() else len(picked())


def _linked(picks: Selection, most: int) -> str:
    """The selection in a link that has room for so many signs; "" where it does not fit."""
    highest: dict[str, int] = {}
    for name, index in picks:
        highest[name] = max(index, highest.get(name, 0))
    if sum(highest.values()) > _BITS * max(most, 0):  # before anything is packed
        return ""
    text = to_text(picks)
    return text if len(quote(text)) <= most else ""


def _digests(ctx: Context, picks: Selection) -> dict[str, int]:
    """64 bits of the pixels of each set's selected images; nothing of sets without images."""
    found = {}
    for name in dict.fromkeys(name for name, _ in picks):
        try:
            chosen = ctx.images(name).take([index for other, index in picks if other == name])
        except HVAEError:
            continue
        found[f"The selection from {ctx.title(name)}"] = int(chosen.digest[:16], 16)
    return found


def to_text(picks: Selection) -> str:
    """The selection as it stands in a link: a bit an image, set by set."""
    parts = []
    for name in dict.fromkeys(name for name, _ in picks):
        numbers = [index for other, index in picks if other == name]
        bits = np.zeros(max(numbers) + 1, bool)
        bits[numbers] = True
        packed = base64.urlsafe_b64encode(np.packbits(bits).tobytes()).decode().rstrip("=")
        parts.append(f"{name}.{packed}")
    return "~".join(parts)


def from_text(text: str) -> Selection:
    """The selection that a link holds; ``HVAEError`` where it is damaged."""
    picks: Selection = []
    try:
        if len(text) > _MOST:
            raise ValueError
        for part in text.split("~"):
            name, _, packed = part.rpartition(".")
            data = base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True)
            bits = np.unpackbits(np.frombuffer(data, np.uint8))
            picks += [(name, int(index)) for index in np.flatnonzero(bits)]
    except (ValueError, binascii.Error):
        raise HVAEError(
            "The selection of this link is damaged: copy the whole link again, or draw a lasso on "
            "the page Latent space."
        ) from None
    return picks


def spread(picks: Selection, most: int, class_of: Callable[[str, int], str]) -> Selection:
    """At most so many of the selection, from every set and every class of it in turn."""
    sets: dict[str, dict[str, Selection]] = {}
    for name, index in picks:
        sets.setdefault(name, {}).setdefault(class_of(name, index), []).append((name, index))
    by_set = [in_turn(list(classes.values())) for classes in sets.values()]
    return in_turn(by_set)[:most]


def in_turn(lists: Sequence[Sequence[T]]) -> list[T]:
    """The first of every list, then the second of each that has one, and so on."""
    absent = object()
    rows = zip_longest(*lists, fillvalue=absent)
    return [one for row in rows for one in row if one is not absent]  # type: ignore[misc]


def class_names(ctx: Context) -> Callable[[str, int], str]:
    """What gives the class of an image of a set at hand, or "" where there is none."""

    def class_of(set_name: str, index: int) -> str:
        try:
            images = ctx.images(set_name)
            label = int(images.labels[index])
        except (HVAEError, IndexError):
            return ""
        return images.class_names[label] if label >= 0 else ""

    return class_of
