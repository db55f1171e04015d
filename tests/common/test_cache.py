"""The cache: where it is, what names its files, what it does with damage and growth."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs.macos
import platformdirs.unix
import pytest

from hvae_core.common import cache, fingerprint

KEY = fingerprint.digest("a")
ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True, False])}


@dataclass(frozen=True)
class Settings:
    samples: int = 3


@dataclass(frozen=True)
class Others:
    samples: int = 3


@pytest.mark.parametrize(
    ("platform", "own", "xdg", "expected"),
    [
        ("linux", "/own", "/xdg", "/own"),
        ("linux", None, "/xdg", "/xdg/strata"),
        ("linux", None, "relative", "/home/someone/.cache/strata"),
        ("linux", None, None, "/home/someone/.cache/strata"),
        ("darwin", None, None, "/home/someone/Library/Caches/strata"),
        ("darwin", None, "/xdg", "/xdg/strata"),
        ("darwin", "~/own", None, "/home/someone/own"),
    ],
)
def test_folder(
    monkeypatch: pytest.MonkeyPatch, platform: str, own: str | None, xdg: str | None, expected: str
) -> None:
    kinds = {"linux": platformdirs.unix.Unix, "darwin": platformdirs.macos.MacOS}
    monkeypatch.setattr(platformdirs, "PlatformDirs", kinds[platform])
    monkeypatch.setenv("HOME", "/home/someone")
    for name, value in (("STRATA_CACHE", own), ("XDG_CACHE_HOME", xdg)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert cache.cache_dir() == Path(expected)


def test_digest_is_that_of_the_content() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert (
        fingerprint.digest(x)
        == fingerprint.digest(np.asfortranarray(x))
        == fingerprint.digest(x.astype(">f4"))
    )
    assert fingerprint.digest({"a": 1, "b": 2}) == fingerprint.digest({"b": 2, "a": 1})
    text = b'json:3:"a"'
    assert fingerprint.digest("a") == hashlib.sha256(text).hexdigest()


def test_digests_differ_where_the_content_does() -> None:
    x = np.zeros((2, 3), np.float32)
    parts: list[tuple[object, ...]] = [
        (x,), (x.T,), (x.reshape(6),), (x.astype(np.int32),), (x, x), (x + 1,), (np.zeros((0, 3)),),
        ("a", "b"), ("ab",), ("b", "a"), (["a", "b"],), (1,), (1.0,), (True,), ("1",), (None,), (),
        (Settings(),), (Settings(4),), (Others(),), ({"samples": 3},), (0,),
    ]  # fmt: skip
    assert len({fingerprint.digest(*part) for part in parts}) == len(parts)


@pytest.mark.parametrize("part", [float("nan"), {1, 2}, np.array(["text"]), np.array([object()])])
def test_no_digest_for_what_has_no_one_form(part: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint.digest(part)


def test_round_trip_leaves_one_file(cache_folder: Path) -> None:
    assert cache.load("things", KEY) is None
    assert cache.store("things", KEY, ARRAYS)
    back = cache.load("things", KEY)
    assert back is not None
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array)
    assert [path for path in cache_folder.rglob("*") if path.is_file()] == [
        cache.entry_path("things", KEY)
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"no archive at all",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(np.float64(5).tobytes(), np.float64(6).tobytes()),
        lambda data: b"\x93NUMPY" + data[6:],
        lambda data: b"PK\x05\x06" + bytes(10),
    ],
    ids=["empty", "text", "cut", "flipped", "npy", "short"],
)
def test_a_damaged_file_is_missing_and_removed(damage: Callable[[bytes], bytes]) -> None:
    cache.store("things", KEY, ARRAYS)
    path = cache.entry_path("things", KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load("things", KEY) is None
    assert not path.exists()


def test_a_lone_array_is_damage_too() -> None:
    path = cache.entry_path("things", KEY)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert cache.load("things", KEY) is None
    assert not path.exists()


OTHER = fingerprint.digest("b")


@pytest.mark.parametrize(
    "other",
    [
        lambda path: np.savez(path, **ARRAYS),
        lambda path: cache.entry_path("others", KEY).replace(path),
        lambda path: cache.entry_path("things", OTHER).replace(path),
        lambda path: np.savez(path, **{**np.load(path), "x": np.zeros(3)}),
        lambda path: np.savez(path, **{**np.load(path), "z": np.zeros(3)}),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["unmarked", "of another kind", "of another key", "other shape", "one over", "a folder"],
)
def test_a_good_file_of_something_else_is_thrown_away(other: Callable[[Path], object]) -> None:
    for kind, key in (("things", KEY), ("others", KEY), ("things", OTHER)):
        cache.store(kind, key, ARRAYS)
    path = cache.entry_path("things", KEY)
    other(path)
    assert cache.load("things", KEY) is None
    assert not path.exists()
    assert cache.store("things", KEY, ARRAYS) and cache.load("things", KEY) is not None


def test_an_entry_that_does_not_unpack_is_computed_again() -> None:
    cache.store("thirds", KEY, {"worth": np.zeros(1)})
    assert cache.peek("thirds", KEY, unpack) is None
    assert cache.kept("thirds", KEY, lambda: 0.5, pack=pack, unpack=unpack) == 0.5
    assert cache.peek("thirds", KEY, unpack) == 0.5


def test_a_pickle_is_neither_written_nor_read() -> None:
    objects = np.array([{}], dtype=object)
    with pytest.raises(TypeError, match="never stored"):
        cache.store("things", KEY, {"x": objects})
    path = cache.entry_path("things", KEY)
    path.parent.mkdir(parents=True)
    np.savez(path, x=objects)
    assert cache.load("things", KEY) is None
    assert not path.exists()


@pytest.mark.parametrize(("kind", "key"), [("things", "../../etc"), ("../up", KEY), ("a/b", KEY)])
def test_no_way_out_of_the_folder(kind: str, key: str) -> None:
    with pytest.raises(ValueError, match="not a cache entry"):
        cache.entry_path(kind, key)


def test_a_folder_that_cannot_be_written_costs_a_warning(
    cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache_folder.write_text("a file where the folder should be")
    assert not cache.store("things", KEY, ARRAYS)
    assert "not kept" in caplog.text
    assert cache.load("things", KEY) is None


def test_an_interrupted_writing_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store("things", KEY, ARRAYS)

    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.store("things", KEY, {"x": np.zeros(1)})
    monkeypatch.undo()
    assert not list(cache.cache_dir().rglob("*.tmp"))


def test_pruning_takes_the_least_recently_used(cache_folder: Path) -> None:
    keys = [fingerprint.digest(i) for i in range(4)]
    for age, key in enumerate(keys[:3]):
        cache.store("things", key, {"x": np.zeros(1000)})
        os.utime(cache.entry_path("things", key), (1000 + age, 1000 + age))
    size = cache.entry_path("things", keys[0]).stat().st_size
    assert cache.load("things", keys[0]) is not None  # the oldest is now the last used
    cache.store("others", keys[3], {"x": np.zeros(1000)}, max_bytes=3 * size)
    left = [cache.load("things", key) is not None for key in keys[:3]]
    assert left == [True, False, True]
    assert cache.load("others", keys[3]) is not None


def test_an_entry_larger_than_the_cap_is_still_kept_once() -> None:
    assert cache.store("things", KEY, ARRAYS, max_bytes=1)
    assert cache.load("things", KEY) is not None


def test_pruning_sweeps_up_old_fragments_only(cache_folder: Path) -> None:
    folder = cache_folder / "things"
    folder.mkdir(parents=True)
    old, new = folder / ".writing-old_frag.tmp", folder / ".writing-new_frag.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    assert cache.prune() == 0
    assert not old.exists()
    assert new.exists()


def test_pruning_leaves_whatever_it_did_not_write(cache_folder: Path, tmp_path: Path) -> None:
    cache.store("things", KEY, ARRAYS)
    folder, elsewhere = cache_folder / "things", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (cache_folder / "My results").mkdir()
    mine = [
        folder / "measurements.npz",
        folder / "notes.tmp",
        folder / ".writing-my-letters.tmp",
        folder / f"{KEY}.npz.bak",
        cache_folder / f"{KEY}.npz",
        cache_folder / "My results" / f"{KEY}.npz",
        elsewhere / f"{KEY}.npz",
    ]
    for path in mine:
        path.write_bytes(b"mine")
        os.utime(path, (1000, 1000))
    (cache_folder / "linked").symlink_to(elsewhere, target_is_directory=True)
    (folder / f"{fingerprint.digest('b')}.npz").symlink_to(mine[0])
    (folder / f"{fingerprint.digest('c')}.npz").mkdir()
    assert cache.prune(0) == 0
    assert [path for path in mine if not path.exists()] == []
    assert not cache.entry_path("things", KEY).exists()


def pack(value: float) -> dict[str, np.ndarray]:
    return {"value": np.array([value], dtype=np.float16)}


def unpack(arrays: cache.Arrays) -> float:
    return float(arrays["value"][0])


def test_kept_computes_once_and_all_read_what_was_packed() -> None:
    calls: list[int] = []

    def third() -> float:
        calls.append(1)
        return 1 / 3

    key = fingerprint.digest("third")
    assert cache.kept("thirds", key, unpack=unpack) is None
    first = cache.kept("thirds", key, third, pack=pack, unpack=unpack)
    again = cache.kept("thirds", key, third, pack=pack, unpack=unpack)
    assert first == again == cache.kept("thirds", key, unpack=unpack) == float(np.float16(1 / 3))
    assert len(calls) == 1


def test_peek_remembers_a_file_and_sees_that_it_is_gone_or_another() -> None:
    key = fingerprint.digest("peek")
    assert cache.peek("thirds", key, unpack) is None
    cache.store("thirds", key, pack(1.0))
    assert cache.peek("thirds", key, unpack) == 1.0
    older = cache.entry_path("thirds", key)
    kept = older.with_name("kept")  # its number is not given to another file
    older.rename(kept)
    assert cache.peek("thirds", key, unpack) is None
    cache.store("thirds", key, pack(2.0))
    assert cache.peek("thirds", key, unpack) == 2.0


def test_a_cache_that_refuses_costs_a_computation_each(
    cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache_folder.write_text("in the way")
    key = fingerprint.digest("refused")
    for _ in range(2):
        assert cache.kept("thirds", key, lambda: 0.5, pack=pack, unpack=unpack) == 0.5
    assert "not kept" in caplog.text
