"""Files of classifiers: the same gate, another mark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hvae_core.checkpoint import load_checkpoint, save_checkpoint, shipped_checkpoints
from hvae_core.checkpoint.container import read_header, write
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelCard
from hvae_core.data import worlds
from hvae_core.scores.classifier.ensemble import load_ensemble, world_ensemble
from hvae_core.scores.classifier.file import ClassifierFile, load_classifier, save_classifier
from hvae_core.scores.classifier.library import SHIPPED, ensemble_digest, world_classifiers
from hvae_core.scores.classifier.network import Classifier
from hvae_core.scores.classifier.training import ClassifierRun
from tests.scores.classifier.conftest import CONFIG, TRAINING
from tests.small import tiny_model

CARD = ModelCard(title="Bars, classifier")


@pytest.fixture
def stored(run: ClassifierRun, tmp_path: Path) -> tuple[Path, ClassifierFile]:
    path = tmp_path / "bars-classifier-0.safetensors"
    return path, save_classifier(path, run.model, card=CARD, history=run.history, train=TRAINING)


def test_there_and_back(
    stored: tuple[Path, ClassifierFile], run: ClassifierRun, images: torch.Tensor
) -> None:
    path, saved = stored
    found = load_classifier(path)
    assert (found.name, found.digest) == ("bars-classifier-0", saved.digest)
    assert (found.config, found.train, found.card) == (CONFIG, TRAINING, CARD)
    assert found.history == run.history
    # What was trained is what the file keeps: weights of 16 bits, Gaussians of 32.
    assert torch.equal(found.model(images), run.model(images))
    assert torch.equal(found.model.whitening, run.model.whitening)
    assert not any(weight.requires_grad for weight in found.model.parameters())
    assert found.size == path.stat().st_size == len(path.read_bytes())


def test_a_classifier_is_no_model_and_a_model_no_classifier(
    stored: tuple[Path, ClassifierFile], tmp_path: Path
) -> None:
    path, _ = stored
    with pytest.raises(CheckpointError, match="is a classifier, not a hierarchical VAE"):
        load_checkpoint(path)
    vae = tmp_path / "vae.safetensors"
    save_checkpoint(vae, tiny_model(), card=CARD, history={})
    with pytest.raises(CheckpointError, match="vae is a hierarchical VAE, not a classifier"):
        load_classifier(vae)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 3}, "in the shape"),
        ({"features": 7}, "in the shape"),
        ({"classes": 10**6}, "has a config that is refused"),
        ({"image_shape": [1, 9999, 9999]}, "has a config that is refused"),
        ({"extra": 1}, "has a config that is refused"),
    ],
)
def test_a_file_that_lies_is_refused(
    stored: tuple[Path, ClassifierFile], change: dict[str, object], words: str
) -> None:
    data = stored[0].read_bytes()
    header = read_header(data)
    config = json.loads(header.metadata["config"]) | change
    tensors = load_classifier(data).model.state_dict()
    lying = write(tensors, header.metadata | {"config": json.dumps(config)})
    with pytest.raises(CheckpointError, match=words):
        load_classifier(lying, name="lying")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    torch.save(Classifier(CONFIG).state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="pickle"):
        load_classifier(tmp_path / "a.safetensors")


def test_a_damaged_weight_is_refused(
    stored: tuple[Path, ClassifierFile], run: ClassifierRun
) -> None:
    header = read_header(stored[0].read_bytes())
    tensors = {key: value.clone() for key, value in run.model.state_dict().items()}
    tensors["head.bias"][0] = float("nan")
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        load_classifier(write(tensors, header.metadata), name="broken")


def test_an_ensemble_is_of_one_kind(stored: tuple[Path, ClassifierFile], tmp_path: Path) -> None:
    path, _ = stored
    twice = load_ensemble((path, path))
    assert (len(twice.members), twice.image_shape) == (2, (1, 8, 8))
    assert twice.digest != load_ensemble((path,)).digest
    other = Classifier(type(CONFIG)((1, 8, 8), classes=3, channels=4, features=6))
    save_classifier(tmp_path / "b.safetensors", other, card=CARD, history={}, train=TRAINING)
    with pytest.raises(CheckpointError, match="different images or classes"):
        load_ensemble((path, tmp_path / "b.safetensors"))
    with pytest.raises(CheckpointError, match="at least one"):
        load_ensemble(())


def test_classifiers_of_a_world(tmp_path: Path) -> None:
    for name in ("b-classifier-1", "b-classifier-0", "bb-classifier-0", "b-hvae3-elbo"):
        (tmp_path / f"{name}.safetensors").touch()
    found = [path.stem for path in world_classifiers("b", tmp_path)]
    assert found == ["b-classifier-0", "b-classifier-1"]
    assert world_ensemble("mnist") is None


@pytest.mark.parametrize("world", ["glyphs", "fashion"])
def test_the_shipped_ones(world: str) -> None:
    ensemble = world_ensemble(world)
    assert ensemble is not None
    assert len(ensemble.members) == 3
    assert ensemble.digest == ensemble_digest(world_classifiers(world))
    assert ensemble.image_shape == worlds()[world].image_shape
    assert not {path.stem for path in world_classifiers(world)} & set(shipped_checkpoints())
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) < 1_500_000
    for path in world_classifiers(world):
        card = load_classifier(path).card
        assert card.preset == f"{world}-classifier"
        assert card.epochs > 0
