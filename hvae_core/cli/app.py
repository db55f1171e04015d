"""``app``: open the app in the browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from hvae_core.cli import show
from hvae_core.cli.options import kept, option
from hvae_core.common import own_models
from hvae_core.common.errors import ConfigError
from hvae_core.common.places import HOME
from hvae_core.common.ports import FIRST, free_port, taken


@kept("The app is closed.")
def app(
    *,
    port: Annotated[
        int | None, option("where it listens (default: 8501, or the next that is free)", "N")
    ] = None,
    host: Annotated[
        str, option("address that it listens on; 0.0.0.0 for every network of this machine", "HOST")
    ] = "127.0.0.1",
    public: Annotated[
        bool, option("serve strangers: no folders of this machine, bounds on all they bring")
    ] = False,
    no_browser: Annotated[bool, option("print the address and open no browser")] = False,
    model: Annotated[
        tuple[str, ...],
        option("a model of your own, for every page; its file is run", "FILE.py:NAME"),
    ] = (),
) -> None:
    """Open the app in the browser; Ctrl-C stops it.

    It listens on this machine alone unless --host says otherwise, and sends nothing anywhere.

    Examples:
      python -m hvae_core app
      python -m hvae_core app --port 8600 --no-browser
      python -m hvae_core app --model mine.py:model
          a network of your own, made a model by hv.adapt in mine.py
      python -m hvae_core app --host 0.0.0.0 --public
          for strangers: put a proxy with TLS before it
    """
    from hvae_core.door import load_checkpoint

    script = HOME / "app.py"
    if port is not None and taken(host, port):
        raise ConfigError(
            f"Port {port} of {host} is taken or cannot be had; choose another, or leave --port "
            "out and one is found."
        )
    port = port or free_port(host, FIRST)
    if public:
        os.environ["STRATA_PUBLIC"] = "1"
    for name in model:
        load_checkpoint(own_models.allow(name))  # what is wrong with it is told here
    show.note(f"Strata: http://{host}:{port}  (Ctrl-C stops it)")
    sys.stderr.flush()
    words = [str(script), "--server.address", host, "--server.port", str(port)]
    words += ["--server.headless", str(no_browser).lower(), "--server.showEmailPrompt", "false"]
    words += ["--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"]
    words += ["--logger.hideWelcomeMessage", "true", "--runner.magicEnabled", "false"]
    # In place of this process: its Ctrl-C and its end are the server's.
    os.execv(sys.executable, [sys.executable, *words])
