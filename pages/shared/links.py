"""Links: what stands in the address beside the controls, and sentences on what of it is not here.

Streamlit keeps controls in the address by what they show. A model, a picture or a set of somebody's
own stands there by its digest, so that no link shows another one than its sender saw.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from urllib.parse import urlencode

import streamlit as st

from hvae_core.data.worlds import World
from pages.shared import ui, whole

_SAID = "links_said"
_ABSENT = "links_absent"
_FOLLOWED, _SETTLED = "links_followed", "links_settled"
_REPLACED, _BY_LINK = "links_replaced", "links_by_link"
_ECHO = 5.0
"""Seconds for which a browser may still send what this session has replaced in the address."""


def model_key(letter: str, world: World) -> str:
    """The key of the control that chooses model A ("a") or B, also in links."""
    return f"{letter}_{world.key}"


def follow() -> None:
    """Let a link of the app's own set controls that this session has already.

    Streamlit takes a control's value from the address, but the browser keeps showing the old one
    until the script says the value itself: ``settle`` lets it do so in a second run.
    """
    state = st.session_state
    state.update(state.pop(_SETTLED, {}))
    state[_BY_LINK] = bool(arrived(ui.GO))
    if not state[_BY_LINK]:
        return
    keys = [key for key in st.query_params if key not in _said() and key != ui.GO]
    for key in keys:
        if key in state:
            del state[key]
    state[_FOLLOWED] = keys
    say(ui.GO, "")


def settle() -> None:
    """After all controls were drawn: say the values that a link gave them, in a second run."""
    state = st.session_state
    state[_BY_LINK] = False
    if keys := state.pop(_FOLLOWED, None):
        state[_SETTLED] = {key: state[key] for key in keys if key in state}
        st.rerun()


def arrived(key: str) -> str:
    """What a link says under ``key`` that this session has not taken up; "" where nothing new.

    The browser sends its address with every click, and whoever clicks at once sends what stood
    there before this session wrote something else: that is an echo and no link.
    """
    now = st.query_params.get(key, "")
    return "" if now == _said().get(key, "") or _is_echo(key, now) else now


def say(key: str, value: str) -> None:
    """Write ``value`` into the address under ``key``; "" leaves nothing there."""
    said = _said()
    before = said.get(key, "")
    if before and before != value:
        _replaced()[key, before] = time.monotonic()
    said[key] = value
    if st.query_params.get(key, "") == value:
        return
    if value:
        st.query_params[key] = value
    else:
        del st.query_params[key]


def room(*keys: str) -> int:
    """How many signs are left in the address for what stands there under ``keys``."""
    query = st.query_params
    others = [(key, value) for key in query if key not in keys for value in query.get_all(key)]
    return whole.MOST - len(urlencode([*others, *((key, "") for key in keys)]))


def _is_echo(key: str, value: str) -> bool:
    """Whether this session wrote the value a moment ago, and no link of the app's own says it."""
    return (key, value) in _replaced() and not st.session_state.get(_BY_LINK)


def _replaced() -> dict[tuple[str, str], float]:
    """Values in whose place this session wrote something else a moment ago, by key, and when."""
    replaced: dict[tuple[str, str], float] = st.session_state.setdefault(_REPLACED, {})
    now = time.monotonic()
    for old in [one for one, since in replaced.items() if now - since >= _ECHO]:
        del replaced[old]
    return replaced


def written() -> list[str]:
    """The keys under which this session wrote something."""
    return [key for key, value in _said().items() if value]


def _said() -> dict[str, str]:
    """What this session itself wrote into the address."""
    said: dict[str, str] = st.session_state.setdefault(_SAID, {})
    return said


def check(what: str, key: str, options: Collection[str], shown: str = "") -> None:
    """Note where a link asks a control for what is not among its options, which it then ignores.

    Called before the control is drawn; ``what`` names the choice ("world"), ``shown`` what stands
    there instead.
    """
    if key in st.session_state:
        return  # the control was there before, and says what is chosen
    unknown = [value for value in st.query_params.get_all(key) if value and value not in options]
    if unknown:
        instead = f" Shown instead: {shown}." if shown else ""
        absent(key, f"This link names a {what} that is not here: {_short(unknown)}.{instead}")


def absent(key: str, sentence: str) -> None:
    """Keep a sentence on what a link asked for in vain under ``key``; "" takes it back."""
    sentences: dict[str, str] = st.session_state.setdefault(_ABSENT, {})
    sentences.pop(key, None)
    if sentence:
        sentences[key] = sentence


def draw_absent() -> None:
    """Draw the sentences on what links asked for in vain; a button takes them away."""
    sentences: dict[str, str] = st.session_state.get(_ABSENT, {})
    if not sentences:
        return
    text = "\n\n".join(ui.plain(sentence) for sentence in sentences.values())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(text, icon=":material/link_off:")
        st.button("Close", key="links_close", on_click=sentences.clear, type="tertiary")


def _short(values: Sequence[str]) -> str:
    shown = ", ".join(value if len(value) <= 60 else f"{value[:59]}…" for value in values[:3])
    return shown if len(values) <= 3 else f"{shown} and {len(values) - 3} more"
