"""Ports of this machine: whether one is taken, and one that is free."""

from __future__ import annotations

import socket

from hvae_core.common.errors import ConfigError
from hvae_core.common.plain import plain

FIRST = 8501
"""Where the app listens unless told otherwise."""
_TRIED = 50


def taken(host: str, port: int) -> bool:
    """Whether nothing can listen there: somebody else does, or the address is none of ours."""
    try:
        with _listening(host, port):
            return False
    except (OSError, OverflowError):
        return True


def free_port(host: str, first: int = 0) -> int:
    """A port that is free: ``first`` or one of the next where that is given, else any."""
    for port in range(first, first + _TRIED) if first else ():
        if not taken(host, port):
            return port
    try:
        with _listening(host, 0) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen on {plain(host)}; give an address of this machine, as 127.0.0.1."
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(kind)
    try:
        # As a server does: what was closed a moment ago is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
    except BaseException:
        probe.close()
        raise
    return probe
