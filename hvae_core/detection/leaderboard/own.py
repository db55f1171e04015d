"""Rows of the user's own: a checkpoint is evaluated once, and its scores are kept as arrays.

They lie beside the cache, in ``leaderboard/WORLD.NAME.DIGEST.npz``, where nothing prunes them.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common.cache import cache_dir, write_npz
from hvae_core.common.errors import CheckpointError, DataError, MissingImages
from hvae_core.common.npz import read_npz
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, part, silent
from hvae_core.detection.leaderboard.entries import (
    VERDICT,
    Entry,
    Joined,
    Model,
    counted_sets,
    readable,
    scored,
)
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import evaluated
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import Score

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

_SET = "set:"
_log = logging.getLogger(__name__)


def folder() -> Path:
    """Where the rows are kept."""
    return cache_dir() / "leaderboard"


def computed(
    checkpoint: Checkpoint, sets: Sets, *, progress: Progress = silent
) -> tuple[list[Entry], dict[str, str]]:
    """Evaluate a checkpoint on every set that counts: its entries, and why sets have none.

    ``sets`` are those of ``board_sets``. Raises ``DataError`` where nothing is there to compare.
    """
    # Some scores compare with held-out images, which are no row of any table.
    held_out = [spec.name for spec in sets.world.with_role("validation")]
    names = (sets.world.in_name, *held_out, *counted_sets(sets.world))
    found: dict[str, Evaluation] = {}
    missing: dict[str, str] = {}
    for done, name in enumerate(names):
        step = part(progress, done, len(names), where=f"{done + 1} of {len(names)}")
        try:
            found[name] = evaluated(checkpoint, sets, name, progress=step).evaluation
        except MissingImages as error:
            if not done:
                raise
            missing[name] = str(error)
    inside = found.pop(sets.world.in_name)
    for name in held_out:
        found.pop(name, None)
    model = Model(checkpoint, checkpoint.card.title or checkpoint.name)
    entries = scored(model, sets, inside, found) if found else []
    if not entries:
        raise DataError(
            f"None of the sets of {sets.world.title} is on this machine; name the folder that they "
            "lie in with --sets."
        )
    return entries, missing


def keep(checkpoint: Checkpoint, world: str, entries: Sequence[Entry]) -> Path:
    """Keep the entries of a checkpoint in a world; those of the same weights are replaced."""
    first = entries[0]
    names = list(dict.fromkeys(name for entry in entries for name in entry.values))
    about = {
        "world": world,
        "model": first.model,
        "title": first.title,
        "digest": first.digest,
        "levels": checkpoint.model.n_levels,
        "layers": list(checkpoint.config.latent_names),
        "scores": [entry.score.key for entry in entries],
        "alarms": [entry.alarm for entry in entries],
        "pixels": {name: first.pixels[name] for name in ("", *names)},
    }
    arrays: dict[str, np.ndarray] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "inside": np.stack([entry.inside for entry in entries]),
    }
    for name in names:
        size = next(len(entry.values[name]) for entry in entries if name in entry.values)
        absent = np.full(size, np.nan)
        arrays[_SET + name] = np.stack([entry.values.get(name, absent) for entry in entries])
    path = folder() / f"{world}.{_slug(first.model)}.{first.digest}.npz"
    try:
        remove(world, first.digest)
        write_npz(path, arrays, compressed=True)
    except OSError as error:
        raise CheckpointError(
            "The row cannot be kept; check that the cache folder may be written."
        ) from error
    return path


def own_entries(world: str) -> list[Entry]:
    """The entries that were kept of a world; a damaged file is left out, and the log says so."""
    entries: list[Entry] = []
    for path in sorted(folder().glob(f"{world}.*.npz")):
        try:
            entries += _entries(read_npz(path), world)
        except Exception as problem:  # zipfile and numpy have a dozen for damaged bytes
            _log.warning("left out of the leaderboard: %s (%s)", path.name, type(problem).__name__)
    return entries


def remove(world: str, which: str) -> int:
    """Forget a row by the name of its checkpoint or the start of its digest; how many went."""
    gone = 0
    for path in folder().glob(f"{world}.*.npz"):
        _, name, digest, _ = (*path.name.split("."), "", "")[:4]
        if which and (name == _slug(which) or (len(which) >= 8 and digest.startswith(which))):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _slug(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name)[:60]


def _entries(arrays: Mapping[str, np.ndarray], world: str) -> list[Entry]:
    """The entries of one file; anything amiss raises."""
    about: dict[str, Any] = json.loads(arrays["about"].tobytes())
    if about["world"] != world:
        raise ValueError("the row of another world")
    scores: dict[str, Score | Joined] = {VERDICT.key: VERDICT}
    scores |= {score.key: score for score in readable(int(about["levels"]), about["layers"])}
    alarms = about.get("alarms") or [None] * len(about["scores"])  # a row of before has none
    tables = {n.removeprefix(_SET): a for n, a in arrays.items() if n.startswith(_SET)}
    pixels = {str(name): str(digest) for name, digest in about["pixels"].items()}
    entries = []
    for place, key in enumerate(about["scores"]):
        if key not in scores:
            continue  # of another version of the program
        rows = {name: np.asarray(table[place], np.float64) for name, table in tables.items()}
        inside = np.asarray(arrays["inside"][place], np.float64)
        if (
            inside.ndim != 1
            or not np.isfinite(inside).all()
            or any(r.ndim != 1 for r in rows.values())
        ):
            raise ValueError("no list of numbers")
        entries.append(
            Entry(
                model=plain(about["model"]),
                title=plain(about["title"]),
                digest=plain(about["digest"]),
                score=scores[key],
                inside=inside,
                values={name: row for name, row in rows.items() if np.isfinite(row).all()},
                pixels=pixels,
                own=True,
                alarm=None if alarms[place] is None else float(alarms[place]),
            )
        )
    return entries
