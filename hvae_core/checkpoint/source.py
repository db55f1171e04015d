"""What a user brought, as files by name: one file and its neighbours, a folder, or a zip of one.

Nothing is unpacked on disk, no file is read before it is asked for, and none above the gate's cap.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, final

from torch import Tensor

from hvae_core.checkpoint import torch_file, torch_outline
from hvae_core.checkpoint.container import quote, strict_json
from hvae_core.checkpoint.pickled import read_pickle
from hvae_core.common.errors import CheckpointError

MAX_FILES = 2_000
MAX_PARTS = 100_000
MAX_TEXT = 16 * 1024**2  # bytes of a log or a configuration


@final
@dataclass(frozen=True)
class Source:
    """Files by name, as one project keeps a run: ``main`` is the one pointed at, "" for a folder.

    ``names`` are those of the folder's own files, "sub/name" for those in folders of a zip.
    """

    title: str
    """The name of what was brought, for people."""
    main: str
    names: tuple[str, ...]
    kind: str
    """"file", "folder" or "zip archive"."""
    _read: Callable[[str], bytes] = field(repr=False)
    _outlines: dict[str, Any] = field(default_factory=dict, repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def named(self, *endings: str) -> tuple[str, ...]:
        """Files whose name ends so, the one pointed at alone where it does; shortest name first."""
        found = [name for name in self.names if name.endswith(endings)]
        if self.main:
            found = [name for name in found if name == self.main]
        return tuple(sorted(found, key=lambda name: (len(name), name)))

    def data(self, name: str) -> bytes:
        """The bytes of a file."""
        if name not in self.names:
            raise CheckpointError(f"lacks the file {quote(name)}; bring the whole folder")
        return self._read(name)

    def json(self, name: str) -> Any:
        """A file of JSON, no key twice in it."""
        return strict_json(self._text(name), f"a file {quote(name)}")

    def json_lines(self, name: str, containing: str = "") -> list[Any]:
        """A file with one JSON value a line: of its lines those that contain a text."""
        lines = [line.strip() for line in self._text(name).splitlines()]
        kept = [line for line in lines if line and containing.encode() in line]
        return [strict_json(line, f"a line of {quote(name)}") for line in kept]

    def yaml(self, name: str) -> Any:
        """A file of YAML: plain values alone, no tags."""
        import yaml

        try:
            value = yaml.safe_load(self._text(name))
        except Exception as exc:  # the library raises its own and, nested deep, RecursionError
            raise CheckpointError(f"has a file {quote(name)} that is not valid YAML") from exc
        if not _is_small(value):
            raise CheckpointError(f"has a file {quote(name)} that repeats itself without end")
        return value

    def pickle(self, name: str) -> Any:
        """A pickle as plain data: classes as ``Named``, calls as ``Call``; nothing is run."""
        return read_pickle(self._text(name))

    def outline(self, name: str) -> Any:
        """A file of ``torch.save`` with a ``Weight`` for every tensor; nothing is loaded.

        None where the file is something else, damaged or too large: ``load`` says why.
        """
        if name not in self._outlines:
            self._outlines[name] = None
            with contextlib.suppress(CheckpointError):
                data = self.data(name)
                if torch_outline.is_torch_file(data):
                    self._outlines[name] = torch_outline.outline(data)
        return self._outlines[name]

    def load(self, name: str) -> Any:
        """The contents of a file of ``torch.save``, behind the gate, on the CPU."""
        return torch_file.load(self.data(name))

    def state_dict(self, name: str) -> dict[str, Tensor]:
        """The state dict in a file of ``torch.save``."""
        return torch_file.state_dict(self.load(name), quote(name))

    def _text(self, name: str) -> bytes:
        data = self.data(name)
        if len(data) > MAX_TEXT:
            raise CheckpointError(f"has a file {quote(name)} that is too large to be read as text")
        return data


def source_of(brought: str | Path | bytes, title: str) -> Source:
    """What lies at a path, or in the bytes of one file: a zip of a folder or a file of weights."""
    if isinstance(brought, bytes):
        return _of_bytes(brought, title)
    path = Path(brought)
    try:
        if path.is_dir():
            return Source(title, "", _files(path), "folder", lambda name: _bytes(path / name))
        torch_outline.check_size(path.stat().st_size)
        with path.open("rb") as file:
            start = file.read(512)
        if start[:2] == b"PK" and not torch_outline.is_torch_file(start):
            return _of_bytes(_bytes(path), title)
        names, folder = _files(path.parent, path.name), path.parent
        return Source(title, path.name, names, "file", lambda name: _bytes(folder / name))
    except (OSError, ValueError) as exc:
        raise CheckpointError("cannot be opened; check that the file may be read") from exc


def _files(folder: Path, *always: str) -> tuple[str, ...]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return tuple(dict.fromkeys([*always, *names[:MAX_FILES]]))


def _bytes(path: Path) -> bytes:
    torch_outline.check_size(path.stat().st_size)
    try:
        with path.open("rb") as file:
            return file.read(torch_outline.MAX_FILE + 1)
    except OSError as exc:
        raise CheckpointError("cannot be opened; check that the file may be read") from exc


def _of_bytes(data: bytes, title: str) -> Source:
    torch_outline.check_size(len(data))
    if data[:2] != b"PK" or torch_outline.is_torch_file(data):
        return Source(title, title, (title,), "file", lambda name: data)
    return _of_zip(data, title)


def _of_zip(data: bytes, title: str) -> Source:
    """A zip of a folder: files by their names below the folder that holds them all."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir() and not _litter(e.filename)]
    except Exception as exc:
        raise CheckpointError("is a damaged zip archive, make it again") from exc
    if len(entries) > MAX_FILES:
        raise CheckpointError(
            f"holds {len(entries):,} files where {MAX_FILES:,} is the most; zip the folder of one "
            "checkpoint alone"
        )
    if sum(entry.file_size for entry in entries) > torch_outline.MAX_FILE:
        raise CheckpointError(
            f"unpacks to more than {torch_outline.MAX_FILE // 1024**2:,} MB; zip the files of one "
            "checkpoint alone"
        )
    paths = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
    while len({path.parts[:1] for path in paths}) == 1 and all(len(p.parts) > 1 for p in paths):
        paths = [PurePosixPath(*path.parts[1:]) for path in paths]
    by_name = {str(path): entry for path, entry in zip(paths, entries, strict=True)}
    if len(by_name) < len(entries):
        raise CheckpointError("holds two files of one name, zip the folder again")

    def read(name: str) -> bytes:
        entry = by_name[name]
        torch_outline.check_size(entry.file_size)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(entry) as file:
                return file.read(entry.file_size + 1)
        except Exception as exc:
            raise CheckpointError(
                f"has a damaged file {quote(name)}, zip the folder again"
            ) from exc

    return Source(title, "", tuple(sorted(by_name)), "zip archive", read)


def _litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in (".DS_Store", "Thumbs.db")


def _is_small(value: Any) -> bool:
    """Whether it has no more parts than a configuration: YAML can name one part again and again."""
    waiting, seen = [value], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > MAX_PARTS:
            return False
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list | tuple | set):
            waiting += part
    return True
