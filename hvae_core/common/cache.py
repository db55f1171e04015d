"""The user's cache folder: arrays under content digests, written whole, pruned when it grows.

Everything slow (an evaluation, an embedding) is kept here under a digest of what went in, so a
digest that is found is the answer, and a file that is damaged or gone is only computed again. An
entry says inside whose it is, so that a good file of something else is not taken for it. Nothing
here can fail a computation: a folder that cannot be written costs a warning in the log.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from platformdirs import user_cache_path

from hvae_core.common.errors import ConfigError
from hvae_core.common.files import FRAGMENT, home_path, whole
from hvae_core.common.npz import read_npz

S = TypeVar("S")
T = TypeVar("T")
Arrays = Mapping[str, np.ndarray]

MAX_BYTES = 2 * 1024**3
_STALE_SECONDS = 3600.0
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_KEY = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"[0-9a-f]{64}\.npz")
_MARK = "__entry__"  # the array in which an entry says whose it is
_log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """The folder of cached results: ``STRATA_CACHE``, or ``strata`` in the user's caches."""
    own = os.environ.get("STRATA_CACHE")
    if own:
        return home_path(own, ConfigError).absolute()
    return user_cache_path("strata", appauthor=False)


def entry_path(kind: str, key: str) -> Path:
    """Where the arrays of one ``kind`` ("evaluations") and ``key`` (a digest) are kept."""
    if not _KIND.fullmatch(kind) or not _KEY.fullmatch(key):
        raise ValueError(f"not a cache entry: {kind!r}, {key!r}")
    return cache_dir() / kind / f"{key}.npz"


def load(kind: str, key: str) -> dict[str, np.ndarray] | None:
    """The arrays stored under ``key``, or None; a file that is damaged, or an entry
    of another kind, key or shape, is removed and counts as missing.
    """
    path = entry_path(kind, key)
    try:
        with path.open("rb") as file:
            arrays = read_npz(file)
        mark = arrays.pop(_MARK, np.zeros(0))
        whose = mark.tobytes() == _mark(kind, key, arrays).tobytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as problem:
        # zipfile and numpy have a dozen exceptions for damaged bytes; all mean: compute it again.
        _discard(path, f"it is damaged or cannot be read ({type(problem).__name__})")
        return None
    if not whose:
        if mark.size:  # of older versions there are many without one
            _discard(path, "it holds something else than its name says")
        _remove(path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of the last use, by which old files go first
    return arrays


def store(kind: str, key: str, arrays: Arrays, *, max_bytes: int = MAX_BYTES) -> bool:
    """Keep ``arrays`` under ``key`` and prune to ``max_bytes``; False if the folder refuses."""
    path = entry_path(kind, key)
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects, which are never stored")
    try:
        write_npz(path, {**arrays, _MARK: _mark(kind, key, arrays)})
    except OSError as problem:
        _warn_once(path.parent, f"a result was not kept in the cache: {problem.strerror}")
        return False
    prune(max_bytes, keep=path)
    return True


def forget(kind: str, key: str) -> None:
    """Remove what is stored under ``key``, if anything is."""
    _remove(entry_path(kind, key))


@overload
def kept(kind: str, key: str, *, unpack: Callable[[Arrays], T]) -> T | None: ...
@overload
def kept(
    kind: str,
    key: str,
    compute: Callable[[], S],
    *,
    pack: Callable[[S], Arrays],
    unpack: Callable[[Arrays], T],
) -> T: ...


def kept(
    kind: str,
    key: str,
    compute: Callable[[], S] | None = None,
    *,
    pack: Callable[[S], Arrays] | None = None,
    unpack: Callable[[Arrays], T],
) -> T | None:
    """What is stored under ``key``, else what ``compute`` gives, stored; None without ``compute``.

    Both come out of ``unpack``: packing may round, and the first reader sees what the next sees.
    """
    found = load(kind, key)
    if found is not None:
        try:
            return unpack(found)
        except Exception:  # arrays under other names, or of shapes that do not go together
            _discard(entry_path(kind, key), "what it holds does not go together")
    if compute is None or pack is None:
        return None
    arrays = pack(compute())
    store(kind, key, arrays)
    return unpack(arrays)


def peek(kind: str, key: str, unpack: Callable[[Arrays], T]) -> T | None:
    """As ``kept`` without ``compute``, remembered in memory: a page asks for it at every run.

    What is given is shared: it must not be changed.
    """
    path = entry_path(kind, key)
    try:
        written = path.stat().st_ino  # a new entry is a new file; the time tells of reading too
    except OSError:
        return None
    try:
        found: T = _remembered(kind, key, unpack, path=path, written=written)
    except LookupError:
        return None
    return found


@functools.lru_cache(maxsize=256)
def _remembered(
    kind: str, key: str, unpack: Callable[[Arrays], Any], *, path: Path, written: int
) -> Any:
    found = kept(kind, key, unpack=unpack)
    if found is None:  # not remembered: the next file may get the number of the one thrown away
        raise LookupError(key)
    return found


def _mark(kind: str, key: str, arrays: Arrays) -> np.ndarray:
    """What an entry says of itself: kind, key, and type and shape of every array."""
    table = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    text = json.dumps([kind, key, table], sort_keys=True)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def write_npz(path: Path, arrays: Arrays, *, compressed: bool = False) -> None:
    """Write an ``.npz`` that appears whole or not at all, whatever interrupts the writing."""
    save = np.savez_compressed if compressed else np.savez
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft, draft.open("wb") as file:
        save(file, allow_pickle=False, **arrays)


def prune(max_bytes: int = MAX_BYTES, *, keep: Path | None = None) -> int:
    """Remove the least recently used entries until ``max_bytes`` are left; return what is left.

    Only what ``store`` writes is counted or touched: the folder may be one that its owner keeps
    other files in.
    """
    entries: list[tuple[float, int, Path]] = []
    for path in cache_dir().glob("*/*"):
        with contextlib.suppress(OSError):  # another process may prune at the same time
            if not _KIND.fullmatch(path.parent.name) or path.parent.is_symlink():
                continue
            state = path.lstat()
            if not stat.S_ISREG(state.st_mode):
                continue
            if _ENTRY.fullmatch(path.name):
                entries.append((state.st_mtime, state.st_size, path))
            elif FRAGMENT.fullmatch(path.name) and time.time() - state.st_mtime > _STALE_SECONDS:
                _remove(path)
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= max_bytes:
            break
        if path != keep:
            _remove(path)
            total -= size
    return total


_told: set[tuple[Path, str]] = set()


def _warn_once(path: Path, text: str) -> None:
    if (path, text) not in _told:
        _told.add((path, text))
        _log.warning("%s (%s)", text, path)


def _discard(path: Path, why: str) -> None:
    """Throw an entry away; where that cannot be, it is said once and the entry is missing."""
    _warn_once(path, f"throwing a file out of the cache: {why}")
    _remove(path)
    with contextlib.suppress(OSError):
        path.rmdir()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
