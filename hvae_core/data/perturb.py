"""One image moved away from itself by known amounts: turned, blurred, noisy, faint, covered."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from PIL import Image, ImageFilter

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import Pixels, from_picture, to_picture
from hvae_core.data.prepare import edge_colour

COVER = 128
"""Grey level of the box that covers a part: as far from black as from white."""


@dataclass(frozen=True)
class Perturbation:
    """What is done to an image, in this order; the defaults leave it as it is.

    ``rotation`` in degrees to the right, -180 to 180; ``blur`` the standard deviation of a Gaussian
    in pixels, 0 to 8; ``contrast`` the factor of the distance from the ground, 0 to 2; ``noise``
    the standard deviation of Gaussian noise in grey levels, 0 to 128; ``box`` the side of a grey
    square as a share of the shorter side, 0 to 1, whose middle lies at the shares ``across`` and
    ``down`` of the picture. Raises ``DataError`` outside of these.
    """

    rotation: float = 0.0
    blur: float = 0.0
    contrast: float = 1.0
    noise: float = 0.0
    box: float = 0.0
    across: float = 0.5
    down: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = BOUNDS[field.name]
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise DataError(f"{field.name} lies between {low:g} and {high:g}, not at {value}.")

    @property
    def changes(self) -> bool:
        """Whether anything is done; where the box would be is nothing."""
        return (self.rotation, self.blur, self.contrast, self.noise, self.box) != (0, 0, 1, 0, 0)

    @property
    def in_words(self) -> list[str]:
        """What is done, a few words each, in its order."""
        said = {
            "rotation": f"turned by {self.rotation:g}°",
            "blur": f"blurred by {self.blur:g} px",
            "contrast": f"contrast times {self.contrast:g}",
            "noise": f"noise of {self.noise:g} levels",
            "box": f"a grey box of {100 * self.box:.0f} % over it",
        }
        usual = Perturbation()
        return [text for name, text in said.items() if getattr(self, name) != getattr(usual, name)]


BOUNDS: dict[str, tuple[float, float]] = {
    "rotation": (-180, 180),
    "blur": (0, 8),
    "contrast": (0, 2),
    "noise": (0, 128),
    "box": (0, 1),
    "across": (0, 1),
    "down": (0, 1),
}


def perturbed(image: Pixels, by: Perturbation, *, seed: int = 0) -> Pixels:
    """Return one picture (C, H, W) after a perturbation; the noise follows from the seed.

    The noise is the same pattern at every strength, so that a slider scales it.
    """
    if by.rotation or by.blur:
        image = _moved(image, by)
    if by.contrast != 1:
        ground = edge_colour(image).astype(np.float64)
        image = _levels(ground + by.contrast * (image - ground))
    if by.noise:
        pattern = np.random.default_rng(seed).standard_normal(image.shape)
        image = _levels(image + by.noise * pattern)
    return _covered(image, by) if by.box else image


def _moved(image: Pixels, by: Perturbation) -> Pixels:
    """Turned about the middle, where what comes in shows the ground, and blurred."""
    picture, levels = to_picture(image), tuple(map(int, edge_colour(image).ravel()))
    ground = levels if len(levels) > 1 else levels[0]
    if by.rotation:
        picture = picture.rotate(-by.rotation, Image.Resampling.BILINEAR, fillcolor=ground)
    if by.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(by.blur))
    return from_picture(picture)


def _covered(image: Pixels, by: Perturbation) -> Pixels:
    _, height, width = image.shape
    half = by.box * min(height, width) / 2
    top, left = by.down * height - half, by.across * width - half
    rows = slice(max(0, round(top)), max(0, round(top + 2 * half)))
    columns = slice(max(0, round(left)), max(0, round(left + 2 * half)))
    image = image.copy()
    image[:, rows, columns] = COVER
    return image


def _levels(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
