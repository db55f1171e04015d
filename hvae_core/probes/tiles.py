"""A picture of any size as tiles of a model's size, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hvae_core.data.image_set import Pixels


def tile_grid(size: tuple[int, int], tile: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of tiles that cover a picture of ``size`` (H, W)."""
    return -(-size[0] // tile[0]), -(-size[1] // tile[1])


def cut(picture: Pixels, tile: tuple[int, int]) -> Pixels:
    """Tiles (N, C, h, w) of a picture (C, H, W), row by row.

    Where the sides are no multiples, the last row and column of pixels are repeated.
    """
    channels, height, width = picture.shape
    rows, columns = tile_grid((height, width), tile)
    beyond = ((0, 0), (0, rows * tile[0] - height), (0, columns * tile[1] - width))
    whole = np.pad(picture, beyond, mode="edge")
    split = whole.reshape(channels, rows, tile[0], columns, tile[1])
    return np.ascontiguousarray(split.transpose(1, 3, 0, 2, 4).reshape(-1, channels, *tile))


def join(tiles: NDArray, size: tuple[int, int]) -> NDArray:
    """The picture (C, H, W) of ``size`` (H, W) that ``cut`` made the tiles (N, C, h, w) from."""
    _, channels, high, wide = tiles.shape
    rows, columns = tile_grid(size, (high, wide))
    split = tiles.reshape(rows, columns, channels, high, wide).transpose(2, 0, 3, 1, 4)
    whole = split.reshape(channels, rows * high, columns * wide)
    return np.ascontiguousarray(whole[:, : size[0], : size[1]])
