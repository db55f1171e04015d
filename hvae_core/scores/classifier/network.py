"""The network, what out-of-distribution scores read of it, and the Gaussians of its classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.scores.classifier.config import ClassifierConfig, OdinSettings

_KEPT = 1e-6
"""Directions of less than this share of the largest variance are left out, as a pseudo-inverse
does: a feature that is always zero would have a variance of zero to divide by."""


class Classifier(nn.Module):
    """Four convolutions, the mean over positions, one linear map to the logits of the classes.

    ``means`` (classes, features) and ``whitening`` (features, features) are the class Gaussians
    with one shared covariance that ``fit_gaussians`` finds on training images (Lee et al. 2018,
    Eq. 1); they travel with the weights.
    """

    means: Tensor
    whitening: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        c, features = config.channels, config.features
        self.body = nn.Sequential(
            *_block(config.image_shape[0], c, 5, stride=2),
            *_block(c, 2 * c, 3),
            *_block(2 * c, 2 * c, 3, stride=2),
            *_block(2 * c, features, 3),
        )
        self.head = nn.Linear(features, config.classes)
        self.register_buffer("means", torch.zeros(config.classes, features))
        self.register_buffer("whitening", torch.zeros(features, features))

    def features(self, x: Tensor) -> Tensor:
        """The features before the classes, (B, C, H, W) in [0, 1] to (B, features)."""
        out: Tensor = self.body(x)
        return out.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (B, C, H, W) in [0, 1] to (B, classes)."""
        out: Tensor = self.head(self.features(x))
        return out

    def distances(self, features: Tensor) -> Tensor:
        """Squared Mahalanobis distance to each class (Lee et al. 2018, Eq. 2), (B, classes)."""
        steps = (features[:, None] - self.means) @ self.whitening.T  # (B, classes, features)
        return steps.square().sum(-1)

    @torch.no_grad()
    def fit_gaussians(self, features: Tensor, labels: Tensor) -> None:
        """Class means and one shared covariance of features (N, m) (Lee et al. 2018, Eq. 1).

        The covariance is the mean over all images, each from the mean of its class. A class
        without an image keeps the mean of all.
        """
        points = features.double()
        means = points.mean(0).repeat(self.config.classes, 1)
        for label in labels.unique():
            means[label] = points[labels == label].mean(0)
        centred = points - means[labels]
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(points))
        scale = variances.clamp_min(0).rsqrt()
        scale[variances <= _KEPT * variances.max()] = 0
        self.means.copy_(means)
        self.whitening.copy_(scale[:, None] * directions.T)


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    # Normalised image by image: what one image is given does not depend on its batch.
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.GroupNorm(1, outputs),
        nn.ReLU(),
    ]


def odin_logits(model: Classifier, x: Tensor, settings: OdinSettings) -> Tensor:
    """Logits of x - epsilon sign(-grad_x log S(x; T)) (Liang et al. 2018, Eq. 2), (B, classes).

    S(x; T) is the largest softmax probability at temperature T. Images of a batch do not touch.
    """
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)
        confidence = F.log_softmax(model(x) / settings.temperature, dim=1).amax(1)
        (gradient,) = torch.autograd.grad(confidence.sum(), x)
    with torch.no_grad():
        out: Tensor = model(x + settings.epsilon * gradient.sign())
    return out
