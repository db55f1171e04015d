"""A family that a stranger added, ``tests/newcomer.py``, from training to scores and cards.

The suites over ``tests.small.FAMILIES`` run on it as well, and ``test_every_page`` on every page.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import Checkpoint, inspect_checkpoint, load_checkpoint, save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.config import (
    FAMILIES,
    ModelCard,
    ModelConfig,
    TrainConfig,
    from_json,
    presets,
    register,
)
from hvae_core.config.describe import card_rows, latent_rows, shapes_in_words
from hvae_core.data.worlds import worlds
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import all_scores, score
from hvae_core.scores.assemble import Beside, Computed, assemble
from hvae_core.training.loop import train
from tests import house
from tests.newcomer import PlainConfig, PlainVAE
from tests.small import tiny_set

CONFIG = PlainConfig((1, 28, 28))
IMAGES = 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Checkpoints of runs of one epoch, from two seeds."""
    folder, images = tmp_path_factory.mktemp("newcomer"), tiny_set(40, (1, 28, 28))
    paths = []
    for seed in (0, 1):
        how = TrainConfig("glyphs", epochs=1, batch_size=20, objective="informative", seed=seed)
        run = train(CONFIG, how, images.take(30), validation=images.take(10))
        paths.append(folder / f"plain-{seed}.safetensors")
        card = ModelCard("Plain", data="bars", epochs=1)
        save_checkpoint(paths[-1], run.model, card=card, history=run.history, train=how)
    return paths


@pytest.fixture(scope="module")
def checkpoints(trained: list[Path]) -> list[Checkpoint]:
    return [load_checkpoint(path) for path in trained]


def test_its_files_open(checkpoints: list[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        assert checkpoint.config == CONFIG
        assert isinstance(checkpoint.model, PlainVAE)
        assert checkpoint.history["train_elbo"]


def test_every_score_is_had(
    checkpoints: list[Checkpoint], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that scores read: bounds, a reference, an ensemble, a background, refitted weights."""
    monkeypatch.setattr(score, "FEWEST", IMAGES // 2)
    first, second = checkpoints
    sets = Sets(worlds()["glyphs"], limit=IMAGES)
    scores = all_scores(first.model.n_levels, first.config.latent_names)
    evaluations = [
        evaluate(first.model, first.digest, sets.images(first, name), settings=EvalSettings(2))
        for name in ("test", "digits")
    ]
    beside = Beside(ensemble=(second,), background=second)
    assembled = assemble(Computed(first, sets), evaluations, scores, beside=beside)
    assert not assembled.notes
    for material, *_ in assembled.materials.values():
        for one in scores:
            assert not one.missing(material), one.key
            values = one(material)
            assert values.shape == (IMAGES,) and np.isfinite(values).all(), one.key
    known = {one.key for one in scores}
    assert {"kl_strokes", "kl_shape", "llr_1", "lower_2", "regret", "regret_z"} <= known


def test_its_card_is_told_without_its_network(trained: list[Path]) -> None:
    info = inspect_checkpoint(trained[0])
    rows = dict(card_rows(info))
    assert rows["Network"] == "two dense layers of 5 and 3 units"
    assert rows["strokes"] == "5 units, dense" and rows["Objective"].startswith("informative")
    assert latent_rows(CONFIG) == [("strokes", "5 units, dense"), ("shape", "3 units, dense")]
    assert shapes_in_words(CONFIG) == "5, 3"


def test_commands_know_it(
    trained: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presets, "PRESETS", {})  # whose models would be built to be counted
    assert main(["inspect", str(trained[0]), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in told["layers"]] == ["strokes", "shape"]
    assert main(["inspect", str(trained[0])]) == 0
    assert "strokes" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["families"]["plain"] == PlainConfig.summary()


def test_its_bounds_are_kept_as_those_of_any_other() -> None:
    plain = {"image_shape": [1, 8, 8], "family": "plain"}
    kind: Any = ModelConfig
    assert from_json(kind, json.dumps(plain)) == PlainConfig((1, 8, 8))
    for change, where in (({"units": [0, 3]}, "units.0"), ({"channels": 3}, "channels")):
        with pytest.raises(ConfigError, match=f"not valid at plain.{where}"):
            from_json(kind, json.dumps(plain | change))


def test_two_families_have_two_names() -> None:
    assert register(PlainConfig) is PlainConfig  # a module that is read again is no second family
    with pytest.raises(ValueError, match="a family 'plain' already"):
        register(type("OtherConfig", (PlainConfig,), {}))


def test_without_its_module_its_files_are_refused(
    trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(FAMILIES, "plain")
    with pytest.raises(CheckpointError, match="'plain' found using 'family' does not match"):
        load_checkpoint(trained[0])


def own_places(name: str) -> bool:
    """Where a family may be named: its configuration, its network, recipes and importers of it."""
    rooms = (
        "hvae_core.config.families",
        "hvae_core.config.presets",
        "hvae_core.models.families",
        "hvae_core.checkpoint.importers",
    )
    # Recipes for pictures of one's own follow from the pictures, those of the Lab from its knobs:
    # no preset can hold them.
    return (
        name in ("hvae_core.config", "hvae_core.config.lab", "hvae_core.training.own", *rooms)
        or name.rpartition(".")[0] in rooms
    )


def test_nobody_asks_of_which_family_a_model_is() -> None:
    """No name of a family, no type of a model or of its inference, but where the family stands."""
    families = {name for name in FAMILIES if name != "plain"}
    kinds = {FAMILIES[name].__name__ for name in families}
    for name, path in house.modules().items():
        if own_places(name):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in families, f"{name}:{node.lineno}"
            if isinstance(node, ast.Name):
                assert node.id not in kinds | {"singledispatch"}, f"{name}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = ast.unparse(node.args[1])
                if asked != "HierarchicalVAE":  # whether something is a model at all may be asked
                    assert not asked.endswith(("VAE", "Steps")), f"{name}:{node.lineno} {asked}"
    for arrow in house.imports():
        if arrow.of.startswith(("hvae_core.models.families", "hvae_core.models.inference")):
            assert house.room(arrow.file) == "models", arrow
