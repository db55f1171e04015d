"""The detection page: densities, threshold, curves and the table, in every state."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hvae_core.common.cache import cache_dir
from hvae_core.common.words import p_value
from hvae_core.data.worlds import OWN, worlds
from hvae_core.detection import by_degree as by_degree_module
from hvae_core.detection.by_degree import ByDegree, Change, Curve
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.metrics import Detection, Share, holm
from hvae_core.detection.report import report
from hvae_core.evaluation.lookup import Answer
from hvae_core.scores import Material, Reference, get_score, score_list
from pages.ood import (
    chosen,
    claims,
    dead_top,
    degrees,
    flagged,
    models,
    paired_tests,
    tables,
    threshold,
)
from pages.ood.charts import curves
from pages.ood.models import ModelDetection
from pages.ood.threshold import ALARMS
from pages.shared import jobs, store, ui
from pages.shared.state import Context
from tests.detection.test_set_values import ELBO, FITTED, HELD_OUT, NEW, PATH
from tests.detection.test_set_values import of as evaluated
from tests.pages.conftest import LIMIT, Start, alive, charts, run_codes, text

B = {"b_glyphs": "glyphs-hvae3-informative"}
DRAWN = {"o_density0", "o_curves0", "o_heat"}


@pytest.fixture
def study(start: Start) -> Callable[..., ModelDetection]:
    """Studies of the tiny world's models as the page makes them, without the page."""

    def make(name: str = "glyphs-hvae3-elbo", index: int = 0, letter: str = "") -> ModelDetection:
        from hvae_core.checkpoint.library import shipped_checkpoints

        world = worlds()["glyphs"]
        handle = store.handle_of(shipped_checkpoints()[name])
        ctx = Context(world, (handle,), (), seed=0, data_root=None)
        found = {
            spec.name: ctx.evaluation(handle, spec.name)
            for spec in world.with_role("in", "validation", "out")
        }
        inside, reference = found.pop("test"), found.pop("validation")
        outs = {key: value for key, value in found.items() if value is not None}
        made = report(inside, list(outs.values()))
        return ModelDetection(
            handle, index, letter, inside=inside, outs=outs, reference=reference, report=made
        )

    return make


def by_degree(digest: str, areas: dict[str, tuple[float, ...]]) -> ByDegree:
    """Stored curves of one change by two degrees."""
    curves = tuple(Curve(key, area, area) for key, area in areas.items())
    return ByDegree(
        "glyphs-hvae3-elbo", digest, "test", images=20, references=30, samples=10, alpha=0.05,
        date="2026-11-27",
        command="python -m hvae_core shift glyphs-hvae3-elbo",
        changes=(Change("rotation", (0.0, 5.0, 10.0), curves),),
    )  # fmt: skip


def test_who_sees_a_change_is_said_in_the_order_of_its_degrees() -> None:
    areas = {"elbo": (0.5, 0.5, 0.6), "llr_1": (0.5, 0.6, 0.9), "verdict": (0.5, 0.8, 0.9)}
    (change,) = by_degree("0" * 64, areas).changes
    assert degrees.in_words(change) == (
        "Rotation is seen (AUROC 0.75 or more) by the verdict from 5 degrees on; by "
        r"$\mathrm{LLR}_{>1}$ from 10 degrees on; not by $-\mathcal{L}$."
    )


def test_page_draws_scores_threshold_and_table(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    areas = {"elbo": (0.5, 0.6, 0.7)}
    for place in (degrees, by_degree_module):
        monkeypatch.setattr(place, "shipped", lambda _name, digest: by_degree(digest, areas))
    app = alive(start("ood"))
    assert len(run_codes(app, monkeypatch, "shift-")) == 2
    assert charts(app) >= {"o_degree_auroc0", "o_degree_flagged0"}
    assert "Rotation is seen by none of them" in text(app)
    assert "AUROC" in app.title[0].value
    assert charts(app) >= DRAWN and "o_density1" not in charts(app)
    assert "Flagged are images that score" in text(app)
    assert f"{LIMIT} in-distribution images against {LIMIT}" in text(app)
    table = app.dataframe[0].value
    assert table["Set"][0].endswith("(false alarms)")
    assert list(table.columns) == ["Set", "Flagged", "95 % interval", "Images"]
    assert (table["Images"] == LIMIT).all()


def looks(figure: Any) -> Iterator[tuple[str, str]]:
    """Colour and dash of each set's curve: a set looks the same under every model."""
    for curve in figure.data:
        if "lines" in curve.mode and curve.showlegend is not False:
            yield curve.line.color, curve.line.dash


def test_second_model_has_curves_rows_and_rates_of_its_own(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("ood", **B))
    assert charts(app) >= DRAWN | {"o_density1", "o_curves1"}
    assert "shift glyphs-hvae3-informative --chart" in text(app)  # nothing is stored of this file
    assert all(f"**{letter}:** Flagged are" in text(app) for letter in "AB")
    # Each finding and the sentence below say whose they are.
    assert app.title[0].value.startswith("A: ") and "**B:** LLR" in text(app)
    assert ":gray[Blue is the kind of image that the models were trained on" in text(app)
    flagged = app.dataframe[0].value
    assert list(flagged.columns) == ["Set", "A", "A, 95 %", "B", "B, 95 %", "Images"]
    assert set(flagged.select_dtypes("float")) == {"A", "B"}  # sorted by number, saved as numbers
    # Densities of both stand in one row, and their curves in the next.
    row = [column for column in app.columns if "o_density0" in charts(column)]
    assert len(row) == 1 and "o_curves0" not in charts(row[0])
    kinds = {name.partition("-")[0] for name in run_codes(app, monkeypatch)}
    assert kinds == {"density", "ROC", "flagged", "table"}
    panels = [panel for _, panel in app.session_state["panels"].panels]
    for kind in ("density", "ROC"):
        of_kind = [panel for panel in panels if panel.name.startswith(f"{kind}-")]
        assert [panel.letter for panel in of_kind] == ["A", "B"]
        lines = [tuple(looks(panel.made())) for panel in of_kind]
        assert lines[0] == lines[1] and len(set(lines[0])) == len(lines[0]) > 1


def test_threshold_moves_by_false_alarms_and_by_score(start: Start) -> None:
    app = alive(start("ood"))
    before = text(app)
    app.select_slider(key="o_alarm").set_value(50.0).run()
    assert text(alive(app)) != before
    app.segmented_control(key="o_by").set_value("score").run()
    slider = next(s for s in alive(app).slider if s.key.startswith("o_cut_"))
    slider.set_value(slider.max).run()
    assert "0 % of 24 held-out images" in text(alive(app))


def test_a_rate_too_small_for_the_reference_is_explained(start: Start) -> None:
    app = start("ood", o_alarm="1 %")
    assert not app.exception
    assert "needs at least 99 reference images" in app.warning[0].value
    assert charts(app) >= DRAWN


def test_every_score_metric_and_curve_can_be_chosen(start: Start) -> None:
    app = alive(start("ood"))
    for label in app.selectbox(key="o_score").options:
        app.selectbox(key="o_score").set_value(label).run()
        assert charts(alive(app)) >= DRAWN
        symbol = "The likelihood" if label.startswith("−L ") else label.partition(" ·")[0]
        assert app.title[0].value.replace("\\", "").startswith(symbol)
    app.segmented_control(key="o_curve").set_value("Precision-recall")
    app.segmented_control(key="o_metric").set_value("FPR95").run()
    assert charts(alive(app)) >= DRAWN
    assert "average precision" in text(app)


def test_words_of_the_url_that_mean_nothing_are_ignored(start: Start) -> None:
    query = {"o_score": "best", "o_alarm": "-3", "o_by": "x", "o_sets": "x", "o_curve": "x"}
    app = alive(start("ood", **query))
    assert charts(app) >= DRAWN


def test_a_link_names_sets_as_they_are_written(start: Start) -> None:
    title, lower = "Capital letters A-J", "Lower-case letters"
    app = alive(start("ood", {"out_glyphs": ["validation", "lower"]}, o_sets=lower))
    (drawn,) = (one for one in app.button_group if one.key == "o_sets")
    assert drawn.value == ["lower"]
    assert lower in drawn.options and ui.as_label(title) == title != ui.plain(title)
    assert not any("\N{WORD JOINER}" in option for option in drawn.options)


def test_all_numbers_are_listed_on_demand(start: Start) -> None:
    app = alive(start("ood"))
    shown = len(app.dataframe)
    app.session_state["o_numbers"] = True
    app.run()
    assert {"auroc", "fpr80", "n_in"} <= set(alive(app).dataframe[1].value.columns)
    assert len(app.dataframe) == shown + 1


def test_no_set_drawn_and_no_set_chosen(start: Start) -> None:
    app = alive(start("ood", {"o_sets": []}))
    assert "Choose an out-of-distribution set" in text(app)
    app = alive(start("ood", {"out_glyphs": []}))
    assert app.title[0].value.startswith("Choose a set")
    assert charts(app) & DRAWN == {"o_density0"}


def test_nothing_evaluated_is_offered(start: Start) -> None:
    shutil.rmtree(cache_dir() / "evaluations")
    app = alive(start("ood"))
    assert app.title[0].value.startswith("No score")
    assert any(button.label.startswith("Evaluate") for button in app.button)


def test_without_the_validation_set_there_is_no_threshold(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jobs.lookup

    def without(handle: Any, sets: Any, name: str) -> Answer:
        return Answer(None) if name == "validation" else whole(handle, sets, name)

    monkeypatch.setattr(jobs, "lookup", without)
    app = alive(start("ood"))
    assert "Evaluate the held-out images under this model" in text(app)
    assert charts(app) >= DRAWN
    assert not [f for f in app.dataframe if "Flagged" in f.value.columns]


def test_stored_results_show_without_images(start: Start) -> None:
    app = alive(start("ood", world="FashionMNIST"))
    assert charts(app) >= DRAWN
    assert "not on this machine" in text(app)


def test_a_damaged_file_of_one_set_leaves_the_others(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "test.parquet").write_bytes(b"PAR1 and nothing more")
    monkeypatch.setenv("STRATA_DATA", str(tmp_path / "data"))
    app = start("ood", world="FashionMNIST")
    assert [error.value for error in app.error if "Parquet" not in error.value] == []
    assert len(app.error) == 1
    assert charts(app) >= DRAWN
    assert not start(world="FashionMNIST").error


def test_numbers_are_those_of_the_report(study: Callable[..., ModelDetection]) -> None:
    one = study()
    titles = {name: name.upper() for name in one.outs}
    table = tables.numbers([one], titles)
    known = {(row["set"], row["score"]): row for row in one.report.rows()}
    assert len(table) == len(known) == len(one.outs) * len(score_list(3))
    for row in table.to_dict("records"):
        assert row["auroc"] == known[row["set"], row["score"]]["auroc"]
        assert row["title"] == row["set"].upper()
    rows, values, lows, _ = tables.heat([one], titles, score_list(3), metric="AUROC")
    assert rows == list(titles.values()) and values.shape == (len(rows), len(score_list(3)))
    assert (lows <= values).all()
    np.testing.assert_allclose(values.ravel(), table["auroc"])


def test_a_set_keeps_its_look_when_others_are_taken_away() -> None:
    world = worlds()["glyphs"]
    held = [spec.name for spec in world.with_role("out", "control")]
    few = Context(world, (), (held[4], held[2]), seed=0, data_root=None)
    assert [few.place(name) for name in few.out_names] == [4, 2]
    assert few.place(world.in_name) is None and few.place("nowhere") is None


def test_every_image_is_exported_with_every_score(study: Callable[..., ModelDetection]) -> None:
    one = study()
    context = Context(worlds()["glyphs"], (one.handle,), tuple(one.outs), seed=0, data_root=None)
    table = tables.images_table([one], context)
    assert len(table) == LIMIT * (1 + len(one.outs))
    assert {score.key for score in score_list(3)} <= set(table.columns)
    inside = table[~table["out"]]
    np.testing.assert_allclose(inside["elbo"], -one.inside.table.bound[:, 0])


def test_second_models_threshold_has_the_first_ones_rate(
    study: Callable[..., ModelDetection],
) -> None:
    score = get_score("llr_1", 3)
    a, b = (chosen.scored(study(name), score) for name in
            ("glyphs-hvae3-elbo", "glyphs-hvae3-informative"))  # fmt: skip
    assert len(a.reference) and len(b.reference)
    for value in (a.reference.min() - 1, np.median(a.reference), a.reference.max() + 1):
        first = threshold.at_value(a, float(value))
        second = threshold.at_alarm(b, first.alarm)
        # No threshold stands for the rate one: the nearest leaves out a single image.
        assert abs(second.held_out.hits - first.held_out.hits) <= (first.alarm == 1)
    placed = threshold.at_alarm(a, 0.05)
    assert placed.value == threshold_at(0.05, a.reference)


def test_own_images_are_their_own_reference_on_every_page(
    study: Callable[..., ModelDetection],
) -> None:
    one = study()
    world = worlds()["glyphs"]
    own = world.with_set(replace(world.spec("test"), name=OWN + "cats"))
    bare = replace(world, sets=tuple(world.with_role("in", "out")))
    for of, name in (
        (world, "validation"),
        (replace(own, in_name=OWN + "cats"), OWN + "cats"),
        (bare, "test"),  # no validation set to judge by
    ):
        context = Context(of, (one.handle,), (), seed=0, data_root=None)
        assert context.reference_name == name
    score = get_score("llr_1", 3)
    assert not chosen.scored(one, score).by_itself
    assert chosen.scored(replace(one, reference=one.inside), score).by_itself


def test_of_a_reference_those_images_count_that_a_density_is_not_fitted_to(
    study: Callable[..., ModelDetection],
) -> None:
    """Own images are their own reference, whichever half of the world's a density is fitted to."""
    rows = np.r_[np.flatnonzero(NEW)[:40], np.flatnonzero(~NEW)[:9]]
    own = evaluated("own", HELD_OUT.take(rows))
    known = replace(Material.of(own), held_out=Material(FITTED))
    found = report(own, [], scores=[PATH], materials={"own": (known,)})
    one = replace(
        study(), inside=own, outs={}, reference=own, report=found, materials={"own": (known,)}
    )
    np.testing.assert_array_equal(chosen.scored(one, PATH).reference, PATH(known)[:40])


def test_a_note_says_by_title_and_letter_of_how_many_images_a_score_is(
    study: Callable[..., ModelDetection],
) -> None:
    own, far = evaluated("own-x", HELD_OUT), evaluated("far", HELD_OUT.take(np.arange(240)[::-1]))
    held = Material(FITTED)
    read = {one.set_name: (replace(Material.of(one), held_out=held),) for one in (own, far)}
    made = study()
    models_of = [
        replace(made, letter=letter, inside=own, outs={"far": far}, materials=read,
                report=report(own, [far], scores=scores, materials=read))
        for letter, scores in (("A", [ELBO, PATH]), ("B", [ELBO, get_score("path_1", 3), PATH]))
    ]  # fmt: skip
    titles = {"own-x": "My letters", "far": "Far"}
    both = models.equal_numbers_note(models_of, titles).replace("\\", "")
    assert both.startswith(
        "240 in-distribution images against 240 of each set, but for scores that fit a density."
    )
    assert "A: Of My letters 120 of 240 images count for path: " in both
    assert "B: Of My letters 120 of 240 images count for path_1, path: " in both
    assert "own-x" not in both
    alike = models.equal_numbers_note([models_of[0], replace(models_of[0], letter="B")], titles)
    assert alike.count("Of My letters") == 1 and "A" not in alike


def test_threshold_stands_on_the_curve(study: Callable[..., ModelDetection]) -> None:
    one = chosen.scored(study(), get_score("elbo", 3))
    at = threshold.at_alarm(one, 0.2)
    for kind in ("ROC", "Precision-recall"):
        for curve in curves(one, at, {"digits": "Digits"}, places={"digits": 4}, kind=kind):
            assert curve.set_index == 4 and curve.point is not None
            ends = np.stack([curve.x, curve.y], axis=1)
            assert _distance(np.array(curve.point), ends[:-1], ends[1:]) < 1e-9


def _distance(point: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> float:
    """From a point to the nearest of some segments (n, 2): straight parts have no inner points."""
    along = ends - starts
    length = np.maximum((along**2).sum(1), 1e-300)
    share = np.clip(((point - starts) * along).sum(1) / length, 0, 1)
    return float(np.linalg.norm(starts + share[:, None] * along - point, axis=1).min())


def test_score_of_a_deeper_model_is_refused_in_a_sentence(
    study: Callable[..., ModelDetection],
) -> None:
    with pytest.raises(Exception, match="3 layers, too few for LLR>4"):
        chosen.scored(study(), get_score("llr_4", 5))


def _detection(auroc: float, low: float, high: float) -> Detection:
    return Detection(auroc, low, high, auprc=0.5, fpr80=0.5, fpr95=0.5, n_in=100, n_out=100)


@pytest.mark.parametrize(
    ("key", "drawn", "words"),
    [
        ("elbo", ("signs",), "The likelihood ranks Signs below chance (AUROC 0.300)"),
        ("elbo", ("digits",), "The likelihood does no better than chance on Digits (AUROC 0.490)"),
        ("elbo", ("signs", "digits"), "The likelihood ranks Signs below chance (AUROC 0.300)"),
        ("llr_1", ("signs",), "LLR>1 tells Signs apart (AUROC 0.830; the likelihood: 0.300)"),
        (
            "llr_1",
            ("digits", "signs"),
            "LLR>1 tells Signs apart (AUROC 0.830; the likelihood: 0.300), and does worst on "
            "Digits (0.450)",
        ),
        ("llr_1", ("dots",), "LLR>1 does little better than chance on Dots (AUROC 0.587; the like"),
        ("llr_1", ("digits",), "LLR>1 ranks Digits below chance (AUROC 0.450; the likelihood: "),
        ("llr_1", (), ""),
        ("llr_2", ("signs",), ""),
    ],
)
def test_the_title_is_of_the_score_and_the_sets_that_are_drawn(
    key: str, drawn: tuple[str, ...], words: str
) -> None:
    class Fake:
        letter = ""

        @staticmethod
        def metrics(name: str) -> dict[str, Detection]:
            plain = (0.30, 0.27, 0.33) if name == "signs" else (0.49, 0.46, 0.52)
            ratios = {"signs": (0.83, 0.80, 0.86), "dots": (0.587, 0.56, 0.61)}
            ratio = ratios.get(name, (0.45, 0.43, 0.47))
            return {"elbo": _detection(*plain), "llr_1": _detection(*ratio)}

    titles = {name: name.title() for name in drawn}
    told = claims.claim(Fake(), get_score(key, 3), titles)  # type: ignore[arg-type]
    assert told.startswith(words) and bool(told) == bool(words)


def test_unlike_sets_are_remarked() -> None:
    placed = threshold.PlacedThreshold(1.0, 0.05, Share(0.05, 0.04, 0.06, hits=50, n=1000))
    assert flagged.unlike(placed, Share(0.05, 0.03, 0.07, hits=50, n=1000)) == ""
    assert "less often than the 5 %" in flagged.unlike(
        placed, Share(0.01, 0.0, 0.02, hits=10, n=1000)
    )
    assert "more often" in flagged.unlike(placed, Share(0.1, 0.08, 0.12, hits=100, n=1000))


def test_a_score_that_one_model_lacks_is_told_by_its_letter() -> None:
    scores = score_list(3)[:2]

    def model(letter: str, **reasons: str) -> ModelDetection:
        sets = [SimpleNamespace(unavailable={}), SimpleNamespace(unavailable=reasons)]
        found = SimpleNamespace(scores=scores, outside=sets)
        return SimpleNamespace(letter=letter, report=found)  # type: ignore[return-value]

    one, other = scores
    key = other.key
    told = models.unavailable([model("A", **{key: "few"}), model("B"), model("C", **{key: "few"})])
    assert told == [("A and C", other, "few")]
    both = {one.key: "no"}
    assert models.unavailable([model("A", **both), model("B", **both)]) == [("", one, "no")]


def test_labels_carry_symbol_and_name() -> None:
    labels = [models.label(score) for score in score_list(3)]
    assert labels[0] == "−L · negative ELBO"
    assert "LLR>1 · likelihood ratio" in labels
    assert len(set(labels)) == len(labels)


def test_fixture_moves_every_place(tiny_app: Path) -> None:
    assert cache_dir().is_relative_to(tiny_app.parent)


def test_other_metrics_have_their_intervals(study: Callable[..., ModelDetection]) -> None:
    one = study()
    titles = {name: name for name in one.outs}
    for metric in ("AUPRC", "FPR80", "FPR95"):
        _, values, lows, highs = tables.heat(
            models.with_intervals([one]), titles, score_list(3), metric=metric
        )
        assert (lows <= values).all() and (values <= highs).all()


def test_the_best_score_meets_the_likelihood(study: Callable[..., ModelDetection]) -> None:
    one, other = study(), study("glyphs-hvae3-informative", 1, "B")
    tests = paired_tests.against_likelihood(one)
    found = paired_tests.best_of(tests)
    for name, entry in found.items():
        areas = {key: d.auroc for key, d in one.metrics(name).items()}
        assert entry.result.first == pytest.approx(max(areas.values()))
        assert entry.result.second == pytest.approx(areas["elbo"])
    titles = {name: name.upper() for name in one.outs}
    table, columns = paired_tests.table(titles, found, one.report.scores, heads=("its", "-L"))
    assert list(table["Set"]) == [name.upper() for name in one.outs if name in found]
    assert {"its", "-L", "Difference"} == set(table.select_dtypes("float"))
    assert set(columns) == set(table.select_dtypes("float"))
    score = get_score("llr_1", 3)
    both = {test.set_name: test for test in paired_tests.of_models([one, other], score)}
    assert set(both) == set(one.outs)
    assert both["lower"].result.first == pytest.approx(one.metrics("lower")["llr_1"].auroc)
    assert both["lower"].result.second == pytest.approx(other.metrics("lower")["llr_1"].auroc)
    one = replace(one, letter="A")
    pairs, columns = paired_tests.table_of_pairs(
        titles | {"absent": "ABSENT"}, [(one, other, both)]
    )
    assert list(pairs) == ["Set", "A − B", "A − B, 95 %", "A − B, p"] and columns["Set"]["pinned"]
    *spans, absent = pairs["A − B, 95 %"]
    for name, said, p in zip(titles, spans, pairs["A − B, p"], strict=False):
        assert said.endswith("✓") == (both[name].corrected <= 0.05) and "[" in said
        assert p == p_value(both[name].corrected)
    assert absent == paired_tests.ABSENT and np.isnan(pairs["A − B"].iloc[-1])
    none, _ = paired_tests.table_of_pairs(titles, [(one, other, {})])
    assert set(none["A − B, 95 %"]) == {paired_tests.UNTESTED}
    few = dict([*found.items()][:1])
    best, _ = paired_tests.table_of_models(titles | {"absent": "ABSENT"}, [(one, few)])
    words = [paired_tests.NONE] * len(titles) + [paired_tests.ABSENT]
    for name, word, *said in zip(
        [*titles, "absent"], words, best["A, best"], best["A, gain, 95 %"], strict=True
    ):
        assert (said == [word] * 2) == (name not in few)


def test_tests_of_one_table_are_corrected_together(study: Callable[..., ModelDetection]) -> None:
    alone = paired_tests.against_likelihood(study())
    groups = paired_tests.together([alone, alone[:1], ()])
    p_values = [test.result.p_value for test in (*alone, alone[0])]
    assert [test.corrected for tests in groups for test in tests] == list(holm(p_values))
    assert [len(tests) for tests in groups] == [len(alone), 1, 0]


def test_the_page_names_the_certain_differences(start: Start) -> None:
    app = alive(start("ood", **B))
    assert "Which differences are certain" in [part.value for part in app.subheader]
    assert "tested on the same images" in text(app)


def test_tests_beside_another_model_are_made_anew(
    study: Callable[..., ModelDetection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else tests of WAIC made beside one model would be shown beside the next."""
    one = study()
    table, name = one.inside.table, one.inside.set_name
    other = replace(table, bound=table.bound + 1)
    reference = Reference(1.0, (), 8)
    made: list[Any] = []
    monkeypatch.setattr(
        paired_tests, "between_scores", lambda side, *_, **__: made.append(side) or ()
    )
    materials = [
        *(Material(table, ensemble=ensemble) for ensemble in ((), (table,), (other,))),
        *(Material(table, reference=replace(reference, mean=mean)) for mean in (1.0, 2.0)),
    ]
    for _ in range(2):
        for material in materials:
            paired_tests.against_likelihood(replace(one, materials={name: (material,)}))
    assert len(made) == len(materials)


def test_the_line_moves_to_where_the_redraw_puts_it(start: Start) -> None:
    app = alive(start("ood"))

    def drawn() -> float:
        chart = next(c for c in app.get("plotly_chart") if c.proto.id.endswith("o_density0"))
        found: float = json.loads(chart.proto.spec)["layout"]["shapes"][1]["x0"]
        return found

    told = next(c for c in app.main.get("bidi_component") if c.proto.id.endswith("o_line"))
    follows = json.loads(told.proto.json)
    assert follows["control"] == "o_alarm"
    (chart,) = follows["charts"]
    assert chart["thresholds"][0] is None  # 24 held-out images are too few for it
    for rate in (50.0, 7.0):
        app.select_slider(key="o_alarm").set_value(rate).run()
        assert chart["thresholds"][ALARMS.index(rate)] == drawn()


def test_a_score_that_asks_collapsed_layers_alone_is_said_to() -> None:
    """By levels, which may hold several layers; one living layer above is enough."""
    names, starts = ("z1", "z2", "z3", "z4"), (0, 1, 3)
    assert dead_top.sentence(2, names, starts, {1, 4}).startswith("z4, which $")
    assert "has collapsed: it says" in dead_top.sentence(2, names, starts, {4})
    assert dead_top.sentence(1, names, starts, {2, 3, 4}).startswith("z2, z3 and z4, which $")
    assert not dead_top.sentence(1, names, starts, {3, 4})
    assert not dead_top.sentence(2, names, starts, ())
    # a visitor's own names of layers are no Markdown
    assert not dead_top.sentence(0, ("*z*",), (0,), {1}).startswith("*z*")
