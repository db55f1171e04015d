"""Damaged pictures, arrays, tables and archives, made of small good ones."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz import damage, places

Made = tuple[str, bytes]
"""A suffix and the bytes of a file."""


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _picture(kind: str, mode: str = "L", **how: Any) -> bytes:
    channels = len(Image.new(mode, (1, 1)).getbands())
    plain = Image.fromarray(_pixels(12, 10, 3) if channels > 1 else _pixels(12, 10))
    out = io.BytesIO()
    plain.convert(mode).save(out, kind, **how)
    return out.getvalue()


def _zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=1) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def _saved(save: Callable[..., None], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


def _parquet(table: Any, **how: Any) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, **how)
    return out.getvalue()


@cache
def good() -> tuple[Made, ...]:
    """Small good files of every kind that is read, pictures and containers in equal parts."""
    import pyarrow as pa

    png, pixels, labels = _picture("PNG"), _pixels(6, 8, 8), np.arange(6) % 3
    rows: dict[str, Any] = {"image": [{"bytes": png, "path": "a.png"}] * 6, "label": list(range(6))}
    names = {"info": {"features": {"label": {"names": list("abcdef"), "_type": "ClassLabel"}}}}
    table = pa.table(rows).replace_schema_metadata({"huggingface": json.dumps(names)})
    flat = pa.table({"image": [row.reshape(-1).tolist() for row in pixels], "label": labels})
    lines = "\n".join(
        ",".join(map(str, [y, *x.reshape(-1)])) for x, y in zip(pixels, labels, strict=True)
    )
    heads = ",".join(["label", *(f"pixel{index}" for index in range(64))])
    idx = struct.pack(">IIII", 0x803, 6, 8, 8) + pixels.tobytes()
    pictures: list[Made] = [
        *((".png", _picture("PNG", mode)) for mode in ("L", "RGB", "P", "RGBA", "LA", "1", "I;16")),
        (".jpg", _picture("JPEG", "RGB")),
        (".jpg", _picture("JPEG", "CMYK")),
        (".bmp", _picture("BMP", "RGB")),
        (".webp", _picture("WEBP", "RGBA")),
        (".tif", _picture("TIFF", "RGB", compression="tiff_lzw")),
        (".gif", _picture("GIF", "P")),
    ]
    containers: list[Made] = [
        (".npz", _saved(np.savez, images=pixels, labels=labels)),
        (".npz", _saved(np.savez_compressed, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)),
        (".npz", _saved(np.savez, pixels / 255, labels.astype("U"))),
        (".npy", _saved(np.save, pixels)),
        (".parquet", _parquet(table)),
        (".parquet", _parquet(table, compression="none", use_dictionary=False)),
        (".parquet", _parquet(flat)),
        (".zip", _zipped({f"{name}/{i}.png": png for name in "ab" for i in range(3)})),
        (".zip", _zipped({"a.png": png, "b.jpg": _picture("JPEG"), "c.txt": b"x"}, zipfile.ZIP_STORED)),
        (".csv", f"{heads}\n{lines}\n".encode()),
        ("-images-idx3-ubyte", idx),
        ("-images-idx3-ubyte.gz", gzip.compress(idx)),
    ]  # fmt: skip
    return (*pictures, *containers, *containers)


def _any(draw: Random) -> Made:
    """Damage to the bytes of a good file, now and then under the suffix of another kind."""
    suffix, data = draw.choice(good())
    for _ in range(draw.choice((1, 1, 1, 3))):
        data = draw.choice(damage.ANY)(draw, data) if len(data) > 1 else data
    if draw.random() < 0.1:
        suffix = draw.choice(good())[0]
    return suffix, data


def _npy(draw: Random) -> bytes:
    """An array whose header lies."""
    nested = draw.choice((90, 300, 3_000, 30_000))
    shape = draw.choice(
        ("(6, 8, 8)", "(6,8", f"({2**62}, 8, 8)", "(-6, 8, 8)", "(6.5, 8)", "(True, 8, 8)", "()",
         "(" * nested + ")" * nested, "(" * nested, "[" * nested, "(0, 8, 8)", "('6', 8, 8)",
         f"(6, {'9' * 6000}, 8)", "((6, 8), 8)", "'''", "(6, 8, 8)" + " " * 70_000, "{" * nested,
         "(" + "1," * 60 + ")", "-" * nested + "1", f"({2**31}, {2**31}, {2**31})")
    )  # fmt: skip
    kind = draw.choice(
        ("'|u1'", "'|u1'", "'<f8'", "'|O'", "'<U100000000'", "'V2000000000'", "'<M8[ns]'", "'<c16'",
         "[('a', '|u1')]", "'x'", "[" * nested, "None", "'|S0'", "'<f2'", "('|u1', (1000000000,))")
    )  # fmt: skip
    order = draw.choice(("False", "True", "1", "None"))
    header = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    version = draw.choice((b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\7\7"))
    length = draw.choice((len(header), len(header), len(header), 0, 2**16 - 1, 2**32 - 1))
    code, most = ("<H", 2**16 - 1) if version == b"\1\0" else ("<I", 2**32 - 1)
    body = bytes(draw.choice((0, 384, 4000)))
    return b"\x93NUMPY" + version + struct.pack(code, min(length, most)) + header + body


def _array(draw: Random) -> Made:
    data = _npy(draw)
    if draw.random() < 0.3:
        return ".npy", data
    fine = _saved(np.save, _pixels(6, 8, 8))
    names = draw.choice(
        (("images.npy", "labels.npy"), ("x_test.npy", "y_test.npy"), ("arr_0.npy", "images"))
    )
    pair = [data, fine] if draw.random() < 0.7 else [fine, data]
    return ".npz", _zipped(dict(zip(names, pair, strict=True)))


@cache
def _zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, deflated to a thousandth."""
    packer = zlib.compressobj(1)
    return b"".join([*(packer.compress(bytes(2**20)) for _ in range(megabytes)), packer.flush()])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, idat: bytes, *more: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", idat), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


@cache
def _bombs() -> tuple[Made, ...]:
    """Small files that unpack to much."""
    import pyarrow as pa

    rows = zlib.compress(bytes(9 * 8))
    large = _png(4096, 4096, _zeros(17))
    blob = _picture("PNG") + bytes(2**20)
    many = pa.DictionaryArray.from_arrays(pa.array([0] * 400), pa.array([blob]))
    nulls = pa.table(
        {"image": pa.nulls(300_000, pa.binary()), "label": pa.nulls(300_000, pa.int64())}
    )
    out = io.BytesIO()
    head = {"descr": "|u1", "fortran_order": False, "shape": (300, 1024, 1024)}
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(file, head)
        for _ in range(300):
            file.write(bytes(2**20))
    npz = out.getvalue()
    return (
        (".png", _png(30_000, 30_000, rows)),
        (".png", _png(2**31 - 1, 2**31 - 1, rows)),
        (".png", _png(0, 8, rows)),
        (".png", _png(8, 8, _zeros(64))),
        (".png", _png(8, 8, rows, (b"zTXt", b"Comment\0\0" + _zeros(64)))),
        (".png", _png(8, 8, rows, (b"iCCP", b"profile\0\0" + _zeros(64)))),
        (".png", _png(8, 8, rows, *[(b"tEXt", b"k\0v")] * 2_000)),
        (".png", large),
        (".bmp", _picture("BMP")[:18] + struct.pack("<ii", 2**30, -(2**30)) + _picture("BMP")[26:]),
        (".npz", npz),
        (".npy", gzip.compress(bytes(2**20))),
        (".zip", _zipped({"a.png": bytes(40 * 2**20), "b.png": _picture("PNG")})),
        (".zip", _zipped({f"{i}.png": large for i in range(6)})),
        (".zip", _zipped({f"{i}.png": b"" for i in range(3000)})),
        (".parquet", _parquet(pa.table({"image": many}), store_schema=False)),
        (".parquet", _parquet(nulls)),
        ("-images-idx3-ubyte.gz", gzip.compress(struct.pack(">IIII", 0x803, 300, 1024, 1024)) + npz),
        ("-images-idx3-ubyte.gz", gzip.compress(struct.pack(">IIII", 0x803, 2**31, 28, 28) + bytes(64))),
        (".csv", b"label," + b",".join(b"p%d" % i for i in range(2_500)) + b"\n" + b"0," * 2_500 + b"0\n"),
    )  # fmt: skip


def _bomb(draw: Random) -> Made:
    suffix, data = draw.choice(_bombs())
    return suffix, damage.lying(draw, data) if draw.random() < 0.3 else data


def _archive(draw: Random) -> Made:
    """A zip whose entries are odd, or whose table lies."""
    png = _picture("PNG")
    name = draw.choice(
        ("../../../tmp/out.png", "/etc/passwd.png", "n" * 5000 + ".png", "a\\b.png", "x\0.png", ".png",
         "a/" * 300 + "x.png", "con.png", "x\n.png", "\u202eexe.png", "a.png/", "__MACOSX/a.png",
         "𓀀.png", "a.zip", "a.npz", "x.PNG", "a.png ", "=1+1.png", "<b>.png")
    )  # fmt: skip
    inner = draw.choice(
        (png, b"", _zipped({"b.png": png}), _zipped({"b.zip": _zipped({"c.png": png})}), b"x" * 99)
    )
    data = bytearray(_zipped({name: inner, "b/good.png": png}, draw.choice((0, 8, 12, 14))))
    table = data.rfind(b"PK\1\2")
    match draw.randrange(9):
        case 0:  # a wrong checksum, in the file's own header and in the table
            data[14:18] = data[table + 16 : table + 20] = b"\1\2\3\4"
        case 1:  # a password
            for place in (6, table + 8):
                data[place] |= 1
        case 2:  # a method that nobody has
            data[8:10] = data[table + 10 : table + 12] = struct.pack(
                "<H", draw.choice((1, 9, 98, 99))
            )
        case 3:  # sizes
            size = struct.pack("<I", draw.choice((0, 1, 2**31, 2**32 - 1)))
            data[table + 20 + 4 * draw.randrange(2) :][:4] = size
            data[table + 24 : table + 28] = size
        case 4:  # where it begins
            data[table + 42 : table + 46] = struct.pack("<I", draw.choice((1, 2**31, 2**32 - 1)))
        case 5:  # the number of entries
            end = data.rfind(b"PK\5\6")
            data[end + 8 : end + 12] = struct.pack("<HH", *[draw.choice((0, 1, 9, 65_535))] * 2)
        case 6:
            return ".zip", bytes(data) * draw.choice((2, 3))
        case 7:
            return ".zip", damage.flipped(draw, bytes(data))
        case _:
            pass
    return draw.choice((".zip", ".zip", ".npz")), bytes(data)


def _table(draw: Random) -> Made:
    """Parquet of odd types, or whose metadata is no JSON of the kind."""
    import pyarrow as pa

    png, count = _picture("PNG"), 4
    image = draw.choice(
        ([png] * count, [None] * count, [{"bytes": png, "path": None}] * count, [{"bytes": None, "path": "/etc/passwd"}] * count,
         [{"path": "x"}] * count, ["text"] * count, [1.5] * count, [[[1] * 8] * 8] * count, [[1], [1, 2], None, []],
         [b""] * count, [{"bytes": b"x", "path": "\u202e"}] * count, [[[[]]]] * count, [{"a": {"b": 1}}] * count, [])
    )  # fmt: skip
    labels = draw.choice(
        ([0, 1, 2, 3], ["a", "b", None, "c"], [1.5, 2.5, float("nan"), 0.0], [[0, 1]] * 4, [True] * 4,
         [2**62] * 4, [-5] * 4, ["x" * 9000] * 4, [b"\xff"] * 4, [{"a": 1}] * 4, [None] * 4, ["\u202e"] * 4,
         [10**9, 0, 1, 2])
    )  # fmt: skip
    heads = draw.choice(
        (
            ("image", "label"),
            ("img", "fine_label"),
            ("image", "image_file"),
            ("x" * 5000, "y"),
            ("", ""),
        )
    )
    table = pa.table([image, labels[: len(image)]], names=list(heads))
    if draw.random() < 0.5:
        info: Any = {"info": {"features": {"label": {"names": ["a"] * 4, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata(
            {
                draw.choice(("huggingface", "pandas", "ARROW:schema")): damage.text_of(
                    draw, info
                ).encode(errors="replace")
            }
        )
    data = _parquet(table, store_schema=draw.random() < 0.5)
    return ".parquet", damage.flipped_late(draw, data) if draw.random() < 0.3 else data


def _lines(draw: Random) -> Made:
    """A table of pixels that is none."""
    cells = draw.choice(
        ("0,1,2,3", "0,-1,2,3", "0,1e400,2,3", "0,nan,2,3", "0,=1+1,2,3", '0,"1,2,3', "0;1;2;3", "0\t1\t2\t3",
         "0,1,2", "a,b,c,d", "0,1.5,2,3", "\0,1,2,3", "0," + "9" * 5000 + ",2,3", "0,256,70000,3")
    )  # fmt: skip
    head = draw.choice(
        (
            "label,pixel0,pixel1,pixel2",
            "0,1,2,3",
            "",
            "image,label,a,b",
            "a" * 12_500,
            "label,x,x,x",
        )
    )
    text = "\n".join([head, *["0,1,2,3"] * draw.randrange(3), cells])
    return ".csv", text.encode(draw.choice(("utf-8", "utf-16", "utf-8-sig")))


KINDS: tuple[Callable[[Random], Made], ...] = (
    _any, _any, _any, _any, _array, _array, _archive, _archive, _table, _table, _lines, _bomb,
)  # fmt: skip


def _folder(draw: Random, folder: Path) -> Path:
    """A folder with good and bad files under odd names, pipes and links."""
    top = folder / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "good.png").write_bytes(_picture("PNG"))
    for number in range(draw.randint(1, 5)):
        suffix, data = _any(draw)
        name = draw.choice(
            ("x", "n" * 200, "\udce9", "a\nb", "-rf", "=1+1", "＝", "<b>", "._x", " ")
        )
        (top / draw.choice(("", "a", "a/b")) / f"{name}{number}{suffix}").write_bytes(data)
    for number in range(draw.randrange(3)):
        place = top / "a" / f"odd{number}"
        place.mkdir()
        places.odd(draw, place, draw.choice((".png", ".parquet", ".jpg")))
    if draw.random() < 0.2:
        (top / "a" / "round").symlink_to(top)
    if draw.random() < 0.5:
        _labels_beside(draw, draw.choice((top, top / "a")))
    return top


def _labels_beside(draw: Random, folder: Path) -> None:
    """Tables and files of labels that lie beside pictures, damaged."""
    kind = draw.choice(("metadata.csv", "metadata.jsonl", "metadata.parquet", "labels.npy"))
    rows = [{"file_name": "good.png", "label": "a"}, {"file_name": "../../etc/passwd", "label": 1}]
    if kind == "metadata.csv":
        data = draw.choice(
            (b"file_name,label\ngood.png,1\n", b"file_name\ngood.png\n", _lines(draw)[1])
        )
    elif kind == "metadata.jsonl":
        data = "\n".join(damage.text_of(draw, row) for row in rows).encode(errors="replace")
    elif kind == "metadata.parquet":
        data = _table(draw)[1]
    else:
        data = _npy(draw)
    if data and draw.random() < 0.5:
        data = draw.choice(damage.ANY)(draw, data)
    (folder / kind).write_bytes(data)


def ready() -> None:
    """Make once what the cases are made of."""
    good()
    _bombs()


def make(draw: Random, folder: Path) -> Path | str:
    """One damaged source of images in a folder."""
    chance = draw.random()
    if chance < 0.06:
        return places.odd(
            draw, folder, draw.choice((".png", ".npz", ".zip", ".parquet", ".csv", ""))
        )
    if chance < 0.12:
        return _folder(draw, folder)
    suffix, data = draw.choice(KINDS)(draw)
    path = folder / f"fuzzed{suffix}"
    path.write_bytes(data)
    return (
        path if draw.random() < 0.95 else f"{path}:{draw.choice(('train', 'validation', 'x', ''))}"
    )


def attempt(source: Path | str) -> str:
    """Read it as commands and pages do; "read" where it gives images."""
    from hvae_core.common.errors import HVAEError
    from hvae_core.data import load_source, open_image, worlds
    from hvae_core.data.named import with_source

    path = Path(source)
    if path.suffix in (".png", ".jpg", ".bmp", ".webp", ".tif", ".gif") and "\0" not in str(path):
        try:
            if path.is_file():
                open_image(path.read_bytes(), "The picture")
        except HVAEError as error:
            places.check_sentence(error)
        except OSError:
            pass  # a name that is too long, or no text: the test's own question
    world, name = with_source(worlds()["glyphs"], str(source), "out", download=False)
    try:
        _check(world.choose(name, None, limit=3))
    except HVAEError as error:
        places.check_sentence(error)
    _check(load_source(source, image_shape=(1, 8, 8), limit=5))
    _check(load_source(source))
    return "read"


def _check(images: Any) -> None:
    """What was read can be shown: bytes, a label and a printable note for everything."""
    assert images.images.dtype == np.uint8 and images.images.ndim == 4 and len(images)
    assert len(images.labels) == len(images)
    for text in (images.title, *images.notes, *images.class_names[:100], *images.files):
        assert text.isprintable() and len(text) < 2000, (
            f"a text that cannot be shown: {text[:200]!r}"
        )
        text.encode()
