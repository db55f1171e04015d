"""Files of other programs: what is refused and why, and what is the same however it is brought."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hvae_core.checkpoint import load_checkpoint, source, torch_file, torch_outline
from hvae_core.checkpoint.convert import given_in, read_given
from hvae_core.checkpoint.pickled import Call, Named, read_pickle
from hvae_core.checkpoint.source import source_of
from hvae_core.common.errors import CheckpointError
from tests.checkpoint.foreign import saved, zipped

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(3)}


def rewritten(data: bytes, change: Callable[[str, bytes], bytes], compression: int = 0) -> bytes:
    """A torch file with its records changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: change(name, archive.read(name)) for name in archive.namelist()}
    return zipped(files, compression)


def test_what_torch_saved_comes_back() -> None:
    """Of both containers; a transposed tensor, one of two over a storage, and plain values."""
    shared = torch.arange(8.0)
    tensors = {**WEIGHTS, "t": torch.arange(6.0).view(2, 3).T, "part": shared[2:5],
               "flag": torch.tensor(True), "parameter": torch.nn.Parameter(shared)}  # fmt: skip
    held = {"epoch": 3, "size": torch.Size([1, 2]), "name": "VAE", "none": None, "state": tensors}
    for old in (False, True):
        data = saved(held, old=old)
        found, seen = torch_file.load(data), torch_outline.outline(data)
        assert (found["epoch"], found["size"], found["name"]) == (3, (1, 2), "VAE")
        assert seen["size"] == (1, 2)
        for name, tensor in tensors.items():
            assert torch.equal(found["state"][name], tensor)
            assert seen["state"][name].shape == tuple(tensor.shape)


def _claim(name: str, data: bytes) -> bytes:
    # BININT1 6, the count of the storage of a.weight, becomes BININT2 60,000
    return data.replace(b"K\x06t", b"M\x60\xeat") if name.endswith("data.pkl") else data


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "more numbers than stored": (lambda: rewritten(saved(WEIGHTS), _claim), "more numbers than"),
    "stretched": (lambda: saved({"a": torch.zeros(1).expand(9)}), "larger than its numbers"),
    "compressed": (lambda: rewritten(saved(WEIGHTS), lambda _, d: d, 8), "compressed records"),
    "sparse": (lambda: saved({"a": torch.eye(3).to_sparse()}), "only dense numbers"),
    "complex": (lambda: saved({"a": torch.zeros(2, dtype=torch.cfloat)}), "stores numbers as"),
    "cut off": (lambda: saved(WEIGHTS, old=True)[:-9], "cut off|do not fit"),
    "a class": (lambda: saved({"a": io.BytesIO(b"")}), "a pickle can run code|instruction"),
    "half a zip": (lambda: saved(WEIGHTS)[:-40], "damaged zip"),
    "deep": (lambda: saved(_deep(40)), "nested deeper"),
}


def _deep(depth: int) -> Any:
    value: Any = WEIGHTS
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(kind: str) -> None:
    make, saying = HOSTILE[kind]
    with pytest.raises(CheckpointError, match=saying) as caught:
        torch_file.load(make())
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError):
        load_checkpoint(make(), name="it.pt")


def test_every_cut_and_flip_of_a_file_is_a_sentence() -> None:
    for data in (saved(WEIGHTS), saved(WEIGHTS, old=True)):
        for at in range(0, len(data), max(1, len(data) // 60)):
            for broken in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
                with contextlib.suppress(CheckpointError):  # nothing else comes of it
                    torch_file.load(broken)


def test_a_pickle_is_read_as_data(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    found = read_pickle(pickle.dumps({"a": [1, (2.5, None)], "kind": pickle.Unpickler}, 2))
    assert found == {"a": [1, (2.5, None)], "kind": Named("pickle.Unpickler")}
    assert isinstance(read_pickle(pickle.dumps(Runs(), 2)), Call)
    assert not (tmp_path / "ran").exists()


def test_unknown_weights_are_named_with_the_two_ways_in(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(saved({"epoch": 1, "model": WEIGHTS}))
    for brought in (tmp_path, tmp_path / "model.pt", zipped({"x/model.pt": saved(WEIGHTS)})):
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(brought, name="it")
        text = str(caught.value)
        assert "9 weights in 2 tensors with the keys a.weight, a.bias" in text
        assert "docs/own-model.md" in text and "family" in text and "openai/vdvae" in text


def test_folders_and_zips_without_weights_say_what_to_bring(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"is a folder without a checkpoint.*bring .*\(openai/vdvae\)"
    ):
        load_checkpoint(tmp_path)
    own = zipped({"run/state.json": b"{}", "run/mine.safetensors": b""})
    with pytest.raises(CheckpointError, match=r"with 'mine\.safetensors' in it; bring that file"):
        load_checkpoint(own, name="it.zip")
    with pytest.raises(CheckpointError, match="is a zip archive without a checkpoint"):
        load_checkpoint(zipped({"readme.txt": b"hello"}), name="it.zip")
    with pytest.raises(CheckpointError, match="two files of one name"):
        source_of(zipped({"a/b": b"1", "a\\b": b"2"}), "it")
    many = zipped({str(i): b"" for i in range(2_001)})
    with pytest.raises(CheckpointError, match="2,001 files where 2,000 is the most"):
        source_of(many, "it")


def test_a_zip_is_its_folder(tmp_path: Path) -> None:
    files = {"run/a.json": b'{"b": 1}', "run/sub/c.txt": b"x", "__MACOSX/run/a.json": b"no"}
    found = source_of(zipped(files), "it")
    assert found.names == ("a.json", "sub/c.txt")
    assert found.json("a.json") == {"b": 1}
    with pytest.raises(CheckpointError, match="lacks the file 'd'"):
        found.data("d")
    with pytest.raises(CheckpointError, match="cannot be read"):
        source_of(zipped({"a": b"{", "b": b""}), "it").json("a")


def test_what_lies_beside_a_checkpoint_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optimiser's state above the cap is passed over, and a long list of files."""
    monkeypatch.setattr(source, "MAX_FILES", 3)
    for i in range(9):
        (tmp_path / f"{i}.txt").write_bytes(b"")
    with (tmp_path / "latest-opt.th").open("wb") as file:
        file.truncate(torch_outline.MAX_FILE + 1)
    (tmp_path / "zz.pt").write_bytes(saved(WEIGHTS))
    with pytest.raises(CheckpointError, match="9 weights in 2 tensors"):
        load_checkpoint(tmp_path / "zz.pt")
    assert source.source_of(tmp_path / "zz.pt", "it").outline("latest-opt.th") is None


def test_hyper_parameters_that_a_user_writes(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text('{"width": 3}', "utf-8")
    assert read_given(str(path)) == given_in('{"width": 3}') == {"width": 3}
    assert read_given(" cifar10 ") == given_in("cifar10") == {"set": "cifar10"}
    assert read_given("") == {}
    assert given_in(str(path)) == {"set": str(path)}  # no file is read for a visitor
    for text in ("{bad", '{"a": 1, "a": 2}'):
        with pytest.raises(CheckpointError, match="cannot be read; write JSON"):
            read_given(text)
    path.write_text("[1]", "utf-8")
    with pytest.raises(CheckpointError, match="holds no table of hyper-parameters"):
        read_given(str(path))


def test_yaml_that_repeats_itself_is_refused() -> None:
    bomb = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n"
                                     for i in range(1, 12))  # fmt: skip
    found = source_of(zipped({"r/bomb.yaml": bomb.encode(), "r/loop.yaml": b"a: &a [*a]"}), "it")
    for name in ("bomb.yaml", "loop.yaml"):
        with pytest.raises(CheckpointError, match="repeats itself without end"):
            found.yaml(name)
