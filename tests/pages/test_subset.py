"""The current subset: undone and redone, taken by class or threshold, saved, and its AUROC."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from pages.ood import subset
from pages.ood.chosen import ScoredModel
from pages.shared import clickable, selection
from tests.pages.conftest import Start, alive


def test_changes_are_undone_and_redone(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)
    first, second = [("a", 1)], [("a", 2), ("b", 0)]
    selection.keep(first, of=9)
    selection.keep(first)  # the same again is no change
    selection.keep(second, of=5)
    selection.undo()
    assert (state["selection"], selection.total()) == (first, 9)
    assert selection.can_redo()
    selection.redo()
    assert (state["selection"], selection.total()) == (second, 5)
    selection.undo()
    selection.keep([])
    assert not selection.can_redo()
    selection.undo()
    selection.undo()
    assert state["selection"] == [] and not selection.can_undo()


def test_a_class_is_taken_saved_and_found_again(start: Start) -> None:
    app = alive(start("collapse"))
    app.selectbox("subset_class_test").set_value(2)
    alive(app.run())
    alive(app.button("subset_take").click().run())
    picks = app.session_state["selection"]
    assert picks and {name for name, _ in picks} == {"test"}
    assert any(f"**{len(picks)} of 24** images" in one.value for one in app.sidebar.markdown)
    app.text_input("subset_name").set_value("third class")
    alive(app.button("subset_save").click().run())
    alive(app.button("subset_close").click().run())
    assert not app.session_state["selection"]
    alive(app.button("subset_open").click().run())
    assert app.session_state["selection"] == picks


def scored() -> ScoredModel:
    model = SimpleNamespace(letter="B", inside=SimpleNamespace(set_name="in"))
    outs = {"one": np.array([0.5, 3.0, 1.5]), "few": np.array([4.0])}
    inside = np.array([0.0, 1.0, 2.0, 3.5])
    numbers = {name: np.arange(len(values)) for name, values in {"in": inside, **outs}.items()}
    return ScoredModel(model, None, inside, outs, reference=inside, numbers=numbers)  # type: ignore[arg-type]


def test_the_area_is_that_of_the_pairs_of_the_subset() -> None:
    picks = [("one", 0), ("one", 2), ("few", 0), ("few", 7), ("in", 1), ("in", 2)]
    titles = {"one": "One", "few": "Few", "other": "Other"}
    first, second = subset.area_rows(scored(), picks, titles, "in")
    assert str(first["AUROC"]).startswith("0.25")  # of 4 pairs one is in order
    assert (first["Set"], first["Model"], first["Images"], first["Against"]) == ("One", "B", 2, 2)
    assert second["Images"] == 1 and float(str(second["AUROC"])) == 1
    (whole,) = subset.area_rows(scored(), [("one", 1)], titles, "in")
    assert whole["Against"] == 4 and float(str(whole["AUROC"])) == 0.75


def test_a_threshold_parts_the_images() -> None:
    parts = {words: (picks, of) for words, picks, of in subset.parted(scored(), 1.5, ["one"])}
    assert parts == {
        "flagged outsiders": ([("one", 1), ("one", 2)], 3),
        "missed outsiders": ([("one", 0)], 3),
        "false alarms": ([("in", 2), ("in", 3)], 4),
    }


def test_images_that_a_density_is_fitted_to_are_in_no_part_of_a_subset() -> None:
    of = replace(scored(), numbers={**scored().numbers, "one": np.array([0, 4, 7])})
    assert ("one", 4) in subset.within(of, ["one"], [(2.5, 3.5)])[0]
    assert subset.parted(of, 1.0, ["one"])[0][1] == [("one", 4), ("one", 7)]
    (row,) = subset.area_rows(of, [("one", 1), ("one", 7)], {"one": "One"}, "in")
    assert row["Images"] == 1 and row["Against"] == 4


def test_a_box_on_the_densities_takes_those_that_score_within_it() -> None:
    assert subset.within(scored(), ["one"], [(1.0, 2.0)]) == (
        [("in", 1), ("in", 2), ("one", 2)], 7,
    )  # fmt: skip
    assert subset.within(scored(), ["one", "few"], []) == ([], 8)


def test_a_lasso_on_points_takes_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        {"customdata": [1], "curve_number": 0}, {"customdata": 0, "curve_number": 1},
        {"curve_number": 2}, {"customdata": ["x"], "curve_number": 0},
    ]  # fmt: skip
    state: dict[str, object] = {"chart": {"selection": {"points": points}}}
    monkeypatch.setattr(st, "session_state", state)
    known = {(1, 0): ("in", 1), (0, 1): ("out", 0)}
    options = clickable.chart_area("chart", lambda *at: known.get(at), of=9)
    options["on_select"]()
    assert (state["selection"], selection.total()) == ([("in", 1), ("out", 0)], 9)
