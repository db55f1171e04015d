"""The Lab's jobs: train as a folder says, keep what was trained, follow another training."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from hvae_core.checkpoint import save_checkpoint
from hvae_core.checkpoint.library import admit_checkpoint
from hvae_core.common import fingerprint
from hvae_core.common.cache import Arrays, kept
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.files import sweep
from hvae_core.common.progress import Progress, silent
from hvae_core.config import ModelCard, ModelConfig
from hvae_core.config.lab import LETTERS, SIDE, STEPS
from hvae_core.data.identity import key_of
from hvae_core.data.image_set import ImageSet
from hvae_core.data.named import named_world
from hvae_core.data.worlds import World
from hvae_core.models import HierarchicalVAE
from hvae_core.models.threads import one_thread
from hvae_core.training.lab.frame import STATE, read_control, unseen, write_frame
from hvae_core.training.lab.scene import DRAWN, SHOWN, Scene
from hvae_core.training.lab.watch import PATIENCE, POLL, Ended, Watch
from hvae_core.training.loop import train
from hvae_core.training.state import model_in, settings_in

IMAGES = 4096


def run_lab(folder: str, *, progress: Progress = silent) -> int:
    """A job: train as ``control.json`` in the folder says, until nobody looks; the last step.

    What was trained there before goes on, from the last state that was kept. Raises
    ``ConfigError``, ``DataError``.
    """
    place = Path(folder)
    control = read_control(place)
    if control is None:
        raise ConfigError("The Lab does not know what to train; choose a preset.")
    sweep(place)
    progress(0.0, "reading the images")
    images, held_out = lab_images(control.knobs.data)
    state = place / STATE
    model: ModelConfig = control.knobs.model()
    config = control.knobs.train()
    if state.exists():
        model, config = settings_in(state)
    watch = Watch(place, control, images, held_out=held_out, progress=progress)
    with one_thread(), suppress(Ended):
        train(
            model, config, images, validation=held_out.take(SHOWN), state=state, on_step=watch,
            fabric=Fabric(accelerator="cpu", devices=1),
        )  # fmt: skip
    return watch.step


@lru_cache(maxsize=2)
def lab_images(data: str) -> tuple[ImageSet, ImageSet]:
    """Images of 8 x 8 pixels: to train on, and held out; kept, as reading them takes seconds."""
    world = named_world(LETTERS)
    own, other = ("train", "validation") if data == "letters" else ("handwritten", "handwritten")
    names = (own, other) if own != other else (own,)
    keys = [key_of(world, name, (1, SIDE, SIDE), limit=IMAGES) for name in names]
    kinds = world.spec(own), world.spec(other)

    def unpack(arrays: Arrays) -> tuple[ImageSet, ImageSet]:
        train_set, held_out = (
            ImageSet(spec.name, spec.title, arrays[name], np.full(len(arrays[name]), -1))
            for spec, name in zip(kinds, ("train", "held_out"), strict=True)
        )
        return train_set, held_out

    def pack(parts: tuple[ImageSet, ImageSet]) -> Arrays:
        return {"train": parts[0].images, "held_out": parts[1].images}

    if None in keys:
        return unpack(pack(_read(world, data)))
    key = fingerprint.digest("lab-1", data, keys, IMAGES, DRAWN)
    return kept("lab", key, lambda: _read(world, data), pack=pack, unpack=unpack)


def _read(world: World, data: str) -> tuple[ImageSet, ImageSet]:
    if data == "letters":
        parts = world.load("train", limit=IMAGES), world.load("validation", limit=DRAWN)
    else:
        every = world.load("handwritten").shuffled()
        parts = every.take(range(DRAWN, len(every))), every.take(DRAWN)
    train_set, held_out = (part.fit((1, SIDE, SIDE)) for part in parts)
    return train_set, held_out


def warm_lab(*, progress: Progress = silent) -> None:
    """A job: load what a run of the Lab needs, so that the first picture is there at once."""
    lab_images("letters")


def keep_lab(folder: str, into: str | None, *, progress: Progress = silent) -> tuple[str, int]:
    """A job: make the run a checkpoint of a folder of opened ones; its digest, and its step.

    ``None`` keeps it for everybody on this machine. Raises ``ConfigError`` where nothing was
    trained yet.
    """
    state = Path(folder) / STATE
    if not state.exists():
        raise ConfigError(f"There is nothing to keep yet; let it train for {STEPS} steps first.")
    model, config, history = model_in(state)
    step = STEPS * len(history["seconds"])
    card = ModelCard(
        title=f"Lab: {config.objective}, {len(model.latents)} layers, step {step:,}",
        data=f"{config.data}, images of {SIDE}x{SIDE}",
        train_images=IMAGES,
        epochs=len(history["seconds"]),
        objective=config.objective,
        parameters=sum(weight.numel() for weight in model.parameters()),
        seconds=round(sum(history["seconds"]), 1),
        seed=config.seed,
        note="trained in the Lab, where settings may have been changed on the way; "
        "the recipe is how they stood at the end",
    )
    path = Path(folder) / "kept.safetensors"
    save_checkpoint(path, model, card=card, history=history, train=config)
    digest, _ = admit_checkpoint(
        path, f"lab-{step}.safetensors", None if into is None else Path(into)
    )
    path.unlink(missing_ok=True)
    return digest, step


def follow_run(folder: str, run: str, *, progress: Progress = silent) -> int:
    """A job: show the run of a folder that the command line trains in, while somebody looks.

    After every epoch of it there is a new frame in ``folder``. Raises ``ConfigError`` where there
    is no run, or a damaged one.
    """
    place, state = Path(folder), Path(run) / STATE
    if not state.is_file():
        raise ConfigError(
            f"There is no run in {run}: no {STATE} yet. Give the folder that `train --out` names, "
            "after its first epoch."
        )
    scene: Scene | None = None
    seen, epochs = 0, 0
    with one_thread():
        while unseen(place) < PATIENCE:
            written = state.stat().st_mtime_ns
            if written != seen:
                seen = written
                model, config, history = model_in(state)
                epochs = len(history["seconds"])
                scene = scene or _scene_of(config.data, model)
                about = {
                    "step": epochs,
                    "rate": round(1 / max(history["seconds"][-1], 1e-6), 3),
                    "names": [spec.name for spec in model.latents],
                    "counted": "epoch",
                    "images": scene.held_out.title,
                }
                frame = scene.frame(model, about, (3.5, 3.5))
                write_frame(
                    place,
                    replace(
                        frame,
                        steps=np.arange(1, epochs + 1),
                        kl=np.array(history["valid_kl"]).reshape(epochs, -1),
                        loss=np.array(history["train_loss"]),
                    ),
                )
            progress(0.0, f"epoch {epochs}")
            time.sleep(4 * POLL)
    return epochs


def _scene_of(data: str, model: HierarchicalVAE) -> Scene:
    """Images like those of a run: of its world where that is here, else plain noise."""
    try:
        images = named_world(data).load("validation", limit=2 * DRAWN).fit(model.image_shape)
    except DataError:
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (2 * DRAWN, *model.image_shape)).astype(np.uint8)
        images = ImageSet("noise", "random pixels", pixels, np.full(len(pixels), -1))
    return Scene(images.take(range(DRAWN, len(images))), images.take(DRAWN))
