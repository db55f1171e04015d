"""What ``train FOLDER`` makes of small sets of three kinds: time, KL, collapse, detection, alarms.

    python -m tests.benchmarks.own_images [letters drawings signs] [--data-root DIR] [--threads N]

Each set is trained on as a folder of pictures would be, with nothing chosen. Judged are fresh
images of the same kind, of which the verdict should call out one in twenty, and other sets.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from lightning_fabric import Fabric

import hvae_core as hv
from hvae_core.data.image_set import ImageSet
from hvae_core.data.load import load_source
from hvae_core.data.own_images import own_images
from hvae_core.detection.detector import Detector
from hvae_core.detection.judging import judging
from hvae_core.detection.metrics import auroc
from hvae_core.training.own import own_recipe, train_own

JUDGED = 200
ALPHA = 0.05
Kind = tuple[ImageSet, ImageSet, dict[str, ImageSet]]
"""Images to train on, fresh images of the same kind, and other sets by name."""


def letters(root: str | None) -> Kind:
    """600 small grey letters, against lower case and digits."""
    every = hv.load_images("glyphs:train", limit=0).shuffled()
    others = {name: hv.load_images(f"glyphs:{name}", limit=JUDGED) for name in ("lower", "digits")}
    return every.take(600), every.take(range(600, 600 + JUDGED)), others


def drawings(root: str | None) -> Kind:
    """400 drawings of signs of eight alphabets, against handwriting."""
    every = load_source("omniglot", limit=400 + JUDGED, data_root=root)
    names = {"MNIST": "mnist+inverted", "KMNIST": "kmnist+inverted"}
    others = {name: load_source(of, limit=JUDGED, data_root=root) for name, of in names.items()}
    return every.take(400), every.take(range(400, 400 + JUDGED)), others


def signs(root: str | None) -> Kind:
    """2,000 photographs of traffic signs, against characters in the street and objects."""
    every = load_source("gtsrb", limit=2000 + JUDGED, data_root=root)
    names = {"street characters": "chars74k", "CIFAR10": "cifar10"}
    others = {name: load_source(of, limit=JUDGED, data_root=root) for name, of in names.items()}
    return every.take(2000), every.take(range(2000, 2000 + JUDGED)), others


KINDS: dict[str, Callable[[str | None], Kind]] = {
    "letters": letters,
    "drawings": drawings,
    "signs": signs,
}


def measure(name: str, root: str | None) -> None:
    """Train on a kind and print what came of it."""
    pictures, fresh, others = KINDS[name](root)
    images = own_images(pictures.renamed(name, name))
    shape = images.image_shape
    with TemporaryDirectory() as folder:
        clock, processor = time.perf_counter(), time.process_time()
        run = train_own(images, Path(folder), fabric=Fabric(accelerator="cpu", devices=1))
        assert run is not None
        seconds, used = time.perf_counter() - clock, time.process_time() - processor
        known = judging(run.path)
        keys = [*(f"llr_{k}" for k in range(1, known.model.n_levels)), "elbo"]
        judges = {
            "the verdict": "levels", "the ratios": "ratios", "-L": "elbo"
        }  # fmt: skip
        judge = {
            title: Detector(run.path, by, ALPHA).fit(images.held_out)
            for title, by in judges.items()
        }
        scores = Detector(run.path, keys, ALPHA).fit(images.held_out)
        epochs = own_recipe(images).train.epochs
        print(
            f"\n## {name}: {len(images.training):,} to train on, {len(images.held_out):,} held "
            f"out, {shape}; {epochs} epochs, {seconds / 60:.1f} min ({used / 60:.1f} of processor)"
        )
        for line in run.collapse:
            print(f"- {line}")
        inside = scores.scores(fresh)
        print(f"- false alarms at {ALPHA:.0%}: {_called_out(judge, fresh)}")
        for other, judged in others.items():
            outside = scores.scores(judged)
            areas = ", ".join(f"{key} {auroc(inside[key], outside[key]):.3f}" for key in keys)
            print(f"- {other}: called out {_called_out(judge, judged)}; AUROC {areas}", flush=True)


def _called_out(judges: dict[str, Detector], images: ImageSet) -> str:
    """The share of images that each of the detectors calls out."""
    shares = {title: np.mean(judge.predict(images) == -1) for title, judge in judges.items()}
    return ", ".join(f"{share:.1%} by {title}" for title, share in shares.items())


def main() -> None:
    """Measure the kinds that are named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    warnings.simplefilter("ignore", RuntimeWarning)
    for name in asked.kinds or KINDS:
        measure(name, asked.data_root)


if __name__ == "__main__":
    main()
