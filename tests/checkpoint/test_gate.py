"""A hostile or broken file for every step of the gate: one sentence each, none is run or built."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from hvae_core.checkpoint import container, file, gate, inspect_checkpoint, load_checkpoint
from hvae_core.common.errors import CheckpointError
from tests.checkpoint.conftest import join, split

Change = Callable[[dict[str, Any]], object]
BIAS = "to_x.bias"
GAIN = "to_x.parametrizations.weight.original0"
DIRECTION = "to_x.parametrizations.weight.original1"


@pytest.fixture(autouse=True)
def _no_file_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that passed before is known by its bytes; here each test asks the gate anew."""
    monkeypatch.setattr(file, "_PASSED", {})


def refuse(source: bytes | Path, saying: str, *, inspecting: bool = True) -> str:
    """The file is refused in one clear sentence; returns it."""
    with pytest.raises(CheckpointError, match=saying) as caught:
        load_checkpoint(source, name="it")
    sentence = str(caught.value)
    assert sentence.startswith("it ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 500
    assert sentence.isprintable()
    if inspecting:
        with pytest.raises(CheckpointError, match=saying):
            inspect_checkpoint(source, name="it")
    return sentence


# 1. Size and place


def test_a_file_above_the_cap_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(container.MAX_BYTES + 1)  # sparse: it takes no room
    refuse(path, "is 512 MB; checkpoints up to 512 MB")


def test_bytes_above_the_cap_are_refused(valid: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BYTES", len(valid) - 1)
    refuse(valid, "MB is the most|checkpoints up to")


def test_a_path_to_nothing_or_to_a_folder(tmp_path: Path) -> None:
    refuse(tmp_path / "none.safetensors", "is not there")
    refuse(tmp_path, "is a folder without a checkpoint")
    refuse(Path("a\x00b"), "is not there|cannot be opened")
    refuse(Path("/dev/zero"), "is not there")


# 2. What kind of file it is


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_malicious_pickle_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    zipped, legacy = io.BytesIO(), io.BytesIO()
    torch.save({"a": Bomb(mark)}, zipped)
    torch.save({"a": Bomb(mark)}, legacy, _use_new_zipfile_serialization=False)
    plain = [pickle.dumps(Bomb(mark), protocol) for protocol in (2, 3, 4, 5)]
    for data in (zipped.getvalue(), legacy.getvalue(), *plain):
        refuse(data, "is a PyTorch pickle file.*; a pickle can run code, so it is not opened")
    assert not mark.exists()


def test_the_weights_in_a_pickle_are_named() -> None:
    weights = {"net.0.weight": torch.zeros(2), "net.0.bias": torch.zeros(2)}
    for held in (weights, {"epoch": 3, "state_dict": weights, "optimizer_states": []}):
        for zipped in (True, False):
            file = io.BytesIO()
            torch.save(held, file, _use_new_zipfile_serialization=zipped)
            refuse(file.getvalue(), "4 weights in 2 tensors with the keys net.0.weight, net.0.bias")


def test_weights_of_another_library_are_named() -> None:
    """Whole numbers among them too, which no checkpoint of this project has."""
    file = save({"quant.weight": torch.zeros(2), "norm.num_batches": torch.ones(1).long()})
    refuse(
        file,
        "of another program, a state dict of 3 weights with the keys norm.num_batches, quant.wei",
    )
    state = save({"model.a": torch.zeros(1)}, {"model": "{}", "train": "{}", "epoch": "1"})
    refuse(state, "is the state of a training, from which it continues; the checkpoint is")


def test_a_zip_bomb_is_not_opened() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**7))
    refuse(bomb.getvalue(), "is a zip archive")


@pytest.mark.parametrize(
    ("data", "saying"),
    [
        (b"", "is empty"),
        (b"a", "text file"),
        (b"Hello, this is not a checkpoint.", "text file"),
        ("žluťoučký kůň ".encode() * 700, "text file"),
        (b'{"format": "strata-1"}', "text file"),
        (b"<html><body>404</body></html>", "text file"),
        (b"cos\nsystem\n(S'true'\ntR.", "text file"),  # a pickle of protocol 0
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS .* `git lfs pull`"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "JPEG image"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5 file"),
        (b"\x93NUMPY\x01\x00" + bytes(50), "NumPy array"),
        (zlib.compress(b"x" * 99), "not a kind of file"),
        (bytes(100), "not a kind of file"),
        (bytes(3), "not a kind of file"),
        (b"\xff" * 100, "not a kind of file"),
    ],
)
def test_other_files_are_named(data: bytes, saying: str) -> None:
    refuse(data, saying)


# 3. The header


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, container.MAX_HEADER + 1])
def test_a_header_that_claims_too_much(valid: bytes, length: int) -> None:
    refuse(length.to_bytes(8, "little") + valid[8:], "claims a header of")


def test_a_file_cut_off_anywhere(valid: bytes) -> None:
    start = 8 + int.from_bytes(valid[:8], "little")
    refuse(valid[: start - 1], "middle of its header")
    refuse(valid[:100], "middle of its header")
    refuse(valid[:-1], "is cut off: 1 bytes")
    refuse(valid[:start], "is cut off")


@pytest.mark.parametrize(
    ("header", "saying"),
    [
        ("{", "not valid JSON"),
        ("{}", "without the mark"),
        ("{]", "not valid JSON"),
        (b'{"\xff\xfe": 1}', "not valid UTF-8"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"a":' + "[" * 100_000, "nested too deep"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": 1' + "0" * 5000 + "}", "cannot be read"),
        ('{"a": 1, "a": 1}', "the key 'a' stands in it twice"),
        ('{"__metadata__": {"format": "x", "format": "strata-1"}}', "'format' stands in it twice"),
        ('{"__metadata__": 1}', "metadata that is not a table of strings"),
        ('{"__metadata__": {"format": 1}}', "metadata that is not a table of strings"),
        ('{"a": 1}', "'a' in an unknown way"),
        ('{"a": {"dtype": "F32"}}', "'a' in an unknown way"),
        ('{"\\ud800": 1}', "in an unknown way"),
        ('{"' + "a" * 10_000 + '": 1}', "in an unknown way"),
        ('{"\\u202e\\n": 1}', "in an unknown way"),
    ],
)
def test_a_broken_header(header: str | bytes, saying: str) -> None:
    refuse(join(header, b""), saying)


def test_a_tensor_twice_in_the_header(valid: bytes) -> None:
    header, body = split(valid)
    text = json.dumps(header)
    entry = f'"{BIAS}": {json.dumps(header[BIAS])}'
    assert entry in text
    refuse(join(text.replace(entry, f"{entry}, {entry}"), body), f"'{BIAS}' stands in it twice")


def test_too_many_tensors(with_header: Callable[[Change], bytes]) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    many = {f"t{i}": empty for i in range(container.MAX_TENSORS)}
    refuse(with_header(lambda header: header.update(many)), "tensors where 4,096 is the most")


@pytest.mark.parametrize(
    ("field", "value", "saying"),
    [
        ("dtype", "F64", "only F32, F16 and BF16"),
        ("dtype", "I64", "only F32, F16 and BF16"),
        ("dtype", [], "only F32, F16 and BF16"),
        ("dtype", None, "only F32, F16 and BF16"),
        ("dtype", "F16", "does not fit its bytes"),
        ("shape", [2], "does not fit its bytes"),
        ("shape", [2**62, 4], "impossible shape"),
        ("shape", [-1], "impossible shape"),
        ("shape", [True], "impossible shape"),
        ("shape", [1.0], "impossible shape"),
        ("shape", "1", "impossible shape"),
        ("shape", [1] * 9, "impossible shape"),
        ("shape", [10**8] * 8, "does not fit its bytes"),
        ("data_offsets", [-4, 0], "impossible place"),
        ("data_offsets", [0], "impossible place"),
        ("data_offsets", [0, 2**63], "impossible place"),
        ("data_offsets", [4, 0], "does not fit its bytes"),
        ("data_offsets", {}, "impossible place"),
        ("data_offsets", [0, 4], "overlaps another"),
        ("data_offsets", [10**8, 10**8 + 4], "leaves a gap"),
    ],
)
def test_an_impossible_tensor(
    with_header: Callable[[Change], bytes], field: str, value: object, saying: str
) -> None:
    def change(header: dict[str, Any]) -> None:
        header[BIAS][field] = value

    refuse(with_header(change), saying)


def test_bytes_after_the_last_tensor(valid: bytes) -> None:
    refuse(valid + b"x", "1 bytes after its last tensor")


def test_a_gap_before_the_first_tensor(valid: bytes) -> None:
    header, body = split(valid)
    for name, entry in header.items():
        if name != "__metadata__":
            entry["data_offsets"] = [end + 4 for end in entry["data_offsets"]]
    refuse(join(header, bytes(4) + body), "leaves a gap")


# 4. The metadata

Metadata = Callable[[Mapping[str, Any]], bytes]


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        (
            {"format": None},
            "of another program, a state dict of .* weights with the keys down.0.*README",
        ),
        ({"format": "pt"}, r"of another program \(marked pt\), a state dict of .* weights with"),
        ({"format": "strata-x"}, "without the mark 'strata-1'"),
        ({"format": "strata-2"}, "is marked 'strata-2', as files of a later version are"),
        ({"config": None}, "has no config"),
        ({"card": None}, "has no card"),
        ({"history": None}, "has no history"),
        ({"evil": "1"}, "carries 'evil' in its metadata"),
        ({"config": " " * 70_000}, "a config of 70,000 characters"),
        ({"card": '"' + "x" * 70_000}, "a card of 70,001 characters"),
        ({"history": " " * (2**23 + 1)}, "a history of 8,388,609 characters"),
        ({"config": ""}, "a config that cannot be read"),
        ({"config": "[" * 60_000}, "a config nested too deep"),
        ({"config": "null"}, "a config that is refused"),
        ({"config": "{}"}, "a config that is refused"),
        ({"config": "\ud800"}, "a config"),
        ({"config": '{"family": "\\ud800"}'}, "a config"),
        ({"card": '{"title": "\\ud800"}'}, "a card"),
        ({"card": '{"title": "a", "title": "b"}'}, "'title' stands in it twice"),
        ({"card": '{"title": 3}'}, "a card that is refused"),
        ({"card": '{"title": "a", "html": "<b>"}'}, "a card that is refused"),
        ({"card": '{"title": "a", "\\u202e\\n' + "x" * 999 + '": 1}'}, "a card that is refused"),
        ({"card": json.dumps({"title": "x" * 2001})}, "a text for title"),
        ({"card": json.dumps({"title": "\x1b[2J"})}, "a text for title"),
        ({"card": '{"title": "a", "seconds": 1e999}'}, "impossible number for seconds"),
        ({"card": '{"title": "a", "seconds": NaN}'}, "NaN is not a number"),
        ({"card": '{"title": "a", "epochs": -1}'}, "impossible number for epochs"),
        ({"card": '{"title": "a", "epochs": 1' + "0" * 400 + "}"}, "impossible number for epochs"),
        ({"card": '{"title": "a", "epochs": true}'}, "a card that is refused"),
        ({"train": "{}"}, "a train that is refused"),
        ({"train": '{"data": "a", "epochs": 0}'}, "a train that is refused"),
        ({"train": json.dumps({"data": "x" * 3000})}, "a text for data"),
        ({"history": "[]"}, "a history that is not a table"),
        ({"history": "NaN"}, "NaN is not a number"),
        ({"history": "["}, "a history that cannot be read"),
        ({"history": '{"a": ' + "[" * 100_000}, "a history nested too deep"),
        ({"history": '{"a": 1}'}, "'a' in its history, which is not a list"),
        ({"history": '{"a": [1e999]}'}, "something else than finite numbers"),
        ({"history": '{"a": [1' + "0" * 400 + "]}"}, "something else than finite numbers"),
        ({"history": '{"a": ["x"]}'}, "something else than finite numbers"),
        ({"history": '{"a": [true]}'}, "something else than finite numbers"),
        ({"history": '{"a": [null]}'}, "something else than finite numbers"),
        ({"history": '{"a": [[[1]]]}'}, "something else than finite numbers"),
        ({"history": '{"a": [[{}]]}'}, "something else than finite numbers"),
        ({"history": '{"": [1]}'}, "without a proper name"),
        ({"history": '{"\\n": [1]}'}, "without a proper name"),
        ({"history": '{"\\ud800": [1]}'}, "without a proper name"),
        ({"history": '{"a": [1], "a": [2]}'}, "'a' stands in it twice"),
        ({"history": json.dumps({f"s{i}": [] for i in range(65)})}, "at most 64 series"),
        ({"history": json.dumps({"a": [0] * 10_001})}, "at most 10,000 entries"),
        ({"history": json.dumps({"a": [[0] * 513]})}, "more than 512 of them"),
    ],
)
def test_broken_metadata(with_metadata: Metadata, changes: Mapping[str, Any], saying: str) -> None:
    refuse(with_metadata(changes), saying)


def config_with(valid: bytes, **changes: object) -> dict[str, str]:
    config = json.loads(split(valid)[0]["__metadata__"]["config"])
    return {"config": json.dumps(config | changes)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channels": 10**9}, "channels"),
        ({"channels": 10**30}, "channels"),
        ({"channels": 0}, "channels"),
        ({"channels": "4"}, "channels"),
        ({"blocks": 10**6}, "blocks"),
        ({"image_shape": [1, 10**6, 10**6]}, "image_shape"),
        ({"image_shape": [1, 8]}, "image_shape"),
        ({"latents": []}, "latents"),
        ({"latents": [{"dim": 1}] * 100}, "latents"),
        ({"latents": [{"dim": 10**9}] * 2}, "latents"),
        ({"stem": 3}, "stem"),
        ({"family": "os.system"}, "family"),
        ({"likelihood": "x"}, "likelihood"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_configuration_out_of_bounds_builds_nothing(
    valid: bytes,
    with_metadata: Metadata,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    field: str,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a model was built")

    data = with_metadata(config_with(valid, **changes))
    monkeypatch.setattr(gate, "network_class", never)
    assert field in refuse(data, "has a config that is refused")


def test_the_largest_allowed_configuration_takes_no_memory(
    valid: bytes, with_metadata: Metadata
) -> None:
    """466 billion weights, 1.7 TB: refused by the first shape, on a model without memory."""
    latents = [{"dim": 1, "kind": "dense", "kernel": 7}]
    latents += [{"dim": 512, "kind": "dense", "kernel": 7}] * 4
    changes = config_with(valid, image_shape=[4, 256, 256], channels=512, blocks=6, latents=latents)
    refuse(with_metadata(changes), "in the shape .* where its configuration asks for")


def test_a_model_that_cannot_be_built(valid: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("overflow")

    monkeypatch.setattr(gate, "network_class", lambda config: fail)
    refuse(valid, "asks for a model that cannot be built")


# 5. Names, shapes and values of the tensors

Weights = Callable[[Mapping[str, Any]], bytes]


def test_a_missing_tensor_is_named(with_weights: Weights) -> None:
    refuse(with_weights({BIAS: None}), f"lacks the tensor '{BIAS}'")


def test_a_tensor_too_many_is_named(with_weights: Weights) -> None:
    refuse(with_weights({"extra": torch.zeros(2)}), "holds a tensor 'extra'")


def test_a_wrong_shape_is_named(with_weights: Weights) -> None:
    saying = rf"'{GAIN}' in the shape \[2\] where its configuration asks for \[1, 1, 1, 1\]"
    refuse(with_weights({GAIN: torch.zeros(2)}), saying)


def test_a_configuration_of_another_model(valid: bytes, with_metadata: Metadata) -> None:
    refuse(with_metadata(config_with(valid, channels=5)), "in the shape")
    refuse(with_metadata(config_with(valid, skip=False)), "does not ask for")
    refuse(with_metadata(config_with(valid, blocks=2)), "lacks the tensor")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_not_finite(
    with_weights: Weights, value: float, dtype: torch.dtype
) -> None:
    data = with_weights({BIAS: torch.tensor([value], dtype=dtype)})
    refuse(data, f"NaN or infinity among the weights '{BIAS}'", inspecting=False)
    inspect_checkpoint(data)  # which does not look at the weights


@pytest.mark.parametrize(("direction", "gain"), [(0.0, 1.0), (1e-38, 3e38)])
def test_weights_that_are_not_finite_once_normalised(
    with_weights: Weights, direction: float, gain: float
) -> None:
    data = with_weights(
        {
            DIRECTION: torch.full((1, 4, 3, 3), direction),
            GAIN: torch.full((1, 1, 1, 1), gain),
        }
    )
    refuse(data, "NaN or infinity among the weights 'to_x.weight'", inspecting=False)
