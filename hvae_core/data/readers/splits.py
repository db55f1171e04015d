"""Splits: which part of a source is its test, validation or training split, by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sized

from hvae_core.common.errors import MissingImages

SPLITS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
ORDER = ("test", "validation", "train")
"""Which split is taken where none is asked for."""
_SPLIT_OF = {name: split for split, names in SPLITS.items() for name in names}
_SHARD = re.compile(r"([a-z]+?)(?:[-_.].*)?", re.IGNORECASE)


def split_of(name: str) -> str | None:
    """The split that a folder or key of this name is, or None."""
    return _SPLIT_OF.get(name.strip().casefold())


def split_of_shard(stem: str) -> str | None:
    """The split of a file such as ``train-00000-of-00002`` or ``test_1``, or None."""
    match = _SHARD.fullmatch(stem)
    return split_of(match.group(1)) if match else None


def split_asked(text: str) -> tuple[str, str] | None:
    """The path and the split of PATH:SPLIT, or None where no split is named."""
    path, _, name = text.rpartition(":")
    split = split_of(name)
    return (path, split) if path and split else None


def choose(wanted: str | None, there: Mapping[str, Sized], title: str) -> tuple[str, str]:
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
    count = f"{len(there[taken]):,} images"
    if not others:
        return taken, f"the {taken} split, the only one here ({count})"
    return taken, f"the {taken} split ({count}), not {' and '.join(sorted(others))}"
