"""``flag``: many scored images against held-out images of their model, or another folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hvae_core as hv
from hvae_core.checkpoint import save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.far import Folder
from hvae_core.config import ModelCard
from hvae_core.detection import judging, standard
from hvae_core.detection.combine import combined_p_values
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.many import fitted
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.layout import Job, Part, read_part, write_job, write_part
from hvae_core.detection.many.reference import HELD_OUT
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores import get_score
from tests.cli.conftest import TINY
from tests.small import tiny_model

Tell = Callable[..., dict[str, Any]]
KEYS = ("elbo", "llr_1", "llr_2")
SETTINGS = EvalSettings(samples=1, partial_samples=1)


def scores_of(model: Path, images: Path) -> np.ndarray:
    """(N, 3)."""
    checkpoint = hv.load_checkpoint(model)
    found = hv.evaluate(checkpoint, hv.load_images(str(images)), settings=SETTINGS)
    return np.stack([get_score(key, 3)(found.table) for key in KEYS], axis=1)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An untrained network of three layers."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, tiny_model(TINY.model), card=ModelCard("Tiny"), history={})
    return path


@pytest.fixture
def scored(model: Path, stripes: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of scores of noise, as the command that scores leaves it."""
    values = scores_of(model, stripes["noise"])
    digest = hv.load_checkpoint(model).digest
    out = tmp_path / "scored"
    folder = Folder.of(str(out))
    job = Job("model", digest, 3, str(stripes["noise"]), asdict(SETTINGS), KEYS, part_images=60)
    write_job(folder, job)
    part = Part(
        rows=np.arange(60), files=[""] * 60, labels=[None] * 60,
        digests=np.ones(60, np.uint64), errors=[None] * 60, bounds=np.zeros((60, 3)),
        scores=dict(zip(KEYS, values.T, strict=True)),
    )  # fmt: skip
    write_part(folder, 0, part)
    return out


def test_flagged_by_held_out_images_scored_in_the_same_way(
    tell: Tell, scored: Path, model: Path, stripes: dict[str, Path], tmp_path: Path
) -> None:
    asked = ["--checkpoint", model, "--held-out", stripes["other"], "--alpha", "0.4"]
    told = tell("flag", scored, *asked, "--flagged", tmp_path / "out.csv")
    reference, images = scores_of(model, stripes["other"]), scores_of(model, stripes["noise"])
    p = combined_p_values(reference, images, two_sided=(0,)).calibrated
    assert told["flagged"] == (p <= 0.4).sum() > 0 and told["judged"] == 60
    lines = (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + told["flagged"]
    area = told["scores"]["elbo"]["auroc"]
    greater = (images[:, None, 0] > reference[None, :, 0]).mean()
    assert area["value"] == pytest.approx(greater) and area["error"] == 0
    assert not (scored / HELD_OUT).exists()  # other images than the model's own


def test_the_models_own_held_out_images_are_scored_once(
    tell: Tell, scored: Path, model: Path, stripes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def own(known: object, source: str | None) -> object:
        asked.append(source)
        return hv.load_images(str(stripes["other"]))

    monkeypatch.setattr(judging, "held_out_images", own)
    first = tell("flag", scored, "--checkpoint", model, "--alpha", "0.4")
    again = tell("flag", scored, "--alpha", "0.4")
    assert asked == [None] and (scored / HELD_OUT).is_file()
    assert first["flagged"] == again["flagged"] > 0 and first["scores"] == again["scores"]
    (scored / HELD_OUT).write_text('{"scores": {}}')
    job = job_of(Folder.of(str(scored)))
    write_job(Folder.of(str(scored)), replace(job, scores=(*job.scores, "somebodys")))
    part = read_part(Folder.of(str(scored)), 0)
    more = {**part.scores, "somebodys": np.arange(60.0)}
    write_part(Folder.of(str(scored)), 0, replace(part, scores=more))
    assert tell("flag", scored, "--checkpoint", model, "--alpha", "0.4")["flagged"] > 0
    assert asked == [None, None]


def test_scores_are_without_the_path_where_it_would_have_no_say(
    model: Path,
    stripes: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Enough held-out images, but all are equal, so that no halves can be made of them."""
    noise = hv.load_images(str(stripes["noise"]))
    rows = np.zeros(400, int)
    equal = replace(noise, images=noise.images[rows], labels=noise.labels[rows])
    monkeypatch.setattr(judging, "held_out_images", lambda known, source=None: equal)
    asked = ["--samples", "1", "--partial-samples", "1", "--limit", "4", "--json"]
    assert not main(["score", str(stripes["noise"]), "--model", str(model), "--out",
                     str(tmp_path / "many"), *asked])  # fmt: skip
    assert "too many of the 400 held-out images are equal" in capsys.readouterr().err
    kept = job_of(Folder.of(str(tmp_path / "many"))).scores
    assert {*KEYS} < {*kept} and "path" not in kept


def test_scores_have_the_path_and_flag_decides_as_the_verdict_does(
    tell: Tell,
    model: Path,
    stripes: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise, other = (hv.load_images(str(stripes[name])) for name in ("noise", "other"))
    monkeypatch.setattr(standard, "FEWEST_FOR_PATH", len(other))
    monkeypatch.setattr(standard, "FEWEST_TO_RANK", len(other) // 4)
    for module in (judging, fitted):
        monkeypatch.setattr(module, "held_out_images", lambda known, source=None: other)
    folders = tmp_path / "many", tmp_path / "validation"
    for images, out in zip(("noise", "other"), folders, strict=True):
        tell("score", stripes[images], "--model", model, "--out", out,
             "--samples", "1", "--partial-samples", "1")  # fmt: skip
    told = tell("flag", folders[0], "--checkpoint", model, "--alpha", "0.2")
    tables = (
        hv.evaluate(hv.load_checkpoint(model), images, settings=SETTINGS).table
        for images in (noise, other)
    )
    found = judge_many(*tables, 0.2)
    assert told["decided_by"] == list(found.keys) == [*KEYS, "path"]
    assert told["references"] == found.n < len(other) and not found.note
    assert told["flagged"] == found.flagged(0.2).sum()
    # as a reference the folder of the held-out images says the same: those fitted to have no say
    again = tell("flag", folders[0], "--reference", folders[1], "--alpha", "0.2")
    assert again["flagged"] == told["flagged"] and again["references"] == told["references"]
    # flagged themselves, those that the density is fitted to are not judged and not summed up
    own = tell("flag", folders[1], "--reference", folders[1], "--alpha", "0.2")
    assert own["fitted"] == len(other) - found.n and own["judged"] == found.n
    assert own["unjudged"] == 0
    counts = [own["scores"][key]["n"] for key in (*KEYS, "path")]
    assert counts == [len(other)] * 3 + [found.n]
    # as for one image, a deep model's path has a say from more held-out images on
    deep = standard.no_say(len(other), found.n, n_levels=30, n_layers=30)
    assert f"takes {2 * 4 * 60} held-out images, and there are {len(other)}" in deep
    noted = fitted.kept_fitted(Folder.of(str(folders[0])))
    assert noted is not None and noted.no_path == ""
    fitted.keep_fitted(Folder.of(str(folders[0])), replace(noted, no_path=deep))
    assert tell("flag", folders[0], "--alpha", "0.2")["decided_by"] == list(KEYS)
    fitted.keep_fitted(Folder.of(str(folders[0])), noted)
    (folders[1] / fitted.FITTED).unlink()  # nobody knows to what its densities are fitted
    old = tell("flag", folders[0], "--reference", folders[1], "--alpha", "0.2")
    assert old["decided_by"] == list(KEYS) and old["references"] == len(other)


def test_flagged_in_words_by_another_folder(
    scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flag", str(scored), "--reference", str(scored), "--alpha", "0.1"]) == 0
    said = capsys.readouterr().out
    assert "60 images flagged" in said and "AUROC" in said and "0.500" in said
    assert "at most 10 % are" in said


def test_what_is_wrong_is_one_sentence(
    scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, sentence in (
        (["flag", tmp_path / "nowhere"], "There is no folder of scores"),
        (["flag", scored, "--scores", "msp"], "There is no score msp in this folder"),
        (["flag", scored, "--reference", scored, "--held-out", "x"], "not both"),
        (["flag", scored], "name its file with --checkpoint"),
        (["flag", scored, "--checkpoint", "glyphs-hvae3-elbo"], "is not the model of this folder"),
        (["flag", scored, "--reference", scored, "--flagged", "x.txt"], "ends in .csv"),
    ):
        assert main([*map(str, words)]) == 2
        assert sentence in capsys.readouterr().err
