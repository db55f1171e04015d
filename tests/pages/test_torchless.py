"""What is stored is read without torch, which takes seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hvae_core.common import cache
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, evaluation_key
from hvae_core.evaluation.latents import latents_key
from hvae_core.probes import attack, compression
from hvae_core.probes.attack_record import AttackSettings
from hvae_core.probes.information import measure_information
from hvae_core.probes.layer_likeness import KIND, Likeness, pack
from pages.latents import points
from tests.conftest import ROOT
from tests.small import tiny_model, tiny_set

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "pages").glob("*/*.py")
    if path.stem != "page"
)
HEAVY = "print([name for name in ('torch', 'sklearn', 'datasets') if name in sys.modules])"

READ = """
import sys
import numpy as np
from hvae_core.probes.attack_record import AttackSettings
from hvae_core.common import cache
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import unpack
from pages.collapse import information
from pages.compression import attacks, pictures
from pages.latents import points
from pages.shared import store
from pages.two import layers as two

pixels, digest, evaluated = np.load(sys.argv[1]), *sys.argv[2:]
images = ImageSet("few", "Few", pixels, np.full(len(pixels), -1))
layers = tuple((f"z{i}", (4,), 4) for i in (1, 2, 3))
handle = store.Handle("tiny", "Tiny", "", digest, layers, ("z1", "z2", "z3"), (True,) * 3,
                      pixels.shape[1:])
known = {
    "compression": pictures.compression_of(handle, pictures.Picture("One", pixels[0]), 0),
    "attacks": attacks.attacks_on(handle, images, AttackSettings(steps=1)),
    "information": information.stored_information(digest, images, information.SEED),
    "latents": points._stored(digest, images.digest, images),
    "likeness": two.stored_likeness("b" * 64),
    "evaluation": cache.peek("evaluations", evaluated, unpack),
}
assert all(one is not None for one in known.values()), known
"""


def heavy(code: str, *argv: str) -> str:
    """Which slow libraries a fresh interpreter has loaded after the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{HEAVY}", *argv],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_no_page_brings_torch_along() -> None:
    assert heavy(f"import {', '.join(MODULES)}") == "[]"


def test_checkpoints_that_ship_are_listed_without_torch() -> None:
    listing = "from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints"
    assert (
        heavy(f"{listing}\nassert [*map(inspect_checkpoint, shipped_checkpoints().values())]")
        == "[]"
    )


def test_stored_results_are_read_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (attack, compression):
        monkeypatch.setattr(module, "ms_ssim", lambda one, other: np.ones(len(one)))
    model, images, digest = tiny_model(), tiny_set(3), "a" * 64
    compression.compressed(model, digest, images.images[0])
    attack.attacked(model, digest, images, settings=AttackSettings(steps=1))
    measure_information(model, digest, images)
    evaluate(model, digest, images, settings=EvalSettings(samples=1, partial_samples=1))
    cache.store(KIND, "b" * 64, pack(Likeness(*np.zeros((3, 1, 1)))))
    cache.store("latents", latents_key(digest, images, points.LATENTS_SEED), {"z1": np.ones(3)})
    np.save(tmp_path / "few.npy", images.images)
    key = evaluation_key(digest, images.digest, EvalSettings(samples=1, partial_samples=1))
    assert heavy(READ, str(tmp_path / "few.npy"), digest, key) == "[]"
