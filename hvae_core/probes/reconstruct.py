"""Pictures of p(x | z_>k): what a model knows of an image when the k lowest layers are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hvae_core.common import html
from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.models import HierarchicalVAE, Skipped, Up, prepared

_SHOWN = 20
"""Images that a notebook shows."""


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """p(x | z_>k) of N images for k = 0..K-1 (HVK Eq. 5).

    ``seen`` (N, C, H, W) is x as the likelihood saw it (binarised for Bernoulli), ``means``
    (L, N, C, H, W) the expected image, both in [0, 1]; ``nll`` (L, N) is -log p(x|z_>k) in nats.
    ``means`` and ``nll`` are averages over the draws of z.
    """

    seen: np.ndarray
    means: np.ndarray
    nll: np.ndarray

    def _repr_html_(self) -> str:
        """A row an image, which a notebook shows: x, then what is expected from k up."""
        heads = ["x", *(f"k = {k}" for k in range(len(self.means)))]
        rows = [[x, *self.means[:, i]] for i, x in enumerate(self.seen[:_SHOWN])]
        hidden = len(self.seen) - len(rows)
        more = f" {hidden:,} more images are not shown." if hidden else ""
        return html.pictures(heads, rows, f"The k lowest levels come from the prior.{more}")


def reconstruct(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digests: Sequence[int],
    *,
    seed: int = 0,
    skipped: Skipped = "sample",
    up: Up = "sample",
    temperature: float = 1.0,
    samples: int = 1,
) -> Reconstructions:
    """Reconstruct uint8 images (N, C, H, W) from the layers above k, for every k, in one pass.

    Averages over so many ``samples`` of z. With an evaluation's own number, seed, ``skipped`` and
    ``up`` these are its draws, and ``nll`` is that of its table. Raises ``ConfigError`` for a
    number of draws that is none.
    """
    if not isinstance(samples, int) or samples < 1:
        raise ConfigError(f"Pictures need at least one draw of z, a whole number, not {samples}.")
    noise = ImageNoise(digests, seed)
    with torch.inference_mode():
        x = prepared(model, pixels, digests, seed=seed)
        traces = model.traces(
            x,
            range(model.n_levels),
            noise=noise,
            samples=samples,
            skipped=skipped,
            up=up,
            temperature=temperature,
        )
        means = torch.stack([trace.likelihood.mean.mean(0) for trace in traces])
        nll = -torch.stack([trace.log_px.double().mean(0) for trace in traces])
    return Reconstructions(x.cpu().numpy(), means.cpu().numpy(), nll.cpu().numpy())


def draws(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digest: int,
    k: int,
    n: int,
    *,
    seed: int = 0,
    skipped: Skipped = "sample",
    up: Up = "sample",
    temperature: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n times from p(x | z_>k) of one image (1, C, H, W) (INF Fig. 8).

    Returns the expected images (n, C, H, W) in [0, 1] and -log p(x | z_>k) (n,).
    """
    noise = ImageNoise([digest], seed)
    with torch.inference_mode():
        x = prepared(model, pixels, [digest], seed=seed)
        trace = model.trace(
            x,
            k=k,
            samples=n,
            noise=noise,
            skipped=skipped,
            up=up,
            temperature=temperature,
        )
        means = trace.likelihood.mean.expand(n, -1, -1, -1, -1)[:, 0]
        nll = -trace.log_px[:, 0]
    return means.cpu().numpy(), nll.double().cpu().numpy()
