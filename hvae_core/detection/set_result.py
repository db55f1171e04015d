"""One evaluated set in a report: its layers, its bounds, and what scores make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hvae_core.detection.metrics import Detection
from hvae_core.evaluation.collapse import active_units, bits_per_dim, collapsed_layers, kl_per_dim
from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class SetResult:
    """One set under one checkpoint, means over its images.

    By layer, z_1 first: ``kl`` (nats), ``kl_per_dim`` (nats a latent unit), ``active_units``;
    ``collapsed`` are the numbers of the layers under the threshold of ``collapse``. By k = 0..K-1,
    in bits per image dimension: ``bound_bits`` of L_>k, ``iw_bits`` of its importance-weighted
    form, ``nll_bits`` of -log p(x|z_>k). ``errors`` are Monte-Carlo standard errors of one image in
    nats, means over images by k, named as in ``BoundTable``; empty where they were not recorded or
    there was one draw. ``detections`` holds every score that could be had
    against the in-distribution set, ``unavailable`` the reason for every other; both are empty for
    the in-distribution set itself. ``fitted`` says by score how many of the images its density is
    fitted to: these are not counted, where a set holds some.
    """

    name: str
    images: int
    kl: tuple[float, ...]
    kl_per_dim: tuple[float, ...]
    active_units: tuple[int, ...]
    collapsed: tuple[int, ...]
    bound_bits: tuple[float, ...]
    iw_bits: tuple[float, ...]
    nll_bits: tuple[float, ...]
    detections: Mapping[str, Detection]
    unavailable: Mapping[str, str]
    errors: Mapping[str, tuple[float, ...]]
    fitted: Mapping[str, int] = field(default_factory=dict)


def set_result(
    evaluation: Evaluation,
    detections: Mapping[str, Detection],
    unavailable: Mapping[str, str],
    fitted: Mapping[str, int],
) -> SetResult:
    """The means of one set by layer and by k."""
    table = evaluation.table
    units = [len(variance) for variance in evaluation.unit_variance]
    kl = table.kl.mean(0)  # (L,)
    return SetResult(
        name=evaluation.set_name,
        images=len(evaluation),
        kl=_floats(kl),
        kl_per_dim=_floats(kl_per_dim(kl, units)),
        active_units=tuple(active_units(variance) for variance in evaluation.unit_variance),
        collapsed=collapsed_layers(kl, units),
        bound_bits=_floats(bits_per_dim(-table.bound.mean(0), table.dims)),
        iw_bits=_floats(bits_per_dim(-table.iw.mean(0), table.dims)),
        nll_bits=_floats(bits_per_dim(table.nll.mean(0), table.dims)),
        detections=detections,
        unavailable=unavailable,
        errors={
            name: _floats(values.mean(0))
            for name, values in table.errors.items()
            if np.isfinite(values).all()
        },
        fitted=fitted,
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
