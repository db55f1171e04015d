"""The command line: ``python -m hvae_core``, one module a command."""
