"""Names of arrays and shapes that several rooms use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = tuple[int, int, int]
"""(channels, height, width) of one image, of a layer, or of u."""
