"""A source that is read part by part gives what the same source gives as a whole."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvae_core.common.errors import DataError
from hvae_core.data.load import load_source
from hvae_core.data.stream import Source, Stream
from tests.data.conftest import encode

SHAPE = (1, 8, 8)
MANY = np.random.default_rng(5).integers(0, 256, (12, 9, 7), dtype=np.uint8)
CLASSES = ("ant", "bee", "cow")


def parquet(folder: Path, *, group: int = 3, labels: list[object] | None = None) -> Path:
    """Two shards of the hub's convention, in groups of a few rows."""
    path = folder / "shards"
    path.mkdir()
    names = {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}
    about = {"huggingface": json.dumps({"info": {"features": names}})}
    for shard, rows in enumerate((range(7), range(7, 12))):
        table = pa.table(
            {
                "image": [{"bytes": encode(MANY[i]), "path": f"p{i}.png"} for i in rows],
                "label": [i % 3 if labels is None else labels[i] for i in rows],
            }
        )
        table = table.replace_schema_metadata(about if labels is None else None)
        pq.write_table(table, path / f"test-{shard}.parquet", row_group_size=group)
    return path


def pictures(folder: Path) -> Path:
    for i, pixels in enumerate(MANY):
        place = folder / "pictures" / CLASSES[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i:02}.png").write_bytes(encode(pixels))
    return folder / "pictures"


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for path in sorted(pictures(folder).rglob("*.png")):
            archive.write(path, str(path.relative_to(folder)))
    return folder / "pictures.zip"


def npz(folder: Path) -> Path:
    np.savez(folder / "a.npz", images=MANY / 255.0, labels=np.arange(12) % 3)
    return folder / "a.npz"


def npy(folder: Path) -> Path:
    np.save(folder / "x_test.npy", MANY.astype(np.float32) / 255)
    np.save(folder / "y_test.npy", np.arange(12) % 3)
    return folder / "x_test.npy"


def idx(folder: Path) -> Path:
    head = struct.pack(">HBBIII", 0, 8, 3, *MANY.shape)
    (folder / "t10k-images-idx3-ubyte").write_bytes(head + MANY.tobytes())
    (folder / "t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">HBBI", 0, 8, 1, 12) + bytes(i % 3 for i in range(12))
    )
    return folder / "t10k-images-idx3-ubyte"


def tars(folder: Path) -> Path:
    """Two tars of samples: a picture beside its class as .cls or .json; one lacks its picture."""
    path = folder / "tars"
    path.mkdir()
    for shard, rows in enumerate((range(7), range(7, 12))):
        with tarfile.open(path / f"shard-{shard:06}.tar", "w") as tar:
            for i in rows:
                label = {"cls": b"%d" % (i % 3)} if shard else {
                    "json": json.dumps({"caption": "a", "label": i % 3}).encode()
                }  # fmt: skip
                files = {"png": encode(MANY[i]), **label} if i != 3 else label
                for ending, data in files.items():
                    info = tarfile.TarInfo(f"data/{i:05}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("make", [parquet, pictures, zipped, npz, npy, idx, tars])
@pytest.mark.parametrize("limit", [None, 5])
def test_parts_are_the_set_that_is_read_as_a_whole(
    make: Callable[[Path], Path], limit: int | None, tmp_path: Path
) -> None:
    path = make(tmp_path)
    whole = load_source(path, image_shape=SHAPE, limit=limit)
    stream = Stream(Source(str(path), SHAPE, limit))
    assert len(stream) == len(whole) and stream.class_names == whole.class_names
    # In an order of its own, as another worker may have any part.
    starts = range(0, len(stream), 4)
    parts = {start: stream.read(start, start + 4) for start in [*starts][::-1]}
    read = [parts[start] for start in starts]
    np.testing.assert_array_equal(np.concatenate([p.images.images for p in read]), whole.images)
    np.testing.assert_array_equal(np.concatenate([p.labels for p in read]), whole.labels)
    assert (whole.labels >= 0).all()
    if whole.files:
        assert tuple(name for part in read for name in part.files) == whole.files
    again = Stream(Source(str(path), SHAPE, limit))
    assert again.contents == stream.contents
    notes = {note for note in whole.notes if "JPEG" not in note}
    assert notes <= set(stream.notes)


def stored(folder: Path, url: str) -> None:
    """Everything below a folder, at a URL of fsspec's store in memory."""
    import fsspec

    for path in folder.rglob("*"):
        if path.is_file():
            with fsspec.open(f"{url}/{path.relative_to(folder).as_posix()}", "wb") as file:
                file.write(path.read_bytes())


@pytest.mark.parametrize("make", [parquet, pictures, zipped, npy, idx, tars])
def test_a_source_in_a_store_is_read_as_the_one_at_hand(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = make(tmp_path)
    if path.is_dir() and not list(path.glob("*.*")):
        (path / "cow" / "without-ending").write_bytes(encode(MANY[0]))
        (path / "ant" / "00.png").write_bytes(b"\x89PNG no more")
        (path / "ant" / "03.png").write_bytes(b"")
    url = f"memory://{tmp_path.name}"
    stored(tmp_path, url)
    near, far = Stream(Source(str(path), SHAPE)), Stream(Source(f"{url}/{path.name}", SHAPE))
    assert (len(far), far.class_names, far.notes) == (len(near), near.class_names, near.notes)
    assert far.contents == near.contents and far.title == near.title
    for start in (8, 0, 4):  # as another worker may have any part
        one, other = near.read(start, start + 4), far.read(start, start + 4)
        np.testing.assert_array_equal(one.images.images, other.images.images)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert (one.files, one.errors) == (other.files, other.errors)


def test_what_a_store_does_not_give_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    url = f"memory://{tmp_path.name}"
    stored(tmp_path / "nothing", url)
    stored(pictures(tmp_path), f"{url}/pictures")
    stored(parquet(tmp_path), f"{url}/shards")
    stored(tars(tmp_path), f"{url}/tars")
    with pytest.raises(DataError, match="There is no file or folder memory://.*/none"):
        Stream(Source(f"{url}/none", SHAPE))
    with pytest.raises(DataError, match="cannot be used: Protocol not known"):
        Stream(Source("none-such://bucket/images", SHAPE))
    with pytest.raises(DataError, match="only `.* score` reads from there"):
        load_source(f"{url}/pictures")
    streams = [Stream(Source(f"{url}/{name}", SHAPE)) for name in ("pictures", "shards", "tars")]
    # A picture that is gone meanwhile is a row; a store that does not answer is no row's fault.
    MemoryFileSystem().rm(f"{url}/pictures/bee/01.png")
    read = streams[0].read(0, 12)
    assert len(read.images) == 11 and "01.png" in str(read.errors[read.files.index("bee/01.png")])

    def broken(*_: object, **__: object) -> bytes:
        raise ConnectionError("the line is dead")

    for name in ("cat_file", "_open"):
        monkeypatch.setattr(MemoryFileSystem, name, broken)
    for stream in streams:
        with pytest.raises(DataError, match="cannot be used: the line is dead; check name"):
            stream.read(0, 4)


def test_labels_of_any_kind_are_counted_by_value(tmp_path: Path) -> None:
    kinds: dict[str, list[object]] = {
        "texts": ["b", "a", None, *"abcabcabc"],
        "sparse": [*[7, 1000, 7, 7] * 3],
        "one hot": [[0, 1], [1, 0]] * 6,
        "fractions": [0.5] * 12,
        "numbers that are none": [1.0, float("nan"), 2.0] * 4,
    }
    for name, labels in kinds.items():
        (tmp_path / name).mkdir()
        path = parquet(tmp_path / name, labels=labels)
        expected = load_labels(labels)
        whole = load_source(path)
        assert (whole.labels.tolist(), whole.class_names) == expected[:2], name
        assert set(expected[2]) <= set(whole.notes), name


def load_labels(labels: list[object]) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """As they are read where every image has its own."""
    from hvae_core.data.readers.labels import read_labels

    stored: np.ndarray = np.empty(len(labels), object)
    stored[:] = labels
    if isinstance(labels[0], list):
        stored = np.array(labels)
    found = read_labels(stored, len(labels), what="the column label")
    return found.values.tolist(), found.names, found.notes


def test_a_picture_that_cannot_be_read_is_a_row_with_its_reason(tmp_path: Path) -> None:
    path = pictures(tmp_path)
    (path / "bee" / "04.png").write_bytes(b"\x89PNG no more")
    read = Stream(Source(str(path), SHAPE)).read(0, 12)
    lost = [file for file, error in zip(read.files, read.errors, strict=True) if error]
    assert lost == ["bee/04.png"] and len(read.images) == 11
    assert "bee/04.png" in str(read.errors[read.files.index("bee/04.png")])


def test_what_contradicts_the_sample_is_named_and_not_read_another_way(tmp_path: Path) -> None:
    blocks = 17 * 1024
    levels = np.zeros((blocks, 2, 2), np.uint8)
    levels[::2] = 1
    levels[100] = 200  # in no block of the sample
    np.save(tmp_path / "x.npy", levels)
    stream = Stream(Source(str(tmp_path / "x.npy"), (1, 2, 2)))
    read = stream.read(98, 102)
    assert [error is None for error in read.errors] == [True, True, False, True]
    assert "sample" in str(read.errors[2]) and read.images.images.max() == 255


def test_a_tar_has_the_pictures_and_labels_that_went_into_it(tmp_path: Path) -> None:
    path = tars(tmp_path)
    whole = load_source(path)
    kept = [i for i in range(12) if i != 3]
    np.testing.assert_array_equal(whole.images[:, 0], MANY[kept])
    assert whole.labels.tolist() == [i % 3 for i in kept] and whole.class_names == ("0", "1", "2")
    assert whole.files == tuple(f"data/{i:05}.png" for i in kept)
    assert "1 samples without a picture left out" in whole.notes
    place = path / "shard-000001.tar"
    place.write_bytes(place.read_bytes()[:3000])
    with pytest.raises(DataError, match="tar"):
        load_source(path)


def test_an_array_in_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    """Nothing of it is held beside the part, and a compressed one is read as ever."""
    np.savez_compressed(tmp_path / "packed.npz", images=MANY, labels=np.arange(12) % 3)
    np.savez(tmp_path / "plain.npz", images=np.asfortranarray(MANY), labels=np.arange(12) % 3)
    read = []
    for name, lies in (("packed", False), ("plain", True)):
        stream = Stream(Source(str(tmp_path / f"{name}.npz"), SHAPE))
        base = stream._container.view  # type: ignore[attr-defined]
        while base.base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap) == lies
        read.append(stream.read(5, 9).images.images)
    np.testing.assert_array_equal(*read)


def test_what_cannot_be_streamed_is_said(tmp_path: Path) -> None:
    path = str(pictures(tmp_path))
    with pytest.raises(DataError, match="Stretching needs the darkest"):
        Stream(Source(path, SHAPE, prepare=("stretch",)))
    with pytest.raises(DataError, match="There is no file or folder"):
        Stream(Source(f"{path}-2", SHAPE))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), buffer)
    (tmp_path / "a.parquet").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="no column named image"):
        Stream(Source(str(tmp_path / "a.parquet"), SHAPE))
