"""How long a training with a definition of the spec takes, relative to the same with the language's own member.

    python benchmarks/definitions.py [NAME …] [--rounds 15] [--width 128]

Both are compiled with `--style fast` and run in one process, in turns; shown is the median of the ratios within rounds,
and their range. Exit 1 where a median is above 1.3.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from redefined import TWICE, Twice
from support import module_of

from dotnn_runtime.script.selfcheck import generic_batch

MOST = 1.3
SECONDS = 0.1
"""So long one measurement takes, about."""


def trainings(twice: Twice, width: int):
    """Return functions that train both for a number of epochs, the language's own first."""
    found = []
    for ours in (False, True):
        module = module_of(twice.spec(ours=ours, width=width), "fast")
        params = module.init_params(0, np.float32)
        rng = np.random.default_rng(1)
        kinds = {**module.INPUTS, **module.TARGETS}
        examples = generic_batch(kinds, rng, 1024)
        found.append(lambda epochs, m=module, p=params, e=examples: m.train(e, params=p, epochs=epochs))
    return found


def seconds(train, epochs):
    """How much processor time so many epochs take."""
    begun = time.process_time()
    train(epochs)
    return time.process_time() - begun


def ratios(twice: Twice, width: int, rounds: int):
    """Return the time of ours relative to theirs, round by round; every other round begins with ours."""
    theirs, ours = trainings(twice, width)
    once = max(seconds(theirs, 3) / 3, 1e-4)
    epochs = max(2, round(SECONDS / once))
    seconds(ours, epochs)
    found = []
    for number in range(rounds):
        first, second = (theirs, ours) if number % 2 else (ours, theirs)
        pair = seconds(first, epochs), seconds(second, epochs)
        found.append(pair[1] / pair[0] if number % 2 else pair[0] / pair[1])
    return found


def main() -> int:
    """Print a line for each definition; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TWICE))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    slow = 0
    for name in options.names or TWICE:
        found = ratios(TWICE[name], 16 if name in ("lstm", "gru") else options.width, options.rounds)
        middle = statistics.median(found)
        slow += middle > MOST
        print(f"{name:15} {middle:5.2f}  ({min(found):.2f} to {max(found):.2f})", flush=True)
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
