"""``study`` from a TOML file to tables and a page: figures by hand, resuming, errors, the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import inspect_checkpoint, load_checkpoint, save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import ConfigError
from hvae_core.config import ModelCard, TrainConfig
from hvae_core.config.presets import PRESETS
from hvae_core.data import ImageSet, worlds
from hvae_core.data.training_sets import TrainingSets
from hvae_core.detection.metrics import detect
from hvae_core.evaluation.collapse import active_units
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import checkpoint_path
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import get_score
from hvae_core.studies import run as study_run
from hvae_core.studies.compare import presets
from hvae_core.studies.find import to_train, wanted
from hvae_core.studies.members import Member, Subject
from hvae_core.studies.remedy_tables import remedies
from hvae_core.studies.rows import shown_sets
from hvae_core.studies.spec import ModelSpec, TableSpec, read_study
from tests.cli.conftest import TINY
from tests.conftest import ROOT
from tests.small import tiny_model, tiny_set

LIMIT, SAMPLES = 24, 3
STUDY = f"""
title = "Two seeds of a tiny model"
sets = ["lower", "signs"]
[settings]
limit = {LIMIT}
samples = {SAMPLES}
[[models]]
key = "tiny"
preset = "tiny-study"
seeds = [0, 1]
title = "Tiny"
[[models]]
key = "one"
preset = "tiny-study"
"""


@pytest.fixture(scope="module", autouse=True)
def _preset() -> Any:
    PRESETS["tiny-study"] = replace(
        TINY, name="tiny-study", train=replace(TINY.train, epoch_images=80)
    )
    yield
    del PRESETS["tiny-study"]


def run_of(
    runs: Path,
    seed: int,
    *,
    epochs: int = 2,
    planned: int = 2,
    data: str = "glyphs",
    digest: str = "",
) -> Path:
    """A run of the tiny preset that was never trained, where ``study`` looks for it."""
    path = runs / f"s{seed}" / "tiny-study" / "tiny-study.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    card = ModelCard(
        "tiny", "tiny-study", data, train_images=80, epochs=epochs, objective="elbo", seed=seed,
        train_digest=digest,
    )  # fmt: skip
    train = TrainConfig(data, epochs=planned, batch_size=40, seed=seed)
    save_checkpoint(
        path, tiny_model(TINY.model, seed), card=card, history={"seconds": [3.0, 1.0]}, train=train
    )
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        run_of(folder, seed)
    return folder


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def toml(tmp_path: Path) -> Callable[..., Path]:
    """A file with the study's head and some tables."""

    def write(tables: str, head: str = STUDY) -> Path:
        path = tmp_path / "tiny.toml"
        path.write_text(head + tables)
        return path

    return write


def table(kind: str, more: str = "") -> str:
    return f'[[tables]]\nkind = "{kind}"\nkey = "{kind}"\ntitle = "A {kind} table"\n{more}\n'


@pytest.fixture
def told(
    toml: Callable[..., Path],
    runs: Path,
    shared_cache: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """The tables of a study by key, as printed for programs; all tests share their evaluations."""
    monkeypatch.setenv("STRATA_CACHE", str(shared_cache))
    monkeypatch.setattr(Sets, "choose", read_once)

    def run(tables: str, *options: str, head: str = STUDY) -> dict[str, Any]:
        argv = ["study", str(toml(tables, head)), "--out", str(tmp_path / "out"), "--json"]
        assert main([*argv, "--runs", str(runs), "--no-train", *options]) == 0
        return {t["key"]: t for t in json.loads(capsys.readouterr().out)["tables"]}

    return run


_READ: dict[tuple[Any, ...], ImageSet] = {}


def read_once(sets: Sets, set_name: str, _progress: Any = None) -> ImageSet:
    """``Sets.choose``, which takes a second a set, once for all tests of this file."""
    key = (sets.world.key, set_name, sets.limit, sets.data_root)
    if key not in _READ:
        _READ[key] = sets.world.choose(set_name, sets.data_root, limit=sets.limit)
    return _READ[key]


def evaluated(runs: Path, seed: int, set_name: str) -> Evaluation:
    checkpoint = load_checkpoint(runs / f"s{seed}" / "tiny-study" / "tiny-study.safetensors")
    world = worlds()["glyphs"]
    images = read_once(Sets(world, limit=LIMIT), set_name).fit(checkpoint.image_shape)
    return evaluate(
        checkpoint.model, checkpoint.digest, images, settings=EvalSettings(SAMPLES, SAMPLES)
    )


def rows(found: dict[str, Any], **keys: str) -> list[dict[str, Any]]:
    return [row for row in found["rows"] if all(row[k] == v for k, v in keys.items())]


def test_detection_is_that_of_the_evaluations(
    told: Callable[..., dict[str, Any]], runs: Path, tmp_path: Path
) -> None:
    found = told(table("detection", 'scores = ["elbo", "llr_top"]'))["detection"]
    assert len(found["rows"]) == 2 * 2 * 2
    for key, real in (("elbo", "elbo"), ("llr_top", "llr_2")):
        score = get_score(real, 3)
        by_seed = [
            detect(
                score(evaluated(runs, seed, "test").table),
                score(evaluated(runs, seed, "lower").table),
                0,
            )
            for seed in (0, 1)
        ]
        (both,) = rows(found, model="tiny", set="lower", score=key)
        (one,) = rows(found, model="one", set="lower", score=key)
        for metric in ("auroc", "auprc", "fpr80"):
            values = [getattr(d, metric) for d in by_seed]
            figure = both["figures"][metric]
            assert figure["mean"] == pytest.approx(np.mean(values))
            assert figure["deviation"] == pytest.approx(np.std(values, ddof=1))
            assert figure["low"] is None
            single = one["figures"][metric]
            assert (single["mean"], single["low"], single["high"]) == pytest.approx(
                by_seed[0].interval(metric)
            )
    digests = [inspect_checkpoint(path).digest for path in sorted(runs.glob("*/*/*.safetensors"))]
    assert both["checkpoints"] == digests and one["checkpoints"] == digests[:1]
    with (tmp_path / "out" / "detection.csv").open() as file:
        written = list(csv.DictReader(file))
    assert len(written) == 8
    assert float(written[0]["auroc"]) == pytest.approx(
        found["rows"][0]["figures"]["auroc"]["mean"], rel=1e-5
    )
    assert written[0]["seeds"] == "2" and written[0]["checkpoints"].split()[0] == digests[0][:16]
    assert {"date", "hardware", "command"} <= set(written[0])


def test_a_set_of_another_world_is_held_against_a_model(
    told: Callable[..., dict[str, Any]], runs: Path
) -> None:
    more = 'models = ["one"]\nsets = ["cutouts:dots"]\nscores = ["elbo"]'
    printed = '\nprinted = [{ set = "cutouts:dots", auroc = "0.9" }]'
    (row,) = told(table("detection", more + printed))["detection"]["rows"]
    checkpoint = load_checkpoint(runs / "s0" / "tiny-study" / "tiny-study.safetensors")
    images = Sets(worlds()["cutouts"], limit=LIMIT).images(checkpoint, "dots")
    settings = EvalSettings(SAMPLES, SAMPLES)
    there = evaluate(checkpoint.model, checkpoint.digest, images, settings=settings)
    sides = [get_score("elbo", 3)(e.table) for e in (evaluated(runs, 0, "test"), there)]
    assert row["figures"]["auroc"]["mean"] == pytest.approx(detect(*sides, 0).auroc)
    assert row["set"] == "cutouts:dots" and row["printed"] == {"auroc": "0.9"}


def test_layers_bits_and_families_are_those_of_the_evaluations(
    told: Callable[..., dict[str, Any]], runs: Path
) -> None:
    tables = "".join(
        table(kind, 'models = ["tiny"]')
        for kind in ("collapse", "bits", "layers", "families", "units", "grid")
    )
    found = told(tables)
    inside = [evaluated(runs, seed, "test") for seed in (0, 1)]
    per_bit = 64 * np.log(2)
    for i in range(3):
        (row,) = rows(found["collapse"], layer=str(i + 1))
        kl = [float(e.table.kl[:, i].mean()) for e in inside]
        assert row["figures"]["kl"]["mean"] == pytest.approx(np.mean(kl))
        assert row["figures"]["kl"]["deviation"] == pytest.approx(np.std(kl, ddof=1))
        active = [active_units(e.unit_variance[i]) for e in inside]
        assert row["figures"]["active"]["mean"] == np.mean(active)
        shares = [k / e.table.kl.mean(0).sum() for k, e in zip(kl, inside, strict=True)]
        assert row["figures"]["share"]["mean"] == pytest.approx(100 * np.mean(shares))
    (bits,) = rows(found["bits"], set="test")
    iw = -np.mean([e.table.iw[:, 0].mean() for e in inside]) / per_bit
    bound = -np.mean([e.table.bound[:, 2].mean() for e in inside]) / per_bit
    assert bits["figures"]["bound_0"]["mean"] == pytest.approx(iw)
    assert bits["figures"]["bound_2"]["mean"] == pytest.approx(bound)
    assert [row["set"] for row in found["bits"]["rows"]] == ["test", "lower", "signs"]
    for k in range(3):
        (row,) = rows(found["layers"], set="signs", k=str(k))
        tables_ = [evaluated(runs, seed, "signs").table for seed in (0, 1)]
        nll = np.mean([t.nll[:, k].mean() for t in tables_])
        assert row["figures"]["nll"]["mean"] == pytest.approx(nll)
        if k:
            llr = np.mean([(t.iw[:, 0] - t.bound[:, k]).mean() for t in tables_])
            assert row["figures"]["llr"]["mean"] == pytest.approx(llr)
    (family,) = found["families"]["rows"]
    nll = -np.mean([e.table.iw[:, 0].mean() for e in inside])
    assert family["figures"]["nll"]["mean"] == pytest.approx(nll)
    assert family["figures"]["step"]["mean"] == pytest.approx(1000.0)  # 2 s in 2 steps
    assert family["figures"]["epoch"]["mean"] == 2.0
    total = [sum(active_units(v) for v in e.unit_variance) for e in inside]
    (units,) = found["units"]["rows"]
    assert units["figures"]["share"]["mean"] == pytest.approx(
        100 * np.mean(total) / sum(len(v) for v in inside[0].unit_variance)
    )
    assert rows(found["grid"], set="lower")[0]["figures"]["llr_1"]["mean"] > 0


def test_remedies_are_held_against_the_first_model_seed_by_seed(
    runs: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(shared_cache))
    known = [{name: evaluated(runs, seed, name) for name in ("test", "lower")} for seed in (0, 1)]
    paths = sorted(runs.glob("*/*/*.safetensors"))
    infos = [inspect_checkpoint(path) for path in paths]

    def subject(name: str, models: tuple[int, ...]) -> Subject:
        """Of these models, which pass for seeds 0, 1, ..."""
        members = [
            Member(replace(infos[i], card=replace(infos[i].card, seed=seed)), "test", known[i])
            for seed, i in enumerate(models)
        ]
        spec = ModelSpec(key=name, preset="tiny-study")
        return Subject(spec, tuple(members), {}, inside="test", outside=("lower",))

    spec = TableSpec("remedies", "remedies", "Remedies")
    _, columns, rows = remedies(spec, [subject("plain", (0, 1)), subject("other", (1, 1))])
    nll = [float(-of["test"].table.iw[:, 0].mean()) for of in known]
    kl = [float(of["test"].table.kl[:, 1].mean()) for of in known]
    plain, other = (row.figures for row in rows)
    assert plain["nll"].mean == pytest.approx(np.mean(nll))
    assert plain["lost"].mean == plain["lost"].deviation == 0
    assert other["lost"].mean == pytest.approx((nll[1] - nll[0]) / 2)
    assert plain["kl_2"].deviation == pytest.approx(np.std(kl, ddof=1))
    areas = {
        key: [detect(score(of["test"].table), score(of["lower"].table), 0).auroc for of in known]
        for key in ("llr_1", "llr_2", "llr_ada")
        if (score := get_score(key, 3))
    }
    best = max(("llr_1", "llr_2"), key=lambda key: sum(areas[key]))
    assert plain["ada_lower"].mean == pytest.approx(np.mean(areas["llr_ada"]))
    assert plain["best_lower"].mean == pytest.approx(np.mean(areas[best]))
    assert best == f"llr_{plain['k_lower'].mean:.0f}"
    assert set(plain) == {column.key for column in columns}


def test_a_second_run_computes_nothing(
    told: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = told(table("detection"))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("hvae_core.evaluation.scorer.Scorer.launch", never)
    assert told(table("detection"))["detection"]["rows"] == first["detection"]["rows"]


def test_what_is_missing_is_trained_and_a_stopped_study_goes_on(
    toml: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = TrainingSets(tiny_set(80), tiny_set(20, seed=1), "glyphs", words="Glyphs: bars")
    monkeypatch.setattr("hvae_core.training.recipe.training_sets", lambda *_, **__: few)
    head = STUDY.replace("seeds = [0, 1]", 'seeds = [3]\nprecision = "bf16-mixed"')
    path = toml(table("families"), head.split('[[models]]\nkey = "one"')[0])
    argv = ["study", str(path), "--runs", str(tmp_path / "r"), "--out", str(tmp_path / "o")]
    assert main([*argv, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert main([*argv, "--dry-run"]) == 0
    assert "1 runs; time by recorded speed: unknown" in capsys.readouterr().out
    assert [run["epochs"] for run in plan["train"]] == [2]
    assert plan["evaluations"] == plan["to_compute"] == 3

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study_run, "gather_all", stop)
        assert main(argv) == 130
    assert "continues from there" in capsys.readouterr().err
    trained = tmp_path / "r" / "s3" / "tiny-study" / "tiny-study.safetensors"
    info = inspect_checkpoint(trained)
    assert (info.card.seed, info.card.epochs) == (3, 2)
    assert "trained in bf16-mixed" in info.card.note
    monkeypatch.setattr("hvae_core.training.recipe.train_preset", stop)  # nothing is left to train
    assert main(argv) == 0
    assert (tmp_path / "o" / "report.html").is_file()
    assert "1 table, beside" in capsys.readouterr().out


def test_runs_are_found_by_preset_seed_and_epochs(
    toml: Callable[..., Path], tmp_path: Path
) -> None:
    study = read_study(toml(table("families")))
    base = tmp_path / "runs"
    whole, begun = run_of(base, 0), run_of(base, 1, epochs=1)
    first, second, third = wanted(study, [base])
    assert (first.path, second.path, third.path) == (whole, None, whole)
    assert (second.folder, second.done) == (begun.parent, 1)
    assert second.seconds == pytest.approx(2.0)  # one epoch of two steps, a second each
    assert "1 of 2 epochs" in second.absent
    run_of(base, 1, epochs=9, planned=9)
    assert wanted(study, [base])[1].done == 0, "a run of other epochs is another run"
    assert [run.seed for run in to_train(study, [base])] == [1]


def test_a_run_that_is_damaged_or_of_other_images_is_left_out_with_a_sentence(
    toml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = toml(table("families"), STUDY.replace("seeds = [0, 1]", "seeds = [0, 1, 2, 3, 4]"))
    base = tmp_path / "runs"
    old = run_of(base, 0)  # recorded no digest, so it may be of the same images
    kept = run_of(base, 1, digest="a" * 64)
    run_of(base, 2, digest="b" * 64)
    run_of(base, 3, data="own: cats")
    run_of(base, 4).write_bytes(b"damaged")
    found = [run for run in wanted(read_study(path), [base]) if run.model.name == "tiny"]
    assert [run.path for run in found] == [old, kept, None, None, None]
    assert "s2/tiny-study was trained on other images than seed 1" in found[2].absent
    assert "s3/tiny-study was trained on own: cats, not on glyphs" in found[3].absent
    assert "left out: " in found[4].absent and "tiny-study" in found[4].absent
    assert main(["study", str(path), "--runs", str(base), "--dry-run", "--no-train"]) == 0
    assert capsys.readouterr().err.count("left out: ") == 3


def test_seeds_of_other_images_stand_apart_in_a_comparison(tmp_path: Path) -> None:
    infos = [
        inspect_checkpoint(run_of(tmp_path, seed, data=data, digest=digest))
        for seed, (data, digest) in enumerate(
            [("glyphs", ""), ("glyphs", "a" * 64), ("own: cats", "c" * 64), ("glyphs", "b" * 64)]
        )
    ]
    groups = presets([(info, info.card.seed) for info in infos])
    assert groups == {
        "tiny-study, trained on glyphs, aaaaaaaa": [0, 1],
        "tiny-study, trained on own: cats, cccccccc": [2],
        "tiny-study, trained on glyphs, bbbbbbbb": [3],
    }
    assert list(presets([(info, 0) for info in infos[:2]])) == ["tiny-study"]


def test_a_start_is_trained_first(toml: Callable[..., Path], tmp_path: Path) -> None:
    later = replace(PRESETS["tiny-study"].train, start="tiny-study")
    PRESETS["tiny-later"] = replace(PRESETS["tiny-study"], name="tiny-later", train=later)
    try:
        head = STUDY.replace('"tiny-study"', '"tiny-later"')
        study = read_study(toml(table("families"), head))
        order = [(run.model.preset, run.seed) for run in to_train(study, [tmp_path])]
        assert order == [
            ("tiny-study", 0), ("tiny-later", 0), ("tiny-study", 1), ("tiny-later", 1)
        ]  # fmt: skip
    finally:
        del PRESETS["tiny-later"]


def test_shipped_checkpoints_stand_in_for_runs(toml: Callable[..., Path], tmp_path: Path) -> None:
    head = 'title = "x"\n[[models]]\npreset = "glyphs-hvae3-elbo"\nseeds = [0, 77]\n'
    shipped, other = wanted(read_study(toml(table("families"), head)), [tmp_path])
    assert shipped.path == checkpoint_path("glyphs-hvae3-elbo")
    assert other.path is None and other.seconds > 60


def test_a_set_that_is_not_here_leaves_the_rest_alive(
    told: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_of(tmp_path / "elsewhere", 5, data="cifar")
    head = STUDY + f'[[models]]\nkey = "far"\ncheckpoint = "{path}"\n'
    tables = table("detection", 'scores = ["elbo"]\nsets = ["lower", "street"]') + table("collapse")
    empty = tmp_path / "none"
    empty.mkdir()
    found = told(tables, "--data-root", str(empty), head=head)
    (far,) = rows(found["detection"], model="far")
    assert far["missing"] == "images not on this machine" and not far["figures"]
    assert rows(found["collapse"], model="far")[0]["missing"] == "images not on this machine"
    assert all(row["figures"] for row in rows(found["detection"], set="lower"))
    page = (tmp_path / "out" / "detection.md").read_text()
    assert "images not on this machine" in page


def test_a_seed_that_is_not_trained_is_named(
    told: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    head = STUDY.replace('preset = "tiny-study"\n"""', "") + "seeds = [9]\n"
    found = told(table("detection", 'scores = ["elbo", "llr_ada"]'), head=head)["detection"]
    assert {row["missing"] for row in rows(found, model="one")} == {"seed 9 not trained yet"}
    assert all(row["figures"] for row in rows(found, model="tiny"))
    page = (tmp_path / "out" / "detection.md").read_text()
    assert "| −L | seed 9 not trained yet" in page and "llr_ada" not in page


PRINTED = """
scores = ["elbo"]
percent = true
threshold = 1.0
printed = [
  {{ model = "tiny", set = "lower", auroc = "{near}", fpr80 = "{far}±0.5", comment = "It is so." }},
  {{ row = "Glow", set = "lower", auroc = "6.29" }},
]
"""


def test_printed_figures_stand_beside_and_far_ones_are_remarked_on(
    told: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    plain = told(table("detection", 'scores = ["elbo"]'))["detection"]
    (row,) = rows(plain, model="tiny", set="lower")
    here = {metric: 100 * row["figures"][metric]["mean"] for metric in ("auroc", "fpr80")}
    more = PRINTED.format(near=f"{here['auroc'] + 0.9:.2f}", far=f"{here['fpr80'] - 5:.1f}")
    found = told(table("detection", more))["detection"]
    (row,) = rows(found, model="tiny", set="lower")
    assert row["figures"]["auroc"]["mean"] == pytest.approx(here["auroc"])
    assert row["printed"]["auroc"] == f"{here['auroc'] + 0.9:.2f}"
    (remark,) = found["remarks"]
    expected = f"Tiny, Lower-case letters, −L: FPR80 (%) is {here['fpr80']:.1f} here and "
    assert remark.startswith(expected) and "5.0 above it. It is so." in remark
    (other,) = rows(found, model="Glow")
    assert other["printed"] == {"auroc": "6.29"} and not other["figures"]
    written = (tmp_path / "out" / "detection.md").read_text()
    assert "| Glow | Lower-case letters |  | – | 6.29 |" in written
    assert f"- {remark}" in written


BAD = [
    (table("detection"), "nonsense = 1\n" + STUDY, "nonsense"),
    (table("detection", "oops = 2"), STUDY, "oops"),
    (table("detectoin"), STUDY, "tables.0.kind"),
    (table("detection"), STUDY.replace("tiny-study", "nowhere"), "no preset 'nowhere'"),
    (table("detection"), STUDY + 'checkpoint = "a"\n', "either a preset or a checkpoint"),
    (table("detection"), STUDY.replace("[0, 1]", "[0, 0]"), "seed is named twice"),
    (
        table("detection"),
        '[[models]]\ncheckpoint = "a"\nprecision = "bf16-mixed"\n'.join(("title = 'A'\n", "")),
        "precision go with a preset",
    ),
    (table("detection"), STUDY.replace('"one"', '"tiny"'), "two models are called tiny"),
    (table("detection") * 2, STUDY, "two tables are called detection"),
    (table("detection", 'models = ["two"]'), STUDY, "names the model two"),
    (table("samplers"), STUDY, "a judge goes with"),
    (table("detection", "threshold = 1\nrelative = 1"), STUDY, "not both"),
    ("[[tables]\n", STUDY, "is not valid TOML"),
    (table("detection", 'sets = ["mars"]'), STUDY, "names the set mars"),
    (table("detection", 'scores = ["llr_9"]'), STUDY, "no score 'llr_9'"),
    (table("collapse", 'columns = ["weight"]'), STUDY, "no column weight"),
    (table("collapse", 'printed = [{ layer = "9", kl = 1 }]'), STUDY, "fits no row"),
    (table("collapse", 'printed = [{ layer = "1", kl = 1 }]'), STUDY, "fits 2 rows"),
    (
        table("collapse", 'models = ["one"]\nprinted = [{ layer = "1", weight = 1 }]'),
        STUDY,
        "which is no column",
    ),
    (
        table("collapse", 'models = ["one"]\nprinted = [{ layer = "1", kl = "much" }]'),
        STUDY,
        "is no number",
    ),
]


@pytest.mark.parametrize(("tables", "head", "says"), BAD, ids=[says for *_, says in BAD])
def test_what_is_wrong_is_said_in_one_sentence(
    toml: Callable[..., Path],
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tables: str,
    head: str,
    says: str,
) -> None:
    argv = ["study", str(toml(tables, head)), "--runs", str(runs), "--no-train"]
    assert main([*argv, "--out", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and says in said[0], said
    assert said[0].startswith("error: ") and said[0].endswith((".", ")"))
    assert not (tmp_path / "o").exists()


def test_no_file_and_no_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_study(tmp_path / "none.toml")
    path = tmp_path / "Bad Name.toml"
    path.write_text(STUDY + table("families"))
    with pytest.raises(ConfigError, match="small letters"):
        read_study(path)
    path.write_text('name = "good"\n' + STUDY + table("families"))
    assert read_study(path).name == "good"


class _Page(HTMLParser):
    """Open elements, addresses, and the text of scripts by id."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.seen: list[str] = []
        self.scripts: dict[str, str] = {}
        self.style = ""
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.seen.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]
        self._id = named.get("id") or ""
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self._id] = self.scripts.get(self._id, "") + data
        if self.open and self.open[-1] == "style":
            self.style += data


def test_the_page_is_whole_and_loads_nothing(
    told: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    hostile = STUDY.replace('title = "Tiny"', 'title = "</script><b>&Tiny"')
    kinds = ("detection", "collapse", "bits", "layers", "families", "grid")
    told("".join(table(kind) for kind in kinds), head=hostile)
    text = (tmp_path / "out" / "report.html").read_text()
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == [] and page.addresses == [] and "b" not in page.seen
    assert page.seen.count("table") == page.seen.count("section") == len(kinds)
    assert "link" not in page.seen and "img" not in page.seen
    assert "@import" not in page.style and "url(http" not in page.style
    assert "prefers-color-scheme: dark" in page.style
    charts = json.loads(page.scripts["charts"])
    assert set(charts) == {f"chart-{kind}" for kind in kinds}
    for both in charts.values():
        assert both["light"]["data"] and both["light"] != both["dark"]
        assert [trace["name"] for trace in both["light"]["data"]] == [
            trace["name"] for trace in both["dark"]["data"]
        ]
    assert "Plotly" in page.scripts[""]
    markdown = (tmp_path / "out" / "detection.md").read_text()
    assert "&lt;/script>&lt;b>&amp;Tiny" in markdown
    for name in ("date", "settings", "hardware", "command", "checkpoints"):
        assert f"- {name}: " in markdown and f"<dt>{name}</dt>" in text
    assert str(tmp_path) not in text and str(tmp_path) not in markdown


def test_the_command_in_a_table_names_what_was_changed(
    told: Callable[..., dict[str, Any]],
) -> None:
    about = told(table("families"), "--limit", "12", "--samples", "2")["families"]["about"]
    assert about["command"] == "python -m hvae_core study tiny.toml --limit 12 --samples 2"
    assert "at most 12 images a set, S = 2 and 2" in about["settings"]


def test_samplers_are_judged_once(
    told: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    judge = run_of(tmp_path / "judges", 8)
    more = f'models = ["one"]\njudge = "{judge}"\ndraws = 60\nsteps = [2]'
    first = told(table("samplers", more))["samplers"]
    names = [row["sampler"] for row in first["rows"]]
    assert names == ["validation images", "prior"]
    real, prior = (row["figures"] for row in first["rows"])
    assert real["seconds"]["mean"] is None and prior["seconds"]["mean"] > 0
    assert real["frechet"]["mean"] >= 0 and prior["seconds_u"]["mean"] is None

    def never(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr("hvae_core.probes.sample_quality.draw", never)
    assert told(table("samplers", more))["samplers"]["rows"] == first["rows"]


SHIPPED = sorted((ROOT / "assets" / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_studies_are_valid(path: Path) -> None:
    study = read_study(path)
    assert study.title and study.name == path.stem
    for spec in study.tables:
        assert spec.source or not spec.printed, "a printed figure has a source"
    folder = path.parent / path.stem
    if folder.is_dir():
        assert {file.stem for file in folder.glob("*.md")} == {spec.key for spec in study.tables}
        assert not list(folder.glob("*.html")) and not list(folder.glob("*.png"))


def test_a_model_may_have_draws_of_its_own(toml: Callable[..., Path]) -> None:
    spec = read_study(toml(table("detection")))
    own, other = (
        replace(model, samples=s) for model, s in zip(spec.models, (7, None), strict=True)
    )
    found = [(e.samples, e.partial_samples) for e in map(spec.evaluation, (own, other))]
    assert found == [(7, 7), (SAMPLES, SAMPLES)]


def test_sets_stand_in_the_order_of_the_table() -> None:
    subject = Subject(
        ModelSpec(preset="tiny-study"),
        (),
        {"a": "A set"},
        inside="test",
        outside=("validation", "a", "b"),
    )

    def shown(*sets: str, inside: bool = False) -> list[str]:
        spec = TableSpec(kind="bits", key="t", title="T", sets=sets)
        return [name for name, _ in shown_sets(subject, spec, inside=inside)]

    assert shown("b", "a", "validation", "elsewhere") == ["b", "a", "validation"]
    assert shown("b", "test", "b", inside=True) == ["b", "test"]
    assert shown(inside=True) == ["test", "validation", "a", "b"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_rows_stand_in_the_order_of_print(path: Path) -> None:
    """The rows of a table, as it names its sets, follow those that a paper prints."""
    for spec in read_study(path).tables:
        printed = list(dict.fromkeys(row["set"] for row in spec.printed if "set" in row))
        assert [name for name in spec.sets if name in printed] == (printed if spec.sets else [])
