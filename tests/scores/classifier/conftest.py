from __future__ import annotations

import pytest
import torch

from hvae_core.scores.classifier.config import ClassifierConfig, ClassifierTraining
from hvae_core.scores.classifier.network import Classifier
from hvae_core.scores.classifier.training import ClassifierRun, train_classifier
from tests.small import tiny_set

CONFIG = ClassifierConfig((1, 8, 8), classes=2, channels=4, features=6)
TRAINING = ClassifierTraining("bars", epochs=12, batch_size=16, learning_rate=1e-2)


@pytest.fixture(scope="session")
def run() -> ClassifierRun:
    """A classifier that has learnt which way a bar runs."""
    return train_classifier(CONFIG, TRAINING, tiny_set(200), validation=tiny_set(100, seed=1))


@pytest.fixture(scope="session")
def trained(run: ClassifierRun) -> Classifier:
    return run.model


@pytest.fixture
def images() -> torch.Tensor:
    """Twelve images (B, 1, 8, 8) in [0, 1]."""
    return torch.from_numpy(tiny_set(12, seed=2).images.copy()).float() / 255
