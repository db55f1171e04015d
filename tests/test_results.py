"""The figures of docs/results.md are those of the stored results and of the studies' tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from hvae_core.checkpoint import inspect_checkpoint
from hvae_core.common.arrays import Floats
from hvae_core.common.ladders import LADDERS
from hvae_core.common.places import ASSETS
from hvae_core.data import worlds
from hvae_core.data.suites import suite_sets
from hvae_core.detection.by_degree import first_seen, shipped
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.leaderboard.entries import Model, board_sets, entries_of
from hvae_core.detection.leaderboard.standings import boards
from hvae_core.detection.metrics import auroc
from hvae_core.detection.power import RULES, power
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import checkpoint_path, shipped_result
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import Material, get_score
from hvae_core.scores.material import fitted_half

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results.md"
RESULTS_OF = ASSETS / "results"
SCORES = ("elbo", "bound_1", "bound_2", "llr_1", "llr_2", "llr_ada")
SETS = {
    "MNIST": "mnist",
    "KMNIST": "kmnist",
    "Omniglot, dark on white": "omniglot",
    "Omniglot, light on black": "omniglot_inverted",
    "capitals A-J": "capitals",
    "frames": "frames",
    "plain discs": "discs",
    "dots": "dots",
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
    """The rows of the page's table whose header begins with these cells."""
    lines = RESULTS.read_text("utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(first))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip(" `*") for cell in line.strip("|").split("|")]


def stored(name: str, set_name: str) -> Evaluation:
    info = inspect_checkpoint(checkpoint_path(name))
    found = shipped_result(info, set_name, EvalSettings(), limit=SHIPPED_LIMIT)
    assert found is not None, f"no stored result of {name} on {set_name}"
    return found


def _fitted(name: str) -> BoundTable:
    """The held-out images that densities are fitted to."""
    known = stored(name, "validation").table
    return known.take(fitted_half(known))


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


def test_path_statistics() -> None:
    """Of the first set of every checkpoint."""
    keys, seen = ("elbo", "llr_1", "path", "path_copod", "path_0"), set()
    for name, title, *printed in table("| checkpoint | against | −L"):
        if not name:
            continue
        held_out = Material(_fitted(name))
        inside, outside = (
            Material(stored(name, each).table, held_out=held_out) for each in ("test", SETS[title])
        )
        for key, figure in zip(keys, printed, strict=True):
            score = get_score(key, inside.table.n_levels)
            assert auroc(score(inside), score(outside)) == pytest.approx(float(figure), abs=6e-4)
        seen.add(name)
    assert len(seen) == 5


def _values(checkpoint: str, key: str, sets: Sequence[str]) -> tuple[list[Floats], float]:
    """A score of test images and of sets, and the value that calls an image out at 5 %."""
    held_out, found = stored(checkpoint, "validation"), [stored(checkpoint, name) for name in sets]
    if key == "verdict":
        return [-judge_many(one.table, held_out.table, 0.05).p for one in found], -0.05
    score = get_score(key, held_out.table.n_levels, held_out.names)
    fitted = Material(_fitted(checkpoint))
    known, *others = (Material(one.table, held_out=fitted) for one in (held_out, *found))
    return [score(one) for one in others], threshold_at(0.05, score(known)[score.counted(known)])


def test_near_and_far() -> None:
    """Every row's figures; that they are first or best is the command's to say."""
    wrong, rows, names = [], 0, ""
    for _, sets, _, checkpoint, key, *printed in table("| suite | sets "):
        names = sets.replace("`", "") or names
        shifted = suite_sets(worlds()[checkpoint.partition("-")[0]], "shifted")
        changed = [spec.name for spec in shifted]
        if not all((RESULTS_OF / checkpoint / f"{name}.npz").is_file() for name in changed):
            changed = []  # nothing of it is evaluated: told as a dash
        values, alarm = _values(checkpoint, key, ["test", *names.split(), *changed])
        inside, outs = values[0], values[1 : 1 + len(names.split())]
        whole = np.concatenate([inside, *values[1 + len(outs) :]])
        found = [
            f"{np.mean([auroc(inside, out) for out in outs]):.3f}",
            f"{100 * np.mean([(out >= alarm).mean() for out in outs]):.1f} %",
            f"{np.mean([auroc(whole, out) for out in outs]):.3f}" if changed else "–",
        ]
        rows += 1
        told = [printed[0].split()[0], *printed[2:]]
        if told != found:
            wrong.append(f"{checkpoint}, {key}, {names}: {told} is {found}")
    assert rows > 25
    assert not wrong, "\n".join(wrong)


def test_never_worse_and_the_full_spectrum() -> None:
    """CIFAR10's rows of both tables, and which rows are highest in its full spectrum."""
    world = worlds()["cifar"]
    models = [
        Model(info, info.name)
        for info in (inspect_checkpoint(checkpoint_path(name)) for name in world.checkpoints)
    ]
    at = board_sets(Sets(world))
    near, far = boards(entries_of(models, at)[0], at.world, ["near", "far"])
    for first, spectrum in (("| world | verdict | path ", False), ("| full spectrum ", True)):
        tested = [
            (row.entry.score.key.partition("_")[0], one.worst)
            for row in near.standings
            if (one := row.spectrum if spectrum else row) and one.worst
        ]
        (told,) = (row[1:] for row in table(first) if row[0] == "CIFAR10")
        kinds = ["verdict", "path", "kl", "llr", "mahalanobis", "bound", "typicality"]
        counts = []
        for kind in kinds:
            of = [not worst.worse_on for name, worst in tested if name == kind]
            counts += [f"{sum(of)} of {len(of)}"] if of else []
        assert told == counts
    highest = [max(b.standings, key=lambda row: row.spectrum.value if row.spectrum else 0)
               for b in (near, far)]  # fmt: skip
    assert [row.entry.score.key for row in highest] == ["kl_z1", "verdict"]
    assert {row.entry.model for row in highest} == {"cifar-hvae3-informative"}


def test_the_verdict_beside_other_rules() -> None:
    """CIFAR10's columns, to what other draws of noise may move."""
    rows = {row[0].strip("*"): row[1:3] for row in table("| decided by ")}
    printed = {
        "ratios": rows["LLR<sub>&gt;k</sub> alone, minimum (the verdict of 0.1)"],
        "harmonic_both": rows["both ends of −L and LLR<sub>&gt;k</sub>, harmonic mean (`bounds`)"],
        "path_harmonic": rows[
            "path, both ends of −L and LLR<sub>&gt;k</sub>, harmonic mean (`levels`)"
        ],
    }
    found = []
    for name in ("cifar-hvae3-elbo", "cifar-hvae3-informative"):
        known, test, *outs = (
            stored(name, set_name).table
            for set_name in ("validation", "test", "signs", "street", "tiny")
        )
        sets = {str(number): out for number, out in enumerate(outs)}
        found.append(power(known, test, sets, [rule for rule in RULES if rule.key in printed]))
    for of_rule in zip(*found, strict=True):
        caught, area = printed[of_rule[0].rule]
        shares = [share for one in of_rule for share in one.caught.values()]
        areas = [one for each in of_rule for one in each.areas.values()]
        assert 100 * np.mean(shares) == pytest.approx(float(caught.rstrip(" %")), abs=1.5)
        assert np.mean(areas) == pytest.approx(float(area), abs=0.015)
    # The promise: the same rules' false alarms, at three rates by halves and on the test images.
    told = [row[2:] for row in table("| way | world ") if row[1] == "CIFAR10"]
    of_rules = {of_rule[0].rule: of_rule for of_rule in zip(*found, strict=True)}
    for key, cells in zip(("harmonic_both", "path_harmonic"), told, strict=False):
        rates = np.mean([[*one.halves, *one.test] for one in of_rules[key]], axis=0)
        assert [float(cell.rstrip(" %")) for cell in cells] == pytest.approx(100 * rates, abs=0.06)


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


def study(path: str) -> Iterator[list[str]]:
    """The rows of a study's table as it is stored."""
    lines = (ASSETS / "studies" / f"{path}.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    for line in rows[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("path", "top", "sets", "told"),
    [
        ("remedies/five-layers", "z5", ["Lower-case letters"], "| remedy | KL of z5"),
        (
            "remedies-deep/deep", "z8", ["Lower-case letters", "Punctuation and signs"],
            "| model | KL of z8",
        ),
    ],
)  # fmt: skip
def test_remedies_one_at_a_time(path: str, top: str, sets: list[str], told: str) -> None:
    lines = (ASSETS / "studies" / f"{path}.md").read_text().splitlines()
    heads = next(line for line in lines if line.startswith("| model")).strip("| ").split(" | ")
    first = ("model", f"KL {top}", "collapsed layers", "active units", "NLL (nats)", "NLL lost")
    of_set = ("AUROC LLRada", "best LLR>k", "its k")
    names = [*first, *(f"{name}, {title}" for title in sets for name in of_set)]
    places = [[head.replace("&gt;", ">") for head in heads].index(name) for name in names]
    assert list(table(told)) == [[row[place] for place in places] for row in study(path)]


def test_over_three_seeds() -> None:
    layers: dict[str, list[str]] = {}
    for model, _, kl, *_ in study("seeds/collapse"):
        layers.setdefault(model.replace(", 3 layers", ""), []).append(kl)
    kls, areas = (list(table(head)) for head in ("| three layers | KL", "| three layers | set"))
    assert kls == [[model, *found] for model, found in layers.items()]
    known = {(m.replace(", 3 layers", ""), s, score): area
             for m, s, score, area, *_ in study("seeds/detection")}  # fmt: skip
    scores = ("−L", "LLR>1", "LLR>2", "LLRada")
    assert [row[:2] for row in areas] == [list(key) for key in dict.fromkeys(k[:2] for k in known)]
    for model, title, *printed in areas:
        assert printed == [known[model, title, score] for score in scores]


def test_shift_by_degrees() -> None:
    axes = {ladder.axis: name for name, ladder in LADDERS.items()}
    rows, checkpoint = 0, ""
    for name, axis, *printed in table("| checkpoint | change"):
        checkpoint = name or checkpoint
        found = shipped(checkpoint, inspect_checkpoint(checkpoint_path(checkpoint)).digest)
        assert found is not None
        seen = first_seen(next(c for c in found.changes if c.name == axes[axis]))
        top = max(key for key in seen if key[4:].isdigit())
        ours = [seen[key] for key in ("elbo", "llr_1", top, "llr_ada", "path", "verdict")]
        assert printed == ["–" if degree is None else f"{degree:g}" for degree in ours]
        rows += 1
    assert rows == 4 * len(LADDERS)


def test_families() -> None:
    known = {row[0]: row for row in study("families/families")}
    rows = list(table("| preset | parameters"))
    assert {name for name, *_ in rows} == set(known)
    for row in rows:
        *first, active, units, step = known[row[0]]
        assert row == [*first, f"{active} of {units}", step]


def test_families_on_lower_case() -> None:
    known = {(row[0], row[1]): row[2].split(" [")[0] for row in study("families/lower-case")}
    rows = list(table("| preset | −L "))
    assert {name for name, *_ in rows} == {name for name, _ in known}
    for name, *printed in rows:
        assert printed == [known[name, s] for s in ("−L", "LLR>1", "LLR>L−1", "LLRada")]


def test_remedies() -> None:
    names = {
        "plain": "Vanilla",
        "warm-up": "Warm-up",
        "free bits and warm-up": "Free bits and warm-up",
        "OverSmooth": "OverSmooth",
        "BIVA": "BIVA, 4 levels",
        "informative, after free bits": "Informative",
    }
    known = {(row[0], row[1]): row[2:4] for row in study("inf-fashion-5/table-6")}
    layers = {row[0]: row[2] for row in study("inf-fashion-5/table-14") if len(row) > 2}
    print_4 = {row[0]: row[4] for row in study("inf-fashion-5/table-4-detection")}
    rows = list(table("| objective or model"))
    assert [name for name, *_ in rows] == list(names)
    for name, plain, top, top_print, ada, ada_print, kl in rows:
        model = names[name]
        ours = [known[model, s][0].split(" [")[0] for s in ("−L", "LLR>L−1", "LLRada")]
        assert [plain, top, ada] == ours
        in_print = known[model, "LLR>L−1"][1]
        assert top_print == (print_4[model] if in_print == "–" else in_print)
        assert ada_print == known[model, "LLRada"][1]
        assert float(kl) == pytest.approx(float(layers[model]), abs=0.0051)  # the last row: the top


def test_ablations() -> None:
    known = {row[0]: (row[4], row[6]) for row in study("dvp-ablations/table-4")}
    known |= {row[0]: (row[3], row[5]) for row in study("dvp-ablations/figure-5")}
    rows = list(table("| DVP-VAE | NLL"))
    assert len(rows) == 4
    for name, *printed in rows:
        full = name if name in known else f"DVP-VAE: {name}"
        assert printed == [known[full][0], f"{known[full][1]} %"]
    pairs = {row[0]: row[4:6] for row in study("dvp-table-5/table-5")}
    for kind, *cells in table("| pair | with a pseudoinput"):
        end = "" if kind.startswith("no ") else f", {kind}"
        of, without = (pairs[f"{name}{end}"] for name in ("with a pseudoinput", "without"))
        assert cells == [of[0], without[0], of[1], without[1]]


def test_samplers() -> None:
    """All but the seconds, which are of whichever machine."""
    known = {row[1]: row[2:5] for row in study("dvp-table-6/sampling") if row[0] == "DVP-VAE"}
    rows = list(table("| sampler of u"))
    assert len(rows) > 5
    for name, *printed, _seconds in rows:
        assert printed == known[name], name


def test_figures_of_the_readme_stand_in_the_results_too() -> None:
    figures, there = (
        set(re.findall(r"\d\.\d{3}", path.read_text("utf-8")))
        for path in (ROOT / "README.md", RESULTS)
    )
    assert len(figures) > 5
    assert figures <= there
