"""The ledger of runs: hours from epochs that are left, and the file that keeps what was timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hvae_core.checkpoint.gate import empty_model
from hvae_core.cli.main import main
from hvae_core.common.errors import ConfigError
from hvae_core.config.presets import get_preset
from hvae_core.studies import ledger as module
from hvae_core.studies.find import Wanted
from hvae_core.studies.ledger import Entry, Ledger, keep_seconds, lines, read_ledger, time_epochs
from hvae_core.studies.spec import read_study
from hvae_core.training import timed

SPEC = read_study("hvk-table-8").models[0]
DIGITS = Entry("hvk-table-8", "whether MNIST's model needs a ratio")


def test_hours_are_those_of_epochs_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASSETS", tmp_path)  # where no tables are made yet
    preset = "mnist-paper-hvae3-freebits"
    timed_so = f"{preset}-bf16-mixed"  # as the study trains it
    (line,) = lines(Ledger((DIGITS,), {timed_so: 1800.0, preset: 1.0}), tmp_path)
    assert line.hours == pytest.approx(get_preset(preset).train.epochs / 2)
    assert (line.done, line.runs, line.state) == (0, 1, "0 of 1 runs trained")
    assert not line.long and lines(Ledger((DIGITS,), {timed_so: 7200.0}), tmp_path)[0].long
    (line,) = lines(Ledger((DIGITS,), {}), tmp_path)
    assert line.hours != line.hours
    made = tmp_path / "studies" / DIGITS.name
    made.mkdir(parents=True)
    (made / "table-8.md").write_text(f"| MNIST | {Wanted(SPEC, 0, None, tmp_path).absent} | – |")
    assert lines(Ledger((DIGITS,), {}), tmp_path)[0].state == "0 of 1 runs trained"
    (made / "table-8.md").write_text("| MNIST | 0.999 | – |")
    (line,) = lines(Ledger((DIGITS,), {}), tmp_path)
    assert (line.state, line.hours) == ("tables made", 0)
    assert not time_epochs(Ledger((DIGITS,), {}), tmp_path)  # nothing of it is left


def test_what_was_never_timed_is_timed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def stand_in(preset: Any, *, precision: str) -> timed.Timed:
        asked.append(f"{preset.name}-{precision}")
        return timed.Timed(parameters=7, step=0.5, validation=3.0, steps=4)

    monkeypatch.setattr(timed, "timed", stand_in)
    monkeypatch.setattr(module, "ASSETS", tmp_path)
    ledger = Ledger((DIGITS,), {})
    found = time_epochs(ledger, tmp_path)
    assert found == {"mnist-paper-hvae3-freebits-bf16-mixed": 5.0} and asked == [*found]
    path = tmp_path / "runs.toml"
    path.write_text('# Why.\n[[studies]]\nname = "glyphs"\ndecides = "x"\n\n[seconds]\nold = 1.5\n')
    keep_seconds(read_ledger(path), found, path)
    assert path.read_text().startswith('# Why.\n[[studies]]\nname = "glyphs"\n')
    assert read_ledger(path).seconds == found | {"old": 1.5}
    assert not time_epochs(Ledger((DIGITS,), found), tmp_path)
    path.write_text("[seconds")
    with pytest.raises(ConfigError, match=r"runs.toml, the ledger of runs, cannot be read"):
        read_ledger(path)


def test_the_ledger_that_ships_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in read_ledger().studies:
        assert any(model.preset for model in read_study(entry.name).models)
    path = tmp_path / "runs.toml"
    path.write_text('studies = [{ name = "hvk-table-8", decides = "x" }]\n[seconds]\n')
    monkeypatch.setattr(module, "PATH", path)
    assert main(["maintain", "runs", "--json", "--runs", str(tmp_path)]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["name"], line["runs"], line["hours"]) == ("hvk-table-8", 1, 0)


def test_an_epoch_is_timed_by_its_steps() -> None:
    preset = get_preset("glyphs-lab")  # 1,600 images in batches of 64
    found = timed.timed(preset, count=2)
    weights = empty_model(preset.model).parameters()
    assert (found.steps, found.parameters) == (25, sum(weight.numel() for weight in weights))
    assert 0 < found.step < found.epoch == pytest.approx(25 * found.step + found.validation)
