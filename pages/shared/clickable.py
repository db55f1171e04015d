"""Pictures of several images, and charts, where the image that is clicked is the current one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.components.v2 import component

from hvae_core.common.errors import HVAEError
from hvae_core.figures.grids import Box, png_bytes
from pages.shared import current, image_names, ready, selection
from pages.shared.anew import anew
from pages.shared.current import Spot
from pages.shared.ready import Neighbour
from pages.shared.state import Context

if TYPE_CHECKING:
    from PIL.Image import Image

_HERE = Path(__file__)
_mount = component(
    "strata_clickable",
    js=ready.SCRIPT + _HERE.with_suffix(".js").read_text("utf-8"),
    css=_HERE.with_suffix(".css").read_text("utf-8"),
)
_points = component("strata_points", js=anew(_HERE.with_name("points.js").read_text("utf-8")))


def chart_points(plot_key: str, on_click: Callable[[int, int], None]) -> None:
    """Call ``on_click`` with customdata and trace of a point that is clicked in a Plotly chart.

    Streamlit's own selection tells nothing of clicks while the chart's mouse draws a lasso.
    """
    key = f"points-{plot_key}"

    def told() -> None:
        event = getattr(st.session_state.get(key), "clicked", None) or {}
        row, trace = event.get("row"), event.get("trace")
        if type(row) is int and type(trace) is int:
            on_click(row, trace)

    _points(key=key, data={"plot": plot_key}, height=1, on_clicked_change=told)


def chart_area(chart: str, spot_of: Callable[[int, int], Spot | None], of: int) -> dict[str, Any]:
    """Options of ``ui.chart``, its key too, by which a lasso or a box makes the current subset.

    ``spot_of`` says which image a point is, by its customdata and the number of its trace; there
    are ``of`` images in the chart. A double click on the chart clears the subset.
    """

    plot_key = selection.chart_key(chart)

    def told() -> None:
        points = st.session_state[plot_key]["selection"]["points"]
        known = (
            spot_of(_whole(point.get("customdata")), _whole(point.get("curve_number")))
            for point in points
        )
        selection.keep(list(dict.fromkeys(spot for spot in known if spot)), of, chart)

    return {
        "key": plot_key,
        "lasso": True,
        "on_select": told,
        "selection_mode": ("lasso", "box"),
    }


def _whole(value: object) -> int:
    """A number that the browser sent, alone or in a list; -1 for anything else."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    return first if type(first) is int else -1


def picture(
    ctx: Context,
    image: Image,
    alt: str,
    *,
    key: str,
    spots: Sequence[Spot] = (),
    boxes: Sequence[Box] = (),
    scrolls: bool = False,
    most: int = 0,
    png: bytes = b"",
    says: Mapping[str, float] | None = None,
    neighbours: Sequence[Neighbour] = (),
) -> None:
    """Draw a picture pixel by pixel, in which each of ``spots`` has its box.

    On a narrow screen it shrinks, or scrolls in its place where ``scrolls``; it is never wider than
    ``most`` screen pixels, where given. ``png`` is the picture packed, where that is at hand.
    ``neighbours`` are shown as soon as one control moves from what it ``says`` now, by its key.
    """
    names = [image_names.name_of(*spot) for spot in spots]
    beside = current.chosen(ctx, current.PINNED)
    source = base64.b64encode(png or png_bytes(image)).decode()
    data = {
        "src": f"data:image/png;base64,{source}",
        "alt": alt,
        "width": min(image.width, most or image.width),
        "scrolls": scrolls,
        "now": image_names.name_of(*current.now(ctx)),
        "beside": image_names.name_of(*beside) if beside else "",
        "spots": [
            [name, called(ctx, spot), *_shares(box, image.size)]
            for name, spot, box in zip(names, spots, boxes, strict=True)
        ],
        **ready.addresses(key, says or {}, neighbours),
    }
    with st.container(key=f"scroll_{key}") if scrolls else nullcontext():
        _mount(
            key=key,
            data=data,
            width="content" if scrolls or most else "stretch",
            on_picked_change=lambda: _clicked(ctx, key, "picked", names),
            on_pinned_change=lambda: _clicked(ctx, key, "pinned", names),
        )


def pictures(
    image: Image,
    alt: str,
    *,
    key: str,
    called: Sequence[str],
    boxes: Sequence[Box],
    on_pick: Callable[[int, str], None],
) -> None:
    """As ``picture``, of images that are in no set: ``on_pick`` gets a number and a role.

    The role is that of the current image, or with Shift that of the pinned one.
    """

    def told(event: str, role: str) -> None:
        number = str(getattr(st.session_state.get(key), event, None))
        if number in [str(place) for place in range(len(called))]:
            on_pick(int(number), role)

    spots = [
        [str(number), words, *_shares(box, image.size)]
        for number, (words, box) in enumerate(zip(called, boxes, strict=True))
    ]
    source = base64.b64encode(png_bytes(image)).decode()
    _mount(
        key=key,
        data={
            "src": f"data:image/png;base64,{source}", "alt": alt, "width": image.width,
            "scrolls": False, "now": "", "beside": "", "spots": spots,
            **ready.addresses(key, {}, ()),
        },
        width="stretch",
        on_picked_change=lambda: told("picked", current.IMAGE),
        on_pinned_change=lambda: told("pinned", current.PINNED),
    )  # fmt: skip


def called(ctx: Context, spot: Spot) -> str:
    """An image for people: title of its set, number, class and file, as far as it has them."""
    name, number = spot
    title = image_names.titled(name, ctx.title(name), number)
    try:
        images = ctx.images(name)
        label, file = int(images.labels[number]), images.file(number)
    except (HVAEError, IndexError):
        return title
    of = f", class {images.class_names[label]}" if label >= 0 else ""
    return f"{title}{of}{f', {file}' if file else ''}"


def _shares(box: Box, size: tuple[int, int]) -> list[float]:
    """Left, top, width and height in per cent of the picture."""
    return [round(100 * side / whole, 3) for side, whole in zip(box, (*size, *size), strict=True)]


def _clicked(ctx: Context, key: str, event: str, names: Collection[str]) -> None:
    """Take the image that the browser names, if it is one of those that were drawn."""
    named = getattr(st.session_state.get(key), event, None)
    if named in names:
        role = current.IMAGE if event == "picked" else current.PINNED
        current.take(image_names.parse(ctx, str(named)), role)
