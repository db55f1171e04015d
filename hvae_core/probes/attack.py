"""Attacks on the upper layers: a small change of the image that moves their posterior most.

DCT App. H, after Kuzina et al. 2022: within a ball round the image, find the twin whose posterior
q(z_>k | x') lies farthest from q(z_>k | x), and compare what the attacked layers then rebuild.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from hvae_core.common import cache
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.noise import ImageNoise, StillNoise
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.models import Gaussian, HierarchicalVAE, Posterior, prepared
from hvae_core.probes import attack_pace
from hvae_core.probes.attack_pace import BATCH, ticks
from hvae_core.probes.attack_record import KIND, Attacks, AttackSettings, attacks_key, pack, unpack
from hvae_core.probes.picture_quality import ms_ssim

FIGURES = ("moved", "inputs", "own", "whole")
_PICTURES = ("seen", "clean", "twins", "rebuilt", "control", "control_rebuilt")


def attack(
    model: HierarchicalVAE,
    images: ImageSet,
    settings: AttackSettings,
    *,
    progress: Progress = silent,
    batch_size: int = BATCH,
) -> Attacks:
    """Attack the layers above k, for every k, of images at the model's shape (DCT App. H).

    Binary models read a binary draw of the image; its twin may be grey. Raises ``DataError`` for a
    set that is empty or of another shape.
    """
    if images.image_shape != model.image_shape or not len(images):
        raise DataError(f"{images.title} has no images of the model's shape to attack.")
    # In double precision: signs of the gradient decide, and rounding, which differs between batch
    # sizes, would turn them over.
    exact = copy.deepcopy(model).double().requires_grad_(False)
    digests = images.image_digests()
    batches = [slice(i, i + batch_size) for i in range(0, len(images), batch_size)]
    whole = ticks(len(images), model.n_levels, settings, batch_size)
    counter = itertools.count(1)

    def tick() -> None:
        progress(next(counter) / whole, images.title)

    parts = []
    for batch in batches:
        with torch.no_grad():
            x = prepared(exact, images.images[batch], digests[batch], seed=settings.seed)
        x = x.double().clamp(0, 1)
        parts.append(_attack(exact, x, digests[batch], settings=settings, tick=tick))
    # The axis of the images: last in the tables, first of one picture each, after k elsewhere.
    single = ("seen", "control")
    axes = {name: -1 if name in FIGURES else int(name not in single) for name in parts[0]}
    return Attacks(**{n: np.concatenate([part[n] for part in parts], axes[n]) for n in parts[0]})


def divergence(first: Sequence[Posterior], second: Sequence[Posterior]) -> Tensor:
    """Symmetric KL, (KL(q || q') + KL(q' || q)) / 2, summed over layers, in nats (B,).

    A context that is known with certainty counts as a Gaussian of standard deviation 1.
    """
    total = torch.zeros((), dtype=torch.float64)
    for q, p in zip(first, second, strict=True):
        if isinstance(q, Gaussian) and isinstance(p, Gaussian):
            total = total + (q.kl(p) + p.kl(q))[0] / 2
        else:
            total = total + ((q.mean - p.mean)[0] ** 2).flatten(1).sum(1) / 2
    return total


def ascend(
    objective: Callable[[Tensor], Tensor],
    x: Tensor,
    start: Tensor,
    *,
    settings: AttackSettings,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """Projected gradient ascent by signs in the ball round x (Madry et al. 2018).

    Returns the best point of each image (B, C, H, W) and its value (B,). Steps of 2.5 radius /
    steps can cross the ball and come back; all points stay in [0, 1] and in the ball.
    """
    best = _within(start, x, settings.radius)
    point = best.clone()
    highest = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
    stride = 2.5 * settings.radius / settings.steps
    for step in range(settings.steps + 1):
        point.requires_grad_()
        value = objective(point)
        better = value.detach() > highest
        best = torch.where(better.view(-1, 1, 1, 1), point.detach(), best)
        highest = torch.where(better, value.detach(), highest)
        tick()
        if step < settings.steps:  # the last point is only measured
            (slope,) = torch.autograd.grad(value.sum(), point)
            point = _within(point.detach() + stride * slope.sign(), x, settings.radius)
    return best, highest


def _within(point: Tensor, x: Tensor, radius: float) -> Tensor:
    return torch.minimum(torch.maximum(point, x - radius), x + radius).clamp(0, 1)


def _attack(
    model: HierarchicalVAE,
    x: Tensor,
    digests: Sequence[int],
    *,
    settings: AttackSettings,
    tick: Callable[[], None],
) -> dict[str, np.ndarray]:
    """All levels and starts for one batch x (B, C, H, W); arrays as ``Attacks`` has them."""
    with torch.no_grad():
        q, clean = _posteriors(model, x), _rebuilt(model, x)

    def moved(point: Tensor, skip: int) -> Tensor:
        return divergence(_posteriors(model, point)[skip:], q[skip:])

    shape = (2, model.n_levels, settings.starts, len(x))  # 0 under attack, 1 by chance
    out: dict[str, np.ndarray] = {name: np.empty(shape) for name in FIGURES}
    for start in reversed(range(settings.starts)):  # the pictures are of the first
        inside, corner = _places(x, digests, settings=settings, start=start)
        # By chance: a random change is the same whatever is attacked.
        with torch.no_grad():
            by_chance = _rebuilt(model, corner)
        out["inputs"][1, :, start] = _alike(x, corner)
        out["whole"][1, :, start] = _alike(clean[0], by_chance[0])
        # Under attack: for every k the twin that moves q(z_>k) most.
        twins, rebuilt = [], []
        for k, skip in enumerate(model.skips):
            twin, distance = ascend(
                partial(moved, skip=skip), x, inside, settings=settings, tick=tick
            )
            with torch.no_grad():
                under_attack = _rebuilt(model, twin)
                out["moved"][1, k, start] = moved(corner, skip).cpu().numpy()
            out["moved"][0, k, start] = distance.cpu().numpy()
            out["inputs"][0, k, start] = _alike(x, twin)
            out["whole"][0, k, start] = _alike(clean[0], under_attack[0])
            for i, picture in enumerate((under_attack[k], by_chance[k])):
                out["own"][i, k, start] = _alike(clean[k], picture)
            twins.append(twin)
            rebuilt.append(under_attack[k])
    shown = (x, clean, torch.stack(twins), torch.stack(rebuilt), corner, by_chance)
    return {
        name: part.float().cpu().numpy() for name, part in zip(_PICTURES, shown, strict=True)
    } | out


def _places(
    x: Tensor, digests: Sequence[int], *, settings: AttackSettings, start: int
) -> tuple[Tensor, Tensor]:
    """Where the ascent begins, anywhere in the ball, and a corner of the ball by chance."""
    noise = ImageNoise(digests, settings.seed, start)
    inside, corner = (
        2 * noise.uniform(name, 1, len(x), x.shape[1:])[0].to(x) - 1 for name in ("start", "corner")
    )
    r = settings.radius
    return _within(x + r * inside, x, r), _within(x + r * corner.sign(), x, r)


def _alike(first: Tensor, second: Tensor) -> Floats:
    return ms_ssim(first.cpu().numpy(), second.cpu().numpy())


def _posteriors(model: HierarchicalVAE, x: Tensor) -> tuple[Posterior, ...]:
    """q of every layer where every layer passes its mean on."""
    return model.posteriors(x, noise=StillNoise(), up="mean")


def _rebuilt(model: HierarchicalVAE, x: Tensor) -> Tensor:
    """The expected image from the means of z_>k, the rest at their prior means, (K, B, C, H, W)."""
    traces = model.traces(x, range(model.n_levels), noise=StillNoise(), skipped="mean")
    return torch.stack([trace.likelihood.mean[0] for trace in traces]).clamp(0, 1)


def attacked(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    settings: AttackSettings,
    *,
    progress: Progress = silent,
) -> Attacks:
    """``attack``, from the cache or computed and left there, with the time that it took."""

    def compute() -> Attacks:
        began = time.monotonic()
        found = attack(model, images, settings, progress=progress)
        if next(model.parameters()).device.type == "cpu":  # the app attacks there
            spent = time.monotonic() - began
            attack_pace.keep(
                checkpoint, spent, images=len(images), levels=model.n_levels, settings=settings
            )
        return found

    key = attacks_key(checkpoint, images, settings)
    return cache.kept(KIND, key, compute, pack=pack, unpack=unpack)


def attack_images(
    path: str, images: ImageSet, settings: AttackSettings, *, progress: Progress = silent
) -> Attacks:
    """A job: ``attacked`` under a checkpoint file."""
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    fitted = images.fit(checkpoint.image_shape)
    model, digest = checkpoint.model, checkpoint.digest
    return attacked(model, digest, fitted, settings=settings, progress=progress)
