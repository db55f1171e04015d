"""``inspect``: what a checkpoint file says of itself."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import CHECKPOINT, Commands, add_command, add_json

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo

_EXAMPLES = """\
  python -m hvae_core inspect runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors
  python -m hvae_core inspect glyphs-hvae3-informative --epochs
  python -m hvae_core inspect model.safetensors --json     the whole history, too
  python -m hvae_core inspect glyphs-classifier-0          a classifier of the label baselines
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "inspect",
        run,
        summary="show a checkpoint's card, configuration, layers and history",
        description="Check a checkpoint file and show what it says of itself: model card, "
        "configuration, latent layers, training history and SHA-256 digest. The file goes through "
        "the same gate as everywhere; nothing in it is ever executed.",
        examples=_EXAMPLES,
    )
    command.add_argument("file", metavar="FILE", help=CHECKPOINT)
    command.add_argument(
        "--epochs", action="store_true", help="print the history of every epoch, not of the last"
    )
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Print what the file says."""
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.cli import train_classifier
    from hvae_core.evaluation.lookup import checkpoint_path

    if train_classifier.inspect(args):
        return
    info = inspect_checkpoint(checkpoint_path(args.file))
    if args.json:
        show.as_json(describe(info))
        return
    show.say(f"{info.card.title or info.name}")
    show.say(f"sha256 {info.digest}, {info.size:,} bytes, {info.parameters:,} numbers\n")
    _fields("Card", {**asdict(info.card), "seconds": f"{info.card.seconds:,.0f}"})
    layered = {"latents", "scales"}  # in the table below
    config = {key: value for key, value in asdict(info.config).items() if key not in layered}
    _fields("Model", config)
    if info.train is not None:
        _fields("Training", asdict(info.train))
    layers = [
        (
            layer["name"],
            layer["level"],
            "conv" if len(layer["shape"]) == 3 else "dense",
            show.shape_text(layer["shape"]),
            f"{layer['units']:,}",
        )
        for layer in _layers(info)
    ]
    heads = ("", "level", "kind", "shape", "units")
    show.table("Latent layers, z1 closest to the image", heads, layers, left=3)
    _history(info, every=args.epochs)


def describe(info: CheckpointInfo) -> dict[str, Any]:
    """A checkpoint in plain values."""
    return {
        "name": info.name,
        "digest": info.digest,
        "size": info.size,
        "parameters": info.parameters,
        "card": asdict(info.card),
        "config": asdict(info.config),
        "train": None if info.train is None else asdict(info.train),
        "layers": _layers(info),
        "history": info.history,
    }


def _layers(info: CheckpointInfo) -> list[dict[str, Any]]:
    config = info.config
    layers = zip(config.latent_names, config.levels, config.latent_shapes, strict=True)
    return [
        {"name": name, "level": level, "shape": list(shape), "units": math.prod(shape)}
        for name, level, shape in layers
    ]


def _fields(title: str, values: dict[str, Any]) -> None:
    rows = [(key, _text(value)) for key, value in values.items() if value != ""]
    show.table(title, ("", ""), rows, left=2)


def _text(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _history(info: CheckpointInfo, *, every: bool) -> None:
    """The history as a table of epochs; a series that a file lacks has no column."""
    known = {
        "train_elbo": "ELBO, training",
        "valid_elbo": "ELBO, validation",
        "valid_kl": "KL by layer",
        "active_units": "active units",
        "seconds": "seconds",
    }
    series = {head: info.history[key] for key, head in known.items() if info.history.get(key)}
    if not series:
        show.say("The file keeps no training history.")
        return
    epochs = min(map(len, series.values()))
    shown = range(epochs) if every else sorted({0, epochs - 1})
    rows = [(str(i + 1), *(_number(values[i]) for values in series.values())) for i in shown]
    title = f"History of {epochs} epochs, nats an image"
    show.table(title if every else f"{title}: first and last", ("epoch", *series), rows)


def _number(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_number, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
