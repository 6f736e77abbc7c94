"""Mutilated specs through the front end, for as many as one likes: none may end in a traceback, or take long.

    python tests/reliability/mutate.py --number 200000 --seed 0

Every hundredth of those that are accepted is also compiled. Exit 1 where anything went wrong.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from errors.mutilate import compiles, front, mutilated

LONGEST = 10.0
"""Seconds of processor time that the front end may take for one spec."""
PER_SEED = 10_000_000


def attempt(number: int) -> str:
    """What became of the spec of a number; prints what must not be."""
    started = time.process_time()
    try:
        model = front(mutilated(number))
        took = time.process_time() - started
        if model is not None and number % 100 == 0:
            compiles(model)
    except Exception:
        print(f"== number {number}\n{mutilated(number)}\n{traceback.format_exc()}", flush=True)
        return "tracebacks"
    if took > LONGEST:
        print(f"== number {number} took {took:.1f} s\n{mutilated(number)}", flush=True)
        return "too long"
    return "refused" if model is None else "accepted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    first, started = options.seed * PER_SEED, time.process_time()
    found = Counter(map(attempt, range(first, first + options.number)))
    counts = ", ".join(f"{found[kind]} {kind}" for kind in ("accepted", "refused", "tracebacks", "too long"))
    print(f"{options.number} mutilated specs: {counts}; {time.process_time() - started:.0f} s of processor time")
    return int(bool(found["tracebacks"] or found["too long"]))


if __name__ == "__main__":
    sys.exit(main())
