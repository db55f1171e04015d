from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.detection.many.layout import (
    JOB,
    Job,
    Part,
    part_name,
    parts_there,
    read_job,
    read_part,
    write_job,
    write_part,
)

PART = Part(
    rows=np.array([7, 8, 9]),
    files=["a.png", "b.png", ""],
    labels=["cat", None, None],
    digests=np.array([2**64 - 1, 0, 5], np.uint64),
    errors=[None, "b.png is damaged.", None],
    bounds=np.array([[-1.5, -2.0], [np.nan, np.nan], [-3.0, np.inf]]),
    scores={"elbo": np.array([1.5, np.nan, 3.0]), "bound_1": np.array([2.0, np.nan, np.inf])},
)
JOB_OF = Job(
    model="m", digest="d" * 64, levels=2, source="s", settings={"samples": 1},
    scores=("elbo", "bound_1"), part_images=3, notes=("grey",), versions={"torch": "2"},
)  # fmt: skip


@pytest.fixture(params=["near", "far"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    near = request.param == "near"
    return Folder.of(str(tmp_path / "out") if near else f"memory://{uuid.uuid4().hex}/out")


def test_a_part_and_a_job_come_back_as_they_were_written(folder: Folder) -> None:
    assert read_job(folder) is None and parts_there(folder) == []
    write_job(folder, JOB_OF)
    write_part(folder, 12, PART)
    write_part(folder, 12, PART)
    write_part(folder, 3, replace(PART, files=["é", "\n", "c"]))
    assert read_job(folder) == JOB_OF and parts_there(folder) == [3, 12]
    back = read_part(folder, 12)
    for name in ("rows", "digests", "bounds"):
        np.testing.assert_array_equal(getattr(back, name), getattr(PART, name))
    assert list(back.scores) == list(PART.scores)
    for key, values in PART.scores.items():
        np.testing.assert_array_equal(back.scores[key], values)
    assert (back.files, back.labels, back.errors) == (PART.files, PART.labels, PART.errors)


def test_a_part_that_is_being_written_is_not_there(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder.fs, "mv", killed)
    with pytest.raises(KeyboardInterrupt):
        write_part(folder, 0, PART)
    assert parts_there(folder) == [] and folder.names("parts") == []


def test_what_is_wrong_with_a_folder_is_a_sentence(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no parts/part-000001\.parquet"):
        read_part(folder, 1)
    folder.write(part_name(1), b"PAR1 no more")
    with pytest.raises(DataError, match="is damaged; remove it"):
        read_part(folder, 1)
    for data in (b"[]", b'{"format": 2}', b"{", b'{"format": 1, "model": 3}'):
        folder.write(JOB, data)
        with pytest.raises(DataError, match="damaged or of another version"):
            read_job(folder)
    with pytest.raises(DataError, match="may not be called row"):
        write_part(folder, 0, replace(PART, scores={"row": np.zeros(3)}))
    with pytest.raises(DataError, match="nosuch://"):
        Folder.of("nosuch://here")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be used"):
        Folder.of(str(tmp_path / "file")).write(JOB, b"{}")
