"""References: fitted to training images, kept whole in a file, taken for their checkpoint alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.common.cache import write_npz
from hvae_core.common.errors import DataError
from hvae_core.config import ModelCard
from hvae_core.data.worlds import World, custom_set
from hvae_core.evaluation import compute
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import Reference, reference
from hvae_core.scores.with_reference import fit_gaussians
from tests.small import tiny_model, tiny_set

SETTINGS = EvalSettings(samples=1, partial_samples=1)
TRAINING = tiny_set(40)
EMPTY = Sets(World("none", "None", "in", sets=(), checkpoints=(), image_shape=(1, 8, 8)))


def test_a_reference_is_of_the_training_images_and_survives_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate(tiny_model(), "a", TRAINING, settings=SETTINGS)
    fitted = reference.fit_reference(found)
    assert fitted.reference.images == 40
    assert fitted.reference.mean == pytest.approx(-found.table.bound[:, 0].mean())
    top = fit_gaussians(found.latents[-1], TRAINING.labels)
    known = fitted.reference.layers[-1]
    assert known is not None
    np.testing.assert_allclose(known.precision, top.precision)
    write_npz(tmp_path / "mine" / reference.FILE, reference.pack_reference(fitted))
    monkeypatch.setattr(reference, "RESULTS", tmp_path)

    def shipped(name: str, digest: str, settings: EvalSettings) -> Reference | None:
        checkpoint = SimpleNamespace(name=name, digest=digest, image_shape=(1, 8, 8))
        return reference.lookup_reference(checkpoint, EMPTY, settings)

    back = shipped("mine", "a", SETTINGS)
    assert back is not None
    assert (back.mean, back.images) == (fitted.reference.mean, 40)
    for one, other in zip(back.layers, fitted.reference.layers, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_allclose(one.means, other.means, rtol=1e-5, atol=1e-6)
    assert shipped("mine", "b", SETTINGS) is None
    assert shipped("mine", "a", EvalSettings()) is None
    assert shipped("none", "a", SETTINGS) is None


def test_it_rests_on_the_training_split_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, tiny_model(), card=ModelCard(title="Mine"), history={})
    checkpoint = load_checkpoint(path)
    sets = tuple(
        replace(custom_set(tiny_set(30, seed=i), role), name=role)
        for i, role in enumerate(("train", "validation", "in"))
    )
    world = World("own", "Own", "in", sets=sets, checkpoints=(), image_shape=(1, 8, 8))
    first = reference.reference_of(checkpoint, Sets(world), SETTINGS)
    training = evaluate(checkpoint.model, checkpoint.digest, world.load("train"), settings=SETTINGS)
    assert first.mean == pytest.approx(-training.table.bound[:, 0].mean())
    monkeypatch.setattr(compute, "evaluate", None)  # the second time it is only read
    again = reference.reference_of(checkpoint, Sets(world), SETTINGS)
    assert again.mean == first.mean
    with pytest.raises(DataError, match="no training set"):
        reference.reference_of(checkpoint, Sets(replace(world, sets=sets[1:])), SETTINGS)
