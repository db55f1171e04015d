"""The hub: the same code on a local dataset folder, so that no test needs a network."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hvae_core.data import HUB_NAMES, cache_data_root, download, hub, load_parquet, load_source
from hvae_core.errors import DataError
from hvae_core.progress import Cancelled

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def test_a_download_is_the_source_as_parquet(parquet_file: Path, tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    target = download(
        str(parquet_file.parent),
        path=tmp_path / "own" / "test.parquet",
        progress=lambda fraction, message: seen.append((fraction, message)),
    )
    found, source = load_parquet(target), load_parquet(parquet_file)
    assert found.digest == source.digest
    assert found.labels.tolist() == source.labels.tolist()
    assert found.class_names == source.class_names
    assert seen[-1][1] == "downloaded 12 images"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_what_is_there_is_not_fetched_again(parquet_file: Path) -> None:
    assert download("no/matter", path=parquet_file) == parquet_file


def test_limit(parquet_file: Path, tmp_path: Path) -> None:
    target = download(str(parquet_file.parent), path=tmp_path / "few.parquet", limit=5)
    assert len(load_parquet(target)) == 5


def test_a_cancelled_download_leaves_nothing(parquet_file: Path, tmp_path: Path) -> None:
    def stop(fraction: float, message: str) -> None:
        if "downloaded" in message:
            raise Cancelled

    folder = tmp_path / "out"
    with pytest.raises(Cancelled):
        download(str(parquet_file.parent), path=folder / "test.parquet", progress=stop)
    assert list(folder.iterdir()) == []


def test_a_split_that_is_not_there(parquet_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split named other"):
        download(str(parquet_file.parent), "other", path=tmp_path / "a.parquet")


def test_a_set_without_images(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "test.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a set of images"):
        download(str(tmp_path / "words"), path=tmp_path / "a.parquet")


def test_offline_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(hub_name: str) -> None:
        raise ConnectionError("name or service not known")

    monkeypatch.setattr(hub, "_knock", unreachable)
    with pytest.raises(DataError, match="owner/name could not be downloaded: the hub cannot"):
        download("owner/name", path=tmp_path / "a.parquet")
    with pytest.raises(DataError, match="could not be downloaded"):
        load_source("owner/name:train", allow_download=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("RepositoryNotFoundError", "no public set owner/name"),
        ("GatedRepoError", "asks for a login"),
    ],
)
def test_refusals_of_the_hub(
    kind: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(hub_name: str) -> None:
        raise type(kind, (OSError,), {})("status 401")

    monkeypatch.setattr(hub, "_knock", refuse)
    with pytest.raises(DataError, match=expected):
        download("owner/name", path=tmp_path / "a.parquet")


def test_a_downloaded_hub_set_is_found_by_its_name(parquet_file: Path) -> None:
    place = hub.hub_path("owner/name", "train")
    assert place.is_relative_to(cache_data_root())
    place.parent.mkdir(parents=True)
    place.write_bytes(parquet_file.read_bytes())
    found = load_source("owner/name:train")
    assert (found.title, len(found)) == ("owner/name:train", 12)
    assert np.array_equal(found.images, load_parquet(parquet_file).images)


def test_hub_names() -> None:
    assert all(hub.is_hub_name(text) for text in HUB_NAMES.values())
    assert hub.is_hub_name("a/b:train")
    for text in ("a", "a/b/c", "../b", "a/..", "/a/b", "a/b:", "a/b:../c", "a b/c", "a/.b"):
        assert not hub.is_hub_name(text), text
