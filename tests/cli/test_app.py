"""The command that opens the app, and the command ``strata`` of an installed program."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from hvae_core.cli import main as commands
from hvae_core.common.places import HOME
from hvae_core.common.ports import free_port, taken


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The processes that would have taken this one's place."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: seen.append(words))
    monkeypatch.delenv("STRATA_PUBLIC", raising=False)
    return seen


def option(words: list[str], name: str) -> str:
    return words[words.index(f"--{name}") + 1]


def test_without_a_word_it_opens_the_app(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["strata"])
    assert commands.strata() == 0
    (words,) = started
    assert words[:2] == [sys.executable, str(HOME / "app.py")]
    assert option(words, "server.address") == "127.0.0.1"
    assert option(words, "server.headless") == "false"


def test_with_a_command_it_is_the_command_line(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["strata", "models", "--help"])
    assert commands.strata() == 0
    assert not started and "Usage: " in capsys.readouterr().out


def test_its_options_are_the_server_s(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "STRATA_PUBLIC", "")
    port = free_port("127.0.0.1")
    assert commands.main(["app", "--port", str(port), "--public", "--no-browser"]) == 0
    assert option(started[0], "server.port") == str(port)
    assert option(started[0], "server.headless") == "true"
    assert os.environ["STRATA_PUBLIC"] == "1"


def test_a_port_that_is_taken_is_said_or_passed_over(
    started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert taken("127.0.0.1", port)
        assert free_port("127.0.0.1", port) != port
        assert commands.main(["app", "--port", str(port)]) == 2
    assert f"Port {port} of 127.0.0.1 is taken" in capsys.readouterr().err
    for wrong in (["--port", "99999"], ["--host", "203.0.113.7"], ["--host", "no.such host"]):
        assert commands.main(["app", *wrong]) == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert not started
