"""Monte-Carlo standard errors of bounds, from the draws that they are means of.

Numpy on the samples of one batch, axis 0; everything in nats. One draw has no error: NaN.
"""

from __future__ import annotations

import numpy as np

from hvae_core.common.arrays import Floats


def iw_value(weights: Floats) -> Floats:
    """L^S = log (1/S) sum_s w_s from log weights (S, B) (Havtorn et al. 2021, Eq. 9), (B,)."""
    return np.asarray(np.logaddexp.reduce(weights, axis=0) - np.log(len(weights)))


def mean_error(values: Floats) -> Floats:
    """Standard error of the mean over samples, deviation / sqrt(S), of values (S, B), (B,)."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def iw_error(weights: Floats) -> Floats:
    """Standard error of L^S by the delta method, from log weights (S, B), (B,).

    d log(mean w) = d(mean w) / mean w: the error of the mean of w_s / mean w. The bias of L^S, of
    the order of its square, is not in it; nor is a tail of the weights that no draw has met, so
    that with few draws it is a lower bound.
    """
    return mean_error(_influence(weights))


def ratio_error(weights: Floats, values: Floats) -> Floats:
    """Standard error of L^S - mean(values) where both share their first draws, (B,).

    ``weights`` (S, B) are the log weights of k = 0, ``values`` (T, B) the terms of L_{>k}. The
    noise that both see cancels: Var = Var(a)/S + Var(b)/T - 2 min(S, T)/(S T) Cov(a, b), the
    covariance being that of the shared draws.
    """
    first, second = _influence(weights), values
    n, m = len(first), len(second)
    shared = min(n, m)
    if shared < 2:
        return np.full(values.shape[1:], np.nan)
    if n == m:  # draw by draw, where no digit is lost to a difference of variances
        return mean_error(first - second)
    a, b = (part[:shared] - part[:shared].mean(axis=0) for part in (first, second))
    covariance = (a * b).sum(axis=0) / (shared - 1)
    variance = mean_error(first) ** 2 + mean_error(second) ** 2 - 2 * covariance / max(n, m)
    # An estimate: of few draws it can fall below zero, where the error is next to nothing.
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _influence(weights: Floats) -> Floats:
    """w_s / mean w, the derivative of log(mean w) in each draw but for 1/S, (S, B)."""
    return np.asarray(np.exp(weights - iw_value(weights)))
