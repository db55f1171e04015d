"""What is shown of a model in training: bounds, pictures, posteriors and a dot of light."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hvae_core.common.noise import ImageNoise, Plan, StreamNoise
from hvae_core.config.lab import SIDE
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.linear import data_eigenvalues
from hvae_core.models import HierarchicalVAE
from hvae_core.models.distributions import Gaussian
from hvae_core.models.pixels import prepared_by
from hvae_core.training.lab.frame import KNOWN, LabFrame

SHOWN, DRAWN, PRIOR = 8, 96, 200
"""Images that are reconstructed, images whose posteriors and bounds are shown, draws of p(z)."""
_HOLE = np.log(10)
_LIGHT = 1
"""The digest of the dot of light, wherever it is: its noise stays."""


class Scene:
    """What is shown of a model: the same images and draws from frame to frame."""

    def __init__(self, images: ImageSet, held_out: ImageSet) -> None:
        self.held_out = held_out
        # A noise with a plan keeps its numbers, which would be half of the cost of a frame.
        digests = held_out.image_digests()
        self._noise = ImageNoise(digests, plan=Plan())
        self._with_light = ImageNoise([*digests, _LIGHT], plan=Plan())
        known = images.take(KNOWN) if len(images) >= KNOWN else None
        self._known = None
        if known is not None:
            self._known = known.images, ImageNoise(known.image_digests(), plan=Plan())
        # Of large images it would take a minute, and no toy is made of them.
        few = images.images[0].size <= SIDE**2
        self.eigenvalues = data_eigenvalues(images.images)[:8] if few else np.zeros(0)

    def frame(
        self, model: HierarchicalVAE, about: dict[str, Any], dot: tuple[float, float]
    ) -> LabFrame:
        """Everything but the curve, which is left empty."""
        light = dot_of_light(dot, model.image_shape)
        shown = np.concatenate([self.held_out.images, light])
        with torch.no_grad():
            x = prepared_by(model, shown, self._with_light)
            traces = model.traces(x, range(model.n_levels), noise=self._with_light)
            bounds = torch.stack([bound(trace) for trace in traces]).numpy()
            pictures = torch.stack([t.likelihood.mean[0, :SHOWN] for t in traces])
            noise = StreamNoise(torch.Generator().manual_seed(0))
            samples = model.sample(32, noise=noise).mean[0]
            q = model.posteriors(x[:-1], noise=self._noise)
            means, stds, draws = _of_two_units(model, q)
            holes = self._holes(model, draws)
        top = q[-1]
        unit_kl = np.zeros(0)
        if isinstance(top, Gaussian):
            terms = 0.5 * (top.std**2 + top.mean**2 - 1) - top.std.log()
            unit_kl = terms.mean((0, 1)).flatten().numpy()
        return LabFrame(
            about=about, steps=np.zeros(0), kl=np.zeros((0, model.n_layers)), loss=np.zeros(0),
            originals=np.asarray(self.held_out.images[:SHOWN]),
            reconstructions=_bytes(pictures), samples=_bytes(samples),
            means=means, stds=stds, draws=draws, holes=holes, unit_kl=unit_kl,
            eigenvalues=self.eigenvalues, bounds=bounds[:, :-1], dot=light,
            dot_bounds=bounds[:, -1],
        )  # fmt: skip

    def _holes(self, model: HierarchicalVAE, draws: Any) -> Any:
        """Which draws (M, 2) of the top layer lie in holes of the training images' posteriors."""
        if self._known is None or not len(draws):
            return np.zeros(0, bool)
        images, noise = self._known
        q = model.posteriors(prepared_by(model, images, noise), noise=noise)[-1]
        if not isinstance(q, Gaussian):
            return np.zeros(0, bool)
        return in_holes(draws[-1], q.mean[0].numpy(), q.std[0].numpy())


def in_holes(z: Any, means: Any, stds: Any) -> Any:
    """Whether points z (M, 2) lie in holes: q(z) < p(z) / 10, (M,).

    p is the standard normal; q, the aggregate posterior, is the mean of N images' Gaussians, by
    ``means`` and ``stds`` (N, 2) (Rosca et al. 2018).
    """
    # One axis after the other: numpy is slow to sum over an axis of two.
    apart = (((z[:, None, i] - means[:, i]) / stds[:, i]) ** 2 for i in range(z.shape[1]))
    far = sum(apart) / 2 + np.log(stds).sum(-1)
    log_q = torch.logsumexp(torch.as_tensor(-far), 1).numpy() - np.log(len(means))
    return log_q < -(z**2).sum(-1) / 2 - _HOLE


def _of_two_units(model: HierarchicalVAE, q: Any) -> tuple[Any, Any, Any]:
    """Means and spreads of q(z_i | x) and draws of p(z), where every layer has two units."""
    z = model.ancestors(PRIOR, noise=StreamNoise(torch.Generator().manual_seed(1)))
    if z is None or any(spec.shape != (2,) for spec in model.latents):
        return (np.zeros((0, 0, 2)),) * 3
    stacks = [one.mean[0] for one in q], [one.std[0] for one in q], [one[0] for one in z]
    means, stds, draws = (torch.stack(stack).numpy() for stack in stacks)
    return means, stds, draws


def dot_of_light(at: tuple[float, float], shape: tuple[int, int, int]) -> Any:
    """One image (1, C, H, W) uint8: a soft dot at this row and column, no letter."""
    _, height, width = shape
    rows, columns = np.mgrid[:height, :width]
    light = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2 * 0.8**2))
    return np.broadcast_to(np.round(255 * light).astype(np.uint8), (1, *shape))


def _bytes(x: Tensor) -> Any:
    return (255 * x.clamp(0, 1)).round().to(torch.uint8).numpy()
