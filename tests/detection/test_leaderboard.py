"""Means over sets against pair counting and repeated draws; standings, and rows of one's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from hvae_core.cli import standings
from hvae_core.cli.main import main
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.data import worlds
from hvae_core.data.suites import SUITES, suite_sets, with_shifted
from hvae_core.data.worlds import read_worlds
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.leaderboard import own
from hvae_core.detection.leaderboard.entries import VERDICT, Entry
from hvae_core.detection.leaderboard.standings import Areas, board, worst_against
from hvae_core.detection.metrics import auroc, auroc_interval, contest, holm
from hvae_core.detection.metrics.mean_area import area_of, compared, mean_of, pooled_area
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.lookup import checkpoint_path, shipped_result
from hvae_core.scores import get_score

SETS = ("a", "b", "c")


def entry(key: str, seed: int, shift: float = 1.0, **changes: Any) -> Entry:
    """A score with 40 images a set, rounded so that some are equal; c is the hardest set."""
    rng = np.random.default_rng(seed)
    values = {
        name: rng.normal(shift / (1 + place), 1, 40).round(1) for place, name in enumerate(SETS)
    }
    made = Entry(
        model=f"model-{seed}",
        title="A model",
        digest=changes.pop("digest", f"{seed:064x}"),
        score=get_score(key, 3),
        inside=rng.normal(0, 1, 40).round(1),
        values=values,
        pixels={name: name for name in ("", *SETS)},
    )
    return replace(made, **changes)


def kernel(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """psi of every pair, (out, in)."""
    return np.asarray((outside[:, None] > inside) + 0.5 * (outside[:, None] == inside))


def test_mean_by_counting_pairs() -> None:
    """The mean's in-distribution part is the variance of each image's mean placement."""
    one, two = entry("elbo", 1), entry("llr_1", 2)
    found = []
    for each in (one, two):
        pairs = np.stack([kernel(each.inside, each.values[name]) for name in SETS])  # (3, out, in)
        found.append((pairs.mean((0, 1)), pairs.mean(2) / 3, pairs.mean()))
    means = [mean_of([area_of(e.inside, e.values[n], 0) for n in SETS]) for e in (one, two)]
    for mean, (inside, outside, value) in zip(means, found, strict=True):
        variance = inside.var(ddof=1) / 40 + (outside.var(axis=1, ddof=1) / 40).sum()
        assert mean.value == pytest.approx(value)
        assert mean.error == pytest.approx(np.sqrt(variance))
        assert mean.interval()[0] == pytest.approx(value - 1.959964 * np.sqrt(variance))
    test = compared(*means)
    apart = found[0][0] - found[1][0], found[0][1] - found[1][1]
    error = np.sqrt(apart[0].var(ddof=1) / 40 + (apart[1].var(axis=1, ddof=1) / 40).sum())
    difference = found[0][2] - found[1][2]
    assert test.difference == pytest.approx(difference)
    assert test.p_value == pytest.approx(2 * norm.sf(abs(difference) / error))


def test_the_full_spectrum_by_counting_pairs() -> None:
    """An image's error is that of the sum over its versions: by the jackknife, image by image."""
    rng = np.random.default_rng(1)
    inside = rng.normal(size=60).round(1)
    shifted = [(inside + rng.normal(0.5, 0.3, 60)).round(1), (2 * inside).round(1)]
    outside = rng.normal(1, 1, 50).round(1)
    versions = np.stack([inside, *shifted])
    found = pooled_area([inside, *shifted], outside)
    assert found.value == pytest.approx(kernel(versions.ravel(), outside).mean())
    by_image = kernel(versions.ravel(), outside).mean(0).reshape(3, 60).mean(0)
    by_out = kernel(versions.ravel(), outside).mean(1)
    variance = by_image.var(ddof=1) / 60 + by_out.var(ddof=1) / 50
    assert found.error == pytest.approx(np.sqrt(variance))
    alone, known = pooled_area([inside], inside[:50] + 1), auroc_interval(inside, inside[:50] + 1)
    assert (alone.value, *alone.interval()) == pytest.approx(known)
    with pytest.raises(ScoreError, match="at least two images"):
        pooled_area([inside, inside[:1]], outside)


def test_what_is_caught_and_the_full_spectrum_of_a_row() -> None:
    one = entry("elbo", 14, alarm=1.2)
    board_of = board([one], "near", ["a", "b"], [], shifted=["c", "d"], known=Areas())
    (row,) = board_of.standings
    shares = [np.mean(one.values[name] >= 1.2) for name in "ab"]
    assert row.caught is not None and row.caught.value == pytest.approx(np.mean(shares))
    half = 1.959964 * np.sqrt(sum(p * (1 - p) / 40 for p in shares)) / 2
    assert row.caught.high - row.caught.value == pytest.approx(half)
    assert row.by_set["a"].caught == pytest.approx(shares[0])
    inside = np.concatenate([one.inside, one.values["c"]])
    assert board_of.shifted == ("c",) and row.spectrum is not None
    assert row.spectrum.value == pytest.approx(
        np.mean([auroc(inside, one.values[name]) for name in "ab"])
    )
    # none by a row of before, nor of one that lacks a shifted set, nor of shifted sets themselves
    (bare,) = board([replace(one, alarm=None)], "near", ["a"], [], known=Areas()).standings
    assert bare.caught is bare.spectrum is bare.by_set["a"].caught is None
    lacks = replace(one, values={name: one.values[name] for name in "ab"})
    rows = board([one, lacks], "far", ["a"], [], shifted=["c"], known=Areas()).standings
    assert [row.spectrum is None for row in rows] == [row.entry is lacks for row in rows]
    (shift,) = board([one], "shifted", ["a"], [], shifted=["c"], known=Areas()).standings
    assert shift.caught is shift.spectrum is None


def test_rows_are_tested_in_the_full_spectrum() -> None:
    """By counting pairs, an image's versions and sets together, and by drawing images anew."""
    rng = np.random.default_rng(15)
    one, two = entry("llr_1", 15, 1.6), entry("elbo", 16, 1.2)
    two = replace(two, inside=(two.inside + one.inside).round(1), digest=one.digest)
    names, changed = ["a", "b"], ["c", "d"]
    pixels = {name: name for name in ("", *SETS, "d")}
    turned = {"c": (one.inside + 0.5).round(1), "d": rng.normal(0, 1, 40).round(1)}
    one = replace(one, values={**one.values, **turned}, pixels=pixels)
    turned = {"c": (2 * two.inside).round(1), "d": rng.normal(0.4, 1, 40).round(1)}
    two = replace(two, values={**two.values, **turned}, pixels=pixels)
    other = replace(two, pixels=pixels | {"d": "other"}, score=get_score("llr_2", 3))
    rows = board(
        [one, two, other], "near", names, names, shifted=changed, known=Areas()
    ).standings  # fmt: skip
    by_entry = {id(row.entry): row.spectrum for row in rows}
    found, best = by_entry[id(two)], by_entry[id(one)]
    assert found and best and best.value > found.value and best.p_value is None

    def pairs(each: Entry, name: str) -> np.ndarray:
        inside = np.concatenate([each.inside, *(each.values[c] for c in changed)])
        return kernel(inside, each.values[name])  # (out, versions x in)

    apart = np.stack([pairs(two, name) - pairs(one, name) for name in names])
    by_image = apart.mean((0, 1)).reshape(3, 40).mean(0)
    by_out = apart.mean(2) / 2
    error = np.sqrt(by_image.var(ddof=1) / 40 + (by_out.var(axis=1, ddof=1) / 40).sum())
    assert found.value - best.value == pytest.approx(apart.mean())
    p = 2 * norm.sf(abs(apart.mean()) / error)
    assert found.p_value == pytest.approx(p)  # of one test alone: the third row saw other pixels
    assert by_entry[id(other)].p_value is None and found.level_with_first != (p <= 0.05)
    again = []
    for _ in range(800):
        i, a, b = rng.integers(0, 40, (3, 40))
        cube = apart.reshape(2, 40, 3, 40)[..., i]
        again.append((cube[0, a].mean() + cube[1, b].mean()) / 2)
    assert np.std(again) == pytest.approx(error, rel=0.1)

    # never worse: each set by itself, Holm for the two
    assert best.worst and best.worst.sets == 2 and found.worst is None
    tests = []
    for which in apart:
        image, out = which.mean(0).reshape(3, 40).mean(0), which.mean(1)
        spread = np.sqrt(image.var(ddof=1) / 40 + out.var(ddof=1) / 40)
        tests.append(2 * norm.sf(abs(which.mean()) / spread))
    certain = [n for n, d, p in zip(names, apart, holm(tests), strict=True)
               if d.mean() > 0 and p <= 0.05]  # fmt: skip
    assert best.worst.worse_on == tuple(certain)
    assert best.worst.difference == pytest.approx(min(-which.mean() for which in apart))


def test_the_command_ranks_by_the_full_spectrum(capsys: pytest.CaptureFixture[str]) -> None:
    """A score that sees a change is first without it, and behind one that does not with it."""
    calm = entry("llr_1", 17, 1.2)
    wild = replace(entry("elbo", 18, 3.0), digest=calm.digest)
    wild = replace(wild, values={**wild.values, "c": wild.inside + 9})
    calm = replace(calm, values={**calm.values, "c": calm.inside})
    found = board([calm, wild], "near", ["a"], ["a"], shifted=["c"], known=Areas())
    assert found.standings[0].entry is wild
    specs = [SimpleNamespace(name=n, title=n.upper(), suite="near") for n in SETS]
    world: Any = SimpleNamespace(title="World", sets=specs)
    shown = {}
    for full in (False, True):
        ranked = standings.by_spectrum(found) if full else found
        standings.table(world, ranked, 0, full_spectrum=full)
        shown[full] = capsys.readouterr().out
        lines = [line.split() for line in shown[full].splitlines() if line[1:2].isdigit()]
        assert [line[2] for line in lines] == (["llr_1", "elbo"] if full else ["elbo", "llr_1"])
    assert "are of the full spectrum" in shown[True] and "of the full" not in shown[False]
    spectrum, worst = found.standings[1].spectrum, found.standings[1].worst
    assert spectrum and spectrum.worst and worst
    assert f"{spectrum.worst.difference:+.3f} A" in shown[True]
    assert f"{worst.difference:+.3f} A" in shown[False] and worst.difference < 0
    assert spectrum.worst.difference > 0
    assert main(["leaderboard", "--suite", "shifted", "--full-spectrum"]) == 2
    assert "leave out" in capsys.readouterr().err


def test_one_set_is_the_known_interval_and_test() -> None:
    """Also on unequal numbers, of which all metrics draw the same."""
    rng = np.random.default_rng(3)
    inside, outside = rng.normal(size=(2, 50)).round(1), rng.normal(0.5, 1, (2, 30)).round(1)
    first, second = (area_of(i, o, 7) for i, o in zip(inside, outside, strict=True))
    known = contest((inside[0], outside[0]), (inside[1], outside[1]), 7)
    test = compared(first, second)
    assert (test.difference, test.low, test.p_value) == pytest.approx(
        (known.difference, known.low, known.p_value)
    )
    even = area_of(inside[0][:30], outside[0], 7)
    area, low, high = auroc_interval(inside[0][:30], outside[0])
    assert (even.value, *even.interval()) == pytest.approx((area, low, high))


def test_the_error_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(4)
    values, errors = [], []
    for _ in range(200):
        inside = rng.normal(size=60)
        mean = mean_of([area_of(inside, rng.normal(s, 1, 60), 0) for s in (0.4, 0.8, 1.2)])
        values.append(mean.value)
        errors.append(mean.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)
    # Three sets that were independent would promise much less than what they share allows.
    assert np.mean(errors) > 1.2 * np.sqrt(np.mean([e**2 for e in errors]) / 3)


def test_standings() -> None:
    likelihood = entry("elbo", 5, 0.8)
    same = likelihood.digest
    better = replace(entry("llr_1", 6, 3.0, digest=same), model=likelihood.model)
    other = entry("llr_1", 7, 0.9, pixels={"": "other", **{name: name for name in SETS}})
    short = entry("llr_2", 8, 9.0, values={"a": np.ones(40)})
    entries = [likelihood, other, better, short]
    found = board(entries, "near", SETS, SETS, known=Areas())
    assert [row.entry for row in found.standings] == [better, other, likelihood] or [
        row.entry for row in found.standings
    ] == [better, likelihood, other]
    areas = np.array([[auroc(e.inside, e.values[n]) for n in SETS] for e in entries[:3]])
    ranks = np.mean([rankdata(-column) for column in areas.T], axis=0)
    by_entry = {id(row.entry): row for row in found.standings}
    for place, each in enumerate(entries[:3]):
        row = by_entry[id(each)]
        assert row.area == pytest.approx(areas[place].mean())
        assert row.rank == pytest.approx(ranks[place])
    first = by_entry[id(better)]
    assert first.p_value is None and not first.level_with_first
    assert by_entry[id(other)].p_value is None  # it rated other pixels
    assert by_entry[id(likelihood)].p_value is not None and by_entry[id(likelihood)].worst is None
    assert first.worst is not None and not first.worst.worse_on

    # The order of images and further entries change nothing.
    turned = replace(
        better, inside=better.inside[::-1], values={n: v[::-1] for n, v in better.values.items()}
    )
    again = board([turned], "near", SETS, SETS, known=Areas()).standings[0]
    assert (again.area, again.low, again.rate) == pytest.approx((first.area, first.low, first.rate))


def test_never_worse() -> None:
    rival = entry("elbo", 9, 2.0)
    weak = entry("llr_1", 10, 0.1, digest=rival.digest)
    found = worst_against(weak, rival, SETS, known=Areas())
    tests = [
        contest((weak.inside, weak.values[n]), (rival.inside, rival.values[n]), 0) for n in SETS
    ]
    corrected = holm([test.p_value for test in tests])
    worse = [
        n for n, t, p in zip(SETS, tests, corrected, strict=True) if t.difference < 0 and p <= 0.05
    ]
    assert found is not None and worse
    assert found.worse_on == tuple(worse)
    assert found.difference == pytest.approx(min(test.difference for test in tests))
    assert found.set_name == SETS[int(np.argmin([test.difference for test in tests]))]


def test_of_shifted_images_the_least_reaction_is_first() -> None:
    calm, wild = entry("elbo", 11, 0.0), entry("llr_1", 12, 3.0)
    upside_down = replace(
        wild, score=get_score("llr_2", 3), inside=-wild.inside,
        values={n: -v for n, v in wild.values.items()},
    )  # fmt: skip
    rows = board([wild, upside_down, calm], "shifted", SETS, (), known=Areas()).standings
    assert rows[0].entry is calm
    assert rows[1].area == pytest.approx(rows[2].area) and rows[1].rank == rows[2].rank == 2.5


@pytest.mark.parametrize("key", worlds())
def test_every_set_held_against_a_world_has_its_suite(key: str) -> None:
    world = with_shifted(worlds()[key])
    assert all(spec.suite in ("near", "far") for spec in world.with_role("out"))
    for suite in SUITES:
        specs = suite_sets(world, suite)
        assert specs and all(spec.why for spec in specs)
        assert {spec.role for spec in specs} == {"control" if suite == "shifted" else "out"}


def test_a_world_names_no_unknown_set(tmp_path: Path) -> None:
    path = tmp_path / "worlds.toml"
    about = '[w]\ntitle = "W"\nshape = [1, 8, 8]\n'
    path.write_text(f'{about}[w.in]\ntest = "mnist"\n[w.suites.near]\nmars = "red"\n')
    with pytest.raises(DataError, match="mars"):
        read_worlds(path)


def test_rows_of_ones_own_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path))
    checkpoint: Any = SimpleNamespace(
        model=SimpleNamespace(n_levels=3), config=SimpleNamespace(latent_names=("z1", "z2", "z3"))
    )
    made = [
        entry("elbo", 13, alarm=2.5),
        replace(entry("llr_2", 13), values={"a": np.ones(40)}),
        replace(entry("llr_2", 13), score=VERDICT),
    ]
    own.keep(checkpoint, "glyphs", made)
    (tmp_path / "leaderboard" / "glyphs.broken.npz").write_bytes(b"PK")
    found = own.own_entries("glyphs")
    assert [each.score.key for each in found] == ["elbo", "llr_2", "verdict"]
    assert found[2].score is VERDICT
    assert all(e.own for e in found) and [e.alarm for e in found] == [2.5, None, None]
    np.testing.assert_array_equal(found[0].values["c"], made[0].values["c"])
    assert list(found[1].values) == ["a"] and found[1].pixels == made[1].pixels
    assert not own.own_entries("cutouts")
    assert own.remove("glyphs", "model-13") and not own.own_entries("glyphs")


def test_the_command_reads_stored_results(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path))
    assert main(["leaderboard", "cifar-hvae3-elbo", "--suite", "far", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["cifar"]["far"]
    row = next(row for row in table["rows"] if row["score"] == "llr_1")
    info = SimpleNamespace(name="cifar-hvae3-elbo", digest=row["digest"], image_shape=(3, 32, 32))
    score = get_score("llr_1", 3)
    inside, *outs = (
        shipped_result(info, name, EvalSettings(), limit=SHIPPED_LIMIT).table
        for name in ("test", *table["sets"])
    )
    assert row["auroc"] == pytest.approx(np.mean([auroc(score(inside), score(o)) for o in outs]))
    verdict = next(row for row in table["rows"] if row["score"] == "verdict")
    held_out, test, *sets = (
        shipped_result(info, name, EvalSettings(), limit=SHIPPED_LIMIT).table
        for name in ("validation", "test", *table["sets"])
    )
    p, *others = (judge_many(one, held_out, 0.05).p for one in (test, *sets))
    assert verdict["auroc"] == pytest.approx(np.mean([auroc(-p, -other) for other in others]))
    caught = [np.mean(other <= 0.05) for other in others]
    assert verdict["caught"]["value"] == pytest.approx(np.mean(caught))
    shifted = shipped_result(info, "inverted", EvalSettings(), limit=SHIPPED_LIMIT).table
    both = np.concatenate([score(inside), score(shifted)])
    assert row["full_spectrum"]["value"] == pytest.approx(
        np.mean([auroc(both, score(out)) for out in outs])
    )
    low = threshold_at(0.05, score(held_out))
    assert row["caught"]["value"] == pytest.approx(np.mean([score(out) >= low for out in outs]))
    assert checkpoint_path(info.name).is_file()
    assert main(["leaderboard", info.name, "--suite", "far", "--full-spectrum", "--json"]) == 0
    ranked = json.loads(capsys.readouterr().out)["cifar"]["far"]["rows"]
    spectra = [each["full_spectrum"]["value"] for each in ranked]
    plainly = [row["full_spectrum"] for row in table["rows"]]
    assert spectra == sorted((each["value"] for each in plainly if each), reverse=True)
    assert spectra != [each["value"] for each in plainly if each]  # the two orders differ
    assert main(["leaderboard", "nobody"]) == 2
    assert "--add" in capsys.readouterr().err
