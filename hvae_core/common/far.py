"""Folders near and far: a path of this machine, or a URL as s3://bucket/run, by one set of calls.

``fsspec`` speaks to the stores. A file that is written appears whole or not at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hvae_core.common.errors import DataError
from hvae_core.common.files import FRAGMENT, home_path, why_not
from hvae_core.common.plain import plain
from hvae_core.common.progress import Cancelled


def is_far(text: str) -> bool:
    """Whether a text is a URL, as s3://bucket/run, and no path of this machine."""
    return "://" in text


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder by its filesystem (of ``fsspec``) and its root there; names within have slashes."""

    given: str
    fs: Any
    root: str

    @classmethod
    def of(cls, text: str) -> Folder:
        """The folder that someone wrote. Raises ``DataError`` where no such store is known."""
        from fsspec.core import url_to_fs

        text = str(text).strip()
        if not text:
            raise DataError("No folder is named; give a path, or a URL as s3://bucket/run.")
        where = text if is_far(text) else str(home_path(text).absolute())
        with told(text):
            fs, root = url_to_fs(where)
        return cls(text, fs, root.rstrip("/"))

    def path(self, name: str = "") -> str:
        """Where a file of the folder lies in its filesystem."""
        return f"{self.root}/{name}" if name else self.root

    def names(self, below: str = "") -> list[str]:
        """The names of the files in a folder below, sorted; none where it is not there."""
        with told(self.given):
            # What another process wrote meanwhile is seen too.
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.path(below), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in found)
        return sorted(name for name in names if not FRAGMENT.fullmatch(name))

    def sizes(self, below: str = "") -> dict[str, int]:
        """The bytes of every file in a folder below by its name, sorted; none where it is not."""
        with told(self.given):
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.path(below), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        sizes = {str(one["name"]).rstrip("/").rpartition("/")[2]: one["size"] for one in found}
        return {name: int(sizes[name] or 0) for name in sorted(sizes)
                if not FRAGMENT.fullmatch(name)}  # fmt: skip

    def state(self, name: str) -> str:
        """What changes when a file does, "" where it is not there."""
        with told(f"{self.given}/{name}"):
            self.fs.invalidate_cache()
            try:
                return str(self.fs.ukey(self.path(name)))
            except FileNotFoundError:
                return ""

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """A file to read piece by piece; ``DataError`` where it is not there."""
        with told(f"{self.given}/{name}"):
            file = self.fs.open(self.path(name), "rb")
        with file:
            yield file

    def read(self, name: str) -> bytes | None:
        """The bytes of a file, None where it is not there."""
        with told(f"{self.given}/{name}"):
            try:
                return bytes(self.fs.cat_file(self.path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, which appears whole or not at all, and the folders above it."""
        above, _, last = self.path(name).rpartition("/")
        draft = f"{above}/.writing-{secrets.token_hex(4)}.tmp"
        with told(f"{self.given}/{name}"):
            if not is_bucket(self.fs):
                self.fs.makedirs(above, exist_ok=True)
            try:
                self.fs.pipe_file(draft, data)
                self.fs.mv(draft, f"{above}/{last}")
            except BaseException:
                if self.fs.exists(draft):
                    self.fs.rm_file(draft)
                raise


_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
             "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}  # fmt: skip
"""Stores without folders, where making one would make a bucket that somebody misspelt; and the
package of each."""


def protocols(fs: Any) -> tuple[str, ...]:
    """How the URLs of a filesystem may begin."""
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def is_bucket(fs: Any) -> bool:
    """Whether the first part of a path is a bucket, and folders are only names."""
    return any(protocol in _PACKAGES for protocol in protocols(fs))


@contextmanager
def told(what: str, *, reading: bool = False) -> Iterator[None]:
    """What a store's library raises, as one sentence: of a file that is written, or ``reading``."""
    try:
        yield
    except (DataError, Cancelled):
        raise
    except ImportError as exc:
        package = _PACKAGES.get(what.strip().partition("://")[0])
        need = f"pip install {package}" if package else plain(exc, 200).rstrip(".")
        raise DataError(f"{plain(what)} needs a package that is not here: {need}.") from exc
    except OSError as exc:
        if isinstance(exc, PermissionError) and is_far(what):
            raise DataError(
                f"{plain(what)} may not be used with these credentials; check who may use it."
            ) from exc
        if exc.errno is not None and not reading:
            raise DataError(f"{plain(what)} cannot be used: {why_not(exc)}.") from exc
        reason = _first(exc.strerror or str(exc)) or type(exc).__name__
        raise DataError(f"{plain(what)} cannot be used: {reason}; check name and rights.") from exc
    except Exception as exc:  # every store's client has errors of its own
        reason = _first(str(exc)) or type(exc).__name__
        raise DataError(
            f"{plain(what)} cannot be used: {reason}; check the name, and who may use it."
        ) from exc


def _first(text: str) -> str:
    """What a library says, without its full stop."""
    return plain(text, 200).rstrip(".")
