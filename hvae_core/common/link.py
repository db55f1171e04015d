"""Calls of one process by another over the loopback: a notebook's kernel works for its app.

The kernel holds a model that no file has, so whatever reads the model runs there: the app sends the
name of a function of this program and its arguments, as ``common.values`` writes them, and gets
what the function gives. Both know a token: who cannot prove it is not answered, and the token
itself never travels. One connection is one call; when it closes, the call is cancelled.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from hvae_core.common import errors
from hvae_core.common.errors import HVAEError, JobError
from hvae_core.common.progress import Cancelled, Progress
from hvae_core.common.values import from_bytes, on, to_bytes

HOST = "127.0.0.1"
PLACE = "STRATA_KERNEL"
"""In the environment of the app and its workers: port and token of the kernel."""
_PATIENCE = 10.0
"""Seconds in which the kernel must take a call."""
_WAIT = 0.2
_log = logging.getLogger(__name__)
_GONE = (
    "The notebook's kernel does not answer, so its model is not here any more; run hv.show again."
)


@dataclass(frozen=True)
class ModelAt:
    """Stands for a model among the arguments of a call: the kernel's model at this path."""

    path: str


class Answerer:
    """The kernel's end: answers calls in threads of their own, until it is closed.

    ``shown`` is told to whoever asks for it, ``model_at`` finds a model by what stands for its
    path.
    """

    def __init__(self, shown: Any, model_at: Callable[[str], Any]) -> None:
        self._shown = to_bytes(("done", shown))
        self._model_at = model_at
        self._token = secrets.token_hex(32)
        self._socket = socket.create_server((HOST, 0))
        self._open: set[socket.socket] = set()
        self._opening = threading.Lock()
        self._closed = False
        threading.Thread(target=self._listen, daemon=True, name="strata-link").start()

    @property
    def place(self) -> str:
        """What the app must know, for its environment."""
        return f"{self._socket.getsockname()[1]} {self._token}"

    def close(self) -> None:
        """Answer no more; calls that run are cancelled."""
        self._closed = True
        with contextlib.suppress(OSError):  # wakes the thread that waits in accept
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        # Its own thread closes a line: closed by two, the second could close another file that has
        # its number by then.
        with self._opening:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._closed:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        with caller, Connection(caller.dup().detach()) as line:
            with self._opening:
                if self._closed:
                    return
                self._open.add(caller)
            try:
                token = self._token.encode()
                connection.deliver_challenge(line, token)
                connection.answer_challenge(line, token)
                line.send_bytes(self._reply(line.recv_bytes(), line))
            except (OSError, EOFError, ValueError, multiprocessing.AuthenticationError):
                pass  # the caller has gone, or is none of ours
            except Exception:
                _log.exception("a call of the app could not be answered")
            finally:
                with self._opening:
                    self._open.discard(caller)

    def _reply(self, request: bytes, line: Connection) -> bytes:
        try:
            asked = from_bytes(request)
            if asked == "shown":
                return self._shown
            function, args, kwargs, reports = asked
            filled = self._filled(args)
            if reports:
                kwargs["progress"] = lambda fraction, message: _report(line, fraction, message)
            return to_bytes(("done", function(*filled, **kwargs)))
        except Cancelled:
            return to_bytes(("cancelled", None))
        except HVAEError as error:
            return to_bytes(("refused", [type(error).__name__, str(error)]))
        except MemoryError:
            return to_bytes(("refused", ["JobError", "The kernel has too little memory for this."]))
        except Exception as error:
            _log.exception("a call of the app failed")
            told = f"{type(error).__name__}: {error}"[:300]
            return to_bytes(
                ("refused", ["JobError", f"The notebook's model could not do this ({told})."])
            )

    def _filled(self, args: Sequence[Any]) -> list[Any]:
        """The arguments with the models they stand for, and tensors where the model is."""
        models = {a.path: self._model_at(a.path) for a in args if isinstance(a, ModelAt)}
        filled = [models[a.path] if isinstance(a, ModelAt) else a for a in args]
        device = getattr(next(iter(models.values()), None), "device", "cpu")
        return [on(each, device) for each in filled]


def _report(line: Connection, fraction: float, message: str) -> None:
    try:
        line.send_bytes(to_bytes(("progress", [float(fraction), str(message)])))
    except OSError:
        raise Cancelled from None  # who asked has gone


def linked() -> bool:
    """Whether this process is a notebook's app, or a worker of it."""
    return bool(os.environ.get(PLACE))


def shown() -> Any:
    """What the kernel shows; ``JobError`` where it does not answer."""
    return _call("shown", None)


def ask(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    progress: Progress | None = None,
) -> Any:
    """``function(*args, **kwargs)`` in the kernel; raises what it raises there.

    With ``progress`` the function reports to it, and is cancelled where that raises.
    """
    return _call((function, list(args), dict(kwargs), progress is not None), progress)


def job_there(function: Callable[..., Any], args: Sequence[Any], *, progress: Progress) -> Any:
    """A job: the function in the kernel, whose worker this process only is the messenger of."""
    return ask(function, args, {}, progress=progress)


def _call(request: Any, progress: Progress | None) -> Any:
    data = to_bytes(request)
    try:
        with _connected() as line:
            line.send_bytes(data)
            last = (0.0, "Waiting for the notebook")
            while True:
                if progress is not None and not line.poll(_WAIT):
                    progress(*last)
                    continue
                kind, value = from_bytes(line.recv_bytes())
                if kind != "progress":
                    break
                last = tuple(value)
                if progress is not None:
                    progress(*last)
    except (OSError, EOFError, multiprocessing.AuthenticationError) as error:
        raise JobError(_GONE) from error
    return _settled(kind, value)


def _settled(kind: str, value: Any) -> Any:
    if kind == "done":
        return value
    if kind == "cancelled":
        raise Cancelled
    name, sentence = value
    error = getattr(errors, name, None)
    raise (error if isinstance(error, type) and issubclass(error, HVAEError) else JobError)(
        sentence
    )


def _connected() -> Connection:
    port, _, token = os.environ.get(PLACE, "").partition(" ")
    if not port.isdigit():
        raise JobError(_GONE)
    line = Connection(socket.create_connection((HOST, int(port)), _PATIENCE).detach())
    try:
        os.set_blocking(line.fileno(), True)
        connection.answer_challenge(line, token.encode())
        connection.deliver_challenge(line, token.encode())
    except BaseException:
        line.close()
        raise
    return line
