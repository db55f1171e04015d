"""The classifier against other ways to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import EmpiricalCovariance

from hvae_core.common.errors import DataError
from hvae_core.scores.classifier.config import ClassifierTraining, OdinSettings
from hvae_core.scores.classifier.network import Classifier, odin_logits
from hvae_core.scores.classifier.training import ClassifierRun, accuracy, train_classifier
from tests.scores.classifier.conftest import CONFIG, TRAINING
from tests.small import tiny_set


def test_it_learns(run: ClassifierRun) -> None:
    assert run.history["valid_accuracy"][-1] > 0.95
    assert run.history["train_loss"][-1] < run.history["train_loss"][0] / 2
    torch.manual_seed(0)  # a network that has not learnt, whatever ran before
    chance = accuracy(Classifier(CONFIG), tiny_set(100, seed=1))
    assert abs(chance - 0.5) < 0.2


def test_a_seed_makes_one_classifier() -> None:
    few = ClassifierTraining("bars", epochs=1, epoch_images=32, batch_size=16, seed=3)
    images, held = tiny_set(64), tiny_set(20, seed=1)
    first, again = (train_classifier(CONFIG, few, images, validation=held) for _ in range(2))
    other = train_classifier(
        CONFIG,
        ClassifierTraining("bars", epochs=1, epoch_images=32, batch_size=16),
        images,
        validation=held,
    )
    assert first.history == again.history
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
    assert not torch.equal(first.model.head.weight, other.model.head.weight)


def test_an_image_does_not_see_its_batch(trained: Classifier, images: torch.Tensor) -> None:
    whole = odin_logits(trained, images, OdinSettings())
    alone = torch.cat([odin_logits(trained, one[None], OdinSettings()) for one in images])
    assert torch.allclose(whole, alone, atol=1e-5)


def test_distances_are_those_of_scipy_and_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    features = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + 3 * labels[:, None]
    model = Classifier(CONFIG)
    model.fit_gaussians(torch.from_numpy(features).float(), torch.from_numpy(labels))
    means = np.stack([features[labels == c].mean(0) for c in (0, 1)])
    fitted = EmpiricalCovariance(assume_centered=True).fit(features - means[labels])
    found = model.distances(torch.from_numpy(features).float()).numpy()
    for c in (0, 1):
        assert found[:, c] == pytest.approx(fitted.mahalanobis(features - means[c]), rel=1e-3)
    by_scipy = mahalanobis(features[5], means[1], fitted.precision_) ** 2
    assert found[5, 1] == pytest.approx(by_scipy, rel=1e-3)


def test_a_silent_feature_is_left_out() -> None:
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    features[:, 2] = 0
    model = Classifier(CONFIG)
    model.fit_gaussians(features, torch.arange(50) % 2)
    kept = model.distances(features)
    features[:, 2] = 1000
    assert torch.isfinite(kept).all()
    assert torch.allclose(model.distances(features), kept, rtol=1e-3)


def test_the_gaussians_are_those_of_the_training_images(trained: Classifier) -> None:
    images = tiny_set(200)
    with torch.no_grad():
        features = trained.features(torch.from_numpy(images.images.copy()).float() / 255)
    labels = torch.from_numpy(images.labels.copy())
    for c in (0, 1):
        assert torch.allclose(trained.means[c], features[labels == c].mean(0), atol=1e-5)
    own = trained.distances(features)[torch.arange(200), labels]
    # The mean squared distance of a Gaussian's own sample is the number of its directions.
    directions = int(torch.linalg.matrix_rank(trained.whitening))
    assert float(own.mean()) == pytest.approx(directions, rel=1e-3)


def test_odin_is_the_loop_of_the_paper(trained: Classifier, images: torch.Tensor) -> None:
    settings = OdinSettings(temperature=10.0, epsilon=0.02)
    found = odin_logits(trained, images, settings)
    for image, row in zip(images, found, strict=True):
        x = image[None].clone().requires_grad_(True)
        p = torch.exp(trained(x)[0] / 10.0)
        loss = -torch.log(p.max() / p.sum())  # -log S(x; T)
        loss.backward()
        assert x.grad is not None
        moved = x.detach() - 0.02 * torch.sign(x.grad)  # Eq. 2
        assert torch.allclose(row, trained(moved)[0], atol=1e-5)
    with torch.no_grad():
        before, after = ((trained(images) / 10.0).softmax(1).amax(1), (found / 10.0).softmax(1))
    assert float((after.amax(1) - before).mean()) > 0  # the step is towards the class


def test_odin_without_a_step_is_the_classifier(trained: Classifier, images: torch.Tensor) -> None:
    found = odin_logits(trained, images, OdinSettings(epsilon=0.0))
    assert torch.equal(found, trained(images))


@pytest.mark.parametrize(
    ("labels", "shape", "words"),
    [(-1, (1, 8, 8), "needs a label of 0 to 1"), (0, (1, 4, 4), "resize the set first")],
)
def test_images_that_do_not_serve(labels: int, shape: tuple[int, int, int], words: str) -> None:
    from dataclasses import replace

    images = tiny_set(20, shape)
    images = replace(images, labels=np.full(20, labels))
    with pytest.raises(DataError, match=words):
        train_classifier(CONFIG, TRAINING, images, validation=images)
