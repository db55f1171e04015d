"""The gradient of an image's own bounds in the weights of the network, block by block."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import bound
from hvae_core.models import HierarchicalVAE, prepared
from hvae_core.models.layers.residual import without_weight_norm
from hvae_core.scores.measures.settings import GradientSettings


def gradient_norms(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: GradientSettings
) -> np.ndarray:
    """|d L_>k / d theta_l|^2 of every block l and k (Dauncey et al. 2024, for L), (B, (1 + K) P).

    A block is the weights of one module, those of weight-normalised layers as they come out of the
    normalisation. In a row stand how many weights each of the P blocks has, then the squared norms
    for k = 0, then for k = 1, ... An image is a batch of its own, so no other can matter. Skipped
    layers pass means, as in an evaluation.
    """
    x = prepared(model, pixels, digests, seed=settings.seed)
    model = without_weight_norm(copy.deepcopy(model)).eval().requires_grad_(True)
    names, weights = zip(*model.named_parameters(), strict=True)
    blocks = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    place = np.array([blocks.index(name.rpartition(".")[0]) for name in names])
    sizes = np.bincount(place, [weight.numel() for weight in weights])
    ks = range(model.n_levels)
    rows = np.zeros((len(x), 1 + len(ks), len(blocks)))
    rows[:, 0] = sizes
    for row, image, digest in zip(rows, x.split(1), digests, strict=True):
        noise = ImageNoise([digest], settings.seed)
        with torch.enable_grad():
            traces = model.traces(
                image, ks, noise=noise, samples=settings.samples, skipped="mean", up="mean"
            )
            for k, trace in zip(ks, traces, strict=True):
                slopes = torch.autograd.grad(
                    bound(trace)[0], weights, retain_graph=k < ks[-1], allow_unused=True
                )
                squares = [0.0 if g is None else float(g.double().square().sum()) for g in slopes]
                row[1 + k] = np.bincount(place, squares)
    return rows.reshape(len(rows), -1)
