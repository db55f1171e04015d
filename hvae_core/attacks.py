"""Attacks on the upper layers: a small change of the image that moves their posterior most.

DCT App. H, after Kuzina et al. 2022: within a ball round the image, find the twin whose posterior
q(z_>k | x') lies farthest from q(z_>k | x), and compare what the attacked layers then rebuild.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hvae_core import cache
from hvae_core.data.image_set import ImageSet
from hvae_core.distributions import Gaussian
from hvae_core.errors import ConfigError, DataError
from hvae_core.models import HierarchicalVAE
from hvae_core.models.base import Posterior
from hvae_core.noise import ImageNoise, StillNoise
from hvae_core.progress import Progress, silent
from hvae_core.similarity import ms_ssim

Floats = NDArray[np.float64]
Pictures = NDArray[np.float32]

FIGURES = ("moved", "inputs", "own", "whole")
_PICTURES = ("seen", "clean", "twins", "rebuilt", "control", "control_rebuilt")
_BATCH = 25


@dataclass(frozen=True)
class AttackSettings:
    """``radius`` of the ball, in grey levels of 0 to 1; ``steps`` of ascent from each start.

    Raises ``ConfigError`` outside the bounds.
    """

    radius: float = 0.1
    steps: int = 50
    starts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.radius <= 1:
            raise ConfigError(
                f"The radius of an attack lies above 0 and up to 1, not {self.radius}."
            )
        for name, value, most in (("steps", self.steps, 1000), ("starts", self.starts, 100)):
            if not 1 <= value <= most:
                raise ConfigError(f"An attack has 1 to {most} {name}, not {value}.")


@dataclass(frozen=True, eq=False)
class Attacks:
    """N images, and their twins under an attack on the layers above k, for k = 0..K-1.

    ``seen`` (N, C, H, W) is x as the model reads it; ``clean`` (K, N, ...) what z_>k rebuilds of
    it. ``twins``, ``rebuilt`` (K, N, ...) are the attacked images of the first start and what z_>k
    rebuilds of them; ``control`` (N, ...), ``control_rebuilt`` (K, N, ...) the same of a random
    change to a corner of the ball. The figures are (2, K, R, N), of the attack and of the random
    change, for R starts: ``moved`` is the symmetric KL of the attacked layers in nats; ``inputs``,
    ``own`` and ``whole`` are the MS-SSIM to x of the image itself, and to what is rebuilt of x, of
    what z_>k rebuilds and of what all layers rebuild.
    """

    seen: Pictures
    clean: Pictures
    twins: Pictures
    rebuilt: Pictures
    control: Pictures
    control_rebuilt: Pictures
    moved: Floats
    inputs: Floats
    own: Floats
    whole: Floats

    @property
    def n_levels(self) -> int:
        """K."""
        return len(self.clean)

    def similarity(self, which: str = "own") -> tuple[Floats, Floats]:
        """Mean MS-SSIM of a figure under attack and under random change, by k, each (K,)."""
        table = getattr(self, which).mean((2, 3))
        return table[0], table[1]

    def interval(self, which: str = "own") -> Floats:
        """Half the 95 % interval of each mean over images, by k, (2, K); 0 for one image."""
        by_image = getattr(self, which).mean(2)
        n = by_image.shape[-1]
        if n < 2:
            return np.zeros(by_image.shape[:2])
        return np.asarray(1.96 * by_image.std(-1, ddof=1) / np.sqrt(n))


def attack(
    model: HierarchicalVAE,
    images: ImageSet,
    settings: AttackSettings,
    *,
    progress: Progress = silent,
    batch_size: int = _BATCH,
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
    batches = range(0, len(images), batch_size)
    ticks = len(batches) * settings.starts * model.n_levels * (settings.steps + 1)
    counter = itertools.count(1)

    def tick() -> None:
        progress(next(counter) / ticks, images.title)

    parts = [
        _attack(
            exact, images.images[i : i + batch_size], digests[i : i + batch_size], settings, tick
        )
        for i in batches
    ]
    # The axis of the images: last in the tables, first of one picture each, after k elsewhere.
    single = ("seen", "control")
    axes = {name: -1 if name in FIGURES else int(name not in single) for name in parts[0]}
    return Attacks(**{n: np.concatenate([part[n] for part in parts], axes[n]) for n in parts[0]})


def divergence(one: Sequence[Posterior], other: Sequence[Posterior]) -> Tensor:
    """Symmetric KL, (KL(q || q') + KL(q' || q)) / 2, summed over layers, in nats (B,).

    A context that is known with certainty counts as a Gaussian of standard deviation 1.
    """
    total = torch.zeros((), dtype=torch.float64)
    for q, p in zip(one, other, strict=True):
        if isinstance(q, Gaussian) and isinstance(p, Gaussian):
            total = total + (q.kl(p) + p.kl(q))[0] / 2
        else:
            total = total + ((q.mean - p.mean)[0] ** 2).flatten(1).sum(1) / 2
    return total


def ascend(
    objective: Callable[[Tensor], Tensor],
    x: Tensor,
    start: Tensor,
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
        if step < settings.steps:
            (slope,) = torch.autograd.grad(value.sum(), point)
            point = _within(point.detach() + stride * slope.sign(), x, settings.radius)
    return best, highest


def _within(point: Tensor, x: Tensor, radius: float) -> Tensor:
    return torch.minimum(torch.maximum(point, x - radius), x + radius).clamp(0, 1)


def _attack(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digests: Sequence[int],
    settings: AttackSettings,
    tick: Callable[[], None],
) -> dict[str, np.ndarray]:
    """All levels and starts for one batch; arrays as ``Attacks`` has them."""
    with torch.no_grad():
        x = torch.from_numpy(np.array(pixels)).to(model.device).float() / 255
        x = model.prepare(x, ImageNoise(digests, settings.seed)).double().clamp(0, 1)
        known, clean = _posteriors(model, x), _rebuilt(model, x)

    def moved(point: Tensor, skip: int) -> Tensor:
        return divergence(_posteriors(model, point)[skip:], known[skip:])

    shape = (2, model.n_levels, settings.starts, len(x))
    out: dict[str, np.ndarray] = {name: np.empty(shape) for name in FIGURES}
    for start in reversed(range(settings.starts)):  # the pictures are of the first
        inside, corner = _places(x, digests, settings, start)
        twins, rebuilt = [], []
        with torch.no_grad():
            chance = _rebuilt(model, corner)
        # A random change is the same whatever is attacked.
        out["inputs"][1, :, start] = _alike(x, corner)
        out["whole"][1, :, start] = _alike(clean[0], chance[0])
        for k, skip in enumerate(model.skips):
            best, value = ascend(partial(moved, skip=skip), x, inside, settings, tick)
            with torch.no_grad():
                again = _rebuilt(model, best)
                out["moved"][1, k, start] = moved(corner, skip).cpu().numpy()
            out["moved"][0, k, start] = value.cpu().numpy()
            out["inputs"][0, k, start] = _alike(x, best)
            out["whole"][0, k, start] = _alike(clean[0], again[0])
            for i, picture in enumerate((again[k], chance[k])):
                out["own"][i, k, start] = _alike(clean[k], picture)
            twins.append(best)
            rebuilt.append(again[k])
    shown = (x, clean, torch.stack(twins), torch.stack(rebuilt), corner, chance)
    return {
        name: part.float().cpu().numpy() for name, part in zip(_PICTURES, shown, strict=True)
    } | out


def _places(
    x: Tensor, digests: Sequence[int], settings: AttackSettings, start: int
) -> tuple[Tensor, Tensor]:
    """Where the ascent begins, anywhere in the ball, and a corner of the ball by chance."""
    noise = ImageNoise(digests, settings.seed, start)
    inside, corner = (
        2 * noise.uniform(name, 1, len(x), x.shape[1:])[0].to(x) - 1 for name in ("start", "corner")
    )
    r = settings.radius
    return _within(x + r * inside, x, r), _within(x + r * corner.sign(), x, r)


def _alike(one: Tensor, other: Tensor) -> Floats:
    return ms_ssim(one.cpu().numpy(), other.cpu().numpy())


def _posteriors(model: HierarchicalVAE, x: Tensor) -> tuple[Posterior, ...]:
    """q of every layer where every layer passes its mean on."""
    return model.posteriors(x, noise=StillNoise(), up="mean")


def _rebuilt(model: HierarchicalVAE, x: Tensor) -> Tensor:
    """The expected image from the means of z_>k, the rest at their prior means, (K, B, C, H, W)."""
    traces = model.traces(x, range(model.n_levels), noise=StillNoise(), skipped="mean")
    return torch.stack([trace.likelihood.mean[0] for trace in traces]).clamp(0, 1)


def pack(found: Attacks) -> dict[str, np.ndarray]:
    """As arrays, for the cache."""
    return dict(vars(found))


def unpack(arrays: Mapping[str, np.ndarray]) -> Attacks:
    """Read back what ``pack`` wrote."""
    return Attacks(**arrays)


def stored_attacks(checkpoint: str, images: ImageSet, settings: AttackSettings) -> Attacks | None:
    """Attacks from the cache, by the digest of the weights: computes nothing."""
    arrays = cache.load("attacks", _key(checkpoint, images, settings))
    return None if arrays is None else unpack(arrays)


def attacked(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    settings: AttackSettings,
    *,
    progress: Progress = silent,
) -> Attacks:
    """``attack``, from the cache or computed and left there."""
    known = stored_attacks(checkpoint, images, settings)
    if known is None:
        known = attack(model, images, settings, progress=progress)
        cache.store("attacks", _key(checkpoint, images, settings), pack(known))
    return known


def _key(checkpoint: str, images: ImageSet, settings: AttackSettings) -> str:
    return cache.digest("attacks-1", checkpoint, images.digest, settings)
