"""Damage files of every format at random and list what is neither read nor refused in one line.

python -m tests.fuzz [--number 200] [--first 0] [--only WORD] [--show]; `make fuzz` runs 200 of each. A fault is made
again by --only with its seed's name and --first with its number.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.engine import fuzz
from tests.fuzz.seeds import seeds


def main() -> int:
    """Print a line for each seed and each distinct fault; returns 1 if there are faults."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--number", type=int, default=200, help="damaged forms of each file")
    parser.add_argument("--first", type=int, default=0, help="number of the first form")
    parser.add_argument("--only", default="", help="part of the names of the files to damage")
    parser.add_argument("--show", action="store_true", help="print tracebacks")
    options = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in [seed for seed in seeds(Path(folder)) if options.only in seed.name]:
            seed.read(seed.path)
            outcome = fuzz(seed, range(options.first, options.first + options.number))
            counts = ", ".join(f"{count} {word}" for word, count in sorted(outcome.counts.items()))
            print(f"{seed.name}: {counts}", flush=True)
            for fault, (number, words) in outcome.faults.items():
                faults += 1
                print(f"    {number}: {fault}", flush=True)
                if options.show:
                    print(words, flush=True)
    print(f"{faults} distinct faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
