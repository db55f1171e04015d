"""More inputs as other people's programs write them, each of which was once read wrongly here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hvae_core.common.errors import DataError
from hvae_core.data import ImageSet, load_source
from hvae_core.data.bring import read_files
from tests.data.test_cases import COUNT, LABELS, lay, noted, npz, png, same, truth, zipped

__all__ = ["npz", "truth"]  # fixtures

Read = Callable[..., ImageSet]


class TestTables:
    def test_floats_without_a_head_lose_no_row(self, truth: np.ndarray, tmp_path: Path) -> None:
        np.savetxt(tmp_path / "a.csv", (truth / 255).reshape(COUNT, -1), delimiter=",")
        assert same(load_source(tmp_path / "a.csv"), truth)

    def test_counted_names_are_no_image(self, truth: np.ndarray, tmp_path: Path) -> None:
        frame = pd.DataFrame(truth.reshape(COUNT, -1))
        frame.to_csv(tmp_path / "a.csv", index=False)
        assert same(load_source(tmp_path / "a.csv"), truth)
        frame.to_csv(tmp_path / "b.csv", index=False, sep=";")
        assert same(load_source(tmp_path / "b.csv"), truth)

    def test_labels_last(self, truth: np.ndarray, tmp_path: Path) -> None:
        frame = pd.DataFrame(truth.reshape(COUNT, -1)).assign(label=LABELS)
        frame.to_csv(tmp_path / "a.csv", index=False, header=False)
        found = load_source(tmp_path / "a.csv")
        assert same(found, truth, LABELS)
        assert noted(found, "the last column taken as labels")

    def test_colours_of_a_pixel_side_by_side(
        self, npz: Read, truth: np.ndarray, tmp_path: Path
    ) -> None:
        ramp = np.linspace(0, 200, 14)
        colour = np.stack([truth // 9 + ramp, truth // 9 + ramp[:, None], truth * 0 + 90], axis=-1)
        colour = colour.astype(np.uint8)
        found = npz(images=colour.reshape(COUNT, -1), labels=LABELS)
        assert (found.images.transpose(0, 2, 3, 1) == colour).all()
        assert noted(found, "side by side")
        found = npz(images=colour.transpose(0, 3, 1, 2).reshape(COUNT, -1), labels=LABELS)
        assert (found.images.transpose(0, 2, 3, 1) == colour).all()
        frame = pd.DataFrame(colour.reshape(COUNT, -1)).add_prefix("pixel").assign(label=LABELS)
        frame.to_csv(tmp_path / "rgb.csv", index=False)
        found = load_source(tmp_path / "rgb.csv")
        assert (found.images.transpose(0, 2, 3, 1) == colour).all()

    def test_a_table_of_something_else_is_no_picture(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(np.arange(40).reshape(10, 4), columns=list("abcd"))
        frame.to_csv(tmp_path / "iris.csv", index=False)
        with pytest.raises(DataError, match="no square picture"):
            load_source(tmp_path / "iris.csv")


class TestTiff:
    def test_several_pages_in_a_folder_are_told(self, truth: np.ndarray, tmp_path: Path) -> None:
        first, *more = [Image.fromarray(image) for image in truth[:4]]
        for name in "ab":
            first.save(tmp_path / f"{name}.tif", save_all=True, append_images=more)
        found = load_source(tmp_path)
        assert len(found) == 2
        assert noted(found, "of files with several pictures the first alone")

    def test_pages_that_are_compressed_stay_as_they_are(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        first, second = (Image.fromarray(np.repeat(image, 2, 0)) for image in truth[:2])
        first.save(tmp_path / "one.tif", compression="jpeg")
        first.save(tmp_path / "two.tif", save_all=True, append_images=[second], compression="jpeg")
        one, two = load_source(tmp_path / "one.tif"), load_source(tmp_path / "two.tif")
        assert (one.images[0] == two.images[0]).all()

    def test_white_may_be_zero(self, truth: np.ndarray, tmp_path: Path) -> None:
        wide = 65535 - truth[0].astype(np.uint16) * 257
        data = png(wide, "TIFF")
        black = struct.pack("<HHII", 262, 3, 1, 1)  # the tag that says which end is black
        assert data.count(black) == 1
        (tmp_path / "a.tif").write_bytes(data.replace(black, struct.pack("<HHII", 262, 3, 1, 0)))
        assert same(load_source(tmp_path / "a.tif"), truth[:1])


class TestFolders:
    def test_pictures_come_before_arrays_beside_them(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        lay(tmp_path, {f"{i:02}.png": png(truth[i]) for i in range(COUNT)})
        np.save(tmp_path / "embeddings.npy", np.zeros((COUNT, 64)))
        pq.write_table(pa.table({"a": pa.array([1])}), tmp_path / "annotations.parquet")
        found = load_source(tmp_path)
        assert same(found, truth)
        assert noted(found, "2 files that are no pictures left out (annotations.parquet, embed")

    @pytest.mark.parametrize(
        ("train", "test"),
        [
            ("train2017", "test2017"),
            ("Train Data", "Test Data"),
            ("trainA", "testA"),
            ("train_images", "test_images"),
            ("training_set/training_set", "test_set/test_set"),
            ("Training", "PublicTest"),
        ],
    )
    def test_names_of_splits_with_more_to_them(
        self, train: str, test: str, truth: np.ndarray, tmp_path: Path
    ) -> None:
        files = {
            f"{test if i >= 8 else train}/{LABELS[i]}/{i:02}.png": png(truth[i])
            for i in range(COUNT)
        }
        strays = {"cover.png": png(truth[0]), "docs/logo.png": png(truth[0])}
        found = load_source(lay(tmp_path / "set", files | strays))
        assert same(found, truth[8:], LABELS[8:])
        assert noted(found, "the test split (4 images), not train")
        assert noted(found, "2 images outside the splits left out")

    def test_splits_below_the_classes(self, truth: np.ndarray, tmp_path: Path) -> None:
        files = {
            f"{LABELS[i]}/{'test' if i >= 8 else 'train'}/{i:02}.png": png(truth[i])
            for i in range(COUNT)
        }
        assert same(load_source(lay(tmp_path, files)), truth[8:], LABELS[8:])

    def test_a_stray_picture_beside_the_one_folder(self, truth: np.ndarray, tmp_path: Path) -> None:
        files = {f"x/{LABELS[i]}/{i:02}.png": png(truth[i]) for i in range(COUNT)}
        found = load_source(lay(tmp_path, files | {"cover.png": png(truth[0])}))
        assert found.class_names == ("0", "1", "2", "3")
        assert found.labels.tolist().count(-1) == 1

    def test_files_of_arrays_by_split(self, truth: np.ndarray, tmp_path: Path) -> None:
        for name, rows in (("train", slice(0, 8)), ("test", slice(8, 12))):
            np.savez(tmp_path / f"mnist_{name}.npz", images=truth[rows], labels=LABELS[rows])
        found = load_source(tmp_path)
        assert same(found, truth[8:], LABELS[8:])
        assert noted(found, "the test split, not train")
        assert len(load_source(f"{tmp_path}:train")) == 8
        np.savez(tmp_path / "other.npz", images=truth)
        with pytest.raises(DataError, match="several files of images"):
            load_source(tmp_path)

    def test_shards_by_any_end_of_their_names(self, truth: np.ndarray, tmp_path: Path) -> None:
        def write(path: Path, rows: slice) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            blobs = pa.array([png(image) for image in truth[rows]])
            pq.write_table(pa.table({"Image": blobs, "Label": pa.array(LABELS[rows])}), path)

        for names in (
            ("mnist_train", "mnist_test"),
            ("train/0", "test/0"),
            ("m/train-0", "m/test-0"),
        ):
            root = tmp_path / names[0].replace("/", "-")
            write(root / f"{names[0]}.parquet", slice(0, 8))
            write(root / f"{names[1]}.parquet", slice(8, 12))
            assert same(load_source(root), truth[8:], LABELS[8:])
        write(tmp_path / "mixed" / "0000.parquet", slice(0, 8))
        write(tmp_path / "mixed" / "test-0.parquet", slice(8, 12))
        with pytest.raises(DataError, match="of which that is not said"):
            load_source(tmp_path / "mixed")

    def test_the_ground_does_not_depend_on_the_limit(self, tmp_path: Path) -> None:
        for number in range(96):
            ink = np.zeros((4, 4, 2), np.uint8)
            ink[0] = (200 if number % 2 == 0 else 10, 255)
            (tmp_path / f"{number:02}.png").write_bytes(png(ink))
        whole, few = load_source(tmp_path), load_source(tmp_path, limit=10)
        assert (few.images[0] == whole.images[0]).all()

    def test_windows_folders_in_a_zip(self, truth: np.ndarray, tmp_path: Path) -> None:
        files = {f"set\\{LABELS[i]}\\{i:02}.png": png(truth[i]) for i in range(COUNT)}
        found = load_source(zipped(tmp_path / "a.zip", {"set\\": b""} | files))
        assert found.class_names == ("0", "1", "2", "3")
        assert found.notes == ()


class TestMoreLabels:
    def test_named_classes(self, npz: Read, truth: np.ndarray) -> None:
        names = np.array(["ant", "bee", "cat", "dog"])

        def words(found: ImageSet) -> list[str]:
            return [found.class_names[label] for label in found.labels]

        assert words(npz(images=truth, labels=LABELS, class_names=names)) == names[LABELS].tolist()
        found = npz(images=truth, labels=LABELS + 1, class_names=names)
        assert words(found) == names[LABELS].tolist()
        assert noted(found, "labels 1 to 4 are the 4 named classes")
        ids = np.array(["1", "2", "3", "4"])
        assert words(npz(images=truth, labels=ids[LABELS], class_names=ids)) == ids[LABELS].tolist()
        encoded = np.array([name.encode() for name in names])
        assert words(npz(images=truth, y=LABELS, target_names=encoded)) == names[LABELS].tolist()
        found = npz(images=truth, labels=LABELS % 2 == 1, class_names=names[:2])
        assert words(found) == names[LABELS % 2].tolist()
        found = npz(images=truth, labels=np.char.capitalize(names[LABELS]), class_names=names)
        assert noted(found, "12 labels are none of the 4 classes")

    @pytest.mark.parametrize(
        "values", [["none", "null", "NA", "x"], ["0010", "10", "007", "7"], [-1, 1, -1, 1],
                   [-2, -1, 0, 1], [10, 20, 30, 40]]
    )  # fmt: skip
    def test_no_class_is_lost_or_merged_or_invented(
        self, values: list[Any], npz: Read, truth: np.ndarray
    ) -> None:
        stored = np.array(values)[LABELS]
        found = npz(images=truth, labels=stored)
        assert [found.class_names[label] for label in found.labels] == stored.astype(str).tolist()
        assert len(found.class_names) == len(set(values))

    def test_folders_called_none(self, truth: np.ndarray, tmp_path: Path) -> None:
        files = {f"{name}/{i}.png": png(truth[i]) for i, name in enumerate(["a", "none", "null"])}
        assert load_source(lay(tmp_path, files)).class_names == ("a", "none", "null")

    def test_shards_of_numbers_and_texts(self, truth: np.ndarray, tmp_path: Path) -> None:
        for name, labels in (("0", LABELS[:6]), ("1", LABELS[6:].astype(str))):
            blobs = pa.array([png(image) for image in truth[:6]])
            table = pa.table({"image": blobs, "label": pa.array(labels.tolist())})
            pq.write_table(table, tmp_path / f"{name}.parquet")
        assert load_source(tmp_path).class_names == ("0", "1", "2", "3")

    def test_tables_that_name_files_otherwise(self, truth: np.ndarray, tmp_path: Path) -> None:
        lay(tmp_path, {f"{i:02}.png": png(truth[i]) for i in range(COUNT)})
        table = pd.DataFrame({"image_id": [f"{i:02}" for i in range(COUNT)], "label": LABELS})
        table["image_id"] = "id-" + table["image_id"]
        table.to_csv(tmp_path / "labels.csv", index=False)
        assert noted(load_source(tmp_path), "no row of labels.csv names a file that is here")
        table["image_id"] = table["image_id"].str.removeprefix("id-")
        table.to_csv(tmp_path / "labels.csv", index=False)
        assert same(load_source(tmp_path), truth, LABELS)

    def test_a_table_without_labels_leaves_the_folders(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        files = {f"{LABELS[i]}/{i:02}.png": png(truth[i]) for i in range(COUNT)}
        lay(tmp_path, files | {"metadata.csv": b"file_name,caption\n0/00.png,a box\n"})
        found = load_source(tmp_path)
        assert found.class_names == ("0", "1", "2", "3")
        assert noted(found, "caption is not a name of labels")
        (tmp_path / "metadata.csv").write_text("file_name,label,split\n0/00.png,,train\n")
        assert noted(load_source(tmp_path), "the column split is not used")


class TestBring:
    def test_pairs_junk_and_what_cannot_be_read(self, truth: np.ndarray, tmp_path: Path) -> None:
        np.save(tmp_path / "x_test.npy", truth)
        np.save(tmp_path / "y_test.npy", LABELS)
        pair = [(name, (tmp_path / name).read_bytes()) for name in ("y_test.npy", "x_test.npy")]
        [found] = read_files(pair)
        assert same(found, truth, LABELS)
        rows = "".join(f"{i:02}.png,{LABELS[i]}\n" for i in range(COUNT))
        pictures = [(f"{i:02}.png", png(truth[i])) for i in range(COUNT)]
        table = ("metadata.csv", f"file_name,label\n{rows}".encode())
        [found] = read_files([*pictures, table, (".DS_Store", b"x"), ("a.heic", b"x")])
        assert same(found, truth, LABELS)
        assert noted(found, "left out: a.heic is not a kind of file that holds images")

    def test_long_names_stay(self, truth: np.ndarray) -> None:
        name = "ISIC_0024306_downsampled_lesion_image_0001.png"
        [found] = read_files([(name, png(truth[0])), ("b.png", png(truth[1]))])
        assert name in found.files


def test_opacity_is_no_colour(npz: Read, truth: np.ndarray, tmp_path: Path) -> None:
    colours = np.stack([truth] * 3 + [np.full_like(truth, 255)], axis=-1)
    assert not noted(npz(images=colours), "transparent")
    floats = colours.astype(np.float32)
    floats[..., 3] = 1.0
    assert (npz(images=floats).images[:, 0] == truth).all()
    half = colours // 2
    half[..., 3] = 128
    whole = npz(images=half)
    assert noted(whole, "transparent pixels on")
    with pytest.raises(DataError, match="1 or 3 channels"):
        npz(images=np.stack([truth[0], truth[0]], axis=-1))


def test_a_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(DataError, match="pointer of Git LFS"):
        load_source(tmp_path / "a.npz")


def test_idx_of_other_numbers(truth: np.ndarray, tmp_path: Path) -> None:
    head = struct.pack(">HBBIII", 0, 13, 3, COUNT, 14, 14)
    path = tmp_path / "emnist-letters-test-images-idx3-ubyte"
    path.write_bytes(head + (truth / 255).astype(">f4").tobytes())
    assert same(load_source(path), truth)
    assert noted(load_source(tmp_path), "the test split, the only one here")


class TestSplitColumns:
    """A column that says of every row to which split it belongs."""

    PARTS = np.where(np.arange(COUNT) < 8, "Training", "PublicTest")

    def test_in_a_table_of_pixels(self, truth: np.ndarray, tmp_path: Path) -> None:
        frame = pd.DataFrame(truth.reshape(COUNT, -1)).add_prefix("pixel")
        frame = frame.assign(label=LABELS, Usage=self.PARTS)
        frame.to_csv(tmp_path / "a.csv", index=False)
        found = load_source(tmp_path / "a.csv")
        assert same(found, truth[8:], LABELS[8:])
        assert noted(found, "the test split (4 images), not train")
        assert same(load_source(f"{tmp_path / 'a.csv'}:train"), truth[:8], LABELS[:8])
        frame.assign(Usage=np.arange(COUNT) % 3).to_csv(tmp_path / "folds.csv", index=False)
        found = load_source(tmp_path / "folds.csv")
        assert noted(found, "the column Usage is not used") and len(found) == COUNT

    @pytest.mark.parametrize("numbers", [False, True])
    def test_in_parquet(self, numbers: bool, truth: np.ndarray, tmp_path: Path) -> None:
        images = truth.tolist() if numbers else [{"bytes": png(x), "path": "x.png"} for x in truth]
        rows = {"image": images, "label": LABELS.tolist(), "split": self.PARTS[::-1].tolist()}
        pq.write_table(pa.table(rows), tmp_path / "a.parquet")
        found = load_source(tmp_path / "a.parquet")
        assert same(found, truth[:4], LABELS[:4])
        assert noted(found, "the test split (4 images), not train")
        assert same(load_source(f"{tmp_path / 'a.parquet'}:train"), truth[4:], LABELS[4:])

    def test_in_a_table_beside_the_pictures(self, truth: np.ndarray, tmp_path: Path) -> None:
        lay(tmp_path, {f"{i:02}.png": png(truth[i]) for i in range(COUNT)})
        names = [f"{i:02}.png" for i in range(COUNT)]
        table = pd.DataFrame({"file_name": names, "label": LABELS, "split": self.PARTS})
        table[1:].to_csv(tmp_path / "metadata.csv", index=False)
        found = load_source(tmp_path)
        assert same(found, truth[8:], LABELS[8:])
        assert noted(found, "1 images of no split left out")
        assert same(load_source(f"{tmp_path}:train"), truth[1:8], LABELS[1:8])

    def test_a_table_in_the_folder_of_each_split(self, truth: np.ndarray, tmp_path: Path) -> None:
        for split, rows in (("train", range(8)), ("test", range(8, COUNT))):
            table = "file_name,label\n" + "".join(f"{i:02}.png,{LABELS[i]}\n" for i in rows)
            files = {f"{i:02}.png": png(truth[i]) for i in rows}
            lay(tmp_path / split, files | {"metadata.csv": table.encode()})
        assert same(load_source(tmp_path), truth[8:], LABELS[8:])
        assert same(load_source(f"{tmp_path}:train"), truth[:8], LABELS[:8])


def test_files_named_as_splits_in_one_folder(truth: np.ndarray, tmp_path: Path) -> None:
    names = [f"{'train' if i < 8 else 'test'}_{i:02}.png" for i in range(COUNT)]
    lay(tmp_path, dict(zip(names, map(png, truth), strict=True)))
    found = load_source(tmp_path)
    assert same(found, truth[8:])
    assert noted(found, "the test split (4 images), not train")
    lay(tmp_path, {"another.png": png(truth[0])})  # not all are: these are names like others
    assert len(load_source(tmp_path)) == COUNT + 1


@pytest.mark.parametrize("split", ["", "test/"])
def test_masks_beside_their_images_are_no_class(
    split: str, truth: np.ndarray, tmp_path: Path
) -> None:
    files = {f"images/{split}{LABELS[i]}/{i:02}.png": png(truth[i]) for i in range(COUNT)}
    masks = {f"masks/{split}{i:02}.png": png(truth[i] // 255 * 255) for i in range(COUNT)}
    stray = {"images/train/1/a.png": png(truth[0])} if split else {}
    found = load_source(lay(tmp_path, files | masks | stray))
    order = np.argsort(LABELS, kind="stable")
    assert same(found, truth[order], LABELS[order])
    assert noted(found, "12 pictures of masks left out: masks of those in images")


def test_the_one_hot_label_of_one_picture(npz: Read, truth: np.ndarray) -> None:
    for picture in (truth[0], truth[:1]):
        found = npz(image=picture, label=np.eye(10)[None, 3])
        assert same(found, truth[:1], LABELS[3:4])
        assert noted(found, "labels from the one-hot rows")
    found = npz(images=truth, labels=LABELS[None])  # one row of labels stays one
    assert same(found, truth, LABELS)
