"""Names in folders and archives: which are junk that systems leave, which are of pictures."""

from __future__ import annotations

from pathlib import PurePosixPath

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff"})
KINDS = "PNG, JPEG, BMP, WebP or TIFF"
_OTHER_PICTURES = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".svg", ".psd", ".jp2", ".ppm", ".pgm", ".pbm", ".ico",
     ".dcm", ".raw", ".cr2", ".nef", ".dng", ".jxl", ".exr", ".tga", ".pcx"}
)  # fmt: skip
_TEXTS = frozenset(
    {".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".html", ".htm", ".yaml", ".yml",
     ".toml", ".log", ".pdf", ".py", ".ipynb", ".url", ".ini", ".sh", ".rst", ".lnk"}
)  # fmt: skip
_JUNK = frozenset(
    {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "#recycle", "lost+found",
     "system volume information", "ehthumbs.db"}
)  # fmt: skip


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file of a name in an archive, of either kind of slash."""
    return tuple(p for p in name.replace("\\", "/").split("/") if p not in ("", ".", ".."))


def is_junk(name: str) -> bool:
    """Return whether a system left this file or folder, and no person put it there."""
    return any(part.startswith(".") or part.casefold() in _JUNK for part in parts_of(name))


def suffix_of(name: str) -> str:
    """The ending of a name in small letters, with its dot."""
    return PurePosixPath(parts_of(name)[-1]).suffix.casefold() if parts_of(name) else ""


def left_out(names: list[str]) -> tuple[str, ...]:
    """Notes on files that may be pictures and are not read: of other kinds, or of none."""
    others = [name for name in names if suffix_of(name) not in _TEXTS | _OTHER_PICTURES]
    notes = other_pictures(names)
    if others:
        notes += (f"{len(others):,} files that are no pictures left out ({listed(others)})",)
    return notes


def other_pictures(names: list[str]) -> tuple[str, ...]:
    """A note on pictures of kinds that are not read."""
    others = [name for name in names if suffix_of(name) in _OTHER_PICTURES]
    if not others:
        return ()
    kinds = ", ".join(sorted({suffix_of(name) for name in others}))
    return (f"{len(others):,} files of other kinds ({kinds}) left out; save them as PNG",)


def listed(names: list[str], most: int = 3) -> str:
    """Some names in a sentence, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
