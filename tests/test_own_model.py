"""``docs/own-model.md`` works as it stands: its blocks in turn, in an empty folder, as a reader."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import hvae_core as hv
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "own-model.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
IMAGES = 40
"""Of each set, and one epoch of training: the page's own numbers take a minute or two."""


def small(block: str) -> str:
    block = re.sub(r'hv\.load_images\("(.*?)"\)', rf'hv.load_images("\1", limit={IMAGES})', block)
    return block.replace("range(20)", "range(1)").replace("split(100)", "split(20)")


def test_a_reader_gets_from_a_network_to_a_verdict(
    tmp_path: Path,
    cache_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: dict[str, Any] = {}
    for block in map(small, BLOCKS):
        name = re.match(r"# (\w+\.py)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block, "utf-8")
        if name is None or name[1] == "train.py":
            exec(compile(block, name[1] if name else "own-model.md", "exec"), seen)
    sys.modules.pop("mine", None)
    told = capsys.readouterr().out
    assert (tmp_path / "weights.pt").exists()
    assert told.count("keeps the contract.") == 3 and "FAULT" not in told
    assert "AUROC" in told and "KL in nats by layer: z1" in told
    assert {model.n_levels for model in map(seen.get, ("mine", "flat", "deep"))} == {3, 1, 2}
    assert set(dir(hv)) >= set(re.findall(r"`hv\.(\w+)", PAGE))


ROWS = re.findall(r"^\| `(.*?)` \| `hv\.image\((.*)\)` \|$", PAGE, re.M)


@pytest.mark.parametrize(("loss", "law"), ROWS)
def test_a_mark_in_the_place_of_a_loss_is_that_loss(loss: str, law: str) -> None:
    """But for a constant: between any two images both differ by the same nats."""
    torch.manual_seed(0)
    laws = torch.distributions
    names: dict[str, Any] = {"F": torch.nn.functional, "sigma": 0.3} | vars(laws)
    classes = "Categorical" in law
    out = torch.rand(2, 4, 3, 3) if classes else torch.rand(2, 1, 3, 3)
    images = [torch.randint(4 if classes else 2, (2, 1, 3, 3)) for _ in range(2)]
    some, others = (x if classes else x.float() for x in images)
    p: Any = eval(law, {**names, "out": out})
    by_loss = [eval(loss, {**names, "out": out, "x": x}) for x in (some, others)]
    by_mark = [-p.log_prob(x).sum() for x in (some, others)]
    torch.testing.assert_close(by_mark[0] - by_mark[1], by_loss[0] - by_loss[1])


def test_the_page_has_marks_in_the_place_of_losses() -> None:
    assert len(ROWS) >= 5
