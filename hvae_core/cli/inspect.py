"""``inspect``: what a checkpoint file says of itself."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import Json, option
from hvae_core.common.errors import CheckpointError
from hvae_core.common.files import named_path

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.scores.classifier.file import ClassifierFile


def inspect(
    file: Annotated[str, option("a .safetensors file, or a checkpoint's name")],
    /,
    *,
    epochs: Annotated[bool, option("print the history of every epoch, not of the last")] = False,
    as_json: Json = False,
) -> None:
    """Show a checkpoint's card, configuration, layers and history.

    Check a checkpoint file and show what it says of itself: model card, configuration, latent
    layers, training history and SHA-256 digest. The file goes through the same gate as everywhere;
    nothing in it is ever executed.

    Examples:
      python -m hvae_core inspect runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors
      python -m hvae_core inspect glyphs-hvae3-informative --epochs
      python -m hvae_core inspect model.safetensors --json     the whole history, too
      python -m hvae_core inspect glyphs-classifier-0          a classifier of the label baselines
    """
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.scores.classifier.file import is_classifier
    from hvae_core.scores.classifier.library import shipped_classifiers

    path = shipped_classifiers().get(file) or named_path(file, CheckpointError)
    if path.is_file() and is_classifier(path):
        _inspect_classifier(path, epochs=epochs, as_json=as_json)
        return
    info = inspect_checkpoint(checkpoint_path(file))
    if as_json:
        show.as_json(describe(info))
        return
    show.say(f"{info.card.title or info.name}")
    show.say(f"sha256 {info.digest}, {info.size:,} bytes, {info.parameters:,} numbers\n")
    _fields("Card", {**asdict(info.card), "seconds": f"{info.card.seconds:,.0f}"})
    config = asdict(info.config)
    _fields("Model", {key: value for key, value in config.items() if not _of_parts(value)})
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
    _history(info, every=epochs)


def _inspect_classifier(path: Path, *, epochs: bool, as_json: bool) -> None:
    """Print what a classifier's file says of itself."""
    from hvae_core.scores.classifier.file import load_classifier

    file = load_classifier(path)
    if as_json:
        show.as_json(describe_classifier(file))
        return
    show.say(f"{file.card.title or file.name}")
    show.say(f"sha256 {file.digest}, {file.size:,} bytes\n")
    _fields("Card", asdict(file.card))
    _fields("Network", asdict(file.config))
    if file.train is not None:
        _fields("Training", asdict(file.train))
    rows = [
        (str(i), *(f"{value:.4f}" for value in values))
        for i, values in enumerate(zip(*file.history.values(), strict=False), start=1)
    ]
    heads = ("epoch", *(key.replace("_", " ") for key in file.history))
    show.table("History", heads, rows if epochs else rows[-1:])


def describe_classifier(file: ClassifierFile) -> dict[str, Any]:
    """A classifier in plain values."""
    return {
        "name": file.name,
        "digest": file.digest,
        "size": file.size,
        "card": asdict(file.card),
        "config": asdict(file.config),
        "train": None if file.train is None else asdict(file.train),
        "history": file.history,
    }


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


def _of_parts(value: Any) -> bool:
    """Whether a field lists parts with fields of their own: layers, which have a table."""
    return isinstance(value, tuple) and any(isinstance(part, dict) for part in value)


def _fields(title: str, values: dict[str, Any]) -> None:
    rows = [(key, _text(value)) for key, value in values.items() if value != ""]
    show.table(title, ("", ""), rows, left=2)


def _text(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _history(info: CheckpointInfo, *, every: bool) -> None:
    """The history as a table of epochs; a series that a file lacks has no column."""
    heads = {
        "train_elbo": "ELBO, training",
        "valid_elbo": "ELBO, validation",
        "valid_kl": "KL by layer",
        "active_units": "active units",
        "seconds": "seconds",
    }
    series = {head: info.history[key] for key, head in heads.items() if info.history.get(key)}
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
