"""The page Latent space in each of its states, and its selection as other pages read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from hvae_core.data import ImageSet, load_source
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.probes.embedding import TSNEParams
from pages.latents import hover, lasso, map, place
from pages.latents import points as latents
from pages.latents.points import Points
from pages.shared import jobs, selection
from tests.pages.conftest import LIMIT, Start, alive, run_codes


def figure(app: AppTest) -> dict:
    """The specification of the map."""
    charts = app.get("plotly_chart")
    assert len(charts) == 1
    return json.loads(charts[0].proto.spec)


def marked(app: AppTest) -> int:
    """Points of the map; entries of the legend have none."""
    return sum(trace.get("showlegend") is False for trace in figure(app)["data"])


def ids(app: AppTest) -> list[int]:
    traces = [t for t in figure(app)["data"] if t.get("showlegend") is False]
    return sorted(int(i) for t in traces for i in np.ravel(decoded(t["customdata"])))


def decoded(value: object) -> np.ndarray:
    if isinstance(value, dict):
        import base64

        return np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
    return np.asarray(value)


def test_every_layer_that_is_stored_is_there_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("latents")
    alive(app)
    assert app.title[0].value.startswith(("In z", "z", "How z"))
    assert ids(app) == list(range(4 * LIMIT))
    assert "Nothing selected" in [text.value.strip("*") for text in app.markdown]
    first = app.get("plotly_chart")[0].proto.spec
    app.run()
    assert app.get("plotly_chart")[0].proto.spec == first  # or the lasso would be lost
    for by in ("class", "score", "set"):
        app.segmented_control(key="l_by").set_value(by).run()
        alive(app)
        assert ids(app) == list(range(4 * LIMIT))
        assert len(run_codes(app, monkeypatch)) == 1


def test_the_url_says_what_is_shown(start: Start) -> None:
    app = start(
        "latents", l_layer_3="z3", l_by="score", l_score="adaptive likelihood ratio", l_count="200"
    )
    alive(app)
    assert app.segmented_control(key="l_layer_3").value == "z3"
    assert app.selectbox(key="l_score").value == "adaptive likelihood ratio"
    assert app.number_input(key="l_count").value == 200
    nonsense = start("latents", l_layer_3="z9", l_method="SOM", l_by="mood", l_count="-1")
    alive(nonsense)
    assert marked(nonsense)


def test_without_other_sets_the_map_shows_the_own_one(start: Start) -> None:
    app = start("latents")
    app.sidebar.multiselect(key="out_glyphs").set_value([]).run()
    alive(app)
    assert ids(app) == list(range(LIMIT))


def test_model_b_has_its_own_map(start: Start) -> None:
    app = start("latents", b_glyphs="glyphs-hvae3-informative")
    first = figure(app)
    app.segmented_control(key="l_model").set_value("B").run()
    alive(app)
    assert figure(app) != first


def test_a_slow_map_starts_by_its_button_and_stands_when_ready(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(jobs, "submit", lambda *call: asked.append(call))
    app = start("latents")
    flat = figure(app)
    app.segmented_control(key="l_method").set_value("t-SNE").run()
    alive(app)
    assert not asked
    assert figure(app) == flat  # PCA stands in
    app.number_input(key="l_perplexity").set_value(7)
    app.number_input(key="l_iterations").set_value(250)
    next(b for b in app.button if b.label == "Compute t-SNE").click().run()
    alive(app)
    name, _, run, points, params = asked[0]
    assert (name, params) == (place.JOB, TSNEParams(7.0, 250, 0))
    run(points, params)  # as the worker would
    app.run()
    alive(app)
    assert figure(app)["layout"]["xaxis"]["title"]["text"] == "t-SNE 1"
    app.number_input(key="seed").set_value(3).run()
    assert figure(app)["layout"]["xaxis"]["title"]["text"].startswith("component")


def test_a_further_set_is_placed_into_a_finished_map(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(jobs, "submit", lambda *call: asked.append(call))
    app = start("latents", l_method="t-SNE", l_perplexity="5", l_iterations="250")
    everything = app.sidebar.multiselect(key="out_glyphs").value
    app.sidebar.multiselect(key="out_glyphs").set_value(everything[:-1]).run()
    next(b for b in app.button if b.label == "Compute t-SNE").click().run()
    _, _, run, *args = asked.pop()
    run(*args)
    app.run()
    before = places(app)
    app.sidebar.multiselect(key="out_glyphs").set_value(everything).run()
    alive(app)
    assert figure(app)["layout"]["xaxis"]["title"]["text"].startswith("component")
    next(b for b in app.button if b.label == "Place into the finished map").click().run()
    _, _, run, *args = asked.pop()
    run(*args, progress=lambda *_: None)
    app.run()
    alive(app)
    after = places(app)
    assert len(after) == 4 * LIMIT
    assert after.items() >= before.items()  # those of the finished map did not move
    assert len(run_codes(app, monkeypatch)) == 1


def places(app: AppTest) -> dict[int, tuple[float, float]]:
    """Where the map has each point."""
    traces = [t for t in figure(app)["data"] if t.get("showlegend") is False]
    return {
        int(i): (float(x), float(y))
        for t in traces
        for i, x, y in zip(*(decoded(t[k]).ravel() for k in ("customdata", "x", "y")), strict=True)
    }


def test_a_job_shows_progress_and_can_be_cancelled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = SimpleNamespace(
        active=True, status="running", digest="a" * 64, progress=(0.4, "half", 12.0), kept=set()
    )
    let_go = []
    monkeypatch.setattr(jobs, "current", lambda name: job if name == place.JOB else None)
    monkeypatch.setattr(jobs, "cancel", let_go.append)
    monkeypatch.setattr(place.embedding, "embedding_digest", lambda *_: "a" * 64)
    monkeypatch.setattr(place.embedding, "stored_map", lambda *_: None)
    so_far = np.full((4 * LIMIT, 2), 7.0, np.float32)
    monkeypatch.setattr(place.embedding, "live_map", lambda digest: so_far)
    app = start("latents", l_method="UMAP")
    alive(app)
    assert set(places(app).values()) == {(7.0, 7.0)}  # where the job has brought them by now
    assert any("while UMAP runs" in caption.value for caption in app.caption)
    next(b for b in app.button if b.label == "Cancel").click().run()
    assert let_go == [place.JOB]


def test_a_wide_layer_is_encoded_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(jobs, "submit", lambda *call: asked.append(call))
    app = start("latents", l_layer_3="z1")
    alive(app)
    assert not app.get("plotly_chart")
    button = next(b for b in app.button if b.label == f"Encode {4 * LIMIT} images")
    button.click().run()
    _, _, run, *args = asked[0]
    run(*args)
    app.run()
    alive(app)
    assert ids(app) == list(range(4 * LIMIT))
    assert len(run_codes(app, monkeypatch)) == 1


def test_without_images_stored_layers_show_and_wide_ones_say_why_not(start: Start) -> None:
    app = start("latents", world="FashionMNIST")
    alive(app)
    assert ids(app) == list(range(3 * LIMIT))
    app.segmented_control(key="l_layer_3").set_value("z1").run()
    alive(app)
    assert not app.get("plotly_chart")
    assert any("not on this machine" in info.value for info in app.info)


def test_without_results_they_are_offered(start: Start, tiny_app: Path) -> None:
    for path in (tiny_app.parent / "cache" / "evaluations").glob("*.npz"):
        path.unlink()
    app = start("latents")
    alive(app)
    assert not app.get("plotly_chart")
    assert any(button.label.startswith("Evaluate 4 sets") for button in app.button)


def test_a_selection_is_named_shown_and_cleared(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [("test", 0), ("test", 1), ("digits", 3), ("gone", 1), ("digits", 10**6)]
    app = start("latents", {"selection": chosen})
    alive(app)
    words = next(m.value for m in app.markdown if m.value.startswith("**3 of"))
    assert f"**3 of {4 * LIMIT} selected**" in words
    # This session drew no lasso on this map: the words say that the images stay.
    assert any("Selected elsewhere" in part.value for part in app.caption)
    assert "Digits 1: " in words
    assert run_codes(app, monkeypatch, "latents-selection")
    next(b for b in app.button if b.label == "Clear selection").click().run()
    assert not app.session_state["selection"]


def test_a_selection_without_its_images_is_still_named(start: Start) -> None:
    app = start("latents", {"selection": [("mnist", 2)]}, world="FashionMNIST")
    alive(app)
    assert any("MNIST digits 1" in text.value for text in app.markdown)
    assert any("not on this machine" in caption.value for caption in app.caption)


def points(n: int = 6) -> Points:
    """Two sets of three images."""
    sets = np.repeat([0, 1], n // 2)
    rows = np.arange(n, dtype=np.float32)[:, None]
    return Points(
        "d",
        np.hstack([rows, rows**2]),
        sets,
        set_names=("in", "out"),
        indices=np.tile(np.arange(n // 2), 2),
        classes=("",) * n,
        files=("",) * n,
    )


def test_a_lasso_becomes_set_and_index(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"map": {"selection": {"points": [{"customdata": [4]}, {"customdata": 0}]}}}
    monkeypatch.setattr(map.st, "session_state", state)
    lasso.taken("map", "map", points())
    assert state["selection"] == [("in", 0), ("out", 1)]
    assert selection.chart_key("map") == "map"
    selection.undo()  # the chart still shows its outline: it is drawn anew
    assert [selection.chart_key("map") for _ in range(2)] == ["map-1", "map-1"]
    state["map"] = {"selection": {"points": []}}
    lasso.taken("map", "map", points())
    assert state["selection"] == []


def test_a_saved_subset_is_read_by_the_loader_of_sets(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    sets = {
        name: ImageSet(
            name,
            name,
            draw.integers(0, 256, (4, 1, 28, 28), dtype=np.uint8),
            labels=labels,
            class_names=("a", "b"),
        )
        for name, labels in (("in", np.array([0, 1, 0, -1])), ("out", np.array([1, 1, 0, 0])))
    }
    picks = [("in", 1), ("in", 3), ("out", 0)]
    (tmp_path / "selection.npz").write_bytes(lasso.as_file(picks, sets))
    found = load_source(tmp_path / "selection.npz")
    assert (found.images == np.stack([sets[name].images[i] for name, i in picks])).all()
    assert found.labels.tolist() == [0, -1, 1]
    assert found.class_names == ("in: b", "out: b")
    assert found.files == ("in 1", "in 3", "out 0")


def test_the_sprite_holds_each_point_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(hover, "_mount", lambda **call: seen.update(call))
    pixels = np.arange(3, dtype=np.uint8)[:, None, None, None] * 50 + np.zeros(
        (3, 1, 4, 4), np.uint8
    )
    images = ImageSet("out", "Out", pixels, labels=np.full(3, -1))
    hover.thumbnails("map", points(), {"out": images})
    data = seen["data"]
    assert (data["columns"], data["shown"], data["plot"]) == (3, [[3, 6]], "map")
    import base64
    import io

    from PIL import Image

    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["sprite"].split(",")[1]))))
    assert sheet.shape == (8, 12)
    assert [int(sheet[4, 4 * i]) for i in range(3)] == [0, 50, 100]
    hover.thumbnails("map", points(), {})


@pytest.mark.parametrize(
    ("area", "said"),
    [(0.95, "lie apart from"), (0.7, "at the edge of"), (0.5, "no set lies apart")],
)
def test_the_claim_follows_the_figures(
    area: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "separations", lambda *_: {"out": area, "other": 0.1})
    ctx = SimpleNamespace(in_name="in", title=lambda name: name.title())
    inside = SimpleNamespace(unit_variance=(np.ones(4), np.full(4, 1e-6)))
    handle = SimpleNamespace(layers=(("z1", (4,), 4), ("z2", (4,), 4)), units=(4, 4))
    assert said in latents.claim(ctx, handle, 0, inside=inside, points=points())
    asleep = latents.claim(ctx, handle, 1, inside=inside, points=points())
    assert asleep == "z2 says nothing: its means vary by 0.00100 at most"


def test_classes_of_one_image_each_are_counted_not_listed() -> None:
    names = tuple(f"character{i}" for i in range(12))
    found = SimpleNamespace(class_names=names, labels=np.array([*range(12), 3, 3]))
    told = lasso.in_words([("o", i) for i in range(12)], 20, {"o": "Signs"}, {"o": found})
    assert told == ["**12 of 20 selected**", "Signs 12: 12 classes"]
    told = lasso.in_words([("o", i) for i in range(14)], 20, {"o": "Signs"}, {"o": found})
    assert told[1] == "Signs 14: 3\u00a0×\u00a0character3, 11 more classes"


def test_visitors_with_the_same_pixels_keep_their_own_classes(start: Start) -> None:
    ctx: Any = SimpleNamespace(in_name="test")
    handle: Any = SimpleNamespace(digest="a" * 64)
    mine = small_evaluation(("cat", "dog"))
    yours = replace(mine, class_names=("ship", "car"), labels=1 - mine.labels)
    seen = [
        latents.gather(ctx, handle, 0, evaluations={"test": each}, count=9)
        for each in (mine, yours)
    ]
    assert [points and points.classes[:2] for points in seen] == [("cat", "dog"), ("car", "ship")]


def small_evaluation(names: tuple[str, str]) -> Evaluation:
    """Nine images of one layer of two units."""
    column = np.ones((9, 1))
    return Evaluation(
        "a" * 64, "test", "b" * 64, EvalSettings(),
        BoundTable(column, column, column, kl=column, dims=4, samples=1),
        np.arange(9) % 2, names, (np.ones(2),), (np.ones((9, 2)),), ("z1",), ("z1",),
    )  # fmt: skip
