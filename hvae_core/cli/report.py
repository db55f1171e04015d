"""A report as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from hvae_core.cli import show
from hvae_core.common import words
from hvae_core.common.words import layers_in_words
from hvae_core.detection.report import Report
from hvae_core.detection.set_result import SetResult

_METRICS = {
    "auroc": "AUROC (0.5 is chance, below it the score points the wrong way)",
    "auprc": "AUPRC (average precision, OOD positive)",
    "fpr80": "FPR80 (false alarms at 80 % detected; lower is better)",
    "fpr95": "FPR95 (false alarms at 95 % detected; lower is better)",
}


_COLUMNS = 8
"""Layers that a terminal can show side by side."""


def print_report(result: Report, titles: Mapping[str, str]) -> None:
    """Print settings, detection metrics, layers and bits of a report."""
    s = result.settings
    show.say(
        f"In-distribution: {titles.get(result.inside.name, result.inside.name)}, "
        f"{result.inside.images:,} images. Samples {s['samples']} "
        f"({s['partial_samples']} for k > 0), seed {s['seed']}, skipped layers pass a "
        f"{s['skipped']} down and a {s['up']} up.\n"
    )
    for metric, title in _METRICS.items():
        _detection_table(result, titles, metric, title=title)
    for key, reason in _reasons(result).items():
        show.say(f"Without {key}: {reason}\n")
    if counted := result.counted(titles):
        show.say(f"{counted}\n")
    _layer_table(result, titles)
    _bits_table(result, titles)
    _noise_table(result, titles)
    flat = result.inside.collapsed
    show.say(
        "Collapsed on the in-distribution set (under 0.01 nats a unit): "
        f"{layers_in_words(result.names, flat)}."
        if flat
        else "No layer is collapsed on the in-distribution set (under 0.01 nats a unit)."
    )


def _detection_table(result: Report, titles: Mapping[str, str], metric: str, *, title: str) -> None:
    """Sets by scores; the best score of a set is bold. Many scores are the rows."""
    keys = [s.key for s in result.scores if any(s.key in o.detections for o in result.outside)]
    heads = [titles.get(outside.name, outside.name) for outside in result.outside]
    columns = [_detection_cells(outside, keys, metric) for outside in result.outside]
    caption = _interval(result, metric)
    if len(keys) > 2 * _COLUMNS:
        rows = [[key, *cells] for key, cells in zip(keys, zip(*columns, strict=True), strict=False)]
        counts = [column[-1] for column in columns]
        show.table(title, ("score", *heads), [*rows, ["images", *counts]], caption=caption)
        return
    by_set = [[head, *cells] for head, cells in zip(heads, columns, strict=True)]
    show.table(title, ("set", *keys, "images"), by_set, caption=caption)


def _detection_cells(outside: SetResult, keys: Sequence[str], metric: str) -> list[str | Text]:
    """One metric of every score on a set, and the number of images of either side."""
    values = {key: getattr(area, metric) for key, area in outside.detections.items()}
    best = (min if metric.startswith("fpr") else max)(values.values(), default=None)
    cells: list[str | Text] = [
        Text(words.area(values[key]), style="bold" if values[key] == best else "")
        if key in values
        else "-"
        for key in keys
    ]
    return [*cells, next((str(area.n_out) for area in outside.detections.values()), "-")]


def _interval(result: Report, metric: str) -> str | None:
    """How far the 95 % intervals reach, as one number."""
    ends = [d.interval(metric) for out in result.outside for d in out.detections.values()]
    if not ends:
        return None
    widest = max((high - low) / 2 for _, low, high in ends)
    way = "DeLong" if metric == "auroc" else "bootstrap"
    return f"95 % intervals ({way}) within +-{widest:.3f}; each is in --json and --csv"


def _reasons(result: Report) -> dict[str, str]:
    """Why a score could not be had, once a score."""
    reasons: dict[str, str] = {}
    for outside in result.outside:
        for key, reason in outside.unavailable.items():
            reasons.setdefault(key, reason)
    return reasons


def _layer_table(result: Report, titles: Mapping[str, str]) -> None:
    """KL and active units by layer, for every set; many layers are the rows."""
    if len(result.names) > _COLUMNS:
        _deep_table(result, titles)
        return
    layers = zip(result.names, result.units, strict=True)
    names = [f"{name} ({units:,})" for name, units in layers]
    heads = (
        "set",
        *(f"KL {name}" for name in names),
        *(f"active {name}" for name in result.names),
    )
    rows = [(titles.get(r.name, r.name), *_kl_cells(r), *map(str, r.active_units))
            for r in result.results]  # fmt: skip
    title = "KL by layer in nats, (nats a unit), and active units; units of a layer in its head"
    show.table(title, heads, rows)


def _deep_table(result: Report, titles: Mapping[str, str]) -> None:
    """A row a layer, a column a set: KL in nats, and active units."""
    heads = ("layer", "units", *(titles.get(r.name, r.name) for r in result.results))
    rows = [
        (
            name,
            f"{units:,}",
            *(
                f"{r.kl[i]:.2f} ({r.kl_per_dim[i]:.4f}), {r.active_units[i]:,}"
                for r in result.results
            ),
        )
        for i, (name, units) in enumerate(zip(result.names, result.units, strict=True))
    ]
    show.table("KL by layer in nats, (nats a unit), and active units", heads, rows)


def _kl_cells(result: SetResult) -> list[str]:
    pairs = zip(result.kl, result.kl_per_dim, strict=True)
    return [f"{nats:.2f} ({per:.4f})" for nats, per in pairs]


def _bits_table(result: Report, titles: Mapping[str, str]) -> None:
    """Bits per dimension of the bounds and of the reconstruction terms, by k."""
    ks = range(len(result.inside.nll_bits))
    heads = ("set", *(f"-L>{k}" for k in ks), *(f"-log p(x|z>{k})" for k in ks))
    rows = []
    weighted = result.settings["samples"] > 1
    for r in result.results:
        bounds = (r.iw_bits[0] if weighted else r.bound_bits[0], *r.bound_bits[1:])
        rows.append((titles.get(r.name, r.name), *(f"{b:.4f}" for b in (*bounds, *r.nll_bits))))
    kind = "L>k (k = 0: L^S)" if weighted else "L>k"
    show.table(f"Bits per dimension of {kind} and of the reconstruction, by k", heads, rows)


def _noise_table(result: Report, titles: Mapping[str, str]) -> None:
    """How far the draws behind each bound leave it uncertain."""
    names = {"bound_error": "L>{}", "iw_error": "L^S>{}", "ratio_error": "L^S - L>{}"}
    recorded = [name for name in names if name in result.inside.errors]
    if not recorded:
        show.say(
            "Monte-Carlo standard errors: not recorded in these results, or of one draw; `draws` "
            "computes them.\n"
        )
        return
    ks = range(len(result.inside.nll_bits))
    rows = [
        (titles.get(r.name, r.name), *(f"{r.errors[n][k]:.2f}" for n in recorded for k in ks))
        for r in result.results
        if set(recorded) <= set(r.errors)
    ]
    title = "Monte-Carlo standard error of one image in nats, mean over images"
    show.table(title, ("set", *(names[n].format(k) for n in recorded for k in ks)), rows)
