"""The generation page's pictures, cached by content, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.words import listed
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import StripRow
from hvae_core.probes.picture_quality import pixel_variance
from pages.shared import store
from pages.shared.kept import by_content
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.generate import FromPictures, Latents

DRAWS = 6
"""Pictures beside each other: as many as a laptop's width holds at double size."""
UNITS = 8
"""Units shown in a traversal, the most active ones."""
STEPS = 9
LOOK_FOR = {
    "Prior samples": "The model draws these pictures by itself: its top layer from the prior p(z), "
    "then each layer below, then the picture. A lower temperature keeps the draws nearer to their "
    "mean.",
    "Redrawn": "The upper levels of one image are kept and the lower ones drawn again. The kept "
    "levels decide what stays the same along a row. In the column “mean” the lower levels are at "
    "their mean: from the bottom row upwards, each row adds one level of the image.",
    "Interpolation": "Each row walks in a straight line from the latents of one image to those of "
    "another, in the named level and all above. The levels below follow at their mean.",
    "Pseudoinput": "This model has a picture above its layers, or a prior made of pictures. Each "
    "row starts with one of them. Then come the mean picture that the model makes of it, and "
    "random draws. The picture at the left decides what stays the same along its row.",
    "Traversal": "In each row one unit of a layer moves from low to high, and the layers below "
    "follow at their mean. If a row stays the same, its unit says nothing.",
}
"""What to look for in each view of the page."""
VISIBLE = 0.002
"""Mean change of a pixel that counts: half of one of 255 grey levels."""

Redrawn = tuple[np.ndarray, np.ndarray]
"""The mean picture (1, C, H, W) and draws (DRAWS, C, H, W) with some levels redrawn."""


@by_content(32)
def _encoded(handle: Handle, images: ImageSet, seed: int) -> Latents:
    """One joint state of all layers for the chosen images under a model, z_1 first."""
    from hvae_core.probes.generate import encode

    return store.ask(handle, encode, images.images, images.image_digests(), seed=seed)


@by_content(32)
def prior(handle: Handle, n: int, seed: int, heat: tuple[float, ...]) -> np.ndarray:
    """n prior samples with one temperature a level."""
    from hvae_core.probes.generate import prior_samples

    by_level = dict(zip(handle.level_names, heat, strict=True))
    temperature = [by_level[level] for level in handle.levels]
    return store.ask(handle, prior_samples, n, seed=seed, temperature=temperature)


@by_content(32)
def redrawn(handle: Handle, images: ImageSet, seed: int, *, temperature: float) -> list[Redrawn]:
    """For k = 1 .. K: the mean picture and ``DRAWS`` draws with the k lowest levels redrawn.

    The last entry keeps nothing: it is drawn from the prior alone.
    """
    from hvae_core.probes.generate import prior_samples, redraws

    z = _encoded(handle, images, seed)
    by_k = []
    for k in range(1, handle.n_levels):
        mean = store.ask(handle, redraws, z, k, n=1, temperature=0.0)
        hot = store.ask(handle, redraws, z, k, n=DRAWS, seed=seed, temperature=temperature)
        by_k.append((mean, hot))
    mean = store.ask(handle, prior_samples, 1, temperature=0.0)
    hot = store.ask(handle, prior_samples, DRAWS, seed=seed, temperature=temperature)
    by_k.append((mean, hot))
    return by_k


@by_content(32)
def paths(handle: Handle, images: ImageSet, seed: int) -> list[np.ndarray]:
    """For every k the way from the first image's z_>k to the second's, (STEPS, C, H, W)."""
    from hvae_core.probes.generate import interpolation

    z = _encoded(handle, images, seed)
    return [store.ask(handle, interpolation, z, k, steps=STEPS) for k in range(handle.n_levels)]


@by_content(32)
def traversed(
    handle: Handle, images: ImageSet, seed: int, *, layer: int, units: Sequence[int], reach: float
) -> tuple[list[np.ndarray], list[float]]:
    """One row of pictures a unit, set to values between -reach and reach, and those values."""
    from hvae_core.probes.generate import traversal

    values = [float(v) for v in np.linspace(-reach, reach, STEPS)]
    z = _encoded(handle, images, seed)
    rows = [store.ask(handle, traversal, z, layer, unit=unit, values=values) for unit in units]
    return rows, values


def active_first(variance: np.ndarray | None, units: int) -> tuple[list[int], bool]:
    """The units to walk along, the most active first where it is known which those are."""
    if variance is None or len(variance) != units:
        return list(range(min(UNITS, units))), False
    order = np.argsort(-np.asarray(variance), kind="stable")
    return [int(i) for i in order[:UNITS]], True


@by_content(32)
def picture_on_top(handle: Handle) -> str | None:
    """ "latent" where the topmost latent is a picture, "prior" where its prior is made of some."""
    from hvae_core.probes import generate

    return store.ask(handle, generate.picture_on_top)


@by_content(32)
def from_prior(handle: Handle, n: int, seed: int, *, temperature: float) -> FromPictures:
    """n topmost latents drawn from their prior, and what the model makes of each."""
    from hvae_core.probes.generate import drawn_tops, from_top

    top = store.ask(handle, drawn_tops, n, seed=seed, temperature=temperature)
    return store.ask(handle, from_top, top, DRAWS, seed=seed, temperature=temperature)


@by_content(32)
def from_images(handle: Handle, images: ImageSet, seed: int, *, temperature: float) -> FromPictures:
    """The topmost latent of each chosen image, and what the model makes of that alone."""
    from hvae_core.probes.generate import from_top

    top = _encoded(handle, images, seed)[-1]
    return store.ask(handle, from_top, top, DRAWS, seed=seed, temperature=temperature)


def learned(handle: Handle) -> int:
    """How many learned images the prior is made of."""
    from hvae_core.probes.generate import learned_images

    return store.ask(handle, learned_images)


@by_content(32)
def from_learned(
    handle: Handle, which: Sequence[int], *, n: int, seed: int, temperature: float
) -> FromPictures:
    """Learned images of the prior by number, and what the model makes of each."""
    from hvae_core.probes.generate import from_prior_images

    return store.ask(handle, from_prior_images, which, n, seed=seed, temperature=temperature)


def row(label: str, pictures: Sequence[np.ndarray] | np.ndarray) -> StripRow:
    """A row of a strip without losses, neither in- nor out-of-distribution."""
    return StripRow(label, list(pictures), [None] * len(pictures), out=None)


def picture_rows(
    tops: FromPictures, labels: Sequence[str], name: str, *, beside: np.ndarray | None = None
) -> tuple[list[StripRow], list[str]]:
    """One row a picture: it, the mean picture, the draws; before it the images it stands for."""
    lines, heads = [], [name, "mean", *(f"draw {i + 1}" for i in range(tops.draws.shape[1]))]
    for i, label in enumerate(labels):
        own = [tops.pictures[i], tops.means[i], *tops.draws[i]]
        lines.append(row(label, own if beside is None else [beside[i], *own]))
    return lines, heads if beside is None else ["x", *heads]


def picture_claim(tops: FromPictures, name: str) -> str:
    """How much of what the draws vary in the pictures at the top decide."""
    whole = pixel_variance(tops.draws.reshape(-1, *tops.draws.shape[2:]))
    within = float(np.mean([pixel_variance(draws) for draws in tops.draws]))
    share = max(0.0, 1 - within / whole) if whole > 0 else 0.0
    return f"{name} decides {_percent(share)} of how these samples vary"


def redrawn_rows(
    handle: Handle, images: ImageSet, by_k: Sequence[Redrawn]
) -> tuple[list[StripRow], list[str]]:
    """One row a k: what is kept, the mean picture, the draws."""
    x = images.images[0].astype(np.float32) / 255
    names = [f"keep {part}" for part in (*upwards(handle.level_names[1:]), "nothing")]
    rows = [
        row(name, [x, mean[0], *draws]) for name, (mean, draws) in zip(names, by_k, strict=True)
    ]
    return rows, ["x", "mean", *(f"draw {i + 1}" for i in range(DRAWS))]


def upwards(levels: Sequence[str]) -> list[str]:
    """Each level and those over it, as "z2 and up", and the top alone."""
    return [f"{level} and up" for level in levels[:-1]] + list(levels[-1:])


def kept_share(by_k: Sequence[Redrawn]) -> list[float]:
    """Share of the prior samples' pixel variance that keeping z_>k takes away, for k = 1 .. K-1."""
    whole = pixel_variance(by_k[-1][1])
    if whole <= 0:
        return [0.0 for _ in by_k[:-1]]
    return [1 - pixel_variance(draws) / whole for _, draws in by_k[:-1]]


def redraw_claim(handle: Handle, shares: Sequence[float]) -> str:
    """What keeping the upper levels decides of a picture, in a sentence made of its numbers."""
    if not shares:
        return "A model of one level has nothing below to redraw"
    top, low = shares[-1], shares[0]
    names = handle.level_names[1:]
    last = f"Keeping {names[-1]} alone removes {_percent(top)} of the differences between samples"
    if len(shares) == 1:
        return last
    return f"{last}; keeping {names[0]} and up removes {_percent(low)}"


def prior_claim(
    handle: Handle, samples: np.ndarray, heat: Sequence[float], *, data: np.ndarray | None
) -> str:
    """How varied the samples are, beside the images themselves where these are at hand."""
    names = handle.level_names
    if not any(heat):
        return "At temperature 0 every sample is the same picture"
    cold = [n for n, t in zip(names, heat, strict=True) if t == 0]
    tail = f", with {listed(cold)} at the mean" if cold else ""
    text = f"{len(samples)} pictures drawn by this model"
    if data is not None:
        whole = pixel_variance(data.astype(np.float32) / 255)
        share = pixel_variance(samples) / whole if whole > 0 else 0.0
        text += f", {_percent(share)} as varied as the test images"
    return text + tail


def path_claim(handle: Handle, walks: Sequence[np.ndarray]) -> str:
    """How much of the change between the two pictures the top level alone makes."""
    whole, top = (path[-1] - path[0] for path in (walks[0], walks[-1]))
    size = float((whole**2).sum())
    # the projection on the whole change: a change elsewhere in the picture does not count
    share = float((whole * top).sum()) / size if size > 0 else 0.0
    name = handle.level_names[-1]
    return f"{name} alone makes {_percent(share)} of the change between these two pictures"


def traversal_claim(handle: Handle, layer: int, walks: Sequence[np.ndarray]) -> str:
    """Whether the units of a layer that are shown change the picture at all."""
    moves = [float(np.abs(path[-1] - path[0]).mean()) for path in walks]
    name, best, n = handle.layers[layer - 1][0], max(moves, default=0.0), len(moves)
    many = sum(move >= VISIBLE for move in moves)
    if not many:
        return f"No unit of {name} shown here changes the picture"
    which = f"All {n} units of {name} shown" if many == n else f"{many} of {n} units of {name}"
    which = f"The unit of {name} shown" if n == 1 else which
    verb = "changes" if many == 1 else "change"
    return f"{which} {verb} the picture, by up to {_percent(best)} of the grey range on average"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
