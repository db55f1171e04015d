"""Splits: which part of a source is its test, validation or training split, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Sized

from hvae_core.common.errors import MissingImages

SPLITS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
ORDER = ("test", "validation", "train")
"""Which split is taken where none is asked for."""
_SPLIT_OF = {name: split for split, names in SPLITS.items() for name in names}
_WITH = frozenset({"set", "images", "image", "imgs", "img", "data", "dataset", "split", "files",
                   "a", "b", "public", "private", "seg"})  # fmt: skip
"""What may stand beside the name of a split in that of its folder."""
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_MOST_ROWS = 0.9
"""Share of the rows that must name a split where any does."""
COLUMNS = ("split", "usage", "subset", "fold", "partition")
"""Columns of tables that say to which split a row belongs."""


def split_of(name: str) -> str | None:
    """The split that a folder or key of this name is, or None: test, Train Data, val2017."""
    text = name.strip()
    if text.casefold() in _SPLIT_OF:
        return _SPLIT_OF[text.casefold()]
    words = [word.casefold() for word in _TOKENS.findall(text)]
    found = [word for word in words if word in _SPLIT_OF and len(word) > 2]
    rest = [w for w in words if w not in found and w not in _WITH and not w.isdigit()]
    return _SPLIT_OF[found[0]] if len(found) == 1 and not rest else None


def split_of_shard(stem: str) -> str | None:
    """The split of a file such as ``train-00000-of-00002`` or ``mnist_test``, or None."""
    words = [word.casefold() for word in re.split(r"[-_. ]+", stem)]
    found = {_SPLIT_OF[word] for word in words if word in _SPLIT_OF and len(word) > 2}
    return found.pop() if len(found) == 1 else None


def column_of(columns: Iterable[str]) -> str | None:
    """The column that says to which split a row belongs, by its name; None without one."""
    return next((column for column in columns if column.casefold() in COLUMNS), None)


def not_split(column: str | None) -> tuple[str, ...]:
    """A note on a column that says splits, where all rows are read together."""
    return () if column is None else (f"all rows together: the column {column} is not used",)


def of_rows(values: Sequence[object]) -> list[str | None] | None:
    """The split that each row's text names, None for a row without one.

    None for all where a text names no split, as the numbers of folds, or few rows have any.
    """
    texts = ["" if value is None or value != value else str(value).strip() for value in values]
    found = [split_of(text) if text else None for text in texts]
    unknown = any(text and split is None for text, split in zip(texts, found, strict=True))
    named = sum(split is not None for split in found)
    return None if unknown or named < _MOST_ROWS * len(texts) or not named else found


def cut(
    found: Sequence[str | None], wanted: str | None, title: str
) -> tuple[list[int], str, tuple[str, ...]]:
    """Which rows are of the split that is taken, which split that is, and notes."""
    groups: dict[str, list[int]] = {}
    for number, split in enumerate(found):
        if split is not None:
            groups.setdefault(split, []).append(number)
    taken, note = choose(wanted, groups, title)
    without = sum(split is None for split in found)
    lost = (f"{without:,} images of no split left out",) if without else ()
    return groups[taken], taken, (note, *lost)


def split_asked(text: str) -> tuple[str, str] | None:
    """The path and the split of PATH:SPLIT, or None where no split is named."""
    path, _, name = text.rpartition(":")
    split = split_of(name)
    return (path, split) if path and split else None


def choose(
    wanted: str | None, there: Mapping[str, Sized], title: str, *, counted: bool = True
) -> tuple[str, str]:
    """Which of the splits at hand is taken, and the note that says so.

    Without a wish that is the test split, where there is one. Raises ``MissingImages`` where the
    wanted split is absent: another one in its place could be what something was fitted on.
    """
    split = None if wanted is None else split_of(wanted) or wanted
    if split is not None and split not in there:
        raise MissingImages(
            f"{title} has no {split} split, but {' and '.join(sorted(there))}; name one of these."
        )
    taken = split or next(name for name in ORDER if name in there)
    others = [name for name in there if name != taken]
    count = f" ({len(there[taken]):,} images)" if counted else ""
    if not others:
        return taken, f"the {taken} split, the only one here{count}"
    return taken, f"the {taken} split{count}, not {' and '.join(sorted(others))}"
