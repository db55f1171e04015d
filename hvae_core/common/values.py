"""Values as bytes for another process: JSON and arrays. Nothing is pickled, nothing runs.

Numbers, texts, lists, tables, paths, arrays and tensors travel as what they are; of the project's
own data classes and functions the name travels, and the reader takes its own. A reader that is
sent something else raises ``JobError``.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
from pathlib import Path, PurePath
from types import FunctionType
from typing import Any

import numpy as np

from hvae_core.common.errors import JobError
from hvae_core.common.npz import read_npz

OURS = "hvae_core."
"""Where the classes and functions live that may be named."""
_TEXT = "values"
_PLAIN = (bool, int, float, str, type(None))
_TENSORS = ("torch.Tensor", "torch.nn.parameter.Parameter")
_RETURN = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def to_bytes(value: Any) -> bytes:
    """The value as one ``.npz``; ``TypeError`` for what cannot travel."""
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_told(value, arrays)).encode()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_TEXT: np.frombuffer(text, np.uint8)}, **arrays)
    return file.getvalue()


def from_bytes(data: bytes) -> Any:
    """What ``to_bytes`` was given; ``JobError`` for any other bytes."""
    try:
        arrays = read_npz(io.BytesIO(data))
        return _read(json.loads(arrays.pop(_TEXT).tobytes()), arrays)
    except JobError:
        raise
    except Exception as error:  # a dozen kinds of damaged bytes
        raise JobError(
            "What the other process sent cannot be read; start it again with the same version of "
            "this program."
        ) from error


def on(value: Any, device: Any) -> Any:
    """The value with the tensors in it, also those in lists, brought to a device."""
    if _is_tensor(value):
        return value.to(device)
    if type(value) in (list, tuple):
        return type(value)(on(each, device) for each in value)
    return value


def _is_tensor(value: Any) -> bool:
    kind = type(value)  # by its name: this module loads no torch
    return f"{kind.__module__}.{kind.__qualname__}" in _TENSORS


def _told(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The value in JSON, with its arrays put aside."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (list, tuple, set, frozenset):
        return [kind.__name__, [_told(each, arrays) for each in value]]
    if kind is dict:
        pairs = value.items()
        return ["dict", [[_told(key, arrays), _told(each, arrays)] for key, each in pairs]]
    if isinstance(value, PurePath):
        return ["path", str(value)]
    if kind is range:
        return ["range", [value.start, value.stop, value.step]]
    if kind is bytes:
        return ["bytes", _aside(np.frombuffer(value, np.uint8), arrays)]
    if isinstance(value, np.ndarray | np.generic):
        return ["number" if isinstance(value, np.generic) else "array", _aside(value, arrays)]
    if _is_tensor(value):
        return ["tensor", _aside(value.detach().cpu().numpy(), arrays)]
    if isinstance(value, FunctionType | type) and value.__module__.startswith(OURS):
        return ["name", [value.__module__, value.__qualname__]]
    if kind.__module__.startswith(OURS) and (names := _fields(kind)) is not None:
        fields = [[name, _told(getattr(value, name), arrays)] for name in names]
        return ["object", [kind.__module__, kind.__qualname__, fields]]
    raise TypeError(f"a {kind.__module__}.{kind.__qualname__} cannot go to another process")


def _aside(value: Any, arrays: dict[str, np.ndarray]) -> str:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError("an array of Python objects cannot go to another process")
    name = f"a{len(arrays)}"
    arrays[name] = array
    return name


def _fields(kind: type) -> tuple[str, ...] | None:
    """What a data class or a named tuple is made from; None for any other class."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if field.init)
    return getattr(kind, "_fields", None) if issubclass(kind, tuple) else None


def _read(told: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The value that ``_told`` was given."""
    if type(told) in _PLAIN:
        return told
    kind, of = told
    if kind in _RETURN:
        return _RETURN[kind](_read(each, arrays) for each in of)
    if kind == "dict":
        return {_read(key, arrays): _read(each, arrays) for key, each in of}
    if kind == "path":
        return Path(of)
    if kind == "range":
        return range(*of)
    if kind == "bytes":
        return arrays[of].tobytes()
    if kind == "array":
        return arrays[of]
    if kind == "number":
        return arrays[of][()]
    if kind == "tensor":
        import torch

        return torch.from_numpy(arrays[of])
    if kind == "name":
        return _named(*of)
    if kind == "object":
        module, qualname, fields = of
        made = _named(module, qualname)
        if not isinstance(made, type) or _fields(made) is None:
            raise JobError(f"{qualname} is no data class; both processes need one version.")
        return made(**{name: _read(each, arrays) for name, each in fields})
    raise JobError(f"A value of the kind {kind} is not known here; use one version for both.")


def _named(module: str, qualname: str) -> Any:
    """A class or function of the project, by its name."""
    if not module.startswith(OURS) or not all(map(str.isidentifier, qualname.split("."))):
        raise JobError(f"{module} is no part of this program; use one version for both.")
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    if not isinstance(found, FunctionType | type) or not found.__module__.startswith(OURS):
        raise JobError(f"{qualname} is no part of this program; use one version for both.")
    return found
