"""The selection of the map: whole in links, and a spread of it wherever a few are shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvae_core.common.errors import HVAEError
from pages.shared.selection import Selection, from_text, spread, to_text
from tests.pages.conftest import Start, alive

picks = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-äжم", min_size=1, max_size=12),
    st.sets(st.integers(0, 999), min_size=1, max_size=40),
    max_size=5,
).map(lambda sets: [(name, index) for name, some in sets.items() for index in sorted(some)])


@given(picks)
def test_a_link_holds_the_whole_selection(chosen: Selection) -> None:
    if chosen:
        assert from_text(to_text(chosen)) == chosen
    assert len(to_text([("digits", i) for i in range(1000)])) < 200


@pytest.mark.parametrize("text", ["digits.é", "digits.AAA@", "digits.A", "a" * 40_000])
def test_a_damaged_one_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(HVAEError, match="is damaged"):
        from_text(text)


def test_a_spread_reaches_every_set_and_class() -> None:
    chosen = [("in", i) for i in range(90)] + [("out", i) for i in range(4)]
    some = spread(chosen, 12, lambda name, index: str(index // 30) if name == "in" else "")
    assert len(set(some)) == 12
    assert sum(name == "out" for name, _ in some) == 4
    assert {index // 30 for name, index in some if name == "in"} == {0, 1, 2}
    assert spread(chosen[:3], 12, lambda *_: "") == chosen[:3]
    assert spread([], 12, lambda *_: "") == []


def test_reconstructions_take_a_spread_of_the_selection(start: Start) -> None:
    state = {"selection": [(name, i) for name in ("test", "digits", "lower") for i in range(20)]}
    app = start("reconstructions", state)
    button = next(one for one in app.button if one.label == "From selection (60)")
    rows = alive(button.click().run()).multiselect("r_rows_glyphs").value
    assert len(rows) == 12
    assert {row.split()[0] for row in rows} == {"test", "digits", "lower"}


def test_a_link_opens_the_same_selection(start: Start) -> None:
    chosen = [("digits", 2), ("digits", 7), ("test", 1)]
    app = alive(start("latents", {"selection": chosen}))
    link = app.query_params
    assert any("3 of " in one.value for one in app.markdown)
    app = alive(start("latents", selection=link["selection"]))
    assert any("3 of " in one.value for one in app.markdown)
    assert app.session_state["selection"] == chosen
    app = alive(start("latents", selection=to_text([("own-mine", 3), ("digits", 2)])))
    assert any("1 of the 2 images" in one.value for one in app.warning)
    place = places(app.sidebar)
    app = alive(start("latents", selection="@"))
    assert any("is damaged" in one.value for one in app.warning)
    assert place == places(app.sidebar)  # an open box whose place changed would close


def places(block: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Where the boxes that open stand in the tree of the page: the browser knows them by that."""
    found = [path] if block.type == "popover" else []
    for index, child in getattr(block, "children", {}).items():
        found += places(child, (*path, index))
    return found
