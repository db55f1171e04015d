"""The steps of the tour, read from steps.toml, and the link that each one is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hvae_core.common.words import listed, symbol_text
from hvae_core.data.worlds import worlds
from hvae_core.figures.inks import contrast
from hvae_core.figures.theme import Palette
from hvae_core.scores import get_score
from pages.ood.models import label

LISTS = ("sets", "choices", "seen", "hides", "spelled")
KEY = "tour"
"""In links, and in the session's state: the number of the open step, from 1."""
Query = dict[str, str | list[str]]
Value = str | int | list[str]
_COLOURED = re.compile(r"@(in|out|low|high|z\d+)\{")


@dataclass(frozen=True)
class Step:
    """One step: the page that it is laid over, what its link chooses there, and its texts."""

    key: str
    title: str
    page: str
    """Its folder."""
    world: str
    a: str
    sets: tuple[str, ...]
    look: str
    try_: str
    equation: str
    question: str
    choices: tuple[str, ...]
    answer: str
    learned: str
    b: str = ""
    layers: int = 1
    seen: tuple[str, ...] = ()
    """Keys of the figure that it speaks of and of the controls that it asks to turn."""
    hides: tuple[str, ...] = ()
    """Keys of what gives way, so that these stand on one screen."""
    spelled: tuple[str, ...] = ()
    """Words of its page's charts that are explained with those of its own texts."""
    first: str = ""
    """The part that its page puts first (``ui.FIRST``)."""
    controls: Mapping[str, Value] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its models."""
        return tuple(filter(None, (self.a, self.b)))

    @property
    def address(self) -> str:
        """Its page's part of an address."""
        return "" if self.page == "start" else self.page

    @property
    def written(self) -> str:
        """Its texts without TeX, for the words that they use."""
        text = " ".join((self.look, self.try_, self.question))
        return re.sub(r"\$([^$]+)\$", lambda found: symbol_text(found[1]), text)

    def absent(self) -> str:
        """A sentence on what this step needs and is not here, or ""."""
        from hvae_core.checkpoint.library import shipped_checkpoints

        world = worlds().get(self.world)
        names = [spec.name for spec in world.sets] if world else []
        missing = [name for name in self.models if name not in shipped_checkpoints()]
        missing += [name for name in self.sets if name not in names]
        if not missing and world:
            return ""
        what = listed(missing) if missing else f"the world {self.world}"
        return (
            f"This step is made for {what}, not part of this installation: what you see is of "
            "another choice, and so is the answer."
        )


@cache
def steps() -> tuple[Step, ...]:
    """All steps, in order."""
    tables = tomllib.loads(Path(__file__).with_name("steps.toml").read_text("utf-8"))["step"]
    return tuple(_step(table) for table in tables)


def _step(table: dict[str, object]) -> Step:
    fields = {("try_" if name == "try" else name): value for name, value in table.items()}
    fields |= {name: tuple(table.get(name, ())) for name in LISTS}  # type: ignore[arg-type]
    return Step(**fields)  # type: ignore[arg-type]


def choices(number: int) -> dict[str, Value]:
    """What each control of a step says, by its key in the session's state."""
    from pages.shared.models import NONE

    step = steps()[number - 1]
    chosen: dict[str, Value] = {"world": step.world, **step.controls}
    if "o_score" in chosen:  # a score is told by what its list shows
        chosen["o_score"] = label(get_score(str(chosen["o_score"]), step.layers))
    for letter, name in (("a", step.a), ("b", step.b or NONE)):
        chosen[f"{letter}_{step.world}"] = name
    chosen[f"out_{step.world}"] = list(step.sets)
    return chosen


def touched() -> set[str]:
    """The keys in the session's state that any step changes."""
    from pages.shared.current import IMAGE

    return {IMAGE}.union(*(choices(number) for number in range(1, len(steps()) + 1)))


def image(number: int) -> tuple[str, int] | None:
    """Set and number of the one image of a step, where it has one; of rows the first.

    A current image that is in no row would stand below them and move their mean.
    """
    controls = steps()[number - 1].controls
    for key, rows in controls.items():
        if key.startswith("r_rows") and isinstance(rows, list):
            row, _, place = rows[0].rpartition(" ")
            return row, int(place)
    name = next((value for key, value in controls.items() if re.match(r"[gi]_(a_)?set", key)), None)
    at = controls.get("i_id", controls.get("g_a_number"))
    return (name, at) if isinstance(name, str) and isinstance(at, int) else None


def link(number: int) -> Query:
    """What opens a step from within the app, whose controls are set there (``strip.arrive``)."""
    return {KEY: str(number)}


def query(number: int) -> Query:
    """What stands in the address of a step: itself, and what its controls show."""
    world = worlds().get(steps()[number - 1].world)
    if world is None:
        return {KEY: str(number)}
    titles = {spec.name: spec.title for spec in world.sets}
    shown: Query = {KEY: str(number)}
    for key, value in choices(number).items():
        if key == "world":
            shown[key] = world.title
        elif key.startswith(("out_", "o_sets")):
            shown[key] = [titles.get(name, name) for name in _listed(value)]
        elif "_set" in key:
            shown[key] = titles.get(str(value), str(value))
        else:
            shown[key] = value if isinstance(value, list) else str(value)
    return {key: value for key, value in shown.items() if value}


def _listed(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def coloured(step: Step, colors: Palette) -> str:
    """The step's equation as TeX, its terms in the colours of the picture."""
    layers = colors.layers(max(step.layers, 2))
    grounds = {f"z{i}": color for i, color in enumerate(layers, start=1)}
    grounds |= {"low": layers[0], "high": layers[-1]}
    inks = {"in": colors.in_color, "out": colors.out_family[0]}

    def opened(kind: str, body: str) -> str:
        if kind in inks:
            return rf"\textcolor{{{inks[kind]}}}{{{body}}}"
        ground = grounds[kind]
        ink = max(("#FFFFFF", "#000000"), key=lambda color: contrast(color, ground))
        return rf"\colorbox{{{ground}}}{{$\textcolor{{{ink}}}{{{body}}}$}}"

    text = step.equation
    while (found := _COLOURED.search(text)) is not None:
        end = _closing(text, found.end())
        term = opened(found.group(1), text[found.end() : end])
        text = text[: found.start()] + term + text[end + 1 :]
    return text


def _closing(text: str, start: int) -> int:
    """Where the brace closes that was opened just before ``start``."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
    raise ValueError(f"An equation of the tour has a brace too few: {text}")
