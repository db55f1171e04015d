"""Damaged checkpoints, made of small good ones of several families."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hvae_core.common.errors import CheckpointError
from tests.fuzz import damage, places

CANARY = "STRATA_FUZZ_CANARY"
"""An environment variable that code in a file would set if it were run."""


class _Bomb:
    """An object whose unpickling runs code."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (f"import os; os.environ[{CANARY!r}] = 'ran'",)


@cache
def good() -> tuple[bytes, ...]:
    """Small good checkpoints: three families, and a classifier."""
    import torch

    from hvae_core.checkpoint import save_checkpoint
    from hvae_core.config import ModelCard, TrainConfig
    from hvae_core.models import model_from_config
    from tests.small import FAMILIES

    torch.manual_seed(0)
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for family in ("hvae", "biva", "vdvae", "dvp-vae"):
            path = Path(folder) / "tiny.safetensors"
            save_checkpoint(
                path,
                model_from_config(FAMILIES[family]),
                card=ModelCard("Tiny", preset="tiny", note="λ"),
                history={"seconds": [1.0, 2.0], "kl": [[1.0, 0.5], [2.0, 0.1]]},
                train=TrainConfig("glyphs", epochs=2),
            )
            made.append(path.read_bytes())
    return tuple(made)


@cache
def foreign() -> tuple[bytes, ...]:
    """Small good checkpoints of another project: in both containers, and as a zip of its run."""
    import torch

    from hvae_core.models import model_from_config
    from tests.small import FAMILIES

    config: Any = FAMILIES["openai-vdvae"]
    names = ("enc_blocks", "dec_blocks", "width", "zdim", "bottleneck_multiple",
             "custom_width_str", "no_bias_above", "num_mixtures", "dataset")  # fmt: skip
    log = [{"type": "hparam", "key": name, "value": getattr(config, name)} for name in names]
    torch.manual_seed(0)
    weights, made = model_from_config(config).state_dict(), []
    for zipped in (True, False):
        out = io.BytesIO()
        torch.save(weights, out, _use_new_zipfile_serialization=zipped)
        made.append(out.getvalue())
    run = io.BytesIO()
    with zipfile.ZipFile(run, "w") as archive:
        archive.writestr("run/latest-model-ema.th", made[0])
        archive.writestr("run/latest-log.jsonl", "\n".join(map(json.dumps, log)))
    return (*made, run.getvalue())


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensor bytes of a good file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: str, body: bytes) -> bytes:
    """A file of this header, whatever it says."""
    text = header.encode(errors="surrogatepass")
    return len(text).to_bytes(8, "little") + text + body


def _header(draw: Random, data: bytes) -> bytes:
    header, body = split(data)
    return join(damage.text_of(draw, header), body)


def _length(draw: Random, data: bytes) -> bytes:
    length = draw.choice(
        (0, 1, 2**24, 2**24 + 1, 2**40, 2**63, 2**64 - 1, len(data), len(data) - 8)
    )
    return length.to_bytes(8, "little") + data[8:]


def _entry(draw: Random, data: bytes) -> bytes:
    header, body = split(data)
    name = draw.choice([key for key in sorted(header) if key != "__metadata__"])
    entry = header[name]
    match draw.randrange(5):
        case 0:
            entry["shape"] = draw.choice(
                ([2**40], [2**20, 2**20], [-1], [0], [1] * 200, [1.5], "8")
            )
        case 1:
            entry["dtype"] = draw.choice(("F64", "I64", "BOOL", "F8_E4M3", "", "f32", 7, None))
        case 2:
            entry["data_offsets"] = draw.choice(([0, 2**50], [4, 0], [-4, 0], [0], [0, 1, 2], None))
        case 3:
            header[draw.choice(("module." + name, "", "x" * 70_000, "a\nb"))] = header.pop(name)
        case _:
            header[name] = damage.mutated(draw, entry)
    return join(json.dumps(header), body)


def _twice(draw: Random, data: bytes) -> bytes:
    header, body = split(data)
    key = draw.choice(sorted(header))
    text = json.dumps(header)
    return join(f"{text[:-1]}, {json.dumps(key)}: {json.dumps(header[key])}}}", body)


def _many(draw: Random, data: bytes) -> bytes:
    header, body = split(data)
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header |= {f"t{index}": empty for index in range(draw.choice((1, 4096, 5_000)))}
    return join(json.dumps(header), body)


def _values(draw: Random, data: bytes) -> bytes:
    start = 8 + int.from_bytes(data[:8], "little")
    out = bytearray(data)
    worth = draw.choice(
        (b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\xff\xff", b"\xff\xff\x7f\x7f")
    )
    for _ in range(draw.choice((1, 5, 400))):
        place = start + 4 * draw.randrange((len(data) - start) // 4)
        out[place : place + 4] = worth
    return bytes(out)


def _metadata(draw: Random, data: bytes) -> bytes:
    header, body = split(data)
    words = header["__metadata__"]
    name = draw.choice(sorted(words))
    match draw.randrange(6):
        case 0:
            words[draw.choice(("extra", "", "x" * 300))] = "1"
        case 1:
            words[name] = draw.choice(damage.ODD)
        case 2:
            del words[name]
        case 3:
            words[name] = "[" * draw.choice((60_000, 9_000_000))
        case _:
            value = words[name] if name == "format" else json.loads(words[name])
            words[name] = damage.text_of(draw, value)
    return join(json.dumps(header), body)


def _pickle(draw: Random, data: bytes) -> bytes:
    protocol = draw.randrange(6)
    state = {"state_dict": {"encoder.weight": _Bomb()}, "epoch": 3}
    body = pickle.dumps(draw.choice((_Bomb(), state)), protocol=protocol)
    if draw.random() < 0.5:
        return body
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(draw.choice(("archive/data.pkl", "data.pkl", "x/y/data.pkl")), body)
        archive.writestr("archive/version", "3\n")
    made = out.getvalue()
    return draw.choice(damage.ANY)(draw, made) if draw.random() < 0.5 else made


def _foreign(draw: Random, data: bytes) -> bytes:
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    return draw.choice(
        (b"", b"\0", b"{}", lfs, b"<!DOCTYPE html><html>Not found</html>", b"PK\x03\x04", b"PK\x05\x06" + bytes(18),
         b"\x1f\x8b\x08\x00", b"\x89PNG\r\n", b"\x93NUMPY\x01\x00", b"GGUF", b"\x89HDF\r\n", bytes(4096),
         b"\xff" * 4096, draw.randbytes(3000), "ｗｏｒｄｓ".encode(), b"{" * 5000,
         join('{"__metadata__":{"format":"pt"},"encoder.conv.weight":{"dtype":"F32","shape":[1],'
              '"data_offsets":[0,4]}}', bytes(4)))
    )  # fmt: skip


def _torch(draw: Random, data: bytes) -> bytes:
    return draw.choice(damage.ANY)(draw, draw.choice(foreign()))


CHANGES: tuple[damage.Change, ...] = (
    *damage.ANY, _header, _header, _length, _entry, _entry, _twice, _many, _values, _metadata,
    _metadata, _metadata, _pickle, _pickle, _foreign, _torch,
    _torch,
)  # fmt: skip


def ready() -> None:
    """Make once what the cases are made of."""
    good()
    foreign()


def make(draw: Random, folder: Path) -> Path | str:
    """One damaged checkpoint in a folder: mostly a file, now and then a path that is none."""
    if draw.random() < 0.06:
        return places.odd(draw, folder, ".safetensors")
    data = draw.choice(CHANGES)(draw, draw.choice(good()))
    path = folder / "fuzzed.safetensors"
    path.write_bytes(data)
    return path


def attempt(source: Path | str) -> str:
    """Open it every way that the program does; "read" where the gate passes it."""
    import hvae_core as hv
    from hvae_core.checkpoint.library import add_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.scores.classifier.file import load_classifier

    path = checkpoint_path(str(source))
    try:
        load_classifier(path)
    except CheckpointError as error:
        places.check_sentence(error)
    if path.is_file():
        add_checkpoint(path.read_bytes(), path.name, path.parent / "own")
    else:
        hv.load_checkpoint(str(source))
    return "read"
