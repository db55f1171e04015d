"""Many images held against a reference: p-values as of one image, flagged rows out."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hvae_core.common.errors import ConfigError, DataError, HVAEError, ScoreError
from hvae_core.detection.combine import combined_p_values, tied
from hvae_core.detection.conformal import conformal_p_values
from hvae_core.detection.many import flagging
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.fitted import Fitted, keep_fitted
from hvae_core.detection.many.flagging import flag, written_rows
from hvae_core.detection.many.layout import write_job
from hvae_core.detection.many.reference import deciding, of_folder
from tests.detection.many import KEYS, scored_folder

RATIOS = ("llr_1", "llr_2")


def test_every_image_has_the_p_value_that_it_has_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flagging, "_BATCH", 3)
    folder, values = scored_folder(23, part=7, failed={4: "cut off"}, shift=1.0)
    other, known = scored_folder(40, part=16, failed={0: "cut off"}, seed=1)
    reference = of_folder(job_of(folder), other)
    assert len(reference) == 39
    rows: list[dict[str, Any]] = []
    count = flag(folder, RATIOS, reference, alpha=0.2, take=lambda t: rows.extend(t.to_pylist()))
    table = np.stack([known[key][1:] for key in RATIOS], axis=1)
    images = np.stack([values[key] for key in RATIOS], axis=1)
    expected = {row: combined_p_values(table, images[row][None]) for row in range(23) if row != 4}
    out = [row for row, found in expected.items() if found.calibrated[0] <= 0.2]
    assert 0 < len(out) < 22
    assert [row["row"] for row in rows] == out
    for row in rows:
        found = expected[row["row"]]
        assert row["p_value"] == found.calibrated[0]
        assert row["by"].split() == [RATIOS[place] for place in tied(found.p_values[0])]
        assert row["file"] == f"{row['row']}.png" and row["llr_2"] == values["llr_2"][row["row"]]
    assert (count.judged, count.flagged, count.unjudged, count.references) == (22, len(out), 1, 39)


@pytest.mark.parametrize("name", ["flagged.csv", "flagged.parquet"])
def test_flagged_rows_are_written_whole(name: str, tmp_path: Path) -> None:
    folder, values = scored_folder(30, part=11, shift=2.0)
    reference = of_folder(job_of(folder), scored_folder(50, part=50, seed=1)[0])
    path = tmp_path / name
    with written_rows(str(path), ["elbo"]) as take:
        flag(folder, ["elbo"], reference, alpha=0.1, take=take)
        assert not path.exists()
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        rows = pq.read_table(path).to_pylist()
    p = conformal_p_values(reference.scores["elbo"], values["elbo"])
    assert [int(row["row"]) for row in rows] == np.flatnonzero(p <= 0.1).tolist()
    assert [float(row["p_value"]) for row in rows] == p[p <= 0.1].tolist()
    assert set(rows[0]) == {"row", "file", "label", "p_value", "by", "elbo"}


def test_what_cannot_be_a_measure_is_refused() -> None:
    folder, _ = scored_folder(5, part=5)
    job = job_of(folder)
    reference = of_folder(job, scored_folder(9, part=9)[0])

    def ignore(rows: object) -> None: ...

    with pytest.raises(ScoreError, match="at least 19 reference images and there are 9"):
        flag(folder, RATIOS, reference, alpha=0.05, take=ignore)
    either = of_folder(job, scored_folder(25, part=25)[0])
    with pytest.raises(ScoreError, match="at least 39 reference images and there are 25"):
        flag(folder, ["elbo"], either, alpha=0.05, take=ignore, two_sided=(0,))
    few = replace(reference, scores={"llr_1": reference.scores["llr_1"]})
    with pytest.raises(ScoreError, match="has no score llr_2"):
        flag(folder, RATIOS, few, alpha=0.2, take=ignore)
    with pytest.raises(ConfigError, match="by another model"):
        of_folder(job, scored_folder(9, part=9, digest="e" * 64)[0])
    other, _ = scored_folder(9, part=9)
    write_job(other, replace(job, settings={"samples": 7}))
    with pytest.raises(ConfigError, match="under other settings"):
        of_folder(job, other)
    with pytest.raises(DataError, match="no image with finite scores"):
        of_folder(job, scored_folder(1, part=1, failed={0: "cut off"})[0])
    for name in ("flagged.txt", "s3://bucket/flagged.csv"):
        with pytest.raises(HVAEError, match="ends in .csv or .parquet"), written_rows(name, KEYS):
            pass


def test_densities_of_the_same_images_compare_whatever_else_was_scored() -> None:
    job, other = job_of(scored_folder(5, part=5)[0]), scored_folder(9, part=9)[0]
    images = frozenset({1, 2})
    keep_fitted(other, Fitted(("llr_1", "llr_2"), images))
    assert "llr_1" in of_folder(job, other, fitted=Fitted(("llr_1",), images)).scores
    assert "llr_1" not in of_folder(job, other, fitted=Fitted(("llr_1",), frozenset({3}))).scores


def test_the_scores_of_the_verdict_decide_unless_others_are_asked_for() -> None:
    job = job_of(scored_folder(1, part=1)[0])
    assert deciding(job) == (KEYS, (0,)) and deciding(job, ["elbo", "elbo"]) == (("elbo",), ())
    assert deciding(replace(job, scores=("elbo", "own"))) == (("elbo", "own"), ())
    with pytest.raises(ScoreError, match="no score msp in this folder; it has elbo, llr_1, llr_2"):
        deciding(job, ["msp"])
