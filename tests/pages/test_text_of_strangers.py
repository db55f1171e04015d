"""What visitors write (file names, classes, cards) is shown as text on every page: no Markdown."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import library, load_checkpoint, save_checkpoint
from hvae_core.config import ModelCard
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import custom_set
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from pages.shared import program, store, ui
from tests.conftest import ROOT
from tests.pages.conftest import CONFIG, LIMIT, Start
from tests.small import tiny_model, tiny_set

BAD = "![x](http://evil.example/a.png) <img src=x> <a href='http://evil.example'>y</a> :red[z] $e$"
MARKDOWN = re.compile(r"(?<!\\)!?\[[xz](?<!\\)\]|(?<!\\)<img|(?<!\\)<a |(?<!\\):red|(?<!\\)\$e")
"""Something of ``BAD`` that Markdown would not read as the sign itself."""
HTML = re.compile(r"<img|<a ", re.I)
AS_IT_IS = re.compile(
    r"(Selectbox|Multiselect)\.(options|raw_value)|\.(id|key|url|alt|file_name|form_id|placeholder|"
    r"query_string|data|config|string_value|raw_values|json)\b"
)
"""Fields that Streamlit shows as they are, or not at all; ``json`` is what our own scripts are
given, which write it as text (see ``test_scripts_write_text``)."""
PAGES = (
    "start", "reconstructions", "collapse", "two", "latents", "ood", "image", "generate",
    "compression",
)  # fmt: skip


def strings(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a message, with the names of the fields that lead to it."""
    for of, value in message.ListFields():
        for one in value if of.is_repeated else [value]:
            where = f"{path}.{of.name}"
            if isinstance(one, Message):
                yield from strings(one, where)
            elif isinstance(one, str):
                yield where, one


def texts(app: AppTest) -> Iterator[tuple[str, str]]:
    """Every text of a page, also those of expanders, tabs and forms."""

    def walk(block: Any) -> Iterator[tuple[str, str]]:
        if isinstance(getattr(block, "proto", None), Message):
            yield from strings(block.proto, type(block).__name__)
        for child in getattr(block, "children", {}).values():
            yield from walk(child)

    yield from walk(app._tree)


def assert_only_text(app: AppTest) -> None:
    assert not app.exception
    for where, text in texts(app):
        if where.endswith(".spec"):  # a figure of plotly's, which reads some HTML
            drawn = [one for one in leaves(json.loads(text)) if HTML.search(one)]
            assert drawn == [], where
        elif not AS_IT_IS.search(where):
            assert not MARKDOWN.search(text), (where, text)


def leaves(value: Any) -> Iterator[str]:
    """Every text in what JSON holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)


@pytest.fixture
def hostile(tiny_app: Path) -> dict[str, tuple[Any, ImageSet]]:
    """Sets of a visitor's own, evaluated under both models, and a checkpoint of a visitor's."""
    images = replace(
        tiny_set(LIMIT, CONFIG.image_shape, 5, "bad"),
        title=BAD,
        labels=np.arange(LIMIT) % 2,
        class_names=(BAD, "b"),
        notes=(BAD,),
    )
    path = library.SHIPPED / "glyphs-hvae3-freebits.safetensors"
    card = ModelCard(BAD, data=BAD, epochs=1, parameters=1, note=BAD)
    save_checkpoint(path, tiny_model(CONFIG, 7), card=card, history={})
    for file in library.SHIPPED.glob("glyphs-*.safetensors"):
        checkpoint = load_checkpoint(file)
        evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings())
    images = store.as_text(images)
    spec = custom_set(images, "out", title=images.title)
    return {spec.name: (spec, images)}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_it_as_markdown(
    page: str, start: Start, hostile: dict[str, tuple[Any, ImageSet]]
) -> None:
    (name,) = hostile
    state = {
        "own_sets": hostile,
        "out_glyphs": [name, "digits"],
        "b_glyphs": "glyphs-hvae3-freebits",
    }
    views: dict[str, dict[str, list[str]]] = {
        "image": {"i_set": [name]},
        "latents": {"l_colour": ["class", "set"]},
    }
    for key, values in views.get(page, {"": [""]}).items():
        for value in values:
            more = {key: value} if key else {}
            assert_only_text(start(page, state, **more))


@pytest.mark.parametrize("name", ['a"""b', r"C:\Users\new", r"\N{x}", 'ends in "', "ends in \\"])
def test_a_program_holds_any_name(name: str) -> None:
    world = SimpleNamespace(key="glyphs", spec=lambda of: SimpleNamespace(origin=None))
    ctx: Any = SimpleNamespace(models=(), world=world, in_name="in", out_names=())
    made = program.code(ctx, f"Rates of {name}", f"title = {program.text(name)}", shows="")
    assert ast.get_docstring(ast.parse(made.python)) == f"Rates of {name}."


def test_scripts_write_text() -> None:
    """Only the pictures of the Lab are markup: numbers, and names that the server escapes."""
    scripts = [path for path in (ROOT / "pages").rglob("*.js") if "vendor" not in path.parts]
    markup = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write")
    assert len(scripts) > 5
    assert [path.name for path in scripts if markup.search(path.read_text("utf-8"))] == [
        "moving.js"
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a_b*c*.npz", r"a\_b\*c\*.npz"),
        ("- x", r"\- x"),
        ("1. x", r"1\. x"),
        ("1.5 nats", r"1\.5 nats"),
        ("&lt;img", r"\&lt;img"),
        ("two\nlines", "two lines"),
        ("http://a.example www.a.example", "http\u2060\\://a.example www\u2060.a.example"),
        ("ann@a.example", "ann\u2060@a.example"),
        ("Буквы, 字", "Буквы, 字"),
    ],
)
def test_every_sign_stands_for_itself(text: str, kept: str) -> None:
    assert ui.plain(text) == kept


def test_no_error_is_shown_as_markdown() -> None:
    """What a sentence says of a file has the file's name in it."""
    for path in (ROOT / "pages").rglob("*.py"):
        raw = re.search(
            r"\.(error|warning|info|success|caption|markdown)\(\s*str\(", path.read_text()
        )
        assert raw is None, (path, raw)
