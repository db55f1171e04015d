"""Loaders: every kind of source gives the same pixels; hostile ones one sentence."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvae_core.common.errors import DataError, MissingImages
from hvae_core.common.progress import Cancelled
from hvae_core.data import ImageSet, load_source
from hvae_core.data.readers import limits, npz, zip_file
from hvae_core.data.readers.read import read_images
from hvae_core.data.readers.wanted import Wanted

Encode = Callable[..., bytes]


def read(path: Path, **asked: Any) -> ImageSet:
    """What a path holds, under its own name."""
    return read_images(path, Wanted(name=path.stem, title=path.stem, **asked))


def write_table(path: Path, columns: dict[str, pa.Array], metadata: object = None) -> Path:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, path)
    return path


def blobs(items: list[bytes | None], paths: list[str | None] | None = None) -> pa.Array:
    rows = [{"bytes": b, "path": p} for b, p in zip(items, paths or [None] * 99, strict=False)]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


class TestParquet:
    def test_pixels_labels_and_names(self, parquet_file: Path, pictures: np.ndarray) -> None:
        found = read(parquet_file)
        assert (found.images[:, 0] == pictures).all()
        assert found.labels.tolist() == [0, 1, 2] * 4
        assert found.class_names == ("a", "b", "c")
        assert (found.name, found.notes) == ("test", ())

    def test_the_datasets_library_reads_what_we_write(self, parquet_file: Path) -> None:
        schema = pq.read_schema(parquet_file)
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        assert features["label"] == {"names": ["a", "b", "c"], "_type": "ClassLabel"}
        assert features["image"] == {"_type": "Image"}

    def test_limit_and_rows(self, parquet_file: Path, pictures: np.ndarray) -> None:
        assert (read(parquet_file, limit=5).images[:, 0] == pictures[:5]).all()
        part = read(parquet_file, rows=(7, 11), limit=3)
        assert (part.images[:, 0] == pictures[7:10]).all()
        assert part.labels.tolist() == [1, 2, 0]
        assert len(read(parquet_file, rows=(10, 99))) == 2

    def test_shards_in_order_of_names(self, parquet_file: Path, pictures: np.ndarray) -> None:
        (parquet_file.parent / "test-2.parquet").write_bytes(parquet_file.read_bytes())
        both = read(parquet_file.parent)
        assert (both.images[:, 0] == np.concatenate([pictures, pictures])).all()
        across = read(parquet_file.parent, rows=(10, 14))
        assert (across.images[:, 0] == pictures[[10, 11, 0, 1]]).all()

    def test_other_label_columns(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        images = blobs([encode(picture) for picture in pictures[:3]])
        path = write_table(
            tmp_path / "a.parquet", {"img": images, "labels": pa.array([5, 0, None])}
        )
        found = read(path)
        assert found.labels.tolist() == [5, 0, -1]
        assert found.class_names == ("0", "1", "2", "3", "4", "5")
        path = write_table(
            tmp_path / "b.parquet", {"image": images, "label": pa.array(["cat", "ant", "cat"])}
        )
        found = read(path)
        assert (found.labels.tolist(), found.class_names) == ([1, 0, 1], ("ant", "cat"))
        path = write_table(tmp_path / "c.parquet", {"image": images})
        assert read(path).labels.tolist() == [-1, -1, -1]

    def test_labels_outside_the_names_are_no_labels(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        names = {"info": {"features": {"label": {"names": ["x"], "_type": "ClassLabel"}}}}
        path = write_table(
            tmp_path / "a.parquet",
            {"image": blobs([encode(pictures[0])] * 3), "label": pa.array([0, 7, -4])},
            names,
        )
        assert read(path).labels.tolist() == [0, -1, -1]

    def test_image_paths_are_refused(self, tmp_path: Path) -> None:
        path = write_table(tmp_path / "a.parquet", {"image": blobs([None], ["/etc/hostname"])})
        with pytest.raises(DataError, match="names image files instead of holding them"):
            read(path)

    def test_unreadable_rows_are_left_out_with_a_note(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        rows = [encode(pictures[0]), b"text", None, encode(pictures[1])]
        path = write_table(tmp_path / "a.parquet", {"image": blobs(rows)})
        found = read(path)
        assert len(found) == 2
        assert found.notes == (
            "2 of 4 images could not be read: Row 1, Row 2; the first: Row 1 is not a PNG, JPEG, "
            "BMP, WebP or TIFF image, or is damaged; convert it to PNG or open another.",
        )

    def test_what_is_no_image_table(self, tmp_path: Path, parquet_file: Path) -> None:
        text = write_table(tmp_path / "text.parquet", {"words": pa.array(["a"])})
        with pytest.raises(DataError, match="no column named image .its columns: words"):
            read(text)
        numbers = write_table(tmp_path / "numbers.parquet", {"image": pa.array([1])})
        with pytest.raises(DataError, match="not encoded images"):
            read(numbers)
        whole = parquet_file.read_bytes()
        for broken in (b"", b"PAR1", b"some text that is no table", whole[: len(whole) // 2]):
            path = tmp_path / "broken.parquet"
            path.write_bytes(broken)
            with pytest.raises(DataError, match="cannot be read as Parquet"):
                read(path)
        with pytest.raises(DataError, match="There is no file or folder"):
            read(tmp_path / "none.parquet")

    def test_damaged_pages(self, tmp_path: Path, parquet_file: Path) -> None:
        whole = parquet_file.read_bytes()
        path = tmp_path / "broken.parquet"
        path.write_bytes(whole[:4] + bytes(600) + whole[604:])
        with pytest.raises(DataError):
            read(path)


class TestMixedSizes:
    def test_the_most_common_shape_wins(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        for index in range(3):
            (tmp_path / f"{index}.png").write_bytes(encode(pictures[index]))
        (tmp_path / "x.png").write_bytes(encode(np.zeros((20, 20, 3), np.uint8)))
        found = read(tmp_path)
        assert found.image_shape == (1, 9, 7)
        assert found.notes == ("1 of 4 images resized to 7x9 grey, aspect ratio not kept",)
        asked = read(tmp_path, image_shape=(3, 20, 20))
        assert asked.image_shape == (3, 20, 20)
        assert asked.notes == ("3 of 4 images resized to 20x20 colour, aspect ratio not kept",)

    def test_compression_at_the_size_that_is_read_is_named(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        for index in range(3):
            (tmp_path / f"{index}.jpg").write_bytes(encode(pictures[index], "JPEG"))
        assert read(tmp_path).notes == ("JPEG-compressed",)
        assert read(tmp_path, image_shape=(1, 4, 4)).notes[1:] == ()
        assert read(tmp_path, image_shape=(3, 9, 7)).notes[1:] == ("JPEG-compressed",)
        (tmp_path / "x.png").write_bytes(encode(pictures[3]))
        assert read(tmp_path).notes == ("3 of 4 JPEG-compressed",)

    def test_one_size_is_named(self, parquet_file: Path) -> None:
        found = read(parquet_file, image_shape=(1, 28, 28))
        assert found.notes == ("resized from 7x9 grey to 28x28 grey, aspect ratio not kept",)
        assert found.digest == read(parquet_file).fit((1, 28, 28)).digest
        assert found.notes == read(parquet_file).fit((1, 28, 28)).notes

    def test_memory_is_capped(self, parquet_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_SET_BYTES", 300)
        with pytest.raises(DataError, match="set a limit"):
            read(parquet_file)
        assert len(read(parquet_file, image_shape=(1, 5, 5))) == 12


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path, encode: Encode, pictures: np.ndarray) -> Path:
        root = tmp_path / "photos"
        for index, place in enumerate(["b/x", "b/deep/y", "a/z", "b/deep/er/deepest", ".hidden/h"]):
            path = root / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(pictures[index]))
        (root / "a" / "notes.txt").write_text("no image")
        return root

    def test_classes_are_the_first_level(self, folder: Path, pictures: np.ndarray) -> None:
        found = read(folder)
        assert found.class_names == ("a", "b")
        assert (found.images[:, 0] == pictures[[2, 3, 1, 0]]).all()
        assert found.labels.tolist() == [0, 1, 1, 1]
        assert found.files == ("a/z.png", "b/deep/er/deepest.png", "b/deep/y.png", "b/x.png")
        assert (found.name, found.title) == ("photos", "photos")

    def test_flat(self, folder: Path) -> None:
        found = read(folder / "b" / "deep" / "er")
        assert (found.labels.tolist(), found.class_names) == ([-1], ())

    def test_a_limit_meets_every_class(self, tmp_path: Path, encode: Encode) -> None:
        for label in "abc":
            (tmp_path / label).mkdir()
            for index in range(10):
                pixels = np.full((4, 4), index, np.uint8)
                (tmp_path / label / f"{index}.png").write_bytes(encode(pixels))
        assert read(tmp_path, limit=6).labels.tolist() == [0, 0, 1, 1, 2, 2]

    def test_unreadable_files(self, folder: Path) -> None:
        (folder / "a" / "broken.jpg").write_bytes(b"")
        assert read(folder).notes == (
            "classes are the folders of the first level; those below are not told apart",
            "1 of 5 images could not be read: a/broken.jpg; the first: a/broken.jpg is empty; "
            "choose a PNG, JPEG, BMP, WebP or TIFF image.",
        )
        for image in folder.rglob("*.png"):
            image.write_bytes(b"text")
        with pytest.raises(DataError, match="no image that can be read. The first: a/broken.jpg"):
            read(folder)

    def test_links_round_in_a_circle(self, folder: Path) -> None:
        (folder / "loop").symlink_to(folder, target_is_directory=True)
        assert len(read(folder)) == 4

    def test_no_images(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no PNG"):
            read(tmp_path)
        with pytest.raises(DataError, match="no file or folder"):
            read(tmp_path / "none")


class TestNpz:
    @pytest.mark.parametrize("key", ["images", "x", "arr_0", "x_test", "images_test"])
    def test_keys(self, key: str, tmp_path: Path, pictures: np.ndarray) -> None:
        arrays: dict[str, Any] = {key: pictures, "y": np.arange(12) % 3}
        np.savez_compressed(tmp_path / "a.npz", **arrays)
        found = read(tmp_path / "a.npz")
        assert (found.images[:, 0] == pictures).all()
        assert found.labels.tolist() == [0, 1, 2] * 4
        assert found.class_names == ("0", "1", "2")

    @pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 9, 8), (1, 1, 3, 3)])
    def test_a_set_written_is_read_again(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        labels = np.arange(len(pixels)) % 2 - 1
        chosen = ImageSet("a", "A", pixels, labels=labels, class_names=("ένα", "two"))
        (tmp_path / "a.npz").write_bytes(npz.npz_bytes(chosen, sets=np.array(["a"] * len(pixels))))
        found = read(tmp_path / "a.npz")
        assert (found.images == pixels).all()
        assert (found.labels == labels).all()

    def test_splits_of_one_file(self, tmp_path: Path, pictures: np.ndarray) -> None:
        path = tmp_path / "a.npz"
        np.savez(path, x_train=pictures[:8], y_train=np.zeros(8, int), x_test=pictures[8:])
        assert len(read(path, split="train")) == 8
        assert (read(path).images[:, 0] == pictures[8:]).all()

    def test_layouts_and_types(self, tmp_path: Path) -> None:
        draw = np.random.default_rng(0)
        colour = draw.integers(0, 256, (5, 3, 9, 8), dtype=np.uint8)
        for images in (colour, colour.transpose(0, 2, 3, 1), colour.astype(np.int64), colour / 255,
                       (colour / 255).astype(np.float32)):  # fmt: skip
            np.savez(tmp_path / "a.npz", images=images)
            assert (read(tmp_path / "a.npz").images == colour).all()
        np.savez(tmp_path / "a.npz", images=colour[:, :1] > 99)
        assert (read(tmp_path / "a.npz").images == np.where(colour[:, :1] > 99, 255, 0)).all()
        found = read(tmp_path / "a.npz", limit=2, image_shape=(3, 4, 4))
        assert (len(found), found.image_shape) == (2, (3, 4, 4))

    @pytest.mark.parametrize(
        ("images", "expected"),
        [
            (np.full((2, 4, 4), 7.5), "values from 7.5 to 7.5"),
            (np.full((2, 4, 4), np.nan), "values from nan"),
            (np.full((2, 4, 4), 300), "values from 300"),
            (np.full((2, 4, 4), -0.1), "fractions from 0 to 1"),
            (np.zeros((4,), np.uint8), "has shape"),
            (np.zeros((0, 4, 4), np.uint8), "has shape"),
            (np.zeros((2, 4, 4, 7), np.uint8), "1 or 3 channels"),
            (np.array([{}, []], object), "holds Python objects"),
            (np.array(["a"]), "not a plain array of numbers"),
            (np.zeros((2, 4, 4), complex), "not a plain array of numbers"),
        ],
    )
    def test_what_is_not_images(self, images: np.ndarray, expected: str, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", images=images)
        with pytest.raises(DataError, match=expected):
            read(tmp_path / "a.npz")

    def test_other_archives(self, tmp_path: Path, pictures: np.ndarray) -> None:
        path = tmp_path / "a.npz"
        np.savez(path, other=pictures, more=pictures)
        with pytest.raises(DataError, match="it has other, more"):
            read(path)
        np.savez(path, images=pictures, labels=np.zeros(3, int))
        with pytest.raises(DataError, match="one label an image"):
            read(path)
        np.savez(path, images=pictures)
        whole = path.read_bytes()
        for broken in (b"", b"text", whole[:-30], whole[: len(whole) // 2]):
            path.write_bytes(broken)
            with pytest.raises(DataError, match="cannot be read as a NumPy archive"):
                read(path)

    def test_a_header_that_lies(self, tmp_path: Path) -> None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**6, 10**6)}
        )
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("images.npy", header.getvalue() + bytes(64))
        with pytest.raises(DataError, match="of the size it claims"):
            read(tmp_path / "a.npz")

    def test_a_zip_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        np.savez_compressed(tmp_path / "a.npz", images=np.zeros((3000, 100, 100), np.uint8))
        assert (tmp_path / "a.npz").stat().st_size < 100_000
        monkeypatch.setattr(limits, "MAX_SET_BYTES", 10**7)
        with pytest.raises(DataError, match="unpacks to more than"):
            read(tmp_path / "a.npz")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_repeated_names(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("images.npy", b"1")
            archive.writestr("images.npy", b"2")
        with pytest.raises(DataError, match="repeated"):
            read(tmp_path / "a.npz")


class TestZip:
    @staticmethod
    def make(path: Path, entries: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries.items():
                archive.writestr(name, data)
        return path

    def test_images_whatever_their_names(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray
    ) -> None:
        entries = {
            "../../up.png": encode(pictures[0]),
            "/root.png": encode(pictures[1]),
            "root.txt": b"no picture",
            "folder/": b"",
            "__MACOSX/._up.png": b"junk",
            "words.png": b"words",
        }
        found = read(self.make(tmp_path / "a.zip", entries))
        assert (found.images[:, 0] == pictures[:2]).all()
        assert found.labels.tolist() == [-1, -1]
        assert found.files == ("up.png", "root.png")
        assert found.notes[0].startswith("1 of 3 images could not be read: words.png; the first:")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]

    def test_bombs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = self.make(tmp_path / "a.zip", {"a.png": bytes(40_000_000)})
        assert path.stat().st_size < 100_000
        with pytest.raises(DataError, match="a.png is larger than 32 MiB"):
            read(path)
        monkeypatch.setattr(zip_file, "MAX_TOTAL_BYTES", 10**6)
        with pytest.raises(DataError, match="unpacks to more than"):
            read(path)
        monkeypatch.setattr(zip_file, "MAX_ENTRIES", 3)
        with pytest.raises(DataError, match="holds 4 files"):
            read(self.make(tmp_path / "b.zip", dict.fromkeys("abcd", b"")))

    def test_a_directory_that_lies_about_a_size(self, tmp_path: Path, encode: Encode) -> None:
        data = encode(np.zeros((64, 64), np.uint8), "BMP")
        path = self.make(tmp_path / "a.zip", {"a.bmp": data})
        size = len(data).to_bytes(4, "little")
        path.write_bytes(path.read_bytes().replace(size, (90).to_bytes(4, "little")))
        with pytest.raises(DataError, match="damaged"):
            read(path)

    def test_broken(self, tmp_path: Path) -> None:
        for data in (b"", b"PK\x03\x04 no more", b"text"):
            (tmp_path / "a.zip").write_bytes(data)
            with pytest.raises(DataError, match="cannot be read as a zip"):
                read(tmp_path / "a.zip")


class TestSource:
    def test_every_kind_gives_the_same_pixels(
        self, tmp_path: Path, encode: Encode, pictures: np.ndarray, parquet_file: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        for index, picture in enumerate(pictures):
            (folder / f"{index:02}.png").write_bytes(encode(picture))
        np.savez(tmp_path / "a.npz", pictures)
        entries = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        archive = TestZip.make(tmp_path / "a.zip", entries)
        sources = (parquet_file, parquet_file.parent, folder, tmp_path / "a.npz", archive)
        found = [load_source(str(source)) for source in sources]
        assert len({images.digest for images in found}) == 1
        assert all(len(load_source(source, limit=4)) == 4 for source in sources)
        one = load_source(folder / "03.png", image_shape=(1, 28, 28))
        assert one.digest == found[0].take([3]).fit((1, 28, 28)).digest
        assert one.notes == ("resized from 7x9 grey to 28x28 grey, aspect ratio not kept",)

    def test_nothing_is_fetched_unasked(self) -> None:
        with pytest.raises(MissingImages, match="ask for the download"):
            load_source("nobody/nothing")

    @pytest.mark.parametrize(
        "source", ["", "nowhere", "./a/b", "/no/such/file", "a/b/c", "../a", "a/..", "x:y/z"]
    )
    def test_what_is_neither_path_nor_hub_name(self, source: str) -> None:
        with pytest.raises(DataError) as caught:
            load_source(source, allow_download=True)
        assert not isinstance(caught.value, MissingImages)

    def test_other_files_and_limits(self, tmp_path: Path, parquet_file: Path) -> None:
        (tmp_path / "a.pkl").write_bytes(b"x")
        with pytest.raises(DataError, match="not a kind of file"):
            load_source(tmp_path / "a.pkl")
        with pytest.raises(DataError, match="limit of 0"):
            load_source(parquet_file, limit=0)


def test_progress_rises_and_cancels(parquet_file: Path) -> None:
    seen: list[float] = []

    def listen(fraction: float, message: str) -> None:
        seen.append(fraction)

    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    found: ImageSet = read(parquet_file, progress=listen)
    assert len(found) == 12
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    assert seen == sorted(seen)
    with pytest.raises(Cancelled):
        read(parquet_file, progress=stop)
