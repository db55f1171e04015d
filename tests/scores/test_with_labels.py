"""Label baselines against hand-worked cases and twins of other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from hvae_core.common.errors import DataError, ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import all_scores
from hvae_core.scores.classifier.config import ClassifierConfig, OdinSettings
from hvae_core.scores.classifier.ensemble import ClassifierEnsemble
from hvae_core.scores.classifier.network import Classifier
from hvae_core.scores.material import Material
from hvae_core.scores.measures import MEASURES, classifier_outputs, compute, stored
from hvae_core.scores.with_labels import label_scores
from tests.small import tiny_set

SCORES = {score.key: score for score in label_scores()}


def _material(**measures: np.ndarray) -> Material:
    n = len(next(iter(measures.values())))
    empty = np.zeros((n, 2))
    return Material(
        BoundTable(empty, empty, empty, kl=empty, dims=64, samples=1), measures=measures
    )


def test_worked_by_hand() -> None:
    # p = (1/2, 1/4, 1/4) and (1/3, 1/3, 1/3), each up to a constant.
    logits = np.log(np.array([[2.0, 1.0, 1.0], [5.0, 5.0, 5.0]]))
    material = _material(logits=logits)
    assert SCORES["msp"](material) == pytest.approx([1 / 2, 2 / 3])
    assert SCORES["label_entropy"](material) == pytest.approx([1.5 * math.log(2), math.log(3)])
    distances = np.array([[4.0, 9.0, 1.0], [2.0, 3.0, 8.0]])
    assert SCORES["class_mahalanobis"](_material(class_distances=distances)).tolist() == [1, 2]
    assert SCORES["odin"](_material(odin=np.array([0.25, 0.75]))).tolist() == [0.75, 0.25]
    mean = np.log(np.array([[0.5, 0.5], [1.0, 1e-300]]))
    assert SCORES["deep_ensemble"](_material(ensemble_log_p=mean)) == pytest.approx(
        [math.log(2), 0.0]
    )


def test_softmax_scores_are_those_of_scipy() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 10))
    p = softmax(logits, axis=1)
    assert SCORES["msp"](_material(logits=logits)) == pytest.approx(1 - p.max(1))
    assert SCORES["label_entropy"](_material(logits=logits)) == pytest.approx(entropy(p, axis=1))


def test_sure_images_are_still_told_apart() -> None:
    # 1 - max p would be 0 for each of them in 64 bits.
    found = SCORES["msp"](_material(logits=np.array([[50.0, 0.0], [60.0, 0.0], [900.0, 0.0]])))
    assert found[0] > found[1] > found[2] >= 0


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ScoreError, match="needs a classifier"):
        SCORES["msp"](_material(odin=np.zeros(3)))


@pytest.fixture
def ensemble() -> ClassifierEnsemble:
    torch.manual_seed(0)
    config = ClassifierConfig((1, 8, 8), classes=3, channels=4, features=6)
    members = tuple(Classifier(config).eval() for _ in range(3))
    for member in members:
        member.fit_gaussians(torch.randn(40, 6), torch.arange(40) % 3)
    return ClassifierEnsemble(members, "0" * 64)


def test_measures_are_loops_over_images_and_members(ensemble: ClassifierEnsemble) -> None:
    images = tiny_set(5)
    digests = images.image_digests()
    settings = OdinSettings(temperature=5.0, epsilon=0.01)
    logits = classifier_outputs.logits(ensemble, images.images, digests, _settings=None)
    log_p = classifier_outputs.ensemble_log_p(ensemble, images.images, digests, _settings=None)
    distances = classifier_outputs.class_distances(ensemble, images.images, digests, _settings=None)
    confident = classifier_outputs.odin(ensemble, images.images, digests, settings=settings)
    for i, image in enumerate(images.images):
        x = torch.from_numpy(image.copy())[None].float() / 255
        each = [softmax(member(x).detach().double().numpy()[0]) for member in ensemble.members]
        assert softmax(logits[i]) == pytest.approx(each[0], rel=1e-5)
        assert np.exp(log_p[i]) == pytest.approx(np.mean(each, axis=0), rel=1e-5)
        first = ensemble.members[0]
        f = first.features(x).detach()[0]
        for c in range(3):
            step = first.whitening @ (f - first.means[c])
            assert distances[i, c] == pytest.approx(float(step @ step), rel=1e-3)
        x.requires_grad_(True)
        (-torch.log_softmax(first(x) / 5.0, 1).max()).backward()
        assert x.grad is not None
        moved = first((x - 0.01 * x.grad.sign()).detach()).detach().double().numpy()[0]
        assert confident[i] == pytest.approx(softmax(moved / 5.0).max(), rel=1e-6)
    entropies = SCORES["deep_ensemble"](_material(ensemble_log_p=log_p))
    assert entropies == pytest.approx(entropy(np.exp(log_p), axis=1), rel=1e-6)


def test_measures_are_kept_by_the_classifiers_and_the_pixels(ensemble: ClassifierEnsemble) -> None:
    images = tiny_set(5)
    for name in ("logits", "odin", "class_distances", "ensemble_log_p"):
        measure = MEASURES[name]
        assert measure.of == "classifier"
        assert stored(measure, ensemble.digest, images.digest) is None
        found = compute(measure, ensemble, ensemble.digest, images)
        direct = measure.function(ensemble, images.images, images.image_digests(), measure.settings)
        assert found == pytest.approx(direct)
        known = stored(measure, ensemble.digest, images.digest)
        assert known is not None and (known == found).all()
        assert stored(measure, "1" * 64, images.digest) is None
        # One image alone gets the same: nothing rests on its batch.
        alone = compute(measure, ensemble, ensemble.digest, images.take([3]))
        assert alone[0] == pytest.approx(found[3], abs=1e-5)
    with pytest.raises(DataError, match="resize the set first"):
        compute(MEASURES["odin"], ensemble, ensemble.digest, tiny_set(5, (1, 4, 4)))


def test_every_model_has_the_label_scores() -> None:
    keys = {score.key for score in all_scores(1)}
    assert set(SCORES) <= keys
    for score in SCORES.values():
        assert "labels" in score.needs
        assert set(score.measures) <= set(MEASURES)
