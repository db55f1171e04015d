"""``sampling``: quality and time of samples, for a diffusion prior by the number of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import DataOptions, Json, WorldName, kept, option, whole
from hvae_core.common.errors import CheckpointError
from hvae_core.common.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from hvae_core.checkpoint import Checkpoint


@kept("Nothing is kept.")
def sampling(
    name: Annotated[str, option("the model that draws", name="CHECKPOINT")],
    /,
    *,
    judge: Annotated[str, option("the model that reads", "CHECKPOINT")],
    n: Annotated[int, whole(1, "samples", name="-n")] = 1000,
    steps: Annotated[
        tuple[int, ...], whole(1, "steps of a diffusion prior", "T...", consume_multiple=1)
    ] = (50, 20, 10, 5, 2),
    world: WorldName = None,
    seed: Annotated[int, whole(0, "seed of the samples")] = 0,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Quality of samples under another model, and the time they take.

    Draw samples and let another checkpoint of the same world, the judge, read them beside real test
    images: mean -L under the judge, Frechet distance of its latents to those of test images, mean
    distance to the nearest one. Validation images are measured in the same way: good samples could
    do as well as they.

    Examples:
      python -m hvae_core sampling glyphs-hvae3-elbo --judge glyphs-hvae3-freebits
      python -m hvae_core sampling glyphs-dvp-small --judge glyphs-hvae3-freebits \\
          --steps 50 20 10 5 2
          the sampler of the prior over u, ancestral and deterministic, at several numbers of steps
    """
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.worlds import held_out_name, world_of

    checkpoint, reader = load_checkpoint(name), load_checkpoint(judge)
    if reader.digest == checkpoint.digest:
        raise CheckpointError("A model cannot judge its own samples; name another with --judge.")
    if reader.config.image_shape != checkpoint.config.image_shape:
        raise CheckpointError("The judge reads images of another shape; name another with --judge.")
    sets = data.sets(place := world_of(reader, world), n)
    names = {"test": place.in_name, "validation": held_out_name(place)}
    with show.progress_bar() as bar:
        held = {role: sets.images(reader, set_name, bar).images for role, set_name in names.items()}
        rows = list(_rows(checkpoint, reader, held, n=n, steps=steps, seed=seed, progress=bar))
    show.need_numbers((row["nll"] for row in rows[1:]), "quality of samples")
    if as_json:
        show.as_json({"n": n, "judge": reader.name, "samplers": rows})
        return
    heads = ("sampler", "-L of the judge", "Frechet", "nearest", "s / 1000, u", "s / 1000, all")
    show.table(
        f"{n:,} samples of {checkpoint.name}, read by {reader.name}", heads,
        [(r["sampler"], *(_cell(r[key], 2) for key in ("nll", "frechet", "nearest")),
          *(_cell(r[key], 3) for key in ("seconds_u", "seconds")))
         for r in rows],
    )  # fmt: skip


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _rows(
    checkpoint: Checkpoint,
    judge: Checkpoint,
    held: Mapping[str, np.ndarray],
    *,
    n: int,
    steps: Sequence[int],
    seed: int,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    """Quality of held-out images, then of the samples of every sampler, with seconds for 1,000."""
    from hvae_core.probes.sample_quality import draw, judged, quality

    test, validation = (
        judged(judge.model, held[name], progress=progress) for name in ("test", "validation")
    )
    yield {"sampler": "validation images", "seconds_u": None, "seconds": None,
           **asdict(quality(validation, test))}  # fmt: skip
    per = 1000 / n
    for sampler, way in checkpoint.model.samplers(steps):
        drawn = draw(checkpoint.model, n, seed, way)
        measured = quality(judged(judge.model, drawn.pixels, progress=progress), test)
        yield {"sampler": sampler, "seconds_u": drawn.seconds_u and drawn.seconds_u * per,
               "seconds": drawn.seconds * per, **asdict(measured)}  # fmt: skip
