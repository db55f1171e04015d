"""``docs/own-model.md`` works as it stands: its blocks in turn, in an empty folder, as a reader."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

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
