"""Paths that people write, files that appear whole or not at all, cells that run nothing."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

import pandas as pd
import pytest

from hvae_core.common import files
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.spreadsheet import cell, csv_bytes, csv_text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("~nosuch/images", "home folder of someone who is not known"),
        ("n" * 300, "cannot be opened: file name too long"),
        ("n/" * 2500, "cannot be opened: file name too long"),
        ("a\0b", "cannot be a path"),
        ("a\ud800b", "cannot be a path"),
    ],
    ids=["home", "300", "5000", "zero", "surrogate"],
)
def test_what_cannot_be_a_path_is_said_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as told:
        files.named_path(text, ConfigError)
    assert len(str(told.value)) < 250 and str(told.value).isprintable()


def test_a_link_in_a_circle_and_a_pipe_are_said(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(DataError, match="too many levels"):
        files.named_path(tmp_path / "round")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a pipe or a device"):
        files.check_regular(tmp_path / "pipe")
    files.check_regular(tmp_path / "not there")


def write(path: Path, then: BaseException | None = None) -> None:
    with files.written(path) as draft:
        draft.write_text("half")
        if then is not None:
            raise then


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path, link = tmp_path / "table.csv", tmp_path / "link.csv"
    link.symlink_to(path)
    with files.written(link) as draft:
        draft.write_text("first")
    assert link.is_symlink() and path.read_text() == "first"
    with pytest.raises(KeyboardInterrupt):
        write(path, KeyboardInterrupt())
    assert path.read_text() == "first" and sorted(os.listdir(tmp_path)) == ["link.csv", "table.csv"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the disk is full; make room"):
        write(tmp_path / "x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert not os.listdir(tmp_path)
    with pytest.raises(DataError, match="its folder is not there"):
        write(tmp_path / "no" / "x")
    with pytest.raises(DataError, match="it is a folder"):
        write(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_is_written_and_never_replaced() -> None:
    with pytest.raises(DataError, match="the disk is full"):
        write(Path("/dev/full"))
    assert Path("/dev/full").is_char_device()


def test_sweeping_takes_fragments_alone(tmp_path: Path) -> None:
    for name in (".writing-0a1b2c3d.tmp", ".writing-mine.tmp", "state.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    files.sweep(tmp_path, older=60)
    assert len(os.listdir(tmp_path)) == 3
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".writing-mine.tmp", "state.safetensors"]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1", "\t=1"])
def test_no_cell_can_run(text: str) -> None:
    assert cell(text) == f"'{text}"
    table = list(csv.reader(io.StringIO(csv_text([text], [[text, 1]]))))
    assert table == [[f"'{text}"], [f"'{text}", "1"]]
    frame = pd.DataFrame({text: [text, "cat"], "x": [-1.5, 2.0]})
    assert csv_bytes(frame).decode().startswith(pd.DataFrame({f"'{text}": [f"'{text}"], "x": -1.5})
                                                .to_csv(index=False))  # fmt: skip


@pytest.mark.parametrize("value", ["-1.5", "+2e-3", "-inf", "cat", "", -1.5, None, "a=b"])
def test_numbers_and_plain_words_stay(value: object) -> None:
    assert cell(value) == value
