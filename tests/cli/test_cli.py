"""The commands other than training: help, errors, tables, JSON."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hvae_core.checkpoint import library, load_checkpoint
from hvae_core.cli import options
from hvae_core.cli.main import COMMANDS, command_line, main
from hvae_core.config.presets import PRESETS
from hvae_core.data import World, custom_set, worlds
from hvae_core.evaluation import SHIPPED_LIMIT, lookup, store
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores import all_scores, score_list

Tell = Callable[..., dict[str, Any]]
HEAVY = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "datasets", "streamlit",
         "pydantic", "plotly", "PIL")  # fmt: skip


def _help(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _help(name, capsys)
    usage, summary, description = text.split("\n\n")[:3]
    assert usage.startswith(f"Usage: python -m hvae_core {name}")
    assert summary.endswith((".", "?")) and "\n" not in summary
    assert len(description) > 80 and description.rstrip().endswith(".")
    assert f"python -m hvae_core {name}" in text.partition("Examples:")[2]
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No option without a text, and each once."""
    options = _help(name, capsys).partition("Examples:")[0].splitlines()
    rows = [line.strip("│* ").split("  ", 1) for line in options if "│" in line]
    told = [row for row in rows if row[0].startswith("-") or row[0].isupper()]
    assert all(len(row) == 2 and len(row[1].strip()) > 5 for row in told), told
    names = [row[0].split()[0] for row in told]
    assert len(names) == len(set(names))


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hvae_core.cli.main import main\n"
        "main(['--help'])\n"
        f"print('loaded', sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip().endswith("loaded []")
    for name in COMMANDS:
        assert f"\n│ {name} " in told.stdout


def test_defaults_are_those_of_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands name them without importing what they stand in."""
    from hvae_core.common.thresholds import COLLAPSE_THRESHOLD
    from hvae_core.detection.false_alarms import CLAIMED
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.evaluation.ship import IMAGES as SHIP_IMAGES
    from hvae_core.evaluation.ship import TOLERANCE
    from hvae_core.probes.information import IMAGES, MAX_IMAGES

    assert options.BoundOptions().settings() == EvalSettings()
    asked = options.BoundOptions(1, "mean", "sample", "bfloat16", samples=3, partial_samples=4)
    assert asked.settings() == EvalSettings(
        3, 4, 1, skipped="mean", up="sample", precision="bfloat16"
    )
    told = " ".join(_help("evaluate", capsys).split())
    assert f"at most {SHIPPED_LIMIT:,} images" in told
    told = " ".join(_help("calibration", capsys).split())
    assert f"(default: {', '.join(map(str, CLAIMED))})" in told
    told = " ".join(_help("information", capsys).split())
    assert f"at most {MAX_IMAGES:,} (default: {IMAGES})" in told
    assert f"counts as nothing (default: {COLLAPSE_THRESHOLD})" in told
    assert f"{IMAGES} images {math.log(IMAGES):.2f} nats" in told
    assert f"{MAX_IMAGES:,} images {math.log(MAX_IMAGES):.2f}" in told
    told = " ".join(_help("maintain", capsys).split())
    assert f"of {SHIP_IMAGES} validation images" in told and f"within {TOLERANCE:.1%} on" in told
    assert f"at most {SHIPPED_LIMIT:,} images a set" in told
    assert f"of {SHIPPED_LIMIT:,} training images" in told


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["evaluate", "nothing"], "There is no checkpoint nothing"),
        (["evaluate", "nothing.safetensors"], ".safetensors file"),
        (["inspect", "setup.safetensors"], ".safetensors file"),
        (["train"], "--preset"),
        (["train", "--preset", "wrong"], "There is no preset 'wrong'"),
        (["datasets", "--world", "wrong"], "There is no world wrong"),
        (["maintain", "results", "wrong"], "wrong is not in assets/checkpoints/"),
        (["maintain", "ship"], "Name the files to ship"),
        (["maintain", "keep"], "ship"),
        (["evaluate"], "CHECKPOINT"),
        (["evaluat", "x"], 'Did you mean "evaluate"'),
        (["evaluate", "x", "--sample", "3"], "Unknown option: --sample. Did you mean --samples?"),
        (["evaluate", "x", "--no-download"], "Unknown option: --no-download"),
        (["evaluate", "x", "--limit"], "--limit requires an argument"),
        (["evaluate", "x", "--out"], "--out requires at least 1"),
        (["evaluate", "x", "--up", "down"], 'Choose from: "sample", "mean"'),
        (["evaluate", "x", "--limit", "many"], 'unable to convert "many" into int'),
        (["evaluate", "glyphs-hvae3-elbo", "--all-scores", "--scores", "elbo"], "not both"),
        (["calibration", "x", "--rates", "0.1", "1.5"], "must lie between 0 and 1, not at 1.5"),
        (["calibration", "glyphs-hvae3-elbo", "--world", "wrong"], "There is no world wrong"),
        (["combine", "glyphs-hvae3-elbo", "--world", "wrong"], "There is no world wrong"),
        (
            [
                "sampling",
                "glyphs-hvae3-elbo",
                "--judge",
                "glyphs-hvae3-freebits",
                "--world",
                "wrong",
            ],
            "There is no world wrong",
        ),
        (["draws", "x", "--out", "lower", "--counts", "5", "0"], "--counts must be 1 or more"),
        (["draws", "x"], "--out requires an argument"),
        (["inspect", "a", "b"], "Unused Tokens"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_2(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_number_below_its_bound_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "x", "--samples", "0"]) == 2
    assert capsys.readouterr().err == "error: --samples must be 1 or more, not 0.\n"


def test_several_values_of_an_option_may_stand_together_or_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = command_line()

    def sets(*words: str) -> tuple[str, ...]:
        _, bound, _ = line.parse_args(["evaluate", "x", *words], exit_on_error=False)
        asked: options.SetOptions = bound.kwargs["sets"]
        return asked.outside

    assert sets("--out", "a", "b", "--out", "c") == ("a", "b", "c")
    assert sets("--out=a", "--limit", "5", "--out", "b") == ("a", "b")
    assert sets("--limit", "5") == ()
    _, bound, _ = line.parse_args(["calibration", "x", "y", "--rates", "0.01", "0.02"])
    assert bound.args == (("x", "y"),) and bound.kwargs["rates"] == (0.01, 0.02)
    _, bound, _ = line.parse_args(["sampling", "--judge", "y", "-n", "7", "x", "--steps", "3"])
    assert bound.args == ("x",) and (bound.kwargs["n"], bound.kwargs["steps"]) == (7, (3,))
    _, bound, _ = line.parse_args(["study", "x.toml", "--no-train", "--runs", "a", "--runs", "b"])
    assert bound.kwargs == {"no_train": True, "runs": ("a", "b")}


@pytest.mark.parametrize("words", [["scores"], ["scores", "--json"], ["models", "--help"]])
def test_a_reader_that_goes_away_is_no_failure(words: list[str]) -> None:
    run = [sys.executable, "-m", "hvae_core", *words]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


def test_without_a_command_there_is_help_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "Start here" in capsys.readouterr().out


def test_scores_are_those_of_the_registry(tell: Tell) -> None:
    told = tell("scores", "--layers", "5")
    assert [s["key"] for s in told["scores"]] == [s.key for s in all_scores(5)]
    assert {"key", "name", "symbol", "citation", "needs", "cost"} <= set(told["scores"][0])


def test_models_are_the_presets_with_their_sizes(tell: Tell) -> None:
    told = tell("models")
    assert {p["name"] for p in told["presets"]} == set(PRESETS)
    paper = next(p for p in told["presets"] if p["name"] == "hvk-fashionmnist-hvae3")
    assert paper["latents"] == [[8, 14, 14], [16], [8]]
    assert paper["parameters"] > 1_000_000
    assert "hvae" in told["families"]


def test_datasets_lists_every_set_of_every_world(tell: Tell, tmp_path: Path) -> None:
    told = tell("datasets", "--data-root", tmp_path)
    assert [w["key"] for w in told["worlds"]] == list(worlds())
    for world in told["worlds"]:
        known = worlds()[world["key"]]
        assert [s["name"] for s in world["sets"]] == [s.name for s in known.sets]
    sets = {s["name"]: s for w in told["worlds"] for s in w["sets"]}
    assert sets["handwritten"]["images"] == 1797
    assert not sets["mnist"]["available"]
    assert sets["mnist"]["images"] is None


@pytest.mark.parametrize("command", ["scores", "models", "datasets"])
def test_lists_are_readable_tables_too(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 8
    assert all(line == line.rstrip() for line in lines)


def test_inspect(trained: Path, tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    told = tell("inspect", trained)
    assert told["digest"] == load_checkpoint(trained).digest
    assert [layer["units"] for layer in told["layers"]] == [128, 3, 2]
    assert len(told["history"]["valid_elbo"]) == told["card"]["epochs"] == 8
    assert main(["inspect", str(trained), "--epochs"]) == 0
    text = capsys.readouterr().out
    assert "2x8x8" in text
    assert "ELBO, validation" in text


def test_evaluate_needs_to_know_the_sets(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained)]) == 2
    assert "--world" in capsys.readouterr().err


def test_evaluate_own_sets(
    trained: Path, stripes: dict[str, Path], tell: Tell, tmp_path: Path
) -> None:
    table = tmp_path / "metrics.csv"
    told = tell("evaluate", trained, "--in", stripes["other"], "--out", stripes["upright"],
                stripes["large"], "--csv", table)  # fmt: skip
    keys = [score.key for score in score_list(3)]
    assert [score["key"] for score in told["scores"]] == keys
    assert told["in"]["images"] == 80
    upright, large = told["out"]
    assert set(upright["detections"]) | set(upright["unavailable"]) == set(keys)
    assert upright["detections"]["elbo"]["n_in"] == upright["detections"]["elbo"]["n_out"] == 60
    assert all(len(upright[name]) == 3 for name in ("kl", "bound_bits", "nll_bits"))
    assert "resized from 16x16 grey to 8x8 grey" in told["notes"][large["name"]]
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["set"] for row in rows] == [upright["name"]] * 7 + [large["name"]] * 7
    assert float(rows[0]["auroc"]) == upright["detections"]["elbo"]["auroc"]


def test_evaluate_twice_gives_equal_numbers_also_with_samples(
    trained: Path, stripes: dict[str, Path], tell: Tell
) -> None:
    argv = ("evaluate", trained, "--in", stripes["other"], "--out", stripes["noise"],
            "--samples", 3, "--limit", 40)  # fmt: skip
    first = tell(*argv)
    assert first == tell(*argv)  # the second comes from the cache
    assert first["in"]["images"] == first["limit"] == 40
    assert first["in"]["iw_bits"] != first["in"]["bound_bits"]


def test_evaluate_prints_tables(
    trained: Path, stripes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(trained), "--in", str(stripes["other"]), "--out", str(stripes["noise"])]
    assert main(argv) == 0
    text = capsys.readouterr().out
    for words in ("AUROC", "AUPRC", "FPR80", "FPR95", "KL by layer", "Bits per dimension", "noise"):
        assert words in text
    assert "ollapsed" in text


def test_evaluate_on_a_built_in_world(trained: Path, tell: Tell, tmp_path: Path) -> None:
    told = tell("evaluate", trained, "--world", "fashion", "--in", "glyphs:test", "--out",
                "glyphs:lower", "--limit", 20, "--data-root", tmp_path)  # fmt: skip
    assert told["in"]["name"] == "glyphs-test"
    assert told["out"][0]["images"] == 20


def test_a_named_set_without_images_is_an_error(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(trained), "--world", "glyphs", "--out", "fashion:mnist",
            "--limit", "5", "--data-root", str(tmp_path)]  # fmt: skip
    assert main(argv) == 2
    assert "MNIST digits are not on this machine" in capsys.readouterr().err


def test_a_word_that_is_no_set_is_explained(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained), "--world", "glyphs", "--out", "digit"]) == 2
    said = capsys.readouterr().err
    assert "digit is neither" in said
    assert "digits" in said


def test_an_absent_device_and_a_folder_that_is_not_there(
    trained: Path, stripes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(trained), "--in", str(stripes["other"]), "--out", str(stripes["noise"])]
    assert main([*argv, "--device", "cuda:99"]) == 2
    assert "no device cuda:99" in capsys.readouterr().err
    assert main([*argv, "--csv", str(tmp_path / "no" / "x.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_stopping_says_what_is_kept(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lookup, "evaluated", stop)
    assert main(["evaluate", str(trained), "--world", "glyphs"]) == 130
    assert "same command continues" in capsys.readouterr().err


def test_stored_results_are_written_and_stand_in_for_missing_images(
    trained: Path,
    stripes: dict[str, Path],
    tell: Tell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shipped = tmp_path / "checkpoints"
    shipped.mkdir()
    shutil.copy(trained, shipped / "small.safetensors")
    monkeypatch.setattr(library, "SHIPPED", shipped)
    for module in (lookup, store):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("hvae_core.data.identity.SHIPPED", tmp_path / "identities.json")
    roles = (("other", "in"), ("noise", "out"), ("upright", "control"))
    small = _world(stripes, *roles)
    monkeypatch.setattr("hvae_core.evaluation.worlds.world_of", lambda *_: small)
    assert main(["maintain", "results"]) == 0
    written = sorted(path.name for path in (tmp_path / "results" / "small").iterdir())
    assert written == ["own-noise-npz.npz", "own-other-npz.npz", "own-upright-npz.npz"]
    checkpoint = load_checkpoint(shipped / "small.safetensors")
    kept = lookup.shipped_result(checkpoint, "own-noise-npz", EvalSettings(), limit=SHIPPED_LIMIT)
    assert kept is not None
    assert [z.shape for z in kept.latents] == [(60, 0), (60, 3), (60, 2)]  # z1 is too wide to keep
    control = lookup.shipped_result(
        checkpoint, "own-upright-npz", EvalSettings(), limit=SHIPPED_LIMIT
    )
    assert control is not None
    assert [z.shape for z in control.latents] == [(60, 0)] * 3
    capsys.readouterr()

    monkeypatch.setattr("hvae_core.evaluation.worlds.world_key", lambda *_: "small")
    fresh = tell("evaluate", "small")
    absent = _world({name: Path(f"gone/{name}") for name, _ in roles}, *roles)
    monkeypatch.setattr("hvae_core.evaluation.worlds.world_of", lambda *_: absent)
    stored = tell("evaluate", "small")
    assert stored["out"] == fresh["out"]
    assert "stored result" in stored["notes"]["own-noise-npz"][0]


def _world(paths: dict[str, Path], *sets: tuple[str, str]) -> World:
    specs = tuple(
        custom_set(str(paths[name]), role, title=f"{name}.npz")  # type: ignore[arg-type]
        for name, role in sets
    )
    return World("small", "Small", specs[0].name, sets=specs, checkpoints=(), image_shape=(1, 8, 8))
