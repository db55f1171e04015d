"""Rows of numbers as images, checked as scikit-learn does; what is wrong is an error of both."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.data.given import row_shape


class RowsError(DataError, ValueError):
    """Rows that hold no images."""


class RowsTypeError(DataError, TypeError):
    """Values that are no numbers."""


def checked_rows(
    estimator: BaseEstimator, values: Any, image_shape: Shape, *, shape: Shape | None, reset: bool
) -> Any:
    """Rows (N, pixels) of images of ``shape``, or of the model's ``image_shape``.

    Raises ``RowsError`` or ``RowsTypeError``.
    """
    try:
        rows = validate_data(estimator, values, reset=reset, dtype="numeric", ensure_min_samples=1)
    except ValueError as error:
        raise RowsError(str(error)) from error
    except TypeError as error:
        raise RowsTypeError(str(error)) from error
    try:
        row_shape(rows.shape[1], image_shape, shape)
    except DataError as error:
        raise RowsError(str(error)) from error
    return rows
