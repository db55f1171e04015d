"""The finding on a checkpoint: alike from the command line and in Python."""

from __future__ import annotations

import json

import pytest

import hvae_core as hv
from hvae_core.cli.main import main


def test_the_finding_says_which_since_when_why_and_what_to_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["collapse", "glyphs-hvae5-elbo", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["headline"].startswith("Layers ") and told["collapsed"]
    assert any("Collapsed, below the threshold since epoch" in line for line in told["lines"])
    assert told["why"] and "does not apply" in told["variance"]
    assert {"free-bits", "informative"} <= {remedy["lab"] for remedy in told["remedies"]}
    found = hv.diagnose("glyphs-hvae5-elbo", "glyphs:test")
    text = str(found)
    assert found.headline == told["headline"] and list(found.lines) == told["lines"]
    assert all(remedy["preset"] in text and remedy["lab"] in text for remedy in told["remedies"])
    assert main(["collapse", "glyphs-hvae5-elbo", "--below", "0"]) == 2
    assert "above 0" in capsys.readouterr().err
