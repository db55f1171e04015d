"""How far stored results move when they are drawn anew.

    python -m tests.benchmarks.redrawn BEFORE [AFTER]

BEFORE and AFTER are folders of stored results (default: assets/results). For every checkpoint: how
many files; over all sets and k the mean change of a bound over its standard error, the largest and
the root of the mean square (about 1 where nothing but the draws changed); and the largest change of
an AUROC of -L and of LLR>1, with two standard deviations of the latter by the recorded errors.
Those know the draws of the latents alone: the grey levels of an image are drawn anew as well where
the likelihood is of black and white.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hvae_core.common.places import ASSETS
from hvae_core.detection.metrics import auroc
from hvae_core.evaluation.byte_planes import from_planes
from hvae_core.evaluation.evaluation import Evaluation, unpack

_DRAWS = 200


def stored(path: Path) -> Evaluation:
    """A stored evaluation."""
    with np.load(path, allow_pickle=False) as file:
        return unpack(from_planes(dict(file)))


def differences(before: Evaluation, after: Evaluation) -> np.ndarray:
    """(K,): the mean change of each bound over its standard error, by the images' own changes."""
    change = after.table.bound - before.table.bound
    return change.mean(0) / (change.std(0, ddof=1) / len(change) ** 0.5)


def areas(inside: Evaluation, outside: Evaluation) -> tuple[float, float]:
    """AUROC of -L and of LLR>1."""
    ratio = [e.table.iw[:, 0] - e.table.bound[:, 1] for e in (inside, outside)]
    return auroc(-inside.table.bound[:, 0], -outside.table.bound[:, 0]), auroc(*ratio)


def allowed(inside: Evaluation, outside: Evaluation) -> float:
    """Two standard deviations of the change of LLR>1's AUROC between two draws of the noise."""
    rng = np.random.default_rng(0)
    values = [(e.table.iw[:, 0] - e.table.bound[:, 1], e.table.errors["ratio_error"][:, 1])
              for e in (inside, outside)]  # fmt: skip
    drawn = [auroc(*(v + rng.normal(size=len(v)) * e for v, e in values)) for _ in range(_DRAWS)]
    return 2 * float(np.std(drawn)) * 2**0.5


def main() -> None:
    """Print one line a checkpoint."""
    before, after = (Path(p) for p in [*sys.argv[1:], str(ASSETS / "results")][:2])
    print(f"{'checkpoint':32} files  largest  mean square  -L moves  LLR>1 moves  allowed")
    for folder in sorted(path for path in before.iterdir() if path.is_dir()):
        files = [f.name for f in sorted(folder.glob("*.npz")) if f.name != "reference.npz"]
        pairs = {f: (stored(folder / f), stored(after / folder.name / f)) for f in files
                 if (after / folder.name / f).is_file()}  # fmt: skip
        if "test.npz" not in pairs or "bound_error" not in pairs["test.npz"][1].table.errors:
            continue  # not drawn anew
        found = [differences(*pair) for pair in pairs.values()]
        most_moved = float(np.abs(np.concatenate(found)).max())
        square = float(np.sqrt(np.mean(np.concatenate(found) ** 2)))
        moves, room = [], 0.0
        for name, pair in pairs.items():
            if name != "test.npz" and pairs["test.npz"][0].table.n_levels > 1:
                old, new = (areas(i, o) for i, o in zip(pairs["test.npz"], pair, strict=True))
                moves.append(np.abs(np.subtract(old, new)))
                room = max(room, allowed(pairs["test.npz"][1], pair[1]))
        most = np.max(moves, axis=0) if moves else (0.0, 0.0)
        print(f"{folder.name:32} {len(pairs):5} {most_moved:8.2f} {square:11.2f} {most[0]:9.4f} "
              f"{most[1]:12.4f} {room:8.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
