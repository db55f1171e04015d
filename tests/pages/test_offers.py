"""Scores beyond the bounds on the pages: offered, computed by a job, then there like the others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint.library import shipped_checkpoints
from hvae_core.data.worlds import worlds
from hvae_core.scores import all_scores, assemble, measured
from hvae_core.scores.measured import fit_reference_to, measure_sets
from pages.ood import models
from pages.shared import jobs, offers, store
from tests.pages.conftest import LIMIT, Start, text

NAME = "glyphs-hvae3-elbo"
B = {"b_glyphs": "glyphs-hvae3-informative"}
OPEN = {"o_more": True}


def options(app: AppTest) -> str:
    assert not app.exception
    assert not [error.value for error in app.error]
    return "\n".join(app.selectbox(key="o_score").options)


def measure(*names: str) -> None:
    """Measures of the sets of the page, as its job leaves them in the cache."""
    path = str(shipped_checkpoints()[NAME])
    world = worlds()["glyphs"]
    sets = [store.page_sets(world, None).choose(spec.name)
            for spec in world.with_role("in", "out", "validation")]  # fmt: skip
    measure_sets(path, "glyphs", names, sets=sets)


def test_what_is_at_hand_is_offered_and_the_rest_has_reasons(start: Start) -> None:
    app = start("ood", OPEN)
    assert "KLz2" in options(app)
    assert "WAIC" not in options(app)
    told = text(app)
    assert "second checkpoint trained on the same images" in told
    assert "It needs a background checkpoint" in told
    assert "posterior means of z1, which are not kept image by image" in told
    for shown in ("bits", "LRz", "LLR\\>1\\<2"):
        assert shown in told
    assert "for the first 100 images of each set" in told
    assert {b.label for b in app.button} >= {"Compute"}


def test_a_second_model_gives_waic(start: Start) -> None:
    app = start("ood", OPEN, **B)
    assert "WAIC" in options(app)
    app.selectbox(key="o_score").set_value("WAIC · WAIC over checkpoints").run()
    assert not app.exception
    assert not app.error


def test_a_job_is_submitted_for_the_measure(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(jobs, "submit", lambda *args: sent.append(args))
    app = start("ood", OPEN)
    button = next(b for b in app.button if b.key.startswith("go-measure-lower"))
    button.click().run()
    name, _, function, path, world, names, sets, first = sent[0]
    assert name.startswith("measure-lower") and function is measure_sets
    assert (world, names, first) == ("glyphs", ["lower"], None) and path.endswith(
        f"{NAME}.safetensors"
    )
    assert len(sets) == 5 and all(len(images) == LIMIT for images in sets)


def test_what_a_job_has_computed_is_a_score_like_any_other(start: Start) -> None:
    measure("complexity", "lower")
    path = str(shipped_checkpoints()[NAME])
    training = store.page_sets(worlds()["glyphs"], None).choose("train")
    fit_reference_to(path, training)
    app = start("ood", OPEN)
    found = options(app)
    for shown in ("−log2 p − bits(x)", "−L<2", "LLR>1<3", "M(z2)", "|L − mean L|"):
        assert shown in found
    label = next(o for o in app.selectbox(key="o_score").options if o.startswith("−log2"))
    app.selectbox(key="o_score").set_value(label).run()
    assert not app.exception
    assert "bits** or more" in text(app)


def test_one_image_has_the_same_scores(start: Start, tmp_path: Path) -> None:
    before = start("image", {"i_more": True})
    assert not before.exception
    measure("complexity")
    after = start("image", {"i_more": True})
    assert not after.exception and not after.error
    rows = [
        {row for table in app.dataframe for row in table.value.astype(str).to_numpy().ravel()}
        for app in (before, after)
    ]
    assert not any("input complexity" in row for row in rows[0])
    assert any("input complexity" in row for row in rows[1])


def test_costly_measures_are_of_the_first_images(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (assemble, measured, models):
        monkeypatch.setattr(module, "LEADING", 20)

    def given(measure: Any, digest: str, pixels: str, first: int | None = None) -> Any:
        return np.arange(20.0) if measure.name == "regret_z" and first == 20 else None

    monkeypatch.setattr(measured, "stored", given)
    app = start("ood")
    label = next(o for o in app.selectbox(key="o_score").options if o.startswith("LRz"))
    app.selectbox(key="o_score").set_value(label).run()
    assert not app.exception
    assert not app.error
    assert set(app.dataframe[0].value["Images"].dropna()) == {20}
    assert "LRz: the first 20 images of each set only." in text(app)


def test_what_lacks_everywhere_is_a_whole_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a single image there is no set to name."""

    def lacks(score: Any, material: Any) -> str:
        return "" if material == "there" else "It is not there."

    waic = next(score for score in all_scores(3, ("z1", "z2", "z3")) if "ensemble" in score.needs)
    monkeypatch.setattr(type(waic), "missing", lacks)
    ctx: Any = SimpleNamespace(title={"test": "Test", "lower": "Lower case"}.__getitem__)

    def told(**found: str) -> str:
        return offers._not_everywhere(ctx, waic, {name: (one,) for name, one in found.items()})

    alone = "This image is not of the shape that the other model reads."
    assert told(test="there", image="no") == alone
    both = "Not evaluated under the other model on the same images: Test and Lower case."
    assert told(test="no", lower="no", image="no") == both
    assert told(test="no", lower="there") == both.replace(" and Lower case", "")
