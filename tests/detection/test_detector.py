"""The detector: scikit-learn's conventions, its thresholds, what it takes, what it keeps."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import hvae_core as hv
from hvae_core.common.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HVAEError,
    ModelError,
    ScoreError,
)
from hvae_core.common.own_models import allow
from hvae_core.config import LatentConfig, ModelCard, TrainConfig
from hvae_core.config.families.dense import DenseConfig
from hvae_core.data import SetSpec
from hvae_core.data.held_out import SUFFIX, keep_held_out
from hvae_core.data.origins import InMemory
from hvae_core.detection import judging
from hvae_core.detection.detector import Detector, DetectorWarning
from hvae_core.detection.verdict_words import in_words
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.scorer import Scorer
from hvae_core.models import HierarchicalVAE
from tests.own_file import own_file
from tests.small import tiny_config, tiny_model, tiny_set

ONE = EvalSettings(samples=1, partial_samples=1)
_ROUNDING = "by about 1e-6 of a score; the check asks for 1e-7"
EXPECTED_FAILURES = {
    "check_methods_subset_invariance": "float32 networks round a little differently in batches of "
    f"other sizes, {_ROUNDING}",
    "check_methods_sample_order_invariance": "and, by where memory lies, at other places of a "
    f"batch, {_ROUNDING}",
}


def noise(n: int = 30, seed: int = 5) -> np.ndarray:
    """Images that the bars are not."""
    return np.random.default_rng(seed).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> HierarchicalVAE:
    return tiny_model()


@pytest.fixture(scope="module")
def held_out() -> hv.ImageSet:
    return tiny_set(40, seed=1)


def fitted(model: Any, held_out: Any, score: Any = "llr_1", alpha: float = 0.1, **more: Any) -> Any:
    return hv.detector(model, score, alpha, settings=ONE, **more).fit(held_out)


def small_file(folder: Path) -> Path:
    """A checkpoint of a network of a few weights."""
    latents = (LatentConfig(1, "conv"), LatentConfig(2, "dense"))
    network = tiny_model(tiny_config(image_shape=(1, 4, 4), latents=latents, channels=2))
    path = folder / "small.safetensors"
    hv.save_checkpoint(path, network, card=ModelCard("small"), history={})
    return path


def test_it_passes_the_checks_of_scikit_learn(tmp_path: Path) -> None:
    judge = hv.detector(
        str(small_file(tmp_path)), shape=(1, 1, -1), scale=(-8.0, 8.0), settings=ONE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(
            judge, expected_failed_checks=EXPECTED_FAILURES, on_fail=None, on_skip=None
        )
    failed = [one["check_name"] for one in results if one["status"] == "failed"]
    assert not failed
    assert sum(one["status"] == "passed" for one in results) > 35


@pytest.mark.parametrize("score", ["llr_1", "levels", "ratios", ["elbo", "kl_z3"]])
def test_out_is_where_the_p_value_is_at_most_alpha(
    model: HierarchicalVAE, held_out: hv.ImageSet, score: Any
) -> None:
    judge = fitted(model, held_out, score, 0.2)
    images = np.concatenate([tiny_set(30, seed=2).images, noise()])
    p = judge.p_values(images)
    assert ((judge.predict(images) == -1) == (p <= 0.2)).all()
    assert (judge.predict(images) == -1).any() and (judge.predict(images) == 1).any()
    np.testing.assert_array_equal(
        judge.decision_function(images), judge.score_samples(images) - judge.offset_
    )
    # higher is more normal: the order of the p-values, which have ties
    order = np.argsort(judge.score_samples(images), kind="stable")
    assert (np.diff(p[order]) >= 0).all()


def test_thresholds_count_as_the_definition_does(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    judge = fitted(model, held_out)
    score = hv.get_score("llr_1", 3)
    reference, found = (
        score(evaluate(model, "0" * 64, images, settings=ONE).table)
        for images in (held_out, tiny_set(30, seed=2))
    )
    np.testing.assert_allclose(judge.reference_[:, 0], reference)
    np.testing.assert_allclose(judge.scores(tiny_set(30, seed=2))["llr_1"], found)
    by_hand = [(1 + sum(r >= s for r in judge.reference_[:, 0])) / 41 for s in found]
    np.testing.assert_allclose(judge.p_values(tiny_set(30, seed=2)), by_hand)


def test_several_scores_share_one_pass(
    model: HierarchicalVAE, held_out: hv.ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    real = Scorer.launch

    def counted(scorer: Scorer, pixels: Any, digests: Any) -> Any:
        batches.append(len(pixels))
        return real(scorer, pixels, digests)

    monkeypatch.setattr(Scorer, "launch", counted)
    fresh = tiny_model(seed=3)
    keys = ["elbo", "llr_1", "llr_2", "complexity"]
    judge = fitted(fresh, held_out, keys)
    found = judge.scores(tiny_set(20, seed=4))
    judge.predict(tiny_set(20, seed=4))
    fitted(fresh, held_out, "llr_2")
    assert sum(batches) == 60  # 40 held out, 20 judged, each once
    assert list(found) == keys == list(judge.keys_)
    for place, key in enumerate(keys):
        one = fitted(fresh, held_out, key)
        np.testing.assert_array_equal(one.reference_[:, 0], judge.reference_[:, place])
        np.testing.assert_array_equal(one.scores(tiny_set(20, seed=4))[key], found[key])


def test_images_are_the_same_in_every_form(
    model: HierarchicalVAE, held_out: hv.ImageSet, tmp_path: Path
) -> None:
    judge = fitted(model, held_out)
    pixels = noise(6)
    files = []
    for number, image in enumerate(pixels):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(image[0]).save(files[-1])
    wanted = judge.score_samples(pixels)
    forms: list[Any] = [
        hv.load_images(pixels), pixels[:, 0], pixels.transpose(0, 2, 3, 1), pixels / 255,
        pixels.reshape(6, -1), pixels.reshape(6, -1).astype(int).tolist(), files,
        np.array([str(file) for file in files]), tmp_path,
    ]  # fmt: skip
    for form in forms:
        np.testing.assert_allclose(judge.score_samples(form), wanted, rtol=1e-5)
    inverted = fitted(model, held_out, prepare="invert")
    np.testing.assert_allclose(inverted.score_samples(255 - pixels), wanted, rtol=1e-5)
    signed = fitted(model, held_out.images / 127.5 - 1, scale=(-1, 1))
    np.testing.assert_allclose(signed.score_samples(pixels / 127.5 - 1), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.full((2, 1, 8, 8), 2.0), "outside 0 to 1; say with scale"),
        (np.full((2, 1, 8, 8), np.nan), "Fractions from nan"),
        (np.zeros((2, 2, 8, 2)), "no set of images"),
        (np.zeros((2, 10)), r"Rows of 10 numbers.*shape=\(C, H, W\)"),
        (np.zeros(64), "Expected 2D array, got 1D"),
        (["nothing.png"], "nothing.png"),
        ("nothing", "no file or folder nothing"),
        (np.zeros((0, 1, 8, 8)), "holds no images"),
    ],
)
def test_what_is_no_images_is_said_in_a_sentence(
    model: HierarchicalVAE, held_out: hv.ImageSet, wrong: Any, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        fitted(model, held_out).predict(wrong)


def test_what_cannot_be_asked_for_is_said_in_a_sentence(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    cases: list[tuple[dict[str, Any], type[HVAEError], str]] = [
        ({"alpha": 1.5}, ScoreError, "lies between 0 and 1"),
        ({"score": "llr_9"}, ScoreError, "no score 'llr_9'"),
        ({"score": []}, ScoreError, "needs a score"),
        ({"score": "typicality"}, ScoreError, "training=..."),
        ({"score": "msp"}, ScoreError, "not at hand"),
        ({"model": 7}, ModelError, "An? int is no model"),
        ({"model": "nothing"}, CheckpointError, "no checkpoint nothing"),
        ({"scale": (1, 1)}, DataError, "no range"),
    ]
    for changed, error, sentence in cases:
        asked: dict[str, Any] = {"model": model, "settings": ONE, **changed}
        with pytest.raises(error, match=sentence):
            hv.detector(**asked).fit(held_out.images)


def test_what_makes_the_rate_doubtful_is_said(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    with pytest.warns(DetectorWarning, match="10 of 40 images are among those that the model was"):
        judge = fitted(model, held_out, training=held_out.take(10))
    assert "fit it to held-out images" in judge.notes_[-1]
    with pytest.warns(DetectorWarning, match="3 of 5 images are among those that it was fitted to"):
        judge.predict(np.concatenate([held_out.images[:3], noise(2)]))
    with pytest.warns(DetectorWarning, match="needs at least 99 held-out images and there are 40"):
        small = fitted(model, held_out, "levels", 0.01)
    assert (small.predict(noise()) == 1).all()
    few, one = tiny_set(30, (1, 4, 4), seed=1), tiny_model(DenseConfig((1, 4, 4), (2,)))
    with pytest.warns(DetectorWarning, match="needs at least 39 held-out images and there are 30"):
        fitted(one, few, "levels", 0.05)  # one level, rare at either end
    with pytest.warns(DetectorWarning, match="39 held-out images beside those that a density is"):
        fitted(model, held_out, "path", 0.025)
    typical = fitted(model, held_out, "typicality", training=tiny_set(30, seed=9))
    assert typical.reference_.shape == (40, 1)


def test_images_noted_beside_a_checkpoint_are_known(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    training, held_out = (tiny_set(25, (1, 4, 4), seed=seed) for seed in (1, 2))
    digest = hv.load_checkpoint(path).digest
    keep_held_out(path.with_name("small" + SUFFIX), digest, held_out, training)
    known = judging.judging(tmp_path)  # the folder of a run
    found = known.held_out()
    assert found is not None
    assert found.images.digest == held_out.digest
    with pytest.warns(DetectorWarning, match="25 of 25 images"):
        fitted(tmp_path, training)
    fitted(tmp_path, found.images)
    keep_held_out(path.with_name("small" + SUFFIX), "0" * 64, held_out, training)
    assert judging.judging(tmp_path).held_out() is None  # of another checkpoint


def test_the_training_images_of_a_world_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, training = small_file(tmp_path), tiny_set(25, (1, 4, 4), seed=1)
    network = hv.load_checkpoint(path).model
    hv.save_checkpoint(path, network, card=ModelCard(""), history={}, train=TrainConfig("glyphs"))
    spec = SetSpec("train", "Bars", "train", InMemory(training))
    monkeypatch.setitem(
        hv.worlds(), "glyphs", replace(hv.worlds()["glyphs"], sets=(spec,), image_shape=(1, 4, 4))
    )
    with pytest.warns(DetectorWarning, match="25 of 25 images are among those that the model"):
        fitted(path, training)


def test_a_clone_is_not_fitted_and_shares_the_model(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    judge = fitted(model, held_out, "levels", 0.2)
    again = clone(judge)
    assert again.get_params() == judge.get_params()
    assert again.model is model
    assert not hasattr(again, "offset_")
    again.set_params(by="elbo", alpha=0.1)
    assert again.fit(held_out).keys_ == ("elbo",)


def test_thresholds_are_pickled_and_weights_are_not(held_out: hv.ImageSet, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    model = tiny_model(tiny_config(channels=16))
    hv.save_checkpoint(path, model, card=ModelCard("tiny"), history={})
    judge = fitted(path, held_out)
    data = pickle.dumps(judge)
    assert len(data) < path.stat().st_size / 2
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.predict(noise()), judge.predict(noise()))
    # 1. Other weights in the same place, 2. none at all.
    hv.save_checkpoint(path, tiny_model(seed=4), card=ModelCard("tiny"), history={})
    with pytest.raises(ConfigError, match="thresholds of this detector rest on tiny.*fit it again"):
        pickle.loads(data).predict(noise())
    path.unlink()
    with pytest.raises(CheckpointError, match="is not there; give the path"):
        pickle.loads(data).predict(noise())
    # 3. A model without a file is given again.
    bare = fitted(model, held_out)
    again = pickle.loads(pickle.dumps(bare))
    with pytest.raises(CheckpointError, match=r"were not stored.*set_params\(model=\.\.\.\)"):
        again.predict(noise())
    np.testing.assert_array_equal(
        again.set_params(model=model).predict(noise()), bare.predict(noise())
    )


def test_a_network_of_the_users_own_is_judged_under(
    held_out: hv.ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_MODELS", "[]")
    name = allow(f"{own_file(tmp_path)}:model")
    network = judging.judging(name).model
    images = tiny_set(20, seed=2)
    found = -hv.evaluate(network, images, ONE).table.bound[:, 0]
    for model in (network, name):
        scores = fitted(model, held_out, ["elbo", "llr_1"]).scores(images)
        np.testing.assert_allclose(scores["elbo"], found, rtol=1e-5)


def test_a_weight_that_changes_is_another_model(held_out: hv.ImageSet) -> None:
    model = tiny_model(seed=6)
    judge = fitted(model, held_out)
    next(iter(model.parameters())).data.add_(0.1)
    with pytest.raises(ConfigError, match="fit it again"):
        judge.predict(noise())


def test_it_stands_in_a_pipeline_and_is_cross_validated(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    images = np.concatenate([held_out.images, noise(20)]).reshape(60, -1)
    kind = np.repeat([1, -1], [40, 20])
    shuffled = np.random.default_rng(0).permutation(60)
    # "elbo": the untrained network only tells how far the pixels are from its guess
    line = make_pipeline(
        FunctionTransformer(lambda rows: rows / 255), hv.detector(model, "elbo", settings=ONE)
    )
    areas = cross_val_score(line, images[shuffled], kind[shuffled], scoring="roc_auc", cv=2)
    with pytest.warns(DetectorWarning, match="40 of 60"):
        whole = hv.detector(model, "elbo", settings=ONE).fit(held_out).decision_function(images)
    better = (whole[kind == 1][:, None] > whole[kind == -1]).mean()
    assert areas.mean() == pytest.approx(better, abs=0.15)


def test_the_verdict_in_words_decides_as_the_levels_do(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    judge = fitted(model, held_out, "levels")
    images = noise(10)
    judged = judge.judgements(images)
    assert [one.verdict.out for one in judged] == (judge.predict(images) == -1).tolist()
    np.testing.assert_allclose([one.verdict.p_value for one in judged], judge.p_values(images))
    assert all(in_words(one)[0] for one in judged)


def test_a_notebook_shows_its_rule_and_no_markup_of_others(
    model: HierarchicalVAE, held_out: hv.ImageSet
) -> None:
    empty = hv.detector("<b>name</b>")
    assert "not fitted" in empty._repr_html_()
    assert "<b>" not in empty._repr_html_()
    html = fitted(model, held_out)._repr_mimebundle_()["text/html"]
    assert "10 % false alarms" in html and "llr_1 &gt; " in html
    html = fitted(model, held_out, "levels")._repr_html_()
    assert "calibrated harmonic mean of 3 p-values" in html
    assert repr(empty) == "Detector(model='<b>name</b>')"
    assert isinstance(empty, Detector)
