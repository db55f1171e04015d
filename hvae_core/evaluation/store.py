"""For maintainers: the results that ship with the project are made here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.cache import write_npz
from hvae_core.common.progress import Progress, silent
from hvae_core.data import World, identity
from hvae_core.data.stored import folder_of
from hvae_core.evaluation.bounds import COLUMNS, ERRORS
from hvae_core.evaluation.byte_planes import to_planes
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, pack
from hvae_core.evaluation.lookup import RESULTS
from hvae_core.evaluation.sets import Sets

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

STEPS = dict.fromkeys(COLUMNS, 2.0**-9) | dict.fromkeys(ERRORS, 2.0**-5) | {"kl": 2.0**-13}
"""To what stored results are rounded, in nats: bounds as exactly as kinds of device agree on them,
standard errors roughly, the KL of a layer finer, as that of a collapsed one is small."""
LATENT_STEP = 1 / 64
"""To what posterior means are rounded, in standard deviations of their unit over the set. The
Gaussians of classes need it so fine: they look along directions in which a layer hardly varies."""


def store_result(
    checkpoint: Checkpoint, sets: Sets, set_name: str, progress: Progress = silent
) -> Path:
    """Evaluate a set under the default settings and write it to the project's stored results.

    The latents of control sets, which few look at, are left out: an encoding brings them back.
    """
    images = sets.images(checkpoint, set_name, progress)
    model, digest = checkpoint.model, checkpoint.digest
    evaluation = evaluate(model, digest, images, settings=EvalSettings(), progress=progress)
    if sets.world.spec(set_name).role == "control":
        evaluation = replace(evaluation, latents=tuple(z[:, :0] for z in evaluation.latents))
    path = RESULTS / checkpoint.name / f"{set_name}.npz"
    arrays = pack(evaluation)
    arrays |= {n: a.astype(np.float16) for n, a in arrays.items() if n.startswith("variance")}
    write_npz(path, to_planes(arrays, STEPS, by_unit=LATENT_STEP), compressed=True)
    return path


def store_identities(worlds: Iterable[World]) -> Path:
    """Write which pixels the sets have that come with the project (see ``data.identity``)."""
    pixels = {}
    whole = [world for world in worlds if not any(folder_of(spec.origin) for spec in world.sets)]
    for sets, spec in ((Sets(world), spec) for world in whole for spec in world.sets):
        shape = sets.world.image_shape
        key = identity.key_of(
            sets.world, spec.name, shape, limit=sets.limit, data_root=sets.data_root
        )
        if key is not None:
            images = sets.choose(spec.name).fit(shape)
            pixels[key] = [images.digest, *images.notes]
    identity.SHIPPED.write_text(json.dumps(pixels, indent=1, sort_keys=True) + "\n", "utf-8")
    return identity.SHIPPED
