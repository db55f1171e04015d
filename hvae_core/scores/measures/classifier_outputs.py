"""What classifiers say of an image: logits, ODIN's confidence, distances, an ensemble's mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hvae_core.scores.classifier.config import OdinSettings
from hvae_core.scores.classifier.ensemble import ClassifierEnsemble
from hvae_core.scores.classifier.network import odin_logits


@torch.no_grad()
def logits(
    ensemble: ClassifierEnsemble, pixels: np.ndarray, _digests: Sequence[int], _settings: Any
) -> np.ndarray:
    """Logits of the first classifier, (B, classes)."""
    out: Tensor = ensemble.members[0](_images(pixels))
    return out.numpy()


@torch.no_grad()
def class_distances(
    ensemble: ClassifierEnsemble, pixels: np.ndarray, _digests: Sequence[int], _settings: Any
) -> np.ndarray:
    """Squared Mahalanobis distances of the first classifier's features (Lee 2018), (B, classes)."""
    first = ensemble.members[0]
    return first.distances(first.features(_images(pixels))).numpy()


def odin(
    ensemble: ClassifierEnsemble,
    pixels: np.ndarray,
    _digests: Sequence[int],
    settings: OdinSettings,
) -> np.ndarray:
    """Largest softmax probability at temperature T of the perturbed image (Liang 2018), (B,)."""
    logits = odin_logits(ensemble.members[0], _images(pixels), settings)
    # In 64 bits: at T = 1000 confidences differ from 1/classes in the fourth digit and after.
    return (logits.double() / settings.temperature).softmax(1).amax(1).numpy()


@torch.no_grad()
def ensemble_log_p(
    ensemble: ClassifierEnsemble, pixels: np.ndarray, _digests: Sequence[int], _settings: Any
) -> np.ndarray:
    """Log of the mean of p(y | x) over the classifiers (Lakshminarayanan 2017), (B, classes)."""
    x = _images(pixels)
    each = torch.stack([member(x).double().log_softmax(1) for member in ensemble.members])
    return (each.logsumexp(0) - math.log(len(each))).numpy()


def _images(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).float() / 255
