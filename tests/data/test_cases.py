"""Inputs as other people's programs write them: read as a person sees them, or refused.

Each stands for a kind that a reader elsewhere was reported to read wrongly. The truth of all is one
small set of light drawings on black.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.data import ImageSet, load_source
from hvae_core.data.load import one_image

COUNT = 12
LABELS = np.arange(COUNT) % 4


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Twelve light boxes on black, (12, 14, 14), with every level from 0 to 255."""
    draw = np.random.default_rng(5)
    images = np.zeros((COUNT, 14, 14), np.uint8)
    for number, image in enumerate(images):
        image[2 : 5 + number % 7, 3:11] = draw.integers(60, 256, (3 + number % 7, 8))
        image[12, 0], image[13, 12] = 255, number
    return images


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., ImageSet]:
    def read(**arrays: Any) -> ImageSet:
        np.savez(tmp_path / "a.npz", **arrays)
        return load_source(tmp_path / "a.npz")

    return read


def png(image: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def lay(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def same(found: ImageSet, truth: np.ndarray, labels: np.ndarray | None = None) -> bool:
    """Whether pixels are the truth's in order, and each label's class is named by its number."""
    pixels = (found.images[:, 0] == truth).all()
    if labels is None:
        return bool(pixels)
    named = [found.class_names[label] if label >= 0 else None for label in found.labels]
    return bool(pixels) and named == [str(label) for label in labels]


def noted(found: ImageSet, words: str) -> bool:
    return any(words in note for note in found.notes)


class TestScale:
    def test_whole_numbers_0_and_1_are_black_and_white(
        self, npz: Callable[..., ImageSet], truth: np.ndarray, tmp_path: Path
    ) -> None:
        ones = truth > 99
        white = np.where(ones, 255, 0)
        for kind in (np.uint8, np.int64, np.int32, np.uint16):
            found = npz(images=ones.astype(kind))
            assert same(found, white)
            assert noted(found, "black and white")
        assert same(npz(images=ones), white)
        assert same(npz(images=ones.astype(np.float32)), white)
        for number, image in enumerate(ones):
            (tmp_path / f"{number:02}.png").write_bytes(png(image.astype(np.uint8)))
        (tmp_path / "a.npz").unlink()
        found = load_source(tmp_path)
        assert same(found, white)
        assert noted(found, "black and white")
        one = one_image((tmp_path / "03.png").read_bytes(), "a", "a")
        assert (one.images[0, 0] == white[3]).all()

    def test_files_that_are_partly_black_are_no_ones(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        # Most pictures are blank, so a sample alone would say nothing.
        for number in range(90):
            image = truth[0] if number == 61 else np.eye(14, dtype=np.uint8)
            (tmp_path / f"{number:02}.png").write_bytes(png(image))
        found = load_source(tmp_path)
        assert (found.images[61, 0] == truth[0]).all()
        assert found.images[0].max() == 1
        assert not noted(found, "black and white")

    @pytest.mark.parametrize("kind", [np.uint8, np.float64, np.uint16])
    def test_dark_images_get_a_note_and_can_be_stretched(
        self, kind: type, npz: Callable[..., ImageSet], truth: np.ndarray, tmp_path: Path
    ) -> None:
        # 0..16, divided twice by 255, 12 bits in 16.
        dark = {np.uint8: truth // 16, np.float64: truth / 255 / 255, np.uint16: truth * 16.0}
        found = npz(images=dark[kind].astype(kind))
        assert noted(found, "dark: the brightest pixel is")
        bright = load_source(tmp_path / "a.npz", prepare=("stretch",))
        assert not noted(bright, "dark")
        assert noted(bright, "contrast stretched")
        assert np.abs(bright.images[:, 0].astype(int) - truth).max() <= 16
        if kind is np.float64:
            assert same(bright, truth)  # nothing was rounded before

    def test_floats_up_to_255_and_a_little_over_1(
        self, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        assert same(npz(images=truth.astype(np.float32)), truth)
        assert same(npz(images=truth.astype(np.float32) + 0.3 * (truth < 200)), truth)
        assert same(npz(images=truth / 255 * (1 + 5e-7)), truth)
        assert same(npz(images=(truth / 255).astype(np.float16)), truth)
        assert same(npz(images=truth.astype(">f4") / 255), truth)

    def test_sixteen_bits(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        found = npz(images=truth.astype(np.uint16) * 257)
        assert same(found, truth)
        assert noted(found, "16 bits")

    def test_negative_and_other_ranges_are_refused_with_their_range(
        self, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        with pytest.raises(DataError, match=r"values from -1 to 1; .*\(x \+ 1\) / 2"):
            npz(images=truth / 127.5 - 1)
        with pytest.raises(DataError, match=r"from -128 to 127; .* x \+ 128"):
            npz(images=(truth.astype(int) - 128).astype(np.int8))
        with pytest.raises(DataError, match="values from"):
            npz(images=(truth - truth.mean()) / truth.std())
        with pytest.raises(DataError, match="finite"):
            npz(images=np.where(truth > 250, np.inf, truth / 255))
        with pytest.raises(DataError, match="from 0 to 3"):
            npz(images=truth / 85)


class TestAxes:
    def test_matlab_order(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        for labels in ({}, {"labels": LABELS}):
            found = npz(images=truth.transpose(1, 2, 0), **labels)
            assert same(found, truth)
            assert noted(found, "MATLAB")
        colour = np.stack([truth] * 3, axis=-1)
        assert same(npz(X=colour.transpose(1, 2, 3, 0), y=LABELS[:, None]), truth, LABELS)

    def test_flat_rows(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        found = npz(images=truth.reshape(COUNT, -1), labels=LABELS)
        assert same(found, truth, LABELS)
        assert noted(found, "rows of 196 numbers")

    def test_one_picture(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        colour = np.stack([truth[3], truth[4], truth[5]], axis=-1)
        found = npz(images=colour)
        assert found.images.shape == (1, 3, 14, 14)
        assert (found.images[0].transpose(1, 2, 0) == colour).all()
        assert noted(found, "one picture")
        assert npz(images=truth[3][:, :, None]).images.shape == (1, 1, 14, 14)
        assert same(npz(images=truth[3]), truth[3:4])
        with pytest.raises(DataError, match="one colour picture or three grey ones"):
            npz(images=colour.transpose(2, 0, 1))
        assert npz(images=truth[:3], labels=LABELS[:3]).images.shape == (3, 1, 14, 14)

    def test_labels_and_sizes_agree(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        with pytest.raises(DataError, match="12, 14, 14.*but there are 5 labels"):
            npz(images=truth, labels=LABELS[:5])
        with pytest.raises(DataError, match="labels"):
            npz(images=truth, labels=np.arange(24))

    def test_transparent_arrays(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        ink = np.zeros((COUNT, 14, 14, 4), np.uint8)
        ink[..., :3], ink[..., 3] = 0, truth  # dark ink, as opaque as the truth is light
        found = npz(images=ink)
        assert (found.images[:, 0] == 255 - truth).all()
        assert noted(found, "on white")


class TestLabels:
    @pytest.mark.parametrize(
        "stored",
        [
            LABELS.astype(str),
            np.array([f"{label}".encode() for label in LABELS]),
            np.eye(4)[LABELS],
            np.eye(4, dtype=bool)[LABELS],
            np.eye(4, dtype=np.int64)[LABELS],
            LABELS.astype(np.float32),
            LABELS[:, None],
            LABELS[None].astype(np.uint8),
        ],
    )
    @pytest.mark.parametrize("key", ["labels", "y", "label", "targets", "target", "Y"])
    def test_forms_and_names(
        self, key: str, stored: np.ndarray, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        assert same(npz(images=truth, **{key: stored}), truth, LABELS)

    def test_names_of_classes(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        words = np.array(["cat", "ant", "dog", "bee"])
        found = npz(images=truth, labels=words[LABELS])
        assert found.class_names == ("ant", "bee", "cat", "dog")
        assert [found.class_names[i] for i in found.labels] == words[LABELS].tolist()
        assert npz(images=truth, labels=LABELS == 2).class_names == ("False", "True")

    def test_missing_sparse_and_counted_from_one(
        self, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        gaps = np.where(LABELS == 3, np.nan, LABELS)
        found = npz(images=truth, labels=gaps)
        assert found.labels.tolist() == np.where(LABELS == 3, -1, LABELS).tolist()
        assert noted(found, "3 of 12 images have no label")
        found = npz(images=truth, labels=LABELS + 1)
        assert found.class_names == ("1", "2", "3", "4")
        assert same(found, truth, LABELS + 1)
        ids = np.array([70, 4_000_000, 12, 900])[LABELS]
        assert same(npz(images=truth, labels=ids), truth, ids)

    def test_what_is_no_label_is_named(
        self, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        soft = np.full((COUNT, 4), 0.25)
        found = npz(images=truth, labels=soft)
        assert set(found.labels) == {-1}
        assert noted(found, "no labels")
        assert noted(npz(images=truth, labels=LABELS + 0.5), "fractions")
        assert noted(npz(images=truth, colour=LABELS), "colour is not a name of labels")
        assert noted(npz(images=truth, labels=LABELS.astype(object)), "Python objects")

    def test_arrays_without_names(self, npz: Callable[..., ImageSet], truth: np.ndarray) -> None:
        with pytest.raises(DataError, match=r"arr_0 \(6, 14, 14\), arr_1 \(6, 14, 14\)"):
            npz(arr_0=truth[:6], arr_1=truth[6:])
        with pytest.raises(DataError, match="arr_3"):
            npz(arr_0=truth[:6], arr_1=LABELS[:6], arr_2=truth[6:], arr_3=LABELS[6:])
        assert same(npz(arr_0=truth, arr_1=LABELS), truth, LABELS)

    @pytest.mark.parametrize(
        ("column", "values"),
        [
            ("label", pa.array([str(v) for v in LABELS]).dictionary_encode()),
            ("label", pa.array(LABELS.astype(float))),
            ("targets", pa.array(LABELS)),
            ("digit", pa.array(LABELS)),
            ("label", pa.array(np.eye(4)[LABELS].tolist())),
        ],
    )
    def test_columns(
        self, column: str, values: pa.Array, truth: np.ndarray, tmp_path: Path
    ) -> None:
        images = pa.array([png(image) for image in truth])
        pq.write_table(pa.table({"image": images, column: values}), tmp_path / "a.parquet")
        assert same(load_source(tmp_path / "a.parquet"), truth, LABELS)

    def test_columns_of_pandas(self, truth: np.ndarray, tmp_path: Path) -> None:
        frame = pd.DataFrame({"image": [png(image) for image in truth]})
        frame["label"] = pd.Categorical([str(label) for label in LABELS])
        frame.to_parquet(tmp_path / "a.parquet")
        assert same(load_source(tmp_path / "a.parquet"), truth, LABELS)
        frame["label"] = [None, *LABELS[1:].tolist()]
        frame.to_parquet(tmp_path / "a.parquet")
        found = load_source(tmp_path / "a.parquet")
        assert found.labels.tolist() == [-1, *LABELS[1:].tolist()]
        assert noted(found, "1 of 12 images have no label")
        frame["shade"] = frame.pop("label")
        frame.to_parquet(tmp_path / "a.parquet")
        assert noted(load_source(tmp_path / "a.parquet"), "shade is not a name of labels")

    @pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
    def test_a_table_beside_the_pictures(
        self, kind: str, truth: np.ndarray, tmp_path: Path
    ) -> None:
        names = [f"{number:02}.png" for number in range(COUNT)]
        lay(tmp_path, dict(zip(names, map(png, truth), strict=True)))
        table = pd.DataFrame({"file_name": names[::-1], "label": LABELS[::-1]})
        path = tmp_path / f"metadata.{kind}"
        if kind == "csv":
            table.to_csv(path, index=False)
        elif kind == "jsonl":
            path.write_text("\n".join(json.dumps(row) for row in table.to_dict("records")))
        else:
            table.to_parquet(path)
        assert same(load_source(tmp_path), truth, LABELS)
        files = {p.name: p.read_bytes() for p in sorted(tmp_path.iterdir())}
        assert same(load_source(zipped(tmp_path / "b.zip", files)), truth, LABELS)

    def test_other_tables_beside_the_pictures_are_named(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        lay(tmp_path, {"a.png": png(truth[0]), "annotations.csv": b"id,what\n1,2\n"})
        assert noted(load_source(tmp_path), "annotations.csv is there")
        lay(tmp_path, {"metadata.csv": b"file_name,shade\na.png,2\n"})
        assert noted(load_source(tmp_path), "shade is not a name of labels")


class TestSplits:
    @pytest.mark.parametrize(
        ("train", "test"),
        [("train", "test"), ("training", "testing"), ("Train", "TEST"), ("trn", "tst")],
    )
    def test_folders(self, train: str, test: str, truth: np.ndarray, tmp_path: Path) -> None:
        files = {
            f"{test if number >= 8 else train}/{LABELS[number]}/{number:02}.png": png(image)
            for number, image in enumerate(truth)
        }
        root = lay(tmp_path / "set", files)
        archive = zipped(tmp_path / "a.zip", files)
        wrapped = zipped(tmp_path / "b.zip", {f"set/{name}": data for name, data in files.items()})
        for source in (root, archive, wrapped):
            found = load_source(source)
            assert same(found, truth[8:], LABELS[8:])
            assert noted(found, "the test split (4 images), not train")
            assert len(load_source(f"{source}:train")) == 8

    def test_shards_as_the_hub_has_them(self, truth: np.ndarray, tmp_path: Path) -> None:
        for name, rows in (("train", slice(0, 8)), ("test", slice(8, 12))):
            blobs = pa.array([png(image) for image in truth[rows]])
            path = tmp_path / "repo" / "data" / f"{name}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"image": blobs, "label": pa.array(LABELS[rows])}), path)
        for place in ("repo", "repo/data"):
            found = load_source(tmp_path / place)
            assert same(found, truth[8:], LABELS[8:])
            assert noted(found, "the test split")
        assert len(load_source(f"{tmp_path}/repo:train")) == 8

    @pytest.mark.parametrize("names", ["{k}_{s}", "{s}_{k}", "{k}{s}"])
    @pytest.mark.parametrize("keys", [("x", "y"), ("images", "labels"), ("X", "Y")])
    def test_keys(
        self,
        names: str,
        keys: tuple[str, str],
        npz: Callable[..., ImageSet],
        truth: np.ndarray,
    ) -> None:
        arrays = {}
        for split, rows in (("train", slice(0, 6)), ("val", slice(6, 8)), ("test", slice(8, 12))):
            arrays[names.format(k=keys[0], s=split)] = truth[rows]
            arrays[names.format(k=keys[1], s=split)] = LABELS[rows][:, None]
        found = npz(**arrays)
        assert same(found, truth[8:], LABELS[8:])
        assert noted(found, "the test split (4 images), not train and validation")

    def test_classes_called_as_splits_among_others_stay_classes(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        files = {
            f"{name}/{i}.png": png(truth[i]) for i, name in enumerate(["exam", "quiz", "test"])
        }
        assert load_source(lay(tmp_path, files)).class_names == ("exam", "quiz", "test")


class TestFiles:
    def test_any_depth_links_and_formats(self, truth: np.ndarray, tmp_path: Path) -> None:
        deep = lay(
            tmp_path / "deep",
            {f"back/Latin/c{LABELS[i]}/x/{i:02}.png": png(truth[i]) for i in range(COUNT)},
        )
        found = load_source(deep)
        assert len(found) == COUNT
        assert found.class_names == ("c0", "c1", "c2", "c3")
        linked = tmp_path / "linked"
        linked.mkdir()
        (linked / "all").symlink_to(deep, target_is_directory=True)
        (linked / "again").symlink_to(deep, target_is_directory=True)
        (linked / "nowhere.png").symlink_to(tmp_path / "gone.png")
        found = load_source(linked)
        assert len(found) == COUNT
        assert noted(found, "1 entries lead to no file (nowhere.png)")
        kinds = ["PNG", "TIFF", "BMP"]
        mixed = lay(
            tmp_path / "mixed",
            {f"{i:02}.{kinds[i % 3].lower()}": png(truth[i], kinds[i % 3]) for i in range(COUNT)},
        )
        assert same(load_source(mixed), truth)

    def test_junk_is_no_image_and_the_rest_is_counted(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        files = {f"set/{LABELS[i]}/{i:02}.png": png(truth[i]) for i in range(COUNT)}
        left = ["__MACOSX/set/0/._00.png", "set/.DS_Store", "set/0/._00.png", "set/@eaDir/0.png",
                "set/Thumbs.db", "set/0/00.txt"]  # fmt: skip
        junk = dict.fromkeys(left, b"junk")
        pixels = np.stack([truth[i] for i in np.argsort(LABELS, kind="stable")])
        for source in (
            zipped(tmp_path / "a.zip", files | junk),
            lay(tmp_path / "root", files | junk),
        ):
            found = load_source(source)
            assert sorted(found.image_digests()) == sorted(
                ImageSet("a", "a", pixels[:, None], labels=np.full(COUNT, -1)).image_digests()
            )
            assert found.class_names == ("0", "1", "2", "3")
            assert not noted(found, "could not be read")
        bad = {"set/0/bad.png": b"no picture", "set/1/movie.gif": b"GIF89a"}
        found = load_source(zipped(tmp_path / "b.zip", files | bad))
        assert noted(found, "1 of 13 images could not be read: set/0/bad.png")
        assert noted(found, "1 files of other kinds (.gif) left out")

    def test_transparency_has_one_ground_for_a_set(self, tmp_path: Path) -> None:
        for number in range(60):
            ink = np.zeros((6, 6, 2), np.uint8)
            ink[1:5, 1:5] = (255 if number == 7 else 20, 255)
            (tmp_path / f"{number:02}.png").write_bytes(png(ink))
        found = load_source(tmp_path)
        assert found.images[:, 0, 0, 0].tolist() == [255] * 60
        assert noted(found, "transparent pixels on white, for all images alike")

    def test_a_transparent_picture_that_the_sample_missed(self, tmp_path: Path) -> None:
        for number in range(120):
            (tmp_path / f"{number:03}.png").write_bytes(png(np.full((4, 4), 200, np.uint8)))
        ink = np.zeros((4, 4, 2), np.uint8)
        ink[0] = (10, 255)
        (tmp_path / "061.png").write_bytes(png(ink))
        found = load_source(tmp_path)
        assert found.images[61, 0, 3, 3] == 255
        assert noted(found, "transparent pixels on white")

    def test_pages_of_a_tiff_are_images(self, truth: np.ndarray, tmp_path: Path) -> None:
        first, *more = [Image.fromarray(image) for image in truth]
        first.save(tmp_path / "stack.tif", save_all=True, append_images=more)
        found = load_source(tmp_path / "stack.tif")
        assert same(found, truth)
        assert noted(found, "12 pages")
        Image.fromarray(truth[0].astype(np.float32) / 255).save(tmp_path / "float.tif")
        assert same(load_source(tmp_path / "float.tif"), truth[:1])

    def test_names_are_kept_for_every_image(self, truth: np.ndarray, tmp_path: Path) -> None:
        files = {f"犬/{i}.png": png(truth[i]) for i in range(3)} | {"b.png": b"broken"}
        found = load_source(lay(tmp_path, files))
        assert found.files == ("犬/0.png", "犬/1.png", "犬/2.png")
        assert found.take([2, 0]).files == ("犬/2.png", "犬/0.png")
        blobs = [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(truth)]
        pq.write_table(pa.table({"image": pa.array(blobs)}), tmp_path / "a.parquet")
        assert load_source(tmp_path / "a.parquet").files[3] == "3.png"


class TestContainers:
    def test_idx(self, truth: np.ndarray, tmp_path: Path) -> None:
        head = struct.pack(">HBBIII", 0, 8, 3, COUNT, 14, 14)
        tail = struct.pack(">HBBI", 0, 8, 1, COUNT) + LABELS.astype(np.uint8).tobytes()
        lay(tmp_path, {
            "t10k-images-idx3-ubyte.gz": gzip.compress(head + truth.tobytes()),
            "t10k-labels-idx1-ubyte.gz": gzip.compress(tail),
            "train-images.idx3-ubyte": head + truth[::-1].tobytes(),
            "train-labels.idx1-ubyte": tail,
        })  # fmt: skip
        assert same(load_source(tmp_path / "t10k-images-idx3-ubyte.gz"), truth, LABELS)
        found = load_source(tmp_path)
        assert same(found, truth, LABELS)
        assert noted(found, "the test split (12 images), not train")
        assert same(load_source(f"{tmp_path}:train"), truth[::-1], LABELS)
        with pytest.raises(DataError, match="holds labels, no images"):
            load_source(tmp_path / "t10k-labels-idx1-ubyte.gz")
        (tmp_path / "x-images-idx3-ubyte").write_bytes(head + truth.tobytes()[:-9])
        with pytest.raises(DataError, match="cut short"):
            load_source(tmp_path / "x-images-idx3-ubyte")

    def test_npy(self, truth: np.ndarray, tmp_path: Path) -> None:
        np.save(tmp_path / "x_test.npy", truth)
        assert same(load_source(tmp_path / "x_test.npy"), truth)
        np.save(tmp_path / "y_test.npy", LABELS)
        found = load_source(tmp_path / "x_test.npy")
        assert same(found, truth, LABELS)
        assert noted(found, "labels from y_test.npy")

    def test_tables_of_pixels(self, truth: np.ndarray, tmp_path: Path) -> None:
        frame = pd.DataFrame(truth.reshape(COUNT, -1))
        frame.columns = [f"pixel{i}" for i in range(196)]
        frame.insert(0, "label", LABELS)
        frame.to_csv(tmp_path / "train.csv", index=False)
        assert same(load_source(tmp_path / "train.csv"), truth, LABELS)
        frame.to_csv(tmp_path / "bare.csv", index=False, header=False)
        found = load_source(tmp_path / "bare.csv")
        assert same(found, truth, LABELS)
        assert noted(found, "the first column taken as labels")
        spaced = pd.DataFrame({"emotion": LABELS, "pixels": [" ".join(map(str, image.reshape(-1)))
                                                             for image in truth]})  # fmt: skip
        spaced.to_csv(tmp_path / "faces.csv", index=False)
        found = load_source(tmp_path / "faces.csv")
        assert same(found, truth)
        assert noted(found, "emotion is not a name of labels")
        (tmp_path / "odd.csv").write_text("label,a,b\n1,2,3\n")
        with pytest.raises(DataError, match="no square picture"):
            load_source(tmp_path / "odd.csv")

    def test_lists_of_pixels_in_parquet(self, truth: np.ndarray, tmp_path: Path) -> None:
        for stored in (truth.reshape(COUNT, -1).tolist(), truth.tolist()):
            table = pa.table({"pixels": pa.array(stored), "label": pa.array(LABELS)})
            pq.write_table(table, tmp_path / "a.parquet")
            assert same(load_source(tmp_path / "a.parquet"), truth, LABELS)

    def test_the_same_pictures_in_a_set_are_counted(
        self, npz: Callable[..., ImageSet], truth: np.ndarray
    ) -> None:
        assert npz(images=truth).notes == ()
        again = npz(images=np.stack([truth[0]] * 5))
        assert noted(again, "4 of 5 images are the same as an earlier one")
        assert noted(npz(images=np.zeros((4, 8, 8), np.uint8)), "4 of 4 images are of one level")

    def test_a_file_without_a_picture_is_refused_by_its_own_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"<html>not found</html>")
        with pytest.raises(ImageFileError, match="^a.png is not a PNG"):
            load_source(tmp_path / "a.png")


class TestAskedSplits:
    def test_a_split_that_is_not_there_is_never_replaced(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        files = {f"set/test/{LABELS[i]}/{i:02}.png": png(truth[i]) for i in range(COUNT)}
        root = lay(tmp_path, files) / "set"
        assert noted(load_source(root), "the test split, the only one here (12 images)")
        with pytest.raises(DataError, match="no train split, but test"):
            load_source(f"{root}:train")
        with pytest.raises(DataError, match="has no splits, so no train split"):
            load_source(f"{root}/test:train")

    def test_a_data_folder_as_others_lay_it_out(self, truth: np.ndarray, tmp_path: Path) -> None:
        head = struct.pack(">HBBIII", 0, 8, 3, COUNT, 14, 14)
        for name in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"):
            data = head + truth.tobytes()
            path = tmp_path / "FashionMNIST" / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        found = load_source("fashion_mnist", data_root=tmp_path, image_shape=(1, 14, 14))
        assert sorted(found.image_digests()) == sorted(
            ImageSet("a", "a", truth[:, None], labels=np.full(COUNT, -1)).image_digests()
        )
        with pytest.raises(DataError, match="no train split"):
            load_source("fashion_mnist:train", data_root=tmp_path)

    def test_a_set_without_splits_says_that_it_stands_for_one(
        self, truth: np.ndarray, tmp_path: Path
    ) -> None:
        np.savez(tmp_path / "kmnist.npz", images=truth)
        for split in ("test", "train"):
            found = load_source(f"kmnist:{split}", data_root=tmp_path)
            assert noted(found, f"the whole of it is taken for the {split} split")
        (tmp_path / "kmnist.npz").rename(tmp_path / "test.npz")
        assert not noted(load_source(tmp_path / "test.npz"), "no splits here")
