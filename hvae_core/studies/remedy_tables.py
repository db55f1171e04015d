"""What remedies against collapse do for one network, and at what price."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.studies.compare import compare
from hvae_core.studies.members import Member, Subject
from hvae_core.studies.rows import MODEL, Made, filled, reason_of, result_of, row_of, shown_sets
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure

ADAPTIVE = "llr_ada"


def remedies(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """KL by layer, active units, likelihood and detection; the first model is the one held against.

    ``nll`` is -L^S in nats (HVK Eq. 9) on the in-distribution set; ``lost`` how much more it is
    than the first model's, seed by seed where both have the same seeds. ``kl_i`` is in nats.
    Of each set that the table names: AUROC of LLR_ada (INF Eq. 11), and that of the LLR>k that is
    best on average over seeds (``k``), a choice made in hindsight with the set at hand.
    """
    layers = max((len(m.info.latent_shapes) for s in subjects for m in s.members), default=0)
    columns = [Column(f"kl_{i}", f"KL z{i}", 2) for i in range(1, layers + 1)]
    columns += [
        Column("collapsed", "collapsed layers", 1),
        Column("active", "active units", 0),
        Column("nll", "NLL (nats)", 1),
        Column("lost", "NLL lost", 1),
    ]
    sets = {name: title for s in subjects for name, title in shown_sets(s, spec, inside=False)}
    for name, title in sets.items():
        columns += [
            Column(f"ada_{name}", f"AUROC LLRada, {title}", 3),
            Column(f"best_{name}", f"best LLR>k, {title}", 3),
            Column(f"k_{name}", f"its k, {title}", 0),
        ]
    columns += [Column("step", "ms a step", 0, factor=1000.0), Column("seeds", "seeds", 0)]
    plain = _nll(subjects[0]) if subjects else {}
    rows = []
    for subject in subjects:
        row = row_of(subject, reason_of(subject, subject.inside))
        figures = _figures(subject, list(sets), plain)
        rows.append(filled(row, figures) if figures else row)
    return MODEL, columns, rows


def _figures(subject: Subject, sets: Sequence[str], plain: dict[int, float]) -> dict[str, Figure]:
    """One model's row; ``plain`` has the first model's NLL by seed."""
    members = [m for m in subject.members if m.inside in m.evaluations]
    if not members:
        return {}
    line = compare([(m.info, m.evaluations[m.inside]) for m in members])[0]
    kl = [m.evaluations[m.inside].table.kl.mean(0) for m in members]
    figures = {
        f"kl_{i + 1}": Figure.of([float(values[i]) for values in kl]) for i in range(len(kl[0]))
    }
    nll = _nll(subject)
    shared = [seed for seed in nll if seed in plain]
    for key, spread in (
        ("collapsed", line.collapsed),
        ("active", line.active),
        ("nll", line.nll),
        ("step", line.seconds_a_step),
    ):
        figures[key] = Figure(spread.mean, spread.deviation)
    if shared:
        figures["lost"] = Figure.of([nll[seed] - plain[seed] for seed in shared])
    figures["seeds"] = Figure(float(len(members)))
    for name in sets:
        figures |= _detected(members, name)
    return figures


def _nll(subject: Subject) -> dict[int, float]:
    """-L^S by seed, mean over the in-distribution set."""
    return {
        m.info.card.seed: float(-m.evaluations[m.inside].table.iw[:, 0].mean())
        for m in subject.members
        if m.inside in m.evaluations
    }


def _detected(members: Sequence[Member], name: str) -> dict[str, Figure]:
    """AUROC of LLR_ada and of the best LLR>k on one set, over the seeds that have it."""
    found = [result.detections for m in members if (result := result_of(m, name)) is not None]
    if not found:
        return {}
    levels = members[0].evaluations[members[0].inside].table.n_levels
    by_k = {
        k: [float(d[f"llr_{k}"].auroc) for d in found if f"llr_{k}" in d] for k in range(1, levels)
    }
    figures = {}
    if all(ADAPTIVE in d for d in found):
        figures[f"ada_{name}"] = Figure.of([float(d[ADAPTIVE].auroc) for d in found])
    whole = {k: values for k, values in by_k.items() if len(values) == len(found)}
    if whole:
        best = max(whole, key=lambda k: sum(whole[k]))
        figures[f"best_{name}"] = Figure.of(whole[best])
        figures[f"k_{name}"] = Figure(float(best))
    return figures
