"""The hub: the same code on a local dataset folder, so that no test needs a network."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hvae_core.common.errors import DataError
from hvae_core.common.places import cache_data_root
from hvae_core.common.progress import Cancelled
from hvae_core.data import load_source, registered_sets, worlds
from hvae_core.data.readers import hub
from hvae_core.data.readers.hub import download

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
    found, source = load_source(target), load_source(parquet_file)
    assert found.digest == source.digest
    assert found.labels.tolist() == source.labels.tolist()
    assert found.class_names == source.class_names
    assert seen[-1][1] == "downloaded 12 images"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_what_is_there_is_not_fetched_again(parquet_file: Path) -> None:
    assert download("no/matter", path=parquet_file) == parquet_file


def test_limit(parquet_file: Path, tmp_path: Path) -> None:
    target = download(str(parquet_file.parent), path=tmp_path / "few.parquet", limit=5)
    assert len(load_source(target)) == 5


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
    assert np.array_equal(found.images, load_source(parquet_file).images)


def test_hub_names() -> None:
    assert all(hub.is_hub_name(entry.hub) for entry in registered_sets().values() if entry.hub)
    assert hub.read_hub_name("a/b") == hub.HubName("a/b", "", "test")
    assert hub.read_hub_name("a/b:train") == hub.HubName("a/b", "", "train")
    assert hub.read_hub_name("a/b:img+attr:train") == hub.HubName("a/b", "img+attr", "train")
    for text in ("a", "a/b/c", "../b", "a/..", "/a/b", "a/b:", "a/b:../c", "a/b:c:../d",
                 "a/b:c:d:e", "a b/c", "a/.b"):  # fmt: skip
        assert not hub.is_hub_name(text), text


@pytest.fixture
def hub_set(tmp_path: Path, pictures: np.ndarray) -> Path:
    """A set in the hub's form with two configurations, and columns of other names."""
    import datasets

    folder = tmp_path / "norb"
    features = datasets.Features(
        {
            "image_lt": datasets.Image(),
            "image_rt": datasets.Image(),
            "category": datasets.ClassLabel(names=["animal", "plane"]),
        }
    )
    for config, shown in (("small", pictures), ("large", 255 - pictures)):
        rows = {
            "image_lt": [Image.fromarray(picture) for picture in shown],
            "image_rt": [Image.fromarray(picture[::-1].copy()) for picture in shown],
            "category": [index % 2 for index in range(12)],
        }
        (folder / config).mkdir(parents=True)
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(folder / config / "test.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: small\n  data_files:\n  - split: test\n    path: small/test.parquet\n"
        "- config_name: large\n  data_files:\n  - split: test\n    path: large/test.parquet\n"
        "---\n"
    )
    return folder


def test_a_configuration_and_its_columns(
    hub_set: Path, tmp_path: Path, pictures: np.ndarray
) -> None:
    for config, shown in (("small", pictures), ("large", 255 - pictures)):
        target = download(
            str(hub_set),
            config=config,
            columns=("image_lt", "category"),
            path=tmp_path / f"{config}.parquet",
        )
        found = load_source(target)
        assert (found.images[:, 0] == shown).all()
        assert found.class_names == ("animal", "plane")
        assert found.labels.tolist() == [0, 1] * 6


def test_a_set_of_several_configurations_asks_for_one(hub_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write owner/name:CONFIGURATION:SPLIT"):
        download(str(hub_set), path=tmp_path / "a.parquet", columns=("image_lt", ""))


def test_every_registered_set_downloads_through_the_same_code(
    hub_set: Path, parquet_file: Path, monkeypatch: pytest.MonkeyPatch, pictures: np.ndarray
) -> None:
    world = worlds()["fashion"]
    entry = registered_sets()["smallnorb"]
    here = replace(entry, hub=str(hub_set), config="small")
    monkeypatch.setitem(registered_sets(), "smallnorb", here)
    path = world.download("smallnorb_inverted")
    assert path == cache_data_root() / "smallnorb" / "test.parquet"
    light = world.load("smallnorb_inverted")
    dark = world.load("smallnorb")
    assert light.image_shape == (1, 28, 28)
    assert (light.images == 255 - dark.images).all()
    # Bilinear to 28x28 (HVK App. A), by another hand.
    by_hand = {
        np.asarray(Image.fromarray(picture).resize((28, 28), Image.Resampling.BILINEAR)).tobytes()
        for picture in pictures
    }
    assert {image.tobytes() for image in dark.images} == by_hand


def test_labels_that_are_texts_are_kept(parquet_file: Path, tmp_path: Path) -> None:
    names = ["ant", "bee", "cat"]
    table = pq.read_table(parquet_file).replace_schema_metadata(None)
    texts = pa.array([names[label.as_py()] for label in table["label"]])
    (tmp_path / "made").mkdir()
    stored = table.set_column(table.schema.get_field_index("label"), "label", texts)
    pq.write_table(stored, tmp_path / "made" / "test.parquet")
    found = load_source(download(str(tmp_path / "made"), path=tmp_path / "own.parquet"))
    assert found.class_names == tuple(names)
    assert found.labels.tolist() == [0, 1, 2] * 4


def test_a_full_disk_is_told_and_leaves_nothing(
    hub_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(DataError, match="cannot be kept in .*: the disk is full; make room"):
        download(str(hub_set), path=tmp_path / "a" / "test.parquet", config="small",
                 columns=("image_lt", ""))  # fmt: skip
    assert not os.listdir(tmp_path / "a")
