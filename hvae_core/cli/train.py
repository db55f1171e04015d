"""``train``: make a checkpoint by a recorded recipe."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.cli import show
from hvae_core.cli.models import TWINS
from hvae_core.cli.options import Commands, add_command, add_data, add_json, at_least

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from hvae_core.config import TrainConfig
    from hvae_core.config.presets import Preset
    from hvae_core.scores.classifier.config import ClassifierPreset
    from hvae_core.training.loop import Run
    from hvae_core.training.recipe import Data

_EXAMPLES = """\
  python -m hvae_core train --list
  python -m hvae_core train --preset glyphs-hvae3-elbo
  python -m hvae_core train --preset glyphs-hvae3-informative --epochs 2 --out /tmp/quick
      a quick look; the schedules of warm-up and free bits shrink with the epochs
  python -m hvae_core train --preset fashion-hvae3-elbo --data-root ~/images
  python -m hvae_core train --preset glyphs-hvae3-elbo --data ~/images/cats --out runs/cats
      the preset's network on images of your own, a tenth of them held out for validation
  python -m hvae_core train --preset hvk-fashionmnist-hvae3 --devices 2 --precision bf16-mixed
  python -m hvae_core train --preset hvk-fashionmnist-hvae3-small
      the small twin of a paper's recipe, for two processor cores
  python -m hvae_core train --preset glyphs-classifier --seed 1
      a classifier for the scores that need labels; DIR/PRESET-SEED.safetensors, in minutes

DIR/state.safetensors keeps the run after every epoch, and DIR/PRESET.safetensors is the checkpoint,
renewed after every epoch, with the averaged weights. Ctrl-C, or a power cut, loses at most the
epoch that was running: the same command continues, and ends with the weights of a run that was
never interrupted. On a run that is finished it only writes the checkpoint again.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "train",
        run,
        summary="train a checkpoint by a preset; resumes where it stopped",
        description="Train a hierarchical VAE by a recorded recipe (preset): network, objective, "
        "data and schedule. `models` describes the presets.",
        examples=_EXAMPLES,
        kept="Finished epochs are kept in the run's folder; the same command continues from there.",
    )
    command.add_argument("--preset", metavar="NAME", help="the recipe")
    command.add_argument("--list", action="store_true", help="list the presets and stop")
    command.add_argument("--out", metavar="DIR", help="folder of the run (default: runs/NAME)")
    command.add_argument(
        "--epochs", type=at_least(1), metavar="N", help="epochs (default: the preset's)"
    )
    command.add_argument(
        "--seed", type=at_least(0), metavar="N", help="seed of the run (default: the preset's, 0)"
    )
    command.add_argument(
        "--data",
        metavar="SOURCE",
        help="train on images of your own: a folder, .parquet, .npz, .zip, or a name on the "
        "Hugging Face hub (default: the preset's world)",
    )
    add_data(command)
    _add_machine(command)
    add_json(command)


def _add_machine(command: argparse.ArgumentParser) -> None:
    """Where and how it runs."""
    command.add_argument(
        "--threads", type=at_least(1), metavar="N", help="processor threads (default: all cores)"
    )
    command.add_argument(
        "--accelerator",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="kind of device (default: a graphics card where there is one)",
    )
    command.add_argument(
        "--devices", type=at_least(1), default=1, metavar="N", help="devices (default: 1)"
    )
    command.add_argument(
        "--precision",
        choices=("32-true", "bf16-mixed", "16-mixed"),
        default="32-true",
        help="number format while training; weights are kept in 32 bits (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Train, keeping state and checkpoint after every epoch."""
    from hvae_core.cli import train_classifier
    from hvae_core.common.errors import ConfigError
    from hvae_core.config.presets import get_preset
    from hvae_core.scores.classifier.config import PRESETS as CLASSIFIERS

    if args.list:
        list_presets(as_json=args.json)
        return
    if not args.preset:
        raise ConfigError(
            "Name a recipe with --preset; `python -m hvae_core train --list` lists them."
        )
    if args.preset in CLASSIFIERS:
        train_classifier.run(args, CLASSIFIERS[args.preset])
        return
    preset = get_preset(args.preset)
    folder = Path(args.out or Path("runs") / preset.name).expanduser()
    fabric = make_fabric(args)
    path = folder / f"{preset.name}.safetensors"
    with show.progress_bar() as bar:
        result, export = train_preset(args, preset, folder, fabric, bar)
    if fabric.is_global_zero:
        _finish(args, path, result, export)


def train_preset(
    args: argparse.Namespace, preset: Preset, folder: Path, fabric: Fabric, bar: show.Bar
) -> tuple[Run, Callable[[Run], None]]:
    """Train into a folder, or continue there; the run, and what writes its checkpoint again.

    Of ``args`` it reads epochs, seed, precision, and where the images are.
    """
    from hvae_core.training.recipe import adjusted, find_data

    data = find_data(args, preset, bar)
    config = adjusted(preset.train, args.epochs, args.seed, data.key)
    path = folder / f"{preset.name}.safetensors"
    export = exporter(path, preset, config, data, fabric, bar.line, args.precision)
    return _train(preset, config, data, folder, export, fabric, bar), export


def _train(
    preset: Preset,
    config: TrainConfig,
    data: Data,
    folder: Path,
    export: Callable[[Run], None],
    fabric: Fabric,
    bar: show.Bar,
) -> Run:
    from hvae_core.training.loop import train
    from hvae_core.training.recipe import starting_weights

    return train(
        preset.model,
        config,
        data.train,
        data.validation,
        start=starting_weights(config, folder),
        state=folder / "state.safetensors",
        on_epoch=export,
        progress=bar,
        fabric=fabric,
    )


def _finish(
    args: argparse.Namespace, path: Path, result: Run, export: Callable[[Run], None]
) -> None:
    """Write the checkpoint of a run that may have been finished before, and say where it is."""
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.cli.inspect import describe

    export(result)
    info = inspect_checkpoint(path)
    if args.json:
        show.as_json({"path": str(path), **describe(info)})
        return
    show.say(f"{path}: sha256 {info.digest[:16]}, {info.card.seconds:,.0f} s of training")
    show.say(f"Next: python -m hvae_core evaluate {path}")


def list_presets(*, as_json: bool) -> None:
    """Print name and purpose of every preset."""
    from hvae_core.config.presets import PRESETS
    from hvae_core.scores.classifier.config import PRESETS as CLASSIFIERS

    presets: list[Preset | ClassifierPreset] = [*PRESETS.values(), *CLASSIFIERS.values()]
    if as_json:
        show.as_json({"presets": {p.name: p.title for p in presets}})
        return
    rows = [(p.name, p.title, p.world, p.source) for p in presets if not getattr(p, "twin_of", "")]
    show.table("Presets", ("preset", "what it is", "world", "from"), rows, left=4)
    show.say(TWINS)


def make_fabric(args: argparse.Namespace) -> Fabric:
    """The devices to train on. Raises ``ConfigError`` where they are not there."""
    import torch
    from lightning_fabric import Fabric

    from hvae_core.common.errors import ConfigError

    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        return Fabric(accelerator=args.accelerator, devices=args.devices, precision=args.precision)
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(
            f"{args.devices} device(s) of kind {args.accelerator} with precision {args.precision} "
            "cannot be had on this machine; try --accelerator cpu."
        ) from exc


def exporter(
    path: Path,
    preset: Preset,
    config: TrainConfig,
    data: Data,
    fabric: Fabric,
    say: Callable[[str], None],
    precision: str = "32-true",
) -> Callable[[Run], None]:
    """A function that writes the checkpoint of a run as it stands and says how the epoch went."""
    from hvae_core.checkpoint import save_checkpoint
    from hvae_core.training.recipe import card_of, epoch_line

    written = 0

    def export(result: Run) -> None:
        nonlocal written
        card = card_of(preset, config, data, result, str(fabric.device), precision)
        save_checkpoint(path, result.model, card=card, history=result.history, train=config)
        if card.epochs > written:
            say(epoch_line(result, config.epochs))
        written = card.epochs

    return export
