"""The two photographs that come with scikit-learn, 640x427 in colour, offline."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import Pixels
from hvae_core.data.readers.image_file import open_image

PHOTOGRAPHS = {"china": "China", "flower": "Flower"}
"""Title of each photograph by name. Both are CC BY; scikit-learn names the photographers."""


def photograph(name: str) -> Pixels:
    """Return one of ``PHOTOGRAPHS`` as uint8 (3, 427, 640)."""
    spec = find_spec("sklearn")  # looked up, not imported: that takes seconds
    folder = Path(spec.submodule_search_locations[0]) if spec else Path()  # type: ignore[index]
    path = folder / "datasets" / "images" / f"{name}.jpg"
    if not path.is_file():
        raise MissingImages(
            f"The photograph {PHOTOGRAPHS[name]} is not in this copy of scikit-learn; install it "
            "again, or choose a picture of your own."
        )
    return open_image(path, PHOTOGRAPHS[name])
