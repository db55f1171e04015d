"""``compare``: lines, seeds, and figures against numpy."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import ScoreError
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard, TrainConfig
from hvae_core.detection.report import report
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.studies.compare import Spread, compare, over_seeds, seconds_a_step
from tests.cli.conftest import TINY
from tests.conftest import ROOT
from tests.small import tiny_model, tiny_set

CONFIG = HVAEConfig((1, 8, 8), (LatentConfig(2), LatentConfig(3, "dense", stride=2)), 4, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of one preset and one seed of another, the last without a training record."""
    folder = tmp_path_factory.mktemp("compared")
    made = []
    for seed, preset in enumerate(("a", "a", "b")):
        card = ModelCard(preset, preset, epochs=3, train_images=90, objective="elbo")
        train = TrainConfig("glyphs", batch_size=40, epoch_images=50) if preset == "a" else None
        path = folder / f"{preset}{seed}.safetensors"
        model = tiny_model(CONFIG, seed)
        history = {"seconds": [2.0, 1.0, 900.0]}
        save_checkpoint(path, model, card=card, history=history, train=train)
        made.append(path)
    return made


def test_a_line_a_preset_with_the_spread_over_seeds(paths: list[Path], cache_folder: Path) -> None:
    images = tiny_set(20)
    found = []
    for path in paths:
        checkpoint = load_checkpoint(path)
        found.append(
            (
                checkpoint,
                evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings(3)),
            )
        )
    a, b = compare(found)
    nats = [-evaluation.table.iw[:, 0].mean() for _, evaluation in found]
    assert (a.seeds, b.seeds, a.layers, a.units) == (2, 1, 2, 2 * 64 + 3)
    assert a.nll.mean == pytest.approx(np.mean(nats[:2]))
    assert a.nll.deviation == pytest.approx(abs(nats[0] - nats[1]) / math.sqrt(2))
    assert a.bits.mean == pytest.approx(a.nll.mean / (64 * math.log(2)))
    assert b.nll == Spread(pytest.approx(nats[2]), None)
    assert a.parameters == sum(p.numel() for p in tiny_model(CONFIG).parameters())
    # the median epoch of 2 s has 50 images in batches of 40: 2 steps
    assert a.seconds_a_step.mean == 1.0
    assert math.isnan(b.seconds_a_step.mean)
    assert math.isnan(seconds_a_step(found[2][0]))
    wide = [float((v > 0.01).sum()) for v in found[2][1].unit_variance]
    assert b.active.mean == sum(wide)


def test_areas_over_seeds_are_means_of_their_reports(paths: list[Path], cache_folder: Path) -> None:
    reports = []
    for path in paths[:2]:
        one = load_checkpoint(path)
        inside, near, far = (
            evaluate(
                one.model, one.digest, tiny_set(n, seed=n, name=str(n)), settings=EvalSettings(3, 3)
            )
            for n in (20, 21, 22)
        )
        reports.append(report(inside, [near, far]))
    found = over_seeds(reports)
    assert set(found) == {"21", "22"}
    areas = [r.outside[1].detections["llr_1"].auroc for r in reports]
    spread = found["22"]["llr_1"]["auroc"]
    assert spread.mean == pytest.approx(np.mean(areas))
    assert spread.deviation == pytest.approx(abs(areas[0] - areas[1]) / math.sqrt(2))
    assert spread.text(2) == f"{np.mean(areas):.2f} ± {spread.deviation:.2f}"
    # a set that one of the checkpoints lacks has no mean over all of them
    fewer = replace(reports[1], outside=reports[1].outside[1:])
    assert set(over_seeds([reports[0], fewer])) == {"22"}
    assert over_seeds(reports[:1])["21"]["elbo"]["fpr95"].deviation is None
    assert over_seeds([]) == {}


def test_different_images_do_not_compare(paths: list[Path], cache_folder: Path) -> None:
    one = load_checkpoint(paths[0])
    found = [
        (one, evaluate(one.model, one.digest, tiny_set(5, seed=seed), settings=EvalSettings()))
        for seed in (0, 1)
    ]
    with pytest.raises(ScoreError, match="different images"):
        compare(found)


def test_different_likelihoods_do_not_compare(paths: list[Path], cache_folder: Path) -> None:
    one, images = load_checkpoint(paths[0]), tiny_set(5)
    found = evaluate(one.model, one.digest, images, settings=EvalSettings(1, 1))
    grey = replace(one, config=replace(CONFIG, likelihood="discretised_logistic"))
    with pytest.raises(ScoreError, match="binary pixels and some of grey"):
        compare([(one, found), (grey, found)])


def test_the_command_prints_table_markdown_and_json(
    tmp_path: Path, cache_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the shipped Glyphs images, with an untrained model of their size."""
    config = replace(TINY.model, image_shape=(1, 28, 28))
    path = tmp_path / "mine.safetensors"
    save_checkpoint(
        path, tiny_model(config), card=ModelCard("mine"), history={}, train=TrainConfig("glyphs")
    )
    assert (ROOT / "assets" / "worlds" / "glyphs").is_dir()
    argv = ["compare", str(path), "--limit", "20"]
    assert main(argv) == 0
    assert "mine" in capsys.readouterr().out
    assert main([*argv, "--markdown"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("| preset | parameters |")
    assert told[2].startswith("| `mine` |")
    assert len({line.count("|") for line in told}) == 1
    assert main([*argv, "--json"]) == 0
    assert '"preset": "mine"' in capsys.readouterr().out
    assert main([*argv, "--out", "lower", "signs"]) == 0
    printed = capsys.readouterr().out
    assert "AUROC, mean and standard deviation over seeds" in printed
    assert "lower" in printed and "llr_1" in printed
    assert main([*argv, "--out", "lower", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert 0 <= line["detection"]["lower"]["elbo"]["auroc"]["mean"] <= 1
