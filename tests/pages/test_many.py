"""The page Scored folders: opened from a summary, held against another folder, never in public."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from hvae_core.data.load import load_source
from hvae_core.detection.many import reference
from hvae_core.detection.many.fitted import FITTED, Fitted, keep_fitted
from hvae_core.detection.many.summarise import summarised
from hvae_core.detection.many.summary import Unusual
from pages.many import folders, taken, unusual
from pages.shared import boxed, current, selection, shown, store
from tests.detection.many import scored_folder
from tests.pages.conftest import Start, alive, charts, commands, run_codes, text


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with the pictures of the first rows, and one beside it that none may name."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        Image.fromarray(np.full((5, 6), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_folder_is_held_against_another(
    start: Start, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, against = str(tmp_path / "out"), str(tmp_path / "reference")
    folder, values = scored_folder(
        60, part=25, failed={7: "cut off"}, shift=1.0, out=out, source=str(pictures)
    )
    other, known = scored_folder(99, part=99, seed=1, out=against)
    summarised(folder)
    summarised(other)
    app = alive(start("many", m_folder=out, m_reference=against))
    app.session_state["boxed"] = {"own-x": None}
    app.selectbox(key="m_score").set_value("elbo").run()
    alive(app)
    assert not app.session_state["boxed"]  # what nothing names is forgotten
    scores = np.delete(values["elbo"], 7)
    at = np.sort(known["elbo"])[-5]  # p <= 5 %: at most four of the 99 reach it
    share = 100 * (scores > at).sum() / 59
    assert f"{share:.3g} % of 59 images are flagged at 5 % false alarms" in app.title[0].value
    assert charts(app) >= {"many-density", "many-roc"}
    assert "exact" in text(app) and "most unusual pictures" in text(app)
    table = app.dataframe[0].value
    assert list(table["−L"]) == sorted(scores, reverse=True)
    assert [list(frame.value["Why"]) for frame in app.dataframe[1:]] == [["cut off"]]
    given = {"path/to/scored": out, "path/to/reference": against}
    panels = app.session_state["panels"].panels
    for at, (parts, panel) in enumerate(panels):
        for place, path in given.items():
            if panel.code is None:  # a finding in words
                continue
            filled = replace(panel.code, python=panel.code.python.replace(place, path))
            panels[at] = parts, replace(panel, code=filled)
            panel = panels[at][1]
    assert run_codes(app, monkeypatch) == ["many-density", "many-roc", "unusual"]
    app.select_slider(key="m_alarm").set_value(0.1).run()
    assert "needs more than the 99 images" in app.error[0].value and app.dataframe


def test_pictures_come_from_a_file_by_their_rows(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "source.npz", str(tmp_path / "out")
    np.savez(source, images=np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4))
    folder, _ = scored_folder(8, part=8, failed={2: "cut off"}, out=out, source=str(source))
    summarised(folder)
    app = alive(start("many", m_folder=out))
    assert "The 7 most unusual pictures" in text(app)
    read = unusual._read(folders.job_of(folder), (Unusual(1.0, 5, "", None),))
    expected = load_source(str(source)).fit((3, 64, 64)).images[5]
    np.testing.assert_array_equal(read[0][1], expected)
    took: list[Any] = []
    monkeypatch.setattr(current, "take", lambda spot, _: took.append(spot))
    ctx: Any = SimpleNamespace(a=SimpleNamespace(image_shape=(1, 4, 4)))
    unusual.take(ctx, folders.job_of(folder), Unusual(1.0, 5, "", None))
    images = shown._held()[took[0][0]].images
    np.testing.assert_array_equal(images.images[0], load_source(str(source)).images[5])
    assert images.title == "source.npz 5"
    source.write_bytes(b"no longer images")
    unusual.take(ctx, folders.job_of(folder), Unusual(1.0, 5, "", None))
    assert len(took) == 1


def test_densities_fitted_to_the_same_images_are_a_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder, _), (other, known) = scored_folder(8, part=4), scored_folder(9, part=5, seed=1)
    same = Fitted(("llr_1",), frozenset({2, 3}))
    keep_fitted(other, same)
    of_other = folders.Opened(other, folders.job_of(other), summarised(other), True)
    shown = folders.Opened(folder, folders.job_of(folder), summarised(folder), True)
    monkeypatch.setattr(folders, "opened", lambda _: of_other)
    folder.write(FITTED, json.dumps({"scores": ["llr_1"], "digests": [2, 4]}).encode())
    measure = folders.against_folder(shown, "other")
    assert measure is not None and set(measure.sketches) == {"elbo", "llr_2"}
    folder.write(FITTED, json.dumps({"scores": ["llr_1"], "digests": [2, 3]}).encode())
    measure = folders.against_folder(shown, "other")
    assert measure is not None
    left = np.delete(known["llr_1"], [1, 2])  # rows 1 and 2 have the digests 2 and 3
    assert measure.sketches["llr_1"].values.tolist() == sorted(left)


def test_parts_that_are_not_read_are_offered(start: Start, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    folder, _ = scored_folder(8, part=4, out=out)
    app = alive(start("many", m_folder=out))
    assert any(button.label == "Read all parts" for button in app.button)
    assert app.title[0].value == "The parts of this folder are not read yet"
    folders.summarise_folder(out)  # what the button's job runs
    app = start("many", m_folder=out)
    assert "8 images are scored by a model" in app.title[0].value
    assert "Look for" not in text(app)  # there is no chart
    assert any(one.label == "Score held-out images" for one in app.button)
    held = {"llr_1": list(range(-9, 11))}
    known = {"job": reference._scored_by(folders.job_of(folder)), "title": "H", "scores": held}
    folder.write(reference.HELD_OUT, json.dumps(known).encode())
    app = alive(start("many", m_folder=out))
    assert "0 % of 8 images are flagged" in app.title[0].value and "many-roc" in charts(app)


@pytest.mark.parametrize("given", ["", "/nowhere/at/all", "nosuch://x"])
def test_what_is_no_folder_of_scores_is_a_sentence(start: Start, given: str) -> None:
    app = start("many", m_folder=given)
    assert not app.exception
    assert bool(given) == bool(app.error)
    name = app.session_state["context"].a.name
    assert bool(given) or any(f"--model {name} " in words for words in commands(app))


def test_a_public_server_opens_no_folder(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored_folder(8, part=4, out=str(tmp_path / "out"))
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    app = start("many", m_folder=str(tmp_path / "out"))
    assert not app.exception
    assert all(one.key != "m_folder" for one in app.text_input)


def test_a_box_takes_images_of_the_folder_and_a_click_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "source.npz", str(tmp_path / "out")
    np.savez(source, images=np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4))
    folder, values = scored_folder(8, part=3, failed={2: "cut off"}, out=out, source=str(source))
    summarised(folder)
    opened = folders.Opened(folder, folders.job_of(folder), summarised(folder), True)
    known = values["elbo"]
    low, high = np.nanquantile(np.delete(known, 2), [0.2, 0.9])
    rows = [row for row in range(8) if row != 2 and low <= known[row] <= high]
    found = taken.within(opened, "elbo", [[low, high]])
    assert [one.image.row for one in found] == rows and len(rows) > 3
    few = taken.within(opened, "elbo", [[low, high]], most=2)
    assert [one.image.row for one in few] == rows[:2]
    assert taken.within(opened, "elbo", []) == []
    monkeypatch.setattr(taken.st, "session_state", {})
    ctx: Any = SimpleNamespace(a=SimpleNamespace(image_shape=(1, 4, 4)), models=[])
    taken.take(ctx, opened, found, chart="many-density")
    ((name, (_, images)),) = store.own_sets().items()
    expected = load_source(str(source)).images[rows]
    np.testing.assert_array_equal(images.images, expected)
    assert images.files == tuple(f"{row}.png" for row in rows)
    assert taken.st.session_state["selection"] == [(name, n) for n in range(len(rows))]
    monkeypatch.setattr(selection, "current", lambda _: [(name, 1)])
    for key in ("elbo", "llr_1"):  # whichever score the box was drawn on
        assert taken.scores(ctx, opened, key).tolist() == [values[key][rows[1]]]
    assert not len(taken.scores(ctx, replace(opened, job=replace(opened.job, levels=4)), "elbo"))


def test_a_box_leaves_what_the_box_before_took_as_long_as_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source.npz"
    np.savez(source, images=np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4))
    folder, _ = scored_folder(8, part=3, source=str(source))
    opened = folders.Opened(folder, folders.job_of(folder), summarised(folder), True)
    monkeypatch.setattr(taken.st, "session_state", {})
    ctx: Any = SimpleNamespace(a=SimpleNamespace(image_shape=(1, 4, 4)), models=[])
    every = taken.within(opened, "elbo", [[-np.inf, np.inf]])

    def box(*rows: int) -> list[tuple[str, int]]:
        taken.take(ctx, opened, [every[row] for row in rows], chart="many-density")
        boxed.settle()
        return selection.picked()

    first, second = box(1, 3), box(2, 6)
    assert first != second and list(store.own_sets()) == [second[0][0]]
    selection.undo()
    boxed.settle()
    assert selection.picked() == first and list(store.own_sets()) == [first[0][0]]
    images = store.own_sets()[first[0][0]][1]
    np.testing.assert_array_equal(images.images, load_source(str(source)).images[[1, 3]])
    selection.saved()["mine"] = first
    box(4, 5, 7)
    assert len(boxed.held()) == 2  # nothing leads back to the second any more
    assert box() == [] and not store.own_sets() and first[0][0] in boxed.held()
    box(0, 7)  # as many as of old, while those are not in the world
    selection.keep(selection.saved()["mine"])
    boxed.settle()
    np.testing.assert_array_equal(store.own_sets()[first[0][0]][1].images, images.images)
    monkeypatch.setattr(selection, "current", lambda _: first)
    assert taken.scores(ctx, opened, "llr_2").tolist() == [every[r].scores["llr_2"] for r in (1, 3)]
    store.own_sets().pop(first[0][0])  # as Remove does
    boxed.settle()
    assert not store.own_sets() and first[0][0] not in boxed.held()


def test_a_box_leaves_out_what_the_density_is_fitted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = scored_folder(8, part=3)
    keep_fitted(folder, Fitted(("llr_1",), frozenset({2, 3})))
    opened = folders.Opened(folder, folders.job_of(folder), summarised(folder), True)
    every = [[-np.inf, np.inf]]
    by_density = taken.within(opened, "llr_1", every)
    assert [one.image.row for one in by_density] == [0, 3, 4, 5, 6, 7]
    assert len(by_density) == opened.summary.scores["llr_1"].n
    others = taken.within(opened, "elbo", every)
    left = [one.image.row for one in others if np.isnan(one.scores["llr_1"])]
    assert len(others) == 8 and left == [1, 2]
    said: list[str] = []
    monkeypatch.setattr(taken.panel, "said", lambda words, **_: said.append(words))
    monkeypatch.setattr(selection, "current", lambda _: [("own", n) for n in range(8)])
    ctx: Any = None
    scores = np.array([one.scores["llr_1"] for one in others])
    taken.in_words(ctx, scores, -np.inf)
    taken.in_words(ctx, scores[[1, 2]], -np.inf)
    assert "6 of 6 images are flagged, of 8 in all" in said[0] and "fitted" in said[1]
    # Of an evaluated set the same images stay out.
    score = MagicMock(return_value=np.arange(8.0), missing=lambda _: ())
    score.counted.return_value = np.arange(8) != 2
    monkeypatch.setattr(taken, "get_score", lambda *_: score)
    monkeypatch.setattr(taken.materials, "materials", lambda *_: {"own": [None]})
    monkeypatch.setattr(taken, "asdict", lambda _: opened.job.settings)
    handle, evaluation = SimpleNamespace(digest=opened.job.digest, n_levels=3), MagicMock()
    evaluation.__len__.return_value = 8
    ctx = SimpleNamespace(models=[handle], evaluation=lambda *_: evaluation)
    monkeypatch.setattr(taken.st, "session_state", {})
    assert np.flatnonzero(np.isnan(taken.scores(ctx, opened, "llr_1"))).tolist() == [2]
    # But only where the pages fit the density to the same held-out images as the folder.
    score.needs = ("held_out",)
    monkeypatch.setattr(taken, "validation_set", lambda _: "validation")
    table = SimpleNamespace(digests=np.array([1, 2, 3, 9], np.uint64))
    held_out = SimpleNamespace(digest="p", image_digests=lambda: table.digests.tolist())
    evaluation.set_digest, evaluation.table = "p", table
    ctx.world, ctx.images = None, lambda *_: held_out
    halves = frozenset({1, 3}), frozenset({2, 9})
    for fitted, of in zip(halves, (8, 0), strict=True):
        monkeypatch.setattr(taken, "kept_fitted", lambda _, to=fitted: Fitted(("llr_1",), to))
        assert len(taken.scores(ctx, opened, "llr_1")) == of
