"""``python -m hvae_core``: the command line."""

import sys

from hvae_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
