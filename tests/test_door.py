"""The front door: what ``import hvae_core as hv`` offers, used as a reader of the README would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import hvae_core as hv
from hvae_core.checkpoint import Checkpoint, shipped_checkpoints
from hvae_core.common.errors import CheckpointError, DataError
from hvae_core.detection.metrics import auroc
from hvae_core.evaluation.evaluation import Evaluation
from tests.small import tiny_model, tiny_set


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return hv.load_checkpoint("glyphs-hvae3-elbo")


def test_what_is_named_is_there_and_nothing_else() -> None:
    assert hv.__all__ == sorted(set(hv.__all__))
    for name in hv.__all__:
        assert getattr(hv, name).__name__.removeprefix("hvae_core.") == name
    assert set(hv.__all__) <= set(dir(hv))
    assert hv.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hv.nothing  # noqa: B018


def test_the_readme_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("README.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    assert code.startswith("import hvae_core as hv")
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "llr_1" in printed
    assert "0.854 [0.837, 0.870]" in printed  # as in docs/results.md: digits, LLR>1


def test_a_checkpoint_by_name_path_and_bytes() -> None:
    path = shipped_checkpoints()["glyphs-hvae3-elbo"]
    digests = {
        hv.load_checkpoint(source).digest
        for source in ("glyphs-hvae3-elbo", path, str(path), path.read_bytes())
    }
    assert len(digests) == 1
    with pytest.raises(CheckpointError, match="no checkpoint nothing"):
        hv.load_checkpoint("nothing")


def test_images_from_anywhere(tmp_path: Path) -> None:
    digits = hv.load_images("glyphs:digits", limit=5)
    assert (digits.name, len(digits), digits.image_shape) == ("digits", 5, (1, 28, 28))
    assert len(hv.load_images("glyphs:train")) == 1000
    assert len(hv.load_images("glyphs:train", limit=0)) > 1000
    pixels = tiny_set(4).images
    np.savez(tmp_path / "few.npz", images=pixels)
    assert hv.load_images(tmp_path / "few.npz").digest == hv.load_images(pixels).digest
    labelled = hv.load_images(pixels, np.array([0, 1, 1, 2]))
    assert labelled.class_names == ("0", "1", "2")
    named = hv.load_images(pixels, name="mine")
    assert (named.name, named.title, named.digest) == ("mine", "mine", labelled.digest)
    assert hv.load_images(pixels / 255).digest == labelled.digest
    assert (hv.load_images(pixels, prepare="invert").images == 255 - pixels).all()
    with pytest.raises(DataError, match="values from -1"):
        hv.load_images(pixels / 127.5 - 1)
    with pytest.raises(hv.HVAEError, match="holds object, no plain numbers"):
        hv.load_images(pixels.astype(object))
    with pytest.raises(hv.HVAEError, match="leaves none"):
        hv.load_images(pixels, limit=-1)


def test_an_evaluation_ships_or_is_computed(model: Checkpoint) -> None:
    shipped = hv.evaluate(model, hv.load_images("glyphs:test"))
    few = hv.load_images("glyphs:test", limit=3)
    computed = hv.evaluate(model, few)
    assert isinstance(computed, Evaluation)
    # Noise comes from the picture alone: the first three are those of the thousand.
    np.testing.assert_allclose(computed.table.bound, shipped.table.bound[:3], rtol=1e-4)
    quick = hv.evaluate(model, few, hv.EvalSettings(samples=1, partial_samples=1))
    assert quick.settings.samples == 1


def test_models_and_images_are_taken_as_one_has_them(model: Checkpoint) -> None:
    quick = hv.EvalSettings(samples=1, partial_samples=1)
    few = hv.load_images("glyphs:test", limit=3)
    held_out = hv.load_images("glyphs:validation")
    wanted = hv.evaluate(model, few, quick).table.bound
    pixels = few.images
    for given in (pixels, pixels / 255, torch.tensor(pixels), [*torch.tensor(pixels)], [*pixels],
                  [Image.fromarray(one[0]) for one in pixels], pixels.reshape(3, -1)):  # fmt: skip
        assert (hv.evaluate("glyphs-hvae3-elbo", given, quick).table.bound == wanted).all()
    assert hv.load_images(torch.tensor(pixels)).digest == few.digest
    assert len(hv.check("glyphs-hvae3-elbo", "glyphs:test").findings) > 5
    assert hv.reconstruct("glyphs-hvae3-elbo", pixels[:1]).means.shape == (3, 1, 1, 28, 28)
    for none in (0, -1, 1.5):
        with pytest.raises(hv.HVAEError, match="at least one draw of z"):
            hv.reconstruct("glyphs-hvae3-elbo", pixels[:1], samples=none)  # type: ignore[arg-type]
        with pytest.raises(hv.HVAEError, match="at least one sample"):
            hv.EvalSettings(samples=none)  # type: ignore[arg-type]
    fitted = [hv.detector(model).fit(of) for of in ("glyphs:validation", held_out)]
    assert (fitted[0].reference_ == fitted[1].reference_).all()


@pytest.mark.parametrize("given", [None, 3, object(), TensorDataset(torch.zeros(3)), [1, "a"], [[]],
                                   DataLoader(TensorDataset(torch.zeros(3)))])  # fmt: skip
def test_what_is_no_images_is_one_sentence(model: Checkpoint, given: Any) -> None:
    asks = hv.load_images, lambda x: hv.evaluate(model, x), hv.detector(model).fit
    for ask in asks:
        with pytest.raises(DataError) as told:
            ask(given)
        assert "\n" not in str(told.value)


def test_what_is_no_evaluation_is_one_sentence(model: Checkpoint) -> None:
    few = hv.load_images("glyphs:test", limit=3)
    one = hv.evaluate(model, few, hv.EvalSettings(samples=1, partial_samples=1))
    assert str(hv.report(one, one, scores="elbo")) == str(hv.report(one, [one], scores=["elbo"]))
    for given in ((few, [one]), (one, few), (one, [None]), (one, 3)):
        with pytest.raises(hv.HVAEError, match="A report is of evaluations"):
            hv.report(*given)
    with pytest.raises(hv.HVAEError, match="Settings of an evaluation"):
        hv.evaluate(model, few, 10)  # type: ignore[arg-type]


def test_a_report_reads_as_a_table_and_as_pandas(model: Checkpoint) -> None:
    inside, outside = (
        hv.evaluate(model, hv.load_images(f"glyphs:{name}")) for name in ("test", "signs")
    )
    report = hv.report(inside, [outside], scores=["llr_1", hv.get_score("elbo", 3)])
    lines = str(report).splitlines()
    assert lines[0].split() == ["AUROC", "llr_1", "elbo"]
    assert lines[1].startswith("signs (1000)")
    frame = report.to_pandas()
    score = hv.get_score("llr_1", 3)
    area = auroc(score(inside.table), score(outside.table))
    assert frame.set_index("score")["auroc"]["llr_1"] == pytest.approx(area)
    assert f"{area:.3f}" in lines[1]


def test_reconstructions_of_images(model: Checkpoint) -> None:
    images = hv.load_images("glyphs:lower", limit=2)
    pictures = hv.reconstruct(model, images)
    assert pictures.means.shape == (3, 2, 1, 28, 28)
    assert pictures.nll.shape == (3, 2)


def test_training_is_the_one_loop() -> None:
    preset = hv.get_preset("glyphs-hvae3-elbo")
    assert preset.model.family == "hvae"
    from hvae_core.training.loop import train

    assert hv.train is train
    assert isinstance(tiny_model(), hv.HierarchicalVAE)
