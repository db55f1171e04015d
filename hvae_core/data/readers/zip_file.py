"""A zip of picture files, read in memory; nothing is ever unpacked to disk."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.data.readers import names
from hvae_core.data.readers.arrange import METADATA, Entry, arranged
from hvae_core.data.readers.encoded import Pictures
from hvae_core.data.readers.folder import Files, parts_are, unread_tables
from hvae_core.data.readers.image_file import MAX_BYTES, looks_like_picture, read_bytes
from hvae_core.data.readers.wanted import Wanted

MAX_ENTRIES = 50_000
MAX_TOTAL_BYTES = 2**30
_BROKEN = (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error,
           ValueError)  # fmt: skip


def open_zip(path: Path, wanted: Wanted) -> Pictures:
    """Return the pictures in a zip, unread: folders are splits and classes as on disk.

    Entry count, the size of each and of all are checked from the directory before reading, and
    no entry is read beyond the size it declares.
    """
    try:
        archive = zipfile.ZipFile(path)
        infos = _checked(archive, path.name)
    except _BROKEN as exc:
        raise DataError(f"{path.name} cannot be read as a zip; make the archive again.") from exc
    entries, metadata, others = [], {}, []
    for info in infos:
        name = "/".join(names.parts_of(info.filename))
        read = partial(_read, archive, info, name)
        if parts_are(name, METADATA):
            metadata[name] = read
        elif names.suffix_of(name) in names.SUFFIXES or (
            not names.suffix_of(name) and _starts_as_picture(archive, info)
        ):
            entries.append(Entry(name, read))
        else:
            others.append(name)
    if not entries:
        held = names.listed(others) if others else "nothing"
        raise DataError(
            f"{path.name} holds no {names.KINDS} image, but {held}; make a zip of images."
        )
    kept = arranged(entries, wanted, metadata)
    return Pictures(
        Files(kept.entries),
        kept.labels,
        files=tuple(entry.name for entry in kept.entries),
        notes=(*kept.notes, *names.left_out(others), *unread_tables(others, kept.labels.names)),
        spread=True,
        split=kept.split,
    )


def _checked(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    infos = [
        info for info in archive.infolist()
        if not info.filename.endswith(("/", "\\")) and names.parts_of(info.filename)
        and not names.is_junk(info.filename)
    ]  # fmt: skip
    if len(infos) > MAX_ENTRIES:
        raise DataError(
            f"{name} holds {len(infos):,} files; split it into zips of at most {MAX_ENTRIES:,}."
        )
    if sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
        raise DataError(
            f"{name} unpacks to more than {MAX_TOTAL_BYTES // 2**30} GiB; make smaller zips."
        )
    return infos


def _starts_as_picture(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(info) as file:
            return looks_like_picture(file.read(12))
    except _BROKEN:
        return True  # what is wrong is said when the picture is read


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> bytes:
    if info.file_size > MAX_BYTES:
        raise ImageFileError(f"{what} is larger than {MAX_BYTES // 2**20} MiB; shrink the image.")
    try:
        with archive.open(info) as file:
            data = file.read(MAX_BYTES + 1)
    except _BROKEN as exc:
        raise ImageFileError(
            f"{what} is damaged or locked by a password; make the zip again."
        ) from exc
    return read_bytes(data, what)
