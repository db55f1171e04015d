"""``python -m tests.fuzz``: a thousand damaged files of every kind; 1 where one was no sentence."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.runner import KINDS, fuzz


def main() -> int:
    """Run the cases that the command line asks for, and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--count", type=int, default=1000, help="cases of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if unknown := [kind for kind in asked.kinds if kind not in KINDS]:
        parser.error(f"there is no kind {unknown[0]}; choose of {', '.join(KINDS)}")
    faults = 0
    for kind in asked.kinds or KINDS:
        summary = fuzz(kind, asked.count, seed=asked.seed, first=asked.first)
        print(summary, flush=True)
        for fault in summary.faults:
            print(f"  {fault}", flush=True)
        faults += len(summary.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
