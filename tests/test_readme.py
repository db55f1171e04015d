"""The figures of the README are those of the stored results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hvae_core.checkpoint import inspect_checkpoint
from hvae_core.evaluated import EvalSettings, Evaluation
from hvae_core.metrics import auroc
from hvae_core.report import SHIPPED_LIMIT
from hvae_core.results import checkpoint_path, stored_result
from hvae_core.scores import Material, get_score

README = Path(__file__).parents[1] / "README.md"
SCORES = ("elbo", "bound_1", "bound_2", "llr_1", "llr_2", "llr_ada")
SETS = {
    "MNIST": "mnist",
    "KMNIST": "kmnist",
    "Omniglot, dark on white": "omniglot",
    "Omniglot, light on black": "omniglot_inverted",
    "lower case": "lower",
    "digits": "digits",
    "punctuation and signs": "signs",
    "Greek": "greek",
    "Cyrillic": "cyrillic",
    "other scripts": "script",
    "handwritten digits": "handwritten",
    "traffic signs": "signs",
    "street characters": "street",
    "traffic signs, as JPEG": "signs_jpeg",
    "street characters, as JPEG": "street_jpeg",
    "Tiny ImageNet": "tiny",
}


def table(first: str) -> Iterator[list[str]]:
    """The rows of the README's table whose header begins with these cells."""
    lines = README.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(first))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip(" `*") for cell in line.strip("|").split("|")]


def stored(name: str, set_name: str) -> Evaluation:
    info = inspect_checkpoint(checkpoint_path(name))
    found = stored_result(info, set_name, EvalSettings(), SHIPPED_LIMIT)
    assert found is not None, f"no stored result of {name} on {set_name}"
    return found


def test_auroc() -> None:
    name, wrong, rows = "", [], 0
    for checkpoint, title, *printed in table("| checkpoint | out-of-distribution set"):
        name, rows = checkpoint or name, rows + 1
        inside, outside = stored(name, "test"), stored(name, SETS[title])
        assert len(inside) == len(outside)  # else the command draws equal numbers from both
        for key, figure in zip(SCORES, printed, strict=True):
            score = get_score(key, inside.table.n_levels).function
            area = auroc(score(Material(inside.table)), score(Material(outside.table)))
            if abs(area - float(figure)) > 0.00051:
                wrong.append(f"{name}, {title}, {key}: {figure} is {area:.3f}")
    assert rows > 10
    assert not wrong, "\n".join(wrong)


def test_kl_of_layers() -> None:
    wrong, rows = [], 0
    for name, *printed, _words in table("| checkpoint | z1 "):
        kl = stored(name, "test").table.kl.mean(0)
        figures = [float(cell.replace("−", "-")) for cell in printed if cell]
        assert len(figures) == len(kl)
        rows += 1
        if np.abs(kl - figures).max() > 0.0051:
            wrong.append(f"{name}: {figures} is {kl.round(2).tolist()}")
    assert rows > 5
    assert not wrong, "\n".join(wrong)
