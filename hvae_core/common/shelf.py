"""What visitors bring along, kept in the cache folder: for a visitor a day, for everyone if asked.

A thing lies under its owner, its kind ("picture") and the digest of its contents, with a title and
the owner who brought it. An owner's name is random or ``EVERYONE``: it never stands in a link, a
digest does. All is bounded in number and bytes, and what was not used for longest goes first.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hvae_core.common.cache import cache_dir
from hvae_core.common.files import whole

EVERYONE = "everyone"
DAY = 86_400.0
"""Seconds for which a visitor's things are kept after the visitor was last here."""
FILES = 100
BYTES = 2**30
"""Files and bytes of one visitor at most."""
SHARED_FILES = 1_000
SHARED_BYTES = 2 * 2**30
"""Files and bytes of what is kept for everyone at most."""
ALL_BYTES = 8 * 2**30
"""Bytes of all visitors together at most."""
LINKED = 16
"""Digits of a digest that stand in a link."""

_OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND = re.compile(r"[a-z]{1,32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_START = re.compile(r"[0-9a-f]{12,64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """One thing: the digest of its contents, its title, who brought it, and its bytes."""

    digest: str
    title: str
    by: str
    data: bytes


def folder(owner: str, kind: str) -> Path:
    """Where the things of a kind lie that an owner has."""
    if not _OWNER.fullmatch(owner) or not _KIND.fullmatch(kind):
        raise ValueError(f"not a place on the shelf: {owner!r}, {kind!r}")
    return _root() / owner / kind


def keep(owner: str, kind: str, thing: Kept) -> bool:
    """Keep a thing, and prune; False where the folder refuses, which costs a line in the log."""
    if not _DIGEST.fullmatch(thing.digest):
        raise ValueError(f"not a digest: {thing.digest!r}")
    path = folder(owner, kind) / thing.digest
    head = json.dumps({"title": thing.title[:300], "by": thing.by}).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as draft:
            draft.write_bytes(head + b"\n" + thing.data)
    except OSError as problem:
        _log.warning("not kept for links: %s", problem)
        return False
    seen(owner)
    prune(spare=path)
    return True


def find(owners: Sequence[str], kind: str, start: str) -> Kept | None:
    """The thing whose digest begins so, of the first owner that has it; None where none has."""
    if not _START.fullmatch(start):
        return None
    for owner in owners:
        for path in sorted(folder(owner, kind).glob(f"{start}*")):
            try:
                head, _, data = path.read_bytes().partition(b"\n")
                words = json.loads(head)
                thing = Kept(path.name, str(words["title"]), str(words["by"]), data)
                os.utime(path)  # the time of the last use
            except (OSError, ValueError, KeyError, TypeError):
                continue
            return thing
    return None


def drop(owner: str, kind: str, digest: str) -> None:
    """Let go of a thing; nothing happens where it is not there."""
    if _DIGEST.fullmatch(digest):
        _remove(folder(owner, kind) / digest)


def seen(owner: str) -> None:
    """Note that a visitor is here: what the visitor has is kept for a day from now."""
    place = _root() / owner
    with contextlib.suppress(OSError):
        if time.time() - place.stat().st_mtime > DAY:
            _clear(place, _files(place))
        else:
            os.utime(place)


def prune(*, spare: Path | None = None) -> None:
    """Remove what is past its day or beyond the bounds, the longest unused first; not ``spare``."""
    now, rest = time.time(), []
    for place in sorted(_root().glob("*")):
        files = _files(place)
        if place.name == EVERYONE:
            _bound(files, SHARED_BYTES, SHARED_FILES, spare=spare)
            continue
        with contextlib.suppress(OSError):
            if now - place.stat().st_mtime > DAY:
                _clear(place, files)
                continue
        rest += _bound(files, BYTES, FILES, spare=spare)
    _bound(sorted(rest), ALL_BYTES, len(rest), spare=spare)


_File = tuple[float, int, Path]


def _root() -> Path:
    return cache_dir() / "visitors"


def _files(place: Path) -> list[_File]:
    """Time of the last use, bytes and path of each file of an owner, the longest unused first."""
    found = []
    for path in place.glob("*/*"):
        with contextlib.suppress(OSError):  # another process may prune at the same time
            state = path.lstat()
            found.append((state.st_mtime, state.st_size, path))
    return sorted(found)


def _bound(files: list[_File], most_bytes: int, most: int, *, spare: Path | None) -> list[_File]:
    """Remove from the front until the rest is within the bounds; return the rest."""
    left, size = list(files), sum(size for _, size, _ in files)
    for file in files:
        if size <= most_bytes and len(left) <= most:
            break
        if file[2] != spare:
            _remove(file[2])
            left.remove(file)
            size -= file[1]
    return left


def _clear(place: Path, files: list[_File]) -> None:
    for _, _, path in files:
        _remove(path)
    for empty in (*place.glob("*"), place):
        with contextlib.suppress(OSError):
            empty.rmdir()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
