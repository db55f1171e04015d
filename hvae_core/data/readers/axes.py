"""Which axis of an array counts images, rows, columns and channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError

_CHANNELS = (1, 3, 4)
_USUAL_ROWS = {64: 256, 784: 1, 1024: 2048, 3072: 1}
"""Pixels of 8x8, 28x28 and 32x32 in grey and in colour, and from how many rows on a picture is
unlikelier than a table of pictures."""
_WAYS = "images need (N, H, W), (N, H, W, C) or (N, C, H, W)"


def as_nchw(
    array: NDArray[Any], labels: int | None, what: str
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return a view (N, C, H, W) of an array, C = 1, 3 or 4, and notes on what was guessed.

    ``labels`` is how many there are, None without: the axis of images is as long. Raises
    ``DataError`` where no reading or two fit.
    """
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise DataError(f"{what} has shape {array.shape}; {_WAYS}.")
    view, note = (_flat, _rank_3, _rank_4)[array.ndim - 2](array, labels, what)
    if labels is not None and labels != len(view):
        raise DataError(
            f"{what} has shape {array.shape}, but there are {labels:,} labels; "
            "give one label an image."
        )
    return view, (note,) * bool(note)


def square(pixels: int) -> tuple[int, int, int] | None:
    """The shape (C, H, W) of so many pixels in a row, grey or three planes; None if not square."""
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if side > 1 and side * side * channels == pixels:
            return channels, side, side
    return None


def _flat(array: NDArray[Any], labels: int | None, what: str) -> tuple[NDArray[Any], str]:
    rows, pixels = array.shape
    shape = square(pixels)
    usual = labels is None and rows != pixels and rows >= _USUAL_ROWS.get(pixels, rows + 1)
    if shape is not None and (labels == rows or usual):
        return unfolded(array, shape)
    if labels in (None, 1) and min(rows, pixels) > 1:
        return array[None, None], f"one array of {rows}x{pixels}, read as one picture"
    raise DataError(f"{what} has shape {array.shape}; {_WAYS}.")


def unfolded(array: NDArray[Any], shape: tuple[int, int, int]) -> tuple[NDArray[Any], str]:
    """Rows of pixels as (N, C, H, W), and a note.

    The colours of a row are one after another or three side by side: the smoother picture is right.
    """
    channels, height, width = shape
    words = f"rows of {array.shape[1]:,} numbers"
    if channels == 1:
        return array.reshape(-1, *shape), f"{words}, read as {width}x{height}"
    planes = array.reshape(-1, *shape)
    beside = array.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    if _roughness(beside) < _roughness(planes):
        return beside, f"{words}, read as {width}x{height} with the colours of a pixel side by side"
    return planes, f"{words}, read as 3 planes of {width}x{height}"


def _roughness(images: NDArray[Any]) -> float:
    some = images[:: max(1, len(images) // 64)].astype(np.float64)
    return float(np.abs(np.diff(some, axis=2)).mean() + np.abs(np.diff(some, axis=3)).mean())


def _rank_3(array: NDArray[Any], labels: int | None, what: str) -> tuple[NDArray[Any], str]:
    first, second, third = array.shape
    if labels is None:
        if third in _CHANNELS and min(first, second) > 4:
            return array.transpose(2, 0, 1)[None], "one picture, channels last"
        if third == 2 and min(first, second) > 4:
            raise DataError(
                f"{what} has shape {array.shape}: one picture with a second channel? "
                "Images need 1 or 3 channels."
            )
        if first == 3 and min(second, third) > 4:
            raise DataError(
                f"{what} has shape {array.shape}: one colour picture or three grey ones? "
                f"Save it as (1, 3, {second}, {third}) or (3, 1, {second}, {third})."
            )
        if first == second != third:
            return array.transpose(2, 0, 1)[:, None], _matlab(third)
    elif labels == third != first:
        return array.transpose(2, 0, 1)[:, None], _matlab(third)
    elif labels == 1 != first and third in _CHANNELS:
        return array.transpose(2, 0, 1)[None], "one picture, channels last"
    return array[:, None], ""


def _rank_4(array: NDArray[Any], labels: int | None, what: str) -> tuple[NDArray[Any], str]:
    orders = {  # to (N, C, H, W), the commonest first
        "channels last": (0, 3, 1, 2),
        "channels first": (0, 1, 2, 3),
        "matlab": (3, 2, 0, 1),
    }
    views = {name: array.transpose(order) for name, order in orders.items()}
    fits = {
        name: view
        for name, view in views.items()
        if view.shape[1] in (_CHANNELS if name == "channels last" else _CHANNELS[:2])
    }
    if not fits:
        raise DataError(f"{what} has shape {array.shape}; images need 1 or 3 channels.")
    if labels is not None:
        fits = {name: view for name, view in fits.items() if len(view) == labels} or fits
    # Where two orders fit, pictures are likelier to be square, and the commoner order comes first.
    name = min(fits, key=lambda n: fits[n].shape[2] != fits[n].shape[3])
    return fits[name], _matlab(len(fits[name])) if name == "matlab" else ""


def _matlab(count: int) -> str:
    return f"the last axis counts the images ({count:,}), as MATLAB stores them"
