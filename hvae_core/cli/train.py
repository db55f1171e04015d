"""``train``: make a checkpoint by a recorded recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.inspect import describe, describe_classifier
from hvae_core.cli.models import TWINS
from hvae_core.cli.options import (
    STEPPED,
    DataOptions,
    DeviceOptions,
    Json,
    kept,
    option,
    options,
    whole,
)
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import named_path

if TYPE_CHECKING:
    from hvae_core.config.presets import Preset
    from hvae_core.scores.classifier.config import ClassifierPreset


@kept("Finished epochs are kept in the run's folder; the same command continues from there.")
def train(
    images: Annotated[
        str | None,
        Parameter(
            name="IMAGES",
            help="a folder or file of your own pictures, or a set by name: "
            "without --preset all is chosen from them",
        ),
    ] = None,
    /,
    *,
    preset: Annotated[str | None, option("the recipe", "NAME")] = None,
    listing: Annotated[bool, option("list the presets and stop", name="--list")] = False,
    out: Annotated[str | None, option("folder of the run (default: runs/NAME)", "DIR")] = None,
    epochs: Annotated[int | None, whole(1, "epochs (default: the preset's)")] = None,
    seed: Annotated[int | None, whole(0, "seed of the run (default: the preset's, 0)")] = None,
    source: Annotated[
        str | None,
        option(
            "train on images of your own: a folder, .parquet, .npz, .zip, or a name on the Hugging "
            "Face hub (default: the preset's world)",
            "SOURCE",
            name="--data",
        ),
    ] = None,
    judge: Annotated[
        tuple[str, ...],
        options("judge these images at the end: files or folders (with IMAGES)", "IMAGE"),
    ] = (),
    size: Annotated[
        int | None, whole(8, "pixels of the longer side (with IMAGES; default: 32)")
    ] = None,
    data: DataOptions = DataOptions(),
    threads: Annotated[int | None, whole(1, "processor threads (default: all cores)")] = None,
    device: DeviceOptions = DeviceOptions(),
    compiling: Annotated[
        Literal["auto", "off"],
        option(
            "auto: one graphics card replays a recorded step, at the same figures but for rounding",
            name="--compile",
        ),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Train a checkpoint by a preset; resumes where it stopped.

    Train a hierarchical VAE by a recorded recipe (preset): network, objective, data and schedule.
    `models` describes the presets. Or name a folder of pictures and nothing else: size, colour,
    network and length are chosen from them, a fifth is held out, and at the end `judge` has a
    calibrated detector.

    Examples:
      python -m hvae_core train ~/images/letters
          from a folder of pictures to runs/letters, and what collapsed there
      python -m hvae_core train ~/images/letters --judge photo.png
          the same, and a verdict on one more picture
      python -m hvae_core train --list
      python -m hvae_core train --preset glyphs-hvae3-elbo
      python -m hvae_core train --preset glyphs-hvae3-informative --epochs 2 --out /tmp/quick
          a quick look; the schedules of warm-up and free bits shrink with the epochs
      python -m hvae_core train --preset fashion-hvae3-elbo --data-root ~/images
      python -m hvae_core train --preset glyphs-hvae3-elbo --data ~/images/cats --out runs/cats
          the preset's network on images of your own, a tenth of them held out for validation
      python -m hvae_core train --preset hvk-fashionmnist-hvae3 --devices 2 --precision bf16-mixed
      NODE_RANK=0 MASTER_ADDR=node1 MASTER_PORT=29500 python -m hvae_core train --preset \
          dct-cifar10 --num-nodes 2 --devices 4 --strategy fsdp --out /shared/runs/dct
          the same on node2 with NODE_RANK=1: eight devices share one network; the folder is one
          that both machines see
      python -m hvae_core train --preset hvk-fashionmnist-hvae3-small
          the small twin of a paper's recipe, for two processor cores
      python -m hvae_core train --preset glyphs-classifier --seed 1
          a classifier for the scores that need labels; DIR/PRESET-SEED.safetensors, in minutes

    DIR/state.safetensors keeps the run after every epoch, and DIR/PRESET.safetensors is the
    checkpoint, renewed after every epoch, with the averaged weights. Ctrl-C, or a power cut, loses
    at most the epoch that was running: the same command continues, and ends with the weights of a
    run that was never interrupted. On a run that is finished it only writes the checkpoint again;
    with more --epochs a finished run goes on. The schedules of learning rate, warm-up and free bits
    are then those of the longer run from there on, which a line and the checkpoint's card say.
    """
    if listing:
        list_presets(as_json=as_json)
        return
    if images and source:
        raise ConfigError("Name the images once: IMAGES and --data say the same.")
    if images and not preset:
        _train_own(
            images, out, judge, size=size, epochs=epochs, seed=seed, data=data, threads=threads,
            device=device, as_json=as_json,
        )  # fmt: skip
        return
    if not preset:
        raise ConfigError(
            "Name a folder of pictures, or a recipe with --preset; `python -m hvae_core train "
            "--list` lists them."
        )
    if judge or size:
        raise ConfigError("--judge and --size are for pictures of your own without --preset.")
    source = source or images
    from hvae_core.config.presets import get_preset
    from hvae_core.data.prepare import parse_steps
    from hvae_core.scores.classifier.config import PRESETS as CLASSIFIERS

    if source:
        STEPPED.append(source)
    data.check_steps()
    recipe = CLASSIFIERS.get(preset) or get_preset(preset)
    folder = named_path(out or Path("runs") / recipe.name, ConfigError)
    asked: dict[str, Any] = {
        "epochs": epochs, "seed": seed, "source": source, "prepare": parse_steps(data.prepare),
        "data_root": data.data_root, "download": data.download,
    }  # fmt: skip
    if threads:
        import torch

        torch.set_num_threads(threads)
    if preset in CLASSIFIERS:
        if not device.usual or compiling != "auto":
            raise ConfigError(
                "A classifier trains on the processor in 32 bits; leave out --accelerator, "
                "--devices, --num-nodes, --strategy, --precision and --compile."
            )
        _train_classifier(CLASSIFIERS[preset], folder, asked, as_json=as_json)
        return
    from hvae_core.training.recipe import train_preset

    fabric = device.fabric()
    with show.progress_bar() as bar:
        path = train_preset(
            get_preset(preset), folder, **asked, fabric=fabric, precision=device.precision,
            extend=True, compiling=compiling, progress=bar, say=bar.line,
        )  # fmt: skip
    if path is not None:  # else another process says it
        _finish(path, as_json=as_json)


def _train_own(
    source: str,
    out: str | None,
    judge: tuple[str, ...],
    *,
    size: int | None,
    epochs: int | None,
    seed: int | None,
    data: DataOptions,
    threads: int | None,
    device: DeviceOptions,
    as_json: bool,
) -> None:
    """Train on own pictures, say what collapsed, and calibrate a detector."""
    from hvae_core.cli.judge import calibrated, judged_rows
    from hvae_core.cli.judge import tell as tell_verdicts
    from hvae_core.data.own_images import SIDE, own_images
    from hvae_core.data.prepare import parse_steps
    from hvae_core.detection.judging import judging
    from hvae_core.training.own import slug_of, train_own

    fabric = device.fabric()
    if threads:
        import torch

        torch.set_num_threads(threads)
    with show.progress_bar() as bar:
        bar(0.0, "reading the pictures")
        pictures = own_images(
            source, side=size or SIDE, seed=seed or 0, prepare=parse_steps(data.prepare),
            data_root=data.data_root, download=data.download, progress=bar,
        )  # fmt: skip
        for note in pictures.notes:
            bar.line(note)
        folder = named_path(out or Path("runs") / slug_of(pictures.title), ConfigError)
        run = train_own(
            pictures, folder, epochs=epochs, seed=seed or 0, fabric=fabric,
            precision=device.precision, progress=bar, say=bar.line,
        )  # fmt: skip
    if run is None:  # another process says it
        return
    detector = calibrated(judging(run.path), _ALPHA)
    rows = judged_rows(detector, judge, data.prepare)
    if as_json:
        show.as_json(
            {"path": str(run.path), "digest": run.digest, "held_out": run.held_out,
             "notes": pictures.notes, "collapse": run.collapse, "judged": rows}
        )  # fmt: skip
        return
    show.say(f"{run.path}: sha256 {run.digest[:16]}")
    for line in run.collapse:
        show.say(line)
    show.say(f"{run.held_out:,} pictures were held out, by which a detector is calibrated.")
    if rows:
        tell_verdicts(rows, detector)
    else:
        show.say(f"Next: python -m hvae_core judge IMAGE --model {folder}")


_ALPHA = 0.05
"""False alarms of the verdicts at the end; ``judge`` takes any other."""


def _train_classifier(
    preset: ClassifierPreset, folder: Path, asked: dict[str, Any], *, as_json: bool
) -> None:
    """Train, and say how many validation images the classifier names rightly."""
    from hvae_core.scores.classifier.training import train_classifier_preset

    with show.progress_bar() as bar:
        file = train_classifier_preset(preset, folder, **asked, progress=bar)
    path = folder / f"{file.name}.safetensors"
    if as_json:
        show.as_json({"path": str(path), **describe_classifier(file)})
        return
    show.say(
        f"{path}: sha256 {file.digest[:16]}, {file.card.seconds:,.0f} s of training, "
        f"{file.history['valid_accuracy'][-1]:.1%} of the validation images named rightly"
    )


def _finish(path: Path, *, as_json: bool) -> None:
    """Say where the checkpoint of a run is, and what comes next."""
    from hvae_core.checkpoint import inspect_checkpoint

    info = inspect_checkpoint(path)
    if as_json:
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
