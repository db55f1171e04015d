"""``collapse``: which layers of a checkpoint say nothing, since when, why, and what to try."""

from __future__ import annotations

from typing import Annotated

from hvae_core.cli import show
from hvae_core.cli.options import CheckpointName, DataOptions, Json, OneSetOptions, kept, option
from hvae_core.common.errors import ConfigError
from hvae_core.common.thresholds import COLLAPSE_THRESHOLD
from hvae_core.evaluation import SHIPPED_LIMIT


@kept("Nothing is kept of what was not finished.")
def collapse(
    name: CheckpointName,
    /,
    *,
    of: OneSetOptions = OneSetOptions(),
    below: Annotated[float, option("KL a unit that is nothing", "NATS")] = COLLAPSE_THRESHOLD,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """A written finding on a checkpoint's layers.

    Which layers say nothing or little (KL a unit, active units), since which epoch, why as far as
    the KL terms and the recipe tell, what the decoder's variance lets the units say (of Gaussian
    pixels: 0.5 ln(lambda_i / sigma^2), Lucas et al. 2019), and what the literature would try: with
    the command that does it and the preset of the Lab that shows it.

    Examples:
      python -m hvae_core collapse glyphs-hvae5-elbo
      python -m hvae_core collapse runs/mine/mine.safetensors --set photos/ --json
    """
    from hvae_core.common.errors import MissingImages
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.diagnosis import diagnosis
    from hvae_core.evaluation.linear import fixed_std
    from hvae_core.evaluation.lookup import evaluated
    from hvae_core.evaluation.worlds import one_set

    if not below > 0:
        raise ConfigError(f"--below is a KL in nats above 0, not {below:g}.")
    checkpoint = load_checkpoint(name)
    world, set_name = one_set(checkpoint, of.world, of.source, data.place)
    sets, images = data.sets(world, SHIPPED_LIMIT), None
    with show.progress_bar() as bar:
        answer = evaluated(checkpoint, sets, set_name, progress=bar)
        if fixed_std(checkpoint.config) is not None:
            try:
                images = sets.images(checkpoint, set_name, bar)
            except MissingImages:
                images = None  # the stored result is shown all the same
    title = world.spec(set_name).title
    found = diagnosis(checkpoint, answer.evaluation, images, title=title, threshold=below)
    if as_json:
        show.as_json(found.as_dict())
        return
    show.say(str(found))
