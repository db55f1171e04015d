"""No control without a test that turns it: the keys written in ``pages/`` against those in tests.

A control is known by its key, or by its words where it has none. Files to save are left out:
``test_driven`` makes every one that a page offers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.conftest import ROOT

CONTROLS = {
    "button", "camera_input", "checkbox", "data_editor", "file_uploader", "form_submit_button",
    "multiselect", "number_input", "pills", "radio", "segmented_control", "select_slider",
    "selectbox", "slider", "text_area", "text_input", "toggle",
}  # fmt: skip
TURNS = {
    "check", "click", "fill", "press", "select", "send", "sent", "set_input_files",
    "set_value", "upload",
}  # fmt: skip
"""What tests call to turn a control; ``start`` opens the app by a link that turns some."""
LEAST = 2
"""Signs that a key must have at least, beside what is not known of it: others are met anywhere."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Pages:
    """All modules of the app, in which the key of a control is looked up."""

    def __init__(self) -> None:
        paths = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
        self.modules = {path: ast.parse(path.read_text("utf-8")) for path in paths}
        self.functions: dict[str, tuple[Path, Function]] = {}
        self.constants = {k: v for one in self.modules.values() for k, v in _constants(one).items()}
        self._asked: set[ast.expr] = set()  # what is being looked up: helpers may call each other
        self.calls: dict[str, list[tuple[Path, ast.Call, list[Function]]]] = {}
        for path, module in self.modules.items():
            for node in module.body:
                if isinstance(node, Function):
                    self.functions[node.name] = (path, node)
            for call, around in _calls(module, []):
                self.calls.setdefault(_called(call), []).append((path, call, around))

    def controls(self) -> Iterator[tuple[str, set[str], set[str]]]:
        """Where each control is made, patterns of its keys, and of its words."""
        for name in CONTROLS & set(self.calls):
            for path, call, around in self.calls[name]:
                if self._is_helper(call, name):
                    continue
                words = self._written(path, call.args[0], around) if call.args else set()
                where = f"{path.relative_to(ROOT)}:{call.lineno}"
                yield where, self._keys(path, call, around), words

    def _is_helper(self, call: ast.Call, name: str) -> bool:
        """Whether it is one of the app's own modules that makes this control."""
        match call.func:
            case ast.Attribute(value=ast.Name(id=module)):
                return name in self.functions and self.functions[name][0].stem == module
        return False

    def _keys(self, path: Path, call: ast.Call, around: list[Function]) -> set[str]:
        for word in call.keywords:
            match word:
                case ast.keyword(arg="key", value=value):
                    return self._written(path, value, around)
                case ast.keyword(arg=None, value=ast.Call(args=[ast.Constant(value=name), *_])):
                    return {f".*_{name}"}
                case ast.keyword(arg=None, value=ast.Name(id=name)):
                    return set().union(*(
                        self._written(at, value, within)
                        for at, given, within in self._given(path, name, around)
                        if isinstance(given, ast.Dict)
                        for key, value in zip(given.keys, given.values, strict=True)
                        if isinstance(key, ast.Constant) and key.value == "key"
                    ))  # fmt: skip
        return set()

    def _written(self, path: Path, node: ast.expr, around: list[Function]) -> set[str]:
        """Patterns of the texts that an expression may be."""
        match node:
            case ast.Constant(value=str(text)):
                return {re.escape(text)}
            case ast.JoinedStr(values=parts):
                pattern = "".join(map(self._part, parts))
                if _signs(pattern) >= LEAST:
                    return {pattern}
                of_parts = [self._written(path, part, around) or {".*"} for part in parts]
                return {"".join(chosen) for chosen in product(*of_parts)}
            case ast.FormattedValue(value=value):
                return self._written(path, value, around)
            case ast.Call() if (
                name := _called(node)
            ) in self.functions and node not in self._asked:
                at, function = self.functions[name]
                self._asked.add(node)
                returned = [
                    each.value for each in ast.walk(function) if isinstance(each, ast.Return)
                ]
                found = set[str]().union(
                    *(self._written(at, value, [function]) for value in returned if value)
                )
                self._asked.remove(node)
                return found
            case ast.IfExp(body=body, orelse=other):
                return self._written(path, body, around) | self._written(path, other, around)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int(place))):
                tuples = self._given(path, name, around)
                return set().union(*(self._written(at, each.elts[place], within)
                                     for at, each, within in tuples
                                     if isinstance(each, ast.Tuple)))  # fmt: skip
            case ast.Name(id=name) if node not in self._asked:
                self._asked.add(node)
                given = list(self._given(path, name, around))
                found = set[str]().union(*(self._written(*each) for each in given))
                self._asked.remove(node)
                return found
        return set()

    def _part(self, part: ast.expr) -> str:
        """The pattern of a part of an f-string: constants of the app are known."""
        match part:
            case ast.Constant(value=str(text)):
                return re.escape(text)
            case ast.FormattedValue(value=ast.Name(id=name)) if (
                name.isupper() and name in self.constants
            ):
                return re.escape(self.constants[name])
        return ".*"

    def _given(
        self, path: Path, name: str, around: list[Function]
    ) -> Iterator[tuple[Path, ast.expr, list[Function]]]:
        """What is assigned to a name, or handed over under this name by those who call."""
        for depth in range(len(around), -1, -1):
            scope = around[depth - 1] if depth else self.modules[path]
            if isinstance(scope, Function):
                arguments = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
                names = [each.arg for each in arguments]
                if name in names:
                    for at, call, within in self.calls.get(scope.name, ()):
                        given = {word.arg: word.value for word in call.keywords}
                        given |= dict(zip(names, call.args, strict=False))
                        if name in given:
                            yield at, given[name], within
                    return
            found = [value for target, value in _assigned(scope) if target == name]
            if found:
                for value in found:
                    yield path, value, around[:depth]
                return


def _signs(pattern: str) -> int:
    """How many signs of a text a pattern knows."""
    return len(re.sub(r"\.\*|\\", "", pattern))


def _calls(node: ast.AST, around: list[Function]) -> Iterator[tuple[ast.Call, list[Function]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, around
        yield from _calls(child, [*around, child] if isinstance(child, Function) else around)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _assigned(scope: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to each, a tuple's one by one."""
    for node in ast.walk(scope):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _pairs(target, node.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=names), ast.Tuple(elts=values):
            for one, other in zip(names, values, strict=False):
                yield from _pairs(one, other)
        case ast.Tuple(), ast.IfExp(body=body, orelse=other):
            yield from _pairs(target, body)
            yield from _pairs(target, other)


def _constants(module: ast.Module) -> dict[str, str]:
    return {
        name: value.value
        for name, value in _assigned(module)
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def turned(shared: dict[str, str]) -> set[str]:
    """The texts in functions of tests that turn a control, and the controls of their links.

    ``shared`` are constants of the app by name.
    """
    found: set[str] = set()
    for folder in ("pages", "browser"):
        for path in (ROOT / "tests" / folder).glob("*.py"):
            module = ast.parse(path.read_text("utf-8"))
            constants = shared | _constants(module)
            for function in ast.walk(module):
                if isinstance(function, Function):
                    found |= _turned_in(function, constants)
    return found


def _turned_in(function: Function, constants: dict[str, str]) -> set[str]:
    calls = {_called(call) for call, _ in _calls(function, [])}
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="start" | "shipped_app"), keywords=words):
                found |= {word.arg for word in words if word.arg}
            case ast.keyword(arg=str(text)) if calls & TURNS:
                found.add(text)
            case ast.Constant(value=str(text)) if calls & TURNS:
                found |= {text, *re.findall(r"st-key-([\w-]+)", text)}
            case ast.JoinedStr(values=parts) if calls & TURNS:
                found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "x"
                                  for part in parts))  # fmt: skip
            case ast.Name(id=name) | ast.Attribute(attr=name) if (
                name in constants and calls & TURNS
            ):
                found.add(constants[name])
    return found


def test_every_control_is_turned_by_a_test() -> None:
    pages = Pages()
    texts = turned(pages.constants)

    def known(pattern: str) -> bool:
        return any(re.fullmatch(pattern, text) for text in texts)

    unknown, missing = [], []
    for where, keys, words in pages.controls():
        if not keys | words or any(_signs(key) < LEAST for key in keys):
            unknown.append(f"{where}: {keys or ''}")
        if len(keys) > 1 or not any(map(known, words)):
            missing += [f"{where}: {key}" for key in keys or words if not known(key)]
    assert not unknown, "write out the keys of these controls"
    assert not missing, "no test turns these controls"
