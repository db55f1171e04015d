"""``train`` for a classifier: the label baselines, one file a seed."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show

if TYPE_CHECKING:
    from hvae_core.config import ModelCard
    from hvae_core.scores.classifier.config import ClassifierPreset, ClassifierTraining
    from hvae_core.scores.classifier.file import ClassifierFile
    from hvae_core.scores.classifier.training import ClassifierRun
    from hvae_core.training.recipe import Data


def run(args: argparse.Namespace, preset: ClassifierPreset) -> None:
    """Train, write DIR/PRESET-SEED.safetensors, and say how many it names rightly."""
    import torch

    from hvae_core.common.errors import ConfigError
    from hvae_core.scores.classifier.file import save_classifier
    from hvae_core.scores.classifier.training import train_classifier
    from hvae_core.training.recipe import find_data

    if (args.accelerator, args.devices, args.precision) not in {
        ("auto", 1, "32-true"),
        ("cpu", 1, "32-true"),
    }:
        raise ConfigError(
            "A classifier trains on the processor in 32 bits; "
            "leave out --accelerator, --devices and --precision."
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    folder = Path(args.out or Path("runs") / preset.name).expanduser()
    with show.progress_bar() as bar:
        data = find_data(args, preset, bar)
        config = _adjusted(preset.train, args.epochs, args.seed, data.key)
        model = preset.model
        if args.data:
            model = replace(model, classes=max(2, len(data.train.class_names)))
        result = train_classifier(model, config, data.train, data.validation, progress=bar)
    file = save_classifier(
        folder / f"{preset.name}-{config.seed}.safetensors",
        result.model,
        card=_card(preset, config, data, result),
        history=result.history,
        train=config,
    )
    _say(args, folder, file)


def _say(args: argparse.Namespace, folder: Path, file: ClassifierFile) -> None:
    path = folder / f"{file.name}.safetensors"
    if args.json:
        show.as_json({"path": str(path), **describe(file)})
        return
    share = file.history["valid_accuracy"][-1]
    show.say(
        f"{path}: sha256 {file.digest[:16]}, {file.card.seconds:,.0f} s of training, "
        f"{share:.1%} of the validation images named rightly"
    )


def inspect(args: argparse.Namespace) -> bool:
    """Show what a classifier's file says of itself; False where the file is none."""
    from hvae_core.scores.classifier.file import is_classifier, load_classifier
    from hvae_core.scores.classifier.library import shipped_classifiers

    path = shipped_classifiers().get(args.file, Path(args.file).expanduser())
    if not path.is_file() or not is_classifier(path):
        return False
    file = load_classifier(path)
    if args.json:
        show.as_json(describe(file))
        return True
    show.say(f"{file.card.title or file.name}")
    show.say(f"sha256 {file.digest}, {file.size:,} bytes\n")
    parts: dict[str, Any] = {"Card": file.card, "Network": file.config, "Training": file.train}
    for title, part in parts.items():
        values = {} if part is None else asdict(part)
        show.table(title, ("", ""), [(k, str(v)) for k, v in values.items() if v != ""], left=2)
    rows = [
        (str(i), *(f"{value:.4f}" for value in values))
        for i, values in enumerate(zip(*file.history.values(), strict=False), start=1)
    ]
    heads = ("epoch", *(key.replace("_", " ") for key in file.history))
    show.table("History", heads, rows if args.epochs else rows[-1:])
    return True


def describe(file: ClassifierFile) -> dict[str, Any]:
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


def _adjusted(
    config: ClassifierTraining, epochs: int | None, seed: int | None, data: str
) -> ClassifierTraining:
    from hvae_core.config import from_json

    changed = {
        "data": data,
        "seed": config.seed if seed is None else seed,
        "epochs": epochs or config.epochs,
    }
    return from_json(type(config), json.dumps(asdict(config) | changed))


def _card(
    preset: ClassifierPreset, config: ClassifierTraining, data: Data, result: ClassifierRun
) -> ModelCard:
    from hvae_core.common.machine import hardware
    from hvae_core.config import ModelCard

    return ModelCard(
        title=f"{data.title}, classifier",
        preset=preset.name,
        data=f"{data.words}, {len(data.train):,} images; {len(data.validation):,} for validation",
        train_images=len(data.train),
        epochs=config.epochs,
        objective="cross-entropy",
        parameters=sum(weight.numel() for weight in result.model.parameters()),
        seconds=round(result.seconds, 1),
        hardware=hardware("cpu"),
        seed=config.seed,
        created=datetime.now(UTC).date().isoformat(),
        note=preset.source,
    )
