"""How many threads of the processor one question may take."""

from __future__ import annotations


def interactive() -> None:
    """Let every thread of this process compute alone, as suits a server that answers people.

    A redraw sends a handful of images through the model: a second thread gains little there, and
    where the cores are busy, waiting for it costs seconds (0.05 s became 5 s beside a training).
    Worker processes are not concerned.
    """
    import torch

    torch.set_num_threads(1)
