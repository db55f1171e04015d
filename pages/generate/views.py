"""The generation page's words, controls and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from hvae_core.common.words import listed
from hvae_core.figures import StripRow
from hvae_core.probes.picture_quality import pixel_variance
from pages.shared import image_names, store
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.generate import FromPictures

DRAWS = 6
"""Pictures beside each other: as many as a laptop's width holds at double size."""
UNITS = 8
"""Units shown in a traversal, the most active ones."""
STEPS = 9
VISIBLE = 0.002
"""Mean change of a pixel that counts: half of one of 255 grey levels."""


_BY_CONTENT: dict[str, Any] = {
    "max_entries": 32,
    "show_spinner": False,
    "hash_funcs": {
        Handle: lambda handle: handle.digest,
        image_names.Chosen: lambda chosen: tuple(chosen.images.image_digests()),
    },
}


@st.cache_resource(**_BY_CONTENT)
def _encoded(handle: Handle, chosen: image_names.Chosen, seed: int):  # type: ignore[no-untyped-def]
    """One joint state of all layers for the chosen images under a model, z_1 first."""
    from hvae_core.probes.generate import encode

    images = chosen.images
    return encode(store.model(handle), images.images, images.image_digests(), seed=seed)


@st.cache_data(**_BY_CONTENT)
def prior(handle: Handle, n: int, seed: int, heat: tuple[float, ...]) -> np.ndarray:
    """n prior samples with one temperature a level."""
    from hvae_core.probes.generate import prior_samples

    by_level = dict(zip(handle.level_names, heat, strict=True))
    temperature = [by_level[level] for level in handle.levels]
    return prior_samples(store.model(handle), n, seed=seed, temperature=temperature)


@st.cache_data(**_BY_CONTENT)
def redrawn(
    handle: Handle, chosen: image_names.Chosen, seed: int, temperature: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For k = 1 .. K: the mean picture and ``DRAWS`` draws with the k lowest levels redrawn.

    The last entry keeps nothing: it is drawn from the prior alone.
    """
    from hvae_core.probes.generate import prior_samples, redraws

    z, model = _encoded(handle, chosen, seed), store.model(handle)
    found = []
    for k in range(1, handle.n_levels):
        mean = redraws(model, z, k, 1, temperature=0.0)
        found.append((mean, redraws(model, z, k, DRAWS, seed=seed, temperature=temperature)))
    mean = prior_samples(model, 1, temperature=0.0)
    found.append((mean, prior_samples(model, DRAWS, seed=seed, temperature=temperature)))
    return found


@st.cache_data(**_BY_CONTENT)
def paths(handle: Handle, chosen: image_names.Chosen, seed: int) -> list[np.ndarray]:
    """For every k the way from the first image's z_>k to the second's, (STEPS, C, H, W)."""
    from hvae_core.probes.generate import interpolation

    z, model = _encoded(handle, chosen, seed), store.model(handle)
    return [interpolation(model, z, k, STEPS) for k in range(handle.n_levels)]


@st.cache_data(**_BY_CONTENT)
def traversed(
    handle: Handle,
    chosen: image_names.Chosen,
    seed: int,
    layer: int,
    units: Sequence[int],
    reach: float,
) -> tuple[list[np.ndarray], list[float]]:
    """One row of pictures a unit, set to values between -reach and reach, and those values."""
    from hvae_core.probes.generate import traversal

    values = [float(v) for v in np.linspace(-reach, reach, STEPS)]
    z, model = _encoded(handle, chosen, seed), store.model(handle)
    return [traversal(model, z, layer, unit, values) for unit in units], values


def active_first(variance: np.ndarray | None, units: int) -> tuple[list[int], bool]:
    """The units to walk along, the most active first where it is known which those are."""
    if variance is None or len(variance) != units:
        return list(range(min(UNITS, units))), False
    order = np.argsort(-np.asarray(variance), kind="stable")
    return [int(i) for i in order[:UNITS]], True


@st.cache_data(**_BY_CONTENT)
def picture_on_top(handle: Handle) -> str | None:
    """ "latent" where the topmost latent is a picture, "prior" where its prior is made of some."""
    from hvae_core.probes.generate import picture_on_top as found

    return found(store.model(handle))


@st.cache_resource(**_BY_CONTENT)
def from_prior(handle: Handle, n: int, seed: int, temperature: float) -> FromPictures:
    """n topmost latents drawn from their prior, and what the model makes of each."""
    from hvae_core.probes.generate import drawn_tops, from_top

    model = store.model(handle)
    top = drawn_tops(model, n, seed=seed, temperature=temperature)
    return from_top(model, top, DRAWS, seed=seed, temperature=temperature)


@st.cache_resource(**_BY_CONTENT)
def from_images(
    handle: Handle, chosen: image_names.Chosen, seed: int, temperature: float
) -> FromPictures:
    """The topmost latent of each chosen image, and what the model makes of that alone."""
    from hvae_core.probes.generate import from_top

    top = _encoded(handle, chosen, seed)[-1]
    return from_top(store.model(handle), top, DRAWS, seed=seed, temperature=temperature)


def learned(handle: Handle) -> int:
    """How many learned images the prior is made of."""
    images = store.model(handle).prior_images()
    return 0 if images is None else len(images[0])


@st.cache_resource(**_BY_CONTENT)
def from_learned(
    handle: Handle, which: Sequence[int], n: int, seed: int, temperature: float
) -> FromPictures:
    """Learned images of the prior by number, and what the model makes of each."""
    from hvae_core.probes.generate import from_prior_images

    return from_prior_images(store.model(handle), which, n, seed=seed, temperature=temperature)


def pick(ctx: Context, key: str, label: str, index: int) -> str:
    """One image by set and number; both in the URL."""
    titles = {spec.name: spec.title for spec in ctx.world.with_role("in", "out", "control")}
    if st.session_state.get(f"{key}_set") not in (None, *titles):
        del st.session_state[f"{key}_set"]  # a set of another world
    names = list(titles)
    chosen = st.selectbox(
        label, names, names.index(ctx.in_name), format_func=titles.__getitem__, key=f"{key}_set",
        bind="query-params", width=200,
    )  # fmt: skip
    number = st.number_input(
        "Number", 0, store.SHOWN_LIMIT - 1, index, key=f"{key}_number", bind="query-params",
        width=100,
    )  # fmt: skip
    return image_names.name_of(chosen or ctx.in_name, int(number or 0))


def temperature_control(key: str) -> float:
    """How far draws stray from the means."""
    return float(
        st.slider("Temperature", 0.0, 2.0, 1.0, 0.1, key=key, bind="query-params",
                  help="Scales the spread of every draw: 0 is the mean, 1 the model's own.")
    )  # fmt: skip


def draw_control(ctx: Context) -> int:
    """Which draw; the seed of the sidebar and this number make the picture again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw = st.number_input("Draw", 0, 9999, key="g_draw", bind="query-params", width=120)
        st.button("Redraw", on_click=_next_draw, icon=":material/casino:")
    return ctx.seed + 1_000_000 * int(draw or 0)


def _next_draw() -> None:
    st.session_state["g_draw"] = (int(st.session_state.get("g_draw") or 0) + 1) % 10_000


def row(label: str, pictures: Any) -> StripRow:
    """A row of a strip without losses, neither in- nor out-of-distribution."""
    return StripRow(label, list(pictures), [None] * len(pictures), out=None)


def picture_rows(
    made: FromPictures, labels: Sequence[str], name: str, beside: Any = None
) -> tuple[list[StripRow], list[str]]:
    """One row a picture: it, the mean picture, the draws; before it the images it stands for."""
    lines, heads = [], [name, "mean", *(f"draw {i + 1}" for i in range(made.draws.shape[1]))]
    for i, label in enumerate(labels):
        own = [made.pictures[i], made.means[i], *made.draws[i]]
        lines.append(row(label, own if beside is None else [beside[i], *own]))
    return lines, heads if beside is None else ["x", *heads]


def picture_claim(made: FromPictures, name: str) -> str:
    """How much of what the draws vary in the pictures at the top decide."""
    whole = pixel_variance(made.draws.reshape(-1, *made.draws.shape[2:]))
    within = float(np.mean([pixel_variance(draws) for draws in made.draws]))
    share = max(0.0, 1 - within / whole) if whole > 0 else 0.0
    return f"{name} decides {_percent(share)} of what these samples vary in"


def redrawn_rows(
    handle: Handle, chosen: image_names.Chosen, found: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[StripRow], list[str]]:
    """One row a k: what is kept, the mean picture, the draws."""
    x = chosen.images.images[0].astype(np.float32) / 255
    names = [f"keep {part}" for part in (*upwards(handle.level_names[1:]), "nothing")]
    made = [
        row(name, [x, mean[0], *draws]) for name, (mean, draws) in zip(names, found, strict=True)
    ]
    return made, ["x", "mean", *(f"draw {i + 1}" for i in range(DRAWS))]


def upwards(levels: Sequence[str]) -> list[str]:
    """Each level and those over it, as "z2 and up", and the top alone."""
    return [f"{level} and up" for level in levels[:-1]] + list(levels[-1:])


def kept_share(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Share of the prior samples' pixel variance that keeping z_>k takes away, for k = 1 .. K-1."""
    whole = pixel_variance(found[-1][1])
    if whole <= 0:
        return [0.0 for _ in found[:-1]]
    return [1 - pixel_variance(draws) / whole for _, draws in found[:-1]]


def redraw_claim(handle: Handle, shares: Sequence[float]) -> str:
    """What keeping the upper levels fixes of this picture, in one sentence made of its numbers."""
    if not shares:
        return "A model of one level has nothing below to redraw"
    top, low = shares[-1], shares[0]
    names = handle.level_names[1:]
    last = f"{names[-1]} alone fixes {_percent(top)} of what prior samples vary in"
    if len(shares) == 1:
        return last
    return f"{last}; kept from {names[0]} up it is {_percent(low)}"


def prior_claim(handle: Handle, samples: np.ndarray, heat: Sequence[float], data: Any) -> str:
    """How varied the samples are, beside the images themselves where these are at hand."""
    names = handle.level_names
    if not any(heat):
        return "At temperature 0 every sample is the same picture"
    cold = [n for n, t in zip(names, heat, strict=True) if t == 0]
    tail = f", with {listed(cold)} at the mean" if cold else ""
    text = f"{len(samples)} pictures that this model expects"
    if data is not None:
        whole = pixel_variance(data.astype(np.float32) / 255)
        share = pixel_variance(samples) / whole if whole > 0 else 0.0
        text += f", {_percent(share)} as varied as the test images"
    return text + tail


def path_claim(handle: Handle, made: Sequence[np.ndarray]) -> str:
    """How much of the change between the two pictures the top level alone makes."""
    whole, top = (path[-1] - path[0] for path in (made[0], made[-1]))
    size = float((whole**2).sum())
    # the projection on the whole change: a change elsewhere in the picture does not count
    share = float((whole * top).sum()) / size if size > 0 else 0.0
    name = handle.level_names[-1]
    return f"{name} alone makes {_percent(share)} of the change between these two pictures"


def traversal_claim(handle: Handle, layer: int, made: Sequence[np.ndarray]) -> str:
    """Whether the units of a layer that are shown change the picture at all."""
    moves = [float(np.abs(path[-1] - path[0]).mean()) for path in made]
    name, best, n = handle.layers[layer - 1][0], max(moves, default=0.0), len(moves)
    many = sum(move >= VISIBLE for move in moves)
    if not many:
        return f"No unit of {name} shown here changes the picture"
    which = f"All {n} units of {name} shown" if many == n else f"{many} of {n} units of {name}"
    which = f"The unit of {name} shown" if n == 1 else which
    verb = "changes" if many == 1 else "change"
    return f"{which} {verb} the picture, by up to {_percent(best)} of the grey range on average"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
