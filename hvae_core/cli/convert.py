"""``convert``: another project's checkpoint as a file of this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hvae_core.cli import show
from hvae_core.cli.options import option


def convert(
    path: Annotated[
        str,
        option(
            "a file of weights, a folder, or a zip of it, as the other project wrote it", "PATH"
        ),
    ],
    out: Annotated[str, option("the .safetensors file to write", "OUT.safetensors")],
    /,
    *,
    config: Annotated[
        str,
        option(
            "hyper-parameters that its files do not have, by the project's own names: JSON, a file "
            "of JSON or YAML, or the name of one of the project's sets (cifar10, imagenet32, ...)",
            "JSON",
        ),
    ] = "",
) -> None:
    """Convert another project's checkpoint.

    Read a checkpoint of another project behind the gate and write it as a file of this one, which
    everything here takes; its card says from which project and file it came. The weights stay what
    they are. A checkpoint that needs no --config can be given to every command as it is.

    Examples:
      python -m hvae_core convert runs/vdvae/latest-model-ema.th vdvae.safetensors
      python -m hvae_core convert cifar10-model-ema.th vdvae.safetensors --config cifar10
      python -m hvae_core convert runs/dvp dvp.safetensors
    """
    from hvae_core.checkpoint.convert import read_given
    from hvae_core.checkpoint.file import convert_checkpoint
    from hvae_core.common.errors import CheckpointError
    from hvae_core.common.files import named_path
    from hvae_core.common.places import COMMAND

    info = convert_checkpoint(
        named_path(path, CheckpointError), Path(out), given=read_given(config)
    )
    show.say(f"{info.card.title}: {info.config.label}, {info.parameters:,} numbers")
    show.say(info.card.note)
    show.say(f"Written to {out}. Next: {COMMAND} inspect {out}")
