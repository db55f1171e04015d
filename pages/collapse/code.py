"""The programs behind the panels of the collapse page."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.probes.information import IMAGES
from pages.collapse.layers import SPLITS, CollapseSettings
from pages.shared import program, store
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle

_EVALUATED = (
    "found = [(title, hv.evaluate(model, images)) for title, model in models]",
    "names = [evaluation.names for _, evaluation in found]",
)


def kl(ctx: Context, handles: Sequence[Handle], name: str, *, below: float, per_dim: bool) -> Code:
    """KL of each layer on a set, a unit or in all."""
    return program.code(
        ctx,
        f"KL of each layer on {ctx.title(name)}, {'a unit' if per_dim else 'the whole layer'}",
        *program.models(ctx, handles, name),
        "reports = [(title, hv.report(hv.evaluate(model, images), [])) for title, model in models]",
        "figure = hv.figures.kl_bars(",
        "    [(title, report.inside.kl, report.units) for title, report in reports],",
        f"    {program.theme()},",
        "    names=[report.names for _, report in reports],",
        f"    per_dim={per_dim},",
        f"    threshold={below!r},",
        *program.letters(ctx, handles),
        ")",
        command=_collapse(handles, name, below),
    )


def history(ctx: Context, handles: Sequence[Handle], split: str) -> Code:
    """KL of each layer over the epochs of training, as the file of the model keeps it."""
    return program.code(
        ctx,
        f"KL of each layer over training, {split} images",
        program.named(handles),
        "histories = []",
        "for title, model in models:",
        f'    kl = np.array(model.history["{SPLITS[split]}"])',
        "    histories.append((title, np.arange(1, len(kl) + 1), kl))",
        "figure = hv.figures.kl_history(",
        "    histories,",
        f"    {program.theme()},",
        "    names=[[latent.name for latent in model.model.latents] for _, model in models],",
        '    unit="nats",',
        *program.letters(ctx, handles),
        ")",
        uses=["import numpy as np"],
        command=program.command("inspect", program.name_of(handles[0])),
    )


def active(ctx: Context, handles: Sequence[Handle], name: str, *, above: float) -> Code:
    """Units of each layer whose posterior mean varies more than a threshold."""
    return program.code(
        ctx,
        f"Active units of each layer on {ctx.title(name)}",
        *program.models(ctx, handles, name),
        *_EVALUATED,
        "bars = []",
        "for title, evaluation in found:",
        "    units = [len(variance) for variance in evaluation.unit_variance]",
        f"    active = [int((v > {above!r}).sum()) for v in evaluation.unit_variance]",
        "    bars.append((title, active, units))",
        "figure = hv.figures.active_units(",
        f"    bars, {program.theme()}, names=names, height=300,",
        *program.letters(ctx, handles),
        ")",
        command=_collapse(handles, name, None),
    )


def variance(ctx: Context, handle: Handle, name: str, *, above: float) -> Code:
    """The variance of every unit's posterior mean."""
    return program.code(
        ctx,
        f"Variance of every unit on {ctx.title(name)}, {handle.title}",
        f"model = {program.load(handle)}",
        f"evaluation = hv.evaluate(model, {program.images(ctx, name)})",
        "figure = hv.figures.unit_heatmap(",
        "    evaluation.unit_variance,",
        f"    {program.theme()},",
        "    names=evaluation.names,",
        f"    threshold={above!r},",
        ")",
    )


def bits(ctx: Context, handles: Sequence[Handle], name: str, *, height: int = 360) -> Code:
    """Bits per dimension of the bound, and of the pixels, by k."""
    return program.code(
        ctx,
        f"Bits per dimension by k on {ctx.title(name)}",
        *program.bits(ctx, handles, name, height=height),
        command=program.command("evaluate", program.name_of(handles[0]), "--in", name),
    )


def information(ctx: Context, handles: Sequence[Handle], name: str) -> Code:
    """Mutual information of images and levels under its ceiling."""
    return program.code(
        ctx,
        f"Mutual information by k on {ctx.title(name)}",
        *program.models(ctx, handles, name),
        "measured = []",
        "for title, model in models:",
        f"    given = images.fit(model.image_shape).sample({IMAGES})",
        "    known = measure_information(model.model, model.digest, given, seed=0)",
        "    measured.append((title, known.mean, known.error, known.ceiling))",
        "figure = hv.figures.information_by_k(",
        "    measured,",
        f"    {program.theme()},",
        f"    levels={program.levels(handles)},",
        f"    counted={text(store.counted(handles))},",
        *program.letters(ctx, handles),
        ")",
        uses=["from hvae_core.probes.information import measure_information"],
        command=program.command("information", program.name_of(handles[0]), "--set", name),
    )


def active_curve(
    ctx: Context, handles: Sequence[Handle], name: str, *, settings: CollapseSettings
) -> Code:
    """The share of active units over thresholds on the variance."""
    return program.code(
        ctx,
        f"Share of active units over thresholds on {ctx.title(name)}",
        *program.models(ctx, handles, name),
        *_EVALUATED,
        "grid = np.geomspace(1e-5, 10, 121)",
        "figure = hv.figures.unit_curves(",
        "    [(title, [active_curve(v, grid) for v in e.unit_variance]) for title, e in found],",
        "    grid,",
        f"    {program.theme()},",
        "    names=names,",
        '    x_title="threshold (variance)",',
        '    y_title="active units (%)",',
        f"    chosen={settings.active_above!r},",
        *program.letters(ctx, handles),
        ")",
        uses=[
            "import numpy as np",
            "from hvae_core.evaluation.collapse import active_curve",
        ],
    )


def collapsed_curve(
    ctx: Context,
    handles: Sequence[Handle],
    name: str,
    *,
    settings: CollapseSettings,
    row: int,
) -> Code:
    """The share of units whose KL stays below eps for most of the images, over eps."""
    return program.code(
        ctx,
        f"Share of collapsed units over eps on {ctx.title(name)}",
        *program.models(ctx, handles, name),
        "grid, lines = np.geomspace(1e-5, 10, 121), []",
        "for title, model in models:",
        f"    given = images.fit(model.image_shape).sample({IMAGES})",
        "    known = measure_information(model.model, model.digest, given, seed=0)",
        "    curves = [",
        f"        collapsed_curve(t[{row}], grid) if t.size else None for t in known.levels",
        "    ]",
        "    lines.append((title, curves))",
        "figure = hv.figures.unit_curves(",
        "    lines,",
        "    grid,",
        f"    {program.theme()},",
        "    names=[[latent.name for latent in model.model.latents] for _, model in models],",
        '    x_title="eps (nats a unit)",',
        '    y_title="collapsed units (%)",',
        f"    chosen={settings.collapsed_below!r},",
        *program.letters(ctx, handles),
        ")",
        uses=[
            "import numpy as np",
            "from hvae_core.evaluation.collapse import collapsed_curve",
            "from hvae_core.probes.information import measure_information",
        ],
        command=program.command("information", program.name_of(handles[0]), "--set", name),
    )


def finding(ctx: Context, handle: Handle, name: str, *, below: float) -> Code:
    """The layers in words."""
    return program.code(
        ctx,
        f"The layers in words, {handle.title}",
        f"model = {program.load(handle)}",
        f"found = hv.diagnose(model, {program.images(ctx, name)}, threshold={below!r})",
        shows="print(found)",
        command=_collapse([handle], name, below),
    )


def _collapse(handles: Sequence[Handle], name: str, below: float | None) -> str:
    words = ["collapse", program.name_of(handles[0]), "--set", name]
    return program.command(*words, *([] if below is None else ["--below", f"{below:g}"]))
