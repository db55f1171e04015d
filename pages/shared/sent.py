"""A chart as it is sent to the browser: so that Plotly does not draw it anew without a change.

Streamlit gives a new chart to Plotly twice. The second time Plotly looks for what has changed, and
draws everything again where something has. It takes for a change what is none: a template, numbers
that travel packed, data without a mark of their own. And a chart in which a box takes images is
told so by Streamlit between the two. (A width of whole pixels is in style.py.) And Plotly itself
draws a chart a second time where labels need wider margins: room.py leaves them room.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.shared import remembered
from pages.shared.room import HALF, with_room

MOST = 8192
"""Numbers of a chart that travel as text; of a larger one they are packed, and drawn twice."""


class Sent(go.Figure):
    """A figure whose template is written out, whose numbers are lists, and whose labels have room.

    With ``box`` a drag takes a box from the start. ``width``: pixels, about, for ``with_room``.
    """

    def __init__(self, figure: go.Figure, *, box: bool = False, width: int = HALF) -> None:
        # Not go.Figure's own: it would check every property once more.
        said = remembered.of(figure, told)
        layout = with_room(said["layout"], said["data"], width=width)
        taking = {"dragmode": "select", "clickmode": "event"} if box else {}
        self._told = {**said, "layout": {**layout, **taking}}

    def to_dict(self) -> dict[str, Any]:
        """What goes to the browser."""
        return self._told


def told(figure: go.Figure) -> dict[str, Any]:
    """What a figure says, in the form that Plotly knows again."""
    said: dict[str, Any] = figure.to_dict()
    layout = _written_out(said["layout"])
    if _count(said["data"]) > MOST:
        return {**said, "layout": layout}
    # The mark of the data: Plotly compares this, and not the numbers.
    packed = json.dumps(said["data"], default=_written).encode()
    layout["datarevision"] = hashlib.sha256(packed).hexdigest()[:16]
    return {**said, "data": _unpacked(said["data"]), "layout": layout}


def _written_out(layout: Mapping[str, Any]) -> dict[str, Any]:
    """A layout with what its template says of the same things, where it does not say otherwise."""
    own = dict(layout)
    template = own.get("template", {})
    look = template.get("layout", {})
    if template.keys() - {"layout"} or any(name.endswith("defaults") for name in look):
        return own  # what a template says of things by their kind has no other form
    del own["template"]
    for name, value in look.items():
        axes = name in ("xaxis", "yaxis")
        alike = {other for other in own if axes and other.startswith(name)} | {name}
        for other in alike:
            own[other] = _merged(value, own[other]) if other in own else value
    return own


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    both = {name: _merged(base[name], over[name]) for name in base.keys() & over.keys()}
    return {**base, **over, **both}


def _is_packed(value: object) -> bool:
    return isinstance(value, dict) and "bdata" in value


def _count(value: object) -> int:
    """How many packed numbers there are."""
    if isinstance(value, dict):
        if _is_packed(value):
            packed = len(value["bdata"]) * 3 // 4
            return packed // np.dtype(value["dtype"]).itemsize
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list | tuple) else 0


def _unpacked(value: Any) -> Any:
    """The same with lists of numbers in place of packed ones; singles have seven digits."""
    if isinstance(value, list | tuple):
        return [_unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if not _is_packed(value):
        return {name: _unpacked(one) for name, one in value.items()}
    numbers = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
    shape = [int(size) for size in str(value.get("shape", numbers.size)).split(",")]
    if numbers.dtype == np.float32:
        numbers = np.array([float(f"{one:.7g}") for one in numbers.tolist()])
    return numbers.reshape(shape).tolist()


def _written(value: Any) -> Any:
    """What JSON has no form for: lists of words, dates."""
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
