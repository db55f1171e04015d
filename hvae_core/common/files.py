"""Paths that people write, and files that appear whole or not at all.

What the operating system says of a path (no such home, a name too long, a pipe that never ends, a
full disk) becomes one sentence here, so that no room has to know the dozen ways of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.plain import plain

FRAGMENT = re.compile(r"\.writing-[a-z0-9_]{8}\.tmp")
"""Names of files that are being written."""

DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS})
"""Numbers of errors that a disk is the reason of, not a network."""

_REASONS = {
    errno.ENOSPC: "the disk is full; make room or name another place",
    errno.EDQUOT: "the disk is full; make room or name another place",
    errno.EFBIG: "the file would be too large for the disk; name another place",
    errno.ENOENT: "its folder is not there; make the folder or name another place",
    errno.ENOTDIR: "a part of its path is a file, not a folder; name another place",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.EACCES: "it may not be written; change the rights or name another place",
    errno.EPERM: "it may not be written; change the rights or name another place",
    errno.EROFS: "its disk is read-only; name another place",
    errno.ENAMETOOLONG: "its name is too long; name a shorter one",
}


def home_path(text: str | Path, error: type[HVAEError] = DataError) -> Path:
    """The path that someone wrote, ``~`` being their home and ``~name`` that of another person."""
    text = str(text).strip()
    try:
        return Path(text).expanduser()
    except RuntimeError as exc:
        raise error(
            f"{plain(text)} begins with the home folder of someone who is not known on this "
            "machine; write the whole path."
        ) from exc


def named_path(text: str | Path, error: type[HVAEError] = DataError) -> Path:
    """The path that someone wrote, ``~`` being their home; after this it can be asked for.

    Raises ``error`` where this system has no such path: an unknown home, a name that is too long,
    a folder on the way that may not be entered.
    """
    path = home_path(text, error)
    try:
        path.stat()
    except ValueError as exc:  # a zero byte, or half a surrogate pair
        raise error(f"{plain(text)} cannot be a path; check the spelling.") from exc
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EBADF):
            reason = (exc.strerror or str(exc)).lower()
            raise error(f"{plain(text)} cannot be opened: {reason}; check the path.") from exc
    return path


def is_folder(text: str | Path) -> bool:
    """Whether what someone wrote is the path of a folder; False for what cannot be a path."""
    with contextlib.suppress(HVAEError, OSError):
        return named_path(text).is_dir()
    return False


def check_regular(path: Path, error: type[HVAEError] = DataError) -> None:
    """Raise ``error`` for what is there but is no file: a pipe or a device may never end."""
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise error(
                f"{plain(path.name or path)} is neither a file nor a folder but a pipe or a "
                "device; give the path of a file."
            )


def why_not(exc: OSError) -> str:
    """Why a file cannot be written and what to do, as the end of a sentence."""
    reason = (exc.strerror or type(exc).__name__).lower()
    return _REASONS.get(exc.errno or 0, f"{reason}; name another place")


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file so that it appears at ``path`` when the block ends, or not at all.

    A pipe or a device (``/dev/stdout``) is written as it is. Raises ``OSError``.
    """
    target = Path(os.path.realpath(path))  # a link stays one, and what it leads to is renewed
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        yield target
        return
    draft = target.with_name(f".writing-{secrets.token_hex(4)}.tmp")
    try:
        yield draft
        os.replace(draft, target)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def written(path: Path, error: type[HVAEError] = DataError) -> Iterator[Path]:
    """As ``whole``; what goes wrong is one sentence of class ``error``."""
    try:
        with whole(path) as draft:
            yield draft
    except OSError as exc:
        raise error(f"{plain(path)} cannot be written: {why_not(exc)}.") from exc


def make_folder(folder: Path, error: type[HVAEError] = DataError) -> None:
    """Make a folder and those above it; what goes wrong is one sentence of class ``error``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as exc:
        raise error(f"{plain(folder)} is a file, not a folder; name another place.") from exc
    except OSError as exc:
        raise error(f"The folder {plain(folder)} cannot be made: {why_not(exc)}.") from exc


def sweep(folder: Path, older: float = 0.0) -> None:
    """Remove what writers that were killed left in a folder, where it is ``older`` (seconds)."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if FRAGMENT.fullmatch(path.name):
                with contextlib.suppress(OSError):  # another process may sweep at the same time
                    state = path.lstat()
                    if stat.S_ISREG(state.st_mode) and time.time() - state.st_mtime >= older:
                        path.unlink()
